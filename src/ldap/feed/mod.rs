//! The change feed: what other LDAP clients change is told as soon as the directory knows it. On a connection of its own to the
//! server that takes the writes, for that is where what is remembered was read.

mod content_sync;
mod message;
mod persistent_search;
mod usn;

use std::sync::Arc;
use std::time::Duration;

use ldap3::Ldap;
use tokio::time::{Instant, sleep, timeout};

use self::content_sync::Cookies;
use super::client::LdapDirectory;
use super::connect::Connection;
use super::server::Server;
use crate::directory::profile::Profile;
use crate::directory::{Branch, Capabilities, DirectoryError, FeedEvent, Vendor};

/// The first pause after a feed was lost; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A feed that held for so long was a good one: the next pause is the first again.
const GOOD: Duration = Duration::from_mins(1);
/// How often a silent feed is asked whether its connection still is one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How often it is looked whether another server takes the writes.
const LOOK: Duration = Duration::from_secs(1);

/// How a directory tells its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// RFC 4533: it sends them, and knows from a cookie what was missed.
    ContentSync,
    /// draft-ietf-ldapext-psearch: it sends them.
    PersistentSearch,
    /// It numbers them, and is asked for those with higher numbers ([MS-ADTS] section 3.1.1.1.9).
    UpdateSequence,
}

impl Way {
    fn of(capabilities: &Capabilities) -> Option<Self> {
        let searches = capabilities.has_control(persistent_search::REQUEST);
        // 389 2.3 ended by itself when its Content Synchronization plug-in was used under load.
        if searches && capabilities.vendor == Vendor::Ds389 {
            Some(Self::PersistentSearch)
        } else if capabilities.has_control(content_sync::REQUEST) {
            Some(Self::ContentSync)
        } else if searches {
            Some(Self::PersistentSearch)
        } else if capabilities.vendor == Vendor::ActiveDirectory {
            Some(Self::UpdateSequence)
        } else {
            None
        }
    }
}

/// What every way needs.
struct Feed<'a> {
    branches: &'a [Branch],
    profile: &'static Profile,
    capabilities: &'a Capabilities,
    tell: &'a (dyn Fn(FeedEvent) + Sync),
}

impl LdapDirectory {
    /// Whether such a directory can tell what others change.
    pub fn tells_changes(capabilities: &Capabilities) -> bool {
        Way::of(capabilities).is_some()
    }

    /// Follows the changes for ever: connects to the server that takes the writes, and anew when it is lost or another one does.
    pub(super) async fn follow_changes(&self, branches: &[Branch], tell: &(dyn Fn(FeedEvent) + Sync)) {
        let mut capabilities = self.watch();
        let mut pause = FIRST_PAUSE;
        // Cookies are those of one server.
        let mut known: Option<(Arc<Server>, Cookies)> = None;
        loop {
            let found = capabilities.borrow_and_update().clone();
            let Some((server, found)) = self.pool.provider().zip(found) else {
                // A server that comes is chosen, and what it offers told.
                let _ = timeout(LOOK, capabilities.changed()).await;
                continue;
            };
            let Some(way) = Way::of(&found) else {
                tell(FeedEvent::Unavailable);
                if capabilities.changed().await.is_err() {
                    return std::future::pending().await;
                }
                continue;
            };
            let mut cookies = match known.take() {
                Some((last, cookies)) if Arc::ptr_eq(&last, &server) => cookies,
                Some(_) | None => Cookies::default(),
            };
            let feed = Feed { branches, profile: Profile::of(&found), capabilities: &found, tell };
            let started = Instant::now();
            let lost = self.session(&server, way, &feed, &mut cookies).await;
            tracing::warn!(server = %server.url(), "the directory's change feed was lost: {lost}");
            tell(FeedEvent::Lost(lost));
            known = Some((server, cookies));
            pause = if started.elapsed() > GOOD { FIRST_PAUSE } else { pause };
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// One connection's worth of it; says why it ended.
    async fn session(&self, server: &Arc<Server>, way: Way, feed: &Feed<'_>, cookies: &mut Cookies) -> String {
        let Connection { ldap, driver, .. } = match self.pool.connect(server).await {
            Ok(connection) => connection,
            Err(trouble) => return trouble,
        };
        let following = async {
            match way {
                Way::ContentSync => content_sync::follow(&ldap, feed, cookies).await,
                Way::PersistentSearch => persistent_search::follow(&ldap, feed).await,
                Way::UpdateSequence => usn::follow(&ldap, feed).await,
            }
        };
        let lost = tokio::select! {
            error = following => explain(&error),
            lost = self.watched(server, &ldap) => lost,
        };
        let _ = ldap.clone().with_timeout(LOOK).unbind().await;
        driver.abort();
        lost
    }

    /// Returns when the connection is dead, or when another server takes the writes.
    async fn watched(&self, server: &Arc<Server>, ldap: &Ldap) -> String {
        let mut asked = Instant::now();
        loop {
            sleep(LOOK).await;
            if self.pool.provider().is_some_and(|chosen| !Arc::ptr_eq(&chosen, server)) {
                return "another server takes the writes".to_owned();
            }
            if asked.elapsed() >= SIGN_OF_LIFE {
                let mut ldap = ldap.clone();
                let ask =
                    ldap.with_timeout(self.timeout.min(SIGN_OF_LIFE)).search("", ldap3::Scope::Base, "(objectClass=*)", ["1.1"]);
                if let Err(error) = ask.await {
                    return format!("no sign of life: {error}");
                }
                asked = Instant::now();
            }
        }
    }
}

/// What a refusal of the feed means to the administrator.
fn explain(error: &DirectoryError) -> String {
    match error {
        DirectoryError::Refused { .. } => format!(
            "{error}; the account of directory.bind_dn needs the right to read users.base and groups.base, and to keep a search open"
        ),
        DirectoryError::NotSent(_) | DirectoryError::Unknown(_) | DirectoryError::Malformed(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::directory::Subschema;

    #[test]
    fn the_better_way_is_taken_where_there_are_two() {
        let of = |vendor, controls: &[&str]| {
            let controls: HashSet<String> = controls.iter().map(|oid| (*oid).to_owned()).collect();
            let (product, naming_contexts, schema) = (String::new(), Vec::new(), Subschema::default());
            Way::of(&Capabilities { vendor, product, usn: false, controls, naming_contexts, schema })
        };
        let both = [persistent_search::REQUEST, content_sync::REQUEST];
        assert_eq!(of(Vendor::Ds389, &both), Some(Way::PersistentSearch));
        assert_eq!(of(Vendor::Ds389, &both[1..]), Some(Way::ContentSync));
        assert_eq!(of(Vendor::Unknown, &both), Some(Way::ContentSync));
        assert_eq!(of(Vendor::Unknown, &both[..1]), Some(Way::PersistentSearch));
        assert_eq!(of(Vendor::ActiveDirectory, &[]), Some(Way::UpdateSequence));
        assert_eq!(of(Vendor::Unknown, &[]), None);
    }
}
