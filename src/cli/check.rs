//! `scimgate check`: the configuration first, then the directory, each finding with its remedy.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{block_on, complain, load, print};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::directory::profile::Profile;
use crate::directory::{Capabilities, Directory, Dn, Filter, SearchRequest, instant};
use crate::http;
use crate::ldap::{Contact, LdapDirectory, Role};
use crate::mapping::{Active, Compiled, Mapping, ResourceMapping};
use crate::resources::Resources;
use crate::scim::Kind;
use crate::telemetry::Metrics;

/// A key or certificate that ends sooner is worth a word.
const SOON: i64 = 14 * 86_400;
/// A clock further away is worth a word.
const CLOCK: i64 = 30;
/// A lookup by an indexed attribute takes far less, even from afar; without an index a large directory takes more.
const SLOW_LOOKUP: Duration = Duration::from_millis(200);

/// Controls that change how we work, and what happens without them.
const CONTROLS: [(&str, &str, &str); 2] = [
    ("1.3.6.1.1.13.2", "post-read (RFC 4527)", "each write is followed by a read"),
    (
        "1.3.6.1.1.12",
        "assertion (RFC 4528)",
        "each guarded write is preceded by a read, and a change in between can be overwritten",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    Remark,
    Problem,
}

/// Prints findings as they come and remembers the worst.
#[derive(Debug)]
struct Findings {
    worst: bool,
}

impl Findings {
    fn say(&mut self, grade: Grade, text: &str) {
        let mark = match grade {
            Grade::Good => "ok     ",
            Grade::Remark => "note   ",
            Grade::Problem => {
                self.worst = true;
                "problem"
            }
        };
        print(&format!("{mark} {text}\n"));
    }
}

pub(super) fn run(path: &Path, offline: bool) -> ExitCode {
    let Some(config) = load(path) else { return ExitCode::from(1) };
    let mut findings = Findings { worst: false };
    findings.say(Grade::Good, &format!("{} is valid", path.display()));
    let resources = match Resources::load(&config.data) {
        Ok(resources) => resources,
        Err(error) => {
            findings.say(Grade::Problem, &error.to_string());
            return ExitCode::from(1);
        }
    };
    check_files(&config, &mut findings);
    if !offline && let Err(error) = block_on(check_directory(config, resources, &mut findings)) {
        complain(&format!("the runtime cannot be started: {error}\n"));
        return ExitCode::from(1);
    }
    ExitCode::from(u8::from(findings.worst))
}

/// Certificates and keys: whether they can be read, and for how long they are good.
fn check_files(config: &Config, findings: &mut Findings) {
    let now = SystemClock.now().as_second();
    if let Some(tls) = &config.server.tls {
        match http::server_config(tls) {
            Ok(_) => match http::certificate_end(&tls.certificate).map(|end| end - now) {
                Some(left) if left <= 0 => {
                    findings.say(Grade::Problem, "server.tls.certificate has expired: clients will refuse it");
                }
                Some(left) if left < SOON => {
                    findings.say(Grade::Remark, &format!("server.tls.certificate ends in {} days: renew it", left / 86_400));
                }
                Some(left) => findings.say(Grade::Good, &format!("the certificate is good for {} days", left / 86_400)),
                None => findings.say(Grade::Remark, "when server.tls.certificate ends cannot be told"),
            },
            Err(error) => findings.say(Grade::Problem, &error),
        }
    }
    for key in &config.auth.api_keys {
        let left = key.expires.map(|end| end.as_second() - now);
        match left {
            Some(left) if left <= 0 => {
                findings.say(
                    Grade::Remark,
                    &format!("a key of {} has expired: remove it, or make another with `scimgate key new`", key.name),
                );
            }
            Some(left) if left < SOON => {
                let days = left / 86_400;
                findings
                    .say(Grade::Remark, &format!("a key of {} ends in {days} days: make another; both can be live", key.name));
            }
            Some(_) | None => {}
        }
    }
}

async fn check_directory(mut config: Config, resources: Resources, findings: &mut Findings) {
    // One is enough to look, and one attempt to sign in shows whether the account is taken.
    config.directory.connections = 1;
    let directory = match LdapDirectory::start(config.directory, Arc::new(Metrics::default())) {
        Ok(directory) => directory,
        Err(error) => return findings.say(Grade::Problem, &error),
    };
    let mut reached = None;
    for Contact { url, role, found, difference, warnings } in directory.contacts().await {
        let name = match role {
            Role::Provider => "the directory",
            Role::Replica => "the replica",
        };
        match found {
            Ok(capabilities) => {
                findings.say(Grade::Good, &format!("signed in to {url} ({})", Profile::of(&capabilities).name));
                if role == Role::Provider {
                    reached.get_or_insert(capabilities);
                }
            }
            Err(trouble) => findings.say(Grade::Problem, &format!("{name} cannot be reached: {url}: {trouble}")),
        }
        for warning in warnings {
            findings.say(Grade::Remark, &format!("{url}: {warning}"));
        }
        if let Some(difference) = difference {
            findings.say(Grade::Remark, &format!("{url} differs from the first: {difference}"));
        }
    }
    let Some(capabilities) = reached else { return directory.close().await };
    let profile = Profile::of(&capabilities);
    check_controls(&capabilities, findings);
    match Mapping::compile(&config.mapping, &resources.registry, &resources.maps, &capabilities) {
        Ok(Compiled { mapping, remarks }) => {
            for remark in remarks {
                findings.say(Grade::Remark, &remark);
            }
            for kind in [Kind::User, Kind::Group] {
                check_branch(&directory, mapping.of(kind), findings).await;
            }
            check_lock(&directory, &capabilities, &mapping.users.active, findings).await;
        }
        Err(error) => {
            for line in error.0 {
                findings.say(Grade::Problem, &line);
            }
        }
    }
    check_clock(&directory, profile, findings).await;
    directory.close().await;
}

fn check_controls(capabilities: &Capabilities, findings: &mut Findings) {
    for (oid, name, without) in CONTROLS {
        if capabilities.has_control(oid) {
            findings.say(Grade::Good, &format!("{name} is offered"));
        } else {
            findings.say(Grade::Remark, &format!("{name} is not offered: {without}"));
        }
    }
}

/// Whether a branch is there, can be read whole, and is searched by an index.
async fn check_branch(directory: &LdapDirectory, side: &ResourceMapping, findings: &mut Findings) {
    let section = match side.ty.kind {
        Kind::User => "users",
        Kind::Group => "groups",
    };
    let base = &side.base;
    match directory.search(&SearchRequest::entry(base, vec!["1.1".to_owned()])).await {
        Ok(found) if found.entries.is_empty() => {
            findings.say(
                Grade::Problem,
                &format!(
                    "{section}.base: {base} is not there, or scimgate's account may not see it: create it or grant read access"
                ),
            );
            return;
        }
        Ok(_) => {}
        Err(error) => return findings.say(Grade::Problem, &format!("{section}.base: {base}: {error}")),
    }
    match directory.search(&SearchRequest::below(base, side.class(), vec!["1.1".to_owned()])).await {
        Ok(found) => findings.say(Grade::Good, &format!("{section} in {base}: {}", found.entries.len())),
        Err(error) => findings.say(
            Grade::Problem,
            &format!(
                "{section}.base: {base} cannot be read whole ({error}): lift the size limit for scimgate's account, in slapd by \
                 limits dn.exact=\"<bind_dn>\" size=unlimited time=unlimited"
            ),
        ),
    }
    // An id that nobody has: with an index the answer takes no time, without one every entry is looked at.
    if let Some(nobody) = side.by_id(&uuid::Uuid::new_v4().to_string()) {
        let started = Instant::now();
        let search = SearchRequest::below(base, Filter::all([side.visible(), nobody]), vec!["1.1".to_owned()]);
        if directory.search(&search).await.is_ok() && started.elapsed() > SLOW_LOOKUP {
            findings.say(
                Grade::Remark,
                &format!(
                    "looking {section} up by id takes {} ms: an index on {} is missing",
                    started.elapsed().as_millis(),
                    side.profile.id
                ),
            );
        }
    }
}

/// A locked account is refused only where a password policy says so (draft-behera-ldap-password-policy section 5.2.12).
async fn check_lock(directory: &LdapDirectory, capabilities: &Capabilities, active: &Active, findings: &mut Findings) {
    let (Active::Lock { attribute, .. }, true) = (active, capabilities.schema.has_class("pwdPolicy")) else { return };
    let contexts = capabilities.naming_contexts.iter().filter_map(|name| name.parse::<Dn>().ok());
    let (mut seen, mut locking) = (0, 0);
    for context in contexts {
        let search = SearchRequest::below(&context, Filter::equal("objectClass", "pwdPolicy"), vec!["pwdLockout".to_owned()]);
        let found = directory.search(&search).await.unwrap_or_default().entries;
        seen += found.len();
        locking += found.iter().filter(|policy| policy.has("pwdLockout", "TRUE")).count();
    }
    match (seen, locking) {
        (0, _) => findings.say(
            Grade::Remark,
            &format!(
                "deactivated users get {attribute}, which stops a sign-in only under a password policy with pwdLockout TRUE;                  scimgate's account sees no policy: make sure that one applies"
            ),
        ),
        (_, 0) => findings.say(
            Grade::Problem,
            "deactivated users could still sign in: no password policy has pwdLockout TRUE; set it in the policy that applies",
        ),
        (seen, locking) => findings.say(Grade::Good, &format!("{locking} of {seen} password policies lock deactivated users out")),
    }
}

/// The directory's clock dates what it changes; ours dates what we log.
async fn check_clock(directory: &LdapDirectory, profile: &Profile, findings: &mut Findings) {
    let request = SearchRequest::entry(&Dn::root(), vec!["currentTime".to_owned()]);
    let Ok(found) = directory.search(&request).await else { return };
    let told = found.entries.first().and_then(|root| root.text("currentTime")).and_then(instant);
    if let Some(told) = told {
        let apart = (SystemClock.now().as_second() - told.as_second()).abs();
        if apart > CLOCK {
            findings.say(Grade::Remark, &format!("the clock of {} is {apart} s away from ours", profile.name));
        }
    }
}
