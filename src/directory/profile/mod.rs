//! What differs between directories, as data.

mod active_directory;
mod ds389;
mod id;
mod openldap;

pub use self::id::IdForm;
use super::{Capabilities, DirectoryError, Entry, ResultCode, Vendor};

/// One vendor's names for what every directory has, and its habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The vendor's name in messages.
    pub name: &'static str,
    /// The attribute that identifies an entry for ever.
    pub id: &'static str,
    /// How the identifier is written there.
    pub id_form: IdForm,
    /// The attribute that differs after every change.
    pub change_mark: &'static str,
    /// How much of an entry that one tells.
    pub marks: Marks,
    /// When the entry was made.
    pub created: &'static str,
    /// When it was last changed.
    pub modified: &'static str,
    /// The attribute by which an entry can be found by its name in a search over a branch; where there is none that is indexed, it
    /// is found by its RDN.
    pub entry_dn: Option<&'static str>,
    /// How long a name may be.
    pub longest_name: NameLimit,
    /// Where accounts are disabled.
    pub lock: Lock,
    /// What marks managed entries where our object class is not in the schema: attribute and value.
    pub mark: Option<(&'static str, &'static str)>,
    /// The attribute map that fits its classes.
    pub map: MapChoice,
    /// How a member that is already there is refused.
    pub member_present: &'static [ResultCode],
    /// How the removal of a member that is not there is refused.
    pub member_absent: &'static [ResultCode],
    /// A member must exist, its name follows a rename, and it is gone with its entry.
    pub linked_members: bool,
    /// Whether `memberOf` can be searched by.
    pub member_of: MemberOf,
    /// Whether one search follows groups in groups, by the rule of `Filter::InChain`.
    pub chain: bool,
    /// Whether a rename can take the old name away.
    pub old_name: OldName,
    /// How a password is set.
    pub password: PasswordForm,
    /// An account without a password would not be let in, or let in by everybody: it gets one that nobody knows.
    pub needs_password: bool,
    /// Attributes that the directory gives an entry by itself, beside those that its schema says so of.
    pub given: &'static [&'static str],
    /// Entries a search may bring at once; more come page by page (RFC 2696).
    pub page: Option<i32>,
}

/// How much of an entry its change mark tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// What an entry holds changes with it only, and it is the same on every server.
    Everything,
    /// Attributes are made up while an entry is read, or each server has marks of its own.
    Something,
}

/// How long the name of an entry may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameLimit {
    /// Bytes of an entry's own RDN at most, special characters as `\XX`.
    RdnBytes(usize),
    /// Characters of the naming value at most.
    ValueChars(usize),
}

/// Where it is kept that an account is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// An attribute that has this value while the account is disabled, and can be without a value.
    Value {
        /// The attribute.
        attribute: &'static str,
        /// What it holds.
        locked: &'static str,
    },
    /// A bit of a number.
    Bit {
        /// The attribute.
        attribute: &'static str,
        /// The bit, as the number that has it alone.
        bit: u32,
        /// The number of a new account that is not disabled.
        enabled: u32,
    },
}

/// What a rename does with the old name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldName {
    /// It takes it away.
    Goes,
    /// That may be refused by `operationsError`, because of the name's characters. It then goes by a change of its own.
    MayStick,
}

/// How a password is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordForm {
    /// By an operation of its own, for what is written into the attribute is not hashed (RFC 3062).
    Operation,
    /// As the value of an attribute, which the directory hashes.
    Text(&'static str),
    /// The same, in quotes and UTF-16 ([MS-ADTS] section 3.1.1.3.1.5).
    Quoted(&'static str),
}

impl PasswordForm {
    /// The attribute it is written to, which cannot be read.
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Operation => None,
            Self::Text(attribute) | Self::Quoted(attribute) => Some(attribute),
        }
    }

    /// The attribute and its value; `None` where there is an operation for it.
    pub fn value(self, password: &str) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::Operation => None,
            Self::Text(attribute) => Some((attribute, password.as_bytes().to_vec())),
            Self::Quoted(attribute) => {
                let quoted = format!("\"{password}\"");
                Some((attribute, quoted.encode_utf16().flat_map(u16::to_le_bytes).collect()))
            }
        }
    }
}

/// The attribute maps that ship with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapChoice {
    /// `inetOrgPerson` and `groupOfNames`.
    InetOrgPerson,
    /// Active Directory's `user` and `group`.
    ActiveDirectory,
}

/// Where a directory keeps which groups have an entry as a member, if it does.
pub const MEMBER_OF: &str = "memberOf";

/// Whether an entry's groups are kept in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberOf {
    /// They are if the schema has the attribute: it comes with the overlay.
    InSchema,
    /// They always are.
    Always,
    /// The schema has the attribute in any case; only the administrator knows.
    AsConfigured,
}

impl Profile {
    /// The identifier of an entry, which is the resource's `id`.
    pub fn identifier(&self, entry: &Entry) -> Option<uuid::Uuid> {
        entry.values(self.id).first().and_then(|value| self.id_form.read(value))
    }

    /// The attributes by which a search brings all of an entry: not all directories give operational ones for `+`.
    pub fn everything(&self) -> Vec<String> {
        let lock = match self.lock {
            Lock::Value { attribute, .. } | Lock::Bit { attribute, .. } => attribute,
        };
        let names = ["*", "+", lock, self.id, self.change_mark, self.created, self.modified, MEMBER_OF];
        names.map(str::to_owned).to_vec()
    }

    /// The vendor's profile. An unknown vendor is taken for the one with the standards' names.
    pub fn of(capabilities: &Capabilities) -> &'static Self {
        match capabilities.vendor {
            Vendor::OpenLdap | Vendor::Unknown => &openldap::PROFILE,
            Vendor::Ds389 if capabilities.usn => &ds389::WITH_USN,
            Vendor::Ds389 => &ds389::PROFILE,
            Vendor::ActiveDirectory => &active_directory::PROFILE,
        }
    }

    /// The profile of a directory that has not been reached yet.
    pub fn of_unknown() -> &'static Self {
        &openldap::PROFILE
    }

    /// Whether the refusal of a modification may mean that a member to be added is there already.
    pub fn says_present(&self, error: &DirectoryError) -> bool {
        error.code().is_some_and(|code| self.member_present.contains(&code))
    }

    /// Whether the refusal of a modification may mean that a member to be taken away is not there.
    pub fn says_absent(&self, error: &DirectoryError) -> bool {
        error.code().is_some_and(|code| self.member_absent.contains(&code))
    }
}
