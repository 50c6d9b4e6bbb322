//! The directory's own schema (RFC 4512 section 4.1), as far as a mapping needs it: which attributes and classes exist, how
//! values compare, and whether there may be several.

use std::collections::{HashMap, HashSet};

/// An attribute type with what it inherits filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of one definition")]
pub struct AttributeType {
    /// The syntax's OID, without a length bound.
    pub syntax: String,
    /// There is an equality rule.
    pub equality: bool,
    /// The equality rule minds case.
    pub case_exact: bool,
    /// There is an ordering rule.
    pub ordering: bool,
    /// There is a substring rule.
    pub substrings: bool,
    /// At most one value.
    pub single_value: bool,
}

impl AttributeType {
    const IA5_STRING: &'static str = "1.3.6.1.4.1.1466.115.121.1.26";
    const DN: &'static str = "1.3.6.1.4.1.1466.115.121.1.12";
    const BOOLEAN: &'static str = "1.3.6.1.4.1.1466.115.121.1.7";
    const TELEPHONE_NUMBER: &'static str = "1.3.6.1.4.1.1466.115.121.1.50";

    /// Holds ASCII alone.
    pub fn is_ascii(&self) -> bool {
        self.syntax == Self::IA5_STRING
    }

    /// Holds names of entries.
    pub fn is_dn(&self) -> bool {
        self.syntax == Self::DN
    }

    /// Holds TRUE or FALSE.
    pub fn is_boolean(&self) -> bool {
        self.syntax == Self::BOOLEAN
    }

    /// Compares without spaces and hyphens, so that equality there is wider than SCIM's.
    pub fn is_telephone_number(&self) -> bool {
        self.syntax == Self::TELEPHONE_NUMBER
    }
}

/// The schema of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subschema {
    /// By name and OID, in lower case.
    attributes: HashMap<String, AttributeType>,
    /// Names and OIDs in lower case.
    classes: HashSet<String>,
}

/// One definition, before inheritance.
#[derive(Debug, Default)]
struct Definition {
    names: Vec<String>,
    sup: Option<String>,
    equality: Option<String>,
    ordering: Option<String>,
    substr: Option<String>,
    syntax: Option<String>,
    single_value: bool,
}

impl Subschema {
    /// Reads the values of `attributeTypes` and `objectClasses`. What cannot be read is passed over: it cannot be mapped then.
    pub fn parse<'a>(attribute_types: impl Iterator<Item = &'a str>, object_classes: impl Iterator<Item = &'a str>) -> Self {
        let definitions: Vec<Definition> = attribute_types.map(definition).collect();
        let by_name: HashMap<&str, usize> =
            definitions.iter().enumerate().flat_map(|(n, d)| d.names.iter().map(move |name| (name.as_str(), n))).collect();
        let mut attributes = HashMap::new();
        for start in &definitions {
            let mut found = AttributeType { single_value: start.single_value, ..AttributeType::default() };
            let (mut equality, mut ordering, mut substr, mut syntax) = (None, None, None, None);
            let mut next = Some(start);
            // Definitions that inherit from one another in a circle end here too.
            for _ in 0..16 {
                let Some(d) = next else { break };
                equality = equality.or(d.equality.as_deref());
                ordering = ordering.or(d.ordering.as_deref());
                substr = substr.or(d.substr.as_deref());
                syntax = syntax.or(d.syntax.as_deref());
                next = d.sup.as_deref().and_then(|sup| by_name.get(sup)).and_then(|n| definitions.get(*n));
            }
            found.equality = equality.is_some();
            found.case_exact = equality.is_some_and(|rule| rule.starts_with("caseexact") || rule.starts_with("octetstring"));
            found.ordering = ordering.is_some();
            found.substrings = substr.is_some();
            syntax.unwrap_or_default().clone_into(&mut found.syntax);
            for name in &start.names {
                attributes.insert(name.clone(), found.clone());
            }
        }
        let classes = object_classes.flat_map(|text| definition(text).names).collect();
        Self { attributes, classes }
    }

    /// The attribute type of that name or OID; options after `;` are passed over.
    pub fn attribute(&self, name: &str) -> Option<&AttributeType> {
        let base = name.split(';').next().unwrap_or_default();
        self.attributes.get(&base.to_ascii_lowercase())
    }

    /// Whether there is an object class of that name or OID.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains(&name.to_ascii_lowercase())
    }

    /// Whether nothing was read: the schema is hidden from this account.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }
}

/// Splits a description into words and quoted strings; parentheses stand alone.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let (token, after) = match first {
            '(' | ')' | '$' => rest.split_at_checked(1)?,
            '\'' => {
                let inner = rest.get(1..)?;
                let end = inner.find('\'').unwrap_or(inner.len());
                let token = inner.get(..end)?;
                (token, inner.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'')).unwrap_or(rest.len());
                rest.split_at_checked(end)?
            }
        };
        rest = after;
        Some(token)
    })
}

fn definition(text: &str) -> Definition {
    let mut found = Definition::default();
    let mut words = tokens(text).skip_while(|word| *word == "(");
    if let Some(oid) = words.next() {
        found.names.push(oid.to_ascii_lowercase());
    }
    while let Some(word) = words.next() {
        let mut value = || words.next().map(str::to_ascii_lowercase);
        match word {
            "NAME" => match value() {
                Some(open) if open == "(" => {
                    found.names.extend(words.by_ref().take_while(|word| *word != ")").map(str::to_ascii_lowercase));
                }
                Some(name) => found.names.push(name),
                None => {}
            },
            "SUP" => found.sup = value(),
            "EQUALITY" => found.equality = value(),
            "ORDERING" => found.ordering = value(),
            "SUBSTR" => found.substr = value(),
            "SYNTAX" => found.syntax = value().map(|syntax| syntax.split('{').next().unwrap_or_default().to_owned()),
            "SINGLE-VALUE" => found.single_value = true,
            "DESC" => {
                value();
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [&str; 5] = [
        "( 2.5.4.41 NAME 'name' DESC 'RFC4519: SUP of (many) types' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch \
         SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
        "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) EQUALITY caseIgnoreIA5Match SUBSTR \
         caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{256} )",
        "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch ORDERING UUIDOrderingMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE \
         NO-USER-MODIFICATION USAGE directoryOperation )",
        "( 9.9 NAME 'loop' SUP loop )",
    ];

    #[test]
    fn reads_definitions_and_what_they_inherit() {
        let classes = ["( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY userPassword )"];
        let schema = Subschema::parse(TYPES.into_iter(), classes.into_iter());
        let cn = schema.attribute("commonname").unwrap();
        assert_eq!(cn, schema.attribute("2.5.4.3").unwrap());
        assert!(cn.equality && cn.substrings && !cn.ordering && !cn.case_exact && !cn.single_value);
        assert!(schema.attribute("MAIL;x").unwrap().is_ascii());
        let uuid = schema.attribute("entryuuid").unwrap();
        assert!(uuid.single_value && uuid.ordering);
        assert!(schema.has_class("Person") && schema.has_class("2.5.6.6") && !schema.has_class("sn"));
        assert!(schema.attribute("loop").is_some());
    }

    #[test]
    fn nonsense_is_passed_over() {
        let schema = Subschema::parse(["", "(", "( 1.2 NAME", "'", "( 1.2 NAME ( 'a"].into_iter(), ["("].into_iter());
        assert!(schema.attribute("b").is_none());
    }
}
