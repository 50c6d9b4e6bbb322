//! Many operations in one request (RFC 7644 section 3.7).

use serde_json::{Value, json};

use crate::support::{Client, Fixture, GatewayOptions, each, group, id, sorted, user};

/// Sends the operations; their results, in the operations' order.
async fn bulk(scim: &Client, operations: Value) -> Vec<Value> {
    let answer = scim.post("/Bulk", request(operations)).await.expect(200);
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    answer["Operations"].as_array().unwrap().clone()
}

#[expect(clippy::needless_pass_by_value, reason = "a table of literals reads better")]
fn request(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

fn create(name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) })
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

/// The id at the end of a result's location.
fn id_of(result: &Value) -> String {
    result["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_group_has_new_members_whatever_their_order() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;

    let results = bulk(
        scim,
        json!([
            { "method": "POST", "path": "/Groups", "bulkId": "staff", "data": group("staff", &["bulkId:ana", "bulkId:bob"]) },
            create("ana"),
            create("bob"),
        ]),
    )
    .await;

    assert_eq!(statuses(&results), ["201", "201", "201"]);
    for (result, name) in results.iter().zip(["staff", "ana", "bob"]) {
        assert_eq!((&result["bulkId"], &result["method"]), (&json!(name), &json!("POST")));
        assert!(result["version"].as_str().unwrap().starts_with("W/\""));
    }
    assert_eq!(scim.members(&id_of(&results[0])).await, sorted(vec![id_of(&results[1]), id_of(&results[2])]));
    assert_eq!(directory.members("staff").await, ["ana@example.com", "bob@example.com"]);
}

#[tokio::test]
async fn every_method_works_on_what_is_there() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana]).await;
    let mut changed = user("ana");
    changed["title"] = "Engineer".into();

    let results = bulk(
        scim,
        json!([
            { "method": "PUT", "path": format!("/Users/{ana}"), "data": changed },
            { "method": "PATCH", "path": format!("/Groups/{staff}"), "data": {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "add", "path": "members", "value": [{ "value": "bulkId:cleo" }] }],
            } },
            create("cleo"),
            { "method": "DELETE", "path": format!("/Users/{bob}") },
        ]),
    )
    .await;

    assert_eq!(statuses(&results), ["200", "204", "201", "204"]);
    assert_eq!(scim.get(&format!("/Users/{ana}")).await.expect(200)["title"], "Engineer");
    scim.get(&format!("/Users/{bob}")).await.error(404, "");
    assert_eq!(scim.members(&staff).await, sorted(vec![ana, id_of(&results[2])]));
}

#[tokio::test]
async fn one_failure_does_not_stop_the_others_unless_asked() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    scim.new_user("ana").await;
    let operations = json!([
        create("ana"),
        { "method": "POST", "path": "/Groups", "bulkId": "staff", "data": group("staff", &["bulkId:ana"]) },
        { "method": "PATCH", "path": "/Users/nobody", "data": { "Operations": [] } },
        create("bob"),
    ]);

    let results = bulk(scim, operations.clone()).await;

    assert_eq!(statuses(&results), ["409", "409", "400", "201"]);
    assert_eq!(results[0]["response"]["scimType"], "uniqueness");
    assert!(results[1]["response"]["detail"].as_str().unwrap().contains("bulkId"), "{}", results[1]);
    assert!(directory.group("staff").await.is_none());

    let mut stopping = request(json!([create("ana"), create("cleo"), create("dora")]));
    stopping["failOnErrors"] = 1.into();
    let answer = scim.post("/Bulk", stopping).await.expect(200);
    assert!(answer["Operations"].as_array().unwrap().iter().any(|result| result["status"] == "409"), "{answer:#}");
}

#[tokio::test]
async fn each_operation_needs_the_scope_it_would_need_alone() {
    let options = GatewayOptions::default().key("users", "users", "scopes = [\"users:write\", \"bulk\"]");
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;

    let operations = json!([create("ana"), { "method": "POST", "path": "/Groups", "bulkId": "g", "data": group("staff", &[]) }]);
    let results = bulk(&gateway.client("users"), operations).await;

    assert_eq!(statuses(&results), ["201", "403"]);
    assert!(results[1]["response"]["detail"].as_str().unwrap().contains("groups:write"));
}

#[tokio::test]
async fn a_version_is_a_condition() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let path = format!("/Users/{}", id(&made));
    let title = |text: &str, version: &Value| {
        json!({ "method": "PATCH", "path": path, "version": version, "data": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "title", "value": text }],
        } })
    };

    let first = bulk(scim, json!([title("Engineer", &made["meta"]["version"])])).await;
    let second = bulk(scim, json!([title("Chief", &made["meta"]["version"])])).await;

    assert_eq!((statuses(&first), statuses(&second)), (vec!["200"], vec!["412"]));
    assert_eq!(scim.get(&path).await.expect(200)["title"], "Engineer");
}

#[tokio::test]
async fn what_is_no_bulk_request_is_refused_as_a_whole() {
    let settings = [("limits.bulk_operations", "3"), ("limits.bulk_payload", "4096")];
    let Fixture { scim, directory, .. } = &Fixture::set(&settings).await;

    let config = scim.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config["bulk"], json!({ "supported": true, "maxOperations": 3, "maxPayloadSize": 4096 }));
    for body in [json!([]), json!({}), request(json!([])), request(json!("x")), json!({ "Operations": [create("ana")] })] {
        scim.post("/Bulk", body).await.error(400, "invalidSyntax");
    }
    let many: Value = (0..4).map(|n| create(&format!("u{n}"))).collect();
    scim.post("/Bulk", request(many)).await.error(413, "");
    let mut large = create("ana");
    large["data"]["title"] = "x".repeat(5000).into();
    scim.post("/Bulk", request(json!([large]))).await.error(413, "");

    assert!(directory.users().await.is_empty());
}

#[tokio::test]
async fn operations_that_make_no_sense_get_results_of_their_own() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let results = bulk(
        scim,
        json!([
            7,
            {},
            { "method": "GET", "path": "/Users" },
            { "method": "POST", "path": "/Nonsense", "bulkId": "a", "data": {} },
            { "method": "POST", "path": "/Users", "bulkId": "b" },
            { "method": "POST", "path": "/Users", "bulkId": "same", "data": user("ana") },
            { "method": "POST", "path": "/Users", "bulkId": "same", "data": user("bob") },
            { "method": "PUT", "path": "/Users/bulkId:none", "data": user("cleo") },
            create("dora"),
        ]),
    )
    .await;

    let statuses = statuses(&results);
    assert_eq!(statuses.len(), 9);
    assert!(statuses.iter().take(8).all(|status| status.starts_with('4')), "{statuses:?}");
    assert_eq!(statuses[8], "201");
    assert_eq!(each(&scim.get("/Users").await.expect(200), "userName"), ["dora@example.com"]);
}

#[tokio::test]
async fn a_hundred_users_and_their_group_come_in_one_request() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let names: Vec<String> = (0..100).map(|n| format!("u{n:02}")).collect();
    let members: Vec<String> = names.iter().map(|name| format!("bulkId:{name}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let mut operations: Vec<Value> = names.iter().map(|name| create(name)).collect();
    operations.insert(50, json!({ "method": "POST", "path": "/Groups", "bulkId": "staff", "data": group("staff", &members) }));

    let results = bulk(scim, operations.into()).await;

    assert!(results.iter().all(|result| result["status"] == "201"));
    assert_eq!(scim.members(&id_of(&results[50])).await.len(), 100);
    assert_eq!(scim.get("/Users?count=0").await.expect(200)["totalResults"], 100);
}
