//! `scimgate explain`: what a request would do to the directory, with nothing done.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{block_on, complain, load, print};
use crate::app;
use crate::config::Config;
use crate::http::{Explanation, Question};

/// Wrong usage, or nothing can be said.
const NOTHING_SAID: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigFile,
    /// GET, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD", value_parser = method)]
    method: http::Method,
    /// Below the SCIM base, with its query: /Users, /Groups/ID, "/Users?filter=…"
    #[arg(id = "resource", value_name = "PATH")]
    path: String,
    /// A file with the body; - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Take the policy of this client, as [clients.NAME] has it
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn method(text: &str) -> Result<http::Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "this is no method".to_owned())
}

/// 0 where it would be done, 1 where it would be refused, 2 where that cannot be said.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Some(config) = load(&arguments.config.path) else { return ExitCode::from(NOTHING_SAID) };
    let json = arguments.json;
    match block_on(explain(arguments, config)).map_err(|error| format!("the runtime cannot be started: {error}")) {
        Ok(Ok(explanation)) => {
            let text = if json {
                serde_json::to_string_pretty(&explanation).unwrap_or_default() + "\n"
            } else {
                explanation.to_string()
            };
            print(&text);
            ExitCode::from(u8::from(!explanation.would_be_done()))
        }
        Ok(Err(trouble)) | Err(trouble) => {
            complain(&format!("{trouble}\n"));
            ExitCode::from(NOTHING_SAID)
        }
    }
}

async fn explain(arguments: Arguments, config: Config) -> Result<Explanation, String> {
    let Arguments { method, path, body, client, .. } = arguments;
    let body = body.as_deref().map(|path| read(path, config.server.max_body)).transpose()?;
    if let Some(client) = client.as_deref().filter(|client| !config.clients.contains_key(*client)) {
        complain(&format!("the client {client} has no policy of its own ([clients.{client}]); what holds for all is taken\n"));
    }
    let question = Question { method, path, body, client };
    app::explain(config, question).await.map_err(|error| error.to_string())
}

/// A body no larger than one that is served.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let trouble = |error: std::io::Error| format!("the body {}: {error}", path.display());
    let mut bytes = Vec::new();
    let limit = most as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes).map_err(trouble)?;
    } else {
        std::fs::File::open(path).map_err(trouble)?.take(limit).read_to_end(&mut bytes).map_err(trouble)?;
    }
    if bytes.len() > most {
        return Err(format!("the body {} is larger than limits.max_body", path.display()));
    }
    Ok(bytes)
}
