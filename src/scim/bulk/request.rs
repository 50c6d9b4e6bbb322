//! From the body of a bulk request to its operations.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::scim::filter::shown;
use crate::scim::precondition::IfMatch;
use crate::scim::{Budgets, Dialect, Kind, ScimError, ScimType, Tolerance, urn};

use super::reference::bulk_id;

/// A bulk request, read: its structure is right, though single operations may not be.
#[derive(Debug)]
pub struct BulkRequest {
    pub(super) fail_on_errors: Option<NonZeroUsize>,
    pub(super) operations: Vec<Operation>,
}

/// An operation, read as far as it could be.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Option<Method>,
    pub(super) bulk_id: Option<String>,
    /// The resource it is on, unless it creates one.
    pub(super) target: Option<(Kind, Target)>,
    /// What it does, or why it cannot be done.
    pub(super) call: Result<Call, ScimError>,
}

/// What an operation does.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) change: Change,
    pub(super) version: Option<IfMatch>,
}

/// The change, with the data it is made by.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create(Value),
    Replace(Value),
    Patch(Value),
    Delete,
}

/// A resource that exists, or one that is created in the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// By its id.
    Id(String),
    /// By the bulkId of its creation.
    Created(String),
}

/// `method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const ALL: [Self; 4] = [Self::Post, Self::Put, Self::Patch, Self::Delete];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn read(word: &str, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let found = Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word));
        found
            .filter(|method| method.as_str() == word || dialect.accept(Tolerance::BulkMethodCase))
            .ok_or_else(|| syntax(format!("`method` is \"POST\", \"PUT\", \"PATCH\" or \"DELETE\", not {}", shown(word))))
    }
}

impl BulkRequest {
    /// Reads a request body. An operation that cannot be read is kept: it gets a result of its own.
    ///
    /// # Errors
    /// 413 for more operations than the budget. 400: `invalidSyntax` for a body of another structure, `invalidValue` for a
    /// `failOnErrors` that is no number of errors.
    pub fn parse(body: Value, budgets: &Budgets, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else { return Err(syntax("the body of a bulk request is a JSON object")) };
        let ours = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(urn::BULK_REQUEST));
        if !take(&mut body, "schemas").is_some_and(|schemas| schemas.as_array().is_some_and(|list| list.iter().any(ours))) {
            return Err(syntax(format!("`schemas` of a bulk request holds \"{}\"", urn::BULK_REQUEST)));
        }
        let fail_on_errors = match take(&mut body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let errors =
                    value.as_u64().ok_or_else(|| invalid("`failOnErrors` is a number of errors, or 0 to go on after any"))?;
                NonZeroUsize::new(usize::try_from(errors).unwrap_or(usize::MAX))
            }
        };
        let list = match take(&mut body, "Operations") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            None | Some(_) => return Err(syntax("`Operations` of a bulk request is a list of at least one operation")),
        };
        let most = budgets.bulk_operations;
        if list.len() > most {
            let detail = format!("{} operations exceed maxOperations ({most}): send several requests.", list.len());
            return Err(ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let mut operations: Vec<Operation> = list.into_iter().map(|value| Operation::read(value, dialect)).collect();
        refuse_ambiguous(&mut operations);
        Ok(Self { fail_on_errors, operations })
    }

    /// How many operations there are.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }
}

/// A bulkId stands for one new resource. Where two creations have the same, neither is made: a reference to it might put the wrong
/// user into a group.
fn refuse_ambiguous(operations: &mut [Operation]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for operation in operations.iter() {
        if let (Some(Method::Post), Some(id)) = (operation.method, &operation.bulk_id) {
            *uses.entry(id.clone()).or_default() += 1;
        }
    }
    for operation in operations {
        if let (Some(Method::Post), Some(id)) = (operation.method, &operation.bulk_id)
            && uses.get(id).is_some_and(|uses| *uses > 1)
        {
            operation.call = Err(invalid(format!("the bulkId {} is that of several operations", shown(id))));
        }
    }
}

impl Operation {
    fn read(value: Value, dialect: &mut Dialect) -> Self {
        let call = Err(syntax("an operation is a JSON object"));
        let mut operation = Self { method: None, bulk_id: None, target: None, call };
        if let Value::Object(map) = value {
            operation.call = operation.read_call(map, dialect);
        }
        operation
    }

    /// What the result has to repeat is read first, so that a mistake in the rest does not lose it.
    fn read_call(&mut self, mut map: Map<String, Value>, dialect: &mut Dialect) -> Result<Call, ScimError> {
        let method = text(&mut map, "method")?
            .ok_or_else(|| invalid("`method` is missing: \"POST\", \"PUT\", \"PATCH\" or \"DELETE\""))?;
        let method = Method::read(&method, dialect)?;
        self.method = Some(method);
        self.bulk_id = text(&mut map, "bulkId")?.filter(|id| !id.is_empty());
        let path = text(&mut map, "path")?.ok_or_else(|| invalid("`path` is missing: /Users, or /Users/ and an id"))?;
        let (kind, target) = read_path(&path)?;
        match (method, target) {
            (Method::Post, None) => {}
            (Method::Post, Some(_)) => return Err(syntax("`path` of a \"POST\" is an endpoint such as /Users, without an id")),
            (Method::Put | Method::Patch | Method::Delete, Some(target)) => self.target = Some((kind, target)),
            (Method::Put | Method::Patch | Method::Delete, None) => {
                return Err(syntax(format!(
                    "`path` of a \"{}\" is that of a resource, such as /Users/ and its id",
                    method.as_str()
                )));
            }
        }
        if method == Method::Post && self.bulk_id.is_none() {
            return Err(invalid("`bulkId` is missing: a \"POST\" has one, by which its result is known and others refer to it"));
        }
        // A precondition is on what exists (RFC 7644 section 3.7), so a creation has none.
        let version = text(&mut map, "version")?.filter(|_| method != Method::Post);
        let version = version.map(|version| IfMatch::parse(&version)).transpose()?;
        let mut data = || match take(&mut map, "data") {
            Some(data @ Value::Object(_)) => Ok(data),
            None | Some(_) => {
                Err(invalid(format!("`data` of a \"{}\" is the object that a single request has as its body", method.as_str())))
            }
        };
        let change = match method {
            Method::Post => Change::Create(data()?),
            Method::Put => Change::Replace(data()?),
            Method::Patch => Change::Patch(data()?),
            Method::Delete => Change::Delete,
        };
        Ok(Call { kind, change, version })
    }
}

/// `/Users`, `/Users/{id}` or `/Users/bulkId:{bulkId}`: relative to the SCIM base. A trailing slash does not count.
fn read_path(path: &str) -> Result<(Kind, Option<Target>), ScimError> {
    let Some(relative) = path.strip_prefix('/') else {
        return Err(syntax(format!("`path` begins with / and is relative to the SCIM base URL, unlike {}", shown(path))));
    };
    let (endpoint, rest) = relative.split_once('/').unwrap_or((relative, ""));
    let kind = [Kind::User, Kind::Group].into_iter().find(|kind| kind.endpoint().strip_prefix('/') == Some(endpoint));
    let Some(kind) = kind else {
        return Err(ScimError::not_found(format!(
            "{} is no endpoint for bulk operations: there are /Users and /Groups",
            shown(path)
        )));
    };
    if let Some(id) = bulk_id(rest) {
        return Ok((kind, Some(Target::Created(id.to_owned()))));
    }
    let id = rest.strip_suffix('/').unwrap_or(rest);
    if id.contains(['/', '?', '#']) {
        return Err(syntax(format!("`path` is an endpoint, or an endpoint and an id, and nothing more, unlike {}", shown(path))));
    }
    Ok((kind, (!id.is_empty()).then(|| Target::Id(id.to_owned()))))
}

/// Takes the value of a key, exactly spelt or else in any case (RFC 7643 section 2.1).
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = map.remove(name) {
        return Some(value);
    }
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    map.remove(&key)
}

fn text(map: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    match take(map, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(syntax(format!("`{name}` is a string")))
        }
    }
}

fn syntax(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, detail)
}

pub(super) fn invalid(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidValue, detail)
}
