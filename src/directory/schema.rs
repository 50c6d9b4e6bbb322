//! The directory's own schema (RFC 4512 section 4.1), as far as a mapping needs it: which attributes and classes exist, how
//! values compare, and whether there may be several.

use std::collections::{HashMap, HashSet};

/// An equality rule (RFC 4517 section 4.2), as far as this program tells them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Equality {
    /// There is none: values can neither be searched for nor taken away one by one.
    #[default]
    None,
    /// Text without its case: caseIgnoreMatch, caseIgnoreIA5Match.
    CaseIgnore,
    /// Text without its case, accents and width: what an attribute has that states no rule, where `Unstated::Loosely` holds. More
    /// texts are alike than for SCIM.
    Folding,
    /// Text with its case: caseExactMatch, caseExactIA5Match.
    CaseExact,
    /// Without case, spaces and hyphens: telephoneNumberMatch.
    Telephone,
    /// Another one.
    Other,
}

impl Equality {
    fn of(rule: &str) -> Self {
        match rule {
            "caseignorematch" | "caseignoreia5match" | "2.5.13.2" | "1.3.6.1.4.1.1466.109.114.2" => Self::CaseIgnore,
            "caseexactmatch" | "caseexactia5match" | "2.5.13.5" | "1.3.6.1.4.1.1466.109.114.1" => Self::CaseExact,
            "telephonenumbermatch" | "2.5.13.20" => Self::Telephone,
            _ => Self::Other,
        }
    }

    /// The equality rule that compares as this substring rule does.
    fn of_substrings(rule: &str) -> Self {
        match rule {
            "caseignoresubstringsmatch" | "caseignoreia5substringsmatch" | "2.5.13.4" | "1.3.6.1.4.1.1466.109.114.3" => {
                Self::CaseIgnore
            }
            "caseexactsubstringsmatch" | "caseexactia5substringsmatch" | "2.5.13.7" => Self::CaseExact,
            "telephonenumbersubstringsmatch" | "2.5.13.21" => Self::Telephone,
            _ => Self::Other,
        }
    }
}

/// How a directory compares values of attributes that state no equality rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unstated {
    /// Not at all (RFC 4512 section 4.1.2).
    #[default]
    Incomparable,
    /// As the syntax suggests.
    BySyntax,
    /// As the syntax suggests; text also without accents and width, so that more is alike than for SCIM.
    Loosely,
}

/// The definitions of a subschema entry, one text each (RFC 4512 section 4.2).
#[derive(Debug, Clone, Default)]
pub struct Definitions<'a> {
    /// `attributeTypes`.
    pub attribute_types: Vec<&'a str>,
    /// `objectClasses`.
    pub object_classes: Vec<&'a str>,
    /// `dITContentRules`: what entries of a class may have beyond it.
    pub content_rules: Vec<&'a str>,
    /// What holds where they are silent.
    pub unstated: Unstated,
}

/// An attribute type with what it inherits filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its definition")]
pub struct AttributeType {
    /// Its first name, which is the one the directory answers with; else its OID.
    pub name: String,
    /// The syntax's OID, without a length bound; empty if it is not known.
    pub syntax: String,
    /// The equality rule.
    pub equality: Equality,
    /// There is a substring rule, and it compares as the equality rule does.
    pub substrings: bool,
    /// At most one value.
    pub single_value: bool,
    /// Kept by the directory for its own purposes; any entry may have it.
    pub operational: bool,
    /// NO-USER-MODIFICATION: only the directory itself gives it values.
    pub read_only: bool,
    /// Entries share its values, which are kept elsewhere (RFC 3671).
    pub collective: bool,
}

impl AttributeType {
    const IA5_STRING: &'static str = "1.3.6.1.4.1.1466.115.121.1.26";
    const BOOLEAN: &'static str = "1.3.6.1.4.1.1466.115.121.1.7";
    /// DN, and Name And Optional UID, of which the UID is not used.
    const NAMES: [&'static str; 2] = ["1.3.6.1.4.1.1466.115.121.1.12", "1.3.6.1.4.1.1466.115.121.1.34"];
    const DIRECTORY_STRING: &'static str = "1.3.6.1.4.1.1466.115.121.1.15";
    const TELEPHONE_NUMBER: &'static str = "1.3.6.1.4.1.1466.115.121.1.50";
    /// [MS-ADTS] section 3.1.1.2.2.2: text without its case, and numbers of 64 bits.
    const TELETEX: &'static str = "1.2.840.113556.1.4.905";
    const LARGE_INTEGER: &'static str = "1.2.840.113556.1.4.906";
    /// Directory String, IA5 String, Printable String, Telephone Number, Numeric String, Country String, Facsimile Telephone
    /// Number, Teletex.
    const TEXTS: [&'static str; 8] = [
        Self::DIRECTORY_STRING,
        Self::IA5_STRING,
        "1.3.6.1.4.1.1466.115.121.1.44",
        Self::TELEPHONE_NUMBER,
        "1.3.6.1.4.1.1466.115.121.1.36",
        "1.3.6.1.4.1.1466.115.121.1.11",
        "1.3.6.1.4.1.1466.115.121.1.22",
        Self::TELETEX,
    ];

    /// How values of a syntax are compared where no rule is stated.
    fn by_syntax(syntax: &str, unstated: Unstated) -> Equality {
        match syntax {
            _ if unstated == Unstated::Incomparable || syntax.is_empty() => Equality::None,
            Self::DIRECTORY_STRING | Self::TELETEX if unstated == Unstated::Loosely => Equality::Folding,
            Self::DIRECTORY_STRING | Self::TELETEX => Equality::CaseIgnore,
            Self::IA5_STRING => Equality::CaseExact,
            Self::TELEPHONE_NUMBER => Equality::Telephone,
            _ => Equality::Other,
        }
    }

    /// Holds ASCII alone.
    pub fn is_ascii(&self) -> bool {
        self.syntax == Self::IA5_STRING
    }

    /// Holds names of entries.
    pub fn is_dn(&self) -> bool {
        Self::NAMES.contains(&self.syntax.as_str())
    }

    /// Holds numbers of 64 bits.
    pub fn is_large_integer(&self) -> bool {
        self.syntax == Self::LARGE_INTEGER
    }

    /// Holds TRUE or FALSE.
    pub fn is_boolean(&self) -> bool {
        self.syntax == Self::BOOLEAN
    }

    /// Holds text, so that every value is UTF-8.
    pub fn is_text(&self) -> bool {
        Self::TEXTS.contains(&self.syntax.as_str())
    }

    /// Whether a value can be one of it, as far as its syntax is known here.
    pub fn is_well_formed(&self, value: &[u8]) -> bool {
        let text = std::str::from_utf8(value);
        match self.syntax.as_str() {
            Self::BOOLEAN => text.is_ok_and(|text| matches!(text, "TRUE" | "FALSE")),
            _ if self.is_ascii() => value.is_ascii(),
            _ if self.is_dn() => text.is_ok_and(|text| text.parse::<super::Dn>().is_ok()),
            _ if self.is_text() => text.is_ok_and(|text| !text.is_empty()),
            _ => true,
        }
    }

    /// Whether the definition was read; otherwise it is assumed.
    pub fn is_known(&self) -> bool {
        !self.syntax.is_empty()
    }
}

/// The schema of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subschema {
    /// By name and OID, in lower case.
    attributes: HashMap<String, AttributeType>,
    /// By name and OID, in lower case.
    classes: HashMap<String, ObjectClass>,
}

/// An object class: what it inherits from, and the attributes it demands and allows, all in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ObjectClass {
    sup: Vec<String>,
    must: Vec<String>,
    may: Vec<String>,
}

/// One definition, before inheritance.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of it")]
struct Definition {
    /// The first name, as it is spelt.
    spelling: String,
    names: Vec<String>,
    sup: Vec<String>,
    equality: Option<String>,
    substr: Option<String>,
    syntax: Option<String>,
    single_value: bool,
    operational: bool,
    read_only: bool,
    collective: bool,
    aux: Vec<String>,
    must: Vec<String>,
    may: Vec<String>,
}

impl Subschema {
    /// Reads definitions. What cannot be read is passed over: it cannot be mapped then.
    pub fn parse(texts: &Definitions<'_>) -> Self {
        let definitions: Vec<Definition> = texts.attribute_types.iter().copied().map(definition).collect();
        let by_name: HashMap<&str, usize> =
            definitions.iter().enumerate().flat_map(|(n, d)| d.names.iter().map(move |name| (name.as_str(), n))).collect();
        let mut attributes = HashMap::new();
        for start in &definitions {
            let (mut equality, mut substr, mut syntax) = (None, None, None);
            let mut next = Some(start);
            // Definitions that inherit from one another in a circle end here too.
            for _ in 0..16 {
                let Some(d) = next else { break };
                equality = equality.or(d.equality.as_deref());
                substr = substr.or(d.substr.as_deref());
                syntax = syntax.or(d.syntax.as_deref());
                next = d.sup.first().and_then(|sup| by_name.get(sup.as_str())).and_then(|n| definitions.get(*n));
            }
            let syntax = syntax.unwrap_or_default();
            let by_syntax = || AttributeType::by_syntax(syntax, texts.unstated);
            let implied = equality.is_none() && !matches!(by_syntax(), Equality::None | Equality::Other);
            let equality = equality.map_or_else(by_syntax, Equality::of);
            let found = AttributeType {
                name: start.spelling.clone(),
                syntax: syntax.to_owned(),
                equality,
                substrings: substr
                    .map_or(implied && equality != Equality::Other, |rule| Equality::of_substrings(rule) == equality),
                single_value: start.single_value,
                operational: start.operational,
                read_only: start.read_only,
                collective: start.collective,
            };
            for name in &start.names {
                attributes.insert(name.clone(), found.clone());
            }
        }
        let mut classes: HashMap<String, ObjectClass> = HashMap::new();
        for Definition { names, sup, must, may, .. } in texts.object_classes.iter().copied().map(definition) {
            let class = ObjectClass { sup, must, may };
            classes.extend(names.into_iter().map(|name| (name, class.clone())));
        }
        for rule in texts.content_rules.iter().copied().map(definition) {
            for name in &rule.names {
                if let Some(class) = classes.get_mut(name) {
                    class.sup.extend(rule.aux.iter().cloned());
                    class.must.extend(rule.must.iter().cloned());
                    class.may.extend(rule.may.iter().cloned());
                }
            }
        }
        Self { attributes, classes }
    }

    /// The attribute type of that name or OID; options after `;` are passed over.
    pub fn attribute(&self, name: &str) -> Option<&AttributeType> {
        let base = name.split(';').next().unwrap_or_default();
        self.attributes.get(&base.to_ascii_lowercase())
    }

    /// Whether there is an object class of that name or OID.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains_key(&name.to_ascii_lowercase())
    }

    /// Whether an entry of these classes may have the attribute. A class that is not known may allow anything.
    pub fn allows<'a>(&self, classes: impl IntoIterator<Item = &'a str>, attribute: &str) -> bool {
        let Some(wanted) = self.attribute(attribute).filter(|wanted| !wanted.operational) else { return true };
        self.chain(classes)
            .any(|class| class.is_none_or(|class| self.names(&class.must, wanted) || self.names(&class.may, wanted)))
    }

    /// Whether an entry of these classes must have the attribute; `None` if one of them is not known.
    pub fn demands<'a>(&self, classes: impl IntoIterator<Item = &'a str>, attribute: &str) -> Option<bool> {
        let wanted = self.attribute(attribute)?;
        let chain: Option<Vec<&ObjectClass>> = self.chain(classes).collect();
        chain.map(|classes| classes.into_iter().any(|class| self.names(&class.must, wanted)))
    }

    /// These classes and those they inherit from; `None` in place of one that is not known, or allows everything.
    fn chain<'a>(&self, classes: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Option<&ObjectClass>> {
        let mut open: Vec<String> = classes.into_iter().map(str::to_ascii_lowercase).collect();
        let mut seen = HashSet::new();
        std::iter::from_fn(move || {
            let name = open.pop()?;
            // RFC 4512 section 4.3: this one allows everything.
            let class = self.classes.get(&name).filter(|_| name != "extensibleobject");
            open.extend(class.into_iter().flat_map(|class| &class.sup).filter(|sup| seen.insert((*sup).clone())).cloned());
            Some(class)
        })
    }

    /// What entries of these classes must have.
    pub fn demanded<'a>(&self, classes: impl IntoIterator<Item = &'a str>) -> Vec<&str> {
        let mut names: Vec<&str> = self.chain(classes).flatten().flat_map(|class| &class.must).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether a class is the other one, or inherits from it.
    pub fn is_kind_of(&self, class: &str, other: &str) -> bool {
        let mut open = vec![class.to_ascii_lowercase()];
        let mut seen = HashSet::new();
        while let Some(name) = open.pop() {
            if name.eq_ignore_ascii_case(other) {
                return true;
            }
            let above = self.classes.get(&name).into_iter().flat_map(|class| &class.sup);
            open.extend(above.filter(|sup| seen.insert((*sup).clone())).cloned());
        }
        false
    }

    fn names(&self, attributes: &[String], wanted: &AttributeType) -> bool {
        attributes.iter().any(|name| self.attribute(name).is_some_and(|named| named.name == wanted.name))
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
        oid.clone_into(&mut found.spelling);
    }
    while let Some(word) = words.next() {
        match word {
            "NAME" => {
                let names = list(&mut words);
                if let Some(first) = names.first() {
                    (*first).clone_into(&mut found.spelling);
                }
                found.names.extend(lower(names));
            }
            "SUP" => found.sup = lower(list(&mut words)),
            "AUX" => found.aux = lower(list(&mut words)),
            "MUST" => found.must = lower(list(&mut words)),
            "MAY" => found.may = lower(list(&mut words)),
            "EQUALITY" => found.equality = words.next().map(str::to_ascii_lowercase),
            "SUBSTR" => found.substr = words.next().map(str::to_ascii_lowercase),
            "SYNTAX" => found.syntax = words.next().map(|syntax| syntax.split('{').next().unwrap_or_default().to_owned()),
            "SINGLE-VALUE" => found.single_value = true,
            "NO-USER-MODIFICATION" => found.read_only = true,
            "COLLECTIVE" => found.collective = true,
            "USAGE" => found.operational = words.next().is_some_and(|usage| !usage.eq_ignore_ascii_case("userApplications")),
            "DESC" | "ORDERING" => {
                words.next();
            }
            _ => {}
        }
    }
    found
}

/// One word, or several in parentheses.
fn list<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    match words.next() {
        Some("(") => words.take_while(|word| *word != ")").filter(|word| *word != "$").collect(),
        one => one.into_iter().collect(),
    }
}

fn lower(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_ascii_lowercase).collect()
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

    fn parse(attribute_types: &[&str], object_classes: &[&str]) -> Subschema {
        let texts = Definitions {
            attribute_types: attribute_types.to_vec(),
            object_classes: object_classes.to_vec(),
            ..Definitions::default()
        };
        Subschema::parse(&texts)
    }

    /// As Active Directory's CN=Aggregate has them.
    #[test]
    fn a_schema_without_rules_is_read_by_its_syntaxes_and_content_rules() {
        let texts = Definitions {
            attribute_types: vec![
                "( 2.5.4.3 NAME 'cn' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
                "( 2.5.4.31 NAME 'member' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )",
                "( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
                "( 1.2.840.113556.1.4.159 NAME 'accountExpires' SYNTAX '1.2.840.113556.1.4.906' SINGLE-VALUE )",
            ],
            object_classes: vec![
                "( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST (groupType ) MAY (member ) )",
                "( 2.5.6.0 NAME 'top' ABSTRACT )",
                "( 1.9 NAME 'securityPrincipal' SUP top AUXILIARY MUST (sAMAccountName ) )",
            ],
            content_rules: vec!["( 1.2.840.113556.1.5.8 NAME 'group' AUX ( securityPrincipal ) MUST (cn ) )"],
            unstated: Unstated::Loosely,
        };
        let schema = Subschema::parse(&texts);
        let cn = schema.attribute("cn").unwrap();
        assert!(cn.equality == Equality::Folding && cn.substrings && cn.single_value && cn.is_text());
        assert!(schema.attribute("member").unwrap().is_dn() && !schema.attribute("member").unwrap().substrings);
        assert!(schema.attribute("accountExpires").unwrap().is_large_integer());
        for (attribute, demanded) in
            [("cn", Some(true)), ("sAMAccountName", Some(true)), ("member", Some(false)), ("unheardOf", None)]
        {
            assert_eq!(schema.demands(["group"], attribute), demanded, "{attribute}");
        }
        assert!(schema.allows(["group"], "member") && !schema.allows(["group"], "accountExpires"));
        let strict = Subschema::parse(&Definitions { unstated: Unstated::Incomparable, ..texts });
        assert_eq!(strict.attribute("cn").unwrap().equality, Equality::None);
    }

    #[test]
    fn reads_definitions_and_what_they_inherit() {
        let classes = ["( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY userPassword )"];
        let schema = parse(&TYPES, &classes);
        let cn = schema.attribute("commonname").unwrap();
        assert_eq!(cn, schema.attribute("2.5.4.3").unwrap());
        assert!(cn.equality == Equality::CaseIgnore && cn.substrings && !cn.single_value && !cn.operational && cn.is_text());
        assert_eq!(cn.name, "cn");
        assert!(schema.attribute("MAIL;x").unwrap().is_ascii());
        let uuid = schema.attribute("entryuuid").unwrap();
        assert!(uuid.single_value && uuid.equality == Equality::Other && !uuid.substrings && uuid.operational);
        assert!(uuid.read_only && !cn.read_only);
        assert!(schema.has_class("Person") && schema.has_class("2.5.6.6") && !schema.has_class("sn"));
        assert!(!schema.attribute("loop").unwrap().is_known());
    }

    #[test]
    fn a_substring_rule_that_compares_otherwise_does_not_count() {
        let odd =
            "( 1.2 NAME 'odd' EQUALITY caseExactMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )";
        let schema = parse(&[odd], &[]);
        assert_eq!(schema.attribute("odd").map(|odd| (odd.equality, odd.substrings)), Some((Equality::CaseExact, false)));
    }

    #[test]
    fn classes_allow_what_they_and_those_above_them_name() {
        let classes = [
            "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
            "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY userPassword )",
            "( 9.1 NAME 'own' SUP ( person $ own ) AUXILIARY MAY ( rfc822Mailbox ) )",
        ];
        let schema = parse(&TYPES, &classes);
        for (class, attribute, allowed) in [
            ("person", "commonName", true),
            ("person", "mail", false),
            ("OWN", "mail", true),
            ("own", "2.5.4.3", true),
            ("top", "cn", false),
            ("top", "entryUUID", true),
            ("extensibleObject", "cn", true),
            ("unheardOf", "cn", true),
        ] {
            assert_eq!(schema.allows([class], attribute), allowed, "{class}: {attribute}");
        }
    }

    #[test]
    fn nonsense_is_passed_over() {
        let schema = parse(&["", "(", "( 1.2 NAME", "'", "( 1.2 NAME ( 'a"], &["("]);
        assert!(schema.attribute("b").is_none());
    }
}
