//! Members of groups: values added and taken away, without reading the group.

use super::confirm::holds;
use super::{Service, error};
use std::collections::HashMap;

use crate::directory::{DirectoryError, Dn, DnKey, Entry, Filter, Modification, ModifyOp, ResultCode, SearchRequest};
use crate::mapping::{Mapping, ResourceMapping};
use crate::membership::Home;
use crate::scim::ScimError;

/// How often a change is worked out anew when others change the same group.
const ATTEMPTS: usize = 8;

/// Members to add to a group and to take from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Members {
    pub(super) add: Vec<Dn>,
    pub(super) remove: Vec<Dn>,
    /// By names that were not looked at: that somebody is no member is an error then.
    pub(super) believed: bool,
}

impl Members {
    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    fn is_single(&self) -> bool {
        self.add.len() + self.remove.len() == 1
    }

    fn modifications(&self, side: &ResourceMapping, attribute: &str) -> Vec<Modification> {
        let values = |names: &[Dn]| names.iter().filter_map(|dn| side.member_value(dn)).map(String::into_bytes).collect();
        // Adding first would do as well; taking away first lets a name return in another spelling.
        let all = [(ModifyOp::Delete, values(&self.remove)), (ModifyOp::Add, values(&self.add))];
        let some = all.into_iter().filter(|(_, values): &(_, Vec<Vec<u8>>)| !values.is_empty());
        some.map(|(op, values)| Modification::new(op, attribute, values)).collect()
    }

    /// What of it is still to be done; what is to go, as it is spelt there.
    fn missing_from(&self, side: &ResourceMapping, entry: &Entry, attribute: &str) -> Self {
        let present: HashMap<DnKey, Dn> =
            entry.texts(attribute).filter_map(|text| side.member_name(text)).map(|dn| (dn.key(), dn)).collect();
        let stored =
            |dn: &Dn| side.member_value(dn).and_then(|value| side.member_name(&value)).and_then(|dn| present.get(&dn.key()));
        Self {
            add: self.add.iter().filter(|dn| stored(dn).is_none()).cloned().collect(),
            remove: self.remove.iter().filter_map(stored).cloned().collect(),
            believed: self.believed,
        }
    }
}

impl Service {
    /// Changes a group's members at once, and `extra` with them. A present member to be added and an absent one to be taken away
    /// are no errors.
    pub(super) async fn change_members(
        &self,
        side: &ResourceMapping,
        home: &Home,
        identity: &Filter,
        wanted: &Members,
        extra: &[Modification],
        read_back: &[String],
    ) -> Result<Option<Entry>, DirectoryError> {
        let Some(attribute) = side.member_attribute() else { return Ok(None) };
        let mut members = wanted.clone();
        let mut extra = extra.to_vec();
        let mut placeholder = false;
        let profile = side.profile;
        for _ in 0..ATTEMPTS {
            if members.is_empty() {
                return self.read_after(&home.dn, read_back).await;
            }
            let mut changes = extra.clone();
            if placeholder {
                changes.push(side.placeholder_change(attribute));
            }
            changes.extend(members.modifications(side, attribute));
            match self.modify(&home.dn, &changes, identity, read_back).await {
                Ok(entry) => return Ok(entry),
                Err(error) if members.believed && profile.says_absent(&error) => return Err(error),
                Err(error) if profile.says_present(&error) || profile.says_absent(&error) => {
                    // These codes say nothing else of one value alone.
                    let plain = side.members_are_names()
                        && (error.is(ResultCode::AttributeOrValueExists) || error.is(ResultCode::NoSuchAttribute));
                    if plain && members.is_single() && extra.is_empty() && !placeholder {
                        return self.read_after(&home.dn, read_back).await;
                    }
                    // One value that is there, or is not, fails the whole: see what is left to do.
                    let touched = extra.iter().map(|change| change.attribute.clone());
                    let looked_at: Vec<String> = std::iter::once(attribute.to_owned()).chain(touched).collect();
                    let request = SearchRequest::entry(&home.dn, looked_at);
                    let group = self.directory.search(&request).await?;
                    let Some(group) = group.entries.first() else { return Err(error) };
                    let tried = std::mem::replace(&mut members, wanted.missing_from(side, group, attribute));
                    let before = extra.len();
                    extra.retain(|change| !holds(group, change));
                    let filled = placeholder && side.has_placeholder(group, attribute);
                    placeholder = placeholder && !filled;
                    // All of it is still to be done: it was refused for another reason.
                    if !plain && members == tried && extra.len() == before && !filled {
                        return Err(error);
                    }
                }
                // It would be left without a member, which its class does not allow.
                Err(error) if error.is(ResultCode::ObjectClassViolation) && !members.remove.is_empty() && !placeholder => {
                    placeholder = true;
                }
                Err(error) => return Err(error),
            }
        }
        Err(DirectoryError::Refused { code: ResultCode::Busy, diagnostic: "others keep changing the group".to_owned() })
    }

    async fn read_after(&self, dn: &Dn, read_back: &[String]) -> Result<Option<Entry>, DirectoryError> {
        if read_back.is_empty() {
            return Ok(None);
        }
        Ok(self.directory.search(&SearchRequest::entry(dn, read_back.to_vec())).await?.entries.into_iter().next())
    }

    /// The groups that name an entry, visible through SCIM or not.
    async fn groups_naming(&self, mapping: &Mapping, dn: &Dn) -> Result<Vec<Dn>, ScimError> {
        let groups = &mapping.groups;
        let Some((member, value)) = groups.member_attribute().zip(groups.member_value(dn)) else { return Ok(Vec::new()) };
        let filter = Filter::all([groups.class(), Filter::equal(member, value)]);
        let request = SearchRequest::below(&groups.base, filter, vec!["1.1".to_owned()]);
        let found = self.directory.search(&request).await.map_err(|e| error::refused(groups, e))?;
        Ok(found.entries.into_iter().map(|entry| entry.dn).collect())
    }

    /// Takes an entry out of every group that names it, and says which those were. On an error it is in all of them still. Where
    /// the directory takes out entries that it removes, that is needed only of one that stays.
    pub(super) async fn leave_groups(&self, mapping: &Mapping, dn: &Dn, stays: bool) -> Result<Vec<Dn>, ScimError> {
        let leave = Members { remove: vec![dn.clone()], ..Members::default() };
        let groups = if mapping.profile.linked_members && !stays { Vec::new() } else { self.groups_naming(mapping, dn).await? };
        for (n, group) in groups.iter().enumerate() {
            if let Err(error) = self.change_group(mapping, group, &leave).await {
                self.rejoin_groups(mapping, dn, groups.get(..n).unwrap_or_default()).await;
                return Err(error);
            }
        }
        Ok(groups)
    }

    /// Puts an entry back into groups it was taken out of for a removal that was refused.
    pub(super) async fn rejoin_groups(&self, mapping: &Mapping, dn: &Dn, groups: &[Dn]) {
        let join = Members { add: vec![dn.clone()], ..Members::default() };
        for group in groups {
            if let Err(error) = self.change_group(mapping, group, &join).await {
                tracing::error!(%group, "a member whose removal was refused could not be put back: {}", error.detail);
            }
        }
    }

    /// After a rename: where the directory did not do so itself, groups get the new name in place of the old.
    pub(super) async fn follow_rename(&self, mapping: &Mapping, old: &Dn, new: &Dn) -> Result<(), ScimError> {
        if old.key() == new.key() || mapping.profile.linked_members {
            return Ok(());
        }
        let follow = Members { remove: vec![old.clone()], add: vec![new.clone()], ..Members::default() };
        for group in self.groups_naming(mapping, old).await? {
            self.change_group(mapping, &group, &follow).await?;
        }
        Ok(())
    }

    async fn change_group(&self, mapping: &Mapping, group: &Dn, change: &Members) -> Result<(), ScimError> {
        let home = Home { dn: group.clone(), owned: true };
        match self.change_members(&mapping.groups, &home, &Filter::everything(), change, &[], &[]).await {
            Ok(_) => Ok(()),
            // The group went away meanwhile.
            Err(error) if error.is(ResultCode::NoSuchObject) => Ok(()),
            Err(error) => Err(error::refused(&mapping.groups, error)),
        }
    }
}
