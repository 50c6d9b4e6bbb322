//! `scimgate explain`: what a request would do is what it then does, and nothing is done.

use std::io::Write as _;
use std::process::{Output, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Fixture, SlapdOptions, Vendor, group, patch_body, program, user};

/// What is explained of a request by the configuration that is served.
fn explain(fixture: &Fixture, settings: &[(&str, &str)], arguments: &[&str], body: &Value) -> Output {
    let mut command = program();
    command.args(["explain", "--config"]).arg(fixture.gateway.file()).args(arguments);
    for (key, value) in settings {
        command.env(format!("SCIMGATE__{}", key.replace('.', "__").to_uppercase()), value);
    }
    if !body.is_null() {
        command.args(["--body", "-"]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    if !body.is_null() {
        input.write_all(fixture.directory.outward(&body.to_string()).as_bytes()).unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// The change records in a text, without comments.
fn records(text: &str) -> Vec<scimgate::directory::ChangeRecord> {
    scimgate::directory::ldif::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn last_line(fixture: &Fixture) -> Value {
    let text = std::fs::read_to_string(fixture.gateway.beside("audit.jsonl")).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[tokio::test]
async fn what_is_explained_is_what_is_written() {
    let settings = [("audit.path", "audit.jsonl"), ("users.password", "store")];
    let fixture = Fixture::set(&settings).await;
    let Fixture { scim, directory, .. } = &fixture;
    let vendor = directory.vendor();
    let ids = [scim.new_user("ana").await, scim.new_user("bob").await];
    let all = scim.new_group("all", &[&ids[0], &ids[1]]).await;
    let (ana, bob, all) = (format!("/Users/{}", ids[0]), format!("/Users/{}", ids[1]), format!("/Groups/{all}"));
    let mut eve = user("eve");
    eve["password"] = "correct Horse 1 battery".into();
    // 389's plug-in gives the members of groups their new names by itself, which nobody else can know.
    let mut robert = user(if vendor == Vendor::Ds389 { "bob" } else { "robert" });
    robert["title"] = "Engineer, 1st".into();
    let member = |op: &str| json!([{ "op": op, "path": "members", "value": [{ "value": ids[1] }] }]);
    let writes = [
        (Method::POST, "/Users".to_owned(), eve),
        (Method::POST, "/Groups".to_owned(), group("none", &[])),
        (Method::POST, "/Groups".to_owned(), group("some", &[&ids[0]])),
        (Method::PATCH, ana.clone(), patch_body(&json!([{ "op": "replace", "path": "title", "value": "Chief" }]))),
        (Method::PATCH, ana.clone(), patch_body(&json!([{ "op": "replace", "path": "active", "value": false }]))),
        (Method::PATCH, all.clone(), patch_body(&member("remove"))),
        // In no group: where slapd's overlay renames members by itself, we need not, which is not foreseen.
        (Method::PUT, bob.clone(), robert),
        (Method::PATCH, all.clone(), patch_body(&member("add"))),
        (Method::PATCH, all.clone(), patch_body(&json!([{ "op": "replace", "path": "displayName", "value": "everybody" }]))),
        (Method::PUT, all.clone(), group("everybody", &[&ids[1]])),
        (Method::DELETE, bob, Value::Null),
        (Method::DELETE, all, Value::Null),
    ];
    let mut tried = 0;
    for (method, path, body) in writes {
        let before = directory.snapshot().await;
        let text = said(&explain(&fixture, &settings, &[method.as_str(), &path], &body), 0);
        assert_eq!(directory.snapshot().await, before, "{method} {path} was explained by doing it");
        assert!(!text.contains("Horse"), "{text}");
        let by_control = text.contains("tried by the No-Op control");
        assert!(by_control || text.contains("checked by the schema"), "{text}");
        tried += usize::from(by_control);

        let request = scim.request(method.clone(), &path);
        let answer = scim.send(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status < 300, "{answer:?}");
        assert!(text.contains(&format!("# Answer: {} ", answer.status)), "{text}");
        let line = last_line(&fixture);
        let made = line["changes"].as_array().unwrap().iter().filter(|change| change["result"] == "success");
        let made: Vec<_> = made.flat_map(|change| records(change["ldif"].as_str().unwrap())).collect();
        let explained = records(&text);
        // An account of Active Directory gets a password that nobody knows; both leave it out.
        assert_eq!(explained, made, "{method} {path}\n{text}\n{line:#}");
    }
    // What brings an attribute that nobody has yet is not tried.
    assert_eq!(tried > 5, vendor == Vendor::OpenLdap, "{tried}");
}

#[tokio::test]
async fn a_try_leaves_no_number_of_an_attribute_behind() {
    let fixture = Fixture::start().await;
    let Fixture { scim, directory, .. } = &fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let title = json!([{ "op": "replace", "path": "title", "value": "Chief" }]);
    let nick = json!([{ "op": "replace", "path": "nickName", "value": "Bobby" }]);

    let text = said(&explain(&fixture, &[], &["PATCH", &format!("/Users/{ana}")], &patch_body(&title)), 0);
    assert!(text.contains("checked by the schema"), "{text}");
    scim.patch(&format!("/Users/{bob}"), nick).await.expect(200);
    scim.patch(&format!("/Users/{ana}"), title.clone()).await.expect(200);

    let (ana, bob) = (directory.user("ana").await.unwrap(), directory.user("bob").await.unwrap());
    assert_eq!((ana.one("title"), bob.one("title")), ("Chief", ""));
    if directory.vendor() == Vendor::OpenLdap {
        assert_eq!((ana.one("scimgateNickName"), bob.one("scimgateNickName")), ("", "Bobby"));
        // Now somebody has it.
        let text = said(&explain(&fixture, &[], &["PATCH", &format!("/Users/{}", bob.id())], &patch_body(&title)), 0);
        assert!(text.contains("tried by the No-Op control"), "{text}");
    }
}

#[tokio::test]
async fn a_search_is_explained_by_what_is_asked() {
    let fixture = Fixture::start().await;
    let Fixture { scim, directory, .. } = &fixture;
    let ana = scim.new_user("ana").await;
    let name = directory.outward("ana@example.com");
    let text = said(&explain(&fixture, &[], &["GET", &format!("/Users?filter=userName%20eq%20%22{name}%22")], &Value::Null), 0);
    let base = directory.user_dn("ana").split_once(',').unwrap().1.to_owned();
    assert!(text.contains(&format!("search base=\"{base}\" scope=sub")), "{text}");
    assert!(text.contains("# Check: nothing would be written.") && text.contains(&ana), "{text}");
    assert!(records(&text).is_empty());

    let json = explain(&fixture, &[], &["GET", &format!("/Users/{ana}"), "--json"], &Value::Null);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["answer"]["status"], &json["answer"]["body"]["id"]), (&json!(200), &json!(ana)));
    assert_eq!(json["steps"][0]["operation"], "search");
    said(&explain(&fixture, &[], &["GET", "/Users/00000000-0000-4000-8000-000000000000"], &Value::Null), 1);
    said(&explain(&fixture, &[], &["BREW", "/Users"], &Value::Null), 1);
    said(&explain(&fixture, &[], &["POST", "/Users", "--body", "/nowhere"], &Value::Null), 2);
}

#[tokio::test]
async fn what_would_be_refused_says_why() {
    let fixture = Fixture::start().await;
    let Fixture { scim, directory, .. } = &fixture;
    let ana = scim.new_user("ana").await;
    // With him each attribute of the writes below is there, and they can be tried.
    let mut bob = user("bob");
    bob["active"] = false.into();
    scim.post("/Users", bob).await.expect(201);
    let group = format!("[\"{}\"]", directory.group_dn("admins"));
    directory.add_user("root").await;
    directory.add_group("admins", &["root"]).await;
    let protected = [("protected.entries", &*format!("[\"{}\"]", directory.outward(&directory.user_dn("ana"))))];
    let before = directory.snapshot().await;
    let path = format!("/Users/{ana}");

    let text = said(&explain(&fixture, &[], &["POST", "/Users"], &user("ana")), 1);
    assert!(text.contains("# Answer: 409"), "{text}");
    let text = said(&explain(&fixture, &protected, &["DELETE", &path], &Value::Null), 1);
    assert!(text.contains("# Answer: 403") && text.contains("named in [protected]"), "{text}");
    let text = said(&explain(&fixture, &[("provisioning.default_groups", &group)], &["POST", "/Users"], &user("eve")), 0);
    assert_eq!(records(&text).len(), 2, "{text}");
    // The second change is of an entry that the directory does not have.
    if directory.vendor() == Vendor::OpenLdap {
        let mut eve = user("eve");
        eve["password"] = "correct Horse 1 battery".into();
        eve["active"] = false.into();
        let text = said(&explain(&fixture, &[("users.password", "store")], &["POST", "/Users"], &eve), 0);
        assert!(text.contains("what rests on an earlier write") && text.contains("the password is set by"), "{text}");
    }
    assert_eq!(directory.snapshot().await, before);
}

/// The account that may not write is told so by the directory itself.
#[tokio::test]
async fn rights_are_tried() {
    let slapd = SlapdOptions {
        otherwise: vec![("by dn.exact=\"cn=scimgate,ou=services,dc=example,dc=com\" write by users read", "by users read")],
        ..SlapdOptions::with_users(["ana".to_owned()])
    };
    let fixture = Fixture::with_directory(slapd).await;
    let before = fixture.directory.snapshot().await;
    let path = format!("/Users/{}", fixture.directory.user("ana").await.unwrap().id());
    let text = said(&explain(&fixture, &[], &["DELETE", &path], &Value::Null), 1);
    assert!(text.contains("tried by the No-Op control: refused: insufficientAccessRights (50)"), "{text}");
    assert!(records(&text).is_empty(), "{text}");
    assert_eq!(fixture.directory.snapshot().await, before);
}
