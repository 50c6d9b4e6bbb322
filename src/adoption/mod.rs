//! Taking over users that were in the directory before SCIM: a plan first, then one guarded change for each.
//!
//! There is no state beside the directory: who bears the mark is adopted, so a run that was cut off goes on where it ended, and no
//! entry is adopted twice. What undoes an adoption is on the disk before the adoption is made.

mod apply;
mod list;
mod plan;
mod undo;

use std::fmt;
use std::str::FromStr;

pub use self::apply::{Stopped, Tally, apply, protect};
pub use self::list::{InvalidList, Listed};
pub use self::plan::{Candidate, Match, Plan, Problem, Unsettled};
pub use self::undo::UndoFile;

/// `[adoption]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptionConfig {
    /// By what a person is recognised, the most trusted first.
    pub keys: Vec<Key>,
    /// What becomes of those that are recognised.
    pub policy: Policy,
}

impl Default for AdoptionConfig {
    fn default() -> Self {
        Self { keys: vec![Key::UserName, Key::Emails, Key::ExternalId], policy: Policy::Link }
    }
}

/// An attribute by which a person is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// `userName`
    UserName,
    /// `emails.value`
    Emails,
    /// `externalId`
    ExternalId,
}

impl Key {
    /// As SCIM calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::Emails => "emails",
            Self::ExternalId => "externalId",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::UserName, Self::Emails, Self::ExternalId].into_iter().find(|key| key.name() == text);
        found.ok_or_else(|| format!("`{text}` is no key to recognise people by; there are userName, emails and externalId"))
    }
}

/// `adoption.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They are adopted; what is not clear is reported and left alone.
    Link,
    /// They are reported, and nothing is ever written.
    Report,
    /// Nothing is written while anything is not clear.
    Refuse,
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "link" => Ok(Self::Link),
            "report" => Ok(Self::Report),
            "refuse" => Ok(Self::Refuse),
            _ => Err("this must be \"link\", \"report\" or \"refuse\"".to_owned()),
        }
    }
}
