//! What one client is granted beyond, or short of, the RFCs.

use crate::scim::ToleranceSet;
use crate::service::Omitted;

/// `[clients.NAME]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientPolicy {
    /// The oddities accepted of it.
    pub tolerances: ToleranceSet,
    /// What a PATCH of a group is answered by when the client asks for no attributes.
    pub group_patch: GroupPatchAnswer,
    /// What a PUT of a user does to what it leaves out.
    pub put_omitted: Omitted,
    /// Whether a user's name and email address are made of other attributes where the directory has none.
    pub derive_missing: bool,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            tolerances: ToleranceSet::all(),
            group_patch: GroupPatchAnswer::default(),
            put_omitted: Omitted::default(),
            derive_missing: false,
        }
    }
}

/// `clients.NAME.group_patch`; RFC 7644 section 3.5.2 allows both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupPatchAnswer {
    /// 204: the members may be many, and are not read.
    #[default]
    Nothing,
    /// 200 with the group.
    Resource,
}
