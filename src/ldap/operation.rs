//! One operation: the one function that all of them go through chooses its way, and times, counts and classifies it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use ldap3::Ldap;
use ldap3::controls::Control;
use tokio::time::{Instant, sleep, timeout_at};

use super::budget::{Took, Went};
use super::client::LdapDirectory;
use super::convert::Rest;
use crate::directory::{DirectoryError, ResultCode, Source};
use crate::telemetry::OperationSpan;

/// An operation that takes longer makes us ask whether the server is still there.
const LONG: Duration = Duration::from_millis(500);
/// Over that time by so much an operation is left to itself, in case the library does not end it.
pub(super) const SLACK: Duration = Duration::from_millis(100);
/// How often a read is sent, at most.
const ATTEMPTS: u32 = 3;
/// What a search of no more entries takes depends on the server rather than on the search.
const FEW: usize = 20;

/// The operations, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Search,
    Add,
    Modify,
    Rename,
    Delete,
    Password,
}

/// What a search found.
#[derive(Debug)]
pub(super) struct Found<T> {
    /// What was kept of each entry.
    pub(super) kept: Vec<T>,
    /// What is missing of which of them.
    pub(super) missing: Vec<(usize, Rest)>,
    /// Whether the size limit cut it short.
    pub(super) truncated: bool,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), missing: Vec::new(), truncated: false }
    }
}

/// What comes of an operation.
pub(super) trait Outcome {
    /// Whether the time it takes tells how the server is.
    fn is_ordinary(&self) -> bool;
}

impl<T> Outcome for Found<T> {
    fn is_ordinary(&self) -> bool {
        self.kept.len() <= FEW
    }
}

impl Outcome for Vec<Control> {
    fn is_ordinary(&self) -> bool {
        true
    }
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Rename => "rename",
            Self::Delete => "delete",
            Self::Password => "password",
        }
    }
}

impl LdapDirectory {
    /// Runs one operation, with all it waits for, within the configured time. What certainly was not sent goes to another
    /// connection or server; a read is also repeated when its answer was lost. A write is never repeated when it may have been
    /// done.
    pub(super) async fn perform<T: Outcome>(
        &self,
        operation: Operation,
        mut source: Source,
        run: impl for<'a> Fn(&'a mut Ldap, Instant) -> BoxFuture<'a, Result<T, DirectoryError>> + Send + Sync,
    ) -> Result<(T, Source), DirectoryError> {
        let deadline = Instant::now() + self.timeout;
        let _writing = (operation != Operation::Search && self.pool.has_other_servers()).then(|| self.pool.writing());
        let span = OperationSpan::begin(operation.name());
        let (mut lost, mut attempts) = (0, 0);
        loop {
            let way = match self.pool.way(source, deadline).await {
                Ok(way) => way,
                Err(error) => {
                    self.metrics.unsent(operation.name(), error.name());
                    span.ended(error.name(), true);
                    return Err(error);
                }
            };
            let mut ldap = way.link.handle();
            ldap.with_timeout(deadline.saturating_duration_since(Instant::now()));
            let sent = Instant::now();
            attempts += 1;
            span.sent(way.server.url(), attempts);
            let outcome = {
                let running = timeout_at(deadline + SLACK, run(&mut ldap, deadline));
                tokio::pin!(running);
                let outcome = tokio::select! {
                    outcome = &mut running => outcome,
                    () = sleep(LONG.min(self.timeout / 4)) => {
                        way.server.suspect();
                        running.await
                    }
                };
                outcome.unwrap_or_else(|_| Err(too_late()))
            };
            let took = match operation {
                Operation::Search => Took::Read(sent.elapsed()),
                Operation::Add | Operation::Modify | Operation::Rename | Operation::Delete | Operation::Password => {
                    Took::Write(sent.elapsed())
                }
            };
            let went = match &outcome {
                Ok(done) => Went::Well(done.is_ordinary().then_some(took)),
                Err(DirectoryError::Refused { code, .. }) if means_overload(*code) => Went::Overloaded,
                Err(DirectoryError::Refused { .. } | DirectoryError::Malformed(_)) => Went::Well(None),
                Err(DirectoryError::Unknown(_)) if Instant::now() >= deadline => Went::Overloaded,
                Err(DirectoryError::NotSent(_) | DirectoryError::Unknown(_)) => Went::Nowhere,
            };
            way.place.leave(went);
            let result = outcome.as_ref().map_or_else(DirectoryError::name, |_| ResultCode::Success.name());
            way.server.metrics.operation(operation.name(), result, sent.elapsed());
            let again = match &outcome {
                Err(DirectoryError::NotSent(_)) => {
                    way.link.give_up();
                    true
                }
                Err(DirectoryError::Unknown(_)) => {
                    way.link.suspect();
                    lost += 1;
                    operation == Operation::Search && lost < ATTEMPTS
                }
                Ok(_) => {
                    way.server.answered();
                    false
                }
                Err(DirectoryError::Refused { .. } | DirectoryError::Malformed(_)) => {
                    way.server.answered();
                    way.source == Source::Replica
                }
            };
            if !again || Instant::now() >= deadline {
                span.ended(result, matches!(&outcome, Err(error) if error.code().is_none_or(means_overload)));
                return outcome.map(|done| (done, way.source));
            }
            // What a replica could not answer, the provider can.
            source = Source::Provider;
            // The supervisor takes a dead connection out of its place; until then it is not worth asking again at once.
            tokio::task::yield_now().await;
        }
    }
}

pub(super) fn too_late() -> DirectoryError {
    DirectoryError::Unknown("it took longer than the configured time".to_owned())
}

/// Whether a refusal means that the server has too much to do.
fn means_overload(code: ResultCode) -> bool {
    matches!(code, ResultCode::Busy | ResultCode::Unavailable | ResultCode::AdminLimitExceeded | ResultCode::TimeLimitExceeded)
}
