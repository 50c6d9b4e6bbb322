//! `scimgate serve`.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::{block_on, complain, load};
use crate::admin::Wanted;
use crate::app::App;
use crate::config::{Config, Watched};
use crate::lifecycle::{self, Asked, Signals, Sockets};
use crate::telemetry;

/// How often the configuration's files are looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(path: &Path) -> ExitCode {
    let Some(config) = load(path) else { return ExitCode::from(1) };
    let traces = match telemetry::init(config.log, config.traces.as_ref()) {
        Ok(traces) => traces,
        Err(error) => {
            complain(&format!("{error}\n"));
            return ExitCode::from(1);
        }
    };
    warn_of_exposed_secrets(&config);
    let served = block_on(serve(path, config));
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

fn warn_of_exposed_secrets(config: &Config) {
    for file in &config.secret_files {
        if let Some(mode) = file.exposed() {
            let (path, key) = (file.path.display(), &file.key);
            tracing::warn!("{path} ({key}) can be read by everybody on this machine: its mode is {mode:o}; chmod 640 mends it");
        }
    }
}

async fn serve(path: &Path, config: Config) -> Result<(), String> {
    let mut signals = Signals::catch().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let (mut watched, config) = Watched::read(path, &config).map_err(|error| error.to_string())?;
    let mut watch_files = config.server.watch_files;
    let sockets = Sockets::passed().map_err(|error| format!("LISTEN_FDS: {error}"))?;
    let mut app = App::start(config, sockets).await.map_err(|error| error.to_string())?;
    lifecycle::ready();
    tokio::spawn(lifecycle::watchdog());
    let mut once_more = false;
    loop {
        let (why, reply) = tokio::select! {
            biased;
            () = std::future::ready(()), if once_more => ("SIGHUP came while it was read", None),
            asked = signals.next() => match asked {
                Asked::End => break,
                Asked::Reload => ("SIGHUP", None),
            },
            () = changed(&mut watched), if watch_files => ("a file was changed", None),
            wanted = app.wanted() => match wanted {
                Wanted::Reload(reply) => ("it was changed at the console", Some(reply)),
                Wanted::Findings(reply) => {
                    let path = path.to_owned();
                    // It has a runtime of its own, and may wait for the directory.
                    tokio::task::spawn_blocking(move || reply.send(super::check::findings(&path)));
                    continue;
                }
            },
        };
        tracing::info!("reading the configuration again: {why}");
        lifecycle::reloading();
        watched.seen();
        let (reloaded, asked_again) = unless_ended(&mut signals, Box::pin(reload(path, &mut app))).await;
        once_more = asked_again;
        match reloaded {
            None => break,
            Some(Ok(now)) => {
                (watched, watch_files) = now;
                // Whoever asked may have gone.
                let _ = reply.map(|reply| reply.send(Ok(())));
            }
            Some(Err(mistakes)) => {
                app.reloaded(false);
                for mistake in &mistakes {
                    tracing::error!("not reloaded, and nothing has changed: {mistake}");
                }
                let _ = reply.map(|reply| reply.send(Err(mistakes)));
                lifecycle::status("the configuration that is there was refused; see the log");
            }
        }
        lifecycle::ready();
    }
    tracing::info!("closing: requests in flight are finished first");
    lifecycle::stopping();
    app.stop(signals.end()).await;
    Ok(())
}

/// Goes on until it is done, or the process is to end; says too whether another reload was asked for meanwhile, which may have been
/// for a file that was read already.
async fn unless_ended<T>(signals: &mut Signals, mut doing: Pin<Box<impl Future<Output = T>>>) -> (Option<T>, bool) {
    let mut asked_again = false;
    loop {
        tokio::select! {
            done = doing.as_mut() => return (Some(done), asked_again),
            asked = signals.next() => match asked {
                Asked::End => return (None, asked_again),
                Asked::Reload => asked_again = true,
            },
        }
    }
}

/// Waits until a file is another one.
async fn changed(watched: &mut Watched) {
    loop {
        sleep(LOOK).await;
        if watched.changed() {
            return;
        }
    }
}

/// Serves by what the file says now; says which files are to be watched from now on, or what is wrong.
async fn reload(path: &Path, app: &mut App) -> Result<(Watched, bool), Vec<String>> {
    let file: PathBuf = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let found = Config::load(&file).map_err(|error| error.0)?;
        Watched::read(&file, &found).map_err(|error| error.0)
    });
    let (watched, config) = read.await.map_err(|error| vec![error.to_string()])??;
    warn_of_exposed_secrets(&config);
    let watch_files = config.server.watch_files;
    app.reload(config).await.map_err(|error| vec![error.to_string()])?;
    app.reloaded(true);
    tracing::info!("reloaded");
    lifecycle::status("serving");
    Ok((watched, watch_files))
}
