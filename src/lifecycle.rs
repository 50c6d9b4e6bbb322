//! Beginning and end of the process: what the service supervisor is told, and what its signals mean.

use std::net::TcpListener;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the process: the first lets requests in flight finish, the second does not; and the one that has it read its
/// configuration again.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM, SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

impl Signals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// Waits for one that ends the process; those that ask for something else have come too late.
    pub async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }
}

/// Sockets that whoever started us had opened before, so that no connection is refused while we are started again.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For SCIM.
    pub scim: Option<TcpListener>,
    /// For the administrator.
    pub admin: Option<TcpListener>,
}

impl Sockets {
    /// Takes those that systemd passed (`sd_listen_fds(3)`): the first is for SCIM, a second one for the administrator, unless they
    /// are named `scim` and `admin`.
    ///
    /// # Errors
    /// What was passed is no listening TCP socket, or there are two for one purpose.
    pub fn passed() -> std::io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        for n in 0..passed.len() {
            let (place, purpose) = match names.split(':').nth(n) {
                Some("admin") => (&mut sockets.admin, "admin"),
                Some("scim") => (&mut sockets.scim, "scim"),
                Some(_) | None if n == 1 => (&mut sockets.admin, "admin"),
                Some(_) | None => (&mut sockets.scim, "scim"),
            };
            let Some(socket) = passed.take_tcp_listener(n)? else { continue };
            // One of them would be open and never accepted from.
            if place.replace(socket).is_some() {
                return Err(std::io::Error::other(format!(
                    "there are two sockets for {purpose}: leave one ListenStream= for it, and name them by FileDescriptorName=scim \
                     and admin"
                )));
            }
        }
        Ok(sockets)
    }
}

/// Tells systemd that requests are served. Without systemd nothing happens.
pub fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// Tells systemd that the configuration is being read again; `ready` tells that it is done with (`Type=notify-reload`).
pub fn reloading() {
    let begun = NotifyState::monotonic_usec_now();
    let _ = begun.map(|begun| sd_notify::notify(&[NotifyState::Reloading, begun]));
}

/// Tells systemd in one line how things are.
pub fn status(line: &str) {
    let _ = sd_notify::notify(&[NotifyState::Status(line)]);
}

/// Tells systemd that we are on the way out.
pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Gives systemd its signs of life (`WatchdogSec=`), twice as often as it asks for them, for as long as tasks get their turn.
pub async fn watchdog() {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| *within > Duration::ZERO) else { return };
    let mut beat = tokio::time::interval(within / 2);
    loop {
        beat.tick().await;
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }
}
