//! Everything that is made of one configuration. A reload makes another one beside it; a request ends with the one it began with.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StartError;
use super::backend::Backend;
use crate::audit::{Activity, Audit};
use crate::auth::{Administrators, Authenticator, AuthorizationServer, Issuers};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::http::{self, Entrance, Gateway, Tunnels, Upstream};
use crate::limit::{LimitConfig, RateLimiter};
use crate::resources::Resources;
use crate::service::Service;
use crate::telemetry::Metrics;

/// How often a generation that is no longer the present one is looked at, for its last request.
const PAUSE: Duration = Duration::from_millis(20);

/// One of them.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) gateway: Arc<Gateway>,
    /// That of the generation before, where nothing about it has changed.
    backend: Arc<Backend>,
    authorization_server: Option<Arc<AuthorizationServer>>,
    limits: (LimitConfig, Arc<RateLimiter>),
    /// They outlive the configuration they were opened by.
    pub(super) tunnels: Arc<Tunnels>,
}

impl Generation {
    /// Reads every file that the configuration names, and begins to connect to the directory. What must not be forgotten, how fast
    /// clients went and which codes were used, comes from the one before.
    ///
    /// # Errors
    /// What cannot be used.
    pub(super) fn new(
        config: &Config,
        (audit, activity): (Option<&Arc<Audit>>, Option<&Arc<Activity>>),
        metrics: &Arc<Metrics>,
        before: Option<&Self>,
    ) -> Result<(Self, Entrance), StartError> {
        let resources = Arc::new(Resources::load(&config.data).map_err(|error| StartError(error.to_string()))?);
        let tls = config.server.tls.as_ref().map(http::server_config).transpose().map_err(StartError)?;
        let clock = Arc::new(SystemClock);
        let backend = Backend::new(config, &resources, metrics, before.map(|before| &before.backend))?;
        let (directory, mapping) = (&backend.directory, &backend.mapping);
        let way = (backend.noting.clone(), backend.cache.clone());
        let schemas = Arc::new(resources.registry.clone());
        let service = Service::new(way, mapping.clone(), schemas, &config.service, (clock.clone(), metrics.clone()))
            .map_err(|error| StartError(error.to_string()))?;
        let service = if let Some((shadow, config)) = backend.shadow.clone().zip(config.service.shadow.clone()) {
            // The audit and who looks on are told of what is done.
            service.shadowed(shadow, config)
        } else {
            // Where nobody can look, nothing is kept to be looked at.
            let activity = activity.filter(|_| config.auth.may_have_administrator());
            let service = audit.iter().fold(service, |service, audit| service.audited((*audit).clone()));
            activity.iter().fold(service, |service, activity| service.told_to((*activity).clone()))
        };
        let service = match before {
            Some(before) => service.going_on_from(before.gateway.service()),
            None => service,
        };
        let audience = format!("{}{}", config.server.public_url.as_deref().unwrap_or_default(), http::SCIM_PATH);
        let server = config.auth.oauth.clone().map(|mut oauth| {
            let administrators = oauth.administrators.take();
            let administrators = administrators.map(|config| Administrators::new(directory.clone(), mapping.clone(), config));
            let before = before.and_then(|before| before.authorization_server.as_deref());
            AuthorizationServer::new(oauth, audience, administrators, clock.clone(), before).map(Arc::new)
        });
        let server = server.transpose().map_err(|error| StartError(error.to_string()))?;
        let issuers = Issuers::start(config.auth.issuers.clone(), metrics).map_err(StartError)?;
        let authenticator = Authenticator::new(config.auth.clone(), server.clone(), issuers, clock);
        let same = before.map(|before| &before.limits).filter(|(limits, _)| *limits == config.limits);
        let limiter = match same {
            Some((_, limiter)) => limiter.clone(),
            None => Arc::new(RateLimiter::new(config.limits.clone(), metrics.shared_limits()).map_err(StartError)?),
        };
        let tunnels = before.map(|before| before.tunnels.clone()).unwrap_or_default();
        let upstream = config.upstream.clone().map(|upstream| Upstream::new(upstream, tunnels.clone(), metrics).map(Arc::new));
        let gateway = Gateway::new(
            &config.server,
            service,
            (authenticator, server.clone()),
            limiter.clone(),
            config.clients.clone(),
            metrics.clone(),
        );
        let gateway = Arc::new(gateway.beside(upstream.transpose().map_err(StartError)?));
        let entrance = Entrance::new(&config.server, tls, gateway.clone());
        let limits = (config.limits.clone(), limiter);
        Ok((Self { gateway, backend, authorization_server: server, limits, tunnels }, entrance))
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

    /// Lets the last request of it end, for as long as that may take, and then what no other generation uses.
    pub(super) async fn retire(self, time: Duration) {
        let deadline = Instant::now() + time;
        while Arc::strong_count(&self.gateway) > 1 && Instant::now() < deadline {
            sleep(PAUSE).await;
        }
        self.close(deadline).await;
    }

    /// Lets writes end, and then the connections, unless another generation goes on with them. No new requests may come.
    pub(super) async fn close(self, deadline: Instant) {
        let _ = tokio::time::timeout_at(deadline, self.gateway.finish_writes()).await;
        if let Some(backend) = Arc::into_inner(self.backend) {
            backend.close().await;
        }
    }
}
