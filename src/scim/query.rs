//! Queries (RFC 7644 sections 3.4.2 and 3.4.3).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::attr::BoundPath;
use super::budget::Budgets;
use super::cursor::CursorParameter;
use super::error::{ScimError, ScimType};
use super::filter::Filter;
use super::project::Projection;
use super::resource::Resource;
use super::schema::{AttrType, ResourceType};
use super::text::prepare;
use super::tolerance::{Dialect, Tolerance};
use super::urn;

/// What a list is to hold.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Which resources.
    pub filter: Option<Filter<BoundPath>>,
    /// By what they are ordered.
    pub sort_by: Option<BoundPath>,
    /// From the last to the first.
    pub descending: bool,
    /// The first of the page, from 1. It is 1 with a cursor, which says where the page begins.
    pub start_index: usize,
    /// The page by its cursor (RFC 9865); `None` where pages are counted by `startIndex`.
    pub cursor: Option<CursorParameter>,
    /// The most resources of the page; at least one with a cursor.
    pub count: usize,
    /// Which attributes.
    pub projection: Projection,
}

/// The parameters as text, from either form of request.
#[derive(Debug, Default)]
struct Parameters {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    cursor: Option<String>,
    count: Option<i64>,
    attributes: Option<Vec<String>>,
    excluded: Option<Vec<String>>,
}

impl ListQuery {
    /// From a raw query string. Parameters that are not known are passed over.
    pub fn from_query(query: &str, ty: &ResourceType, budgets: &Budgets, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let mut given = Parameters::default();
        let number = |name: &str, text: &str| text.trim().parse::<i64>().map_err(|_| no_number(name));
        let split = |list: &str| Some(list.split(',').map(str::to_owned).collect());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "filter" => given.filter = Some(value.into_owned()),
                "sortBy" => given.sort_by = Some(value.into_owned()),
                "sortOrder" => given.sort_order = Some(value.into_owned()),
                "startIndex" => given.start_index = Some(number(&name, &value)?),
                "cursor" => given.cursor = Some(value.into_owned()),
                "count" => given.count = Some(number(&name, &value)?),
                "attributes" => given.attributes = split(&value),
                "excludedAttributes" => given.excluded = split(&value),
                _ => {}
            }
        }
        Self::new(given, ty, budgets, dialect)
    }

    /// From the body of a query by POST.
    pub fn from_search_request(
        body: &Value,
        ty: &ResourceType,
        budgets: &Budgets,
        dialect: &mut Dialect,
    ) -> Result<Self, ScimError> {
        let syntax = |detail: &str| ScimError::bad_request(ScimType::InvalidSyntax, detail);
        let object = body.as_object().ok_or_else(|| syntax("the body must be a SearchRequest object"))?;
        let is_search = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(urn::SEARCH_REQUEST));
        if !object.get("schemas").and_then(Value::as_array).is_some_and(|schemas| schemas.iter().any(is_search)) {
            return Err(syntax(&format!("schemas must hold {}", urn::SEARCH_REQUEST)));
        }
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(invalid(&format!("{name} must be a string"))),
        };
        let number = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| no_number(name)),
        };
        let names = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let names: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                names.map(Some).ok_or_else(|| invalid(&format!("{name} must be a list of names")))
            }
            Some(_) => Err(invalid(&format!("{name} must be a list of names"))),
        };
        let given = Parameters {
            filter: text("filter")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            start_index: number("startIndex")?,
            cursor: text("cursor")?,
            count: number("count")?,
            attributes: names("attributes")?,
            excluded: names("excludedAttributes")?,
        };
        Self::new(given, ty, budgets, dialect)
    }

    fn new(given: Parameters, ty: &ResourceType, budgets: &Budgets, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let filter = given.filter.filter(|text| !text.trim().is_empty());
        let filter = filter.map(|text| Filter::parse(&text, budgets, dialect)?.bind(ty, dialect)).transpose()?;
        let sort_by = given.sort_by.filter(|text| !text.trim().is_empty());
        let sort_by = sort_by.map(|text| sort_path(text.trim(), ty)).transpose()?;
        let descending = match given.sort_order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "ascending") => false,
            Some("descending") => true,
            Some(_) => return Err(invalid("sortOrder must be ascending or descending")),
        };
        let cursor = given.cursor.map(CursorParameter::parse).transpose()?;
        if cursor.is_some() && given.start_index.is_some() {
            return Err(invalid("startIndex and cursor are two ways to name a page: send one of them"));
        }
        let count = match given.count {
            None => budgets.default_results,
            // RFC 7644 section 3.4.2.4 reads a negative number as 0; PingFederate means its largest page by it.
            Some(-1) if dialect.accept(Tolerance::CountMinusOne) => budgets.max_results,
            // A walk in pages without resources has no end (RFC 9865 section 2.1).
            Some(..1) if cursor.is_some() => {
                let detail = format!("count must be between 1 and {} with a cursor", budgets.max_results);
                return Err(ScimError::bad_request(ScimType::InvalidCount, detail));
            }
            Some(count) => usize::try_from(count).unwrap_or(0),
        };
        Ok(Self {
            filter,
            sort_by,
            descending,
            start_index: usize::try_from(given.start_index.unwrap_or(1)).unwrap_or(1).max(1),
            cursor,
            count: count.min(budgets.max_results),
            projection: Projection::new(given.attributes, given.excluded, ty)?,
        })
    }
}

fn invalid(detail: &str) -> ScimError {
    ScimError::bad_request(ScimType::InvalidValue, detail)
}

/// RFC 9865 section 2.1 has a keyword for the page size alone.
fn no_number(name: &str) -> ScimError {
    let keyword = if name == "count" { ScimType::InvalidCount } else { ScimType::InvalidValue };
    ScimError::bad_request(keyword, format!("{name} must be a whole number"))
}

/// A path to sort by; of a complex attribute its `value` is taken (RFC 7644 section 3.4.2.3).
fn sort_path(text: &str, ty: &ResourceType) -> Result<BoundPath, ScimError> {
    let path = ty.resolve_str(text).ok_or_else(|| invalid("sortBy names no attribute of this resource type"))?;
    if path.leaf().kind != AttrType::Complex {
        return Ok(path);
    }
    let value = path.attribute.sub("value").cloned();
    value.map(|value| path.with_sub(value)).ok_or_else(|| invalid("sortBy must name one of this attribute's sub-attributes"))
}

/// Orders resources by an attribute: the primary item of a list, else its first. Those without a value come last, or first when
/// descending (RFC 7644 section 3.4.2.3).
pub fn sort<T>(items: &mut [T], resource: impl Fn(&T) -> &Resource, path: &BoundPath, descending: bool) {
    items.sort_by_cached_key(|item| {
        let key = key(resource(item), path);
        if descending { Key::Descending(std::cmp::Reverse(key)) } else { Key::Ascending(key) }
    });
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Ascending(Rank),
    Descending(std::cmp::Reverse<Rank>),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Flag(bool),
    Number(Decimal),
    Time(Timestamp),
    Text(String),
    Missing,
}

#[derive(PartialEq)]
struct Decimal(f64);

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

fn key(resource: &Resource, path: &BoundPath) -> Rank {
    let primary = match resource.attribute(path) {
        Some(Value::Array(items)) => items.iter().find(|item| item.get("primary").and_then(Value::as_bool) == Some(true)),
        _ => None,
    };
    let value = match (primary, &path.sub) {
        (Some(item), Some(sub)) => item.get(&sub.name),
        _ => resource.values(path).into_iter().next(),
    };
    match value {
        Some(Value::Bool(flag)) => Rank::Flag(*flag),
        Some(Value::Number(number)) => Rank::Number(Decimal(number.as_f64().unwrap_or(f64::MAX))),
        Some(Value::String(text)) => match text.parse() {
            Ok(time) if path.leaf().kind == AttrType::DateTime => Rank::Time(time),
            _ => Rank::Text(prepare(text, path.leaf().case_exact)),
        },
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => Rank::Missing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::SchemaRegistry;

    fn query(text: &str) -> Result<ListQuery, ScimError> {
        let ty = SchemaRegistry::builtin().user;
        ListQuery::from_query(text, &ty, &Budgets::default(), &mut Dialect::default())
    }

    #[test]
    fn pages_are_kept_within_their_bounds() {
        let page = |text: &str| query(text).map(|q| (q.start_index, q.count)).unwrap();
        assert_eq!(page(""), (1, 100));
        assert_eq!(page("startIndex=0&count=0"), (1, 0));
        assert_eq!(page("startIndex=-5&count=5000"), (1, 1000));
        assert_eq!(page("count=-1"), (1, 1000));
        assert_eq!(page("count=-2&startIndex=7"), (7, 0));
        assert!(query("count=x").is_err() && query("startIndex=1.5").is_err());
    }

    #[test]
    fn a_cursor_is_empty_for_the_first_page_and_excludes_the_index() {
        let cursor = |text: &str| query(text).unwrap().cursor;
        assert_eq!(cursor("count=5"), None);
        assert_eq!(cursor("cursor&count=5"), Some(CursorParameter::First));
        assert_eq!(cursor("cursor=&count=5000"), Some(CursorParameter::First));
        assert_eq!(cursor("count=-1&cursor=aB-_"), Some(CursorParameter::Sealed("aB-_".to_owned())));
        let keyword = |text: &str| query(text).unwrap_err().scim_type;
        assert_eq!(keyword("cursor=&startIndex=1"), Some(ScimType::InvalidValue));
        assert_eq!(keyword("cursor=a+b"), Some(ScimType::InvalidCursor));
        for text in ["cursor=&count=0", "count=-2&cursor=a", "count=many"] {
            assert_eq!(keyword(text), Some(ScimType::InvalidCount), "{text}");
        }
    }

    #[test]
    fn unknown_parameters_are_passed_over_and_wrong_ones_refused() {
        assert!(query("aadOptscim062020&x=y").is_ok());
        assert!(query("sortBy=nothing").is_err() && query("sortBy=name").is_err() && query("sortOrder=up").is_err());
        assert_eq!(query("sortBy=emails").unwrap().sort_by.unwrap().to_string(), "emails.value");
        assert!(query("filter=userName+eq+%22a%40b%22").unwrap().filter.is_some());
        assert_eq!(query("filter=nonsense").unwrap_err().scim_type, Some(ScimType::InvalidFilter));
    }

    #[test]
    fn a_query_by_post_is_the_same() {
        let ty = SchemaRegistry::builtin().user;
        let parse = |body: Value| ListQuery::from_search_request(&body, &ty, &Budgets::default(), &mut Dialect::default());
        let found =
            parse(json!({ "schemas": [urn::SEARCH_REQUEST], "filter": "userName pr", "count": 5, "attributes": ["userName"] }));
        let found = found.unwrap();
        assert!(found.count == 5 && found.filter.is_some() && found.projection.explicit() && found.cursor.is_none());
        let paged = parse(json!({ "schemas": [urn::SEARCH_REQUEST], "cursor": "" })).unwrap();
        assert_eq!(paged.cursor, Some(CursorParameter::First));
        assert!(parse(json!({ "filter": "userName pr" })).is_err());
        assert!(parse(json!({ "schemas": [urn::SEARCH_REQUEST], "count": "5" })).is_err());
    }

    #[test]
    fn what_has_no_value_is_sorted_last() {
        let ty = SchemaRegistry::builtin().user;
        let resource = |title: Option<&str>| {
            let mut resource = Resource::new();
            resource.set(&ty.resolve_str("title").unwrap(), title.map_or(Value::Null, Into::into));
            resource
        };
        let mut all = [resource(None), resource(Some("b")), resource(Some("A")), resource(Some("c"))];
        let titles = |all: &[Resource]| all.iter().map(|r| r.text("title").unwrap_or("-").to_owned()).collect::<String>();
        let path = ty.resolve_str("title").unwrap();
        sort(&mut all, |r| r, &path, false);
        assert_eq!(titles(&all), "Abc-");
        sort(&mut all, |r| r, &path, true);
        assert_eq!(titles(&all), "-cbA");
    }
}
