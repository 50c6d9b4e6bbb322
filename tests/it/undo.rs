//! `scimgate undo`: what the audit tells is taken back, and what was changed since stays.

use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Directory, Fixture, GatewayOptions, Vendor, group, program, user};

const AUDITED: (&str, &str) = ("audit.path", "audit.jsonl");

/// The program, which finds the audit where the gateway has put it.
fn undo(fixture: &Fixture, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(["undo", "--config"]).arg(fixture.gateway.file()).args(arguments);
    for (key, value) in settings.iter().chain([&AUDITED]) {
        command.env(format!("SCIMGATE__{}", key.replace('.', "__").to_uppercase()), value);
    }
    command.output().unwrap()
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

fn lines(fixture: &Fixture, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture.gateway.beside(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn last_request(fixture: &Fixture) -> String {
    lines(fixture, "audit.jsonl").last().unwrap()["request"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_writes_of_a_day_are_taken_back() {
    let fixture = Fixture::set(&[AUDITED]).await;
    let Fixture { scim, directory, gateway } = &fixture;
    let vendor = directory.vendor();
    let ids = [scim.new_user("ana").await, scim.new_user("bob").await, scim.new_user("eve").await];
    let all = format!("/Groups/{}", scim.new_group("all", &[&ids[0], &ids[1], &ids[2]]).await);
    let one = format!("/Groups/{}", scim.new_group("one", &[&ids[2]]).await);
    let [ana, bob, eve] = [0, 1, 2].map(|n: usize| format!("/Users/{}", ids[n]));
    let (before, dumped) = (directory.snapshot().await, directory.dump());
    assert!(dumped.as_ref().is_none_or(|entries| entries.len() > 5), "{dumped:?}");
    // Times in the audit are to the millisecond.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let since = now();

    let mut robert = user("robert");
    robert["title"] = "Engineer, 1st".into();
    let member = |op: &str, id: &str| json!([{ "op": op, "path": "members", "value": [{ "value": id }] }]);
    let gil = scim.new_user("gil").await;
    scim.new_group("some", &[&gil, &ids[0]]).await;
    for title in ["Chief", "Chief of all"] {
        scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": title }])).await.expect(200);
    }
    scim.patch(&ana, json!([{ "op": "replace", "path": "active", "value": false }])).await.expect(200);
    scim.put(&bob, robert).await.expect(200);
    scim.patch(&all, member("remove", &ids[1])).await.expect(204);
    scim.patch(&all, member("add", &gil)).await.expect(204);
    scim.patch(&all, json!([{ "op": "replace", "path": "displayName", "value": "everybody" }])).await.expect(204);
    scim.put(&one, group("one", &[])).await.expect(200);
    scim.delete(&one).await.expect(204);
    // An account of Active Directory comes back with another security identifier, and needs a password first.
    if vendor != Vendor::ActiveDirectory {
        scim.delete(&eve).await.expect(204);
        scim.delete(&format!("/Users/{gil}")).await.expect(204);
    }
    let after = directory.snapshot().await;
    assert!(dumped.is_none() || directory.dump() != dumped);

    let text = said(&undo(&fixture, &[], &["--since", &since, "--client", "ping"]), 0);
    assert!(text.contains("would be taken back") && text.contains("Nothing was changed"), "{text}");
    assert_eq!(directory.snapshot().await, after, "{text}");
    assert!(!gateway.beside("audit.jsonl.undo").exists());

    let text = said(&undo(&fixture, &[], &["--since", &since, "--client", "ping", "--apply"]), 0);
    assert_eq!(directory.snapshot().await, before, "{text}");
    assert_eq!(directory.dump(), dumped, "{text}");
    let told = lines(&fixture, "audit.jsonl.undo");
    let undone: Vec<&str> = told.iter().map(|line| line["undoes"]["request"].as_str().unwrap()).collect();
    let mut done: Vec<Value> = lines(&fixture, "audit.jsonl").into_iter().map(|line| line["request"].clone()).collect();
    done.reverse();
    assert_eq!(undone, done.iter().take(undone.len()).map(|id| id.as_str().unwrap()).collect::<Vec<_>>());
    assert!(told.iter().all(|line| line["client"] == "undo" && line["method"] == "UNDO" && line["status"] == 200));
    let verified = program()
        .args(["audit", "verify", "--config"])
        .arg(gateway.file())
        .arg("--file")
        .arg(gateway.beside("audit.jsonl.undo"))
        .output();
    assert!(verified.unwrap().status.success());

    let again = said(&undo(&fixture, &[], &["--since", &since, "--apply"]), 0);
    assert!(again.contains("nothing is left to do"), "{again}");
    assert_eq!(directory.snapshot().await, before);
    // Cut off between the last change and its line: what is as it was counts as taken back.
    let file = gateway.beside("audit.jsonl.undo");
    let whole: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, whole[..whole.len() - 1].concat()).unwrap();
    let text = said(&undo(&fixture, &[], &["--since", &since, "--apply"]), 0);
    assert!(text.contains("# 0 changes are taken back"), "{text}");
    assert_eq!(lines(&fixture, "audit.jsonl.undo").len(), whole.len());
    assert_eq!(directory.snapshot().await, before);
}

#[tokio::test]
async fn what_was_changed_since_stays() {
    let fixture = Fixture::set(&[AUDITED]).await;
    let Fixture { scim, directory, .. } = &fixture;
    let ana = format!("/Users/{}", scim.new_user("ana").await);
    let made = last_request(&fixture);
    scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": "Chief" }])).await.expect(200);
    let titled = last_request(&fixture);
    let before = directory.snapshot().await;

    // A later request of the same client has changed it.
    let text = said(&undo(&fixture, &[], &["--request", &made, "--apply"]), 1);
    assert!(text.contains(&directory.outward(&directory.user_dn("ana"))) && text.contains("stays: changed since"), "{text}");
    assert!(text.contains(&titled) && text.contains("1 stay"), "{text}");
    assert_eq!(directory.snapshot().await, before);

    // Somebody else has.
    directory.set(&directory.user_dn("ana"), "title", "Boss").await;
    let changed = directory.snapshot().await;
    for request in [&titled, &made] {
        let text = said(&undo(&fixture, &[], &["--request", request, "--apply"]), 1);
        assert!(text.contains("changed since"), "{text}");
    }
    assert_eq!(directory.snapshot().await, changed);

    // It is as it was left again, and so goes back.
    directory.set(&directory.user_dn("ana"), "title", "Chief").await;
    let text = undo(&fixture, &[], &["--request", &titled, "--apply"]);
    if directory.vendor() == Vendor::OpenLdap {
        let text = said(&text, 1);
        assert!(text.contains("other attributes of it were"), "{text}");
    }
    let text = said(&undo(&fixture, &[], &["--request", "nobody's"]), 1);
    assert!(text.contains("has no such write"), "{text}");
    said(&undo(&fixture, &[], &[]), 2);
}

/// Members come and go; only those that the request named count.
#[tokio::test]
async fn other_members_of_a_group_keep_nobody() {
    let fixture = Fixture::set(&[AUDITED]).await;
    let Fixture { scim, directory, .. } = &fixture;
    let ids = [scim.new_user("ana").await, scim.new_user("bob").await];
    let all = format!("/Groups/{}", scim.new_group("all", &[]).await);
    let join = |id: &str| json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
    scim.patch(&all, join(&ids[0])).await.expect(204);
    let joined = last_request(&fixture);
    scim.patch(&all, join(&ids[1])).await.expect(204);
    said(&undo(&fixture, &[], &["--request", &joined, "--apply"]), 0);
    assert_eq!(directory.members("all").await, ["bob@example.com"]);
}

#[tokio::test]
async fn who_was_deleted_into_a_branch_or_adopted_is_as_before() {
    let mut directory = Directory::start().await;
    let bin = directory.add_branch("bin").await;
    directory.add_user("old").await;
    let settings =
        [AUDITED, ("users.on_delete", "recycle"), ("users.recycle_base", &*bin), ("provisioning.existing_users", "true")];
    let options = settings.iter().fold(GatewayOptions::default(), |options, (key, value)| options.set(key, value));
    let fixture = Fixture::before(directory, options).await;
    let Fixture { scim, directory, .. } = &fixture;
    let ana = scim.new_user("ana").await;
    scim.new_group("all", &[&ana]).await;
    let before = directory.snapshot().await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let since = now();
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    let old = directory.user("old").await.unwrap().id();
    scim.patch(&format!("/Users/{old}"), json!([{ "op": "replace", "path": "title", "value": "Chief" }])).await.expect(200);
    assert!(directory.user("old").await.unwrap().is_managed());

    let text = said(&undo(&fixture, &settings, &["--since", &since, "--apply"]), 0);
    assert_eq!(directory.snapshot().await, before, "{text}");
    assert_eq!(scim.get(&format!("/Users/{ana}")).await.expect(200)["active"], json!(true));
}

#[tokio::test]
async fn a_password_is_beyond_it() {
    let settings = [AUDITED, ("users.password", "store")];
    let fixture = Fixture::set(&settings).await;
    let Fixture { scim, directory, .. } = &fixture;
    let ana = scim.new_user("ana").await;
    let secret = json!([{ "op": "replace", "path": "password", "value": "correct Horse 1 battery" }]);
    scim.send(scim.request(Method::PATCH, &format!("/Users/{ana}")).json(&crate::support::patch_body(&secret))).await.expect(200);
    let text = said(&undo(&fixture, &settings, &["--request", &last_request(&fixture), "--apply"]), 0);
    assert!(text.contains("a password cannot be put back") && !text.contains("Horse"), "{text}");
    let since = "2020-01-01T00:00:00Z";
    said(&undo(&fixture, &settings, &["--since", since, "--apply"]), 0);
    assert!(directory.user("ana").await.is_none());
}
