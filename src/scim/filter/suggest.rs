//! "Did you mean": the attribute whose name is nearest to an unknown one.

use crate::scim::text::edit_distance;
use crate::scim::{BoundPath, ResourceType};

/// Longest name worth comparing, in bytes. Names are shorter; a client's text may be anything.
const LONGEST: usize = 96;

/// The attribute or sub-attribute spelt most like `text`, if one is at most two letters away.
pub(crate) fn closest(text: &str, ty: &ResourceType) -> Option<String> {
    let wanted = text.to_ascii_lowercase();
    if wanted.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, String)> = None;
    let mut consider = |path: &BoundPath| {
        let full = path.to_string();
        let short =
            full.strip_prefix(path.extension.as_deref().unwrap_or_default()).map_or(&*full, |s| s.trim_start_matches(':'));
        let distance =
            edit_distance(&wanted, &short.to_ascii_lowercase()).min(edit_distance(&wanted, &full.to_ascii_lowercase()));
        if distance <= 2 && distance * 2 <= wanted.len() && best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, full));
        }
    };
    for path in ty.attributes() {
        consider(&path);
        for sub in &path.attribute.sub_attributes {
            consider(&path.with_sub(sub.clone()));
        }
    }
    for common in ["id", "meta.created", "meta.lastModified", "meta.location", "meta.version"] {
        if let Some(path) = ty.resolve_str(common) {
            consider(&path);
        }
    }
    best.map(|(_, name)| name)
}
