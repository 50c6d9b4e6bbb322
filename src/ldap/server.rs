//! One server: a few long-lived connections, each kept up by a supervisor of its own, its health, and its budget. A connection
//! carries many operations at once, so nothing is checked out: a call takes the next one that is up.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use ldap3::{Ldap, Scope};
use rustls::ClientConfig;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::budget::Budget;
use super::config::LdapConfig;
use super::connect::{Connection, connect};
use super::door::{Door, FIRST_REFUSED};
use super::sign_in::Trouble;
use crate::directory::Capabilities;
use crate::telemetry::{DirectoryMetrics, ServerMetrics};

/// The first pause after a failed attempt to connect; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How long a server that stands alone may be silent before its connection is given up.
const ALONE: Duration = Duration::from_secs(3);

const CLOSING: &str = "we are closing";

/// One connection that is up.
#[derive(Debug)]
pub(super) struct Link {
    ldap: Ldap,
    suspect: Notify,
    given_up: AtomicBool,
}

impl Link {
    /// A handle for one operation.
    pub(super) fn handle(&self) -> Ldap {
        self.ldap.clone()
    }

    /// Has the supervisor ask for a sign of life now.
    pub(super) fn suspect(&self) {
        self.suspect.notify_one();
    }

    /// Takes it out of use.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.suspect.notify_one();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// The first attempt is under way.
    Untried,
    /// No connection is up.
    Down,
    /// At least one is, without a break.
    Up {
        /// Since when.
        since: Instant,
    },
}

/// What all servers have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) config: LdapConfig,
    pub(super) tls: Arc<ClientConfig>,
    /// Told whenever a server comes or goes.
    pub(super) changes: watch::Sender<u64>,
    pub(super) closed: CancellationToken,
}

impl Common {
    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// A directory server.
#[derive(Debug)]
pub(super) struct Server {
    url: Url,
    /// Whether another one can do its work.
    replaceable: bool,
    slots: Vec<ArcSwapOption<Link>>,
    next: AtomicUsize,
    /// Answers that came, whatever to: a server that answers anything is not away.
    answers: AtomicU64,
    state: Mutex<State>,
    capabilities: ArcSwapOption<Capabilities>,
    trouble: ArcSwap<String>,
    /// What it let pass when we last signed in.
    warning: ArcSwapOption<String>,
    /// Held by whoever connects while nothing is up, so that one attempt shows what is wrong.
    door: tokio::sync::Mutex<Door>,
    pub(super) budget: Arc<Budget>,
    pub(super) metrics: ServerMetrics,
}

#[derive(Debug)]
struct State {
    up: usize,
    health: Health,
}

impl Server {
    pub(super) fn new(url: Url, config: &LdapConfig, replaceable: bool, metrics: &DirectoryMetrics) -> Arc<Self> {
        let (budget, metrics) = (metrics.server(url.as_str()), metrics.server(url.as_str()));
        let connections = config.connections.max(1);
        metrics.connections_wanted(connections);
        Arc::new(Self {
            slots: (0..connections).map(|_| ArcSwapOption::empty()).collect(),
            next: AtomicUsize::new(0),
            answers: AtomicU64::new(0),
            state: Mutex::new(State { up: 0, health: Health::Untried }),
            capabilities: ArcSwapOption::empty(),
            trouble: ArcSwap::from_pointee("no connection has been made yet".to_owned()),
            warning: ArcSwapOption::empty(),
            door: tokio::sync::Mutex::default(),
            budget: Budget::new(config.max_operations, budget),
            metrics,
            url,
            replaceable,
        })
    }

    /// Starts the supervisors; returns at once.
    pub(super) fn start(self: &Arc<Self>, common: &Arc<Common>, supervisors: &TaskTracker) {
        for slot in 0..self.slots.len() {
            supervisors.spawn(supervise(self.clone(), common.clone(), slot));
        }
    }

    /// Its address.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The next connection that is up.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = |n: usize| self.slots.get(start.wrapping_add(n) % self.slots.len()).and_then(ArcSwapOption::load_full);
        (0..self.slots.len()).filter_map(slot).find(|link| !link.is_given_up())
    }

    pub(super) fn health(&self) -> Health {
        let health = self.state().health;
        // Between the verdict on a server and the end of its connections it is down.
        if matches!(health, Health::Up { .. }) && self.links().all(|link| link.is_given_up()) { Health::Down } else { health }
    }

    /// Why the last attempt failed, or the last connection was lost.
    pub(super) fn trouble(&self) -> Arc<String> {
        self.trouble.load_full()
    }

    /// What it let pass when we last signed in, but will not for ever.
    pub(super) fn warning(&self) -> Option<Arc<String>> {
        self.warning.load_full()
    }

    /// What it offers, once it has been reached.
    pub(super) fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.capabilities.load_full()
    }

    /// Notes that it has answered.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks all its connections for a sign of life, for one of them is slow to answer.
    pub(super) fn suspect(&self) {
        self.links().for_each(|link| link.suspect());
    }

    /// Takes all its connections out of use: nothing comes from it any more.
    fn give_up(&self) {
        self.links().for_each(|link| link.give_up());
    }

    fn links(&self) -> impl Iterator<Item = Arc<Link>> {
        self.slots.iter().filter_map(ArcSwapOption::load_full)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_up(&self) -> bool {
        self.state().up > 0
    }

    /// Connects. While nothing is up, one after the other: a wrong password is sent once, not by each supervisor.
    pub(super) async fn connect(&self, common: &Common) -> Result<Connection, Trouble> {
        let mut door = self.door.lock().await;
        if let Some(opens) = door.opens {
            sleep_until(opens).await;
        }
        let ask = !self.is_up();
        let outcome = if ask || door.opens.is_some() {
            let outcome = connect(&self.url, &common.config, &common.tls, ask).await;
            door.learn(&outcome);
            outcome
        } else {
            drop(door);
            let outcome = connect(&self.url, &common.config, &common.tls, ask).await;
            if matches!(outcome, Err(Trouble::Refused(_))) {
                self.door.lock().await.learn(&outcome);
            }
            outcome
        };
        let (connection, found) = outcome?;
        if let Some(found) = found {
            // Whoever comes first after all were down asks what it offers: it may have been changed meanwhile.
            self.capabilities.store(Some(Arc::new(found)));
        }
        self.warning.store(connection.warning.clone().map(Arc::new));
        Ok(connection)
    }

    fn note(&self, trouble: String) {
        self.trouble.store(Arc::new(trouble));
    }

    fn was_tried(&self) {
        let mut state = self.state();
        if state.health == Health::Untried {
            state.health = Health::Down;
        }
    }

    fn came_up(&self) {
        let mut state = self.state();
        state.up += 1;
        if !matches!(state.health, Health::Up { .. }) {
            state.health = Health::Up { since: Instant::now() };
        }
    }

    fn went_down(&self) {
        let mut state = self.state();
        state.up = state.up.saturating_sub(1);
        if state.up == 0 {
            state.health = Health::Down;
        }
    }

    /// Asks for a sign of life. A server that can be replaced and answers nothing at all is given up soon; one that answers
    /// others is busy, and is waited for as long as any operation is.
    async fn sign_of_life(&self, config: &LdapConfig, link: &Link) -> Result<(), String> {
        let mut ldap = link.handle();
        let ask = ldap.with_timeout(config.timeout).search("", Scope::Base, "(objectClass=*)", ["1.1"]);
        tokio::pin!(ask);
        let silence = config.timeout.min(if self.replaceable { config.probe_timeout } else { ALONE });
        let answer = loop {
            let before = self.answers.load(Ordering::Relaxed);
            if let Ok(answer) = timeout(silence, &mut ask).await {
                break answer;
            }
            if self.answers.load(Ordering::Relaxed) == before {
                self.give_up();
                return Err(format!("no sign of life for {silence:?}"));
            }
        };
        answer.map(|_| self.answered()).map_err(|error| format!("no sign of life: {error}"))
    }
}

async fn supervise(server: Arc<Server>, common: Arc<Common>, slot: usize) {
    let mut pause = FIRST_PAUSE;
    while !common.closed.is_cancelled() {
        let attempt = tokio::select! {
            attempt = server.connect(&common) => attempt,
            () = common.closed.cancelled() => return,
        };
        match attempt {
            Ok(connection) => {
                pause = FIRST_PAUSE;
                keep(&server, &common, slot, connection).await;
            }
            Err(trouble) => {
                server.metrics.connection_failed();
                match &trouble {
                    Trouble::Away(text) => tracing::warn!(server = %server.url, slot, "no connection to the directory: {text}"),
                    Trouble::Refused(text) => {
                        tracing::error!(server = %server.url, "{text}; tried again after {} s or more", FIRST_REFUSED.as_secs());
                    }
                }
                server.note(trouble.text().to_owned());
                server.was_tried();
                common.changed();
                // Spread over half the pause, so that several gateways do not knock in step.
                let jitter = f64::from(u32::try_from(slot % 8).unwrap_or_default()) / 16.0;
                tokio::select! {
                    () = sleep(pause.mul_f64(0.5 + jitter)) => {}
                    () = common.closed.cancelled() => return,
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

/// Offers a connection to callers until it is lost or we close.
async fn keep(server: &Server, common: &Common, slot: usize, Connection { ldap, mut driver, .. }: Connection) {
    let link = Arc::new(Link { ldap, suspect: Notify::new(), given_up: AtomicBool::new(false) });
    let Some(place) = server.slots.get(slot) else { return };
    place.store(Some(link.clone()));
    server.came_up();
    common.changed();
    let counted = server.metrics.connection();
    tracing::info!(server = %server.url, slot, "connected to the directory");
    // A server to which work could go or return must be known to be well.
    let config = &common.config;
    let keepalive = if server.replaceable { config.keepalive.min(config.fail_back / 2) } else { config.keepalive };
    let lost = loop {
        tokio::select! {
            ended = &mut driver => break match ended {
                Ok(Ok(())) => "the server closed it".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "an answer could not be read".to_owned(),
            },
            () = sleep(keepalive) => {}
            () = link.suspect.notified() => {}
            () = common.closed.cancelled() => break CLOSING.to_owned(),
        }
        if link.is_given_up() {
            break "no sign of life".to_owned();
        }
        let alive = tokio::select! {
            alive = server.sign_of_life(config, &link) => alive,
            () = common.closed.cancelled() => break CLOSING.to_owned(),
        };
        if let Err(lost) = alive {
            break lost;
        }
    };
    link.give_up();
    place.store(None);
    server.went_down();
    drop(counted);
    if common.closed.is_cancelled() {
        let _ = link.handle().with_timeout(Duration::from_secs(1)).unbind().await;
    } else {
        tracing::warn!(server = %server.url, slot, "a connection to the directory was lost: {lost}");
        server.metrics.connection_failed();
        server.note(lost);
    }
    driver.abort();
    common.changed();
}
