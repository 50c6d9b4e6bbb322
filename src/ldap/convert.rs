//! Between `ldap3`'s types and ours. Nothing here panics on what a server sends.

use std::collections::HashSet;

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{LdapError, LdapResult, Mod};

use crate::directory::{DirectoryError, Entry, Modification, ModifyOp, ResultCode, Written};

/// Values of an attribute that were not sent with the others ([MS-ADTS] section 3.1.1.3.1.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) attribute: String,
    /// The number of the first one, from zero.
    pub(super) from: usize,
}

/// An entry from a SearchResultEntry (RFC 4511 section 4.5.2), which a read-back control carries too.
pub(super) fn entry(tag: StructureTag) -> Result<Entry, DirectoryError> {
    ranged_entry(tag).map(|(entry, _)| entry)
}

/// The same, with what is missing of it.
pub(super) fn ranged_entry(tag: StructureTag) -> Result<(Entry, Vec<Rest>), DirectoryError> {
    let malformed = || DirectoryError::Malformed("a search result entry is not of the protocol's form".to_owned());
    let mut parts = constructed(tag).ok_or_else(malformed)?.into_iter();
    let dn = parts.next().and_then(text).ok_or_else(malformed)?;
    let dn = dn.parse().map_err(|error| DirectoryError::Malformed(format!("an entry's name: {error}")))?;
    let (mut entry, mut missing) = (Entry::new(dn), Vec::new());
    for attribute in parts.next().and_then(constructed).ok_or_else(malformed)? {
        let mut parts = constructed(attribute).ok_or_else(malformed)?.into_iter();
        let name = parts.next().and_then(text).ok_or_else(malformed)?;
        let values = parts.next().and_then(constructed).ok_or_else(malformed)?;
        let values = values.into_iter().filter_map(primitive).collect();
        // Most names have no options.
        let Some((name, range)) = name.find(';').and_then(|_| name.split_once(";range=")) else {
            entry.push_values(name, values);
            continue;
        };
        entry.push(name, values);
        if let Some((_, last)) = range.split_once('-').filter(|(_, last)| *last != "*") {
            let last: usize = last.parse().map_err(|_| malformed())?;
            missing.push(Rest { attribute: name.to_owned(), from: last.checked_add(1).ok_or_else(malformed)? });
        }
    }
    Ok((entry, missing))
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    primitive(tag).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The entries in the response controls for what was before and what is after a write (RFC 4527).
pub(super) fn read(controls: &[Control]) -> Result<Written, DirectoryError> {
    let entry_in = |raw: &RawControl| {
        let Some(value) = raw.val.as_deref() else { return Ok(None) };
        let (_, tag) = parse_tag(value).map_err(|_| DirectoryError::Malformed("a read control's value".to_owned()))?;
        entry(tag).map(Some)
    };
    let mut read = Written::default();
    for Control(kind, raw) in controls {
        match kind {
            Some(ControlType::PreReadResp) => read.before = entry_in(raw)?,
            Some(ControlType::PostReadResp) => read.after = entry_in(raw)?,
            Some(_) | None => {}
        }
    }
    Ok(read)
}

/// What asks for the next page, if there is one (RFC 2696 section 3).
pub(super) fn next_page(controls: &[Control]) -> Option<Vec<u8>> {
    let found = controls.iter().find(|Control(kind, _)| matches!(kind, Some(ControlType::PagedResults)));
    let raw = found.map(|Control(_, raw)| raw).filter(|raw| raw.val.is_some())?;
    let PagedResults { cookie, .. } = raw.parse();
    Some(cookie).filter(|cookie| !cookie.is_empty())
}

/// A result that is not success, as an error.
pub(super) fn result(result: LdapResult) -> Result<Vec<Control>, DirectoryError> {
    match ResultCode::from(result.rc) {
        ResultCode::Success => Ok(result.ctrls),
        code => Err(DirectoryError::Refused { code, diagnostic: result.text }),
    }
}

/// What an error of the library says of the operation's effect. Where that is not certain, it is unknown.
pub(super) fn failure(error: LdapError) -> DirectoryError {
    match error {
        // The connection's task had ended before it took the operation.
        LdapError::OpSend { .. } => DirectoryError::NotSent("the connection was lost".to_owned()),
        LdapError::LdapResult { result: refused } => match result(refused) {
            Err(error) => error,
            Ok(_) => DirectoryError::Malformed("success given as an error".to_owned()),
        },
        LdapError::FilterParsing => DirectoryError::Malformed("a filter of ours was not taken".to_owned()),
        LdapError::AddNoValues => DirectoryError::Malformed("an attribute without values was to be added".to_owned()),
        LdapError::Timeout { .. } => DirectoryError::Unknown("it took longer than the configured time".to_owned()),
        LdapError::ResultRecv { .. } | LdapError::EndOfStream => DirectoryError::Unknown("the connection was lost".to_owned()),
        other => DirectoryError::Unknown(other.to_string()),
    }
}

/// Modifications in the library's form, borrowing names and values.
pub(super) fn modifications(changes: &[Modification]) -> Vec<Mod<&[u8]>> {
    changes
        .iter()
        .map(|change| {
            let (attribute, values) = (change.attribute.as_bytes(), change.values.iter().map(Vec::as_slice).collect());
            match change.op {
                ModifyOp::Add => Mod::Add(attribute, values),
                ModifyOp::Delete => Mod::Delete(attribute, values),
                ModifyOp::Replace => Mod::Replace(attribute, values),
            }
        })
        .collect()
}

/// An entry's attributes in the library's form.
pub(super) fn attributes(entry: &Entry) -> Vec<(&[u8], HashSet<&[u8]>)> {
    entry.attributes().map(|(name, values)| (name.as_bytes(), values.iter().map(Vec::as_slice).collect())).collect()
}
