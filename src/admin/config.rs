//! What the admin listener needs to know.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::state::State;

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The address to bind; plaintext, so a loopback or otherwise private one.
    pub listen: SocketAddr,
    /// Names, beside `localhost` and addresses, that the console is opened by. Any other Host is refused.
    pub hosts: Vec<String>,
    /// What the console keeps; `None`: it changes nothing.
    pub kept: Option<Kept>,
    /// Where the configuration itself sets what the console would.
    pub set: SetHere,
}

/// The console's file, as it was read with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `admin.state`
    pub path: PathBuf,
    /// What is in it; nothing, where it is not there yet.
    pub state: State,
}

/// The places of keys that the configuration file or the environment sets, which go before the console's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetHere {
    /// `provisioning.enabled`
    pub enabled: Option<String>,
    /// `provisioning.existing_users`
    pub existing_users: Option<String>,
    /// `groups.sync`
    pub sync_groups: Option<String>,
}
