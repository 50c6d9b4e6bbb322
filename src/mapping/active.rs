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
    /// A bit of a number that has others, set while the account is disabled.
    Bit {
        /// The attribute.
        attribute: String,
        /// The bit, as the number that has it alone.
        bit: u32,
        /// The number of a new account that is active.
        enabled: u32,
    },
    /// The directory has no place for it: every account is active.
    Nowhere,
}

impl Active {
    /// The attribute to read, if there is one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Lock { attribute, .. } | Self::Flag { attribute, .. } | Self::Bit { attribute, .. } => Some(attribute),
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
            Self::Bit { attribute, bit, .. } => entry.text(attribute).and_then(number).is_none_or(|flags| flags & bit == 0),
            Self::Nowhere => true,
        }
    }

    /// The value of a new entry, where it needs one.
    pub(super) fn initial(&self, active: bool) -> Option<(&str, String)> {
        match self {
            Self::Lock { attribute, locked } => (!active).then(|| (attribute.as_str(), locked.clone())),
            Self::Flag { attribute, disabled, .. } => (!active).then(|| (attribute.as_str(), disabled.clone())),
            Self::Bit { attribute, bit, enabled } => Some((attribute, if active { *enabled } else { enabled | bit }.to_string())),
            Self::Nowhere => None,
        }
    }

    /// What enables or disables the account of an entry.
    pub fn changes(&self, entry: &Entry, active: bool) -> Vec<Modification> {
        let Self::Bit { attribute, bit, enabled } = self else { return self.change(active).into_iter().collect() };
        let present = entry.text(attribute);
        let old = present.and_then(number).unwrap_or(*enabled);
        let new = if active { old & !bit } else { old | bit };
        // Other bits may change at the same time: this fails then, and is worked out anew.
        Modification::between(
            attribute,
            &present.map(|text| text.as_bytes().to_vec()).into_iter().collect::<Vec<_>>(),
            &[new.to_string().into_bytes()],
        )
    }

    /// The change that enables or disables, whatever the state before; `None` if there is none.
    pub(super) fn change(&self, active: bool) -> Option<Modification> {
        let replace = |attribute: &str, value: Option<&str>| {
            let values = value.into_iter().map(|value| value.as_bytes().to_vec()).collect();
            Some(Modification::new(ModifyOp::Replace, attribute, values))
        };
        match self {
            Self::Lock { attribute, locked } => replace(attribute, (!active).then_some(locked)),
            Self::Flag { attribute, enabled, disabled, .. } => replace(attribute, Some(if active { enabled } else { disabled })),
            Self::Bit { .. } | Self::Nowhere => None,
        }
    }

    /// The entries whose account is active, or is not.
    pub(super) fn filter(&self, active: bool) -> Filter {
        let disabled = match self {
            Self::Lock { attribute, locked: value } | Self::Flag { attribute, disabled: value, .. } => {
                Filter::equal(attribute, value)
            }
            Self::Bit { attribute, bit, .. } => Filter::HasBits(attribute.clone(), *bit),
            Self::Nowhere => Filter::nothing(),
        };
        if active { disabled.negated() } else { disabled }
    }
}

/// A number of 32 bits; some write it with a sign.
fn number(text: &str) -> Option<u32> {
    text.parse::<i64>().ok().and_then(|number| u32::try_from(number.rem_euclid(1 << 32)).ok())
}
