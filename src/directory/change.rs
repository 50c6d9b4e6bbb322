//! Changes to an entry (RFC 4511 sections 4.6 to 4.9).

use super::{Dn, Entry, Rdn};

/// What a modification does with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModifyOp {
    /// Adds them; each must be new.
    Add,
    /// Takes them away; each must be there. Without values: the whole attribute.
    Delete,
    /// Makes the attribute hold exactly these; without values it is removed if it is there.
    Replace,
}

/// One modification; a list of them is applied whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    /// What to do.
    pub op: ModifyOp,
    /// With which attribute.
    pub attribute: String,
    /// With which values.
    pub values: Vec<Vec<u8>>,
}

impl Modification {
    /// A modification of any kind.
    pub fn new(op: ModifyOp, attribute: &str, values: Vec<Vec<u8>>) -> Self {
        Self { op, attribute: attribute.to_owned(), values }
    }

    /// The changes that turn one set of values into the other: taking away and adding only what differs, so that what another
    /// client adds meanwhile stays.
    pub fn between(attribute: &str, old: &[Vec<u8>], new: &[Vec<u8>]) -> Vec<Self> {
        let missing_from = |all: &[Vec<u8>], these: &[Vec<u8>]| -> Vec<Vec<u8>> {
            let present: std::collections::HashSet<&[u8]> = all.iter().map(Vec::as_slice).collect();
            these.iter().filter(|value| !present.contains(value.as_slice())).cloned().collect()
        };
        let gone = missing_from(new, old);
        let come = missing_from(old, new);
        let mut changes = Vec::new();
        if !gone.is_empty() {
            changes.push(Self::new(ModifyOp::Delete, attribute, gone));
        }
        if !come.is_empty() {
            changes.push(Self::new(ModifyOp::Add, attribute, come));
        }
        changes
    }
}

/// One whole write, as RFC 2849 calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeRecord {
    /// A new entry.
    Add(Entry),
    /// Modifications of one entry, all or none.
    Modify {
        /// The entry.
        dn: Dn,
        /// What is done, in order.
        changes: Vec<Modification>,
    },
    /// Another RDN in the same place.
    Rename {
        /// The entry.
        dn: Dn,
        /// Its new RDN.
        rdn: Rdn,
        /// Whether the old RDN's values stay in the entry.
        keep_old: bool,
    },
    /// The same RDN in another place.
    Move {
        /// The entry.
        dn: Dn,
        /// The entry that it goes below.
        parent: Dn,
    },
    /// An entry no longer.
    Delete(Dn),
}

impl ChangeRecord {
    /// The entry that is changed, by its name before.
    pub fn dn(&self) -> &Dn {
        match self {
            Self::Add(Entry { dn, .. })
            | Self::Modify { dn, .. }
            | Self::Rename { dn, .. }
            | Self::Move { dn, .. }
            | Self::Delete(dn) => dn,
        }
    }

    /// The attributes that get values by it.
    pub fn stored(&self) -> Vec<&str> {
        match self {
            Self::Add(entry) => entry.attributes().map(|(name, _)| name).collect(),
            Self::Modify { changes, .. } => {
                let stores = |change: &&Modification| change.op != ModifyOp::Delete && !change.values.is_empty();
                changes.iter().filter(stores).map(|change| change.attribute.as_str()).collect()
            }
            Self::Rename { rdn, .. } => rdn.avas().iter().map(|ava| ava.attribute.as_str()).collect(),
            Self::Move { .. } | Self::Delete(_) => Vec::new(),
        }
    }

    /// The name it has afterwards, where that is another one.
    pub fn new_name(&self) -> Option<Dn> {
        match self {
            Self::Rename { dn, rdn, .. } => Some(dn.renamed(rdn.clone())),
            Self::Move { dn, parent } => dn.rdn().map(|rdn| parent.child(rdn.clone())),
            Self::Add(_) | Self::Modify { .. } | Self::Delete(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_difference_is_changed() {
        let values = |text: &str| text.split_whitespace().map(|v| v.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(
            Modification::between("mail", &values("a b c"), &values("c d")),
            [Modification::new(ModifyOp::Delete, "mail", values("a b")), Modification::new(ModifyOp::Add, "mail", values("d"))]
        );
        assert_eq!(Modification::between("mail", &values("a"), &values("a")), []);
    }
}
