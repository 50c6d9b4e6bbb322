//! What a mapping rests on in the directory, for those who look whether it will work there.

use super::{ROLE_ATTRIBUTE, ResourceMapping};
use crate::directory::profile::MemberOf;

impl ResourceMapping {
    /// The attributes in which the values of a core attribute are kept.
    pub fn kept_in(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.path.extension.is_none() && rule.path.attribute.name == name) {
            if !found.contains(&rule.attribute.as_str()) {
                found.push(&rule.attribute);
            }
        }
        found
    }

    /// Every attribute of an entry that is written some time.
    pub fn written(&self) -> Vec<&str> {
        let mapped = self.rules.iter().map(|rule| rule.attribute.as_str()).filter(|name| *name != ROLE_ATTRIBUTE);
        let marks = self.ownership.iter().map(|mark| mark.attribute.as_str());
        let mut found: Vec<&str> = Vec::new();
        for name in mapped.chain(self.active.attribute()).chain(marks) {
            if !found.iter().any(|present| present.eq_ignore_ascii_case(name)) {
                found.push(name);
            }
        }
        found
    }

    /// Whether this attribute names new entries.
    pub fn is_named_by(&self, attribute: &str) -> bool {
        self.rdn == *attribute
    }

    /// The object classes of a new entry.
    pub fn object_classes(&self) -> &[String] {
        &self.object_classes
    }

    /// What is put into a group that would be empty; `None` where groups may be empty.
    pub fn placeholder(&self) -> Option<&str> {
        self.demands_member.then_some(self.placeholder.as_str())
    }

    /// `memberOf`, where it is relied on.
    pub fn relies_on_member_of(&self) -> bool {
        self.member_of
    }

    /// Whether `memberOf` is what names the entry in other ones, and nothing else: those alone that have it as a member.
    pub fn member_of_is_direct(&self) -> bool {
        self.member_of && self.profile.member_of == MemberOf::Always
    }
}
