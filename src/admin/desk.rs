//! What the console shows of the configuration that is served by.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::config::{Kept, SetHere};
use crate::auth::Scopes;

/// The present configuration, as far as the console is concerned.
#[derive(Debug, Clone)]
pub struct Desk {
    /// What the provider is told.
    pub base_url: String,
    /// Where tokens are granted; `None` without `[auth.oauth]`.
    pub token_endpoint: Option<String>,
    /// `provisioning.enabled`
    pub enabled: bool,
    /// `provisioning.existing_users`
    pub existing_users: bool,
    /// `groups.sync`
    pub sync_groups: bool,
    /// Which of them the configuration sets itself.
    pub set: SetHere,
    /// The console's own file.
    pub kept: Option<Kept>,
    /// `admin.hosts`
    pub hosts: Vec<String>,
    /// API keys.
    pub keys: Vec<Listed>,
    /// Clients of the authorization server.
    pub clients: Vec<Listed>,
}

/// A key or a client.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name or id.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// Refused from this instant on.
    pub expires: Option<Timestamp>,
    /// What names it in the console's file; `None`: it stands in the configuration.
    pub mark: Option<String>,
}

/// What the console asks of the program that it is part of.
#[derive(Debug)]
pub enum Wanted {
    /// Serve by what the files say now; what is wrong with it, if it cannot be.
    Reload(oneshot::Sender<Result<(), Vec<String>>>),
    /// Look at the configuration and the directory.
    Findings(oneshot::Sender<Vec<Finding>>),
}

/// What `scimgate check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is: `ok`, `note` or `problem`.
    pub grade: &'static str,
    /// What it is.
    pub text: String,
    /// What to do.
    pub remedy: Option<String>,
}
