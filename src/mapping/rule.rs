//! One line of an attribute map.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Number;

use crate::directory::{AttributeType, Dn, Entry, Equality, file_time, from_file_time, generalized_time, instant};
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::text::prepare;
use crate::scim::{AttrType, BoundPath, Budgets, Dialect, ResourceType};

/// How a value looks on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// The same text.
    Text,
    /// A JSON boolean; TRUE or FALSE there.
    Boolean,
    /// A JSON number without a fraction; its digits there.
    Integer,
    /// A JSON number; the same text there.
    Decimal,
    /// An RFC 3339 time; GeneralizedTime there.
    Instant,
    /// An RFC 3339 time; FILETIME there.
    FileTime,
    /// Base64; bytes there.
    Binary,
    /// A resource's id; its entry's name there.
    Reference,
    /// A user's id; what names the user's entry below the base there.
    Login,
}

impl Codec {
    /// Whether it stands for another resource.
    pub(super) fn refers(self) -> bool {
        matches!(self, Self::Reference | Self::Login)
    }
}

/// One value as JSON has it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Boolean(bool),
    Number(Number),
}

impl Scalar<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Boolean(_) | Self::Number(_) => None,
        }
    }
}

/// A SCIM attribute or sub-attribute, and the attribute that holds it.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) path: BoundPath,
    /// Of a multi-valued complex attribute: the `type` of the items kept here.
    pub(super) item: Option<String>,
    /// The attribute's name in the directory.
    pub(super) attribute: String,
    /// Its definition there.
    pub(super) definition: AttributeType,
    pub(super) codec: Codec,
}

/// The left side of a line, resolved.
#[derive(Debug)]
pub(super) struct MapPath {
    pub(super) path: BoundPath,
    pub(super) item: Option<String>,
}

impl MapPath {
    /// Reads `name`, `name.sub` or `name[type eq "x"].sub`, with or without a schema URI.
    pub(super) fn parse(text: &str, ty: &ResourceType) -> Result<Self, String> {
        let unknown = |path: &str| format!("`{path}` is no attribute of the {} schemas", ty.kind.name());
        let (path, item) = match text.split_once('[') {
            None => (ty.resolve_str(text).ok_or_else(|| unknown(text))?, None),
            Some((name, rest)) => {
                let form = || format!("`{text}` is not of the form attribute[type eq \"…\"].sub-attribute");
                let (inner, sub) = rest.split_once("].").ok_or_else(form)?;
                let path = ty.resolve_str(&format!("{name}.{sub}")).ok_or_else(|| unknown(text))?;
                let item = item(inner, &path).ok_or_else(form)?;
                (path, Some(item))
            }
        };
        let elsewhere = match path.attribute.name.as_str() {
            _ if path.extension.is_some() => None,
            "active" => Some("is kept where users.active says"),
            "id" | "meta" | "schemas" => Some("is the gateway's own"),
            "groups" => Some("comes from the members of groups"),
            "password" => Some("is set as users.password says"),
            _ => None,
        };
        if let Some(why) = elsewhere {
            return Err(format!("`{text}` cannot be mapped: it {why}"));
        }
        if path.leaf().kind == AttrType::Complex {
            let subs: Vec<&str> = path.attribute.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
            return Err(format!("`{text}` has parts, name one of them: {}", subs.join(", ")));
        }
        Ok(Self { path, item })
    }
}

/// The type in `type eq "x"`, in the schema's own case where it suggests it.
fn item(condition: &str, path: &BoundPath) -> Option<String> {
    let kind = path.attribute.sub("type").filter(|_| path.attribute.multi_valued)?;
    match Filter::parse(condition, &Budgets::default(), &mut Dialect::default()) {
        Ok(Filter::Compare { path: on, op: CompareOp::Eq, value: Literal::String(item) })
            if on.text.eq_ignore_ascii_case("type") && !item.is_empty() =>
        {
            let canonical = kind.canonical_values.iter().find(|value| value.eq_ignore_ascii_case(&item));
            Some(canonical.cloned().unwrap_or(item))
        }
        _ => None,
    }
}

/// Whether the path is the `value` of a reference to another resource.
pub(super) fn refers(path: &BoundPath) -> bool {
    path.sub_name() == Some("value") && path.attribute.sub("$ref").is_some()
}

impl Rule {
    /// Pairs the two sides; the error says why they do not fit.
    pub(super) fn new(left: MapPath, attribute: String, definition: AttributeType) -> Result<Self, String> {
        let codec = match left.path.leaf().kind {
            _ if refers(&left.path) => {
                if left.path.attribute.name == "members" && definition.is_text() {
                    Codec::Login
                } else if definition.is_known() && !definition.is_dn() {
                    return Err(format!("it refers to other entries, and `{attribute}` does not hold names of entries"));
                } else {
                    Codec::Reference
                }
            }
            _ if definition.is_dn() => {
                return Err(format!("`{attribute}` holds names of entries, which only a reference can be"));
            }
            AttrType::String | AttrType::Reference | AttrType::Complex => Codec::Text,
            AttrType::Boolean => Codec::Boolean,
            AttrType::Integer => Codec::Integer,
            AttrType::Decimal => Codec::Decimal,
            AttrType::DateTime if definition.is_large_integer() => Codec::FileTime,
            AttrType::DateTime => Codec::Instant,
            AttrType::Binary => Codec::Binary,
        };
        Ok(Self { path: left.path, item: left.item, attribute, definition, codec })
    }

    /// Whether many values in the directory are many values in SCIM.
    pub(super) fn is_multi(&self) -> bool {
        self.path.attribute.multi_valued && self.is_value() && !self.definition.single_value
    }

    /// Whether the path is the attribute's `value`, or the attribute itself.
    pub(super) fn is_value(&self) -> bool {
        self.path.sub.as_ref().is_none_or(|sub| sub.name == "value")
    }

    /// Whether it feeds the items of a list of which one is the primary one.
    pub(super) fn has_primary(&self) -> bool {
        self.path.sub.is_some() && self.path.attribute.multi_valued && self.path.attribute.sub("primary").is_some()
    }

    /// Whether SCIM shows every value that the directory holds, not just one of them.
    pub(super) fn shows_all(&self) -> bool {
        self.definition.single_value || self.is_multi()
    }

    /// Two values of one key are the same to the directory: it does not hold both.
    pub(super) fn key(&self, value: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(value).map(str::parse::<Dn>) {
            Ok(Ok(dn)) if self.codec == Codec::Reference => dn.key().as_str().as_bytes().to_vec(),
            _ => key(self.definition.equality, value),
        }
    }

    /// Whether a server can compare the text: of IA5 text with a NUL in it, some see only what is before it.
    pub(super) fn fits(&self, text: &str) -> bool {
        !(self.definition.is_ascii() && text.contains('\0'))
    }

    /// The value that is shown where one is. The one in the entry's own name goes before others: it is the one that names it.
    fn first_stored<'a>(&self, entry: &'a Entry) -> Option<&'a Vec<u8>> {
        let stored = entry.values(&self.attribute);
        let (first, others) = stored.split_first()?;
        let named = entry.dn.rdn().filter(|_| !others.is_empty()).and_then(|rdn| rdn.value(&self.attribute));
        let named = named.map(|named| self.key(named.as_bytes()));
        Some(named.and_then(|named| stored.iter().find(|value| self.key(value) == named)).unwrap_or(first))
    }

    /// That value of an entry, if it fits.
    pub(super) fn first<'a>(&self, entry: &'a Entry) -> Option<Scalar<'a>> {
        self.first_stored(entry).and_then(|value| self.read(value))
    }

    /// Every value that is shown: all where they are values of the attribute, one where they are parts of something.
    pub(super) fn all<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = Scalar<'a>> {
        let one = || self.first_stored(entry).map_or(&[][..], std::slice::from_ref);
        let values = if self.is_value() { entry.values(&self.attribute) } else { one() };
        values.iter().filter_map(|value| self.read(value))
    }

    /// A value of the directory as JSON; `None` if it does not fit. References are not read here.
    fn read<'a>(&self, value: &'a [u8]) -> Option<Scalar<'a>> {
        use base64::Engine as _;
        let text = || std::str::from_utf8(value).ok();
        let own = |text: String| Scalar::Text(Cow::Owned(text));
        match self.codec {
            // Some directories hold empty values, which are none in SCIM.
            Codec::Text => {
                text().filter(|text| !text.is_empty() && self.fits(text)).map(|text| Scalar::Text(Cow::Borrowed(text)))
            }
            Codec::Boolean => text().map(|text| Scalar::Boolean(text.eq_ignore_ascii_case("TRUE"))),
            Codec::Integer => text().and_then(number).filter(|number| !number.is_f64()).map(Scalar::Number),
            Codec::Decimal => text().and_then(number).map(Scalar::Number),
            Codec::Instant => text().and_then(instant).map(|time| own(time.to_string())),
            Codec::FileTime => text().and_then(from_file_time).map(|time| own(time.to_string())),
            Codec::Binary => Some(value)
                .filter(|value| !value.is_empty())
                .map(|value| own(base64::engine::general_purpose::STANDARD.encode(value))),
            Codec::Reference | Codec::Login => None,
        }
    }

    /// A JSON value as the directory holds it; `None` if it does not fit. References are not written here.
    pub(super) fn write(&self, value: &serde_json::Value) -> Option<Vec<u8>> {
        use base64::Engine as _;
        match self.codec {
            Codec::Text => value.as_str().filter(|text| self.fits(text)).map(|text| text.as_bytes().to_vec()),
            Codec::Boolean => value.as_bool().map(|flag| if flag { b"TRUE".to_vec() } else { b"FALSE".to_vec() }),
            Codec::Integer | Codec::Decimal => value.as_number().map(|number| number.to_string().into_bytes()),
            Codec::Instant => {
                let time: Timestamp = value.as_str()?.parse().ok()?;
                generalized_time(time).map(String::into_bytes)
            }
            Codec::FileTime => file_time(value.as_str()?.parse().ok()?).map(String::into_bytes),
            Codec::Binary => base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok(),
            Codec::Reference | Codec::Login => None,
        }
    }
}

fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))
}

/// A value in the form in which an equality rule compares it.
pub(super) fn key(equality: Equality, value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    match equality {
        Equality::CaseIgnore | Equality::Folding => prepare(text, false).into_bytes(),
        Equality::CaseExact => prepare(text, true).into_bytes(),
        Equality::Telephone => text.to_lowercase().replace([' ', '-'], "").into_bytes(),
        Equality::None | Equality::Other => value.to_vec(),
    }
}
