//! What references resolve to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::directory::{Dn, DnKey};
use crate::scim::Kind;

/// A resource as others refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Which endpoint it is found at.
    pub kind: Kind,
    /// Its `id`.
    pub id: Arc<str>,
    /// A name for people.
    pub display: Option<Arc<str>>,
}

/// From an entry's name to the resource it is. What is not in here is not visible through SCIM.
pub type Names = HashMap<DnKey, Name>;

/// From a resource's `id` to its entry's name.
pub type Targets = HashMap<String, Dn>;

/// The groups a user is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// Those that name it.
    pub direct: Vec<Name>,
    /// Those it is in through others.
    pub indirect: Vec<Name>,
}
