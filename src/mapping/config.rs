//! What the mapping is compiled from.

use super::Role;
use crate::directory::Dn;

/// `[users]`, `[groups]` and `[provisioning]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingConfig {
    /// Where users are and how their attributes are named.
    pub users: ContainerConfig,
    /// The same for groups.
    pub groups: ContainerConfig,
    /// "Sync SCIM groups".
    pub groups_sync: bool,
    /// Groups may be members of groups, and a user's `groups` tell the indirect ones too.
    pub groups_nested: bool,
    /// Whether entries keep their groups in `memberOf`; `None`: as the vendor's profile says.
    pub member_of: Option<bool>,
    /// The DN put into a group that would be empty, for groupOfNames demands a member. The empty DN names nobody.
    pub placeholder: String,
    /// What a userName must look like.
    pub user_name: UserNameRule,
    /// "Provision existing users": entries without the mark are visible, and ours from the first write.
    pub existing_users: bool,
    /// Groups every new user joins.
    pub default_groups: Vec<Dn>,
    /// `[roles]`: what clients call them, and the groups that they are.
    pub roles: Vec<Role>,
    /// What marks an entry as managed through SCIM; `None`: our object class, or else what the vendor's profile says.
    pub mark: Option<Mark>,
    /// Where `active` is kept.
    pub active: ActiveRule,
    /// What becomes of passwords.
    pub passwords: Passwords,
    /// What a DELETE does to users.
    pub on_delete: OnDelete,
}

/// One branch of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerConfig {
    /// New entries are put directly below it; existing ones are found anywhere below.
    pub base: Dn,
    /// Object classes of a new entry; the last one selects existing entries. `None`: as the map file says.
    pub object_classes: Option<Vec<String>>,
    /// The attribute that names an entry. `None`: as the map file says.
    pub rdn: Option<String>,
    /// SCIM path to LDAP attribute, laid over the built-in map; an empty attribute takes a line out.
    pub attributes: Vec<(String, String)>,
}

/// `users.password`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Passwords {
    /// They are passed over.
    #[default]
    Off,
    /// They are set in the directory.
    Store,
}

/// `users.on_delete`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OnDelete {
    /// The entry is removed.
    #[default]
    Delete,
    /// It is disabled and stays where it is, out of sight.
    Disable,
    /// It is disabled and goes to this branch (`users.recycle_base`).
    Recycle(Dn),
}

/// `provisioning.user_name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNameRule {
    /// An email address, as Lightrun demands.
    Email,
    /// Any non-empty string.
    Any,
}

/// An attribute value that only managed entries have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The attribute; `objectClass` by default.
    pub attribute: String,
    /// The value; `scimgateResource` by default.
    pub value: String,
}

impl Mark {
    /// Whether it is the same mark: names of attributes and classes have no case.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.attribute.eq_ignore_ascii_case(&other.attribute) && self.value.eq_ignore_ascii_case(&other.value)
    }
}

/// Where `active` is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveRule {
    /// ppolicy's lock where the directory knows it, else scimgateActive where its schema is loaded, else nowhere.
    Auto,
    /// `pwdAccountLockedTime`.
    Ppolicy,
    /// A configured attribute.
    Attribute {
        /// Its name.
        name: String,
        /// The value of an active account; an entry without a value is active too.
        enabled: String,
        /// The value of a disabled account.
        disabled: String,
    },
}
