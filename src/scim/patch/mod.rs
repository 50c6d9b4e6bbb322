//! PATCH (RFC 7644 section 3.5.2): a request body as a list of operations on resolved targets, and their effect on a resource.

mod apply;
mod items;
mod path;
mod request;
mod value;

use std::fmt;

use serde_json::Value;

use crate::scim::{BoundPath, Filter};

#[cfg(test)]
mod tests;

/// A PATCH request, read: every target exists and may be written, every value is canonical.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// In the order they take effect. A path-less operation of the body has become one operation for each attribute.
    pub operations: Vec<Operation>,
}

/// One change of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What happens to the target.
    pub kind: OpKind,
    /// What it happens to.
    pub target: Target,
    /// The canonical value. Of an attribute of many values without brackets or sub-attribute it is always an array.
    /// A removal with an array removes these values alone (none, if it is empty); without a value it removes the whole target.
    pub value: Option<Value>,
    /// Position in the body's `Operations`, from 0.
    pub index: usize,
}

/// `op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// Sets one value, joins others to many.
    Add,
    /// Sets one value or all of many.
    Replace,
    /// Removes values.
    Remove,
}

/// `attr`, `attr.sub`, `attr[filter]` or `attr[filter].sub`.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The attribute, and the sub-attribute that follows it or the brackets.
    pub path: BoundPath,
    /// What stands in the brackets, bound to the attribute.
    pub filter: Option<Filter<BoundPath>>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(filter) = &self.filter else { return write!(f, "{}", self.path) };
        let parent = self.path.parent();
        write!(f, "{}", Filter::ValuePath { path: parent, filter: Box::new(filter.clone()) })?;
        match &self.path.sub {
            Some(sub) => write!(f, ".{}", sub.name),
            None => Ok(()),
        }
    }
}
