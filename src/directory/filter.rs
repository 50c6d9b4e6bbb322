//! Search filters (RFC 4515). The one place that escapes what goes into a filter.

use std::fmt;
use std::fmt::Write as _;

/// A filter as a value; `Display` prints the string form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// All hold; true when empty.
    And(Vec<Self>),
    /// One holds; false when empty.
    Or(Vec<Self>),
    /// Does not hold.
    Not(Box<Self>),
    /// The attribute has a value.
    Present(String),
    /// The attribute has this value.
    Equal(String, Vec<u8>),
    /// A value orders at or after this one.
    GreaterOrEqual(String, Vec<u8>),
    /// A value orders at or before this one.
    LessOrEqual(String, Vec<u8>),
    /// A value begins with, contains in this order, and ends with these.
    Substring {
        /// The attribute.
        attribute: String,
        /// Its beginning.
        initial: Option<Vec<u8>>,
        /// What follows somewhere.
        any: Vec<Vec<u8>>,
        /// Its end.
        last: Option<Vec<u8>>,
    },
    /// The number has every bit of this one; a rule of Active Directory's ([MS-ADTS] section 3.1.1.3.4.4.1).
    HasBits(String, u32),
    /// The name is among the values, or among those of the entries these name, and so on; a rule of Active Directory's
    /// ([MS-ADTS] section 3.1.1.3.4.4.3).
    InChain(String, Vec<u8>),
}

impl Filter {
    /// Every entry.
    pub fn everything() -> Self {
        Self::Present("objectClass".to_owned())
    }

    /// The text form of a list of items, as a matched values control has it (RFC 3876 section 2).
    pub fn list(items: &[Self]) -> String {
        let items: String = items.iter().map(Self::to_string).collect();
        format!("({items})")
    }

    /// No entry.
    pub fn nothing() -> Self {
        Self::Not(Box::new(Self::everything()))
    }

    /// An equality with text.
    pub fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Equal(attribute.to_owned(), value.as_ref().to_vec())
    }

    /// The negation. That of alternatives is put as what none of them may be, which is the same: 389 Directory Server 2.3 finds
    /// nothing where alternatives are negated among others, as in `(|(!(|(a=1)(b=1)))(c=1))`.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::Or(parts) if parts.len() > 1 => Self::And(parts.into_iter().map(Self::negated).collect()),
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of these, flattened.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match <[Self; 1]>::try_from(flat) {
            Ok([one]) => one,
            Err(many) => Self::And(many),
        }
    }

    /// Whether an equality must hold, so that an index can narrow the search to a few entries.
    pub fn is_selective(&self) -> bool {
        match self {
            Self::Equal(attribute, _) => !attribute.eq_ignore_ascii_case("objectClass"),
            Self::And(parts) => parts.iter().any(Self::is_selective),
            Self::Or(parts) => !parts.is_empty() && parts.iter().all(Self::is_selective),
            Self::Not(_)
            | Self::Present(_)
            | Self::GreaterOrEqual(..)
            | Self::LessOrEqual(..)
            | Self::Substring { .. }
            | Self::HasBits(..)
            | Self::InChain(..) => false,
        }
    }
}

/// RFC 4515 section 3: everything but letters, digits and harmless marks goes out as `\XX`.
fn escape(value: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for &byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'_' | b'@' | b',' | b'=' | b':' | b'+' | b'/') {
            f.write_char(char::from(byte))?;
        } else {
            write!(f, "\\{byte:02x}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = |f: &mut fmt::Formatter<'_>, attribute: &str, operator: &str, value: &[u8]| {
            write!(f, "({attribute}{operator}")?;
            escape(value, f)?;
            f.write_char(')')
        };
        match self {
            // Servers differ in whether they take the absolute filters of RFC 4526, so they are spelt out.
            Self::And(parts) if parts.is_empty() => Self::everything().fmt(f),
            Self::Or(parts) if parts.is_empty() => Self::nothing().fmt(f),
            Self::And(parts) | Self::Or(parts) => {
                f.write_str(if matches!(self, Self::And(_)) { "(&" } else { "(|" })?;
                parts.iter().try_for_each(|part| part.fmt(f))?;
                f.write_char(')')
            }
            Self::Not(inner) => write!(f, "(!{inner})"),
            Self::Present(attribute) => write!(f, "({attribute}=*)"),
            Self::Equal(attribute, value) => comparison(f, attribute, "=", value),
            Self::GreaterOrEqual(attribute, value) => comparison(f, attribute, ">=", value),
            Self::LessOrEqual(attribute, value) => comparison(f, attribute, "<=", value),
            Self::HasBits(attribute, bits) => write!(f, "({attribute}:1.2.840.113556.1.4.803:={bits})"),
            Self::InChain(attribute, value) => comparison(f, attribute, ":1.2.840.113556.1.4.1941:=", value),
            Self::Substring { attribute, initial, any, last } => {
                write!(f, "({attribute}=")?;
                escape(initial.as_deref().unwrap_or_default(), f)?;
                f.write_char('*')?;
                for part in any {
                    escape(part, f)?;
                    f.write_char('*')?;
                }
                escape(last.as_deref().unwrap_or_default(), f)?;
                f.write_char(')')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        assert_eq!(Filter::equal("cn", "*)(uid=*").to_string(), "(cn=\\2a\\29\\28uid=\\2a)");
        assert_eq!(Filter::equal("cn", "a\0\\é").to_string(), "(cn=a\\00\\5c\\c3\\a9)");
        let parts = Filter::Substring {
            attribute: "cn".into(),
            initial: Some(b"(".to_vec()),
            any: vec![b"*".to_vec()],
            last: Some(b")".to_vec()),
        };
        assert_eq!(parts.to_string(), "(cn=\\28*\\2a*\\29)");
        let chain = Filter::InChain("member".into(), b"CN=a*,DC=x".to_vec());
        assert_eq!(chain.to_string(), "(member:1.2.840.113556.1.4.1941:=CN=a\\2a,DC=x)");
        assert_eq!(Filter::HasBits("flags".into(), 2).to_string(), "(flags:1.2.840.113556.1.4.803:=2)");
    }

    #[test]
    fn empty_sets_are_spelt_out() {
        assert_eq!(Filter::And(vec![]).to_string(), "(objectClass=*)");
        assert_eq!(Filter::Or(vec![]).to_string(), "(!(objectClass=*))");
        assert_eq!(Filter::all([Filter::equal("a", "b")]).to_string(), "(a=b)");
        assert_eq!(Filter::nothing().negated(), Filter::everything());
    }

    #[test]
    fn an_equality_that_must_hold_makes_a_filter_selective() {
        let uid = || Filter::equal("uid", "a");
        assert!(Filter::all([Filter::equal("objectClass", "person"), uid()]).is_selective());
        assert!(!Filter::equal("objectClass", "person").is_selective());
        assert!(!uid().negated().is_selective());
        assert!(Filter::Or(vec![uid(), uid()]).is_selective());
        assert!(!Filter::Or(vec![uid(), Filter::everything()]).is_selective());
    }
}
