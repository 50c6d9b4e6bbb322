//! What the ways of following have in common: a search that stays open, and the values of its controls. The library's own parsers
//! of these panic on what they do not expect.

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::controls::{Control, RawControl};
use ldap3::{Ldap, ResultEntry, SearchStream};

use super::super::convert;
use crate::directory::{Branch, DirectoryError, Entry};

/// A search that stays open.
pub(super) type Open<'a> = SearchStream<'a, String, Vec<String>>;

/// Begins one.
pub(super) async fn open<'a>(
    ldap: &mut Ldap,
    branch: &Branch,
    attributes: Vec<String>,
    control: RawControl,
) -> Result<Open<'a>, DirectoryError> {
    let (base, filter) = (branch.base.to_string(), branch.filter.to_string());
    let search = ldap.with_controls(control).streaming_search(&base, ldap3::Scope::Subtree, &filter, attributes);
    search.await.map_err(convert::failure)
}

/// The next message; an error when the search has ended.
pub(super) async fn next(stream: &mut Open<'_>) -> Result<ResultEntry, DirectoryError> {
    match stream.next().await.map_err(convert::failure)? {
        Some(item) => Ok(item),
        None => match convert::result(stream.finish().await) {
            Ok(_) => Err(DirectoryError::Unknown("the directory ended it".to_owned())),
            Err(error) => Err(error),
        },
    }
}

/// An entry that was told, with its controls.
pub(super) fn entry(item: ResultEntry) -> Result<(Entry, Vec<Control>), DirectoryError> {
    Ok((convert::entry(item.0)?, item.1))
}

/// The parts of a control's value, which is a SEQUENCE.
pub(super) fn value(controls: &[Control], oid: &str) -> Option<Vec<StructureTag>> {
    let found = controls.iter().find(|Control(_, raw)| raw.ctype == oid)?;
    parts(found.1.val.as_deref()?)
}

/// The parts of a value that is constructed.
pub(super) fn parts(value: &[u8]) -> Option<Vec<StructureTag>> {
    match parse_tag(value).ok()?.1.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

/// The bytes of a part that is primitive.
pub(super) fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// A small number.
pub(super) fn number(tag: StructureTag) -> Option<u64> {
    let bytes = bytes(tag).filter(|bytes| !bytes.is_empty() && bytes.len() <= 8)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
