//! From a URL to a connection that is signed in.

use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use super::config::LdapConfig;
use super::sign_in::{Trouble, sign_in};
use super::{probe, tls};
use crate::directory::Capabilities;

/// How long the connection's task may take to say why it ended.
const REASON: Duration = Duration::from_millis(200);

/// A connection, and the task that carries it. The task ends with it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ldap: Ldap,
    pub(super) driver: Driver,
    /// What the server let pass when we signed in, for now.
    pub(super) warning: Option<String>,
}

pub(super) type Driver = JoinHandle<Result<(), LdapError>>;

/// Connects and signs in within the configured time; asks what the server offers where that is wanted.
pub(super) async fn connect(
    url: &Url,
    config: &LdapConfig,
    tls: &Arc<ClientConfig>,
    ask: bool,
) -> Result<(Connection, Option<Capabilities>), Trouble> {
    timeout(config.timeout, connect_to(url, config, tls, ask))
        .await
        .unwrap_or_else(|_| Err(Trouble::Away(format!("no answer within {:?}", config.timeout))))
}

async fn connect_to(
    url: &Url,
    config: &LdapConfig,
    tls: &Arc<ClientConfig>,
    ask: bool,
) -> Result<(Connection, Option<Capabilities>), Trouble> {
    let (mut ldap, mut driver) = open(url, config, tls).await.map_err(Trouble::Away)?;
    let signed_in = async {
        let warning = sign_in(&mut ldap, config).await?;
        if !ask {
            return Ok((warning, None));
        }
        let found = probe::capabilities(&mut ldap, config.profile).await;
        found.map(|found| (warning, Some(found))).map_err(|error| Trouble::Away(format!("asking what it offers: {error}")))
    };
    match signed_in.await {
        Ok((warning, found)) => match driver.0.take() {
            Some(driver) => Ok((Connection { ldap, driver, warning }, found)),
            None => Err(Trouble::Away("the connection was lost".to_owned())),
        },
        Err(trouble @ Trouble::Refused(_)) => Err(trouble),
        // A server that does not like our certificate says so only after the handshake.
        Err(Trouble::Away(what)) => Err(Trouble::Away(match driver.reason().await {
            Some(error) => tls::explain(&error, config),
            None => what,
        })),
    }
}

/// A connection on which nobody has signed in yet. Whatever happens, its task does not outlive what is returned.
pub(super) async fn open(url: &Url, config: &LdapConfig, tls: &Arc<ClientConfig>) -> Result<(Ldap, Aborting), String> {
    let mut settings = LdapConnSettings::new().set_config(tls.clone()).set_starttls(config.starttls);
    if url.scheme() != "ldapi" {
        let stream = tcp(url, config).await.map_err(|error| error.to_string())?;
        settings = settings.set_std_stream(StdStream::Tcp(stream));
    }
    let connected = LdapConnAsync::from_url_with_settings(settings, url).await;
    let (connection, ldap) = connected.map_err(|error| tls::explain(&error, config))?;
    Ok((ldap, Aborting(Some(tokio::spawn(connection.drive())))))
}

/// Ends the task when it is dropped.
pub(super) struct Aborting(Option<Driver>);

impl Aborting {
    /// Why it ended by itself.
    async fn reason(&mut self) -> Option<LdapError> {
        let driver = self.0.as_mut()?;
        timeout(REASON, driver).await.ok()?.ok()?.err()
    }
}

impl Drop for Aborting {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// A TCP connection that sends at once and notices a dead peer; `ldap3` would set neither.
async fn tcp(url: &Url, config: &LdapConfig) -> std::io::Result<std::net::TcpStream> {
    let port = url.port().unwrap_or(if url.scheme() == "ldaps" { 636 } else { 389 });
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let stream = TcpStream::connect(format!("{host}:{port}")).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(config.keepalive).with_interval(Duration::from_secs(5)).with_retries(3);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.into_std()
}
