//! Our own files and keys: whether they can be read, by whom, and for how long they are good.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use super::findings::Findings;
use crate::audit::{AuditConfig, Destination, reach_syslog};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, SecretFile};
use crate::http;

/// A key or certificate that ends sooner is worth a word.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let now = SystemClock.now().as_second();
    if let Some(tls) = &config.server.tls {
        let name = format!("server.tls.certificate {}", tls.certificate.display());
        match http::server_config(tls) {
            Ok(_) => certificate(&name, http::certificate_end(&tls.certificate), findings),
            Err(error) => findings.wrong(error),
        }
    }
    config.secret_files.iter().for_each(|file| secret(file, findings));
    if let Some(audit) = &config.audit {
        destination(audit, findings);
    }
    for key in &config.auth.api_keys {
        let name = &key.name;
        match key.expires.map(|end| end.as_second() - now) {
            Some(left) if left <= 0 => findings.advise(
                format!("a key of {name} has expired"),
                "take its [[auth.api_keys]] out, and make another with `scimgate key new` if the client still comes",
            ),
            Some(left) if left < SOON => findings.advise(
                format!("a key of {name} ends in {} days", left / DAY),
                "make another with `scimgate key new`: both can be live while the client is changed over",
            ),
            Some(_) | None => {}
        }
    }
    for entry in config.auth.certificates.iter().filter(|entry| entry.expires.is_some_and(|end| end.as_second() <= now)) {
        findings.advise(
            format!("the entry of {} in auth.certificates has expired", entry.name),
            "take it out, or give it a later expires",
        );
    }
}

/// Whether a secret is one.
fn secret(file: &SecretFile, findings: &mut Findings) {
    if let Some(mode) = file.exposed() {
        let (path, key) = (file.path.display(), &file.key);
        findings.mend(
            format!("{path} ({key}) can be read by everybody on this machine: its mode is {mode:o}"),
            format!("chmod 640 {path}, and give it to the user or group that scimgate runs as"),
        );
    }
}

/// Whether the audit can go where it is to go. Nothing is written there.
fn destination(audit: &AuditConfig, findings: &mut Findings) {
    match &audit.destination {
        Destination::File(file) => {
            let path = &file.path;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
            let exists = path.exists();
            let writable = access(folder, Access::WRITE_OK | Access::EXEC_OK)
                .and_then(|()| if exists { access(path, Access::READ_OK | Access::WRITE_OK) } else { Ok(()) });
            match writable {
                Ok(()) if exists && mode(path) & 0o077 != 0 => findings.mend(
                    format!("{} (audit.path) can be read by others: its mode is {:o}", path.display(), mode(path) & 0o777),
                    format!("chmod 600 {}", path.display()),
                ),
                Ok(()) => findings.good(format!("the audit can be written to {}", path.display())),
                Err(error) => findings.mend(
                    format!("the audit cannot be written to {} (audit.path): {error}", path.display()),
                    "give its folder to the user that scimgate runs as",
                ),
            }
        }
        Destination::Stdout => {}
        Destination::Syslog(address) => match reach_syslog(address) {
            Ok(()) => findings.good("syslog can be reached for the audit"),
            Err(error) => {
                findings.mend(format!("syslog cannot be reached for the audit (audit.syslog): {error}"), "start it there");
            }
        },
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.mode())
}

/// What is to be said of a certificate's end, in seconds since 1970.
pub(super) fn certificate(name: &str, end: Option<i64>, findings: &mut Findings) {
    let left = end.map(|end| end - SystemClock.now().as_second());
    match left {
        Some(left) if left <= 0 => findings.mend(format!("{name} has expired"), "renew it: whoever verifies it refuses it now"),
        Some(left) if left < SOON => findings.advise(format!("{name} ends in {} days", left / DAY), "renew it"),
        Some(left) => findings.good(format!("{name} is good for {} days", left / DAY)),
        None => findings.note(format!("when {name} ends cannot be told")),
    }
}
