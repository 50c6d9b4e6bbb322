//! SCIM over HTTP: from a TCP connection to a typed call of the service, and back.

mod administrator;
mod body;
mod compression;
mod config;
mod connection;
mod explain;
mod gateway;
mod handlers;
mod listener;
mod oauth;
mod outgoing;
mod passing;
mod policy;
mod proxies;
mod proxy_protocol;
mod response;
mod route;
mod stale;
mod tls;
mod upstream;

pub use administrator::NotAdministrator;
pub use config::{HttpConfig, TlsConfig};
pub use explain::{Explanation, Question};
pub use gateway::Gateway;
pub use listener::{Entrance, Listener, Serving};
pub use policy::{ClientPolicy, GroupPatchAnswer};
pub use proxies::{ForwardedHeader, Proxies};
pub use proxy_protocol::ProxyProtocol;
pub use tls::{certificate_end, certificate_end_of, server_config};
pub use upstream::{HostHeader, Tunnels, Upstream, UpstreamConfig, upstream_answers};

/// Where SCIM begins below the gateway's own URL.
pub const SCIM_PATH: &str = "/scim/v2";
