//! Who has signed in, in memory: a restart signs everybody out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::form::Form;
use crate::secret::Secret;

/// The cookie of a session.
pub(super) const SESSION: &str = "scimgate_console";
/// From the sign-in, whatever is done meanwhile.
pub(super) const LIFETIME: Duration = Duration::from_hours(4);
/// When there are more, the oldest ends.
const MOST: usize = 64;

/// 256 random bits.
///
/// # Errors
/// The operating system gives none.
pub(super) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two tokens are one; the time it takes tells nothing.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// A cookie's value.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// What is told on the next page, once.
#[derive(Debug)]
pub(super) enum Notice {
    Done(String),
    Failed(Vec<String>),
    /// A key, or a client's secret, that was made: it is shown nowhere else.
    Made {
        name: String,
        secret: Secret,
        is_client: bool,
    },
}

#[derive(Debug)]
struct Session {
    /// Asked again with every request, so that a key that was revoked ends its sessions.
    key: Secret,
    token: Arc<str>,
    began: Instant,
    notice: Option<Notice>,
}

/// By the hash of their cookies.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// A request of somebody who has signed in.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) id: [u8; 32],
    /// By which key that one did.
    pub(super) key: Secret,
    /// The client that has it.
    pub(super) by: Arc<str>,
    /// What forms of this session carry.
    pub(super) token: Arc<str>,
}

impl Visit {
    /// Whether a form was drawn for this session.
    pub(super) fn is_meant(&self, form: &Form) -> bool {
        is_same(form.text("token"), &self.token)
    }
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        // Nothing panics while it is held.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.began.elapsed() < LIFETIME);
        all
    }

    /// Whether one has not ended.
    pub(super) fn is_open(&self, visit: &Visit) -> bool {
        self.all().contains_key(&visit.id)
    }

    /// Begins one; the value of its cookie.
    pub(super) fn begin(&self, key: Secret) -> Result<String, getrandom::Error> {
        let (cookie, token) = (random()?, random()?.into());
        let mut all = self.all();
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.began).map(|(id, _)| *id)
        {
            all.remove(&oldest);
        }
        all.insert(id(&cookie), Session { key, token, began: Instant::now(), notice: None });
        Ok(cookie)
    }

    /// The session of a cookie, in the name of nobody yet.
    pub(super) fn find(&self, cookie: &str) -> Option<Visit> {
        let id = id(cookie);
        let all = self.all();
        let session = all.get(&id)?;
        Some(Visit { id, key: session.key.clone(), by: "".into(), token: session.token.clone() })
    }

    pub(super) fn end(&self, visit: &Visit) {
        self.all().remove(&visit.id);
    }

    pub(super) fn tell(&self, visit: &Visit, notice: Notice) {
        if let Some(session) = self.all().get_mut(&visit.id) {
            session.notice = Some(notice);
        }
    }

    /// What is to be told, which is then forgotten.
    pub(super) fn told(&self, visit: &Visit) -> Option<Notice> {
        self.all().get_mut(&visit.id).and_then(|session| session.notice.take())
    }
}

fn id(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}
