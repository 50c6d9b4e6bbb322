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
