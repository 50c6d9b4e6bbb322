//! Filters against the schema: every path exists, every operator and literal fits its attribute.

use std::sync::Arc;

use crate::scim::{AttrPath, AttrType, Attribute, BoundPath, Dialect, ResourceType, ScimError, ScimType, Tolerance};

use super::eval::instant;
use super::lexer::shown;
use super::{CompareOp, Filter, Literal, closest};

impl Filter<AttrPath> {
    /// Resolves the paths of a filter and checks operators and literals against the attributes' types.
    ///
    /// Beyond the RFC, as far as the dialect allows: a complex attribute with a `value` sub-attribute stands for that one
    /// (`emails eq "x"`), `email` stands for `emails.value`, `"true"` for `true`, an unquoted integer for a string.
    ///
    /// # Errors
    /// 400 `invalidFilter` naming the attribute: unknown, or not comparable in this way.
    pub fn bind(self, ty: &ResourceType, dialect: &mut Dialect) -> Result<Filter<BoundPath>, ScimError> {
        Binding { ty, dialect }.filter(self, None)
    }

    /// The same for a filter in the brackets after `parent`.
    pub(crate) fn bind_within(
        self,
        parent: &BoundPath,
        ty: &ResourceType,
        dialect: &mut Dialect,
    ) -> Result<Filter<BoundPath>, ScimError> {
        Binding { ty, dialect }.filter(self, Some(parent))
    }
}

fn refuse(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidFilter, detail)
}

struct Binding<'a> {
    ty: &'a ResourceType,
    dialect: &'a mut Dialect,
}

impl Binding<'_> {
    fn filter(&mut self, filter: Filter<AttrPath>, parent: Option<&BoundPath>) -> Result<Filter<BoundPath>, ScimError> {
        let boxed = |inner| Ok::<_, ScimError>(Box::new(inner));
        Ok(match filter {
            Filter::And(left, right) => Filter::And(boxed(self.filter(*left, parent)?)?, boxed(self.filter(*right, parent)?)?),
            Filter::Or(left, right) => Filter::Or(boxed(self.filter(*left, parent)?)?, boxed(self.filter(*right, parent)?)?),
            Filter::Not(inner) => Filter::Not(boxed(self.filter(*inner, parent)?)?),
            Filter::Present(path) => Filter::Present(self.path(&path, parent)?),
            Filter::Compare { path, op, value } => {
                let path = self.path(&path, parent)?;
                let path = self.comparable(path, op, &value)?;
                let value = self.literal(&path, op, value)?;
                Filter::Compare { path, op, value }
            }
            Filter::ValuePath { path, filter } => {
                if parent.is_some() {
                    return Err(refuse(format!("a value path stands inside the brackets of another: {}", shown(&path.text))));
                }
                let path = self.path(&path, None)?;
                if path.sub.is_some() || !(path.attribute.multi_valued || path.attribute.kind == AttrType::Complex) {
                    return Err(refuse(format!("`{path}` has no sub-attributes: brackets cannot follow it")));
                }
                let filter = boxed(self.filter(*filter, Some(&path))?)?;
                Filter::ValuePath { path, filter }
            }
        })
    }

    fn path(&mut self, path: &AttrPath, parent: Option<&BoundPath>) -> Result<BoundPath, ScimError> {
        let Some(parent) = parent else {
            if let Some(bound) = self.ty.resolve(path) {
                return Ok(bound);
            }
            if path.text.eq_ignore_ascii_case("email")
                && let Some(bound) = self.ty.resolve_str("emails.value")
                && self.dialect.accept(Tolerance::FilterEmailAlias)
            {
                return Ok(bound);
            }
            let kind = self.ty.kind.name();
            let hint = closest(&path.text, self.ty).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            return Err(refuse(format!("{} is not an attribute of {kind}{hint}", shown(&path.text))));
        };
        within(parent, &path.text).ok_or_else(|| {
            refuse(format!("{} is not a sub-attribute of `{parent}`{}", shown(&path.text), listed(&parent.attribute)))
        })
    }

    /// The path that is compared: a bare complex attribute stands for its `value`.
    fn comparable(&mut self, path: BoundPath, op: CompareOp, value: &Literal) -> Result<BoundPath, ScimError> {
        if path.leaf().kind != AttrType::Complex {
            return Ok(path);
        }
        let equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
        if equality && *value == Literal::Null {
            return Ok(path);
        }
        let textual = equality || matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
        if textual
            && path.sub.is_none()
            && let Some(sub) = path.attribute.sub("value")
            && self.dialect.accept(Tolerance::FilterOnComplexAttribute)
        {
            return Ok(path.with_sub(Arc::clone(sub)));
        }
        let list = listed(path.leaf());
        Err(refuse(format!("`{path}` is complex, `{op}` cannot compare it as a whole: name a sub-attribute{list}")))
    }

    fn literal(&mut self, path: &BoundPath, op: CompareOp, value: Literal) -> Result<Literal, ScimError> {
        use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
        let kind = path.leaf().kind;
        let fits = match kind {
            AttrType::String => true,
            AttrType::Reference | AttrType::Binary => matches!(op, Eq | Ne | Co | Sw | Ew),
            AttrType::Decimal | AttrType::Integer | AttrType::DateTime => matches!(op, Eq | Ne | Gt | Ge | Lt | Le),
            AttrType::Boolean | AttrType::Complex => matches!(op, Eq | Ne),
        };
        if !fits {
            return Err(refuse(format!("`{op}` cannot compare `{path}`, which is {}", described(kind))));
        }
        let value = match value {
            Literal::Null if matches!(op, Eq | Ne) => return Ok(Literal::Null),
            Literal::Null => return Err(refuse(format!("`{path} {op} null`: null is compared with `eq` and `ne` only"))),
            value @ (Literal::String(_) | Literal::Number(_) | Literal::Boolean(_)) => value,
        };
        let refused = || refuse(format!("`{path}` is {}: the value after `{op}` is not", described(kind)));
        match (kind, value) {
            (AttrType::String | AttrType::Reference | AttrType::Binary, value @ Literal::String(_))
            | (AttrType::Boolean, value @ Literal::Boolean(_))
            | (AttrType::Decimal | AttrType::Integer, value @ Literal::Number(_)) => Ok(value),
            (AttrType::DateTime, Literal::String(text)) => match instant(&text) {
                Some(_) => Ok(Literal::String(text)),
                None => Err(refuse(format!(
                    "`{path}` is compared with a time such as \"2024-05-13T04:42:34Z\", not {}",
                    shown(&text)
                ))),
            },
            // Digits without quotes lexed as a number; a fraction or exponent may have lost how it was spelt.
            (AttrType::String, Literal::Number(number))
                if !number.is_f64() && self.dialect.accept(Tolerance::UnquotedFilterValue) =>
            {
                Ok(Literal::String(number.to_string()))
            }
            (AttrType::Boolean, Literal::String(text)) => {
                let boolean = match &*text.to_ascii_lowercase() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(refused()),
                };
                if self.dialect.accept(Tolerance::StringBoolean) { Ok(Literal::Boolean(boolean)) } else { Err(refused()) }
            }
            (_, Literal::String(_) | Literal::Number(_) | Literal::Boolean(_) | Literal::Null) => Err(refused()),
        }
    }
}

/// The path of a name in the brackets after `parent`: a sub-attribute, or `value` for each of many simple values.
pub(crate) fn within(parent: &BoundPath, name: &str) -> Option<BoundPath> {
    match parent.attribute.sub(name) {
        Some(sub) => Some(parent.with_sub(Arc::clone(sub))),
        None if parent.attribute.kind != AttrType::Complex && name.eq_ignore_ascii_case("value") => Some(parent.parent()),
        None => None,
    }
}

fn listed(attribute: &Attribute) -> String {
    let names: Vec<&str> = attribute.sub_attributes.iter().map(|sub| &*sub.name).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

fn described(kind: AttrType) -> &'static str {
    match kind {
        AttrType::String => "a string",
        AttrType::Boolean => "a boolean",
        AttrType::Decimal => "a number",
        AttrType::Integer => "an integer",
        AttrType::DateTime => "a dateTime",
        AttrType::Reference => "a reference",
        AttrType::Binary => "binary",
        AttrType::Complex => "complex",
    }
}
