//! One line of an attribute map.

use std::str::FromStr;

use jiff::Timestamp;

use crate::directory::{AttributeType, generalized_time, instant};
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::{AttrType, BoundPath, Budgets, Dialect, ResourceType};

/// How a value looks on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// The same text.
    Text,
    /// A JSON boolean; TRUE or FALSE there.
    Boolean,
    /// A JSON number; its digits there.
    Integer,
    /// An RFC 3339 time; GeneralizedTime there.
    Instant,
    /// Base64; bytes there.
    Binary,
    /// A resource's id; its entry's name there.
    Reference,
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
        let Some((name, rest)) = text.split_once('[') else {
            return ty.resolve_str(text).map(|path| Self { path, item: None }).ok_or_else(|| unknown(text));
        };
        let form = || format!("`{text}` is not of the form attribute[type eq \"…\"].sub-attribute");
        let (inner, sub) = rest.split_once("].").ok_or_else(form)?;
        let path = ty.resolve_str(&format!("{name}.{sub}")).ok_or_else(|| unknown(text))?;
        let mut dialect = Dialect::default();
        match Filter::parse(inner, &Budgets::default(), &mut dialect) {
            Ok(Filter::Compare { path: on, op: CompareOp::Eq, value: Literal::String(item) })
                if on.text.eq_ignore_ascii_case("type") && path.attribute.multi_valued =>
            {
                Ok(Self { path, item: Some(item) })
            }
            _ => Err(form()),
        }
    }
}

impl Rule {
    pub(super) fn new(left: MapPath, attribute: String, definition: AttributeType) -> Self {
        let codec = match left.path.leaf().kind {
            _ if definition.is_dn() => Codec::Reference,
            AttrType::String | AttrType::Reference | AttrType::Decimal | AttrType::Complex => Codec::Text,
            AttrType::Boolean => Codec::Boolean,
            AttrType::Integer => Codec::Integer,
            AttrType::DateTime => Codec::Instant,
            AttrType::Binary => Codec::Binary,
        };
        Self { path: left.path, item: left.item, attribute, definition, codec }
    }

    /// Whether many values in the directory are many values in SCIM.
    pub(super) fn is_multi(&self) -> bool {
        self.path.attribute.multi_valued && !self.definition.single_value
    }

    /// Whether the path is the attribute's `value`, or the attribute itself.
    pub(super) fn is_value(&self) -> bool {
        self.path.sub.as_ref().is_none_or(|sub| sub.name == "value")
    }

    /// A value of the directory as JSON; `None` if it does not fit. References are not read here.
    pub(super) fn read(&self, value: &[u8]) -> Option<serde_json::Value> {
        use base64::Engine as _;
        let text = || std::str::from_utf8(value).ok();
        match self.codec {
            Codec::Text => text().map(Into::into),
            Codec::Boolean => text().map(|text| text.eq_ignore_ascii_case("TRUE").into()),
            Codec::Integer => text().and_then(|text| i64::from_str(text).ok()).map(Into::into),
            Codec::Instant => text().and_then(instant).map(|time| time.to_string().into()),
            Codec::Binary => Some(base64::engine::general_purpose::STANDARD.encode(value).into()),
            Codec::Reference => None,
        }
    }

    /// A JSON value as the directory holds it; `None` if it does not fit. References are not written here.
    pub(super) fn write(&self, value: &serde_json::Value) -> Option<Vec<u8>> {
        use base64::Engine as _;
        match self.codec {
            Codec::Text => match value {
                serde_json::Value::String(text) => Some(text.as_bytes().to_vec()),
                serde_json::Value::Number(number) => Some(number.to_string().into_bytes()),
                _ => None,
            },
            Codec::Boolean => value.as_bool().map(|flag| if flag { b"TRUE".to_vec() } else { b"FALSE".to_vec() }),
            Codec::Integer => value.as_i64().map(|number| number.to_string().into_bytes()),
            Codec::Instant => {
                let time: Timestamp = value.as_str()?.parse().ok()?;
                Some(generalized_time(time).into_bytes())
            }
            Codec::Binary => base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok(),
            Codec::Reference => None,
        }
    }
}
