//! Shadow mode: what clients write is answered, kept and reported, and the directory stays as it is.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::reload::{loaded, rewrite};
use crate::support::{
    Client, Directory, Fixture, GatewayOptions, Slapd, SlapdOptions, USER_PASSWORD, Vendor, each, group, id, sorted, user,
};

const ADMIN: &str = "scimgate_the-key-of-the-administrator";

/// `more` are lines of TOML in `[provisioning]`.
fn shadow(more: &str) -> GatewayOptions {
    GatewayOptions::default()
        .key("root", ADMIN, "scopes = [\"admin\"]")
        .set("groups.member_of", "true")
        .lines(&format!("[provisioning]\nshadow = true\n{more}\n"))
}

async fn report(fixture: &Fixture) -> Value {
    let (status, report) = fixture.gateway.administrate(Method::GET, "/shadow", ADMIN).await;
    assert_eq!(status, 200);
    report
}

/// What would be written so far.
async fn plan(fixture: &Fixture) -> String {
    let address = format!("http://{}/shadow.ldif", fixture.gateway.admin_address());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(address).bearer_auth(ADMIN).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

/// Every entry with what the directory stamps and counts: nothing passes it by unseen.
async fn all(directory: &Directory) -> Vec<crate::support::Entry> {
    let mut all = directory.users().await;
    all.extend(directory.groups().await);
    all
}

/// What went to the directory that is neither a look nor a sign-in.
async fn writes(fixture: &Fixture) -> Vec<String> {
    let (_, text) = fixture.gateway.admin("/metrics").await;
    let operations = text.lines().filter(|line| line.starts_with("scimgate_directory_operations_total{"));
    let harmless = |line: &&str| ["bind", "search", "unbind"].iter().any(|name| line.contains(&format!("operation=\"{name}\"")));
    operations.filter(|line| !harmless(line)).map(str::to_owned).collect()
}

async fn total(scim: &Client, path: &str, filter: &str) -> Value {
    scim.find(path, filter).await["totalResults"].clone()
}

/// The ids of a list, cut into pages.
async fn walk(scim: &Client, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let start = (ids.len() + 1).to_string();
        let page = scim.query(path, &[("startIndex", &start), ("count", "7")]).await.expect(200);
        if page["Resources"].as_array().is_none_or(Vec::is_empty) {
            assert_eq!(page["totalResults"], ids.len());
            return ids;
        }
        ids.extend(each(&page, "id"));
    }
}

fn groups_of(user: &Value) -> Vec<String> {
    sorted(each(&json!({ "Resources": user.get("groups").cloned().unwrap_or(json!([])) }), "display"))
}

fn add(ids: &[String]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "add", "path": "members", "value": members }])
}

#[tokio::test]
async fn a_first_sync_is_answered_and_reported_and_nothing_is_written() {
    // Which does not rename members by itself, so that the plan can be carried out line by line.
    let slapd = SlapdOptions { otherwise: vec![("memberof-refint TRUE", "memberof-refint FALSE")], ..SlapdOptions::default() };
    let directory = Directory::from(Slapd::start(&slapd));
    directory.add_users((0..5).map(|n| format!("old{n}"))).await;
    directory.add_user("ghost").await;
    let options = shadow("").set("users.password", "store").set("audit.path", "audit.jsonl").set("audit.mask", "[\"title\"]");
    let fixture = &Fixture::before(directory, options).await;
    let Fixture { scim, directory, gateway } = fixture;
    let (before, snapshot) = (all(directory).await, directory.snapshot().await);

    // As Ping does it: a look, a creation, memberships, changes.
    let mut ids = Vec::new();
    for n in 0..100 {
        let name = format!("new{n}");
        assert_eq!(total(scim, "/Users", &format!("userName eq \"{name}@example.com\"")).await, 0);
        let mut body = user(&name);
        body["password"] = USER_PASSWORD.into();
        ids.push(id(&scim.post("/Users", body).await.expect(201)));
    }
    let mut teams = Vec::new();
    for (n, part) in ids.chunks(25).enumerate() {
        let team = id(&scim.post("/Groups", group(&format!("team{n}"), &[])).await.expect(201));
        for some in part.chunks(10) {
            scim.patch(&format!("/Groups/{team}"), add(some)).await.expect(204);
        }
        teams.push(team);
    }
    let old = each(&scim.find("/Users", "userName sw \"old\"").await, "id");
    assert_eq!(old.len(), 5);
    scim.patch(&format!("/Groups/{}", teams[0]), add(&old[..1])).await.expect(204);
    for id in &ids[..10] {
        let off = json!([{ "op": "replace", "path": "active", "value": false }]);
        assert_eq!(scim.patch(&format!("/Users/{id}"), off).await.expect(200)["active"], false);
    }
    for id in ids[90..].iter().chain(&old[4..]) {
        scim.delete(&format!("/Users/{id}")).await.expect(204);
    }
    let chief = json!([{ "op": "replace", "path": "title", "value": "Chief-of-everything" }]);
    scim.patch(&format!("/Users/{}", old[0]), chief.clone()).await.expect(200);
    scim.patch(&format!("/Users/{}", old[0]), chief).await.expect(200);
    let mut renamed = user("other");
    renamed["externalId"] = "x-new20".into();
    scim.put(&format!("/Users/{}", ids[20]), renamed).await.expect(200);
    scim.delete(&format!("/Groups/{}", teams[2])).await.expect(204);

    // What is in the way is in the way.
    let detail = scim.post("/Users", user("ghost")).await.error(409, "uniqueness");
    assert!(detail.contains("existing_users"), "{detail}");
    scim.post("/Users", user("new0")).await.error(409, "uniqueness");
    scim.post("/Users", user("old1")).await.error(409, "uniqueness");
    scim.post("/Users", user("other")).await.error(409, "uniqueness");
    scim.post("/Groups", group("team0", &[])).await.error(409, "uniqueness");
    scim.put(&format!("/Users/{}", ids[21]), user("new22")).await.error(409, "uniqueness");
    scim.patch(&format!("/Users/{}", ids[95]), json!([{ "op": "replace", "path": "active", "value": true }]))
        .await
        .error(404, "");
    // What is free again is free.
    let again = id(&scim.post("/Users", user("new20")).await.expect(201));

    // Nothing is written, by any way.
    assert_eq!(directory.snapshot().await, snapshot);
    assert_eq!(all(directory).await, before);
    assert_eq!(writes(fixture).await, [""; 0]);
    assert!(std::fs::read_to_string(gateway.beside("audit.jsonl")).unwrap_or_default().is_empty());

    // Whatever is asked is answered by the same state.
    let present: BTreeSet<&String> = ids[..90].iter().chain(&old[..4]).chain([&again]).collect();
    let listed = scim.query("/Users", &[("count", "1000")]).await.expect(200);
    assert_eq!(listed["totalResults"], present.len());
    assert_eq!(each(&listed, "id").iter().collect::<BTreeSet<_>>(), present);
    let walked = walk(scim, "/Users").await;
    assert_eq!((walked.len(), walked.iter().collect::<BTreeSet<_>>()), (present.len(), present));
    for (filter, count) in [
        ("active eq false", 10),
        ("userName eq \"new5@example.com\"", 1),
        ("userName eq \"other@example.com\"", 1),
        ("userName eq \"new95@example.com\"", 0),
        ("externalId eq \"x-new20\"", 2),
        ("userName sw \"new1\"", 11),
        ("title eq \"Chief-of-everything\"", 1),
        ("not (userName sw \"new\")", 5),
    ] {
        assert_eq!(total(scim, "/Users", filter).await, count, "{filter}");
    }
    for (n, id) in ids[..90].iter().enumerate() {
        let answer = scim.get(&format!("/Users/{id}")).await;
        let (tag, user) = (answer.header("etag").to_owned(), answer.expect(200));
        assert_eq!((&user["active"], &user["meta"]["version"]), (&json!(n >= 10), &json!(tag)));
        assert_eq!(groups_of(&user), if n / 25 == 2 { vec![] } else { vec![format!("team{}", n / 25)] }, "{n}");
        let request = scim.request(Method::GET, &format!("/Users/{id}")).header("if-none-match", tag);
        assert_eq!(scim.send(request).await.status, 304);
    }
    for id in ids[90..].iter().chain(&old[4..]) {
        scim.get(&format!("/Users/{id}")).await.error(404, "");
    }
    assert_eq!(sorted(scim.members(&teams[0]).await), sorted(ids[..25].iter().chain(&old[..1]).cloned().collect()));
    assert_eq!(sorted(scim.members(&teams[3]).await), sorted(ids[75..90].to_vec()));
    scim.get(&format!("/Groups/{}", teams[2])).await.error(404, "");
    assert_eq!(total(scim, "/Groups", &format!("members.value eq \"{}\"", ids[80])).await, 1);
    for (team, count) in [(&teams[0], 26), (&teams[2], 0), (&teams[3], 15)] {
        assert_eq!(total(scim, "/Users", &format!("groups.value eq \"{team}\"")).await, count);
    }
    let path = format!("/Users/{}", ids[30]);
    let stale = scim.get(&path).await.header("etag").to_owned();
    let title = |text: &str| crate::support::patch_body(&json!([{ "op": "replace", "path": "title", "value": text }]));
    let conditional = async |text: &str, tag: &str| {
        let request = scim.request(Method::PATCH, &path).header("if-match", tag).header("content-type", "application/scim+json");
        scim.send(request.body(title(text).to_string())).await
    };
    conditional("one", &stale).await.expect(200);
    assert_eq!(conditional("two", &stale).await.status, 412);
    assert_eq!(scim.get(&path).await.expect(200)["title"], "one");

    // The report is exact, the plan leads there, and shows no secret.
    let report = report(fixture).await;
    assert_eq!((&report["full"], &report["limit"]), (&json!(false), &json!(256 << 20)));
    let users = json!({
        "client": "ping", "resourceType": "User", "created": 101, "updated": 13, "unchanged": 1, "deleted": 11, "conflicts": 5,
        "refused": 2, "failed": 0,
    });
    let groups = json!({
        "client": "ping", "resourceType": "Group", "created": 4, "updated": 13, "unchanged": 0, "deleted": 1, "conflicts": 1,
        "refused": 0, "failed": 0,
    });
    assert_eq!(report["writes"], json!([groups, users]), "{report:#}");
    let plan = plan(fixture).await;
    assert!(!plan.contains(USER_PASSWORD) && !plan.contains("Chief-of-everything"), "{plan}");
    assert!(plan.contains("ping POST User, request ") && plan.contains(", 409: "), "{plan}");
    for name in ["new1", "old4"] {
        assert!(!directory.signs_in(&directory.user_dn(name)).await);
    }
    directory.ldapmodify(&plan);
    let there = directory.users().await.len();
    assert_eq!(there, 90 + 4 + 1 + 1, "all that are shown, and the one that SCIM does not see");
    assert_eq!(directory.members("team3").await.len(), 15);
    assert!(directory.user("other").await.is_some());
}

#[tokio::test]
async fn nobody_takes_it_for_real() {
    let fixture = &Fixture::with_gateway(shadow("")).await;
    let Fixture { scim, gateway, .. } = fixture;
    let answers = [
        scim.post("/Users", user("ana")).await,
        scim.get("/Users").await,
        scim.get("/Users/none").await,
        scim.get("/ServiceProviderConfig").await,
        gateway.client("scimgate_wrong").get("/Users").await,
        gateway.client(ADMIN).get("/Users").await,
    ];
    for answer in answers {
        assert_eq!(answer.header("scimgate-shadow"), "nothing is written", "{}", answer.status);
    }
    gateway
        .logged(|line| line["level"] == "WARN" && line["message"].as_str().is_some_and(|text| text.contains("shadow mode")))
        .await;
    assert!(gateway.measures("scimgate_shadow 1").await);
    assert!(gateway.admin("/readyz").await.1.contains("shadow mode: nothing is written"));
    let check = crate::support::program().args(["check", "--offline", "--config"]).arg(gateway.file()).output().unwrap();
    assert!(String::from_utf8_lossy(&check.stdout).contains("shadow mode"), "{check:?}");
    for (key, status) in [("", 401), ("scimgate_wrong", 401), (crate::support::KEY, 403)] {
        for path in ["/shadow", "/shadow.ldif"] {
            assert_eq!(gateway.administrate(Method::GET, path, key).await.0, status, "{path}");
        }
    }
}

#[tokio::test]
async fn what_may_be_kept_is_limited_and_reading_goes_on() {
    let fixture = &Fixture::with_gateway(shadow("shadow_limit = \"64KiB\"")).await;
    let Fixture { scim, directory, gateway } = fixture;
    let mut made = 0;
    let full = loop {
        let answer = scim.post("/Users", user(&format!("user{made}"))).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
        assert!(made < 64, "64 KiB hold {made} users");
    };
    let detail = full.error(503, "");
    assert!(made > 5 && detail.contains("provisioning.shadow_limit"), "{made}: {detail}");
    assert_eq!(total(scim, "/Users", "userName pr").await, made);
    scim.delete(&format!("/Users/{}", walk(scim, "/Users").await[0])).await.error(503, "");
    let report_then = report(fixture).await;
    assert_eq!(report_then["full"], true);
    assert!(report_then["bytes"].as_u64().unwrap() < 80 << 10, "{report_then:#}");

    // More room, and all that was kept.
    rewrite(fixture, |text| text.replace("64KiB", "1MiB"));
    loaded(fixture, 2).await;
    scim.post("/Users", user("one-more")).await.expect(201);
    assert_eq!(total(scim, "/Users", "userName pr").await, made + 1);
    assert!(directory.users().await.is_empty());
    assert!(gateway.measures("scimgate_shadow 1").await);
}

#[tokio::test]
async fn a_reload_keeps_what_was_written() {
    let rails = "[rails]\ndeletes_per_hour = 1";
    let fixture = &Fixture::with_gateway(shadow("").lines("[cache]\ncapacity = 100_000\n").lines(rails)).await;
    let Fixture { scim, directory, .. } = fixture;
    let ana = scim.new_user("ana").await;
    let bob = scim.new_user("bob").await;
    let crew = scim.new_group("crew", &[&ana]).await;
    scim.delete(&format!("/Users/{bob}")).await.expect(204);
    scim.delete(&format!("/Users/{ana}")).await.error(403, "");

    // One that changes nothing of the way to the directory, and one that makes another one.
    for (turn, line) in ["capacity = 100_000 # as before", "capacity = 50_000"].into_iter().enumerate() {
        rewrite(fixture, |text| text.replacen("capacity = 100_000", line, 1));
        loaded(fixture, turn + 2).await;
        assert_eq!(scim.get(&format!("/Users/{ana}")).await.expect(200)["userName"], "ana@example.com");
        scim.get(&format!("/Users/{bob}")).await.error(404, "");
        assert_eq!(scim.members(&crew).await, [ana.as_str()]);
        scim.post("/Users", user("ana")).await.error(409, "uniqueness");
        scim.delete(&format!("/Users/{ana}")).await.error(403, "");
        let users = &report(fixture).await["writes"][1];
        let counts = [&users["created"], &users["deleted"], &users["conflicts"], &users["refused"]];
        assert_eq!(counts.map(|count| count.as_u64().unwrap()), [2, 1, turn as u64 + 1, turn as u64 + 2], "{users:#}");
    }
    assert!(directory.users().await.is_empty() && directory.groups().await.is_empty());
}

#[tokio::test]
async fn once_shadow_mode_ends_writes_are_made() {
    let fixture = &Fixture::with_gateway(shadow("").lines("[rails]\ndeletes_per_hour = 1")).await;
    let Fixture { scim, directory, gateway } = fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    scim.delete(&format!("/Users/{bob}")).await.error(403, "");
    assert!(gateway.measures("scimgate_rail_reached{client=\"ping\",act=\"delete-user\"} 1").await);
    assert_eq!(directory.users().await.len(), 0);

    rewrite(fixture, |text| text.replace("shadow = true", "shadow = false"));
    loaded(fixture, 2).await;
    scim.get(&format!("/Users/{bob}")).await.error(404, "");
    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    let made = scim.post("/Users", user("ana")).await;
    assert_eq!(made.header("scimgate-shadow"), "");
    assert!(directory.user("ana").await.is_some());
    // What was not done counts for nothing.
    assert!(gateway.measures("scimgate_rail_reached{client=\"ping\",act=\"delete-user\"} 0").await);
    scim.delete(&format!("/Users/{}", id(&made.expect(201)))).await.expect(204);
    assert_eq!(gateway.administrate(Method::GET, "/shadow", ADMIN).await.0, 404);
    assert!(gateway.measures("scimgate_shadow 0").await);
    assert!(!gateway.admin("/readyz").await.1.contains("shadow"));
}

#[tokio::test]
async fn what_others_write_is_seen_unless_it_is_otherwise_here() {
    let directory = Directory::start().await;
    directory.add_users((0..4).map(|n| format!("old{n}"))).await;
    let fixture = &Fixture::before(directory, shadow("")).await;
    let Fixture { scim, directory, .. } = fixture;
    let ids = sorted_by_name(&scim.get("/Users").await.expect(200));
    let path = |n: usize| format!("/Users/{}", ids[n]);
    if directory.vendor() == Vendor::OpenLdap {
        crate::support::until("the feed is followed", || fixture.gateway.measures("scimgate_feed_following 1")).await;
    }
    let title = |text: &str| json!([{ "op": "replace", "path": "title", "value": text }]);
    for n in [0, 1] {
        scim.patch(&path(n), title("ours")).await.expect(200);
    }
    scim.delete(&path(2)).await.expect(204);
    let tag = scim.get(&path(0)).await.header("etag").to_owned();

    directory.set(&directory.user_dn("old0"), "title", "theirs").await;
    directory.remove(&directory.user_dn("old1")).await;
    directory.set(&directory.user_dn("old2"), "title", "theirs").await;
    directory.set(&directory.user_dn("old3"), "title", "theirs").await;
    // The last one that was made is seen, and so is whatever would be of the others.
    crate::support::until("the last one is seen", async || scim.get(&path(3)).await.expect(200)["title"] == "theirs").await;

    for n in [0, 1] {
        assert_eq!(scim.get(&path(n)).await.expect(200)["title"], "ours", "{n}");
    }
    let request = scim.request(Method::GET, &path(0)).header("if-none-match", tag);
    assert_eq!(scim.send(request).await.status, 304);
    scim.get(&path(2)).await.error(404, "");
    assert_eq!(total(scim, "/Users", "title eq \"ours\"").await, 2);
    assert_eq!(total(scim, "/Users", "title eq \"theirs\"").await, 1);
    scim.patch(&path(1), title("ours still")).await.expect(200);
}

fn sorted_by_name(list: &Value) -> Vec<String> {
    let mut pairs: Vec<(String, String)> = each(list, "userName").into_iter().zip(each(list, "id")).collect();
    pairs.sort();
    pairs.into_iter().map(|(_, id)| id).collect()
}
