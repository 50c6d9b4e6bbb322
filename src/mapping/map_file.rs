//! Attribute maps as files.

use serde::Deserialize;

use super::config::MappingConfig;
use crate::directory::profile::MapChoice;

/// A map file: `config/mapping/*.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapFile {
    /// Object classes of a new entry.
    pub object_classes: Vec<String>,
    /// The attribute that names an entry.
    pub rdn: String,
    /// Values that select existing entries; without any, the last object class does.
    #[serde(default)]
    pub select: std::collections::BTreeMap<String, String>,
    /// SCIM path to attribute.
    pub attributes: toml::Table,
    /// What every new entry has beside.
    #[serde(default)]
    pub new: std::collections::BTreeMap<String, String>,
    /// Attributes of `fallback` that the directory makes up where the value is taken; they stay as they are later.
    #[serde(default)]
    pub generated: Vec<String>,
    /// What the object class demands and the client may leave out: attribute to templates, the first complete one is taken.
    #[serde(default)]
    pub fallback: std::collections::BTreeMap<String, Vec<String>>,
}

/// The map files, those of users first.
#[derive(Debug, Clone, PartialEq)]
pub struct MapFiles {
    /// `inetOrgPerson` and `groupOfNames`.
    pub inet_org_person: [MapFile; 2],
    /// Active Directory's `user` and `group`.
    pub active_directory: [MapFile; 2],
    /// Groups as `posixGroup`.
    pub posix_group: MapFile,
}

impl MapFiles {
    /// The maps that fit the directory, and the classes that are configured.
    pub(super) fn of(&self, choice: MapChoice, config: &MappingConfig) -> [&MapFile; 2] {
        let [users, groups] = match choice {
            MapChoice::InetOrgPerson => &self.inet_org_person,
            MapChoice::ActiveDirectory => &self.active_directory,
        };
        let is_posix = |classes: &[String]| matches!(classes, [class] if class.eq_ignore_ascii_case("posixGroup"));
        let posix = config.groups.object_classes.as_deref().is_some_and(is_posix);
        [users, if posix { &self.posix_group } else { groups }]
    }
}
