//! The composition root: from a configuration to a running gateway. Nothing here decides; it only connects.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::admin::{AdminListener, AdminState};
use crate::audit::Audit;
use crate::auth::{Administrators, Authenticator, AuthorizationServer, Issuers};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::directory::{Capabilities, Directory};
use crate::http::{self, Gateway, Listener};
use crate::ldap::LdapDirectory;
use crate::limit::RateLimiter;
use crate::mapping::{Mapping, MappingConfig};
use crate::membership::{MembershipCache, Noting};
use crate::resources::Resources;
use crate::service::Service;
use crate::telemetry::{Metrics, OwnCertificate};

/// Why the gateway could not start: one line that names the key or file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

/// A running gateway.
#[derive(Debug)]
pub struct App {
    gateway: Arc<Gateway>,
    directory: Arc<LdapDirectory>,
    audit: Option<Arc<Audit>>,
    /// No new requests.
    closing: CancellationToken,
    /// No admin requests either.
    end: CancellationToken,
    connections: TaskTracker,
    admin_connections: TaskTracker,
    drain: Duration,
    /// Ends with us.
    _feed: AbortOnDropHandle<()>,
}

impl App {
    /// Reads every file that is named, binds, and begins to serve. The directory is connected to in the background.
    ///
    /// # Errors
    /// What cannot be read or bound.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let resources = Resources::load(&config.data).map_err(|error| StartError(error.to_string()))?;
        let tls = config.server.tls.as_ref().map(http::server_config).transpose().map_err(StartError)?;
        let metrics = Arc::new(Metrics::default());
        note_expiries(&config, &metrics);
        let bound = |what: &str, address: SocketAddr| {
            let what = what.to_owned();
            move |error: std::io::Error| StartError(format!("{what}: {address}: {error}"))
        };
        let listener = Listener::bind(&config.server, tls).map_err(bound("server.listen", config.server.listen))?;
        let admin = AdminListener::bind(&config.admin).await.map_err(bound("admin.listen", config.admin.listen))?;
        let scim_address = listener.address().map_err(bound("server.listen", config.server.listen))?;
        let admin_address = admin.address().map_err(bound("admin.listen", config.admin.listen))?;
        let directory = Arc::new(LdapDirectory::start(config.directory, &metrics).map_err(StartError)?);
        let schemas = Arc::new(resources.registry.clone());
        let mapping = watch::Sender::new(None);
        let clock = Arc::new(SystemClock);
        let cache = Arc::new(MembershipCache::new(config.service.cache, &metrics));
        let (users, groups) = (config.mapping.users.base.clone(), config.mapping.groups.base.clone());
        let noting: Arc<dyn Directory> = Arc::new(Noting::new(directory.clone(), cache.clone(), users, groups));
        let feed = tokio::spawn(cache.clone().follow(noting.clone(), mapping.subscribe()));
        let service =
            Service::new((noting, cache), mapping.subscribe(), schemas, &config.service, (clock.clone(), metrics.clone()))
                .map_err(|error| StartError(error.to_string()))?;
        let audit = config.audit.map(|audit| Audit::start(audit, metrics.clone()).map(Arc::new));
        let audit = audit.transpose().map_err(StartError)?;
        let service = match &audit {
            Some(audit) => service.audited(audit.clone()),
            None => service,
        };
        let compiled = mapping.subscribe();
        tokio::spawn(keep_compiled(directory.watch(), mapping, config.mapping, resources));
        let audience = format!("{}{}", config.server.public_url.as_deref().unwrap_or_default(), http::SCIM_PATH);
        let server = config.auth.oauth.clone().map(|mut oauth| {
            let administrators = oauth.administrators.take();
            let administrators = administrators.map(|config| Administrators::new(directory.clone(), compiled, config));
            AuthorizationServer::new(oauth, audience, administrators, clock.clone()).map(Arc::new)
        });
        let server = server.transpose().map_err(|error| StartError(error.to_string()))?;
        let issuers = Issuers::start(config.auth.issuers.clone(), &metrics).map_err(StartError)?;
        let authenticator = Authenticator::new(config.auth, server.clone(), issuers, clock);
        let limiter = RateLimiter::new(config.limits);
        let gateway =
            Arc::new(Gateway::new(&config.server, service, (authenticator, server), limiter, config.clients, metrics.clone()));
        let (closing, end) = (CancellationToken::new(), CancellationToken::new());
        let (connections, admin_connections) = (TaskTracker::new(), TaskTracker::new());
        tokio::spawn(listener.run(gateway.clone(), closing.clone(), connections.clone()));
        let state = AdminState { gateway: gateway.clone(), metrics, closing: closing.clone() };
        tokio::spawn(admin.run(state, end.clone(), admin_connections.clone()));
        tracing::info!(scim = %scim_address, admin = %admin_address, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(Self {
            gateway,
            directory,
            audit,
            closing,
            end,
            connections,
            admin_connections,
            drain: config.server.drain,
            _feed: AbortOnDropHandle::new(feed),
        })
    }

    /// Takes no further requests and finishes those in flight, for as long as `server.drain` says or until `at_once`.
    pub async fn stop(self, at_once: impl Future<Output = ()>) {
        self.closing.cancel();
        self.connections.close();
        let drained = async {
            self.connections.wait().await;
            self.gateway.finish_writes().await;
        };
        tokio::select! {
            () = drained => tracing::info!("every request is finished"),
            () = tokio::time::sleep(self.drain) => tracing::warn!("requests in flight are cut off: server.drain is over"),
            () = at_once => tracing::warn!("requests in flight are cut off by a second signal"),
        }
        self.end.cancel();
        self.admin_connections.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.admin_connections.wait()).await;
        self.directory.close().await;
        if let Some(audit) = self.audit {
            audit.close().await;
        }
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

/// Compiles the mapping whenever the directory tells anew what it can hold.
async fn keep_compiled(
    mut capabilities: watch::Receiver<Option<Arc<Capabilities>>>,
    mapping: watch::Sender<Option<Arc<Mapping>>>,
    config: MappingConfig,
    Resources { registry, maps }: Resources,
) {
    loop {
        let known = capabilities.borrow_and_update().clone();
        if let Some(known) = known {
            match Mapping::compile(&config, &registry, &maps, &known) {
                Ok(compiled) => {
                    for remark in &compiled.remarks {
                        tracing::warn!("{remark}");
                    }
                    mapping.send_replace(Some(Arc::new(compiled.mapping)));
                }
                Err(error) => {
                    for line in error.0 {
                        tracing::error!("{line}");
                    }
                }
            }
        }
        if capabilities.changed().await.is_err() {
            return;
        }
    }
}
