//! Paths of PATCH operations against the schema.

use crate::scim::filter::{RawTarget, closest, shown, within};
use crate::scim::{BoundPath, Dialect, Mutability, ResourceType, ScimError, ScimType};

use super::Target;

/// The target of a path as written; `None` when there is no such attribute or sub-attribute.
///
/// # Errors
/// 400 `invalidPath` for brackets after an attribute of one value, 400 `invalidFilter` for what stands in them.
pub(super) fn resolve(raw: RawTarget, ty: &ResourceType, dialect: &mut Dialect) -> Result<Option<Target>, ScimError> {
    let Some(path) = ty.resolve(&raw.path) else { return Ok(None) };
    let Some(filter) = raw.filter else { return Ok(Some(Target { path, filter: None })) };
    if path.sub.is_some() || !path.attribute.multi_valued {
        let detail = format!("`{path}` has one value: brackets follow an attribute of many values only");
        return Err(ScimError::bad_request(ScimType::InvalidPath, detail));
    }
    let target = match &raw.sub {
        Some(sub) => within(&path, sub),
        None => Some(path.clone()),
    };
    let filter = filter.bind_within(&path, ty, dialect)?;
    Ok(target.map(|path| Target { path, filter: Some(filter) }))
}

/// Whether a path that names nothing here names something that the schemas know and the directory has no place for.
pub(super) fn is_not_kept(raw: &RawTarget, ty: &ResourceType) -> bool {
    let Some(whole) = &ty.whole else { return false };
    match (&raw.filter, &raw.sub) {
        (None, _) => whole.resolve(&raw.path).is_some() || whole.extension(&raw.path.text).is_some(),
        (Some(_), sub) => whole.resolve(&raw.path).is_some_and(|path| {
            let listed = path.sub.is_none() && path.attribute.multi_valued;
            listed && sub.as_ref().is_none_or(|sub| within(&path, sub).is_some())
        }),
    }
}

/// 400 `invalidPath` for a path that names nothing.
pub(super) fn unknown(text: &str, ty: &ResourceType) -> ScimError {
    let hint = closest(text, ty).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    ScimError::bad_request(
        ScimType::InvalidPath,
        format!("the path {} names no attribute of {}{hint}", shown(text), ty.kind.name()),
    )
}

/// Whether the service provider alone sets it.
pub(super) fn read_only(path: &BoundPath) -> bool {
    let common = path.extension.is_none() && matches!(&*path.attribute.name, "id" | "meta" | "schemas");
    common || path.attribute.mutability == Mutability::ReadOnly || path.leaf().mutability == Mutability::ReadOnly
}
