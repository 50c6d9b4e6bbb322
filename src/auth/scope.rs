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
    /// `bulk`: several operations in one request, each of which needs its own permission too.
    Bulk,
    /// `admin`: no permission of SCIM's, and part of no other; nothing asks for it yet.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::UsersRead, Self::UsersWrite, Self::GroupsRead, Self::GroupsWrite, Self::Bulk, Self::Admin];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::GroupsRead => "groups:read",
            Self::GroupsWrite => "groups:write",
            Self::Bulk => "bulk",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::UsersRead => 1,
            Self::UsersWrite => 2,
            Self::GroupsRead => 4,
            Self::GroupsWrite => 8,
            Self::Bulk => 16,
            Self::Admin => 32,
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
#[error("`{0}` is not a scope; the scopes are users:read, users:write, groups:read, groups:write, bulk and admin")]
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
    /// Everything that a provisioning client does: all but `admin`, which is given by name only.
    pub fn all() -> Self {
        Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin).collect()
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

    /// What both allow.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// From words between spaces; words that are no scopes allow nothing.
    pub fn of_words(words: &str) -> Self {
        words.split(' ').filter_map(|word| word.parse::<Scope>().ok()).collect()
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
            Scope::UsersWrite | Scope::GroupsWrite | Scope::Bulk | Scope::Admin => false,
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
                    Scope::UsersRead | Scope::GroupsRead | Scope::Bulk | Scope::Admin => 0,
                }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_not_the_administrators() {
        assert!(!Scopes::all().contains(Scope::Admin));
        assert_eq!(Scopes::all().to_string(), "users:write groups:write bulk");
        let words = Scope::ALL.map(Scope::as_str);
        let both: Scopes = words.iter().map(|word| word.parse::<Scope>().unwrap()).collect();
        assert_eq!(both.to_string(), "users:write groups:write bulk admin");
        let named = "everything".parse::<Scope>().unwrap_err().to_string();
        assert!(words.iter().all(|word| named.contains(word)), "{named}");
    }
}
