//! A few long-lived connections, each kept up by a supervisor of its own. A connection carries many operations at once, so
//! nothing is checked out: a call takes the next one that is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, StdStream};
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::config::LdapConfig;
use super::{convert, probe};
use crate::directory::{Capabilities, DirectoryError};
use crate::telemetry::Metrics;

/// The first pause after a failed attempt to connect; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How long a call waits for a connection when none is up, so that a short interruption goes unnoticed.
const GRACE: Duration = Duration::from_millis(1500);

/// One connection that is up.
#[derive(Debug)]
pub(super) struct Link {
    ldap: Ldap,
    suspect: Notify,
}

impl Link {
    /// A handle for one operation.
    pub(super) fn handle(&self) -> Ldap {
        self.ldap.clone()
    }

    /// Has the supervisor ask for a sign of life now, after an operation that was not answered.
    pub(super) fn suspect(&self) {
        self.suspect.notify_one();
    }
}

/// What supervisors and callers share.
#[derive(Debug)]
struct Shared {
    config: LdapConfig,
    tls: Arc<ClientConfig>,
    metrics: Arc<Metrics>,
    slots: Vec<ArcSwapOption<Link>>,
    /// How many are up.
    up: watch::Sender<usize>,
    capabilities: watch::Sender<Option<Arc<Capabilities>>>,
    /// Why the last attempt failed, or the last connection was lost.
    trouble: watch::Sender<Option<String>>,
    closed: CancellationToken,
}

/// The connections to the directory.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    next: AtomicUsize,
    supervisors: TaskTracker,
}

impl Pool {
    /// Starts the supervisors; returns at once.
    pub(super) fn start(config: LdapConfig, tls: Arc<ClientConfig>, metrics: Arc<Metrics>) -> Self {
        let shared = Arc::new(Shared {
            slots: (0..config.connections.max(1)).map(|_| ArcSwapOption::empty()).collect(),
            config,
            tls,
            metrics,
            up: watch::Sender::new(0),
            capabilities: watch::Sender::new(None),
            trouble: watch::Sender::new(None),
            closed: CancellationToken::new(),
        });
        let supervisors = TaskTracker::new();
        for slot in 0..shared.slots.len() {
            supervisors.spawn(supervise(shared.clone(), slot));
        }
        Self { shared, next: AtomicUsize::new(0), supervisors }
    }

    /// What the directory offers, as it becomes known.
    pub(super) fn capabilities(&self) -> watch::Receiver<Option<Arc<Capabilities>>> {
        self.shared.capabilities.subscribe()
    }

    /// The next connection that is up, waiting a little if none is.
    pub(super) async fn link(&self) -> Result<Arc<Link>, DirectoryError> {
        if let Some(link) = self.any() {
            return Ok(link);
        }
        let mut up = self.shared.up.subscribe();
        let wait = async {
            loop {
                // The sender lives as long as we do.
                let _ = up.wait_for(|up| *up > 0).await;
                if let Some(link) = self.any() {
                    return link;
                }
                let _ = up.changed().await;
            }
        };
        timeout(GRACE.min(self.shared.config.timeout), wait).await.map_err(|_| DirectoryError::NotSent(self.trouble()))
    }

    fn any(&self) -> Option<Arc<Link>> {
        let slots = &self.shared.slots;
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        (0..slots.len()).find_map(|n| slots.get(start.wrapping_add(n) % slots.len()).and_then(ArcSwapOption::load_full))
    }

    fn trouble(&self) -> String {
        self.shared.trouble.borrow().clone().unwrap_or_else(|| "no connection has been made yet".to_owned())
    }

    /// The first thing that goes wrong.
    pub(super) async fn first_trouble(&self) -> String {
        let mut trouble = self.shared.trouble.subscribe();
        // The sender lives as long as we do.
        let _ = trouble.wait_for(Option::is_some).await;
        self.trouble()
    }

    /// Unbinds every connection.
    pub(super) async fn close(&self) {
        self.shared.closed.cancel();
        self.supervisors.close();
        self.supervisors.wait().await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

async fn supervise(shared: Arc<Shared>, slot: usize) {
    let mut pause = FIRST_PAUSE;
    while !shared.closed.is_cancelled() {
        let attempt = tokio::select! {
            attempt = connect(&shared) => attempt,
            () = shared.closed.cancelled() => return,
        };
        match attempt {
            Ok((ldap, driver)) => {
                pause = FIRST_PAUSE;
                keep(&shared, slot, ldap, driver).await;
            }
            Err(trouble) => {
                tracing::warn!(slot, "no connection to the directory: {trouble}");
                shared.trouble.send_replace(Some(trouble));
                // Spread over half the pause, so that several gateways do not knock in step.
                let jitter = f64::from(u32::try_from(slot % 8).unwrap_or_default()) / 16.0;
                tokio::select! {
                    () = sleep(pause.mul_f64(0.5 + jitter)) => {}
                    () = shared.closed.cancelled() => return,
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

/// Offers a connection to callers until it is lost or we close.
async fn keep(shared: &Shared, slot: usize, ldap: Ldap, mut driver: JoinHandle<Result<(), LdapError>>) {
    let link = Arc::new(Link { ldap, suspect: Notify::new() });
    let Some(place) = shared.slots.get(slot) else { return };
    place.store(Some(link.clone()));
    shared.up.send_modify(|up| *up += 1);
    shared.metrics.connections(1);
    tracing::info!(slot, "connected to the directory");
    let lost = loop {
        tokio::select! {
            ended = &mut driver => break match ended {
                Ok(Ok(())) => "the server closed it".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "an answer could not be read".to_owned(),
            },
            () = sleep(shared.config.keepalive) => {}
            () = link.suspect.notified() => {}
            () = shared.closed.cancelled() => break "we are closing".to_owned(),
        }
        let alive = link
            .handle()
            .with_timeout(shared.config.timeout.min(Duration::from_secs(3)))
            .search("", Scope::Base, "(objectClass=*)", ["1.1"])
            .await;
        if let Err(error) = alive {
            break format!("no sign of life: {error}");
        }
    };
    place.store(None);
    shared.up.send_modify(|up| *up -= 1);
    shared.metrics.connections(-1);
    if shared.closed.is_cancelled() {
        let _ = link.handle().with_timeout(Duration::from_secs(1)).unbind().await;
    } else {
        tracing::warn!(slot, "a connection to the directory was lost: {lost}");
        shared.trouble.send_replace(Some(lost));
    }
    driver.abort();
}

type Connection = (Ldap, JoinHandle<Result<(), LdapError>>);

/// Connects to the first server that answers, in the configured order.
async fn connect(shared: &Shared) -> Result<Connection, String> {
    let mut troubles = Vec::new();
    for url in &shared.config.urls {
        match timeout(shared.config.timeout, connect_to(shared, url)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(trouble)) => troubles.push(format!("{url}: {trouble}")),
            Err(_) => troubles.push(format!("{url}: no answer within {:?}", shared.config.timeout)),
        }
    }
    Err(troubles.join("; "))
}

async fn connect_to(shared: &Shared, url: &Url) -> Result<Connection, String> {
    let config = &shared.config;
    let mut settings = LdapConnSettings::new().set_config(shared.tls.clone()).set_starttls(config.starttls);
    if url.scheme() != "ldapi" {
        settings = settings.set_std_stream(StdStream::Tcp(tcp(url, config).await.map_err(|error| error.to_string())?));
    }
    let (connection, mut ldap) = LdapConnAsync::from_url_with_settings(settings, url).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection.drive());
    let signed_in = async {
        let answer = match &config.bind {
            Some(bind) => ldap.simple_bind(&bind.dn, bind.password.expose()).await,
            None => ldap.sasl_external_bind().await,
        };
        answer.map_err(convert::failure).and_then(convert::result).map_err(|error| format!("signing in: {error}"))?;
        // Whoever comes first after all were down asks what the directory offers: it may have been changed meanwhile.
        if *shared.up.borrow() == 0 {
            let found = probe::capabilities(&mut ldap, config.profile).await.map_err(|error| error.to_string())?;
            shared.capabilities.send_if_modified(|known| {
                let changed = known.as_deref() != Some(&found);
                if changed {
                    *known = Some(Arc::new(found));
                }
                changed
            });
        }
        Ok(())
    };
    match signed_in.await {
        Ok(()) => Ok((ldap, driver)),
        Err(trouble) => {
            driver.abort();
            Err(trouble)
        }
    }
}

/// A TCP connection that sends at once and notices a dead peer; `ldap3` would set neither.
async fn tcp(url: &Url, config: &LdapConfig) -> std::io::Result<std::net::TcpStream> {
    let port = url.port().unwrap_or(if url.scheme() == "ldaps" { 636 } else { 389 });
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let stream = TcpStream::connect(format!("{host}:{port}")).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(config.keepalive).with_interval(Duration::from_secs(5)).with_retries(3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.into_std()
}
