//! References between the operations of a request (RFC 7644 section 3.7.2): `bulkId:` and a bulkId, where an id would stand.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use crate::scim::filter::string_length;

/// The bulkId a text refers to.
pub(super) fn bulk_id(text: &str) -> Option<&str> {
    text.strip_prefix("bulkId:")
}

/// Every string of an operation's data that may be an id: values, and in the paths of a PATCH the literals of their filters.
pub(super) fn strings(data: &Value, is_patch: bool) -> Vec<Cow<'_, str>> {
    let mut found = Vec::new();
    match data {
        Value::Object(body) if is_patch => {
            for (key, value) in body {
                if !key.eq_ignore_ascii_case("Operations") {
                    collect(value, &mut found);
                }
            }
            for (key, value) in patch_operations(data).flatten() {
                match value {
                    Value::String(path) if key.eq_ignore_ascii_case("path") => {
                        found.extend(literals(path).into_iter().map(|(_, text)| Cow::Owned(text)));
                    }
                    value => collect(value, &mut found),
                }
            }
        }
        data => collect(data, &mut found),
    }
    found
}

fn collect<'a>(value: &'a Value, found: &mut Vec<Cow<'a, str>>) {
    match value {
        Value::String(text) => found.push(Cow::Borrowed(text)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The operations in the data of a PATCH, as far as they are objects.
pub(super) fn patch_operations(data: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let body = data.as_object().into_iter().flatten();
    let lists = body.filter(|(key, _)| key.eq_ignore_ascii_case("Operations")).map(|(_, value)| value);
    lists.flat_map(|list| list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice)).filter_map(Value::as_object)
}

/// The data with ids in place of the references. A reference without an id is left out, with the item of a list or the complex
/// value that consists in it; only the data of a creation in a circle has such.
pub(super) fn resolved<'a>(data: Value, is_patch: bool, id_of: &impl Fn(&str) -> Option<&'a str>) -> Value {
    match data {
        Value::Object(body) if is_patch => {
            let resolve = |(key, value): (String, Value)| {
                let value =
                    if key.eq_ignore_ascii_case("Operations") { in_operations(value, id_of) } else { in_value(value, id_of) };
                Some((key, value?))
            };
            Value::Object(body.into_iter().filter_map(resolve).collect())
        }
        data => in_value(data, id_of).unwrap_or_else(|| Value::Object(Map::new())),
    }
}

fn in_operations<'a>(value: Value, id_of: &impl Fn(&str) -> Option<&'a str>) -> Option<Value> {
    match value {
        Value::Array(operations) => Some(operations.into_iter().filter_map(|one| in_operations(one, id_of)).collect()),
        Value::Object(operation) => {
            let resolve = |(key, value): (String, Value)| match value {
                Value::String(path) if key.eq_ignore_ascii_case("path") => Some((key, in_path(&path, id_of).into())),
                value => in_value(value, id_of).map(|value| (key, value)),
            };
            Some(Value::Object(operation.into_iter().filter_map(resolve).collect()))
        }
        other => in_value(other, id_of),
    }
}

fn in_value<'a>(value: Value, id_of: &impl Fn(&str) -> Option<&'a str>) -> Option<Value> {
    match value {
        Value::String(text) => match bulk_id(&text) {
            Some(id) => id_of(id).map(Into::into),
            None => Some(text.into()),
        },
        Value::Array(items) => {
            let before = items.len();
            let left: Vec<Value> = items.into_iter().filter_map(|item| in_value(item, id_of)).collect();
            (before == 0 || !left.is_empty()).then(|| left.into())
        }
        Value::Object(object) => {
            let before = object.len();
            let mut left = Map::new();
            for (key, value) in object {
                match in_value(value, id_of) {
                    Some(value) => {
                        left.insert(key, value);
                    }
                    None if key.eq_ignore_ascii_case("value") => return None,
                    None => {}
                }
            }
            (before == 0 || !left.is_empty()).then(|| left.into())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Some(other),
    }
}

fn in_path<'a>(path: &str, id_of: &impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(path.len());
    let mut behind = 0;
    for (place, text) in literals(path) {
        if let Some(id) = bulk_id(&text).and_then(id_of) {
            out.push_str(path.get(behind..place.start).unwrap_or_default());
            out.push_str(&Value::from(id).to_string());
            behind = place.end;
        }
    }
    out.push_str(path.get(behind..).unwrap_or_default());
    out
}

/// The string literals of a path, unescaped, with their places. What is malformed is left to those who read the path.
fn literals(path: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = path.get(from..).and_then(|rest| rest.find('"')) {
        let start = from + open;
        let Some(length) = path.get(start..).and_then(string_length) else { break };
        from = start + length;
        if let Some(Ok(text)) = path.get(start..from).map(serde_json::from_str) {
            found.push((start..from, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(id: &str) -> Option<&'static str> {
        match id {
            "a" => Some("1"),
            "b" => Some("2\""),
            _ => None,
        }
    }

    #[test]
    fn references_are_found_wherever_an_id_stands() {
        let user = json!({ "userName": "x", "urn:x": { "manager": { "value": "bulkId:a" } }, "list": ["bulkId:b", 1, null] });
        let found: Vec<_> = strings(&user, false).into_iter().filter_map(|text| Some(bulk_id(&text)?.to_owned())).collect();
        assert_eq!(found, ["b", "a"]);
        let patch = json!({ "schemas": ["s"], "operations": { "Path": "members[value eq \"bulkId:a\" or display eq \"\\\"bulkId:b\"]" } });
        assert_eq!(strings(&patch, true), ["s", "bulkId:a", "\"bulkId:b"]);
        assert_eq!(strings(&json!({ "path": "[\"bulkId:a\"]" }), false), ["[\"bulkId:a\"]"]);
    }

    #[test]
    fn ids_take_their_place() {
        let data =
            json!({ "members": [{ "value": "bulkId:a", "type": "User" }, { "value": "3" }], "displayName": "not bulkId:a" });
        let expected = json!({ "members": [{ "value": "1", "type": "User" }, { "value": "3" }], "displayName": "not bulkId:a" });
        assert_eq!(resolved(data, false, &known), expected);
        let patch = |path: &str, value: Value| json!({ "Operations": [{ "op": "add", "path": path, "value": value }] });
        let data =
            patch("members[value eq \"bulkId:b\" or value eq \"bulkId:z\" or value eq \"\\u0062ulkId:a\"]", json!("bulkId:a"));
        let expected = patch("members[value eq \"2\\\"\" or value eq \"bulkId:z\" or value eq \"1\"]", json!("1"));
        assert_eq!(resolved(data, true, &known), expected);
        let broken = patch("members[value eq \"bulkId:a", json!([]));
        assert_eq!(resolved(broken.clone(), true, &known), broken);
    }

    #[test]
    fn what_has_no_id_yet_is_left_out_with_what_consists_in_it() {
        let data = json!({
            "members": [{ "value": "bulkId:z", "type": "User" }, { "value": "bulkId:a" }],
            "urn:x": { "manager": { "value": "bulkId:z" } },
            "empty": [], "object": {}, "plain": ["bulkId:z"], "other": { "ref": "bulkId:z", "display": "d" }
        });
        let expected = json!({ "members": [{ "value": "1" }], "empty": [], "object": {}, "other": { "display": "d" } });
        assert_eq!(resolved(data, false, &known), expected);
    }
}
