//! An authorization server for provisioning clients (RFC 6749): it exchanges a client's secret, or the consent of an administrator
//! who signs in, for an access token that lives for a while. It keeps no state beside what was revoked: codes and tokens say all
//! there is to know, and a seal or a signature that they are ours.

mod access_token;
mod attempts;
mod authorize;
mod config;
mod error;
mod keys;
mod metadata;
mod people;
mod pkce;
mod replay;
mod request;
mod revocations;
mod seal;
mod server;
#[cfg(test)]
mod tests;
mod token;

pub use access_token::AccessTokens;
pub use authorize::{AuthorizationRequest, Declined, Unusable};
pub use config::{AdministratorsConfig, OAuthClientConfig, OAuthConfig};
pub use error::OAuthError;
pub use keys::UnusableKey;
pub use people::{Administrators, NotSignedIn, Person};
pub use request::{RevocationRequest, TokenRequest};
pub use server::AuthorizationServer;
pub use token::Granted;
