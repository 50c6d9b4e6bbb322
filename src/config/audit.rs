//! `[audit]`.

use std::path::PathBuf;

use super::reader::Section;
use crate::audit::{AuditConfig, Destination, FileConfig, Mask, OnFailure, SyslogAddress};
use crate::directory::AttributeName;

/// Where a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Stdout,
    Syslog,
}

/// `None`: nothing is audited.
pub(super) fn audit(mut section: Section<'_>) -> Option<AuditConfig> {
    let kind = section.parsed("destination", |text| match text {
        "file" => Ok(Kind::File),
        "stdout" => Ok(Kind::Stdout),
        "syslog" => Ok(Kind::Syslog),
        _ => Err("this must be \"file\", \"stdout\" or \"syslog\"".to_owned()),
    });
    let place = section.place_of("path");
    let path = section.path("path");
    let rotate_size = section.size("rotate_size", 100 << 20);
    let keep = section.number("keep", 100, 0);
    let sync = section.flag("sync", true);
    let syslog = section.parsed("syslog", address).unwrap_or_else(|| SyslogAddress::Local(PathBuf::from("/dev/log")));
    let on_failure = section.parsed("on_failure", |text| match text {
        "refuse" => Ok(OnFailure::Refuse),
        "warn" => Ok(OnFailure::Warn),
        _ => Err("this must be \"refuse\" or \"warn\"".to_owned()),
    });
    let name = |text: &str| {
        let name: Result<AttributeName, _> = text.parse();
        name.map(|_| text.to_owned()).map_err(|error| error.to_string())
    };
    let mask = Mask::new(section.list("mask", name).unwrap_or_default());
    let file = |path| Destination::File(FileConfig { path, rotate_size: rotate_size as u64, keep, sync });
    let destination = match (kind, path) {
        (None | Some(Kind::File), Some(path)) => Some(file(path)),
        (Some(Kind::File), None) => {
            section.note(None, "path", "the file is missing: path = \"audit.jsonl\"");
            None
        }
        (Some(Kind::Stdout | Kind::Syslog), Some(_)) => {
            section.note(place.as_ref(), "path", "a file is given, but destination is another: take one of the two out");
            None
        }
        (Some(Kind::Stdout), None) => Some(Destination::Stdout),
        (Some(Kind::Syslog), None) => Some(Destination::Syslog(syslog)),
        (None, None) => None,
    };
    section.finish();
    Some(AuditConfig { destination: destination?, on_failure: on_failure.unwrap_or_default(), mask })
}

fn address(text: &str) -> Result<SyslogAddress, String> {
    let with_port =
        |rest: &str| rest.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match (text.strip_prefix("udp://"), text.strip_prefix("tcp://")) {
        (Some(rest), _) if with_port(rest) => Ok(SyslogAddress::Udp(rest.to_owned())),
        (_, Some(rest)) if with_port(rest) => Ok(SyslogAddress::Tcp(rest.to_owned())),
        (None, None) if text.starts_with('/') => Ok(SyslogAddress::Local(PathBuf::from(text))),
        _ => Err("this must be a socket such as \"/dev/log\", \"udp://host:514\" or \"tcp://host:601\"".to_owned()),
    }
}
