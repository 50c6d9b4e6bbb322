//! draft-ietf-ldapext-psearch: a search that goes on with what changes. It has no memory: what was missed stays unknown.

use std::convert::Infallible;

use ldap3::Ldap;
use ldap3::controls::RawControl;

use super::{Feed, message};
use crate::directory::{DirectoryError, FeedEvent};

/// The Persistent Search control.
pub(super) const REQUEST: &str = "2.16.840.1.113730.3.4.3";
/// The Entry Change Notification of each entry.
const CHANGE: &str = "2.16.840.1.113730.3.4.7";
/// SEQUENCE { changeTypes 15 (all of them), changesOnly TRUE, returnECs TRUE }
const ALL_CHANGES: &[u8] = b"\x30\x09\x02\x01\x0f\x01\x01\xff\x01\x01\xff";
/// The entry was removed.
const DELETED: u64 = 2;

/// Follows; returns why it ended.
pub(super) async fn follow(ldap: &Ldap, feed: &Feed<'_>) -> DirectoryError {
    let mut open = Vec::new();
    for branch in feed.branches {
        let control = RawControl { ctype: REQUEST.to_owned(), crit: true, val: Some(ALL_CHANGES.to_vec()) };
        let attributes = vec![feed.profile.id.to_owned(), feed.profile.change_mark.to_owned()];
        match message::open(&mut ldap.clone(), branch, attributes, control).await {
            Ok(stream) => open.push(stream),
            Err(error) => return error,
        }
    }
    // They are answered in order, so both searches are under way once this is.
    let mut look = ldap.clone();
    if let Err(error) = look.search("", ldap3::Scope::Base, "(objectClass=*)", ["1.1"]).await {
        return super::super::convert::failure(error);
    }
    (feed.tell)(FeedEvent::Following { seamless: false });
    let all = open.into_iter().enumerate().map(|(number, stream)| Box::pin(messages(number, stream, feed)));
    match futures_util::future::select_all(all).await.0 {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn messages(branch: usize, mut stream: message::Open<'_>, feed: &Feed<'_>) -> Result<Infallible, DirectoryError> {
    loop {
        let item = message::next(&mut stream).await?;
        if item.is_ref() || item.is_intermediate() {
            continue;
        }
        let (entry, controls) = message::entry(item)?;
        let kind = message::value(&controls, CHANGE).and_then(|parts| message::number(parts.into_iter().next()?));
        let id = entry.values(feed.profile.id).first().and_then(|value| feed.profile.id_form.read(value));
        (feed.tell)(match (id, kind) {
            (Some(id), Some(DELETED)) => FeedEvent::Gone { branch, id },
            (Some(id), Some(_)) => {
                let mark = entry.text(feed.profile.change_mark).map(str::to_owned);
                FeedEvent::Changed { branch, id, dn: entry.dn, mark }
            }
            // Which entry it is, or what became of it, cannot be read.
            (None, _) | (_, None) => FeedEvent::Untold,
        });
    }
}
