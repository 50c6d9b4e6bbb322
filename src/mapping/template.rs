//! Values that are made of others.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::scim::text::prepare;
use crate::scim::{BoundPath, Resource, ResourceType};

/// Text with `{path}` in it.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Path(BoundPath),
    /// What is before an `@`, without what an account name may not have, and no longer than so many characters.
    Account(BoundPath, usize),
    /// A number that follows from it, within a range.
    Number(BoundPath, Range<u32>),
}

impl Template {
    pub(super) fn parse(text: &str, ty: &ResourceType) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (path, tail) = after.split_once('}').ok_or_else(|| format!("`{text}`: a brace is not closed"))?;
            let (path, form) = path.split_once('|').map_or((path, None), |(path, form)| (path, Some(form)));
            let path = ty.resolve_str(path).ok_or_else(|| format!("`{text}`: `{path}` is no attribute"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match form {
                None => Piece::Path(path),
                Some(form) => {
                    let words: Vec<&str> = form.split(' ').collect();
                    let of_account = |length: &str| Some(Piece::Account(path.clone(), length.parse().ok()?));
                    let of_number =
                        |from: &str, to: &str| Some(Piece::Number(path.clone(), from.parse().ok()?..to.parse().ok()?));
                    let piece = match words.as_slice() {
                        ["account", length] => of_account(length),
                        ["number", from, to] => of_number(from, to),
                        _ => None,
                    };
                    piece.ok_or_else(|| {
                        format!("`{text}`: after `|` comes `account` and how many characters, or `number` and a range")
                    })?
                }
            });
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text; `None` where something it is made of is missing, or nothing is left.
    pub(super) fn fill(&self, resource: &Resource) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Path(path) => text.push_str(resource.values(path).first().and_then(|value| value.as_str())?),
                Piece::Account(path, longest) => {
                    text.push_str(&account(resource.values(path).first().and_then(|value| value.as_str())?, *longest));
                }
                Piece::Number(path, range) => {
                    text.push_str(&number(resource.values(path).first().and_then(|value| value.as_str())?, range).to_string());
                }
            }
        }
        Some(text).filter(|text| !text.trim().is_empty())
    }
}

/// An account name made of a longer one ([MS-SAMR] section 3.1.1.6: what it may not have).
fn account(name: &str, longest: usize) -> String {
    let local = name.split('@').next().unwrap_or_default();
    let fit = |c: char| if c.is_control() || "\"/\\[]:;|=,+*?<>".contains(c) { '_' } else { c };
    local.trim().chars().map(fit).take(longest).collect::<String>().trim_end_matches(['.', ' ']).to_owned()
}

/// A number of the range that follows from a name, whatever its case.
fn number(name: &str, range: &Range<u32>) -> u32 {
    let digest = Sha256::digest(prepare(name, false));
    let high = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let size = u64::from(range.end.saturating_sub(range.start)).max(1);
    // Less than the size of the range, which is a u32's.
    range.start + u32::try_from(high % size).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{account, number};

    #[test]
    fn a_number_follows_from_a_name() {
        let of = |name: &str| number(name, &(1000..1010));
        assert_eq!(of("Staff"), of("staff"));
        let some: std::collections::HashSet<u32> = (0..100).map(|n| of(&n.to_string())).collect();
        assert_eq!(some, (1000..1010).collect());
        assert_eq!(number("x", &(7..7)), 7);
    }

    #[test]
    fn an_account_name_has_only_what_it_may_have() {
        for (name, expected) in [
            ("ana.ruiz@corp.example", "ana.ruiz"),
            ("Ops: [east]", "Ops_ _east_"),
            ("abcdefghijklmnopqrst.uvw@x", "abcdefghijklmnopqrst"),
            ("abcdefghijklmnopqrs..uvw@x", "abcdefghijklmnopqrs"),
            ("@x", ""),
        ] {
            assert_eq!(account(name, 20), expected, "{name}");
        }
    }
}
