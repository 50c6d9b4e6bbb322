//! The directory's servers: whether each is reached, safely, and what it offers.

use std::sync::Arc;

use super::files;
use super::findings::Findings;
use crate::clock::{Clock as _, SystemClock};
use crate::directory::profile::Profile;
use crate::directory::{Capabilities, Directory as _, Dn, SearchRequest, Vendor, instant};
use crate::http;
use crate::ldap::{Contact, Inspection, LdapConfig, LdapDirectory, Role};
use crate::telemetry::Metrics;

/// A clock further away is worth a word, in seconds.
const CLOCK: i64 = 30;

/// Controls that change how we work, and what happens without them.
const CONTROLS: [(&str, &str, &str); 2] = [
    (Capabilities::POST_READ, "post-read (RFC 4527)", "each write is followed by a read"),
    (
        Capabilities::ASSERTION,
        "assertion (RFC 4528)",
        "each guarded write is preceded by a read, and says which values it replaces where that can be said",
    ),
];

/// Reaches them all; with a connection of our own to the first one that takes writes.
pub(super) async fn reach(
    config: &LdapConfig,
    findings: &mut Findings,
) -> Option<(LdapDirectory, Arc<Capabilities>, Option<Inspection>)> {
    let directory = match LdapDirectory::start(config.clone(), &Metrics::default()) {
        Ok(directory) => directory,
        Err(error) => {
            findings.wrong(error);
            return None;
        }
    };
    let (mut reached, mut connection) = (None, None);
    for Contact { url, role, found, difference, warnings } in directory.contacts().await {
        let name = match role {
            Role::Provider => "the directory",
            Role::Replica => "the replica",
        };
        match found {
            Ok(capabilities) => {
                let product = match capabilities.product.as_str() {
                    "" => Profile::of(&capabilities).name,
                    product => product,
                };
                findings.good(format!("signed in to {url} ({product})"));
                let opened = inspect(&url, config, findings).await;
                if role == Role::Provider && reached.is_none() {
                    (reached, connection) = (Some(capabilities), opened);
                } else if let Some(opened) = opened {
                    opened.close().await;
                }
            }
            Err(trouble) => findings.wrong(format!("{name} cannot be reached: {url}: {trouble}")),
        }
        for warning in warnings {
            findings.note(format!("{url}: {warning}"));
        }
        if let Some(difference) = difference {
            findings.advise(
                format!("{url} differs from the first: {difference}"),
                "give all servers the same configuration: after a failover this one does the work",
            );
        }
    }
    let Some(capabilities) = reached else {
        directory.close().await;
        return None;
    };
    controls(&capabilities, findings);
    clock(&directory, &capabilities, findings).await;
    Some((directory, capabilities, connection))
}

/// Looks at how the connection is protected. A second sign-in does no harm after the first one went well.
async fn inspect(url: &url::Url, config: &LdapConfig, findings: &mut Findings) -> Option<Inspection> {
    let mut inspection = match Inspection::open(url, config).await {
        Ok(inspection) => inspection,
        Err(trouble) => {
            findings.wrong(format!("a second connection to {url} is refused: {trouble}"));
            return None;
        }
    };
    match inspection.certificate().await {
        Some(certificate) => {
            files::certificate(&format!("the certificate of {url}"), http::certificate_end_of(&certificate), findings);
        }
        None if url.scheme() == "ldapi" => {}
        None => findings.advise(
            format!("what goes to {url} is not encrypted, the password of {} included", account(config)),
            "use ldaps://, or set directory.starttls = true; on the same machine ldapi:// is as good",
        ),
    }
    Some(inspection)
}

fn account(config: &LdapConfig) -> &str {
    config.bind.as_ref().map_or("scimgate's account", |bind| &bind.dn)
}

fn controls(capabilities: &Capabilities, findings: &mut Findings) {
    for (oid, name, without) in CONTROLS {
        if capabilities.has_control(oid) {
            findings.good(format!("{name} is offered"));
        } else {
            findings.note(format!("{name} is not offered: {without}"));
        }
    }
}

/// The directory's clock dates what it changes; ours dates what we log, and ends keys and cursors.
async fn clock(directory: &LdapDirectory, capabilities: &Capabilities, findings: &mut Findings) {
    let (entry, attribute) = match capabilities.vendor {
        Vendor::OpenLdap => ("cn=Current,cn=Time,cn=Monitor", "monitorTimestamp"),
        Vendor::Ds389 => ("cn=monitor", "currenttime"),
        Vendor::ActiveDirectory | Vendor::Unknown => ("", "currentTime"),
    };
    let Ok(dn) = entry.parse::<Dn>() else { return };
    let found = directory.search(&SearchRequest::entry(&dn, vec![attribute.to_owned()])).await.unwrap_or_default();
    let Some(told) = found.entries.first().and_then(|entry| entry.text(attribute)).and_then(instant) else {
        return findings.note(format!("the directory's clock cannot be read ({attribute} of \"{entry}\")"));
    };
    let apart = SystemClock.now().as_second() - told.as_second();
    if apart.abs() > CLOCK {
        let way = if apart > 0 { "behind" } else { "ahead of" };
        findings.advise(format!("the directory's clock is {} s {way} ours", apart.abs()), "let both follow the same NTP servers");
    } else {
        findings.good("the directory's clock and ours agree");
    }
}
