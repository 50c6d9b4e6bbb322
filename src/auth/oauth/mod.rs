//! An authorization server for provisioning clients (RFC 6749): it exchanges a client's secret for an access token that lives
//! for a while. It keeps no state: a token says all there is to know, and its signature that it is ours.

mod access_token;
mod config;
mod error;
mod keys;
mod request;
mod server;

pub use access_token::AccessTokens;
pub use config::{OAuthClientConfig, OAuthConfig};
pub use error::OAuthError;
pub use keys::UnusableKey;
pub use request::TokenRequest;
pub use server::{AuthorizationServer, Granted};
