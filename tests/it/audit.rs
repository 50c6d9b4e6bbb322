//! The audit: a line for every write, whole and in order, and what is in it undoes the write.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Fixture, GatewayOptions, Vendor, group, program, until, user};

async fn audited(settings: &[(&str, &str)]) -> Fixture {
    let all = [("audit.path", "audit.jsonl")].iter().chain(settings).copied().collect::<Vec<_>>();
    Fixture::set(&all).await
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Exit code and output of `scimgate audit verify`.
fn verify(fixture: &Fixture) -> (i32, String) {
    let output = program()
        .args(["audit", "verify", "--config"])
        .arg(fixture.gateway.file())
        .args(["--file"])
        .arg(fixture.gateway.beside("audit.jsonl"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn each_write_is_undone_by_its_line() {
    let fixture = audited(&[]).await;
    let Fixture { scim, directory, gateway } = &fixture;
    let file = gateway.beside("audit.jsonl");
    let vendor = directory.vendor();
    let ids: Vec<String> = vec![scim.new_user("ana").await, scim.new_user("bob").await, scim.new_user("eve").await];
    let [ana, bob, eve] = [0, 1, 2].map(|n: usize| format!("/Users/{}", ids[n]));
    let all = format!("/Groups/{}", scim.new_group("all", &[&ids[0], &ids[1], &ids[2]]).await);
    let one = format!("/Groups/{}", scim.new_group("one", &[&ids[2]]).await);
    scim.patch(&eve, json!([{ "op": "replace", "path": "active", "value": false }])).await;

    let mut renamed = user("bob");
    renamed["userName"] = "Róbert@example.com".into();
    if vendor == Vendor::Ds389 {
        renamed["userName"] = "robert@example.com".into();
    }
    renamed["title"] = "Engineer, 1st".into();
    let mut writes = vec![
        (
            Method::PATCH,
            &ana,
            json!([{ "op": "replace", "value": { "title": " odd", "displayName": "Añã", "name.familyName": "Ruiz" } }]),
        ),
        (Method::PATCH, &ana, json!([{ "op": "replace", "path": "title", "value": "x".repeat(120) }])),
        (Method::PATCH, &ana, json!([{ "op": "remove", "path": "title" }])),
        (Method::PATCH, &ana, json!([{ "op": "replace", "path": "active", "value": false }])),
        (Method::PATCH, &ana, json!([{ "op": "replace", "path": "active", "value": true }])),
        (Method::PUT, &bob, renamed),
        (Method::PATCH, &all, json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[1]) }])),
        (Method::PATCH, &all, json!([{ "op": "add", "path": "members", "value": [{ "value": ids[1] }] }])),
        (Method::PATCH, &all, json!([{ "op": "replace", "path": "displayName", "value": "everybody" }])),
        (Method::PUT, &one, group("one", &[])),
        (Method::POST, &"/Users".to_owned(), user("new")),
        (Method::POST, &"/Groups".to_owned(), group("none", &[])),
        (Method::DELETE, &one, Value::Null),
    ]
    .into_iter()
    .map(|(method, path, body)| (method, path.clone(), body))
    .collect::<Vec<_>>();
    // An account of Active Directory comes back with another security identifier, and needs a password first.
    if vendor != Vendor::ActiveDirectory {
        writes.push((Method::DELETE, eve.clone(), Value::Null));
    }
    let before = lines(&file).len();
    let mut snapshots = Vec::new();
    for (method, path, body) in &writes {
        snapshots.push(directory.snapshot().await);
        let answer = match method.as_str() {
            "POST" => scim.post(path, body.clone()).await,
            "PUT" => scim.put(path, body.clone()).await,
            "PATCH" => scim.patch(path, body.clone()).await,
            _ => scim.delete(path).await,
        };
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
    }
    let lines = lines(&file).split_off(before);
    assert_eq!(lines.len(), writes.len());
    let methods: Vec<&str> = lines.iter().map(|line| line["method"].as_str().unwrap()).collect();
    assert_eq!(methods, writes.iter().map(|(method, ..)| method.as_str()).collect::<Vec<_>>());

    let now = directory.snapshot().await;
    assert_ne!(Some(&now), snapshots.last());
    for (line, snapshot) in lines.iter().zip(&snapshots).rev() {
        for change in line["changes"].as_array().unwrap().iter().rev() {
            if change["result"] == "success" {
                directory.ldapmodify(change["inverse"].as_str().unwrap_or_else(|| panic!("no inverse: {line:#}")));
            } else {
                assert_eq!(change["inverse"], Value::Null, "{line:#}");
            }
        }
        assert_eq!(&directory.snapshot().await, snapshot, "after {line:#} was undone");
    }
    let (code, text) = verify(&fixture);
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_line_tells_who_did_what_and_what_came_of_it() {
    let fixture = audited(&[]).await;
    let Fixture { scim, gateway, .. } = &fixture;
    let made = scim.send(scim.request(Method::POST, "/Users").header("x-request-id", "r-1").json(&user("ana"))).await.expect(201);
    scim.post("/Users", user("ana")).await.expect(409);
    scim.delete("/Users/00000000-0000-4000-8000-000000000000").await.expect(404);
    scim.get("/Users").await.expect(200);

    let lines = lines(&gateway.beside("audit.jsonl"));
    let [first, second, third] = lines.as_slice() else { panic!("{lines:#?}") };
    for (name, value) in [
        ("seq", json!(1)),
        ("request", json!("r-1")),
        ("client", json!("ping")),
        ("address", json!("127.0.0.1")),
        ("method", json!("POST")),
        ("type", json!("User")),
        ("id", made["id"].clone()),
        ("status", json!(201)),
        ("prev", json!("0".repeat(64))),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    // In Active Directory a name that the directory can make up may be taken by others.
    let change = first["changes"].as_array().unwrap().last().unwrap();
    assert_eq!((&change["result"], &change["code"]), (&json!("success"), &json!(0)));
    assert!(change["ldif"].as_str().unwrap().contains("changetype: add"));
    assert!(change["inverse"].as_str().unwrap().ends_with("changetype: delete\n"));
    assert_eq!((&second["status"], &second["id"]), (&json!(409), &Value::Null));
    assert_eq!((&third["status"], &third["changes"]), (&json!(404), &json!([])));
    assert!(gateway.measures("scimgate_audit_lines_total 3").await);
}

#[tokio::test]
async fn each_operation_of_a_bulk_request_has_its_line() {
    let fixture = audited(&[]).await;
    let Fixture { scim, gateway, .. } = &fixture;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": user("ana") },
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": group("all", &["bulkId:a"]) },
            { "method": "DELETE", "path": "/Users/bulkId:a" },
        ],
    });
    scim.post("/Bulk", body).await.expect(200);

    let lines = lines(&gateway.beside("audit.jsonl"));
    let told: Vec<(u64, &str, &str)> = lines
        .iter()
        .map(|line| (line["bulk"].as_u64().unwrap(), line["method"].as_str().unwrap(), line["type"].as_str().unwrap()))
        .collect();
    assert!(told.contains(&(0, "POST", "User")) && told.contains(&(1, "POST", "Group")), "{told:?}");
    assert!(lines.iter().all(|line| line["request"] == lines[0]["request"]));
    assert_eq!(verify(&fixture).0, 0);
}

#[tokio::test]
async fn secrets_are_left_out_and_that_is_told() {
    const PASSWORD: &str = "correct Horse 1 battery";
    let fixture = audited(&[("users.password", "store"), ("audit.mask", "title")]).await;
    let Fixture { scim, directory, gateway } = &fixture;
    let mut ana = user("ana");
    ana["password"] = PASSWORD.into();
    ana["title"] = "Whisperer".into();
    let made = scim.post("/Users", ana).await.expect(201);
    let ana = format!("/Users/{}", made["id"].as_str().unwrap());
    let other = format!("{PASSWORD}!");
    scim.patch(&ana, json!([{ "op": "replace", "path": "password", "value": other }])).await.expect(200);
    assert!(directory.signs_in_by(&directory.user_dn("ana"), &other).await);
    scim.delete(&ana).await.expect(204);

    let text = std::fs::read_to_string(gateway.beside("audit.jsonl")).unwrap();
    for secret in ["Horse", "Whisperer", "{SSHA", "{PBKDF2"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let lines = lines(&gateway.beside("audit.jsonl"));
    let masked = |line: &Value| -> Vec<String> {
        let changes = line["changes"].as_array().unwrap().iter();
        changes
            .flat_map(|change| change["masked"].as_array().into_iter().flatten())
            .map(|name| name.as_str().unwrap().to_lowercase())
            .collect()
    };
    let secret = if directory.vendor() == Vendor::ActiveDirectory { "unicodepwd" } else { "userpassword" };
    assert!(masked(&lines[0]).contains(&secret.to_owned()) && masked(&lines[0]).contains(&"title".to_owned()), "{:#}", lines[0]);
    assert!(masked(&lines[1]).contains(&secret.to_owned()), "{:#}", lines[1]);
    assert!(masked(&lines[2]).contains(&"title".to_owned()), "{:#}", lines[2]);
    // What was read for the undoing is no secret either in base64.
    for change in lines.iter().flat_map(|line| line["changes"].as_array().unwrap()) {
        for text in [&change["ldif"], &change["inverse"]].into_iter().filter_map(Value::as_str) {
            let given = text.lines().filter(|line| !line.starts_with('#'));
            for line in given {
                assert!(!line.starts_with("userPassword:") && !line.starts_with("unicodePwd:"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn without_the_audit_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("audit.jsonl").display().to_string();
    let Fixture { scim, directory, gateway } = &Fixture::set(&[("audit.path", &path)]).await;
    scim.post("/Users", user("ana")).await.expect(201);

    std::fs::rename(&inner, folder.path().join("away")).unwrap();
    until("the gateway has noticed", async || !gateway.measures("scimgate_audit_failures_total 0").await).await;
    let refused = scim.post("/Users", user("bob")).await;
    let detail = refused.error(503, "");
    assert!(detail.contains("nothing was changed") && detail.contains("audit.on_failure"), "{detail}");
    assert!(directory.user("bob").await.is_none());
    // Reading goes on.
    scim.get("/Users").await.expect(200);

    std::fs::rename(folder.path().join("away"), &inner).unwrap();
    until("the audit works again", async || scim.post("/Users", user("bob")).await.status == 201).await;
    let lines = lines(Path::new(&path));
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[tokio::test]
async fn where_it_is_allowed_changes_go_on_without_it_and_their_lines_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("audit.jsonl").display().to_string();
    let Fixture { scim, gateway, .. } = &Fixture::set(&[("audit.path", &path), ("audit.on_failure", "warn")]).await;
    std::fs::rename(&inner, folder.path().join("away")).unwrap();
    scim.post("/Users", user("ana")).await.expect(201);
    gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("audit.path"))).await;
    until("the line is counted", async || gateway.measures("scimgate_audit_lines_waiting 1").await).await;

    std::fs::rename(folder.path().join("away"), &inner).unwrap();
    until("the line is written", async || gateway.measures("scimgate_audit_lines_waiting 0").await).await;
    assert_eq!(lines(Path::new(&path)).len(), 1);
}

#[tokio::test]
async fn a_line_that_was_changed_is_named() {
    let fixture = audited(&[]).await;
    let Fixture { scim, gateway, .. } = &fixture;
    for name in ["ana", "bob", "eve"] {
        scim.new_user(name).await;
    }
    let (code, text) = verify(&fixture);
    assert!(code == 0 && text.contains("Lines 1 to 3"), "{text}");
    let file = gateway.beside("audit.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("bob@", "rob@", 1)).unwrap();
    let (code, text) = verify(&fixture);
    assert!(code == 1 && text.contains("audit.jsonl:3:"), "{text}");
    let usage = program().args(["audit", "verify", "--nonsense"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[tokio::test]
async fn lines_go_to_syslog_too() {
    let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
    syslog.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let url = format!("udp://{}", syslog.local_addr().unwrap());
    let options = GatewayOptions::default().set("audit.destination", "syslog").set("audit.syslog", &url);
    let Fixture { scim, .. } = &Fixture::with_gateway(options).await;
    scim.new_user("ana").await;
    let mut buffer = vec![0; 1 << 16];
    let n = syslog.recv(&mut buffer).unwrap();
    let message = std::str::from_utf8(&buffer[..n]).unwrap();
    let (head, line) = message.split_once(" audit - ").unwrap();
    assert!(head.starts_with("<109>1 "), "{head}");
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["seq"], &line["method"]), (&json!(1), &json!("POST")));
}
