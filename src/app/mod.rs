//! The composition root: from a configuration to a running gateway, and from another one to the same gateway changed. Nothing here
//! decides; it only connects.

mod backend;
mod desk;
mod generation;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::generation::Generation;
use crate::admin::{AdminConfig, AdminListener, AdminState, Console, Desk, Wanted};
use crate::audit::{Activity, Audit, AuditConfig};
use crate::config::Config;
use crate::http::{self, Explanation, HttpConfig, Listener, Question, Serving};
use crate::lifecycle::Sockets;
use crate::secret::Secret;
use crate::telemetry::{LogConfig, Metrics, OwnCertificate, TracesConfig};

/// How long a reload waits for the directory as the new configuration has it.
const READY: Duration = Duration::from_secs(15);

/// Why the gateway could not start: one line that names the key or file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

/// A running gateway.
#[derive(Debug)]
pub struct App {
    generation: Generation,
    serving: Arc<Serving>,
    desk: Arc<ArcSwap<Desk>>,
    wanted: mpsc::Receiver<Wanted>,
    audit: Option<Arc<Audit>>,
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    /// What cannot be changed while it runs.
    fixed: Fixed,
    /// What cursors are sealed with where the configuration has no key: those that clients have now outlive a reload.
    cursor_key: Secret,
    /// Not ready any more.
    leaving: CancellationToken,
    /// No new requests.
    closing: CancellationToken,
    /// No admin requests either.
    end: CancellationToken,
    connections: TaskTracker,
    admin_connections: TaskTracker,
    /// Generations before this one that have not ended yet.
    retiring: TaskTracker,
    linger: Duration,
    drain: Duration,
}

/// What takes effect at the next start only.
#[derive(Debug)]
struct Fixed {
    server: HttpConfig,
    admin: AdminConfig,
    audit: Option<AuditConfig>,
    log: LogConfig,
    traces: Option<TracesConfig>,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            server: config.server.clone(),
            admin: config.admin.clone(),
            audit: config.audit.clone(),
            log: config.log,
            traces: config.traces.clone(),
        }
    }

    /// The keys that another configuration has other values for.
    fn changed(&self, other: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let keys = [
            ("server.listen", self.server.listen != other.server.listen),
            ("server.max_connections", self.server.max_connections != other.server.max_connections),
            ("admin.listen", self.admin.listen != other.admin.listen),
            ("[audit]", self.audit != other.audit),
            ("[log]", self.log != other.log),
            ("[traces]", self.traces != other.traces),
        ];
        keys.into_iter().filter_map(|(key, changed)| changed.then_some(key))
    }
}

impl App {
    /// Reads every file that is named, binds, and begins to serve. The directory is connected to in the background.
    ///
    /// # Errors
    /// What cannot be read or bound.
    pub async fn start(mut config: Config, sockets: Sockets) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        note_expiries(&config, &metrics);
        let cursor_key = made_up_key()?;
        config.service.cursors.key.get_or_insert_with(|| cursor_key.clone());
        let bound = |what: &str, address: SocketAddr| {
            let what = what.to_owned();
            move |error: std::io::Error| StartError(format!("{what}: {address}: {error}"))
        };
        let listener = Listener::bind(&config.server, sockets.scim).map_err(bound("server.listen", config.server.listen))?;
        let admin =
            AdminListener::bind(&config.admin, sockets.admin).await.map_err(bound("admin.listen", config.admin.listen))?;
        let scim_address = listener.address().map_err(bound("server.listen", config.server.listen))?;
        let admin_address = admin.address().map_err(bound("admin.listen", config.admin.listen))?;
        let audit = config.audit.clone().map(|audit| Audit::start(audit, metrics.clone()).map(Arc::new));
        let audit = audit.transpose().map_err(StartError)?;
        let activity = Arc::new(Activity::default());
        let (generation, entrance) = Generation::new(&config, (audit.as_ref(), Some(&activity)), &metrics, None)?;
        let serving = Arc::new(Serving::new(entrance));
        let (leaving, closing, end) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (connections, admin_connections) = (TaskTracker::new(), TaskTracker::new());
        tokio::spawn(listener.run(serving.clone(), closing.clone(), connections.clone()));
        let desk = Arc::new(ArcSwap::from_pointee(desk::desk(&config)));
        // Few are let in there, and each waits for what it asked.
        let (asking, wanted) = mpsc::channel(1);
        let state = AdminState {
            serving: serving.clone(),
            metrics: metrics.clone(),
            leaving: leaving.clone(),
            console: Arc::new(Console::new(desk.clone(), asking, activity.clone())),
        };
        tokio::spawn(admin.run(state, end.clone(), admin_connections.clone()));
        metrics.loaded(true);
        note_mode(false, config.service.shadow.is_some(), &metrics);
        tracing::info!(scim = %scim_address, admin = %admin_address, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(Self {
            generation,
            serving,
            desk,
            wanted,
            audit,
            activity,
            metrics,
            fixed: Fixed::of(&config),
            cursor_key,
            leaving,
            closing,
            end,
            connections,
            admin_connections,
            retiring: TaskTracker::new(),
            linger: config.server.linger,
            drain: config.server.drain,
        })
    }

    /// Serves by another configuration from now on. Requests under way end as they began; those that come meanwhile wait for nothing.
    ///
    /// # Errors
    /// Why it cannot be served by; then nothing has changed.
    pub async fn reload(&mut self, mut config: Config) -> Result<(), StartError> {
        config.service.cursors.key.get_or_insert_with(|| self.cursor_key.clone());
        let (generation, entrance) =
            Generation::new(&config, (self.audit.as_ref(), Some(&self.activity)), &self.metrics, Some(&self.generation))?;
        // A directory that is away is no reason to refuse a new certificate. One that is there must still be.
        if self.generation.gateway.service().health().await.is_ok()
            && let Err(trouble) = generation.ready_within(READY).await
        {
            generation.close(Instant::now()).await;
            return Err(StartError(format!("the directory is there as configured before, and is not now: {trouble}")));
        }
        let later: Vec<&str> = self.fixed.changed(&Fixed::of(&config)).collect();
        for key in &later {
            tracing::warn!("{key} takes effect at the next start");
        }
        self.metrics.restart_wanted(later.len());
        note_expiries(&config, &self.metrics);
        (self.linger, self.drain) = (config.server.linger, config.server.drain);
        self.serving.replace(entrance);
        self.desk.store(Arc::new(desk::desk(&config)));
        let before = std::mem::replace(&mut self.generation, generation);
        before.gateway.service().retire_rails(self.generation.gateway.service());
        note_mode(before.gateway.service().shadow().is_some(), config.service.shadow.is_some(), &self.metrics);
        self.retiring.spawn(before.retire(self.fixed.server.request_timeout.max(self.drain)));
        Ok(())
    }

    /// What an administrator asks for in the console, when that one does. Ends never.
    pub async fn wanted(&mut self) -> Wanted {
        match self.wanted.recv().await {
            Some(wanted) => wanted,
            None => std::future::pending().await,
        }
    }

    /// Notes how an attempt to reload went.
    pub fn reloaded(&self, well: bool) {
        self.metrics.loaded(well);
    }

    /// Says that it is not ready, and goes on for as long as `server.linger` says. Then takes no further requests and finishes those
    /// in flight, for as long as `server.drain` says. `at_once` ends all that.
    pub async fn stop(self, at_once: impl Future<Output = ()>) {
        let mut at_once = pin!(at_once);
        self.leaving.cancel();
        let hurry = tokio::select! {
            () = tokio::time::sleep(self.linger) => false,
            () = at_once.as_mut() => true,
        };
        self.closing.cancel();
        self.connections.close();
        self.retiring.close();
        let drained = async {
            self.connections.wait().await;
            self.generation.gateway.finish_writes().await;
            self.generation.tunnels.finish().await;
            self.retiring.wait().await;
        };
        let drain = if hurry { Duration::ZERO } else { self.drain };
        tokio::select! {
            () = drained => tracing::info!("every request is finished"),
            () = tokio::time::sleep(drain) => tracing::warn!("requests in flight are cut off: server.drain is over"),
            () = at_once, if !hurry => tracing::warn!("requests in flight are cut off by a second signal"),
        }
        self.generation.tunnels.close().await;
        self.end.cancel();
        self.admin_connections.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.admin_connections.wait()).await;
        self.generation.close(Instant::now()).await;
        if let Some(audit) = self.audit {
            audit.close().await;
        }
    }
}

/// Says what a request would do by this configuration, which nothing is served by. Nothing is written.
///
/// # Errors
/// What cannot be read, or that the directory is not there.
pub async fn explain(mut config: Config, question: Question) -> Result<Explanation, StartError> {
    // What is only there to serve.
    config.server.tls = None;
    config.auth.oauth = None;
    config.auth.issuers = Vec::new();
    config.service.cache.feed = false;
    config.service.shadow = None;
    let cursor_key = made_up_key()?;
    config.service.cursors.key.get_or_insert(cursor_key);
    let (generation, _) = Generation::new(&config, (None, None), &Arc::new(Metrics::default()), None)?;
    let ready = generation.ready_within(READY).await;
    let explained = match ready {
        Ok(()) => Ok(generation.gateway.explain(question).await),
        Err(trouble) => Err(StartError(format!("the directory is not there: {trouble}"))),
    };
    generation.close(Instant::now()).await;
    let mask = config.audit.map(|audit| audit.mask).unwrap_or_default();
    explained.map(|explanation| explanation.masking(mask.named()))
}

/// 256 random bits as text.
fn made_up_key() -> Result<Secret, StartError> {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StartError("the operating system gives no random numbers".to_owned()))?;
    Ok(Secret::new(base64::engine::general_purpose::STANDARD.encode(bytes)))
}

/// Says so where nothing is written, and where that has ended.
fn note_mode(before: bool, shadow: bool, metrics: &Metrics) {
    metrics.shadow(shadow);
    match (before, shadow) {
        (_, true) => tracing::warn!(
            "shadow mode: nothing is written to the directory, whatever clients are answered (provisioning.shadow)"
        ),
        (true, false) => tracing::warn!("shadow mode has ended: what it kept is gone, and writes are made from now on"),
        (false, false) => {}
    }
}

/// What ends by itself, for whoever is to renew it in time.
fn note_expiries(config: &Config, metrics: &Metrics) {
    // Exact for the next hundred million years.
    #[expect(clippy::cast_precision_loss, reason = "a time in seconds")]
    let float = |seconds: i64| seconds as f64;
    let server = config.server.tls.as_ref().map(|tls| (OwnCertificate::Server, &tls.certificate));
    let client = config.directory.client_certificate.as_ref().map(|client| (OwnCertificate::Directory, &client.certificate));
    for (certificate, path) in server.into_iter().chain(client) {
        if let Some(end) = http::certificate_end(path) {
            metrics.certificate_ends(certificate, float(end));
        }
    }
    let keys = config.auth.api_keys.iter().filter_map(|key| Some((key.name.clone(), key.expires?)));
    let certificates = config.auth.certificates.iter().filter_map(|one| Some((one.name.clone(), one.expires?)));
    metrics.credentials_end(keys.chain(certificates).map(|(client, end)| (client, float(end.as_second()))));
}
