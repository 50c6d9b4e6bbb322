//! The command line.

mod adopt;
mod audit;
mod check;
mod explain;
mod health;
mod key;
mod serve;
mod settings;
mod undo;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::auth::Scope;
use crate::config::Config;
use crate::directory::Capabilities;
use crate::ldap::{Contact, LdapDirectory, Role};

/// SCIM 2.0 in front of the LDAP directory you already have.
#[derive(Debug, Parser)]
#[command(name = "scimgate", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground
    Serve(ConfigFile),
    /// Validate the configuration, then look at the directory and say what to mend
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Validate the configuration only
        #[arg(long)]
        offline: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show which existing users would be managed through SCIM from now on, and with --apply adopt them
    Adopt(adopt::Arguments),
    /// Show what a SCIM request would write, as LDIF, and what it would be answered; writes nothing
    Explain(explain::Arguments),
    /// Look at the audit
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Ask the running server whether it is ready: exit 0, or 1 with the reason
    Health {
        #[command(flatten)]
        config: ConfigFile,
        /// Whether it is alive, whatever the directory is
        #[arg(long)]
        live: bool,
    },
    /// Make API keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show how audited writes would be taken back, and with --apply take them back; what was changed since stays
    Undo(undo::Arguments),
    /// Print the values to paste into the identity provider
    Settings {
        #[command(flatten)]
        config: ConfigFile,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE", env = "SCIMGATE_CONFIG", default_value = "/etc/scimgate/scimgate.toml")]
    path: PathBuf,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that no line was changed, taken out or put in, over all files that are kept; the first broken line is named
    Verify {
        #[command(flatten)]
        config: ConfigFile,
        /// This file, and those that it was put aside as, instead of the configuration's
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key: it is printed once, with the lines to add to the configuration
    New {
        /// The client's name in logs, limits and the audit
        #[arg(long)]
        name: String,
        /// What the key may do; everything if left out
        #[arg(long, value_delimiter = ',', value_name = "SCOPE,…")]
        scopes: Vec<Scope>,
        /// When it ends: in so many days, such as 90d, or on a date such as 2027-02-22
        #[arg(long, value_name = "WHEN")]
        expires: Option<key::Expiry>,
        /// A client of the authorization server instead: its id is the name, the key its secret
        #[arg(long, conflicts_with = "expires")]
        client: bool,
    },
}

/// Runs the command and says how it went: 0, 1 for what is wrong with the configuration or the directory, 2 for usage.
pub fn run() -> ExitCode {
    // clap prints its own messages and ends with 2 on wrong usage.
    match Arguments::parse().command {
        Command::Serve(config) => serve::run(&config.path),
        Command::Check { config, offline, json } => check::run(&config.path, offline, json),
        Command::Adopt(arguments) => adopt::run(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Health { config, live } => health::run(&config.path, live),
        Command::Key { command: KeyCommand::New { name, scopes, expires, client } } => {
            let kind = if client { key::Kind::Client } else { key::Kind::ApiKey(expires) };
            key::new(&name, &scopes, kind)
        }
        Command::Audit { command: AuditCommand::Verify { config, file } } => audit::run(&config.path, file),
        Command::Undo(arguments) => undo::run(arguments),
        Command::Settings { config, json } => settings::run(&config.path, json),
    }
}

/// Prints to standard output. Whoever reads it may have gone away, which is no error of ours.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints to standard error.
fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Reads the configuration, or prints what is wrong with it.
fn load(path: &std::path::Path) -> Option<Config> {
    match Config::load(path) {
        Ok(config) => Some(config),
        Err(error) => {
            complain(&format!("{error}\n"));
            None
        }
    }
}

/// What the server that takes the writes can do.
async fn reach(directory: &LdapDirectory) -> Result<Arc<Capabilities>, String> {
    let mut troubles = Vec::new();
    for Contact { url, role, found, .. } in directory.contacts().await {
        match found {
            Ok(capabilities) if role == Role::Provider => return Ok(capabilities),
            Ok(_) => {}
            Err(trouble) => troubles.push(format!("the directory cannot be reached: {url}: {trouble}")),
        }
    }
    Err(troubles.join("\n"))
}

/// The runtime every command runs in.
fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future))
}
