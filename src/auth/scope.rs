//! What a credential allows.

use std::fmt;
use std::str::FromStr;

/// One permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `users:read`
    UsersRead,
    /// `users:write`; reading included.
    UsersWrite,
    /// `groups:read`
    GroupsRead,
    /// `groups:write`; reading included.
    GroupsWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UsersRead, Self::UsersWrite, Self::GroupsRead, Self::GroupsWrite];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::GroupsRead => "groups:read",
            Self::GroupsWrite => "groups:write",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::UsersRead => 1,
            Self::UsersWrite => 2,
            Self::GroupsRead => 4,
            Self::GroupsWrite => 8,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope; the scopes are users:read, users:write, groups:read and groups:write")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or_else(|| UnknownScope(word.to_owned()))
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Nothing.
    pub fn none() -> Self {
        Self(0)
    }

    /// What either allows.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it allows this; writing allows reading.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

/// As OAuth lists scopes: words between spaces, without those that others include.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let included = |scope: Scope| match scope {
            Scope::UsersRead => self.contains(Scope::UsersWrite),
            Scope::GroupsRead => self.contains(Scope::GroupsWrite),
            Scope::UsersWrite | Scope::GroupsWrite => false,
        };
        let words = Scope::ALL.into_iter().filter(|scope| self.contains(*scope) && !included(*scope));
        f.write_str(&words.map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| {
            set | scope.bit()
                | match scope {
                    Scope::UsersWrite => Scope::UsersRead.bit(),
                    Scope::GroupsWrite => Scope::GroupsRead.bit(),
                    Scope::UsersRead | Scope::GroupsRead => 0,
                }
        }))
    }
}
