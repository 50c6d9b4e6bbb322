//! Whether the directory tells what others change, and whether all of it.

use super::findings::Findings;
use super::{Patient, software};
use crate::directory::Vendor;
use crate::ldap::LdapDirectory;
use crate::service::ServiceConfig;

/// Overlays that give an entry attributes which are not stored in it.
const MADE_UP_BY: [&str; 2] = ["dynlist", "collect"];

pub(super) async fn check(patient: &Patient<'_>, config: &ServiceConfig, findings: &mut Findings) {
    let (vendor, cache) = (patient.capabilities.vendor, config.cache);
    if !cache.feed {
        return findings
            .note("cache.feed is false: what others change is seen after cache.blind_ttl, and every resource is read each time");
    }
    if !LdapDirectory::tells_changes(patient.capabilities) {
        let remedy = match vendor {
            Vendor::OpenLdap => "load the syncprov overlay for the database",
            Vendor::Ds389 => "let the account use persistent searches (2.16.840.1.113730.3.4.3)",
            Vendor::ActiveDirectory | Vendor::Unknown => "see whether it has RFC 4533 or persistent searches to switch on",
        };
        return findings.advise("the directory does not tell what others change, so every resource is read each time", remedy);
    }
    if vendor == Vendor::OpenLdap && cache.entries != Some(false) {
        let overlays = software::overlays(patient).await;
        for overlay in overlays.iter().filter(|overlay| MADE_UP_BY.contains(&overlay.as_str())) {
            findings.advise(
                format!("the {overlay} overlay is loaded: nothing tells when an attribute that it gives to an entry changes"),
                "if it gives users or groups attributes that are mapped, set cache.entries = false",
            );
        }
    }
}
