//! Names of attributes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// An attribute description (RFC 4512 section 2.5): a name or an OID, with options. Compared without case.
#[derive(Debug, Clone)]
pub struct AttributeName(Arc<str>);

impl AttributeName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not an attribute description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an LDAP attribute name: it takes letters, digits, `-`, `.` and options after `;`")]
pub struct InvalidAttributeName(String);

impl FromStr for AttributeName {
    type Err = InvalidAttributeName;

    fn from_str(text: &str) -> Result<Self, InvalidAttributeName> {
        let mut parts = text.split(';');
        let base = parts.next().unwrap_or_default();
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let name = word(base) && base.starts_with(|c: char| c.is_ascii_alphabetic());
        let oid = !base.is_empty() && base.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
        if (name || oid) && parts.all(word) { Ok(Self(text.into())) } else { Err(InvalidAttributeName(text.to_owned())) }
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for AttributeName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AttributeName {}

impl PartialEq<str> for AttributeName {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl Hash for AttributeName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_oids_and_options_and_refuses_the_rest() {
        for good in ["cn", "userCertificate;binary", "2.5.4.3", "x-y1"] {
            assert!(good.parse::<AttributeName>().is_ok(), "{good}");
        }
        for bad in ["", "c n", "cn=", "cn)", "1cn", "2..5", "cn;", "cn;a b", "mäil"] {
            assert!(bad.parse::<AttributeName>().is_err(), "{bad}");
        }
        assert_eq!("CN".parse::<AttributeName>().unwrap(), "cn".parse::<AttributeName>().unwrap());
    }
}
