//! What tokens say, and how they are handed out.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::Scopes;
use crate::auth::certificate::Confirmation;

/// What an access token says (RFC 9068 section 2.2). Times are seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    /// The client itself, or the person who let it in.
    pub(super) sub: String,
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: Uuid,
    /// The certificate that it is bound to, if the client showed one (RFC 8705 section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Confirmation>,
    /// The consent it came of, with which it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<Uuid>,
}

/// What a refresh token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RefreshToken {
    /// The consent: what the code was called.
    pub(super) grant: Uuid,
    pub(super) client: String,
    pub(super) person: Uuid,
    pub(super) scope: String,
    pub(super) end: i64,
}

/// A token for a client.
pub struct Granted {
    /// Whose it is.
    pub client: Arc<str>,
    pub(super) token: String,
    pub(super) lifetime: Duration,
    pub(super) scopes: Scopes,
    pub(super) refresh: Option<String>,
}

impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted").field("client", &self.client).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Granted {
    /// The body of the answer (RFC 6749 section 5.1). Clients compare `token_type` by the letter.
    pub fn to_body(&self) -> Value {
        let body = json!({
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "scope": self.scopes.to_string(),
        });
        with(body, self.refresh.as_ref().map(|refresh| ("refresh_token", refresh.as_str().into())))
    }
}

/// An object with more members.
pub(super) fn with(mut object: Value, more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    object
}
