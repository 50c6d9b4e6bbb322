//! Budgets that several gateways have together, in a Redis or Valkey. Nobody waits for one that is away: as soon as one question
//! fails, no other is asked until the store has answered a trial.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, Script};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Exhausted, Rate, Standing, standing_of};
use crate::secret::Secret;
use crate::telemetry::{Metrics, SharedLimitMetrics};
use crate::trust;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));
/// Of all rates that are shared.
const PERIOD: Duration = Duration::from_secs(1);
/// For connecting, TLS and signing in.
const CONNECT: Duration = Duration::from_secs(5);
/// The pause before the next attempt: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// A store that was well for so long is tried again soon.
const WELL: Duration = Duration::from_secs(10);

/// `[limits.shared]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedConfig {
    /// Where the store is: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// The number of its database.
    pub database: u32,
    /// Who we are there; without it the default user.
    pub username: Option<String>,
    /// That one's password.
    pub password: Option<Secret>,
    /// The authorities that sign its certificate; without it the system's.
    pub ca: Option<PathBuf>,
    /// What its keys begin with.
    pub prefix: String,
    /// For one question.
    pub timeout: Duration,
    /// What holds while it is away.
    pub on_failure: OnFailure,
}

/// What holds while the store is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Each gateway counts by itself.
    #[default]
    Open,
    /// Requests that have a limit are refused.
    Closed,
}

/// The store is away.
#[derive(Debug)]
pub(super) struct Away;

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    shared: Arc<Shared>,
    /// Ends with it.
    _keeping: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    config: SharedConfig,
    tls: Option<Arc<ClientConfig>>,
    connection: ArcSwapOption<Live>,
    metrics: SharedLimitMetrics,
}

/// A connection that has answered.
#[derive(Debug)]
struct Live {
    connection: MultiplexedConnection,
    broken: CancellationToken,
    _driver: AbortOnDropHandle<()>,
}

impl Store {
    /// Begins to connect.
    ///
    /// # Errors
    /// One line that names the key.
    pub(super) fn start(config: SharedConfig, metrics: SharedLimitMetrics) -> Result<Self, String> {
        let shared = Shared::new(config, metrics)?;
        let keeping = AbortOnDropHandle::new(tokio::spawn(keep(shared.clone())));
        Ok(Self { shared, _keeping: keeping })
    }

    pub(super) fn on_failure(&self) -> OnFailure {
        self.shared.config.on_failure
    }

    /// Takes so much out of a budget, all or none.
    pub(super) async fn take(
        &self,
        (name, client): (&'static str, &str),
        rate: Rate,
        n: u32,
    ) -> Result<Result<Standing, Exhausted>, Away> {
        if n > rate.burst {
            return Ok(Err(Exhausted::Never { most: rate.burst }));
        }
        let Some(live) = self.shared.connection.load_full() else { return Err(Away) };
        let key = format!("{}{name}:{client}", self.shared.config.prefix);
        let asked = timeout(self.shared.config.timeout, live.take(&key, rate, n)).await;
        let (granted, gone, wait) = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.lost(&live, &error.to_string())),
            Err(_) => return Err(self.lost(&live, "it does not answer within limits.shared.timeout")),
        };
        if !granted {
            let seconds = u32::try_from(wait.div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1);
            return Ok(Err(Exhausted::Until { retry_after: seconds }));
        }
        let parts = u64::from(rate.burst) * micros(PERIOD);
        let remaining = u32::try_from(parts.saturating_sub(gone) / micros(PERIOD)).unwrap_or(u32::MAX);
        Ok(Ok(standing_of(name, rate, remaining)))
    }

    /// Notes that a connection is no good; the first to notice says why.
    fn lost(&self, live: &Arc<Live>, why: &str) -> Away {
        let present = self.shared.connection.load();
        if present.as_ref().is_some_and(|present| Arc::ptr_eq(present, live)) {
            self.shared.connection.store(None);
        }
        drop(present);
        if !live.broken.is_cancelled() {
            live.broken.cancel();
            self.shared.tell_lost(why);
        }
        Away
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Live {
    /// Whether it was granted, parts that are gone, and microseconds to wait.
    async fn take(&self, key: &str, rate: Rate, n: u32) -> redis::RedisResult<(bool, u64, u64)> {
        let mut connection = self.connection.clone();
        let mut question = TAKE.key(key);
        question.arg(micros(PERIOD)).arg(rate.per_second).arg(rate.burst).arg(n);
        question.invoke_async(&mut connection).await
    }
}

impl Shared {
    fn new(config: SharedConfig, metrics: SharedLimitMetrics) -> Result<Arc<Self>, String> {
        let tls = config.tls.then(|| trust::client_config("limits.shared.ca", config.ca.as_deref())).transpose()?;
        Ok(Arc::new(Self { config, tls: tls.map(Arc::new), connection: ArcSwapOption::empty(), metrics }))
    }

    fn tell_lost(&self, why: &str) {
        let meanwhile = match self.config.on_failure {
            OnFailure::Open => "each gateway counts by itself until it is back",
            OnFailure::Closed => "requests are refused until it is back",
        };
        tracing::warn!(host = self.config.host, "limits.shared: the store is away, {meanwhile}: {why}");
    }

    async fn connect_in_time(&self) -> Result<Live, String> {
        let late = |_| Err(format!("no connection within {} s", CONNECT.as_secs()));
        timeout(CONNECT, self.connect()).await.unwrap_or_else(late)
    }

    async fn connect(&self) -> Result<Live, String> {
        let SharedConfig { host, port, .. } = &self.config;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let keepalive =
            TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5)).with_retries(3);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(|error| error.to_string())?;
        match &self.tls {
            None => self.sign_in(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
                let stream = TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(|error| error.to_string())?;
                self.sign_in(stream).await
            }
        }
    }

    async fn sign_in<S>(&self, stream: S) -> Result<Live, String>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let mut account = RedisConnectionInfo::default().set_db(i64::from(self.config.database));
        if let Some(username) = &self.config.username {
            account = account.set_username(username);
        }
        if let Some(password) = &self.config.password {
            account = account.set_password(password.expose());
        }
        let broken = CancellationToken::new();
        let ended = broken.clone();
        let (tell, told) = oneshot::channel();
        // All of it in one task: the account is needed until the end.
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            // Our own times hold.
            let times = AsyncConnectionConfig::new().set_response_timeout(None);
            match MultiplexedConnection::new_with_config(&account, stream, times).await {
                Ok((connection, driver)) => {
                    let _ = tell.send(Ok(connection));
                    driver.await;
                }
                Err(error) => {
                    let _ = tell.send(Err(error.to_string()));
                }
            }
            ended.cancel();
        }));
        // A store that ends the connection while one signs in ends the task too.
        let connection = told.await.map_err(|_| "it ended the connection".to_owned())??;
        let live = Live { connection, broken, _driver: driver };
        // Whether it would really answer: a replica does not write, a full store neither, and not every user may run scripts.
        let key = format!("{}trial", self.config.prefix);
        let trial = live.take(&key, Rate { per_second: 1_000_000, burst: 1_000_000 }, 1);
        match timeout(self.config.timeout, trial).await {
            Ok(Ok(_)) => Ok(live),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer within limits.shared.timeout".to_owned()),
        }
    }
}

/// Keeps a connection open, for ever.
async fn keep(shared: Arc<Shared>) {
    let (first, longest) = PAUSE;
    let (mut pause, mut told) = (first, false);
    loop {
        match shared.connect_in_time().await {
            Ok(live) => {
                let since = Instant::now();
                let broken = live.broken.clone();
                shared.connection.store(Some(Arc::new(live)));
                shared.metrics.up(true);
                tracing::info!(host = shared.config.host, "limits.shared: the store answers");
                broken.cancelled().await;
                shared.metrics.up(false);
                if shared.connection.swap(None).is_some() {
                    shared.tell_lost("it ended the connection");
                }
                told = true;
                if since.elapsed() >= WELL {
                    pause = first;
                }
            }
            Err(why) => {
                shared.metrics.up(false);
                if !told {
                    shared.tell_lost(&why);
                }
                told = true;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

impl SharedConfig {
    /// Whether it is on this machine.
    pub fn is_here(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Whether a store answers, for who wants to know.
///
/// # Errors
/// Why it does not.
pub async fn store_answers(config: &SharedConfig) -> Result<(), String> {
    let shared = Shared::new(config.clone(), Metrics::default().shared_limits())?;
    shared.connect_in_time().await.map(|_| ())
}
