//! Who may import whom, as `src/ARCHITECTURE.md` says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and what it may import. `config` assembles the configurations of all, and `app` and `cli` put everything together.
const ALLOWED: [(&str, &[&str]); 24] = [
    ("clock", &[]),
    ("secret", &[]),
    ("trust", &[]),
    ("outbound", &[]),
    ("scim", &[]),
    ("directory", &["clock"]),
    ("mapping", &["scim", "directory"]),
    ("telemetry", &["secret", "trust"]),
    ("ldap", &["directory", "telemetry", "secret"]),
    ("membership", &["scim", "directory", "mapping", "telemetry"]),
    ("audit", &["directory", "telemetry"]),
    ("rehearsal", &["directory"]),
    ("undo", &["audit", "directory"]),
    ("service", &["audit", "rehearsal", "scim", "directory", "mapping", "membership", "telemetry", "clock", "secret"]),
    ("adoption", &["directory", "mapping", "scim", "service"]),
    ("auth", &["clock", "directory", "mapping", "outbound", "secret", "telemetry", "trust"]),
    ("limit", &["clock", "secret", "telemetry", "trust"]),
    ("http", &["scim", "directory", "rehearsal", "service", "auth", "limit", "outbound", "telemetry", "trust"]),
    ("admin", &["audit", "auth", "clock", "http", "secret", "service", "telemetry"]),
    ("lifecycle", &[]),
    (
        "config",
        &[
            "admin",
            "adoption",
            "audit",
            "auth",
            "directory",
            "http",
            "ldap",
            "limit",
            "mapping",
            "membership",
            "scim",
            "secret",
            "service",
            "telemetry",
        ],
    ),
    ("resources", &["config", "mapping", "scim"]),
    (
        "app",
        &[
            "admin",
            "audit",
            "auth",
            "clock",
            "config",
            "directory",
            "http",
            "ldap",
            "lifecycle",
            "limit",
            "mapping",
            "membership",
            "resources",
            "secret",
            "service",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "admin",
            "adoption",
            "app",
            "audit",
            "auth",
            "clock",
            "config",
            "directory",
            "http",
            "ldap",
            "lifecycle",
            "limit",
            "mapping",
            "rehearsal",
            "resources",
            "scim",
            "service",
            "telemetry",
            "undo",
        ],
    ),
];

/// Crates that belong to one module alone.
const OWNED: [(&str, &[&str]); 5] = [
    ("ldap3", &["ldap"]),
    ("hyper", &["http", "admin", "auth", "telemetry"]),
    ("governor", &["limit"]),
    ("redis", &["limit"]),
    ("clap", &["cli"]),
];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every source file with the module it belongs to.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let of = |path: PathBuf| (module(&path), path.clone(), fs::read_to_string(&path).unwrap());
    found.into_iter().map(of).filter(|(module, ..)| module != "lib" && module != "main").collect()
}

#[test]
fn modules_import_only_what_they_may() {
    let mut wrong = BTreeSet::new();
    for (module, path, text) in sources() {
        let allowed =
            ALLOWED.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} is not in the table")).1;
        for after in text.split("crate::").skip(1) {
            let imported: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !imported.is_empty() && imported != module && !allowed.contains(&&*imported) {
                wrong.insert(format!("{}: {module} imports {imported}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn some_crates_belong_to_one_module() {
    let mut wrong = BTreeSet::new();
    for (module, path, text) in sources() {
        for (name, owners) in OWNED {
            let used = text.contains(&format!("use {name}::")) || text.contains(&format!(" {name}::"));
            if used && !owners.contains(&&*module) {
                wrong.insert(format!("{}: {name} belongs to {owners:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
