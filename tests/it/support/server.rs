//! A directory server that a script of `tests/directory` starts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::slapd::free_port;
use super::{Site, Vendor};

/// A server, stopped when it is dropped if it was started for this test alone.
#[derive(Debug)]
pub(super) struct Server {
    folder: PathBuf,
    own: Option<(TempDir, Vendor)>,
}

impl Server {
    /// The server in the folder that `SCIMGATE_TEST_SERVER` names, which several tests use at the same time; without it a new
    /// one.
    pub(super) fn find(vendor: Vendor) -> Self {
        if let Some(folder) = std::env::var_os("SCIMGATE_TEST_SERVER") {
            return Self { folder: folder.into(), own: None };
        }
        Self::start(vendor, 0)
    }

    /// A new one, with so many users and a group of all of them, where the script can make such.
    pub(super) fn start(vendor: Vendor, crowd: usize) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("server");
        let server = Self { folder, own: Some((parent, vendor)) };
        // Between the choice of a port and its use another program may take it.
        for _ in 0..5 {
            let port = free_port().to_string();
            if server.run_script(&["start", server.path(), &port], crowd) {
                return server;
            }
            server.run_script(&["stop", server.path()], 0);
        }
        panic!("{} does not start a server", vendor.script());
    }

    /// Whether no other test uses it.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Who may sign in where: as the gateway, and as the administrator.
    pub(super) fn access(&self, vendor: Vendor) -> (Site, String, String) {
        let access = std::fs::read_to_string(self.folder.join("access")).unwrap();
        let lines: HashMap<&str, &str> = access.lines().filter_map(|line| line.split_once('=')).collect();
        let of = |name: &str| (*lines.get(name).unwrap_or_else(|| panic!("no {name} in the access file"))).to_owned();
        let url = of("url");
        let ca = url.starts_with("ldaps:").then(|| of("ca"));
        let site = Site { vendor, url, ca, account: of("account"), password: of("password"), ..Site::default() };
        (site, of("administrator"), of("administrator_password"))
    }

    fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    fn run_script(&self, arguments: &[&str], crowd: usize) -> bool {
        let Some((_, vendor)) = &self.own else { return false };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/directory").join(vendor.script());
        Command::new(script).args(arguments).env("CROWD", crowd.to_string()).status().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_own() {
            self.run_script(&["stop", self.path()], 0);
        }
    }
}
