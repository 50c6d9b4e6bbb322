//! What an entry must have to satisfy a filter, read once for the many entries that it is then held against.

use std::collections::HashSet;

use crate::directory::{AttributeType, Entry, Filter, Subschema};

/// Attributes, each with values of which an entry has one at least if it satisfies the filter.
#[derive(Debug)]
pub(super) struct Sieve<'a>(Vec<(&'a str, &'a AttributeType, HashSet<Vec<u8>>)>);

impl<'a> Sieve<'a> {
    pub(super) fn of(filter: &'a Filter, schema: &'a Subschema) -> Self {
        let mut needed = Vec::new();
        need(filter, schema, &mut needed);
        Self(needed)
    }

    /// Whether the entry may satisfy the filter. `false` is certain.
    pub(super) fn lets_through(&self, entry: &Entry, schema: &Subschema) -> bool {
        let has = |(attribute, definition, wanted): &(&str, &AttributeType, HashSet<Vec<u8>>)| {
            schema.values(entry, attribute).iter().any(|value| wanted.contains(&definition.value_key(value)))
        };
        self.0.iter().all(has)
    }
}

fn need<'a>(filter: &'a Filter, schema: &'a Subschema, into: &mut Vec<(&'a str, &'a AttributeType, HashSet<Vec<u8>>)>) {
    let alternatives = match filter {
        Filter::And(parts) => return parts.iter().for_each(|part| need(part, schema, into)),
        Filter::Or(parts) => parts.as_slice(),
        Filter::Equal(..) => std::slice::from_ref(filter),
        _ => return,
    };
    let equal = |part: &'a Filter| match part {
        Filter::Equal(attribute, wanted) => Some((attribute.as_str(), wanted)),
        _ => None,
    };
    let Some((attribute, _)) = alternatives.first().and_then(equal) else { return };
    // The class of an entry has more names than its values.
    let by_class = ["objectClass", "objectCategory"].iter().any(|name| name.eq_ignore_ascii_case(attribute));
    let Some(definition) = schema.attribute(attribute).filter(|_| !by_class) else { return };
    let same = |part| equal(part).filter(|(other, _)| other.eq_ignore_ascii_case(attribute));
    let wanted: Option<HashSet<Vec<u8>>> =
        alternatives.iter().map(|part| same(part).map(|(_, wanted)| definition.value_key(wanted))).collect();
    into.extend(wanted.map(|wanted| (attribute, definition, wanted)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Definitions;

    #[test]
    fn only_what_cannot_match_is_held_back() {
        let schema = Subschema::parse(&Definitions {
            attribute_types: vec![
                "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
                "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
                "( 2.5.4.4 NAME 'sn' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            ],
            object_classes: vec![
                "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
                "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( cn $ sn ) )",
            ],
            ..Definitions::default()
        });
        let mut ana = Entry::new("cn=Ana,dc=x".parse().unwrap());
        for (name, value) in [("objectClass", "person"), ("cn", "Ana  Ruiz"), ("cn", "Ana"), ("sn", "Ruiz")] {
            ana.push_text(name, value);
        }
        let equal = |name: &str, value: &str| Filter::equal(name, value);
        let any = |names: &[&str]| Filter::Or(names.iter().map(|name| equal("cn", name)).collect());
        for (filter, through) in [
            (equal("commonName", "ANA ruiz"), true),
            (equal("cn", "bob"), false),
            (equal("objectClass", "top"), true),
            (Filter::all([equal("objectClass", "person"), any(&["bob", "ana"])]), true),
            (Filter::all([equal("objectClass", "person"), any(&["bob", "eve"])]), false),
            (Filter::all([equal("sn", "ruiz"), Filter::all([equal("cn", "bob")])]), false),
            (Filter::Or(vec![equal("cn", "bob"), equal("sn", "ruiz")]), true),
            (equal("cn", "bob").negated(), true),
            (Filter::Present("cn".to_owned()), true),
        ] {
            assert_eq!(Sieve::of(&filter, &schema).lets_through(&ana, &schema), through, "{filter}");
            assert_eq!(filter.matches(&ana, &schema), Some(through), "{filter}");
        }
    }
}
