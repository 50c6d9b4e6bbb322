//! Message bodies (RFC 7644).

use serde_json::{Map, Value, json};

use super::urn;

/// A page of a list (RFC 7644 section 3.4.2). `total` counts all that match, `start_index` is from 1.
pub fn list_response(total: usize, start_index: usize, resources: Vec<Value>) -> Value {
    response(total, resources, [("startIndex", Some(start_index.into()))])
}

/// A page by cursors (RFC 9865 section 2). A page without `nextCursor` is the last one.
pub fn list_response_with_cursors(total: usize, resources: Vec<Value>, next: Option<&str>, previous: Option<&str>) -> Value {
    response(total, resources, [("nextCursor", next.map(Value::from)), ("previousCursor", previous.map(Value::from))])
}

/// The resources are moved in, for a page may be large.
fn response<const N: usize>(total: usize, resources: Vec<Value>, place: [(&str, Option<Value>); N]) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([urn::LIST_RESPONSE]));
    body.insert("totalResults".to_owned(), total.into());
    body.insert("itemsPerPage".to_owned(), resources.len().into());
    body.extend(place.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.insert("Resources".to_owned(), resources.into());
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_is_not_there_is_left_out() {
        let page = list_response_with_cursors(3, vec![json!({})], Some("n"), None);
        assert_eq!((&page["totalResults"], &page["itemsPerPage"], &page["nextCursor"]), (&json!(3), &json!(1), &json!("n")));
        assert!(page.get("previousCursor").is_none() && page.get("startIndex").is_none());
        let page = list_response(3, 2, vec![json!({})]);
        assert_eq!((&page["startIndex"], &page["Resources"]), (&json!(2), &json!([{}])));
    }
}
