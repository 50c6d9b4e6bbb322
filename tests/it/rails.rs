//! How many one client may delete and disable.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Fixture, GatewayOptions, each, id, user};

const ADMIN: &str = "scimgate_the-key-of-the-administrator";

async fn with_rails(settings: &[(&str, &str)], users: usize) -> (Fixture, Vec<String>) {
    let options = GatewayOptions::default()
        .key("root", ADMIN, "scopes = [\"admin\"]")
        .key("other", "scimgate_other", "")
        .key("old", "scimgate_old", "scopes = [\"admin\"]\nexpires = 2020-01-01")
        .set("audit.path", "audit.jsonl")
        .set("limits.requests_per_second", "0");
    let options = settings.iter().fold(options, |options, (key, value)| options.set(key, value));
    let fixture = Fixture::with_gateway(options).await;
    let made = join_all((0..users).map(|n| user_of(&fixture.scim, n))).await;
    (fixture, made)
}

async fn user_of(scim: &Client, n: usize) -> String {
    id(&scim.post("/Users", user(&format!("user{n}"))).await.expect(201))
}

fn rail_lines(fixture: &Fixture) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(fixture.gateway.beside("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|line| line["event"] == "rail");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .map(|line| (text(&line["state"]), format!("{} {}{}", text(&line["client"]), text(&line["act"]), text(&line["by"]))))
        .collect()
}

#[tokio::test]
async fn a_mass_delete_is_stopped_at_the_exact_number_until_it_is_released() {
    const LIMIT: usize = 10;
    let (fixture, users) = with_rails(&[("rails.deletes_per_hour", "10")], 30).await;
    let Fixture { scim, directory, gateway } = &fixture;

    // All at once, some of them twice, and some that were never there.
    let nobody = "3f8a1f0e-0000-4000-8000-000000000000".to_owned();
    let all: Vec<&String> = users.iter().take(25).chain(users.iter().take(5)).chain([&nobody, &nobody]).collect();
    let paths: Vec<String> = all.iter().map(|id| format!("/Users/{id}")).collect();
    let answers = join_all(paths.iter().map(|path| scim.delete(path))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(204), directory.users().await.len()), (LIMIT, users.len() - LIMIT));
    assert!(count(403) >= 15 && count(403) + count(404) + LIMIT == paths.len(), "{} and {}", count(403), count(404));

    // Whatever comes now is refused with the reason, and nothing else is.
    let left = each(&scim.get("/Users").await.expect(200), "id");
    let detail = scim.delete(&format!("/Users/{}", left[0])).await.error(403, "");
    for words in ["deleted users", "10 (rails.deletes_per_hour", "POST /rails/release"] {
        assert!(detail.contains(words), "{words} is not in {detail}");
    }
    let crew = scim.new_group("crew", &[&left[0]]).await;
    scim.patch(&format!("/Users/{}", left[0]), json!([{ "op": "replace", "path": "active", "value": false }])).await.expect(200);
    scim.delete(&format!("/Groups/{crew}")).await.expect(204);
    gateway.client("scimgate_other").delete(&format!("/Users/{}", left[1])).await.expect(204);
    assert!(gateway.measures("scimgate_rail_reached{client=\"ping\",act=\"delete-user\"} 1").await);
    assert_eq!(rail_lines(&fixture), [("reached".to_owned(), "ping delete-user".to_owned())]);

    // Only an administrator may look and release.
    for (key, status) in [("", 401), ("scimgate_wrong", 401), ("scimgate_old", 401), (crate::support::KEY, 403)] {
        for (method, path) in [(Method::GET, "/rails"), (Method::POST, "/rails/release")] {
            assert_eq!(gateway.administrate(method, path, key).await.0, status, "{path}");
        }
    }
    assert!(gateway.measures("scimgate_refusals_total{reason=\"expired\"} 2").await);
    let (_, states) = gateway.administrate(Method::GET, "/rails", ADMIN).await;
    let ping = states["rails"].as_array().unwrap().iter().find(|rail| rail["client"] == "ping" && rail["act"] == "delete-user");
    let ping = ping.unwrap_or_else(|| panic!("{states:#}"));
    assert_eq!((&ping["done"], &ping["limit"], &ping["reached"]), (&json!(LIMIT), &json!(LIMIT), &json!(true)));
    assert_eq!(gateway.administrate(Method::POST, "/rails/release?act=all", ADMIN).await.0, 400);
    let (_, none) = gateway.administrate(Method::POST, "/rails/release?client=other", ADMIN).await;
    assert_eq!(none["released"], json!([]));
    let (_, released) = gateway.administrate(Method::POST, "/rails/release?client=ping&act=delete-user", ADMIN).await;
    assert_eq!(released["released"], json!([{ "client": "ping", "act": "delete-user" }]));
    assert!(gateway.measures("scimgate_rail_reached{client=\"ping\",act=\"delete-user\"} 0").await);

    // The count begins anew.
    let paths: Vec<String> = left.iter().skip(2).map(|id| format!("/Users/{id}")).collect();
    let answers = join_all(paths.iter().map(|path| scim.delete(path))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), LIMIT);
    let told = [("reached", "ping delete-user"), ("released", "ping delete-userroot"), ("reached", "ping delete-user")];
    assert_eq!(rail_lines(&fixture), told.map(|(state, who)| (state.to_owned(), who.to_owned())));
}

#[tokio::test]
async fn a_bulk_request_is_stopped_in_the_middle() {
    let (Fixture { scim, directory, .. }, users) = &with_rails(&[("rails.deletes_percent", "25")], 20).await;
    let operations: Vec<Value> = users.iter().map(|id| json!({ "method": "DELETE", "path": format!("/Users/{id}") })).collect();
    let request = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let results = scim.post("/Bulk", request).await.expect(200);
    let statuses: Vec<&str> =
        results["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    let count = |status: &str| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count("204"), count("403"), directory.users().await.len()), (5, 15, 15));
}

#[tokio::test]
async fn deactivations_are_counted_by_whatever_way_they_come() {
    let (Fixture { scim, directory, .. }, users) = &with_rails(&[("rails.disables_per_hour", "3")], 8).await;
    let path = |n: usize| format!("/Users/{}", users[n]);
    let set = |active: bool| json!([{ "op": "replace", "path": "active", "value": active }]);
    let off = |n: usize| {
        let mut body = user(&format!("user{n}"));
        body["active"] = false.into();
        body
    };
    scim.patch(&path(0), set(false)).await.expect(200);
    // It is so already, and what is enabled between counts for nothing.
    scim.patch(&path(0), set(false)).await.expect(200);
    scim.put(&path(0), off(0)).await.expect(200);
    scim.patch(&path(1), json!([{ "op": "replace", "value": { "active": "False", "title": "x" } }])).await.expect(200);
    scim.patch(&path(1), set(true)).await.expect(200);
    scim.put(&path(2), off(2)).await.expect(200);

    for answer in [
        scim.patch(&path(3), set(false)).await,
        scim.patch(&path(4), json!([{ "op": "add", "value": { "active": false } }])).await,
        scim.put(&path(5), off(5)).await,
        // Twice the same.
        scim.patch(&path(1), set(false)).await,
    ] {
        let detail = answer.error(403, "");
        assert!(detail.contains("disabled users") && detail.contains("rails.disables_per_hour"), "{detail}");
    }
    let operations: Vec<Value> =
        (3..8).map(|n| json!({ "method": "PATCH", "path": path(n), "data": crate::support::patch_body(&set(false)) })).collect();
    let request = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let results = scim.post("/Bulk", request).await.expect(200);
    assert!(results["Operations"].as_array().unwrap().iter().all(|one| one["status"] == "403"), "{results:#}");
    assert_eq!(directory.users().await.iter().filter(|entry| entry.is_disabled()).count(), 2);

    // Everything else goes on, and so does what is no deactivation.
    scim.patch(&path(3), json!([{ "op": "replace", "path": "title", "value": "y" }])).await.expect(200);
    scim.patch(&path(0), set(true)).await.expect(200);
    scim.delete(&path(6)).await.expect(204);
}
