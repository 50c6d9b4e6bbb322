//! Which release it is, and which of its overlays or plug-ins matter to us.

use super::Patient;
use super::findings::Findings;
use crate::directory::{Dn, Entry, Filter, Vendor};
use crate::mapping::Active;

pub(super) async fn check(patient: &Patient<'_>, findings: &mut Findings) {
    match patient.capabilities.vendor {
        Vendor::OpenLdap => openldap(patient, findings).await,
        Vendor::Ds389 => ds389(patient, findings).await,
        Vendor::ActiveDirectory => active_directory(patient, findings).await,
        Vendor::Unknown => findings.note("the directory does not say whose it is: it is treated by the standards alone"),
    }
    lockout(patient, findings).await;
}

async fn openldap(patient: &Patient<'_>, findings: &mut Findings) {
    let monitor = match "cn=Monitor".parse::<Dn>() {
        Ok(monitor) => patient.entry(&monitor, &["monitoredInfo"]).await,
        Err(_) => None,
    };
    let release = monitor.as_ref().and_then(|entry| entry.text("monitoredInfo")).map(str::to_owned);
    match &release {
        Some(release) => findings.good(format!("it is {}", release.trim())),
        None => findings.note("which release of slapd it is cannot be seen: cn=Monitor is not there, or not for this account"),
    }
    let overlays = overlays(patient).await;
    if overlays.is_empty() {
        findings.note("which overlays are loaded cannot be seen: neither cn=config nor cn=Monitor is for this account");
        return;
    }
    findings.good(format!("overlays: {}", overlays.join(", ")));
    let has = |name: &str| overlays.iter().any(|overlay| overlay == name);
    if has("refint") && release.is_none_or(|release| release.contains("slapd 2.5.")) {
        findings.advise(
            "the refint overlay is loaded: in slapd 2.5 it keeps a core busy for ever after the first removal",
            "take it out, and set memberof-refint TRUE (olcMemberOfRefInt) in the memberof overlay, or go to 2.6",
        );
    } else if !has("refint") && !has("memberof") {
        findings.advise(
            "neither memberof nor refint is loaded: who is deleted by others than scimgate stays a member of groups",
            "load the memberof overlay with memberof-refint TRUE",
        );
    }
    if !has("unique") && patient.mapping.users.kept_in("userName").iter().any(|name| !patient.mapping.users.is_named_by(name)) {
        findings.advise(
            "the unique overlay is not loaded, and userName does not name the entries: two clients at once could create one name twice",
            "load the unique overlay for the attribute of userName",
        );
    }
}

/// The overlays of every database: by the configuration, or else by the monitor.
pub(super) async fn overlays(patient: &Patient<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (base, class, attribute) in
        [("cn=config", "olcOverlayConfig", "olcOverlay"), ("cn=Databases,cn=Monitor", "monitoredObject", "monitoredInfo")]
    {
        let Ok(base) = base.parse::<Dn>() else { continue };
        let entries = patient.look(&base, Filter::equal("objectClass", class), &[attribute]).await;
        let is_overlay = |entry: &&Entry| {
            attribute == "olcOverlay"
                || entry.dn.rdn().and_then(|rdn| rdn.value("cn")).is_some_and(|cn| cn.starts_with("Overlay"))
        };
        let names = entries.iter().filter(is_overlay).filter_map(|entry| entry.text(attribute));
        // {0}memberof
        found.extend(names.map(|name| name.split('}').next_back().unwrap_or_default().to_lowercase()));
        if !found.is_empty() {
            break;
        }
    }
    found.sort();
    found.dedup();
    found
}

async fn ds389(patient: &Patient<'_>, findings: &mut Findings) {
    if !patient.capabilities.usn {
        findings.advise(
            "the USN plug-in is off: two changes of an entry within one second cannot be told apart",
            "switch the plug-in on: dsconf INSTANCE plugin usn enable, and restart the server",
        );
    }
    let Ok(base) = "cn=plugins,cn=config".parse::<Dn>() else { return };
    let plugins = patient
        .look(&base, Filter::equal("objectClass", "nsSlapdPlugin"), &["nsslapd-pluginPath", "nsslapd-pluginEnabled"])
        .await;
    if plugins.is_empty() {
        findings.note("which plug-ins are on cannot be seen: cn=plugins,cn=config is not for this account");
        return;
    }
    let on = |path: &str| {
        plugins.iter().any(|entry| entry.has("nsslapd-pluginPath", path) && entry.has("nsslapd-pluginEnabled", "on"))
    };
    for (path, name, without) in [
        ("libreferint-plugin", "referential integrity", "who is deleted by others than scimgate stays a member of groups"),
        ("libmemberof-plugin", "MemberOf", "users cannot be searched by their groups"),
        ("libattr-unique-plugin", "attribute uniqueness", "two clients at once could create one userName twice"),
    ] {
        if on(path) {
            findings.good(format!("the plug-in {name} is on"));
        } else {
            findings.advise(format!("the plug-in {name} is off: {without}"), format!("switch it on (nsslapd-pluginPath {path})"));
        }
    }
}

async fn active_directory(patient: &Patient<'_>, findings: &mut Findings) {
    let attributes = ["domainControllerFunctionality", "dnsHostName"];
    let Some(root) = patient.entry(&Dn::root(), &attributes).await else { return };
    if let (Some(level), Some(host)) = (root.text("domainControllerFunctionality"), root.text("dnsHostName")) {
        findings.good(format!("it is {host}, a domain controller of functional level {level}"));
    }
}

/// A locked account is refused only where a password policy says so (draft-behera-ldap-password-policy section 5.2.12).
async fn lockout(patient: &Patient<'_>, findings: &mut Findings) {
    let (Active::Lock { attribute, .. }, true) =
        (&patient.mapping.users.active, patient.capabilities.schema.has_class("pwdPolicy"))
    else {
        return;
    };
    let (mut seen, mut locking) = (0, 0);
    for context in patient.capabilities.naming_contexts.iter().filter_map(|name| name.parse::<Dn>().ok()) {
        let found = patient.look(&context, Filter::equal("objectClass", "pwdPolicy"), &["pwdLockout"]).await;
        seen += found.len();
        locking += found.iter().filter(|policy| policy.has("pwdLockout", "TRUE")).count();
    }
    match (seen, locking) {
        (0, _) => findings.advise(
            format!(
                "deactivated users get {attribute}, which stops a sign-in only under a password policy with pwdLockout TRUE; this \
                 account sees no policy"
            ),
            "make sure that one applies (ppolicy_default in slapd), and let this account read it",
        ),
        (_, 0) => findings.mend(
            "deactivated users could still sign in: no password policy has pwdLockout TRUE",
            "set pwdLockout: TRUE in the policy that applies",
        ),
        (seen, locking) => findings.good(format!("{locking} of {seen} password policies lock deactivated users out")),
    }
}
