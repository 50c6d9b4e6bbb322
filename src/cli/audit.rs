//! `scimgate audit verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{complain, load, print};
use crate::audit::{Destination, Verified, verify};

pub(super) fn run(config: &Path, file: Option<PathBuf>) -> ExitCode {
    let path = match file {
        Some(file) => file,
        None => match from(config) {
            Ok(path) => path,
            Err(code) => return code,
        },
    };
    match verify(&path) {
        Ok(verified) => {
            print(&tell(&path, &verified));
            ExitCode::SUCCESS
        }
        Err(broken) => {
            complain(&format!("{broken}\n"));
            ExitCode::from(1)
        }
    }
}

/// The file that the configuration names.
fn from(config: &Path) -> Result<PathBuf, ExitCode> {
    let Some(config) = load(config) else { return Err(ExitCode::from(1)) };
    match config.audit.map(|audit| audit.destination) {
        Some(Destination::File(file)) => Ok(file.path),
        Some(Destination::Stdout | Destination::Syslog(_)) => {
            complain(
                "The audit goes to standard output or to syslog: give the file that it ends up in, of bare lines, by --file.\n",
            );
            Err(ExitCode::from(2))
        }
        None => {
            complain("Nothing is audited: audit.path is not set. --file names a file.\n");
            Err(ExitCode::from(2))
        }
    }
}

fn tell(path: &Path, verified: &Verified) -> String {
    let Verified { first, last, hash, files, unfinished } = verified;
    if last < first {
        return format!("{} has no lines yet.\n", path.display());
    }
    let beginning = if *first == 1 { "" } else { " Earlier ones are no longer kept." };
    let end = if *unfinished { " Its last line has no end: it is being written, or a crash cut it off." } else { "" };
    format!(
        "Lines {first} to {last} of {} are whole and in order ({files} {}).{beginning}{end}\n\
         The last hash: {hash}. Kept elsewhere, it shows if lines are later cut off at the end.\n",
        path.display(),
        if *files == 1 { "file" } else { "files" },
    )
}
