//! How fast clients may go, and how often somebody may be wrong.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Fixture, GatewayOptions, user};

/// Settings by which next to nothing comes back while a test runs.
fn slow(settings: &[(&str, &str)]) -> GatewayOptions {
    settings.iter().fold(GatewayOptions::default(), |options, (key, value)| options.set(key, value))
}

fn refused(answers: &[Answer]) -> usize {
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.iter().all(|answer| answer.header("retry-after").parse::<u32>().is_ok_and(|wait| wait >= 1)));
    refused.len()
}

#[tokio::test]
async fn a_client_that_goes_too_fast_is_told_when_to_come_again() {
    // The budget of one request a second cannot make up for forty at once.
    let options = slow(&[("limits.requests_per_second", "1"), ("limits.burst", "5")]).key("okta", "of-okta", "");
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(options).await;

    let answers = join_all((0..40).map(|_| scim.get("/Users?count=0"))).await;

    assert!((20..=35).contains(&refused(&answers)));
    // Others are not made to wait for it.
    gateway.client("of-okta").get("/Users").await.expect(200);
}

#[tokio::test]
async fn what_is_left_of_a_budget_is_told() {
    let options = slow(&[("limits.requests_per_second", "1"), ("limits.burst", "1000")]);
    let Fixture { scim, .. } = &Fixture::with_gateway(options).await;

    let answers = join_all((0..50).map(|_| scim.get("/Users?count=0"))).await;

    let mut left = Vec::new();
    for answer in &answers {
        assert_eq!(answer.header("ratelimit-policy"), "\"requests\";q=1000;w=1000");
        let (remaining, reset) = answer.header("ratelimit").strip_prefix("\"requests\";r=").unwrap().split_once(";t=").unwrap();
        let (remaining, reset): (u32, u32) = (remaining.parse().unwrap(), reset.parse().unwrap());
        assert!(remaining < 1000 && (1..=50).contains(&reset), "{remaining} {reset}");
        left.push(remaining);
    }
    // Each request took one; in the seconds that the test took few came back.
    left.sort_unstable();
    assert!((950..990).contains(&left[0]), "{left:?}");
}

#[tokio::test]
async fn changes_have_a_budget_of_their_own() {
    let options = slow(&[("limits.writes_per_second", "1"), ("limits.writes_burst", "20")])
        .key("okta", "of-okta", "")
        .lines("[clients.okta]\nwrites_per_second = 0\n");
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(options).await;
    let bulk = |count: usize| {
        let operation = |n: usize| json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(&format!("u{count}x{n}")) });
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": (0..count).map(operation).collect::<Vec<Value>>() })
    };

    let refused = scim.post("/Bulk", bulk(21)).await.error(413, "");
    assert!(refused.contains("20 at once"), "{refused}");
    let made = scim.post("/Bulk", bulk(15)).await;
    assert_eq!(made.header("ratelimit-policy"), "\"writes\";q=20;w=20");
    made.expect(200);
    let again = scim.post("/Bulk", bulk(14)).await;
    assert_eq!(again.status, 429);
    assert_eq!(scim.get("/Users?count=0").await.expect(200)["totalResults"], 15);
    // A client with a rate of its own, here none.
    gateway.client("of-okta").post("/Bulk", bulk(25)).await.expect(200);
}

#[tokio::test]
async fn an_address_of_wrong_keys_waits_and_good_ones_do_not() {
    let Fixture { gateway, scim, .. } = &Fixture::with_gateway(slow(&[("limits.failures_per_minute", "10")])).await;
    let stranger = gateway.client("");
    let guess = |n: usize| stranger.send(stranger.request(Method::GET, "/Users").bearer_auth(format!("scimgate_guess{n}")));

    let answers = join_all((0..60).map(guess)).await;

    let waiting = refused(&answers);
    assert!((45..=50).contains(&waiting), "{waiting}");
    assert!(answers.iter().filter(|answer| answer.status != 429).all(|answer| answer.status == 401));
    // The same address, with a good key.
    scim.get("/Users").await.expect(200);
    scim.post("/Users", user("ana")).await.expect(201);
    // And who has no key at all is told what is missing.
    assert_eq!(stranger.get("/Users").await.status, 401);
}
