//! Which server does what. One at a time takes the writes and the reads they rest on, so that what was written is seen: the
//! first of the list that works, until it fails; then the next. Plain reads may go to replicas.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::budget::Place;
use super::config::LdapConfig;
use super::connect::Connection;
use super::difference::difference;
use super::server::{Common, Health, Link, Server};
use crate::directory::{Capabilities, DirectoryError, ResultCode, Source};
use crate::telemetry::DirectoryMetrics;

/// How long a call waits for a connection when none is up, so that a short interruption goes unnoticed.
const GRACE: Duration = Duration::from_millis(1500);
/// How long a preferred server may take for its first connection before another one begins.
const HEAD_START: Duration = Duration::from_secs(1);
/// Work returns to a preferred server in a moment without writes; after so many times as long at any moment.
const AT_ANY_MOMENT: u32 = 10;

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of `directory.urls`.
    Provider,
    /// One of `directory.replicas`.
    Replica,
}

/// What came of the first attempt to reach a server.
#[derive(Debug)]
pub struct Contact {
    /// Its address.
    pub url: Url,
    /// What it is for.
    pub role: Role,
    /// What it offers, or why it was not reached.
    pub found: Result<Arc<Capabilities>, String>,
    /// How it differs from the first one that was reached.
    pub difference: Option<String>,
    /// What it let pass when we signed in, but will not for ever, and what to do.
    pub warnings: Vec<String>,
}

/// A connection to use and a place at its server.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) server: Arc<Server>,
    pub(super) link: Arc<Link>,
    pub(super) place: Place,
    /// What the server is.
    pub(super) source: Source,
}

/// The connections to the directory.
#[derive(Debug)]
pub(super) struct Pool {
    servers: Arc<Servers>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Servers {
    common: Arc<Common>,
    providers: Vec<Arc<Server>>,
    replicas: Vec<Arc<Server>>,
    next: AtomicUsize,
    started: Instant,
    /// The provider that was chosen, by its number.
    chosen: Mutex<Option<usize>>,
    capabilities: watch::Sender<Option<Arc<Capabilities>>>,
    writes: Mutex<Writes>,
}

/// Our own writes, which a replica may not have yet.
#[derive(Debug, Default)]
struct Writes {
    under_way: usize,
    last: Option<Instant>,
}

/// A write under way.
#[derive(Debug)]
pub(super) struct Writing(Arc<Servers>);

impl Pool {
    /// Starts connecting; returns at once.
    pub(super) fn start(config: LdapConfig, tls: Arc<ClientConfig>, metrics: &DirectoryMetrics) -> Self {
        let several = config.urls.len() > 1;
        let server = |url: &Url, replaceable| Server::new(url.clone(), &config, replaceable, metrics);
        let providers: Vec<_> = config.urls.iter().map(|url| server(url, several)).collect();
        let replicas: Vec<_> = config.replicas.iter().map(|url| server(url, true)).collect();
        let common = Arc::new(Common { config, tls, changes: watch::Sender::new(0), closed: CancellationToken::new() });
        let tasks = TaskTracker::new();
        for server in providers.iter().chain(&replicas) {
            server.start(&common, &tasks);
        }
        let servers = Arc::new(Servers {
            common,
            providers,
            replicas,
            next: AtomicUsize::new(0),
            started: Instant::now(),
            chosen: Mutex::new(None),
            capabilities: watch::Sender::new(None),
            writes: Mutex::default(),
        });
        tasks.spawn(watch_over(servers.clone()));
        Self { servers, tasks }
    }

    /// What the chosen provider offers, as it becomes known.
    pub(super) fn capabilities(&self) -> watch::Receiver<Option<Arc<Capabilities>>> {
        self.servers.capabilities.subscribe()
    }

    /// A way to a server that may do it. Waits a little if none is up or all of them have enough to do.
    pub(super) async fn way(&self, source: Source, deadline: Instant) -> Result<Way, DirectoryError> {
        if source == Source::Replica
            && let Some(way) = self.servers.to_replica()
        {
            return Ok(way);
        }
        let mut changes = self.servers.common.changes.subscribe();
        let grace = deadline.min(Instant::now() + GRACE);
        loop {
            changes.borrow_and_update();
            let Some((server, link)) = self.servers.provider() else {
                // The sender lives as long as we do.
                if timeout_at(grace, changes.changed()).await.is_err() {
                    return Err(DirectoryError::NotSent(self.servers.trouble()));
                }
                continue;
            };
            let Some(place) = server.budget.place(deadline).await else {
                let diagnostic = format!("{} has as many operations as it is given at once", server.url());
                return Err(DirectoryError::Refused { code: ResultCode::Busy, diagnostic });
            };
            // While we waited for the place the connection may have gone.
            if !link.is_given_up() {
                return Ok(Way { server, link, place, source: Source::Provider });
            }
        }
    }

    /// The server that takes the writes, if one is up.
    pub(super) fn provider(&self) -> Option<Arc<Server>> {
        self.servers.provider().map(|(server, _)| server)
    }

    /// A connection of its own to a server, beside those that all share.
    pub(super) async fn connect(&self, server: &Server) -> Result<Connection, String> {
        server.connect(&self.servers.common).await.map_err(|trouble| trouble.text().to_owned())
    }

    /// What all servers have in common.
    pub(super) fn common(&self) -> &Common {
        &self.servers.common
    }

    /// Whether there is a server that could lack what was written to another.
    pub(super) fn has_other_servers(&self) -> bool {
        self.servers.all().count() > 1
    }

    /// Notes a write, until the guard is dropped and for `directory.replica_lag` after that.
    pub(super) fn writing(&self) -> Writing {
        self.servers.writes.lock().unwrap_or_else(PoisonError::into_inner).under_way += 1;
        Writing(self.servers.clone())
    }

    /// Waits until every server was tried once.
    pub(super) async fn contacts(&self) -> Vec<Contact> {
        let mut changes = self.servers.common.changes.subscribe();
        while self.servers.all().any(|(_, server)| server.health() == Health::Untried) {
            if changes.changed().await.is_err() {
                break;
            }
        }
        let first = self.servers.all().find_map(|(_, server)| server.capabilities());
        let contact = |(role, server): (Role, &Arc<Server>)| {
            let found = server.capabilities().ok_or_else(|| server.trouble().to_string());
            let difference = found.as_deref().ok().zip(first.as_deref()).and_then(|(one, other)| difference(one, other));
            let warnings = server.warning().map(|warning| warning.to_string()).into_iter().collect();
            Contact { url: server.url().clone(), role, found, difference, warnings }
        };
        self.servers.all().map(contact).collect()
    }

    /// Unbinds every connection.
    pub(super) async fn close(&self) {
        self.servers.common.closed.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.servers.common.closed.cancel();
    }
}

impl Servers {
    fn all(&self) -> impl Iterator<Item = (Role, &Arc<Server>)> {
        let providers = self.providers.iter().map(|server| (Role::Provider, server));
        providers.chain(self.replicas.iter().map(|server| (Role::Replica, server)))
    }

    /// A replica that is up and has time, unless it could lack what we wrote.
    fn to_replica(&self) -> Option<Way> {
        if self.replicas.is_empty() || !self.is_quiet() {
            return None;
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.replicas.len()).find_map(|n| {
            let server = self.replicas.get(start.wrapping_add(n) % self.replicas.len())?;
            let (link, place) = (server.link()?, server.budget.try_place()?);
            Some(Way { server: server.clone(), link, place, source: Source::Replica })
        })
    }

    /// Whether everything that was written here has had the time to get to the other servers.
    fn is_quiet(&self) -> bool {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.under_way == 0 && writes.last.is_none_or(|last| last.elapsed() >= self.common.config.replica_lag)
    }

    /// The chosen provider and one of its connections. Chooses another one where it is time to.
    fn provider(&self) -> Option<(Arc<Server>, Arc<Link>)> {
        let health: Vec<Health> = self.providers.iter().map(|server| server.health()).collect();
        let now = Instant::now();
        let may_return = |healthy: Duration| {
            let fail_back = self.common.config.fail_back;
            healthy >= fail_back && (self.is_quiet() || healthy >= fail_back * AT_ANY_MOMENT)
        };
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = choose(*chosen, &health, now, now.duration_since(self.started) < HEAD_START, may_return);
        let server = choice.and_then(|choice| self.providers.get(choice))?;
        let link = server.link()?;
        if *chosen != choice {
            *chosen = choice;
            if self.providers.len() > 1 {
                tracing::info!(server = %server.url(), "this server takes the writes from now on");
            }
            for other in &self.providers {
                other.metrics.chosen(Arc::ptr_eq(other, server));
            }
        }
        // Within the lock, so that what is told last is what holds.
        if let Some(found) = server.capabilities() {
            self.capabilities.send_if_modified(|known| {
                let changed = known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &found) && known != &found);
                if changed {
                    *known = Some(found);
                }
                changed
            });
        }
        Some((server.clone(), link))
    }

    fn trouble(&self) -> String {
        let of = |server: &Arc<Server>| format!("{}: {}", server.url(), server.trouble());
        self.providers.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut writes = self.0.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.under_way = writes.under_way.saturating_sub(1);
        writes.last = Some(Instant::now());
    }
}

/// Which provider it is to be: the one it was as long as it is up, unless it is time to return to one before it; else the first
/// that is up. In the beginning those before it are waited for a little.
fn choose(
    chosen: Option<usize>,
    health: &[Health],
    now: Instant,
    beginning: bool,
    may_return: impl Fn(Duration) -> bool,
) -> Option<usize> {
    let is_up = |health: &Health| matches!(health, Health::Up { .. });
    if let Some(chosen) = chosen.filter(|chosen| health.get(*chosen).is_some_and(is_up)) {
        let ready = |health: &Health| match health {
            Health::Up { since } => may_return(now.saturating_duration_since(*since)),
            Health::Untried | Health::Down => false,
        };
        return health.iter().take(chosen).position(ready).or(Some(chosen));
    }
    let first = health.iter().position(is_up)?;
    let awaited = beginning && chosen.is_none() && health.iter().take(first).any(|health| *health == Health::Untried);
    (!awaited).then_some(first)
}

/// Chooses when a server comes or goes, and returns to a preferred one; nobody has to ask for it. Tells where servers differ.
async fn watch_over(servers: Arc<Servers>) {
    let mut changes = servers.common.changes.subscribe();
    let mut told: Vec<Option<Arc<Capabilities>>> = vec![None; servers.all().count()];
    let pause = (servers.common.config.fail_back / 4).clamp(Duration::from_millis(50), Duration::from_secs(1));
    loop {
        changes.borrow_and_update();
        servers.provider();
        let known = servers.capabilities.borrow().clone();
        for ((_, server), told) in servers.all().zip(&mut told) {
            let found = server.capabilities();
            if let (Some(found), Some(known)) = (found, &known)
                && told.as_ref().is_none_or(|told| !Arc::ptr_eq(told, &found))
            {
                if let Some(difference) = difference(&found, known) {
                    tracing::warn!(server = %server.url(), "it differs from the server that takes the writes: {difference}");
                }
                *told = Some(found);
            }
        }
        tokio::select! {
            gone = async { changes.changed().await.is_err() } => if gone { return },
            () = sleep(pause), if servers.providers.len() > 1 => {}
            () = servers.common.closed.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_up_is_chosen_and_kept_until_it_fails() {
        let now = Instant::now();
        let up = Health::Up { since: now };
        let never = |_: Duration| false;
        let (untried, down) = (Health::Untried, Health::Down);
        assert_eq!(choose(None, &[down, up, up], now, false, never), Some(1));
        assert_eq!(choose(Some(2), &[up, up, up], now, false, never), Some(2));
        assert_eq!(choose(Some(2), &[up, up, down], now, false, never), Some(0));
        assert_eq!(choose(Some(0), &[down, down, down], now, false, never), None);
        // A preferred one gets a little time in the beginning, and only then.
        assert_eq!(choose(None, &[untried, up], now, true, never), None);
        assert_eq!(choose(None, &[down, up], now, true, never), Some(1));
        assert_eq!(choose(None, &[untried, up], now, false, never), Some(1));
    }

    #[test]
    fn work_returns_to_a_preferred_server_once_it_was_well_for_a_while() {
        let started = Instant::now();
        let now = started + Duration::from_mins(1);
        let since = |seconds| Health::Up { since: started + Duration::from_secs(seconds) };
        let half = |healthy: Duration| healthy >= Duration::from_secs(30);
        assert_eq!(choose(Some(1), &[since(40), since(0)], now, false, half), Some(1));
        assert_eq!(choose(Some(1), &[since(30), since(0)], now, false, half), Some(0));
        assert_eq!(choose(Some(2), &[Health::Down, since(10), since(0)], now, false, half), Some(1));
    }
}
