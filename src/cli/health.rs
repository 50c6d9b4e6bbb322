//! `scimgate health`: asks the running server how it is, for supervisors that can only run a program (an image has no other).

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;

use super::{block_on, complain, print};
use crate::admin;
use crate::config::Config;

/// Docker's own limit is 30 seconds; a server that says nothing for this long is not well.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(path: &Path, live: bool) -> ExitCode {
    // Nothing else of the file matters here, and a mistake in it is no illness of the server.
    let address = admin::reachable(Config::admin_listen(path));
    let page = if live { "/livez" } else { "/readyz" };
    let asked = block_on(async { tokio::time::timeout(PATIENCE, admin::ask(address, page)).await });
    let trouble = match asked {
        Ok(Ok(Ok((StatusCode::OK, text)))) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Ok(Ok(Ok((status, text)))) => format!("{status}: {}", text.trim_end()),
        Ok(Ok(Err(error))) => error,
        Ok(Err(_)) => format!("no answer within {} seconds", PATIENCE.as_secs()),
        Err(error) => format!("the runtime cannot be started: {error}"),
    };
    complain(&format!("http://{address}{page} (admin.listen): {trouble}\n"));
    ExitCode::from(1)
}
