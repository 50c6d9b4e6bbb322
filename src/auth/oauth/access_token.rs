//! Access tokens of our own as bearer tokens.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::AuthorizationServer;
use super::keys::ACCESS_TOKEN;
use super::server::LEEWAY;
use crate::auth::{AuthScheme, Presented, Principal, Rejection, SchemeOutcome, Scopes};

/// Accepts what the authorization server granted.
#[derive(Debug)]
pub struct AccessTokens(Arc<AuthorizationServer>);

impl AccessTokens {
    /// Of this server.
    pub fn new(server: Arc<AuthorizationServer>) -> Self {
        Self(server)
    }
}

#[async_trait]
impl AuthScheme for AccessTokens {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        let Some(token) = presented.token() else { return SchemeOutcome::NotPresented };
        // What does not look like an access token may be an API key.
        let header = jsonwebtoken::decode_header(token).ok();
        let is_ours =
            |header: &jsonwebtoken::Header| header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(ACCESS_TOKEN));
        let Some(key_id) = header.filter(is_ours).and_then(|header| header.kid) else { return SchemeOutcome::NotPresented };
        let Some(claims) = self.0.claims(&key_id, token) else { return SchemeOutcome::Rejected(Rejection::Unknown) };
        let now = now.as_second();
        if claims.exp.saturating_add(LEEWAY) <= now {
            return SchemeOutcome::Rejected(Rejection::Expired);
        }
        if claims.iat.saturating_sub(LEEWAY) > now {
            return SchemeOutcome::Rejected(Rejection::Unknown);
        }
        if self.0.is_revoked(&claims) {
            return SchemeOutcome::Rejected(Rejection::Unknown);
        }
        if claims.cnf.as_ref().is_some_and(|confirmation| !confirmation.allows(presented.certificate)) {
            return SchemeOutcome::Rejected(Rejection::OtherCertificate);
        }
        let Some((client, allowed)) = self.0.scopes_of(&claims.client_id) else {
            return SchemeOutcome::Rejected(Rejection::Unknown);
        };
        let scopes = Scopes::of_words(&claims.scope).intersection(allowed);
        SchemeOutcome::Accepted(Principal { client, scopes })
    }
}
