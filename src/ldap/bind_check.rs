//! Whether somebody's password is right, asked by a simple bind on a connection of its own: the pool's are the service account's.

use ldap3::controls::RawControl;
use tokio::time::{Instant, timeout_at};

use super::client::LdapDirectory;
use super::operation::too_late;
use super::sign_in::{PASSWORD_POLICY, is_passing, must_be_changed};
use super::{connect, convert};
use crate::directory::{DirectoryError, Dn, ResultCode, Source};
use crate::telemetry::OperationSpan;

/// The operation, as it is counted.
const BIND: &str = "bind";

impl LdapDirectory {
    /// Asks the server that takes the writes, so that its lock counts every attempt, within a place of its budget.
    pub(super) async fn bind_check(&self, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        // Such a bind is one of nobody, and succeeds (RFC 4513 section 5.1.2).
        if password.is_empty() || dn.is_root() {
            return Ok(false);
        }
        let deadline = Instant::now() + self.timeout;
        let span = OperationSpan::begin(BIND);
        let way = self.pool.way(Source::Provider, deadline).await.inspect_err(|error| self.metrics.unsent(BIND, error.name()))?;
        let sent = Instant::now();
        span.sent(way.server.url(), 1);
        let asked = timeout_at(deadline, self.ask(way.server.url(), dn, password)).await;
        let outcome = asked.unwrap_or_else(|_| Err(too_late()));
        let result = match &outcome {
            Ok(true) => ResultCode::Success.name(),
            Ok(false) => ResultCode::InvalidCredentials.name(),
            Err(error) => error.name(),
        };
        span.ended(result, outcome.is_err());
        way.server.metrics.operation(BIND, result, sent.elapsed());
        outcome
    }

    async fn ask(&self, url: &url::Url, dn: &Dn, password: &str) -> Result<bool, DirectoryError> {
        let common = self.pool.common();
        let opened = connect::open(url, &common.config, &common.tls).await;
        let (mut ldap, _driver) = opened.map_err(|what| DirectoryError::NotSent(format!("{url}: {what}")))?;
        // Without it a server lets in whoever must change the password first.
        ldap.with_controls(RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None });
        let answer = ldap.simple_bind(&dn.to_string(), password).await.map_err(convert::failure)?;
        let _ = ldap.unbind().await;
        if must_be_changed(&answer) {
            return Ok(false);
        }
        match convert::result(answer) {
            Ok(_) => Ok(true),
            Err(error @ DirectoryError::Refused { code, .. }) if is_passing(code) => Err(error),
            Err(DirectoryError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
