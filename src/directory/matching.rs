//! Whether an entry satisfies a filter, and whether two values are one, as the directory would say it (RFC 4511 section 4.5.1.7).

use unicode_normalization::UnicodeNormalization as _;

use super::schema::{AttributeType, Equality, Subschema};
use super::{Dn, Entry, Filter, instant};

const BOOLEAN: &str = "1.3.6.1.4.1.1466.115.121.1.7";
const GENERALIZED_TIME: &str = "1.3.6.1.4.1.1466.115.121.1.24";
const INTEGER: &str = "1.3.6.1.4.1.1466.115.121.1.27";
const OID: &str = "1.3.6.1.4.1.1466.115.121.1.38";
const UUID: &str = "1.3.6.1.1.16.1";

impl AttributeType {
    /// Values of one key are the same value.
    pub fn value_key(&self, value: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
        match self.equality {
            _ if self.is_dn() => text.parse::<Dn>().map_or_else(|_| value.to_vec(), |dn| dn.key().as_str().as_bytes().to_vec()),
            Equality::CaseIgnore | Equality::Folding => prepared(text).to_lowercase().into_bytes(),
            Equality::CaseExact => prepared(text).into_bytes(),
            Equality::Telephone => text.to_lowercase().replace([' ', '-'], "").into_bytes(),
            Equality::None | Equality::Other => match self.syntax.as_str() {
                BOOLEAN | OID | UUID => text.to_ascii_lowercase().into_bytes(),
                GENERALIZED_TIME => instant(text).map_or_else(|| value.to_vec(), |time| time.to_string().into_bytes()),
                _ => value.to_vec(),
            },
        }
    }

    /// A number to be ordered by, where values are numbers or times.
    fn rank(&self, value: &[u8]) -> Option<i128> {
        let text = std::str::from_utf8(value).ok()?;
        match self.syntax.as_str() {
            INTEGER => text.parse().ok(),
            _ if self.is_large_integer() => text.parse().ok(),
            GENERALIZED_TIME => instant(text).map(jiff::Timestamp::as_nanosecond),
            _ => None,
        }
    }

    fn compare(&self, one: &[u8], other: &[u8]) -> std::cmp::Ordering {
        match (self.rank(one), self.rank(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => self.value_key(one).cmp(&self.value_key(other)),
        }
    }
}

/// One spelling of what looks the same, with runs of spaces as one (RFC 4518).
fn prepared(text: &str) -> String {
    let normal: String = text.nfkc().collect();
    normal.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

impl Subschema {
    /// The definition by which values are compared; of an attribute that is not known, bytes are.
    pub(super) fn comparing(&self, attribute: &str) -> AttributeType {
        let known = self.attribute(attribute).cloned();
        known.unwrap_or_else(|| AttributeType { name: attribute.to_owned(), ..AttributeType::default() })
    }

    /// Values of one key are the same value of the attribute.
    pub fn value_key(&self, attribute: &str, value: &[u8]) -> Vec<u8> {
        self.comparing(attribute).value_key(value)
    }

    /// The values of an attribute, by whichever of its names the entry has them.
    pub fn values<'a>(&self, entry: &'a Entry, attribute: &str) -> &'a [Vec<u8>] {
        match (entry.values(attribute), self.attribute(attribute)) {
            ([], Some(known)) => {
                let same = |name: &str| self.attribute(name).is_some_and(|other| other.name == known.name);
                entry.attributes().find(|(name, _)| same(name)).map_or(&[], |(_, values)| values)
            }
            (found, _) => found,
        }
    }
}

impl Filter {
    /// Whether the entry satisfies it. `None`: that is undefined, which finds nothing, and neither does its negation.
    pub fn matches(&self, entry: &Entry, schema: &Subschema) -> Option<bool> {
        let values = |attribute: &str| schema.values(entry, attribute);
        // What the schema does not have, an entry cannot have, and nothing is said of it.
        let known = |attribute: &str| schema.is_empty() || schema.attribute(attribute).is_some() || !values(attribute).is_empty();
        let any = |attribute: &str, test: &dyn Fn(&AttributeType, &[u8]) -> bool| {
            let definition = schema.comparing(attribute);
            known(attribute).then(|| values(attribute).iter().any(|value| test(&definition, value)))
        };
        match self {
            Self::And(parts) => three_valued(parts.iter().map(|part| part.matches(entry, schema)), false),
            Self::Or(parts) => three_valued(parts.iter().map(|part| part.matches(entry, schema)), true),
            Self::Not(inner) => inner.matches(entry, schema).map(|held| !held),
            Self::Present(attribute) => Some(!values(attribute).is_empty()),
            Self::Equal(attribute, wanted) if attribute.eq_ignore_ascii_case("objectClass") => {
                let wanted = std::str::from_utf8(wanted).ok()?;
                Some(entry.texts(attribute).any(|class| schema.is_kind_of(class, wanted)))
            }
            // Active Directory takes the name of a class for that of its definition.
            Self::Equal(attribute, wanted) if attribute.eq_ignore_ascii_case("objectCategory") => {
                let wanted = std::str::from_utf8(wanted).ok()?;
                let named = |text: &str| {
                    let dn = text.parse::<Dn>().ok();
                    dn.and_then(|dn| dn.rdn().and_then(|rdn| rdn.value("cn").map(str::to_owned)))
                };
                let is = |text: &str| {
                    text.eq_ignore_ascii_case(wanted) || named(text).is_some_and(|name| name.eq_ignore_ascii_case(wanted))
                };
                Some(entry.texts(attribute).any(is))
            }
            Self::Equal(attribute, wanted) => {
                any(attribute, &|definition, value| definition.value_key(value) == definition.value_key(wanted))
            }
            Self::GreaterOrEqual(attribute, bound) => {
                any(attribute, &|definition, value| definition.compare(value, bound).is_ge())
            }
            Self::LessOrEqual(attribute, bound) => any(attribute, &|definition, value| definition.compare(value, bound).is_le()),
            Self::Substring { attribute, initial, any: middle, last } => any(attribute, &|definition, value| {
                let key = |part: &[u8]| definition.substring_key(part);
                let (initial, last) = (initial.as_deref().map(key), last.as_deref().map(key));
                let middle: Vec<Vec<u8>> = middle.iter().map(|part| key(part)).collect();
                contains(&key(value), initial.as_deref(), &middle, last.as_deref())
            }),
            Self::HasBits(attribute, bits) => any(attribute, &|_, value| {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
                number.is_some_and(|number| number & i64::from(*bits) == i64::from(*bits))
            }),
            // What is named by what is named is not in the entry: the entry itself says who is named directly.
            Self::InChain(attribute, wanted) => Self::Equal(attribute.clone(), wanted.clone()).matches(entry, schema),
        }
    }
}

impl AttributeType {
    /// The same for a part of a value, whose outer spaces count.
    fn substring_key(&self, part: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(part) else { return part.to_vec() };
        match self.equality {
            Equality::CaseIgnore | Equality::Folding => text.nfkc().collect::<String>().to_lowercase().into_bytes(),
            Equality::CaseExact => text.nfkc().collect::<String>().into_bytes(),
            Equality::Telephone => text.to_lowercase().replace([' ', '-'], "").into_bytes(),
            Equality::None | Equality::Other => part.to_vec(),
        }
    }
}

/// Whether the parts stand in the value in their order, without one in another.
fn contains(value: &[u8], initial: Option<&[u8]>, middle: &[Vec<u8>], last: Option<&[u8]>) -> bool {
    let rest = match initial {
        Some(initial) => value.strip_prefix(initial),
        None => Some(value),
    };
    let rest = match (last, rest) {
        (Some(last), Some(rest)) => rest.strip_suffix(last),
        (_, rest) => rest,
    };
    let Some(mut rest) = rest else { return false };
    for part in middle.iter().filter(|part| !part.is_empty()) {
        let Some(at) = rest.windows(part.len()).position(|window| window == part.as_slice()) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

/// `decisive` decides alone; without it, what is undefined leaves the whole undefined.
fn three_valued(parts: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut whole = Some(!decisive);
    for part in parts {
        match part {
            Some(held) if held == decisive => return Some(decisive),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::super::Definitions;
    use super::*;

    fn schema() -> Subschema {
        Subschema::parse(&Definitions {
            attribute_types: vec![
                "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
                "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
                "( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
                "( 9.1 NAME 'age' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )",
                "( 9.2 NAME 'code' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            ],
            object_classes: vec![
                "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
                "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST cn )",
                "( 2.5.6.7 NAME 'ours' SUP person STRUCTURAL )",
            ],
            ..Definitions::default()
        })
    }

    fn entry() -> Entry {
        let mut entry = Entry::new("cn=Ana,dc=x".parse().unwrap());
        for (name, value) in
            [("objectClass", "ours"), ("cn", "Ana  Ruiz"), ("member", "CN=bob, dc=x"), ("age", "9"), ("code", "Abc")]
        {
            entry.push_text(name, value);
        }
        entry
    }

    #[test]
    fn values_are_compared_by_their_rules() {
        let (schema, entry) = (schema(), entry());
        let substring = |initial: Option<&str>, any: &[&str], last: Option<&str>| Filter::Substring {
            attribute: "cn".into(),
            initial: initial.map(|text| text.as_bytes().to_vec()),
            any: any.iter().map(|text| text.as_bytes().to_vec()).collect(),
            last: last.map(|text| text.as_bytes().to_vec()),
        };
        for (filter, expected) in [
            (Filter::equal("commonName", " ana ruiz"), Some(true)),
            (Filter::equal("code", "abc"), Some(false)),
            (Filter::equal("member", "cn=Bob,DC=x"), Some(true)),
            (Filter::equal("objectClass", "PERSON"), Some(true)),
            (Filter::equal("objectClass", "device"), Some(false)),
            // As text it would be the other way round.
            (Filter::LessOrEqual("age".into(), b"10".to_vec()), Some(true)),
            (Filter::GreaterOrEqual("age".into(), b"10".to_vec()), Some(false)),
            (Filter::HasBits("age".into(), 8), Some(true)),
            (Filter::HasBits("age".into(), 2), Some(false)),
            (substring(Some("AN"), &[], Some("uiz")), Some(true)),
            (substring(None, &["a", "r"], None), Some(true)),
            (substring(None, &["r", "ana"], None), Some(false)),
            (substring(Some("ana"), &[], Some("ana  ruiz")), Some(false)),
        ] {
            assert_eq!(filter.matches(&entry, &schema), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_undefined_is_neither_found_nor_is_its_opposite() {
        let (schema, entry) = (schema(), entry());
        let unknown = || Filter::equal("unheardOf", "x");
        assert_eq!(unknown().matches(&entry, &schema), None);
        assert_eq!(unknown().negated().matches(&entry, &schema), None);
        assert_eq!(Filter::Or(vec![unknown(), Filter::everything()]).matches(&entry, &schema), Some(true));
        assert_eq!(Filter::And(vec![unknown(), Filter::nothing()]).matches(&entry, &schema), Some(false));
        assert_eq!(Filter::And(vec![]).matches(&entry, &schema), Some(true));
        assert_eq!(Filter::Or(vec![]).matches(&entry, &schema), Some(false));
    }
}
