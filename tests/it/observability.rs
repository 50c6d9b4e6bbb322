//! The files of deploy/observability against a running gateway: what they name exists, and every alert is explained.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Directory, Gateway, GatewayOptions};

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)).unwrap()
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|name| name.starts_with("scimgate_")).collect()
}

/// Every expression of the dashboard.
fn expressions(dashboard: &Value) -> Vec<&str> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap())
        .collect()
}

/// The metrics of a gateway to which everything has happened that makes a family appear.
async fn metrics() -> String {
    let directory = Directory::start().await;
    let away = "[[auth.issuers]]\nissuer = \"http://127.0.0.1:1\"\naudience = \"scimgate\"\n\
                [clients.slow]\nwrites_per_second = 1\nwrites_burst = 2\n\
                [upstream]\nurl = \"http://127.0.0.1:1\"\n[limits.shared]\nurl = \"redis://127.0.0.1:1\"\n";
    let options = GatewayOptions::default().tls().key("slow", "scimgate_the-key-of-slow", "expires = \"2099-01-01\"").lines(away);
    let gateway = Gateway::before(&directory, options).await;
    let scim = gateway.client("scimgate_the-key-of-slow");
    for name in ["a", "b", "c", "d", "e", "f"] {
        let user = json!({ "userName": format!("{name}@example.com"), "name": { "familyName": "F" }, "active": "True" });
        scim.post("/Users", user).await;
    }
    gateway.client("scimgate_wrong").get("/Users").await.expect(401);
    assert_eq!(scim.outside(Method::GET, "/elsewhere").send().await.unwrap().status().as_u16(), 502);
    gateway.admin("/metrics").await.1
}

#[tokio::test]
async fn dashboard_and_alerts_name_metrics_that_exist() {
    let metrics = metrics().await;
    let printed: BTreeSet<&str> = metrics.lines().filter(|line| !line.starts_with('#')).flat_map(named).collect();

    let dashboard: Value = serde_json::from_str(&read("observability/dashboard.json")).unwrap();
    let shown = expressions(&dashboard).join("\n");
    let alerts = read("observability/alerts.yaml");
    for (file, text) in [("dashboard.json", shown.as_str()), ("alerts.yaml", &alerts)] {
        let wanted = named(text);
        assert!(wanted.len() > 10, "{file} is not read rightly: {wanted:?}");
        let missing: Vec<_> = wanted.difference(&printed).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}, which are not in\n{metrics}");
    }
    // The other way: no family is left out of the dashboard.
    let base = |name: &str| name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count").to_owned();
    let seen: BTreeSet<String> = named(&shown).into_iter().map(base).collect();
    let unseen: BTreeSet<String> = printed.into_iter().map(base).filter(|name| !seen.contains(name)).collect();
    assert!(unseen.is_empty(), "the dashboard shows nothing of {unseen:?}");
}

#[test]
fn every_alert_has_an_entry_in_the_runbook() {
    let (alerts, runbook) = (read("observability/alerts.yaml"), read("RUNBOOK.md"));
    let raised: BTreeSet<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let explained: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(!raised.is_empty());
    assert_eq!(raised, explained);
    for name in raised {
        let link = format!("runbook: deploy/RUNBOOK.md#{}", name.to_lowercase());
        assert!(alerts.lines().any(|line| line.trim() == link), "{name} has no {link}");
        let tests = read("observability/alerts_test.yaml");
        for case in ["is raised", "is quiet"] {
            assert!(tests.contains(&format!("name: {name} {case}\n")), "no test that {name} {case}");
        }
    }
}
