//! `scimgate serve`.

use std::path::Path;
use std::process::ExitCode;

use super::{block_on, complain, load};
use crate::app::App;
use crate::config::Config;
use crate::lifecycle::{self, Signals};
use crate::telemetry;

pub(super) fn run(path: &Path) -> ExitCode {
    let Some(config) = load(path) else { return ExitCode::from(1) };
    let traces = match telemetry::init(config.log, config.traces.as_ref()) {
        Ok(traces) => traces,
        Err(error) => {
            complain(&format!("{error}\n"));
            return ExitCode::from(1);
        }
    };
    for file in &config.secret_files {
        if let Some(mode) = file.exposed() {
            let (path, key) = (file.path.display(), &file.key);
            tracing::warn!("{path} ({key}) can be read by everybody on this machine: its mode is {mode:o}; chmod 640 mends it");
        }
    }
    let served = block_on(serve(config));
    if let Some(traces) = traces {
        traces.close();
    }
    match served {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(&format!("{error}\n"));
            ExitCode::from(1)
        }
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}\n"));
            ExitCode::from(1)
        }
    }
}

async fn serve(config: Config) -> Result<(), String> {
    let mut signals = Signals::catch().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let app = App::start(config).await.map_err(|error| error.to_string())?;
    lifecycle::ready();
    signals.next().await;
    tracing::info!("closing: requests in flight are finished first");
    lifecycle::stopping();
    app.stop(signals.next()).await;
    Ok(())
}
