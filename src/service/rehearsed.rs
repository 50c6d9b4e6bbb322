//! The operations without their consequences: what a request would do.

use std::sync::Arc;
use std::time::Duration;

use super::Service;
use crate::audit::is_secret;
use crate::directory::Dn;
use crate::mapping::ResourceMapping;
use crate::membership::{CacheConfig, MembershipCache, Noting};
use crate::rehearsal::{Rehearsal, Tell};
use crate::telemetry::Metrics;

/// What one request learns is forgotten with it.
const MEMORY: CacheConfig =
    CacheConfig { capacity: 10_000, ttl: Duration::from_mins(1), blind_ttl: Duration::from_mins(1), feed: false, entries: None };

impl Service {
    /// The same service, of which nothing stays: neither in the directory nor in what is remembered, counted or audited. `tell` hears
    /// of every step towards the directory. It is for one request, which sees what it would have written.
    #[must_use]
    pub fn rehearsed(&self, tell: Tell) -> Self {
        let metrics = Arc::new(Metrics::default());
        let cache = Arc::new(MembershipCache::new(MEMORY, &metrics));
        let bases = self.mapping.borrow().as_ref().map(|known| (known.users.base.clone(), known.groups.base.clone()));
        // Without a mapping nothing is written anyway.
        let (users, groups) = bases.unwrap_or_else(|| (Dn::root(), Dn::root()));
        let rehearsal = Arc::new(Rehearsal::new(self.plain.clone(), true, tell));
        let noting = Arc::new(Noting::new(rehearsal, cache.clone(), users, groups));
        let rails = Arc::new(self.rails.apart(metrics));
        let apart = Self { cache, rails, audit: None, ..self.over(noting) };
        Self { activity: None, shadow: None, ..apart }
    }

    /// Whether an attribute's values are shown to nobody.
    pub fn is_masked(&self, attribute: &str) -> bool {
        match (&self.audit, &self.shadow) {
            (Some(audit), _) => audit.config().is_masked(attribute),
            (None, Some((_, config))) => config.mask.covers(attribute),
            (None, None) => is_secret(attribute),
        }
    }

    /// The SCIM attributes that lead to an attribute of this entry.
    pub fn sources(&self, dn: &Dn, attribute: &str) -> Vec<String> {
        let mapping = self.mapping.borrow();
        let Some(mapping) = mapping.as_ref() else { return Vec::new() };
        let is_of = |side: &ResourceMapping| dn.is_under(&side.base);
        // One branch may be within the other: the inner one counts.
        let (users, groups) = (&mapping.users, &mapping.groups);
        let groups_within = groups.base.is_under(&users.base) && groups.base.key() != users.base.key();
        let side = if is_of(groups) && (groups_within || !is_of(users)) { groups } else { users };
        side.led_by(attribute)
    }
}
