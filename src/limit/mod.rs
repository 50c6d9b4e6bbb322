//! How fast a client may go, and how often an address may fail to sign in. The memory is bounded: by the configured clients, and
//! by a cache of addresses. Clients' budgets may be shared with other gateways; those of addresses are not, so that strangers cannot
//! burden the store.

mod config;
mod shared;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock, QuantaInstant};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::{InMemoryState, NotKeyed};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota};
use moka::sync::Cache;

pub use config::{LimitConfig, Rate, Rates};
pub use shared::{OnFailure, SharedConfig, store_answers};

use crate::telemetry::{SharedDecision, SharedLimitMetrics};
use shared::{Away, Store};

/// Addresses whose failures are counted at once; those that failed longest ago are forgotten first.
const ADDRESSES: u64 = 10_000;
/// After so long without a failure an address is as good as new.
const FORGOTTEN: Duration = Duration::from_mins(10);

type DirectLimiter = governor::RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;
type Limiter = DefaultKeyedRateLimiter<Arc<str>, StateInformationMiddleware>;

/// Every budget.
#[derive(Debug)]
pub struct RateLimiter {
    client: Budgets,
    clients: HashMap<Arc<str>, Budgets>,
    /// Of those who do not sign in, by their addresses.
    anonymous: Option<(Rate, Quota, Cache<IpAddr, Arc<DirectLimiter>>)>,
    failures: Option<(Quota, Cache<IpAddr, Arc<DefaultDirectRateLimiter>>)>,
    clock: DefaultClock,
    shared: Option<(Store, SharedLimitMetrics)>,
}

/// What a client has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// Nothing is left for now.
    Until {
        /// Whole seconds until there is some again; at least 1.
        retry_after: u32,
    },
    /// This asks for more at once than there ever is.
    Never {
        /// What there is at most.
        most: u32,
    },
    /// It cannot be told, for the store of shared limits is away, and the configuration wants no guess.
    Unknown,
}

/// How much of a budget is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the budget is for.
    pub name: &'static str,
    /// What there is at most.
    pub quota: u32,
    /// Seconds in which all of it comes back.
    pub window: u32,
    /// What is left.
    pub remaining: u32,
    /// Seconds until it is whole again.
    pub reset: u32,
}

/// A client's two budgets, or those of all clients of one kind.
#[derive(Debug)]
struct Budgets {
    requests: Option<Budget>,
    writes: Option<Budget>,
}

#[derive(Debug)]
struct Budget {
    name: &'static str,
    rate: Rate,
    limiter: Limiter,
}

impl Budgets {
    fn new(rates: Rates) -> Self {
        Self { requests: Budget::new("requests", rates.requests), writes: Budget::new("writes", rates.writes) }
    }
}

impl Budget {
    fn new(name: &'static str, rate: Rate) -> Option<Self> {
        let per_second = NonZeroU32::new(rate.per_second)?;
        let burst = NonZeroU32::new(rate.burst).unwrap_or(per_second);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = governor::RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Some(Self { name, rate: Rate { burst: burst.get(), ..rate }, limiter })
    }

    fn take(&self, client: &Arc<str>, n: NonZeroU32, clock: &DefaultClock) -> Result<Standing, Exhausted> {
        match self.limiter.check_key_n(client, n) {
            Ok(Ok(state)) => Ok(self.standing(&state)),
            Ok(Err(until)) => Err(Exhausted::Until { retry_after: wait(&until, clock) }),
            Err(insufficient) => Err(Exhausted::Never { most: insufficient.0 }),
        }
    }

    fn standing(&self, state: &StateSnapshot) -> Standing {
        standing(self.name, self.rate, state)
    }
}

fn standing(name: &'static str, rate: Rate, state: &StateSnapshot) -> Standing {
    standing_of(name, rate, state.remaining_burst_capacity())
}

fn standing_of(name: &'static str, Rate { per_second, burst }: Rate, remaining: u32) -> Standing {
    let per_second = per_second.max(1);
    let reset = burst.saturating_sub(remaining).div_ceil(per_second);
    Standing { name, quota: burst, window: burst.div_ceil(per_second), remaining, reset }
}

fn wait(until: &NotUntil<QuantaInstant>, clock: &DefaultClock) -> u32 {
    let wait = until.wait_time_from(clock.now());
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl RateLimiter {
    /// With full budgets, or with what is left of shared ones.
    ///
    /// # Errors
    /// One line that names the key.
    pub fn new(config: LimitConfig, metrics: SharedLimitMetrics) -> Result<Self, String> {
        let shared = config.shared.clone().map(|shared| Store::start(shared, metrics.clone())).transpose()?;
        metrics.configured(shared.is_some());
        let Rate { per_second, burst } = config.client.requests;
        let anonymous = NonZeroU32::new(per_second).map(|per_second| {
            let burst = NonZeroU32::new(burst).unwrap_or(per_second);
            let addresses = Cache::builder().max_capacity(ADDRESSES).time_to_idle(FORGOTTEN).build();
            (Rate { burst: burst.get(), ..config.client.requests }, Quota::per_second(per_second).allow_burst(burst), addresses)
        });
        let failures = NonZeroU32::new(config.failures_per_minute).map(|most| {
            let addresses = Cache::builder().max_capacity(ADDRESSES).time_to_idle(FORGOTTEN).build();
            (Quota::per_minute(most), addresses)
        });
        Ok(Self {
            client: Budgets::new(config.client),
            clients: config.clients.into_iter().map(|(name, rates)| (name, Budgets::new(rates))).collect(),
            anonymous,
            failures,
            clock: DefaultClock::default(),
            shared: shared.map(|store| (store, metrics)),
        })
    }

    fn of(&self, client: &Arc<str>) -> &Budgets {
        self.clients.get(client).unwrap_or(&self.client)
    }

    /// Takes one request out of a client's budget. `None`: there is no limit.
    ///
    /// # Errors
    /// It is used up.
    pub async fn request(&self, client: &Arc<str>) -> Result<Option<Standing>, Exhausted> {
        self.take(self.of(client).requests.as_ref(), client, NonZeroU32::MIN).await
    }

    async fn take(&self, budget: Option<&Budget>, client: &Arc<str>, n: NonZeroU32) -> Result<Option<Standing>, Exhausted> {
        let Some(budget) = budget else { return Ok(None) };
        let local = || budget.take(client, n, &self.clock);
        let Some((store, metrics)) = &self.shared else { return local().map(Some) };
        match store.take((budget.name, client), budget.rate, n.get()).await {
            Ok(decided) => {
                metrics.decided(SharedDecision::Decided);
                if decided.is_ok() {
                    // So that nobody begins with a full budget when the store goes away.
                    let _ = local();
                }
                decided.map(Some)
            }
            Err(Away) => match store.on_failure() {
                OnFailure::Open => {
                    metrics.decided(SharedDecision::Local);
                    local().map(Some)
                }
                OnFailure::Closed => {
                    metrics.decided(SharedDecision::Refused);
                    Err(Exhausted::Unknown)
                }
            },
        }
    }

    /// Takes one request out of the budget of an address that does not sign in. `None`: there is no limit.
    ///
    /// # Errors
    /// It is used up.
    pub fn anonymous(&self, address: IpAddr) -> Result<Option<Standing>, Exhausted> {
        let Some((rate, quota, addresses)) = &self.anonymous else { return Ok(None) };
        let new = || Arc::new(governor::RateLimiter::direct(*quota).with_middleware());
        let checked = addresses.get_with(network(address), new).check();
        let state = checked.map_err(|until| Exhausted::Until { retry_after: wait(&until, &self.clock) })?;
        Ok(Some(standing("requests", *rate, &state)))
    }

    /// Takes so many changes out of a client's budget, all or none.
    ///
    /// # Errors
    /// There are not so many left, or never.
    pub async fn writes(&self, client: &Arc<str>, operations: usize) -> Result<Option<Standing>, Exhausted> {
        let n = u32::try_from(operations).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        self.take(self.of(client).writes.as_ref(), client, n).await
    }

    /// Notes that somebody at this address failed to sign in. Who signs in well from there is not held up by it.
    ///
    /// # Errors
    /// It has failed too often: the answer is to wait, whatever the reason was.
    pub fn failure(&self, address: IpAddr) -> Result<(), Exhausted> {
        let Some((quota, addresses)) = &self.failures else { return Ok(()) };
        let limiter = addresses.get_with(network(address), || Arc::new(governor::RateLimiter::direct(*quota)));
        limiter.check().map_err(|until| Exhausted::Until { retry_after: wait(&until, &self.clock) })
    }
}

/// Who has one address of IPv6 has all that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    /// So slow that nothing comes back while a test runs.
    fn slow(burst: u32) -> Rate {
        Rate { per_second: 1, burst }
    }

    const OFF: Rate = Rate { per_second: 0, burst: 1 };

    fn limiter(requests: Rate, writes: Rate) -> RateLimiter {
        let own = Rates { requests: slow(1), writes: OFF };
        let config = LimitConfig {
            client: Rates { requests, writes },
            clients: HashMap::from([("slow".into(), own)]),
            failures_per_minute: 3,
            shared: None,
        };
        RateLimiter::new(config, Metrics::default().shared_limits()).unwrap()
    }

    #[tokio::test]
    async fn each_client_has_a_budget_of_its_own() {
        let limiter = limiter(slow(100), OFF);
        let (ping, okta): (Arc<str>, Arc<str>) = ("ping".into(), "okta".into());
        let mut granted = 0;
        for _ in 0..200 {
            granted += usize::from(limiter.request(&ping).await.is_ok());
        }
        assert!((100..=101).contains(&granted), "{granted}");
        assert_eq!(limiter.request(&ping).await, Err(Exhausted::Until { retry_after: 1 }));
        let standing = limiter.request(&okta).await.unwrap().unwrap();
        assert_eq!(standing, Standing { name: "requests", quota: 100, window: 100, remaining: 99, reset: 1 });
        assert!(limiter.request(&"slow".into()).await.is_ok() && limiter.request(&"slow".into()).await.is_err());
    }

    #[tokio::test]
    async fn a_bulk_request_counts_its_operations() {
        let limiter = limiter(OFF, slow(100));
        let ping: Arc<str> = "ping".into();
        assert_eq!(limiter.writes(&ping, 101).await, Err(Exhausted::Never { most: 100 }));
        assert_eq!(limiter.writes(&ping, 60).await.unwrap().unwrap().remaining, 40);
        assert!(matches!(limiter.writes(&ping, 60).await, Err(Exhausted::Until { retry_after: 1.. })));
        assert!(limiter.writes(&ping, 40).await.is_ok());
        for _ in 0..1000 {
            assert_eq!(limiter.request(&ping).await, Ok(None));
        }
    }

    #[tokio::test]
    async fn who_does_not_sign_in_has_the_budget_of_an_address() {
        let limiter = limiter(slow(5), OFF);
        let granted = |address: &str| (0..20).filter(|_| limiter.anonymous(address.parse().unwrap()).is_ok()).count();
        assert_eq!(granted("192.0.2.1"), 5);
        assert_eq!(granted("::ffff:192.0.2.1"), 0);
        assert_eq!(granted("2001:db8::1"), 5);
        assert_eq!(granted("2001:db8::2"), 0);
        let standing = limiter.anonymous("192.0.2.2".parse().unwrap()).unwrap().unwrap();
        assert_eq!((standing.quota, standing.remaining), (5, 4));
        assert!(limiter.request(&"ping".into()).await.is_ok());
    }

    #[test]
    fn an_address_that_fails_is_told_to_wait_and_no_other() {
        let limiter = limiter(OFF, OFF);
        let failures = |address: &str| (0..10).filter(|_| limiter.failure(address.parse().unwrap()).is_ok()).count();
        assert_eq!(failures("192.0.2.1"), 3);
        assert_eq!(failures("::ffff:192.0.2.1"), 0);
        assert_eq!(failures("192.0.2.2"), 3);
        assert_eq!(failures("2001:db8::1"), 3);
        assert_eq!(failures("2001:db8::2:0:0:1"), 0);
        assert_eq!(failures("2001:db8:0:1::1"), 3);
    }
}
