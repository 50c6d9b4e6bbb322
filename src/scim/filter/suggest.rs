//! "Did you mean": the attribute whose name is nearest to an unknown one.

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
        let distance = distance(&wanted, &short.to_ascii_lowercase()).min(distance(&wanted, &full.to_ascii_lowercase()));
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

/// Letters to insert, delete or change to make one of the other.
fn distance(from: &str, to: &str) -> usize {
    if from.len().abs_diff(to.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in to.bytes().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
