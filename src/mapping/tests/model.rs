//! What a directory does with filters and changes: RFC 4511, as slapd 2.5 does it.

use std::fmt::Write as _;

use crate::directory::{Dn, Entry, Filter, Modification, ModifyOp, Rdn};
use crate::mapping::Change;

/// How an attribute's values are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matching {
    CaseIgnore,
    CaseIgnoreAscii,
    CaseExact,
    Telephone,
    Fax,
    Boolean,
    Integer,
    Time,
    Name,
    Uuid,
    Identifier,
    Stamp,
    Image,
}

const SINGLE: &[&str] =
    &["createtimestamp", "displayname", "preferredlanguage", "employeenumber", "uidnumber", "pwdaccountlockedtime"];

fn matching(attribute: &str) -> Option<Matching> {
    let name = attribute.to_ascii_lowercase();
    Some(match name.as_str() {
        "objectclass" => Matching::Identifier,
        "createtimestamp" | "modifytimestamp" | "pwdaccountlockedtime" => Matching::Time,
        "entryuuid" => Matching::Uuid,
        "entrycsn" => Matching::Stamp,
        "manager" | "member" | "memberof" | "uniquemember" => Matching::Name,
        "mail" => Matching::CaseIgnoreAscii,
        "telephonenumber" | "mobile" | "homephone" | "pager" => Matching::Telephone,
        "facsimiletelephonenumber" => Matching::Fax,
        "labeleduri" | "scimgateexternalid" => Matching::CaseExact,
        "scimgateactive" => Matching::Boolean,
        "uidnumber" => Matching::Integer,
        "jpegphoto" => Matching::Image,
        "uid" | "cn" | "sn" | "givenname" | "title" | "o" | "l" | "st" | "street" | "postalcode" | "description"
        | "displayname" | "employeetype" | "preferredlanguage" | "departmentnumber" | "employeenumber" => Matching::CaseIgnore,
        ours if ours.starts_with("scimgate") => Matching::CaseIgnore,
        _ => return None,
    })
}

fn is_single(attribute: &str) -> bool {
    let name = attribute.to_ascii_lowercase();
    SINGLE.contains(&name.as_str()) || name.starts_with("scimgate")
}

/// Runs of space as one, none around it.
fn folded(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn printable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?$".contains(&b))
}

impl Matching {
    /// The form in which a value is compared; `None` if it does not fit the syntax.
    fn normal(self, value: &[u8]) -> Option<String> {
        if self == Self::Image {
            return Some(format!("{value:x?}"));
        }
        let text = std::str::from_utf8(value).ok()?;
        let filled = || Some(text).filter(|text| !text.is_empty());
        match self {
            Self::CaseIgnore => filled().map(|text| lower(&folded(text))),
            Self::CaseIgnoreAscii => text.is_ascii().then(|| lower(&folded(text))),
            Self::CaseExact => filled().map(folded),
            Self::Telephone => filled().filter(|text| printable(text)).map(|text| lower(text).replace([' ', '-'], "")),
            Self::Fax => filled().filter(|text| printable(text)).map(str::to_owned),
            Self::Boolean => matches!(text, "TRUE" | "FALSE").then(|| text.to_owned()),
            Self::Integer => {
                let canonical = |number: &i64| number.to_string() == text;
                text.parse::<i64>().ok().filter(canonical).map(|number| format!("{:020}", i128::from(number) + (1 << 64)))
            }
            Self::Time => {
                let (whole, fraction) = text.strip_suffix('Z')?.split_once('.').unwrap_or((text.strip_suffix('Z')?, ""));
                let is_time = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
                match whole.len() {
                    12 if is_time && fraction.is_empty() => Some(format!("{whole}00.")),
                    14 if is_time => Some(format!("{whole}.{}", fraction.trim_end_matches('0'))),
                    _ => None,
                }
            }
            Self::Name => text.parse::<Dn>().ok().map(|dn| dn.key().as_str().to_owned()),
            Self::Uuid => (text.len() == 36).then(|| lower(text)),
            Self::Identifier | Self::Stamp | Self::Image => Some(lower(text)),
        }
    }

    fn has_equality(self) -> bool {
        !matches!(self, Self::Fax | Self::Image)
    }

    fn has_ordering(self) -> bool {
        matches!(self, Self::Time | Self::Uuid | Self::Stamp | Self::Integer)
    }
}

fn has_substrings(attribute: &str) -> bool {
    let comparable = matches!(
        matching(attribute),
        Some(Matching::CaseIgnore | Matching::CaseIgnoreAscii | Matching::CaseExact | Matching::Telephone)
    );
    comparable && !attribute.eq_ignore_ascii_case("labeledURI")
}

/// Whether an entry matches a filter; `None` is Undefined.
pub(super) fn evaluate(filter: &Filter, entry: &Entry) -> Option<bool> {
    let all = |parts: &[Filter], neutral: bool| {
        let found: Vec<Option<bool>> = parts.iter().map(|part| evaluate(part, entry)).collect();
        if found.contains(&Some(!neutral)) {
            Some(!neutral)
        } else if found.contains(&None) {
            None
        } else {
            Some(neutral)
        }
    };
    match filter {
        Filter::And(parts) => all(parts, true),
        Filter::Or(parts) => all(parts, false),
        Filter::Not(inner) => evaluate(inner, entry).map(|found| !found),
        Filter::Present(attribute) => matching(attribute).map(|_| !entry.values(attribute).is_empty()),
        Filter::Equal(attribute, value) => {
            let rule = matching(attribute).filter(|rule| rule.has_equality())?;
            let wanted = rule.normal(value)?;
            Some(normals(entry, attribute, rule).any(|value| value == wanted))
        }
        Filter::GreaterOrEqual(attribute, value) | Filter::LessOrEqual(attribute, value) => {
            let rule = matching(attribute).filter(|rule| rule.has_ordering())?;
            let wanted = rule.normal(value)?;
            let greater = matches!(filter, Filter::GreaterOrEqual(..));
            Some(normals(entry, attribute, rule).any(|value| if greater { value >= wanted } else { value <= wanted }))
        }
        Filter::Substring { attribute, initial, any, last } => {
            let rule = matching(attribute).filter(|_| has_substrings(attribute))?;
            let piece = |piece: &Vec<u8>| rule.normal(piece);
            let initial = initial.as_ref().map_or(Some(String::new()), piece)?;
            let last = last.as_ref().map_or(Some(String::new()), piece)?;
            let any: Vec<String> = any.iter().map(piece).collect::<Option<_>>()?;
            Some(normals(entry, attribute, rule).any(|value| has_pieces(&value, &initial, &any, &last)))
        }
        // Rules that OpenLDAP does not have.
        Filter::HasBits(..) | Filter::InChain(..) => None,
    }
}

fn normals(entry: &Entry, attribute: &str, rule: Matching) -> impl Iterator<Item = String> {
    entry.values(attribute).iter().filter_map(move |value| rule.normal(value))
}

fn has_pieces(value: &str, initial: &str, any: &[String], last: &str) -> bool {
    let middle = value.strip_prefix(initial).and_then(|rest| rest.strip_suffix(last));
    let find = |rest: Option<&str>, piece: &String| -> Option<usize> { rest?.find(piece.as_str()).map(|at| at + piece.len()) };
    let mut rest = middle;
    for piece in any {
        rest = find(rest, piece).and_then(|at| rest?.get(at..));
    }
    rest.is_some()
}

/// A refusal's result code.
pub(super) type Refused = u32;

/// Adds an entry.
pub(super) fn add(entry: &Entry) -> Result<Entry, Refused> {
    let mut made = Entry::new(entry.dn.clone());
    for (attribute, values) in entry.attributes() {
        let change = Modification::new(ModifyOp::Replace, attribute, values.to_vec());
        made = modified(&made, &change)?;
    }
    complete(&made).map(|()| made)
}

/// Applies modifications, all or none.
pub(super) fn modify(entry: &Entry, changes: &[Modification]) -> Result<Entry, Refused> {
    let mut entry = entry.clone();
    for change in changes {
        entry = modified(&entry, change)?;
    }
    complete(&entry).map(|()| entry)
}

/// Gives the entry another RDN: the old values leave it, the new ones come in.
pub(super) fn rename(entry: &Entry, rdn: &Rdn) -> Result<Entry, Refused> {
    let old = entry.dn.rdn().ok_or(64u32)?;
    let mut renamed = Entry::new(entry.dn.renamed(rdn.clone()));
    for (attribute, values) in entry.attributes() {
        renamed.push(attribute, values.to_vec());
    }
    for (from, to) in old.avas().iter().zip(rdn.avas()).filter(|(from, to)| from != to) {
        let name = from.attribute.as_str();
        let rule = matching(name).ok_or(17u32)?;
        let (Some(old), Some(new)) = (from.text(), to.text()) else { return Err(64) };
        let (old, new_key) = (rule.normal(old.as_bytes()), rule.normal(new.as_bytes()).ok_or(21u32)?);
        let mut values = renamed.values(name).to_vec();
        values.retain(|value| rule.normal(value) != old);
        if !values.iter().any(|value| rule.normal(value).as_ref() == Some(&new_key)) {
            values.push(new.as_bytes().to_vec());
        }
        renamed = with_values(&renamed, name, values);
    }
    complete(&renamed).map(|()| renamed)
}

/// The entry with other values of one attribute.
fn with_values(entry: &Entry, attribute: &str, values: Vec<Vec<u8>>) -> Entry {
    let mut changed = Entry::new(entry.dn.clone());
    let mut values = Some(values);
    for (name, present) in entry.attributes() {
        let kept = if name.eq_ignore_ascii_case(attribute) { values.take().unwrap_or_default() } else { present.to_vec() };
        if !kept.is_empty() {
            changed.push(name, kept);
        }
    }
    if let Some(values) = values.filter(|values| !values.is_empty()) {
        changed.push(attribute, values);
    }
    changed
}

/// Carries out a change as the service does: the rename first.
pub(super) fn apply(entry: &Entry, change: &Change) -> Result<Entry, Refused> {
    let renamed = match &change.rename {
        Some(rdn) => rename(entry, rdn)?,
        None => entry.clone(),
    };
    if change.modifications.is_empty() { Ok(renamed) } else { modify(&renamed, &change.modifications) }
}

fn modified(entry: &Entry, change: &Modification) -> Result<Entry, Refused> {
    let rule = matching(&change.attribute).ok_or(17u32)?;
    let mut given: Vec<String> = Vec::new();
    for value in &change.values {
        let normal = rule.normal(value).ok_or(21u32)?;
        if given.contains(&normal) {
            return Err(20);
        }
        given.push(normal);
    }
    let mut values = entry.values(&change.attribute).to_vec();
    let holds = |values: &[Vec<u8>], wanted: &String| values.iter().any(|value| rule.normal(value).as_ref() == Some(wanted));
    match change.op {
        ModifyOp::Replace => values = spelt(rule, &change.values),
        ModifyOp::Add if !rule.has_equality() && !values.is_empty() => return Err(18),
        ModifyOp::Add if given.is_empty() => return Err(2),
        ModifyOp::Add if given.iter().any(|value| holds(&values, value)) => return Err(20),
        ModifyOp::Add => values.extend(spelt(rule, &change.values)),
        ModifyOp::Delete if values.is_empty() => return Err(16),
        ModifyOp::Delete if given.is_empty() => values.clear(),
        ModifyOp::Delete if !rule.has_equality() => return Err(18),
        ModifyOp::Delete if !given.iter().all(|value| holds(&values, value)) => return Err(16),
        ModifyOp::Delete => values.retain(|value| rule.normal(value).is_none_or(|value| !given.contains(&value))),
    }
    Ok(with_values(entry, &change.attribute, values))
}

/// Values as they are kept: names of entries in the directory's own spelling, with its escapes.
fn spelt(rule: Matching, values: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let spell = |value: &Vec<u8>| match (rule, std::str::from_utf8(value).map(str::parse::<Dn>)) {
        (Matching::Name, Ok(Ok(dn))) => pretty(&dn).into_bytes(),
        _ => value.clone(),
    };
    values.iter().map(spell).collect()
}

/// slapd escapes by hexadecimal digits where others put a backslash.
pub(super) fn pretty(dn: &Dn) -> String {
    let text = dn.to_string();
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            Some(special) if !special.is_ascii_hexdigit() => write!(out, "\\{:02X}", u32::from(special)).unwrap(),
            Some(digit) => out.extend(['\\', digit]),
            None => out.push(c),
        }
    }
    out
}

/// Whether the entry fits its classes and its name.
fn complete(entry: &Entry) -> Result<(), Refused> {
    for (attribute, values) in entry.attributes() {
        if is_single(attribute) && values.len() > 1 {
            return Err(19);
        }
        if attribute.to_ascii_lowercase().starts_with("scimgate") && !entry.has("objectClass", "scimgateResource") {
            return Err(65);
        }
    }
    for (class, demanded) in [("inetOrgPerson", ["cn", "sn"]), ("groupOfNames", ["cn", "member"])] {
        if entry.has("objectClass", class) && demanded.iter().any(|attribute| entry.values(attribute).is_empty()) {
            return Err(65);
        }
    }
    let Some(rdn) = entry.dn.rdn() else { return Err(64) };
    let asserted = |ava: &crate::directory::Ava| {
        let (Some(rule), Some(text)) = (matching(ava.attribute.as_str()), ava.text()) else { return false };
        let wanted = rule.normal(text.as_bytes());
        entry.values(ava.attribute.as_str()).iter().any(|value| rule.normal(value) == wanted)
    };
    if rdn.avas().iter().all(asserted) { Ok(()) } else { Err(64) }
}
