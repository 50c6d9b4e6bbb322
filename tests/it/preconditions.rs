//! Versions: a change that rests on what a client has seen is not made if it is no longer so.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Fixture, group, id, patch_body, user};

/// A request with a condition on the version.
async fn when(scim: &Client, header: &str, version: &str, method: Method, path: &str, body: &Value) -> Answer {
    let request = scim.request(method, path).header(header, version);
    let request =
        if body.is_null() { request } else { request.header("content-type", "application/scim+json").body(body.to_string()) };
    scim.send(request).await
}

fn title(text: &str) -> Value {
    patch_body(&json!([{ "op": "replace", "path": "title", "value": text }]))
}

#[tokio::test]
async fn a_change_of_an_old_version_is_refused_and_changes_nothing() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let old = scim.post("/Users", user("ana")).await.expect(201);
    let (path, seen) = (format!("/Users/{}", id(&old)), old["meta"]["version"].as_str().unwrap());
    let ahead = scim.send_bytes(Method::PATCH, &path, title("Engineer").to_string()).await.expect(200);

    for (method, body) in [(Method::PUT, user("ana")), (Method::PATCH, title("Chief")), (Method::DELETE, Value::Null)] {
        let answer = when(scim, "if-match", seen, method.clone(), &path, &body).await;
        assert_eq!(answer.status, 412, "{method}: {}", answer.body);
    }

    assert_eq!(scim.get(&path).await.expect(200), ahead);
}

#[tokio::test]
async fn a_change_of_the_present_version_is_made() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let path = format!("/Users/{}", id(&made));
    let mut version = made["meta"]["version"].as_str().unwrap().to_owned();

    for (method, body) in [(Method::PATCH, title("Engineer")), (Method::PUT, user("ana")), (Method::PATCH, title("Chief"))] {
        let several = format!("W/\"another\", {version}");
        let changed = when(scim, "if-match", &several, method, &path, &body).await.expect(200);
        version = changed["meta"]["version"].as_str().unwrap().to_owned();
    }
    when(scim, "if-match", "*", Method::PATCH, &path, &title("Boss")).await.expect(200);
    version = scim.get(&path).await.header("etag").to_owned();
    when(scim, "if-match", &version, Method::DELETE, &path, &Value::Null).await.expect(204);
    assert_eq!(when(scim, "if-match", "*", Method::DELETE, &path, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_is_made() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let (path, version) = (format!("/Users/{}", id(&made)), made["meta"]["version"].as_str().unwrap());

    let bodies: Vec<Value> = (0..10).map(|n| title(&format!("Engineer {n}"))).collect();
    let changes = bodies.iter().map(|body| when(scim, "if-match", version, Method::PATCH, &path, body));
    let answers = futures_util::future::join_all(changes).await;

    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 412).count();
    assert_eq!((made, refused), (1, 9));
}

#[tokio::test]
async fn members_change_under_a_condition_too() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let made = scim.post("/Groups", group("staff", &[])).await.expect(201);
    let (staff, version) = (id(&made), made["meta"]["version"].as_str().unwrap());
    let path = format!("/Groups/{staff}");
    let add = |id: &str| patch_body(&json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]));

    when(scim, "if-match", version, Method::PATCH, &path, &add(&ana)).await.expect(204);
    assert_eq!(when(scim, "if-match", version, Method::PATCH, &path, &add(&bob)).await.status, 412);

    assert_eq!(scim.members(&staff).await, [ana]);
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let (path, version) = (format!("/Users/{}", id(&made)), made["meta"]["version"].as_str().unwrap());

    let same = when(scim, "if-none-match", version, Method::GET, &path, &Value::Null).await;
    assert_eq!((same.status, same.header("etag"), &same.body), (304, version, &Value::Null));
    when(scim, "if-none-match", "W/\"another\"", Method::GET, &path, &Value::Null).await.expect(200);
}

#[tokio::test]
async fn what_is_no_version_is_refused() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let path = format!("/Users/{}", scim.new_user("ana").await);

    for nonsense in ["", "abc", "\"unclosed", "*, \"a\"", "W/abc"] {
        let answer = when(scim, "if-match", nonsense, Method::PATCH, &path, &title("x")).await;
        assert_eq!(answer.status, 400, "{nonsense}: {}", answer.body);
    }
}
