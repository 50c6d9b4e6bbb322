//! From the body of a PATCH request to its operations.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::scim::filter::{parse_target, shown};
use crate::scim::{BoundPath, Budgets, Dialect, ResourceType, ScimError, ScimType, Tolerance, urn};

use super::path::{is_not_kept, read_only, resolve, unknown};
use super::value::is_blank;
use super::{OpKind, Operation, PatchRequest, Target};

impl PatchRequest {
    /// Reads a request body. Path-less operations, and those on a whole extension, become one operation for each attribute: whole
    /// attributes first, then sub-attributes, then value paths, otherwise in the order of the object.
    ///
    /// # Errors
    /// 413 for more operations than the budget. 400: `invalidSyntax` for a body of another structure, `invalidPath` for an unknown
    /// path, `mutability` for a read-only one, `invalidFilter` for what stands in its brackets, `noTarget` for a removal without a
    /// path, `invalidValue` for a value that is missing or does not fit.
    pub fn parse(body: Value, ty: &ResourceType, budgets: &Budgets, dialect: &mut Dialect) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else { return Err(syntax("the body of a PATCH request is a JSON object")) };
        check_schemas(&body, dialect)?;
        let list = take_operations(&mut body, dialect)?;
        let most = budgets.patch_operations;
        if list.len() > most {
            let detail = format!("{} operations in one request, at most {most} are allowed: send several requests", list.len());
            return Err(ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let mut reading = Reading { ty, budgets, dialect, operations: Vec::with_capacity(list.len()), index: 0 };
        for (index, operation) in list.into_iter().enumerate() {
            reading.index = index;
            reading.operation(operation).map_err(located(index))?;
        }
        Ok(Self { operations: reading.operations })
    }
}

/// The error of one operation, with its place in front.
pub(super) fn located(index: usize) -> impl Fn(ScimError) -> ScimError {
    move |mut error| {
        error.detail.insert_str(0, &format!("Operations[{index}]: "));
        error
    }
}

fn syntax(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, detail)
}

pub(super) fn invalid_value(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidValue, detail)
}

/// Takes the value of a key, exactly spelt or else in any case.
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = map.remove(name) {
        return Some(value);
    }
    let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    map.remove(&key)
}

fn check_schemas(body: &Map<String, Value>, dialect: &mut Dialect) -> Result<(), ScimError> {
    let found = body.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
    let absent = match found {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => false,
    };
    let ours = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(urn::PATCH_OP));
    let fits = match found {
        Some(Value::Array(list)) => list.iter().any(ours),
        Some(value) => ours(value),
        None => false,
    };
    if fits || absent && dialect.accept(Tolerance::PatchMissingSchema) {
        return Ok(());
    }
    Err(syntax(format!("`schemas` of a PATCH request holds \"{}\"", urn::PATCH_OP)))
}

fn take_operations(body: &mut Map<String, Value>, dialect: &mut Dialect) -> Result<Vec<Value>, ScimError> {
    let missing = || syntax("`Operations` is missing: a PATCH request holds a list of operations under that key");
    let found = match body.remove("Operations") {
        Some(found) => found,
        None => take(body, "Operations").filter(|_| dialect.accept(Tolerance::PatchOperationsKeyCase)).ok_or_else(missing)?,
    };
    match found {
        Value::Array(list) if list.is_empty() => Err(syntax("`Operations` is empty")),
        Value::Array(list) => Ok(list),
        Value::Object(operation) if dialect.accept(Tolerance::PatchSingleOperation) => Ok(vec![Value::Object(operation)]),
        Value::Null => Err(missing()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Err(syntax("`Operations` is not a list")),
    }
}

/// The operations read so far.
pub(super) struct Reading<'a> {
    pub(super) ty: &'a ResourceType,
    pub(super) budgets: &'a Budgets,
    pub(super) dialect: &'a mut Dialect,
    pub(super) operations: Vec<Operation>,
    /// Of the operation being read.
    pub(super) index: usize,
}

impl Reading<'_> {
    pub(super) fn emit(&mut self, kind: OpKind, target: Target, value: Option<Value>) {
        self.operations.push(Operation { kind, target, value, index: self.index });
    }

    fn operation(&mut self, operation: Value) -> Result<(), ScimError> {
        let Value::Object(mut operation) = operation else { return Err(syntax("an operation is a JSON object")) };
        let kind = match take(&mut operation, "op") {
            Some(Value::String(word)) => match &*word.to_ascii_lowercase() {
                "add" => OpKind::Add,
                "replace" => OpKind::Replace,
                "remove" => OpKind::Remove,
                _ => return Err(syntax(format!("`op` is \"add\", \"replace\" or \"remove\", not {}", shown(&word)))),
            },
            _ => return Err(syntax("`op` is missing: \"add\", \"replace\" or \"remove\"")),
        };
        let path = match take(&mut operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(path),
            Some(_) => return Err(ScimError::bad_request(ScimType::InvalidPath, "`path` is a string")),
        };
        let value = take(&mut operation, "value");
        match path {
            None => self.pathless(kind, value),
            Some(path) => self.with_path(kind, &path, value),
        }
    }

    fn pathless(&mut self, kind: OpKind, value: Option<Value>) -> Result<(), ScimError> {
        match (kind, value) {
            (OpKind::Remove, _) => {
                Err(ScimError::bad_request(ScimType::NoTarget, "a \"remove\" without `path` removes nothing: name the attribute"))
            }
            (OpKind::Add | OpKind::Replace, Some(Value::Object(map))) => self.object(kind, map, None),
            (OpKind::Add | OpKind::Replace, _) => {
                Err(invalid_value("without `path`, `value` is an object of the attributes to be set"))
            }
        }
    }

    fn with_path(&mut self, kind: OpKind, text: &str, value: Option<Value>) -> Result<(), ScimError> {
        let raw = parse_target(text, self.budgets, self.dialect).map_err(|mut fault| {
            fault.what = format!("{} (in the path {})", fault.what, shown(text));
            fault
        })?;
        if raw.filter.is_none() {
            if let Some(extension) = self.ty.extension(&raw.path.text) {
                let extension = Arc::clone(&extension.id);
                return self.extension(kind, &extension, value);
            }
            if raw.path.text.eq_ignore_ascii_case(&self.ty.schema.id) {
                return self.pathless(kind, value);
            }
        }
        let not_kept = is_not_kept(&raw, self.ty);
        let Some(target) = resolve(raw, self.ty, self.dialect)? else {
            let passed_over = not_kept && self.dialect.accept(Tolerance::PatchTargetNotKept);
            return if passed_over { Ok(()) } else { Err(unknown(text, self.ty)) };
        };
        if read_only(&target.path) {
            return Err(ScimError::bad_request(ScimType::Mutability, format!("`{}` is read-only", target.path)));
        }
        self.change(kind, target, value)
    }

    /// The whole of an extension.
    fn extension(&mut self, kind: OpKind, extension: &Arc<str>, value: Option<Value>) -> Result<(), ScimError> {
        match (kind, value) {
            (OpKind::Add | OpKind::Replace, Some(Value::Object(map))) => self.object(kind, map, Some(extension)),
            (OpKind::Add | OpKind::Replace, Some(value))
                if is_blank(&value) && self.dialect.accept(Tolerance::PatchEmptyClears) =>
            {
                self.remove_extension(extension);
                Ok(())
            }
            (OpKind::Remove, _) => {
                self.remove_extension(extension);
                Ok(())
            }
            (OpKind::Add | OpKind::Replace, _) => {
                Err(invalid_value(format!("the value of `{extension}` is an object of its attributes")))
            }
        }
    }

    fn remove_extension(&mut self, extension: &Arc<str>) {
        let attributes = self.ty.extension(extension).map(|schema| schema.attributes.clone()).unwrap_or_default();
        for attribute in attributes {
            let path = BoundPath { extension: Some(Arc::clone(extension)), attribute, sub: None };
            if !read_only(&path) {
                self.emit(OpKind::Remove, Target { path, filter: None }, None);
            }
        }
    }

    /// An object of attributes, of the resource or of an extension. What is unknown or read-only in it is left out: clients send
    /// back what they have read.
    fn object(&mut self, kind: OpKind, map: Map<String, Value>, extension: Option<&Arc<str>>) -> Result<(), ScimError> {
        let mut changes = Vec::with_capacity(map.len());
        for (key, value) in map {
            if extension.is_none()
                && let Some(schema) = self.ty.extension(&key)
            {
                let id = Arc::clone(&schema.id);
                self.extension(kind, &id, Some(value))?;
                continue;
            }
            if let Some(target) = self.key(&key, extension)? {
                let rank = usize::from(target.path.sub.is_some()) + 2 * usize::from(target.filter.is_some());
                changes.push((rank, target, value));
            }
        }
        changes.sort_by_key(|(rank, _, _)| *rank);
        for (_, target, value) in changes {
            self.change(kind, target, Some(value))?;
        }
        Ok(())
    }

    /// The target a key of a path-less value stands for; `None` if it is to be left out.
    fn key(&mut self, key: &str, extension: Option<&Arc<str>>) -> Result<Option<Target>, ScimError> {
        let full = match extension {
            Some(extension) => format!("{extension}:{key}"),
            None => key.to_owned(),
        };
        let (target, tolerance) = if key.contains('[') {
            let raw = parse_target(&full, self.budgets, self.dialect)?;
            (resolve(raw, self.ty, self.dialect)?, Some(Tolerance::PatchPathlessValuePathKey))
        } else {
            let target = self.ty.resolve_str(&full).map(|path| Target { path, filter: None });
            let dotted = target.as_ref().is_some_and(|target| target.path.sub.is_some());
            let tolerance = match (key.contains(':'), dotted) {
                (true, _) => Some(Tolerance::PatchPathlessUrnKey),
                (false, true) => Some(Tolerance::PatchPathlessDottedKey),
                (false, false) => None,
            };
            (target, tolerance)
        };
        let Some(target) = target.filter(|target| !read_only(&target.path)) else { return Ok(None) };
        if tolerance.is_none_or(|tolerance| self.dialect.accept(tolerance)) {
            return Ok(Some(target));
        }
        let detail = format!("{} is a path, not the name of an attribute: send it as `path`", shown(key));
        Err(ScimError::bad_request(ScimType::InvalidPath, detail))
    }
}
