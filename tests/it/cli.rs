//! The other commands: check, key, settings.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{Fixture, Gateway, GatewayOptions, Slapd, SlapdOptions, program};

/// Runs a command; its exit status, and what it printed to each stream.
fn run(arguments: &[&str]) -> (i32, String, String) {
    // Directories that are away are waited for.
    let Output { status, stdout, stderr } = program().args(arguments).env("SCIMGATE__DIRECTORY__TIMEOUT", "5s").output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn check(file: &Path, more: &[&str]) -> (i32, String, String) {
    run(&[&["check", "--config", file.to_str().unwrap()], more].concat())
}

#[tokio::test]
async fn check_finds_nothing_wrong_with_what_works() {
    let Fixture { gateway, scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;

    let (status, found, _) = check(&gateway.file(), &[]);

    assert_eq!(status, 0, "{found}");
    for line in ["is valid", "signed in to ldap://127.0.0.1", "users in ou=people,dc=example,dc=com: 1"] {
        assert!(found.contains(line), "{line} is not in\n{found}");
    }
    assert!(!found.contains("problem"), "{found}");
}

#[tokio::test]
async fn check_says_what_is_wrong_with_the_directory() {
    let mut slapd = Slapd::start(&SlapdOptions::default());
    let gateway = Gateway::start(GatewayOptions::default(), &slapd.url()).await;

    let mut elsewhere = program();
    elsewhere.args(["check", "--config"]).arg(gateway.file()).env("SCIMGATE__USERS__BASE", "ou=nobody,dc=example,dc=com");
    let found = elsewhere.output().unwrap();
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found.status.code(), Some(1), "{text}");
    assert!(text.contains("ou=nobody,dc=example,dc=com is not there"), "{text}");

    slapd.kill();
    let (status, text, _) = check(&gateway.file(), &[]);
    assert!(status == 1 && text.contains("problem"), "{status} {text}");
    let (status, text, _) = check(&gateway.file(), &["--offline"]);
    assert_eq!(status, 0, "{text}");
}

#[tokio::test]
async fn health_asks_the_running_server() {
    let mut slapd = Slapd::start(&SlapdOptions::default());
    let gateway = Gateway::start(GatewayOptions::default(), &slapd.url()).await;
    gateway.ready().await;
    let file = gateway.file();
    let asked = |address: &str, more: &[&str]| {
        let mut health = program();
        health.args(["health", "--config"]).arg(&file).args(more).env("SCIMGATE__ADMIN__LISTEN", address);
        let Output { status, stdout, stderr } = health.output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let health = |more: &[&str]| asked(gateway.admin_address(), more);
    let (status, text, trouble) = health(&[]);
    assert!(status == 0 && text.starts_with("ok\n"), "{status} {text} {trouble}");

    // A file that was spoiled since does not make the server ill.
    let good = std::fs::read_to_string(&file).unwrap();
    for spoiled in [good.replace("[users]", "[users]\ncolour = \"red\""), "not TOML".to_owned()] {
        std::fs::write(&file, spoiled).unwrap();
        assert_eq!(health(&[]).0, 0);
    }
    std::fs::write(&file, good).unwrap();

    slapd.kill();
    let (status, _, trouble) = health(&[]);
    assert!(status == 1 && trouble.contains("/readyz (admin.listen): 503"), "{status} {trouble}");
    let (status, text, trouble) = health(&["--live"]);
    assert!(status == 0 && text == "ok\n", "{status} {text} {trouble}");

    let nowhere =
        program().args(["health", "--config"]).arg(&file).env("SCIMGATE__ADMIN__LISTEN", "127.0.0.1:1").output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn check_reports_every_mistake_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scimgate.toml");
    std::fs::write(&file, "[server]\nlisten = 8443\n[users]\nbase = \"nonsense\"\ncolour = \"red\"\n").unwrap();

    let (status, _, found) = check(&file, &["--offline"]);

    assert_eq!(status, 1, "{found}");
    for place in ["scimgate.toml:2:1: server.listen", "scimgate.toml:4:1: users.base", "scimgate.toml:5:1: users.colour"] {
        assert!(found.contains(place), "{place} is not in\n{found}");
    }
    let (status, _, found) = check(&folder.path().join("missing.toml"), &[]);
    assert!(status == 1 && found.contains("missing.toml"), "{found}");
}

#[test]
fn wrong_usage_is_told_apart_from_wrong_configuration() {
    for usage in [&["serve", "--port", "1"][..], &["frobnicate"], &["key", "new"], &["key", "new", "--name", "a b"], &[]] {
        let (status, _, text) = run(usage);
        assert_eq!(status, 2, "{usage:?}: {text}");
    }
    assert_eq!(run(&["--version"]).1, concat!("scimgate ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn a_new_key_signs_in_with_the_scopes_it_was_made_for() {
    let (status, text, _) = run(&["key", "new", "--name", "okta", "--scopes", "users:read", "--expires", "90d"]);
    assert_eq!(status, 0, "{text}");
    let key = text.lines().find_map(|line| line.strip_prefix("Key: ")).unwrap();
    let (_, lines) = text.split_once("[[auth.api_keys]]").unwrap();
    assert!(!lines.contains(key), "{text}");
    let options = GatewayOptions::default().lines(&format!("[[auth.api_keys]]{lines}"));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;

    let okta = gateway.client(key);

    okta.get("/Users").await.expect(200);
    okta.get("/Groups").await.error(403, "");
    assert_ne!(run(&["key", "new", "--name", "okta"]).1, run(&["key", "new", "--name", "okta"]).1);
}

#[tokio::test]
async fn settings_are_what_the_identity_provider_asks_for() {
    let Fixture { gateway, .. } = &Fixture::start().await;
    let file = gateway.file();
    let file = file.to_str().unwrap();

    let (status, text, _) = run(&["settings", "--config", file, "--json"]);
    let settings: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 0);
    assert!(settings["scimBaseUrl"].as_str().unwrap().ends_with("/scim/v2"), "{text}");
    assert_eq!((settings["usersResource"].as_str(), settings["scimVersion"].as_str()), (Some("/Users"), Some("2.0")));

    let (status, sheet, _) = run(&["settings", "--config", file]);
    assert!(status == 0 && sheet.contains("Email Address -> userName") && !sheet.contains("Okta"), "{sheet}");
}

#[test]
fn settings_tell_okta_where_to_send_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scimgate.toml");
    let client = |id: &str, more: &str| {
        let hash = "0".repeat(64);
        format!("[[auth.oauth.clients]]\nid = \"{id}\"\nsecret_hash = \"sha256:{hash}\"\n{more}\n")
    };
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://scim.example.com\"\n\
         [directory]\nurls = [\"ldap://127.0.0.1\"]\nbind_dn = \"cn=a\"\nbind_password = \"b\"\n\
         [users]\nbase = \"ou=people,dc=x\"\n[groups]\nbase = \"ou=groups,dc=x\"\n\
         [auth.oauth]\nsigning_key = \"k\"\nadministrators = \"cn=admins,dc=x\"\n{}{}",
        client("ping", ""),
        client("okta", "redirect_uris = [\"https://client.example.com/\"]"),
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();

    let (_, text, _) = run(&["settings", "--config", file, "--json"]);
    let settings: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(settings["authorizationEndpoint"], "https://scim.example.com/oauth2/authorize");
    assert_eq!((&settings["clientIds"][0], &settings["authorizationCodeClientIds"][0]), (&"ping".into(), &"okta".into()));
    assert_eq!(settings["authenticationMethod"], "OAuth 2 Client Credentials");
    let (_, sheet, _) = run(&["settings", "--config", file]);
    let okta = sheet.split_once("For Okta").unwrap().1;
    assert!(okta.contains("https://scim.example.com/oauth2/authorize") && okta.contains("okta, and the secret"), "{sheet}");
}

#[test]
fn a_gateway_that_cannot_start_says_why_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scimgate.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();

    let (status, _, text) = run(&["serve", "--config", file.to_str().unwrap()]);

    assert!(status == 1 && text.contains("users.base"), "{status} {text}");
}
