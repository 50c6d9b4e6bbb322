//! What a client can find out by itself.

use serde_json::{Value, json};

use super::server::AuthorizationServer;
use super::token::with;
use crate::auth::Scope;

impl AuthorizationServer {
    /// What there is to know of this server (RFC 8414 section 2, RFC 9207 section 3).
    pub fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        let asks_people = self.clients.iter().any(|client| !client.redirect_uris.is_empty());
        let trusts_secrets = |id: &str| self.registered(id).is_some_and(|client| client.redirect_uris.is_empty());
        let mut grants = Vec::new();
        if self.clients.iter().any(|client| trusts_secrets(&client.id)) {
            grants.push("client_credentials");
        }
        if asks_people {
            grants.extend(["authorization_code", "refresh_token"]);
        }
        let methods = ["client_secret_basic", "client_secret_post"];
        let metadata = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/oauth2/token"),
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
            "revocation_endpoint_auth_methods_supported": methods,
            "jwks_uri": format!("{issuer}/oauth2/jwks"),
            "grant_types_supported": grants,
            "response_types_supported": if asks_people { vec!["code"] } else { vec![] },
            "scopes_supported": Scope::ALL.map(Scope::as_str),
            "tls_client_certificate_bound_access_tokens": self.certificates,
        });
        let of_the_page = [
            ("authorization_endpoint", format!("{issuer}/oauth2/authorize").into()),
            ("response_modes_supported", json!(["query"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("authorization_response_iss_parameter_supported", true.into()),
        ];
        with(metadata, of_the_page.into_iter().filter(|_| asks_people))
    }
}
