//! From a client's JSON to a canonical resource.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::attr::BoundPath;
use super::error::{ScimError, ScimType};
use super::resource::{Resource, is_unassigned};
use super::schema::{AttrType, Attribute, Mutability, ResourceType, Schema};
use super::tolerance::{Dialect, Tolerance};

impl Resource {
    /// Reads a body (RFC 7644 sections 3.3 and 3.5.1): names in the schema's case, values of the right types. What is read-only
    /// or not known is passed over.
    pub fn accept(body: Value, ty: &ResourceType, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let Value::Object(object) = body else {
            return Err(syntax("the body must be a JSON object with the resource's attributes"));
        };
        let mut resource = Self::new();
        let mut seen: HashSet<String> = HashSet::with_capacity(object.len());
        for (key, value) in object {
            if !seen.insert(key.to_lowercase()) {
                return Err(syntax("an attribute is given twice, differing only in case"));
            }
            if key.eq_ignore_ascii_case("schemas") {
                check_schemas(&value)?;
            } else if let Some(extension) = ty.extension(&key) {
                accept_extension(&mut resource, ty, extension, value, dialect)?;
            } else if let Some(path) = ty.resolve_str(&key).filter(|path| path.sub.is_none()) {
                if path.extension.is_some() && !dialect.accept(Tolerance::FlatExtensionKey) {
                    continue;
                }
                put(&mut resource, &path, value, dialect)?;
            }
        }
        match required(ty).find(|path| resource.attribute(path).is_none()) {
            Some(path) => Err(ScimError::bad_request(
                ScimType::InvalidValue,
                format!("{path} is required; it must not be missing or empty"),
            )),
            None => Ok(resource),
        }
    }
}

fn required(ty: &ResourceType) -> impl Iterator<Item = BoundPath> {
    ty.attributes().filter(|path| path.attribute.required && path.extension.is_none())
}

fn check_schemas(value: &Value) -> Result<(), ScimError> {
    let strings = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    if strings || value.is_null() { Ok(()) } else { Err(syntax("schemas must be a list of URIs")) }
}

fn accept_extension(
    resource: &mut Resource,
    ty: &ResourceType,
    extension: &Schema,
    value: Value,
    dialect: &mut Dialect,
) -> Result<(), ScimError> {
    let object = match value {
        Value::Null => return Ok(()),
        Value::Object(object) => object,
        _ => return Err(wrong_type(&extension.id, "an object with the extension's attributes")),
    };
    for (key, value) in object {
        if let Some(path) = ty.resolve_str(&format!("{}:{key}", extension.id)).filter(|path| path.sub.is_none()) {
            put(resource, &path, value, dialect)?;
        }
    }
    Ok(())
}

fn put(resource: &mut Resource, path: &BoundPath, value: Value, dialect: &mut Dialect) -> Result<(), ScimError> {
    if path.attribute.mutability != Mutability::ReadOnly
        && let Some(value) = accept_value(path, value, dialect)?
    {
        resource.set(path, value);
    }
    Ok(())
}

/// Reads the value of one attribute or sub-attribute; `None` where it is no value (null, empty).
pub fn accept_value(path: &BoundPath, value: Value, dialect: &mut Dialect) -> Result<Option<Value>, ScimError> {
    let attribute = path.leaf();
    let place = path.to_string();
    if path.sub.is_none() && attribute.multi_valued {
        return accept_list(attribute, &place, value, dialect);
    }
    accept_single(attribute, &place, value, dialect)
}

fn accept_list(attribute: &Attribute, place: &str, value: Value, dialect: &mut Dialect) -> Result<Option<Value>, ScimError> {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Ok(None),
        one if dialect.accept(Tolerance::SingleObjectForMultiValued) => vec![one],
        _ => return Err(wrong_type(place, "a list")),
    };
    let mut accepted = Vec::with_capacity(items.len());
    for item in items {
        let item = match item {
            Value::String(text) if attribute.kind == AttrType::Complex && !text.is_empty() => {
                let tolerance =
                    if attribute.name == "roles" { Tolerance::RolesAsStrings } else { Tolerance::StringForComplexItem };
                if attribute.sub("value").is_none() || !dialect.accept(tolerance) {
                    return Err(wrong_type(place, "a list of objects"));
                }
                Value::Object(Map::from_iter([("value".to_owned(), text.into())]))
            }
            other => other,
        };
        let item = if attribute.name == "roles" { role(item, dialect) } else { item };
        accepted.extend(accept_single(attribute, place, item, dialect)?);
    }
    one_primary(&mut accepted, dialect);
    // Of an item that was nothing but primary, nothing may be left.
    accepted.retain(|item| !is_unassigned(item));
    Ok(Some(Value::Array(accepted)).filter(|value| !is_unassigned(value)))
}

/// The role that Entra's `AppRoleAssignmentsComplex` writes as JSON text into `value`; any other as it is.
fn role(mut item: Value, dialect: &mut Dialect) -> Value {
    #[derive(Deserialize)]
    struct Told {
        value: String,
        #[serde(rename = "displayName")]
        display: Option<String>,
    }
    let told = |item: &Value| {
        let text = item.get("value").and_then(Value::as_str).filter(|text| text.trim_start().starts_with('{'));
        text.and_then(|text| serde_json::from_str::<Told>(text).ok())
    };
    // Each is shorter than the one around it.
    while let Some(Told { value, display }) = told(&item)
        && dialect.accept(Tolerance::RolesAsJson)
        && let Some(object) = item.as_object_mut()
    {
        object.insert("value".to_owned(), value.into());
        if let Some(display) = display.filter(|_| !object.contains_key("display")) {
            object.insert("display".to_owned(), display.into());
        }
    }
    item
}

/// RFC 7643 section 2.4 allows one primary item; some clients mark two that hold the same value.
fn one_primary(items: &mut [Value], dialect: &mut Dialect) {
    let is_primary = |item: &Value| item.get("primary").and_then(Value::as_bool) == Some(true);
    if items.iter().filter(|item| is_primary(item)).count() < 2 {
        return;
    }
    dialect.accept(Tolerance::SeveralPrimaries);
    let is_work = |item: &Value| item.get("type").and_then(Value::as_str) == Some("work");
    let keep = items.iter().position(|item| is_primary(item) && is_work(item)).or_else(|| items.iter().position(is_primary));
    for (n, item) in items.iter_mut().enumerate() {
        if Some(n) != keep
            && let Some(object) = item.as_object_mut()
        {
            object.remove("primary");
        }
    }
}

fn accept_single(attribute: &Attribute, place: &str, value: Value, dialect: &mut Dialect) -> Result<Option<Value>, ScimError> {
    if is_unassigned(&value) {
        return Ok(None);
    }
    let accepted = match attribute.kind {
        AttrType::Complex => return accept_object(attribute, place, value, dialect),
        AttrType::String => match value {
            Value::String(text) => canonical(attribute, text),
            _ => return Err(wrong_type(place, "a string")),
        },
        AttrType::Reference => match value {
            Value::String(_) => value,
            _ => return Err(wrong_type(place, "a string with a URI")),
        },
        AttrType::Boolean => match value {
            Value::Bool(_) => value,
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" if dialect.accept(Tolerance::StringBoolean) => Value::Bool(true),
                "false" if dialect.accept(Tolerance::StringBoolean) => Value::Bool(false),
                _ => return Err(wrong_type(place, "true or false")),
            },
            _ => return Err(wrong_type(place, "true or false")),
        },
        AttrType::Integer => match value {
            Value::Number(ref number) if number.is_i64() || number.is_u64() => value,
            _ => return Err(wrong_type(place, "a whole number")),
        },
        AttrType::Decimal => match value {
            Value::Number(_) => value,
            _ => return Err(wrong_type(place, "a number")),
        },
        AttrType::DateTime => match value {
            Value::String(ref text) if text.parse::<Timestamp>().is_ok() => value,
            _ => return Err(wrong_type(place, "a time such as 2026-11-24T13:00:00Z")),
        },
        AttrType::Binary => match value {
            Value::String(ref text) if base64::engine::general_purpose::STANDARD.decode(text).is_ok() => value,
            _ => return Err(wrong_type(place, "a base64 string")),
        },
    };
    Ok(Some(accepted))
}

/// A value in another case than the schema's suggestion becomes the suggestion.
fn canonical(attribute: &Attribute, text: String) -> Value {
    let suggestion = attribute.canonical_values.iter().find(|value| value.eq_ignore_ascii_case(&text));
    suggestion.map_or(Value::String(text), |value| Value::String(value.clone()))
}

fn accept_object(attribute: &Attribute, place: &str, value: Value, dialect: &mut Dialect) -> Result<Option<Value>, ScimError> {
    let object = match value {
        Value::Object(object) => object,
        Value::String(text) if attribute.name == "manager" && dialect.accept(Tolerance::ManagerAsString) => {
            Map::from_iter([("value".to_owned(), text.into())])
        }
        _ => return Err(wrong_type(place, "an object")),
    };
    let mut accepted = Map::new();
    for (key, value) in object {
        let Some(sub) = attribute.sub(&key) else { continue };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = accept_sub(sub, place, value, dialect)? {
            accepted.insert(sub.name.clone(), value);
        }
    }
    Ok(Some(Value::Object(accepted)).filter(|value| !is_unassigned(value)))
}

fn accept_sub(sub: &Arc<Attribute>, place: &str, value: Value, dialect: &mut Dialect) -> Result<Option<Value>, ScimError> {
    // Schemas have one level of sub-attributes, so this goes no deeper.
    let place = format!("{place}.{}", sub.name);
    if sub.multi_valued { accept_list(sub, &place, value, dialect) } else { accept_single(sub, &place, value, dialect) }
}

fn syntax(detail: &str) -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, detail)
}

fn wrong_type(place: &str, expected: &str) -> ScimError {
    ScimError::bad_request(ScimType::InvalidValue, format!("{place} must be {expected}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::SchemaRegistry;

    fn user(body: Value) -> Result<Resource, ScimError> {
        Resource::accept(body, &SchemaRegistry::builtin().user, &mut Dialect::default())
    }

    #[test]
    fn names_types_and_oddities_become_canonical() {
        let accepted = user(json!({
            "schemas": ["urn:other"], "USERNAME": "a@b", "id": "x", "groups": [], "unknown": 1, "nickName": "", "active": "True",
            "emails": { "value": "a@b", "type": "WORK" }, "roles": ["r"], "title": null,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "Department": "R&D", "manager": "m1" },
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter": "7",
        }));
        let expected = json!({
            "userName": "a@b", "active": true, "emails": [{ "value": "a@b", "type": "work" }], "roles": [{ "value": "r" }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
                { "department": "R&D", "manager": { "value": "m1" }, "costCenter": "7" },
        });
        assert_eq!(Value::Object(accepted.unwrap().into_map()), expected);
    }

    #[test]
    fn a_role_is_found_in_json_text() {
        let text = |value: &str| json!({ "id": "1", "value": value, "displayName": "Admins" }).to_string();
        let roles = |items: Value| user(json!({ "userName": "a", "roles": items })).map(|user| user.map()["roles"].clone());
        let admin = json!([{ "value": "Admin", "display": "Admins" }]);
        assert_eq!(roles(json!([{ "value": text("Admin") }])), Ok(admin.clone()));
        assert_eq!(roles(json!([text("Admin")])), Ok(admin.clone()));
        assert_eq!(roles(json!([{ "value": text(&text("Admin")) }])), Ok(admin));
        let own = json!([{ "value": text("Admin"), "display": "x", "primary": true }]);
        assert_eq!(roles(own), Ok(json!([{ "value": "Admin", "display": "x", "primary": true }])));
        for other in ["{", "{}", "{\"value\":7}", "[\"Admin\"]"] {
            assert_eq!(roles(json!([{ "value": other }])), Ok(json!([{ "value": other }])), "{other}");
        }
        let body = json!({ "userName": "a", "roles": [{ "value": text("Admin") }] });
        let strict = Resource::accept(body, &SchemaRegistry::builtin().user, &mut Dialect::strict()).unwrap();
        assert_eq!(strict.map()["roles"], json!([{ "value": text("Admin") }]));
    }

    #[test]
    fn a_second_primary_item_is_not_primary() {
        let both = user(json!({ "userName": "a", "emails": [
            { "value": "a@b", "type": "home", "primary": true }, { "value": "a@b", "type": "work", "primary": true }] }));
        let expected = json!([{ "value": "a@b", "type": "home" }, { "value": "a@b", "type": "work", "primary": true }]);
        assert_eq!(both.unwrap().map()["emails"], expected);
        let nothing_else = user(json!({ "userName": "a", "emails": [{ "primary": true }, { "primary": true }] }));
        assert_eq!(nothing_else.unwrap().map()["emails"], json!([{ "primary": true }]));
    }

    #[test]
    fn refusals_name_the_attribute() {
        for (body, detail) in [
            (json!([]), "the body must be a JSON object with the resource's attributes"),
            (json!({}), "userName is required; it must not be missing or empty"),
            (json!({ "userName": "" }), "userName is required; it must not be missing or empty"),
            (json!({ "userName": 7 }), "userName must be a string"),
            (json!({ "userName": "a", "username": "b" }), "an attribute is given twice, differing only in case"),
            (json!({ "userName": "a", "active": "maybe" }), "active must be true or false"),
            (json!({ "userName": "a", "name": "Ana" }), "name must be an object"),
            (json!({ "userName": "a", "emails": [7] }), "emails must be an object"),
            (json!({ "userName": "a", "emails": [{ "value": {"x": 1} }] }), "emails.value must be a string"),
            (
                json!({ "userName": "a", "x509Certificates": [{ "value": "%" }] }),
                "x509Certificates.value must be a base64 string",
            ),
            (json!({ "userName": "a", "schemas": "x" }), "schemas must be a list of URIs"),
        ] {
            assert_eq!(user(body.clone()).unwrap_err().detail, detail, "{body}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let key = prop_oneof![
                Just("userName".to_owned()),
                Just("emails".to_owned()),
                Just("value".to_owned()),
                Just("name".to_owned()),
                Just("active".to_owned()),
                "\\PC{0,6}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_accepted_is_accepted_as_it_is(body in any_json()) {
            if let Ok(once) = user(body) {
                prop_assert_eq!(user(Value::Object(once.clone().into_map())).unwrap(), once);
            }
        }
    }
}
