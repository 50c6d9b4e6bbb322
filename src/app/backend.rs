//! The way to the directory, and what is known of it: connections, the mapping, the memory and the change feed. A reload that changes
//! none of what it was made of keeps it, so that a new key or certificate costs no client a cold cache. What shadow mode has kept is kept
//! by every reload that stays in it, before the same servers.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::StartError;
use crate::config::Config;
use crate::directory::{Capabilities, Directory};
use crate::ldap::{LdapConfig, LdapDirectory};
use crate::mapping::{Mapping, MappingConfig};
use crate::membership::{CacheConfig, MembershipCache, Noting};
use crate::resources::Resources;
use crate::service::Shadow;
use crate::telemetry::Metrics;

/// One of them.
#[derive(Debug)]
pub(super) struct Backend {
    made_of: Source,
    pub(super) directory: Arc<LdapDirectory>,
    pub(super) cache: Arc<MembershipCache>,
    /// What stands before the directory in shadow mode.
    pub(super) shadow: Option<Arc<Shadow>>,
    /// The directory, or what stands before it, whose writes the cache learns of.
    pub(super) noting: Arc<dyn Directory>,
    pub(super) mapping: watch::Receiver<Option<Arc<Mapping>>>,
    /// Ends with it.
    _feed: AbortOnDropHandle<()>,
}

/// Everything that it depends on.
#[derive(Debug, PartialEq)]
struct Source {
    directory: LdapConfig,
    /// What the files of `[directory]` hold, for the same name may lead to another certificate.
    files: Vec<Option<[u8; 32]>>,
    mapping: MappingConfig,
    cache: CacheConfig,
    resources: Arc<Resources>,
    /// Whether nothing is written.
    shadow: bool,
}

impl Source {
    fn of(config: &Config, resources: &Arc<Resources>) -> Self {
        let digest = |path: &Path| std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into());
        Self {
            directory: config.directory.clone(),
            files: config.directory.files().map(digest).collect(),
            mapping: config.mapping.clone(),
            cache: config.service.cache,
            resources: resources.clone(),
            shadow: config.service.shadow.is_some(),
        }
    }
}

impl Backend {
    /// The one before, if nothing that it depends on has changed, or another one, which begins to connect.
    ///
    /// # Errors
    /// What cannot be used. A mapping that does not fit the directory as it is known is found before it is connected to.
    pub(super) fn new(
        config: &Config,
        resources: &Arc<Resources>,
        metrics: &Arc<Metrics>,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, StartError> {
        let made_of = Source::of(config, resources);
        if let Some(before) = before {
            if before.made_of == made_of {
                return Ok(before.clone());
            }
            before.fits(&made_of)?;
        }
        let directory = Arc::new(LdapDirectory::start(made_of.directory.clone(), metrics).map_err(StartError)?);
        let sender = watch::Sender::new(None);
        let mapping = sender.subscribe();
        // What is kept beside the directory in shadow mode, its feed does not tell of.
        let remembered = if made_of.shadow { CacheConfig { entries: Some(false), ..made_of.cache } } else { made_of.cache };
        let cache = Arc::new(MembershipCache::new(remembered, metrics));
        let (users, groups) = (made_of.mapping.users.base.clone(), made_of.mapping.groups.base.clone());
        let same_servers = before.filter(|before| before.made_of.directory.urls == made_of.directory.urls);
        let kept = same_servers.and_then(|before| before.shadow.clone());
        let shadow = made_of.shadow.then(|| kept.unwrap_or_else(|| Arc::new(Shadow::begin(Timestamp::now()))));
        let served: Arc<dyn Directory> = match &shadow {
            Some(shadow) => shadow.before(directory.clone()),
            None => directory.clone(),
        };
        let noting: Arc<dyn Directory> = Arc::new(Noting::new(served, cache.clone(), users, groups));
        let feed = AbortOnDropHandle::new(tokio::spawn(cache.clone().follow(noting.clone(), mapping.clone())));
        tokio::spawn(keep_compiled(directory.watch(), sender, made_of.mapping.clone(), resources.clone()));
        Ok(Arc::new(Self { made_of, directory, cache, shadow, noting, mapping, _feed: feed }))
    }

    /// Whether another mapping fits this directory, as far as it is known and stays the same.
    fn fits(&self, other: &Source) -> Result<(), StartError> {
        let known = self.directory.watch().borrow().clone().filter(|_| self.made_of.directory == other.directory);
        let Some(known) = known else { return Ok(()) };
        let compiled = Mapping::compile(&other.mapping, &other.resources.registry, &other.resources.maps, &known);
        compiled.map(|_| ()).map_err(|error| StartError(error.0.join("; ")))
    }

    /// Ends the connections.
    pub(super) async fn close(self) {
        self.directory.close().await;
    }
}

/// Compiles the mapping whenever the directory tells anew what it can hold.
async fn keep_compiled(
    mut capabilities: watch::Receiver<Option<Arc<Capabilities>>>,
    mapping: watch::Sender<Option<Arc<Mapping>>>,
    config: MappingConfig,
    resources: Arc<Resources>,
) {
    loop {
        let known = capabilities.borrow_and_update().clone();
        if let Some(known) = known {
            match Mapping::compile(&config, &resources.registry, &resources.maps, &known) {
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
