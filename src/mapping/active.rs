//! Where `active` is kept.

use super::rule::key;
use crate::directory::{Entry, Equality, Filter, Modification, ModifyOp};

/// How an account is disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Active {
    /// A password policy's lock: an account is disabled while the attribute has this value. Other values are locks that end by
    /// themselves after too many wrong passwords, and leave the account active.
    Lock {
        /// The attribute.
        attribute: String,
        /// The value that locks for good.
        locked: String,
    },
    /// An attribute of two values; without a value the account is active.
    Flag {
        /// The attribute.
        attribute: String,
        /// How its values are compared.
        equality: Equality,
        /// The value of an active account.
        enabled: String,
        /// The value of a disabled one.
        disabled: String,
    },
    /// The directory has no place for it: every account is active.
    Nowhere,
}

impl Active {
    /// The attribute to read, if there is one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Lock { attribute, .. } | Self::Flag { attribute, .. } => Some(attribute),
            Self::Nowhere => None,
        }
    }

    /// Whether the account is active.
    pub fn read(&self, entry: &Entry) -> bool {
        match self {
            Self::Lock { attribute, locked } => !entry.has(attribute, locked),
            Self::Flag { attribute, equality, disabled, .. } => {
                let disabled = key(*equality, disabled.as_bytes());
                !entry.values(attribute).iter().any(|value| key(*equality, value) == disabled)
            }
            Self::Nowhere => true,
        }
    }

    /// The values of a new entry; an active account needs none.
    pub(super) fn initial(&self, active: bool) -> Option<(&str, &str)> {
        match self {
            Self::Lock { attribute, locked } => (!active).then_some((attribute, locked)),
            Self::Flag { attribute, disabled, .. } => (!active).then_some((attribute, disabled)),
            Self::Nowhere => None,
        }
    }

    /// The change that enables or disables, whatever the state before; `None` if there is no place for it.
    pub(super) fn change(&self, active: bool) -> Option<Modification> {
        let replace = |attribute: &str, value: Option<&str>| {
            let values = value.into_iter().map(|value| value.as_bytes().to_vec()).collect();
            Some(Modification::new(ModifyOp::Replace, attribute, values))
        };
        match self {
            Self::Lock { attribute, locked } => replace(attribute, (!active).then_some(locked)),
            Self::Flag { attribute, enabled, disabled, .. } => replace(attribute, Some(if active { enabled } else { disabled })),
            Self::Nowhere => None,
        }
    }

    /// The entries whose account is active, or is not.
    pub(super) fn filter(&self, active: bool) -> Filter {
        let disabled = match self {
            Self::Lock { attribute, locked: value } | Self::Flag { attribute, disabled: value, .. } => {
                Filter::equal(attribute, value)
            }
            Self::Nowhere => Filter::nothing(),
        };
        if active { disabled.negated() } else { disabled }
    }
}
