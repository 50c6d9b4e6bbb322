//! What differs between directories, as data.

mod openldap;

use super::Vendor;

/// One vendor's names for what every directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The vendor's name in messages.
    pub name: &'static str,
    /// The attribute that identifies an entry for ever.
    pub id: &'static str,
    /// The attribute that differs after every change.
    pub change_mark: &'static str,
    /// When the entry was made.
    pub created: &'static str,
    /// When it was last changed.
    pub modified: &'static str,
    /// The attribute by which an entry can be found by its name in a search over a branch.
    pub entry_dn: &'static str,
    /// Bytes of an entry's own RDN at most, special characters as `\XX`.
    pub longest_rdn: usize,
    /// The password policy's lock and the value that locks for good.
    pub lock: (&'static str, &'static str),
}

impl Profile {
    /// The vendor's profile. An unknown vendor is taken for the one with the standards' names.
    pub fn of(vendor: Vendor) -> &'static Self {
        match vendor {
            Vendor::OpenLdap | Vendor::Unknown => &openldap::PROFILE,
        }
    }
}
