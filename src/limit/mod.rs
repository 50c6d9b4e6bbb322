//! How fast a client may go. One budget for each configured client, so the memory is bounded by the configuration.

mod config;

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

pub use config::LimitConfig;

/// The clients' budgets.
#[derive(Debug)]
pub struct RateLimiter {
    /// `None`: no limit.
    requests: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    clock: DefaultClock,
}

/// The client has used up its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Whole seconds until there is some again; at least 1.
    pub retry_after: u32,
}

impl RateLimiter {
    /// With full budgets.
    pub fn new(config: LimitConfig) -> Self {
        let quota = NonZeroU32::new(config.requests_per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(config.burst).unwrap_or(rate)));
        Self { requests: quota.map(governor::RateLimiter::keyed), clock: DefaultClock::default() }
    }

    /// Takes one request out of a client's budget.
    pub fn check(&self, client: &Arc<str>) -> Result<(), Exhausted> {
        let Some(limiter) = &self.requests else { return Ok(()) };
        limiter.check_key(client).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Exhausted { retry_after: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_budget_of_its_own() {
        // So slow that nothing comes back while the test runs.
        let limiter = RateLimiter::new(LimitConfig { requests_per_second: 1, burst: 3 });
        let (ping, okta): (Arc<str>, Arc<str>) = ("ping".into(), "okta".into());
        let granted = (0..10).filter(|_| limiter.check(&ping).is_ok()).count();
        assert!((3..=4).contains(&granted), "{granted}");
        assert_eq!(limiter.check(&ping), Err(Exhausted { retry_after: 1 }));
        assert!(limiter.check(&okta).is_ok());
    }

    #[test]
    fn zero_turns_the_limit_off() {
        let limiter = RateLimiter::new(LimitConfig { requests_per_second: 0, burst: 1 });
        assert!((0..1000).all(|_| limiter.check(&"ping".into()).is_ok()));
    }
}
