//! Keys and clients' secrets as passwords (RFC 7617), for clients that have nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::authorization::Credential;
use super::{ApiKeys, AuthScheme, AuthorizationServer, Presented, Principal, Rejection, SchemeOutcome};

/// Accepts an API key as the password of its name, and a client's secret as that of its id.
#[derive(Debug)]
pub(super) struct Basic {
    keys: Arc<ApiKeys>,
    server: Option<Arc<AuthorizationServer>>,
}

impl Basic {
    pub(super) fn new(keys: Arc<ApiKeys>, server: Option<Arc<AuthorizationServer>>) -> Self {
        Self { keys, server }
    }
}

#[async_trait]
impl AuthScheme for Basic {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        let Credential::Password(given) = &presented.credential else { return SchemeOutcome::NotPresented };
        // Both are looked through, whatever is found, so that the time tells of neither.
        let client = self.server.as_ref().and_then(|server| server.client_with_secret(&given.user, &given.password));
        let key = self.keys.look_up(&given.password, Some(&given.user), now);
        match (key, client) {
            (SchemeOutcome::NotPresented, Some((client, scopes))) => SchemeOutcome::Accepted(Principal { client, scopes }),
            (SchemeOutcome::NotPresented, None) => SchemeOutcome::Rejected(Rejection::Unknown),
            (outcome @ (SchemeOutcome::Accepted(_) | SchemeOutcome::Rejected(_)), _) => outcome,
        }
    }
}
