//! What is never changed through SCIM: entries, branches, groups, and whoever is in such a group.

use std::collections::HashSet;
use std::fmt;

use futures_util::future::try_join_all;

use super::{Service, error};
use crate::directory::{Directory, DirectoryError, Dn, DnKey, Filter, SearchRequest};
use crate::mapping::{Mapping, ResourceMapping};
use crate::scim::ScimError;

/// Names that are asked for in one search.
const BATCH: usize = 100;
/// Groups within groups within groups: no organisation has more levels.
const LEVELS: usize = 32;

/// `[protected]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protected {
    /// Single entries.
    pub entries: Vec<Dn>,
    /// Branches, their heads included.
    pub subtrees: Vec<Dn>,
    /// Groups. Their members are protected as well, also through groups in groups.
    pub groups: Vec<Dn>,
}

/// Why an entry is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtectedBy {
    /// It is named.
    Name,
    /// It is in this branch.
    Subtree(Dn),
    /// It is in this group.
    Group(Dn),
}

impl fmt::Display for ProtectedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("it is named in [protected] of scimgate's configuration"),
            Self::Subtree(dn) => write!(f, "it is below {dn}, which protected.subtrees names in scimgate's configuration"),
            Self::Group(dn) => write!(f, "it is in {dn}, which protected.groups names in scimgate's configuration"),
        }
    }
}

impl Protected {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.subtrees.is_empty() && self.groups.is_empty()
    }

    /// What the name alone tells.
    pub fn by_name(&self, dn: &Dn) -> Option<ProtectedBy> {
        let key = dn.key();
        if self.entries.iter().chain(&self.groups).any(|named| named.key() == key) {
            return Some(ProtectedBy::Name);
        }
        self.subtrees.iter().find(|base| dn.is_under(base)).cloned().map(ProtectedBy::Subtree)
    }

    /// A protected group that one of these entries is in, by itself or through groups below `groups.base`.
    ///
    /// # Errors
    /// The directory could not be asked, so nobody knows.
    pub async fn group_of_any(
        &self,
        directory: &dyn Directory,
        mapping: &Mapping,
        entries: &[Dn],
    ) -> Result<Option<Dn>, DirectoryError> {
        if self.groups.is_empty() || entries.is_empty() {
            return Ok(None);
        }
        let mut seen: HashSet<DnKey> = entries.iter().map(Dn::key).collect();
        let mut level = entries.to_vec();
        // A group that contains itself, by whatever way, is met once.
        for _ in 0..LEVELS {
            for some in level.chunks(BATCH) {
                let looks = self.groups.iter().map(|group| names(directory, mapping, group, some));
                let found = try_join_all(looks).await?;
                if let Some((group, _)) = self.groups.iter().zip(found).find(|(_, names)| *names) {
                    return Ok(Some(group.clone()));
                }
            }
            if mapping.profile.chain || !mapping.groups.members_are_names() {
                break;
            }
            let above = try_join_all(level.chunks(BATCH).map(|some| groups_naming(directory, mapping, some))).await?;
            level = above.into_iter().flatten().filter(|dn| seen.insert(dn.key())).collect();
            if level.is_empty() {
                break;
            }
        }
        Ok(None)
    }
}

/// Entries that have one of these as a member. A protected group may be of another class than those that SCIM manages.
fn naming(mapping: &Mapping, members: &[Dn]) -> Filter {
    let groups = &mapping.groups;
    let mut filters: Vec<Filter> = Vec::new();
    for dn in members {
        if let Some((attribute, value)) = groups.member_attribute().zip(groups.member_value(dn)) {
            filters.push(Filter::equal(attribute, value));
        }
        for attribute in ["member", "uniqueMember"] {
            let by_name = Filter::equal(attribute, dn.to_string());
            if !filters.contains(&by_name) {
                filters.push(by_name);
            }
        }
        if mapping.profile.chain {
            filters.push(Filter::InChain("member".to_owned(), dn.to_string().into_bytes()));
        }
    }
    Filter::Or(filters)
}

async fn names(directory: &dyn Directory, mapping: &Mapping, group: &Dn, members: &[Dn]) -> Result<bool, DirectoryError> {
    let mut look = SearchRequest::entry(group, vec!["1.1".to_owned()]);
    look.filter = naming(mapping, members);
    Ok(!directory.search(&look).await?.entries.is_empty())
}

async fn groups_naming(directory: &dyn Directory, mapping: &Mapping, members: &[Dn]) -> Result<Vec<Dn>, DirectoryError> {
    let filter = Filter::all([mapping.groups.class(), naming(mapping, members)]);
    let request = SearchRequest::below(&mapping.groups.base, filter, vec!["1.1".to_owned()]);
    Ok(directory.search(&request).await?.entries.into_iter().map(|entry| entry.dn).collect())
}

impl Service {
    /// Refuses a change of an entry that is protected.
    pub(super) async fn check_protected(&self, mapping: &Mapping, side: &ResourceMapping, dn: &Dn) -> Result<(), ScimError> {
        if let Some(by) = self.protected.by_name(dn) {
            return Err(error::protected(side.ty.kind, &by));
        }
        let entry = std::slice::from_ref(dn);
        let group = self.protected.group_of_any(&*self.directory, mapping, entry).await;
        match group.map_err(|e| error::refused(&mapping.groups, e))? {
            Some(group) => Err(error::protected(side.ty.kind, &ProtectedBy::Group(group))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_protected_in_any_spelling_and_so_is_all_below() {
        let protected = Protected {
            entries: vec![dn("uid=root,ou=people,dc=example")],
            subtrees: vec![dn("ou=admins,dc=example")],
            groups: vec![dn("cn=operators,ou=groups,dc=example")],
        };
        assert_eq!(protected.by_name(&dn("UID=Root, ou=People, dc=example")), Some(ProtectedBy::Name));
        assert_eq!(protected.by_name(&dn("cn=operators,ou=groups,dc=example")), Some(ProtectedBy::Name));
        let subtree = Some(ProtectedBy::Subtree(dn("ou=admins,dc=example")));
        assert_eq!(protected.by_name(&dn("uid=eva,ou=it,ou=Admins,dc=example")), subtree);
        assert_eq!(protected.by_name(&dn("ou=admins,dc=example")), subtree);
        for free in ["uid=root2,ou=people,dc=example", "ou=people,dc=example", "uid=root,ou=guests,dc=example"] {
            assert_eq!(protected.by_name(&dn(free)), None, "{free}");
        }
        assert!(Protected::default().is_empty() && !protected.is_empty());
    }
}
