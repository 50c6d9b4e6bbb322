//! Our own files and keys: whether they can be read, by whom, and for how long they are good.

use std::os::unix::fs::MetadataExt as _;

use super::findings::Findings;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, SecretFile};
use crate::http;

/// A key or certificate that ends sooner is worth a word.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;
/// Everybody may read it, or write it.
const EVERYBODY: u32 = 0o006;

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
fn secret(SecretFile { key, path }: &SecretFile, findings: &mut Findings) {
    // What cannot be looked at was read a moment ago, or is told of where it is used.
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.mode() & EVERYBODY != 0
    {
        let path = path.display();
        findings.mend(
            format!("{path} ({key}) can be read by everybody on this machine: its mode is {:o}", metadata.mode() & 0o777),
            format!("chmod 640 {path}, and give it to the user or group that scimgate runs as"),
        );
    }
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
