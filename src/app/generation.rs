//! Everything that is made of one configuration. A reload makes another one beside it; a request ends with the one it began with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::StartError;
use crate::audit::Audit;
use crate::auth::{Administrators, Authenticator, AuthorizationServer, Issuers};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::directory::{Capabilities, Directory};
use crate::http::{self, Entrance, Gateway};
use crate::ldap::LdapDirectory;
use crate::limit::{LimitConfig, RateLimiter};
use crate::mapping::{Mapping, MappingConfig};
use crate::membership::{MembershipCache, Noting};
use crate::resources::Resources;
use crate::service::Service;
use crate::telemetry::Metrics;

/// How often a generation that is no longer the present one is looked at, for its last request.
const PAUSE: Duration = Duration::from_millis(20);

/// One of them.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) gateway: Arc<Gateway>,
    directory: Arc<LdapDirectory>,
    authorization_server: Option<Arc<AuthorizationServer>>,
    limits: (LimitConfig, Arc<RateLimiter>),
    /// Ends with it.
    _feed: AbortOnDropHandle<()>,
}

impl Generation {
    /// Reads every file that the configuration names, and begins to connect to the directory. What must not be forgotten, how fast
    /// clients went and which codes were used, comes from the one before.
    ///
    /// # Errors
    /// What cannot be used.
    pub(super) fn new(
        config: &Config,
        audit: Option<&Arc<Audit>>,
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Result<(Self, Entrance), StartError> {
        let resources = Resources::load(&config.data).map_err(|error| StartError(error.to_string()))?;
        let tls = config.server.tls.as_ref().map(http::server_config).transpose().map_err(StartError)?;
        let directory = Arc::new(LdapDirectory::start(config.directory.clone(), metrics).map_err(StartError)?);
        let schemas = Arc::new(resources.registry.clone());
        let mapping = watch::Sender::new(None);
        let clock = Arc::new(SystemClock);
        let cache = Arc::new(MembershipCache::new(config.service.cache, metrics));
        let (users, groups) = (config.mapping.users.base.clone(), config.mapping.groups.base.clone());
        let noting: Arc<dyn Directory> = Arc::new(Noting::new(directory.clone(), cache.clone(), users, groups));
        let feed = AbortOnDropHandle::new(tokio::spawn(cache.clone().follow(noting.clone(), mapping.subscribe())));
        let service =
            Service::new((noting, cache), mapping.subscribe(), schemas, &config.service, (clock.clone(), metrics.clone()))
                .map_err(|error| StartError(error.to_string()))?;
        let service = match before {
            Some(before) => service.counting_on(before.gateway.service()),
            None => service,
        };
        let service = match audit {
            Some(audit) => service.audited(audit.clone()),
            None => service,
        };
        let compiled = mapping.subscribe();
        tokio::spawn(keep_compiled(directory.watch(), mapping, config.mapping.clone(), resources));
        let audience = format!("{}{}", config.server.public_url.as_deref().unwrap_or_default(), http::SCIM_PATH);
        let server = config.auth.oauth.clone().map(|mut oauth| {
            let administrators = oauth.administrators.take();
            let administrators = administrators.map(|config| Administrators::new(directory.clone(), compiled, config));
            let before = before.and_then(|before| before.authorization_server.as_deref());
            AuthorizationServer::new(oauth, audience, administrators, clock.clone(), before).map(Arc::new)
        });
        let server = server.transpose().map_err(|error| StartError(error.to_string()))?;
        let issuers = Issuers::start(config.auth.issuers.clone(), metrics).map_err(StartError)?;
        let authenticator = Authenticator::new(config.auth.clone(), server.clone(), issuers, clock);
        let same = before.map(|before| &before.limits).filter(|(limits, _)| *limits == config.limits);
        let limiter = same.map_or_else(|| Arc::new(RateLimiter::new(config.limits.clone())), |(_, limiter)| limiter.clone());
        let gateway = Arc::new(Gateway::new(
            &config.server,
            service,
            (authenticator, server.clone()),
            limiter.clone(),
            config.clients.clone(),
            metrics.clone(),
        ));
        let entrance = Entrance::new(&config.server, tls, gateway.clone());
        let limits = (config.limits.clone(), limiter);
        Ok((Self { gateway, directory, authorization_server: server, limits, _feed: feed }, entrance))
    }

    /// Whether requests can be served; waits for that as long as it takes, up to a time.
    ///
    /// # Errors
    /// Why they cannot.
    pub(super) async fn ready_within(&self, time: Duration) -> Result<(), String> {
        let deadline = Instant::now() + time;
        loop {
            match self.gateway.service().health().await {
                Ok(()) => return Ok(()),
                Err(trouble) if Instant::now() >= deadline => return Err(trouble),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Lets the last request of it end, for as long as that may take, and then its connections.
    pub(super) async fn retire(self, time: Duration) {
        let deadline = Instant::now() + time;
        while Arc::strong_count(&self.gateway) > 1 && Instant::now() < deadline {
            sleep(PAUSE).await;
        }
        self.close(deadline).await;
    }

    /// Lets writes end, and then the connections. No new requests may come.
    pub(super) async fn close(self, deadline: Instant) {
        let _ = tokio::time::timeout_at(deadline, self.gateway.finish_writes()).await;
        self.directory.close().await;
    }
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
