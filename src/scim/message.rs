//! Message bodies (RFC 7644).

use serde::Serialize;

use super::urn;

/// A JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Vec<u8>);

impl Json {
    /// Prints a value, whose maps have text for their keys.
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_vec(value).unwrap_or_default())
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Resources as they are put into a list, printed one by one: a page may be large, and is never a tree.
#[derive(Debug, Default)]
pub struct Resources {
    number: usize,
    /// With commas between them.
    json: Vec<u8>,
}

impl Resources {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.number
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.number == 0
    }

    /// Puts one at the end; its maps have text for their keys.
    pub fn push(&mut self, resource: &impl Serialize) {
        if self.number > 0 {
            self.json.push(b',');
        }
        // What could not be printed would leave a hole; a vector takes all that is written.
        let printed = serde_json::to_writer(&mut self.json, resource);
        debug_assert!(printed.is_ok(), "a resource has text for its keys");
        self.number += 1;
    }

    /// Puts others at the end.
    pub fn append(&mut self, others: Self) {
        if self.number > 0 && others.number > 0 {
            self.json.push(b',');
        }
        self.json.extend(others.json);
        self.number += others.number;
    }
}

impl<S: Serialize> FromIterator<S> for Resources {
    fn from_iter<I: IntoIterator<Item = S>>(resources: I) -> Self {
        let mut all = Self::default();
        resources.into_iter().for_each(|resource| all.push(&resource));
        all
    }
}

/// What a list says beside its resources.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    schemas: [&'a str; 1],
    total_results: usize,
    items_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cursor: Option<&'a str>,
}

/// A page of a list (RFC 7644 section 3.4.2). `total` counts all that match, `start_index` is from 1.
pub fn list_response(total: usize, start_index: usize, resources: &Resources) -> Json {
    Head { start_index: Some(start_index), ..Head::new(total, resources) }.with(resources)
}

/// A page by cursors (RFC 9865 section 2). A page without `nextCursor` is the last one.
pub fn list_response_with_cursors(total: usize, resources: &Resources, next: Option<&str>, previous: Option<&str>) -> Json {
    Head { next_cursor: next, previous_cursor: previous, ..Head::new(total, resources) }.with(resources)
}

impl Head<'_> {
    fn new(total_results: usize, resources: &Resources) -> Self {
        let items_per_page = resources.len();
        Self {
            schemas: [urn::LIST_RESPONSE],
            total_results,
            items_per_page,
            start_index: None,
            next_cursor: None,
            previous_cursor: None,
        }
    }

    fn with(&self, resources: &Resources) -> Json {
        let mut json = Json::of(self).into_bytes();
        // The resources come last in the same object.
        json.pop();
        json.reserve_exact(resources.json.len() + 16);
        json.extend_from_slice(b",\"Resources\":[");
        json.extend_from_slice(&resources.json);
        json.extend_from_slice(b"]}");
        Json(json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Json) -> Value {
        serde_json::from_slice(&json.into_bytes()).unwrap()
    }

    #[test]
    fn a_cursor_that_is_not_there_is_left_out() {
        let one: Resources = [json!({})].into_iter().collect();
        let page = read(list_response_with_cursors(3, &one, Some("n"), None));
        assert_eq!((&page["totalResults"], &page["itemsPerPage"], &page["nextCursor"]), (&json!(3), &json!(1), &json!("n")));
        assert!(page.get("previousCursor").is_none() && page.get("startIndex").is_none());
        let page = read(list_response(3, 2, &one));
        assert_eq!((&page["startIndex"], &page["Resources"]), (&json!(2), &json!([{}])));
    }

    #[test]
    fn lists_are_joined_whether_or_not_something_is_in_them() {
        let list = |ids: &[u32]| -> Resources { ids.iter().map(|id| json!({ "id": id })).collect() };
        for (one, other) in [(&[][..], &[][..]), (&[1], &[]), (&[], &[2, 3]), (&[1, 2], &[3])] {
            let mut all = list(one);
            all.append(list(other));
            let page = read(list_response(9, 1, &all));
            let ids: Vec<_> = page["Resources"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
            let wanted: Vec<u64> = one.iter().chain(other).map(|id| u64::from(*id)).collect();
            assert_eq!((ids, &page["itemsPerPage"]), (wanted.clone(), &json!(wanted.len())));
        }
    }
}
