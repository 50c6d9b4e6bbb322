//! `scimgate check`: the configuration first, then the directory, each finding with its remedy. Nothing is changed there.

mod administrators;
mod branches;
mod changes;
mod files;
mod findings;
mod groups;
mod guards;
mod index;
mod issuers;
mod rights;
mod servers;
mod shared_limits;
mod software;
mod upstream;

use std::path::Path;
use std::process::ExitCode;

use self::findings::{Findings, Form};
use super::{block_on, complain};
use crate::admin::Finding;
use crate::config::Config;
use crate::directory::{Capabilities, Directory as _, Dn, Entry, Filter, SearchRequest};
use crate::ldap::{Inspection, LdapConfig, LdapDirectory};
use crate::mapping::{Compiled, Mapping, ResourceMapping};
use crate::resources::Resources;
use crate::scim::Kind;

/// A directory that was reached, and how we are to work with it.
#[derive(Debug)]
struct Patient<'a> {
    config: &'a LdapConfig,
    directory: &'a LdapDirectory,
    capabilities: &'a Capabilities,
    mapping: &'a Mapping,
}

pub(super) fn run(path: &Path, offline: bool, json: bool) -> ExitCode {
    let mut findings = Findings::new(if json { Form::Json } else { Form::Text });
    if let Err(error) = examine(path, offline, &mut findings) {
        complain(&format!("the runtime cannot be started: {error}\n"));
        return ExitCode::from(1);
    }
    findings.finish();
    ExitCode::from(u8::from(findings.is_bad()))
}

/// What is found, for who asked in another way than by the command.
pub(super) fn findings(path: &Path) -> Vec<Finding> {
    let mut findings = Findings::new(Form::Kept);
    if let Err(error) = examine(path, false, &mut findings) {
        findings.wrong(format!("the runtime cannot be started: {error}"));
    }
    findings.into_all()
}

fn examine(path: &Path, offline: bool, findings: &mut Findings) -> std::io::Result<()> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            error.0.into_iter().for_each(|line| findings.misconfigured(line));
            return Ok(());
        }
    };
    findings.good(format!("{} is valid", path.display()));
    if config.service.shadow.is_some() {
        findings.advise(
            "shadow mode: what clients write is not written to the directory, though they are answered as if it were",
            "once GET /shadow of the admin listener is as it should be, set provisioning.shadow = false",
        );
    }
    let resources = match Resources::load(&config.data) {
        Ok(resources) => resources,
        Err(error) => {
            findings.wrong(error.to_string());
            return Ok(());
        }
    };
    files::check(&config, findings);
    if offline { Ok(()) } else { block_on(check_others(config, resources, findings)) }
}

async fn check_others(config: Config, resources: Resources, findings: &mut Findings) {
    issuers::check(&config.auth.issuers, findings).await;
    upstream::check(config.upstream.as_ref(), findings).await;
    shared_limits::check(config.limits.shared.as_ref(), findings).await;
    // One is enough to look, and one attempt to sign in shows whether the account is taken.
    let ldap = LdapConfig { connections: 1, ..config.directory };
    let Some((directory, capabilities, mut inspection)) = servers::reach(&ldap, findings).await else { return };
    match Mapping::compile(&config.mapping, &resources.registry, &resources.maps, &capabilities) {
        Ok(Compiled { mapping, remarks }) => {
            for remark in remarks {
                findings.note(remark);
            }
            let (directory, capabilities) = (&directory, &*capabilities);
            let patient = Patient { config: &ldap, directory, capabilities, mapping: &mapping };
            patient.check(inspection.as_mut(), findings).await;
            changes::check(&patient, &config.service, findings).await;
            guards::check(&patient, &config.service.protected, config.service.rails, findings).await;
            if let Some(people) = config.auth.oauth.as_ref().and_then(|oauth| oauth.administrators.as_ref()) {
                administrators::check(&patient, people, findings).await;
            }
        }
        Err(error) => error.0.into_iter().for_each(|line| findings.wrong(line)),
    }
    if let Some(inspection) = inspection {
        inspection.close().await;
    }
    directory.close().await;
}

impl Patient<'_> {
    async fn check(&self, mut inspection: Option<&mut Inspection>, findings: &mut Findings) {
        software::check(self, findings).await;
        for side in [&self.mapping.users, &self.mapping.groups] {
            if branches::check(self, side, findings).await {
                index::check(self, side, findings).await;
                if side.ty.kind == Kind::User || self.mapping.groups_sync {
                    rights::check(self, side, inspection.as_deref_mut(), findings).await;
                }
            }
        }
        groups::check(self, findings).await;
    }

    /// Entries that match, as far as this account may see; none where it may not look.
    async fn look(&self, base: &Dn, filter: Filter, attributes: &[&str]) -> Vec<Entry> {
        let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let request = SearchRequest::below(base, filter, attributes);
        self.directory.search(&request).await.unwrap_or_default().entries
    }

    /// One entry by its name.
    async fn entry(&self, dn: &Dn, attributes: &[&str]) -> Option<Entry> {
        let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let found = self.directory.search(&SearchRequest::entry(dn, attributes)).await.unwrap_or_default();
        found.entries.into_iter().next()
    }

    /// Any resource of this kind, with these attributes.
    async fn any(&self, side: &ResourceMapping, filter: Filter, attributes: Vec<String>) -> Option<Entry> {
        let request = SearchRequest { size_limit: 1, ..SearchRequest::below(&side.base, filter, attributes) };
        self.directory.search(&request).await.unwrap_or_default().entries.into_iter().next()
    }

    /// What the account is called in messages and examples.
    fn account(&self) -> &str {
        self.config.bind.as_ref().map_or("scimgate's account", |bind| &bind.dn)
    }
}

/// The section of the configuration that says where resources of this kind are.
fn section(side: &ResourceMapping) -> &'static str {
    match side.ty.kind {
        Kind::User => "users",
        Kind::Group => "groups",
    }
}
