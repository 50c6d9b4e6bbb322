//! Who asks on the administrator's listener.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use super::Gateway;
use super::gateway::refusal;
use crate::auth::Scope;
use crate::telemetry::Refusal;

/// Why somebody is not let in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdministrator {
    /// No key, or none of ours.
    Unknown,
    /// A key without the scope.
    Scope,
    /// Too many wrong ones came from that address.
    TooMany,
}

impl Gateway {
    /// The client whose key this is, if it has the scope `admin`. Wrong keys count as they do on the other listener.
    ///
    /// # Errors
    /// It is not let in.
    pub async fn administrator(&self, headers: &HeaderMap, address: IpAddr) -> Result<Arc<str>, NotAdministrator> {
        match self.authenticator.identify(headers, None).await {
            Ok((principal, _)) if principal.scopes.contains(Scope::Admin) => Ok(principal.client),
            Ok(_) => {
                self.metrics.refused(Refusal::Scope);
                Err(NotAdministrator::Scope)
            }
            Err(rejection) => {
                let guessed = rejection.is_guess();
                self.metrics.refused(refusal(rejection));
                let too_many = guessed && self.limiter.failure(address).is_err();
                Err(if too_many { NotAdministrator::TooMany } else { NotAdministrator::Unknown })
            }
        }
    }
}
