//! A connection for `scimgate check`: what only a doctor asks, and writes that are tried without being done.

use ldap3::controls::RawControl;
use ldap3::exop::WhoAmI;
use ldap3::result::{ExopResult, SearchResult};
use ldap3::{Ldap, LdapResult, Scope};
use url::Url;

use super::config::LdapConfig;
use super::connect::{Connection, Driver, connect};
use super::{convert, tls};
use crate::directory::{DirectoryError, Dn, Entry, ResultCode};

/// OpenLDAP's No-Op control (draft-zeilenga-ldap-noop): it does not advertise it, but knows it.
pub(super) const NO_OP: &str = "1.3.6.1.4.1.4203.666.5.2";
/// What is answered instead of success.
pub(super) const NO_OPERATION: ResultCode = ResultCode::Other(16654);
/// Get Effective Rights (draft-ietf-ldapext-acl-model).
const EFFECTIVE_RIGHTS: &str = "1.3.6.1.4.1.42.2.27.9.5.2";

/// What a write would have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsed {
    /// It would be done.
    WouldBeDone,
    /// It was done: the server knows the control and does not keep to it.
    WasDone,
}

/// A connection that is signed in.
#[derive(Debug)]
pub struct Inspection {
    ldap: Ldap,
    driver: Driver,
}

impl Inspection {
    /// Connects to one server and signs in.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub async fn open(url: &Url, config: &LdapConfig) -> Result<Self, String> {
        let tls = tls::client_config(config)?;
        let (connection, _) = connect(url, config, &tls, false).await.map_err(|trouble| trouble.text().to_owned())?;
        let Connection { mut ldap, driver, .. } = connection;
        ldap.with_timeout(config.timeout);
        Ok(Self { ldap, driver })
    }

    /// The certificate that the server showed, in DER; `None` without TLS.
    pub async fn certificate(&mut self) -> Option<Vec<u8>> {
        self.ldap.get_peer_certificate().await.ok().flatten()
    }

    /// Who we are there, as an authorisation identity (RFC 4532).
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn who_am_i(&mut self) -> Result<String, DirectoryError> {
        let ExopResult(answer, result) = self.ldap.extended(WhoAmI).await.map_err(convert::failure)?;
        convert::result(result)?;
        let malformed = || DirectoryError::Malformed("who we are".to_owned());
        String::from_utf8(answer.val.unwrap_or_default()).map_err(|_| malformed())
    }

    /// What adding an entry would come to. A server that does not know the control refuses, for the control is critical.
    ///
    /// # Errors
    /// It would be refused.
    pub async fn rehearse_add(&mut self, entry: &Entry) -> Result<Rehearsed, DirectoryError> {
        let answer = self.rehearsing().add(&entry.dn.to_string(), convert::attributes(entry)).await;
        rehearsed(answer)
    }

    /// What removing an entry would come to. Only for a server that has shown that it keeps to the control.
    ///
    /// # Errors
    /// It would be refused.
    pub async fn rehearse_delete(&mut self, dn: &Dn) -> Result<Rehearsed, DirectoryError> {
        let answer = self.rehearsing().delete(&dn.to_string()).await;
        rehearsed(answer)
    }

    /// What may be done to an entry and its attributes, by the server's own account (`entryLevelRights`,
    /// `attributeLevelRights`). `*@class` among the attributes asks for an entry of that class yet to be made.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn effective_rights(&mut self, dn: &Dn, attributes: &[String]) -> Result<Vec<Entry>, DirectoryError> {
        let subject = self.who_am_i().await?;
        self.ldap.with_controls(RawControl { ctype: EFFECTIVE_RIGHTS.to_owned(), crit: true, val: Some(subject.into_bytes()) });
        let found = self.ldap.search(&dn.to_string(), Scope::Base, "(objectClass=*)", attributes).await;
        let SearchResult(found, result) = found.map_err(convert::failure)?;
        convert::result(result)?;
        found.into_iter().filter(|item| !item.is_ref() && !item.is_intermediate()).map(|item| convert::entry(item.0)).collect()
    }

    /// Unbinds.
    pub async fn close(mut self) {
        let _ = self.ldap.unbind().await;
        self.driver.abort();
    }

    fn rehearsing(&mut self) -> &mut Ldap {
        self.ldap.with_controls(RawControl { ctype: NO_OP.to_owned(), crit: true, val: None })
    }
}

fn rehearsed(answer: Result<LdapResult, ldap3::LdapError>) -> Result<Rehearsed, DirectoryError> {
    match answer.map_err(convert::failure).and_then(convert::result) {
        Ok(_) => Ok(Rehearsed::WasDone),
        Err(error) if error.is(NO_OPERATION) => Ok(Rehearsed::WouldBeDone),
        Err(error) => Err(error),
    }
}
