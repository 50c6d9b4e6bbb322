//! RFC 4533: a search in mode refreshAndPersist for each branch.

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::controls::{MakeCritical as _, RawControl, RefreshMode, SyncRequest};
use ldap3::{Ldap, ResultEntry};
use tokio::sync::watch;
use uuid::Uuid;

use super::super::convert;
use super::{Feed, message};
use crate::directory::{Branch, DirectoryError, Dn, FeedEvent, ResultCode};

/// The Sync Request control.
pub(super) const REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// The Sync State control of each entry.
const STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// The intermediate response Sync Info.
const INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";
/// e-syncRefreshRequired: the cookie is of no use any more.
const REFRESH_REQUIRED: u32 = 4096;
/// Where OpenLDAP says up to which change each of its servers has come.
const CONTEXT_CSN: &str = "contextCSN";

/// What each branch was last given to continue by.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Option<Vec<u8>>>);

/// Follows; returns why it ended.
pub(super) async fn follow(ldap: &Ldap, feed: &Feed<'_>, cookies: &mut Cookies) -> DirectoryError {
    // Continued only if every branch was followed before.
    let resumed = cookies.0.len() == feed.branches.len() && cookies.0.iter().all(Option::is_some);
    cookies.0.resize(feed.branches.len(), None);
    if !resumed {
        cookies.0.fill(None);
        // What there was before we came is none of our concern; told nothing, the directory would send all of it.
        let now = now(ldap, feed).await;
        cookies.0.fill(now);
    }
    let phases = watch::Sender::new(vec![Phase::Refreshing; feed.branches.len()]);
    let branches = feed.branches.iter().zip(&mut cookies.0).enumerate();
    let all = branches.map(|(number, (branch, cookie))| {
        let one = One { number, branch, feed, resumed, phases: &phases };
        Box::pin(one.follow(ldap.clone(), cookie))
    });
    futures_util::future::select_all(all).await.0
}

/// A cookie that stands for the present, as OpenLDAP makes them.
async fn now(ldap: &Ldap, feed: &Feed<'_>) -> Option<Vec<u8>> {
    let contexts = feed.capabilities.naming_contexts.iter().filter_map(|name| name.parse::<Dn>().ok());
    let mut csns: Vec<String> = Vec::new();
    for context in contexts.filter(|context| feed.branches.iter().any(|branch| branch.base.is_under(context))) {
        let mut ldap = ldap.clone();
        let found = ldap.search(&context.to_string(), ldap3::Scope::Base, "(objectClass=*)", [CONTEXT_CSN]).await.ok()?;
        let entry = convert::entry(found.0.into_iter().next()?.0).ok()?;
        csns.extend(entry.texts(CONTEXT_CSN).map(str::to_owned));
    }
    // In the order of the servers' numbers, the third part of each.
    csns.sort_by(|one, other| one.split('#').nth(2).cmp(&other.split('#').nth(2)));
    (!csns.is_empty()).then(|| format!("rid=000,csn={}", csns.join(";")).into_bytes())
}

/// How far a branch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Refreshing,
    /// Everything since the cookie was told.
    Caught,
    /// What was removed since the cookie was not told.
    CaughtWithGaps,
}

struct One<'a> {
    number: usize,
    branch: &'a Branch,
    feed: &'a Feed<'a>,
    resumed: bool,
    phases: &'a watch::Sender<Vec<Phase>>,
}

impl One<'_> {
    async fn follow(self, mut ldap: Ldap, cookie: &mut Option<Vec<u8>>) -> DirectoryError {
        let error = match self.messages(&mut ldap, cookie).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        if error.is(ResultCode::from(REFRESH_REQUIRED)) {
            *cookie = None;
        }
        error
    }

    async fn messages(&self, ldap: &mut Ldap, cookie: &mut Option<Vec<u8>>) -> Result<std::convert::Infallible, DirectoryError> {
        let request = SyncRequest { mode: RefreshMode::RefreshAndPersist, cookie: cookie.clone(), reload_hint: false };
        let control = RawControl::from(request.critical());
        let attributes = vec![self.feed.profile.change_mark.to_owned()];
        let mut stream = message::open(ldap, self.branch, attributes, control).await?;
        let malformed = || DirectoryError::Malformed("a message of the change feed is not of the protocol's form".to_owned());
        loop {
            let item = message::next(&mut stream).await?;
            if item.is_ref() {
                continue;
            }
            let new = if item.is_intermediate() {
                match Info::parse(item) {
                    Some(info) => self.info(info),
                    None => return Err(malformed()),
                }
            } else {
                let (entry, controls) = message::entry(item)?;
                let state = message::value(&controls, STATE).and_then(State::parse).ok_or_else(malformed)?;
                self.entry(&entry, &state);
                state.cookie
            };
            // Not before what it stands for was told.
            if new.is_some() {
                *cookie = new;
            }
        }
    }

    fn entry(&self, entry: &crate::directory::Entry, state: &State) {
        // The first time nothing is remembered yet that could be out of date.
        if !self.resumed && self.phase() == Phase::Refreshing {
            return;
        }
        let (branch, id) = (self.number, state.id);
        match state.kind {
            Kind::Present => {}
            Kind::Changed => {
                let mark = entry.text(self.feed.profile.change_mark).map(str::to_owned);
                (self.feed.tell)(FeedEvent::Changed { branch, id, dn: entry.dn.clone(), mark });
            }
            Kind::Gone => (self.feed.tell)(FeedEvent::Gone { branch, id }),
        }
    }

    fn info(&self, info: Info) -> Option<Vec<u8>> {
        match info {
            Info::Cookie(cookie) => Some(cookie),
            Info::Refreshed { cookie, present, done } => {
                if done {
                    self.reach(if present { Phase::CaughtWithGaps } else { Phase::Caught });
                }
                cookie
            }
            Info::Ids { cookie, gone, ids } => {
                if gone {
                    for id in ids {
                        (self.feed.tell)(FeedEvent::Gone { branch: self.number, id });
                    }
                }
                cookie
            }
        }
    }

    fn phase(&self) -> Phase {
        self.phases.borrow().get(self.number).copied().unwrap_or(Phase::Refreshing)
    }

    /// The last branch to get there tells that all are followed.
    fn reach(&self, phase: Phase) {
        self.phases.send_modify(|phases| {
            if let Some(mine) = phases.get_mut(self.number) {
                *mine = phase;
            }
        });
        let phases = self.phases.borrow();
        if phases.iter().all(|phase| *phase != Phase::Refreshing) {
            let seamless = self.resumed && phases.iter().all(|phase| *phase == Phase::Caught);
            (self.feed.tell)(FeedEvent::Following { seamless });
        }
    }
}

/// What the control of an entry says (section 2.3).
#[derive(Debug, PartialEq, Eq)]
struct State {
    kind: Kind,
    id: Uuid,
    cookie: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Present,
    Changed,
    Gone,
}

impl State {
    fn parse(parts: Vec<StructureTag>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let kind = match message::number(parts.next()?)? {
            0 => Kind::Present,
            1 | 2 => Kind::Changed,
            3 => Kind::Gone,
            _ => return None,
        };
        let id = Uuid::from_slice(&message::bytes(parts.next()?)?).ok()?;
        Some(Self { kind, id, cookie: parts.next().and_then(message::bytes) })
    }
}

/// What is said in between (section 2.5).
#[derive(Debug, PartialEq, Eq)]
enum Info {
    Cookie(Vec<u8>),
    /// What has changed was told; what was not told is there still (`present`), or is as it was.
    Refreshed {
        cookie: Option<Vec<u8>>,
        present: bool,
        done: bool,
    },
    Ids {
        cookie: Option<Vec<u8>>,
        gone: bool,
        ids: Vec<Uuid>,
    },
}

impl Info {
    /// From an IntermediateResponse (RFC 4511 section 4.13).
    fn parse(item: ResultEntry) -> Option<Self> {
        let PL::C(parts) = item.0.payload else { return None };
        let (mut name, mut value) = (None, None);
        for part in parts {
            match part.id {
                0 => name = message::bytes(part),
                1 => value = message::bytes(part),
                _ => {}
            }
        }
        if name.as_deref() != Some(INFO.as_bytes()) {
            return None;
        }
        Self::of_value(&value?)
    }

    fn of_value(value: &[u8]) -> Option<Self> {
        const OCTET_STRING: u64 = 4;
        const BOOLEAN: u64 = 1;
        const SET: u64 = 17;
        let tag = parse_tag(value).ok()?.1;
        let kind = tag.id;
        let parts = match (kind, tag.payload) {
            (0, PL::P(cookie)) => return Some(Self::Cookie(cookie)),
            (1..=3, PL::C(parts)) => parts,
            _ => return None,
        };
        let (mut cookie, mut flag, mut ids) = (None, kind != 3, Vec::new());
        for part in parts {
            match (part.id, part.payload) {
                (OCTET_STRING, PL::P(bytes)) => cookie = Some(bytes),
                (BOOLEAN, PL::P(bytes)) => flag = bytes.first().is_some_and(|byte| *byte != 0),
                (SET, PL::C(all)) => {
                    for id in all {
                        ids.push(Uuid::from_slice(&message::bytes(id)?).ok()?);
                    }
                }
                _ => return None,
            }
        }
        Some(match kind {
            1 | 2 => Self::Refreshed { cookie, present: kind == 2, done: flag },
            _ => Self::Ids { cookie, gone: flag, ids },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = [0xf8, 0xd9, 0xcd, 1, 0xe4, 0x57, 0x11, 0xf0, 0x8d, 0x5d, 0xbf, 0x0a, 0, 0x11, 0x22, 0x33];

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(value.len()).unwrap()], value].concat()
    }

    #[test]
    fn the_state_of_an_entry_is_read() {
        let value = |state: u8, cookie: &[u8]| tlv(0x30, &[tlv(10, &[state]), tlv(4, &ID), cookie.to_vec()].concat());
        let parse = |value: &[u8]| message::parts(value).and_then(State::parse);
        let id = Uuid::from_bytes(ID);
        assert_eq!(parse(&value(2, &tlv(4, b"c"))), Some(State { kind: Kind::Changed, id, cookie: Some(b"c".to_vec()) }));
        assert_eq!(parse(&value(3, &[])), Some(State { kind: Kind::Gone, id, cookie: None }));
        assert_eq!(parse(&value(9, &[])), None);
        assert_eq!(parse(&tlv(0x30, &tlv(10, &[1]))), None);
        assert_eq!(parse(b"\x04\x01x"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn what_is_said_in_between_is_read() {
        let done = tlv(0xa1, &tlv(4, b"c"));
        assert_eq!(Info::of_value(&done), Some(Info::Refreshed { cookie: Some(b"c".to_vec()), present: false, done: true }));
        let present = tlv(0xa2, &tlv(1, &[0]));
        assert_eq!(Info::of_value(&present), Some(Info::Refreshed { cookie: None, present: true, done: false }));
        let ids = tlv(0xa3, &[tlv(1, &[0xff]), tlv(0x31, &tlv(4, &ID))].concat());
        assert_eq!(Info::of_value(&ids), Some(Info::Ids { cookie: None, gone: true, ids: vec![Uuid::from_bytes(ID)] }));
        assert_eq!(Info::of_value(&tlv(0x80, b"new")), Some(Info::Cookie(b"new".to_vec())));
        for bad in [tlv(0xa3, &tlv(0x31, &tlv(4, b"short"))), tlv(0xa4, b""), tlv(0xa1, &tlv(2, b"x")), b"\xa1\x7f".to_vec()] {
            assert_eq!(Info::of_value(&bad), None, "{bad:?}");
        }
    }
}
