//! Message bodies (RFC 7644).

use serde_json::{Value, json};

use super::urn;

/// A page of a list (RFC 7644 section 3.4.2). `total` counts all that match, `start_index` is from 1.
pub fn list_response(total: usize, start_index: usize, resources: Vec<Value>) -> Value {
    json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// A page by cursors (RFC 9865 section 2). A page without `nextCursor` is the last one.
pub fn list_response_with_cursors(total: usize, resources: Vec<Value>, next: Option<&str>, previous: Option<&str>) -> Value {
    let mut response = json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": total,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    if let Some(response) = response.as_object_mut() {
        let cursors = [("nextCursor", next), ("previousCursor", previous)];
        response.extend(cursors.into_iter().filter_map(|(name, cursor)| Some((name.to_owned(), cursor?.into()))));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_is_not_there_is_left_out() {
        let page = list_response_with_cursors(3, vec![json!({})], Some("n"), None);
        assert_eq!((&page["totalResults"], &page["itemsPerPage"], &page["nextCursor"]), (&json!(3), &json!(1), &json!("n")));
        assert!(page.get("previousCursor").is_none() && page.get("startIndex").is_none());
    }
}
