//! Traces, as a collector gets them.

use reqwest::Method;
use serde_json::json;

use crate::support::{Client, Collector, Fixture, Gateway, GatewayOptions, until};

/// W3C Trace Context's own example.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

fn to(collector: &Collector) -> GatewayOptions {
    GatewayOptions::default().set("traces.endpoint", &collector.url)
}

/// A request below a span of the client's.
async fn below(scim: &Client, path: &str, flags: &str) {
    let request = scim.request(Method::GET, path).header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

async fn ended(mut gateway: Gateway) {
    gateway.ask_to_end();
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn a_patch_is_a_span_with_its_operations_below_it() {
    let collector = Collector::start().await;
    let Fixture { scim, gateway, directory: _directory } = Fixture::with_gateway(to(&collector)).await;
    let ana = scim.new_user("ana").await;
    let change = json!([{ "op": "replace", "path": "nickName", "value": "Anita" }]);
    scim.patch(&format!("/Users/{ana}"), change).await.expect(200);
    let patched = gateway.logged(|line| line["message"] == "answered" && line["method"] == "PATCH").await;
    // What waits at the end is sent before the end.
    ended(gateway).await;

    let spans = collector.spans();
    let patch: Vec<_> = spans.iter().filter(|span| span.name == "PATCH user").collect();
    let [patch] = *patch else { panic!("{spans:#?}") };
    assert!(patch.kind == SERVER && patch.parent.is_empty() && !patch.is_error && patch.nanoseconds.0 < patch.nanoseconds.1);
    assert!(patch.is("http.route", "user") && patch.is("http.request.method", "PATCH") && patch.is("scimgate.client", "ping"));
    assert!(patch.is("http.response.status_code", "200"), "{patch:#?}");
    assert_eq!(patched["trace_id"], *patch.trace);
    assert_eq!(patched["request_id"], *patch.attributes["scimgate.request_id"]);

    let below: Vec<_> = spans.iter().filter(|span| span.parent == patch.id).collect();
    assert!(below.iter().any(|span| span.name == "LDAP modify"), "{spans:#?}");
    for operation in below {
        assert!(
            operation.kind == CLIENT && operation.trace == patch.trace && operation.is("ldap.result", "success"),
            "{operation:#?}"
        );
        assert!(operation.is("ldap.attempts", "1") && operation.attributes.contains_key("server.address"), "{operation:#?}");
        let (begin, end) = operation.nanoseconds;
        assert!(patch.nanoseconds.0 <= begin && end <= patch.nanoseconds.1);
    }
    // What is done for no request, such as looking whether the directory is well, begins no trace.
    assert!(spans.iter().all(|span| span.kind == SERVER || !span.parent.is_empty()), "{spans:#?}");
    assert!(collector.services().iter().all(|service| service == "scimgate"));
    assert!(collector.posts().iter().all(|post| *post == ("/v1/traces".into(), "application/x-protobuf".into(), String::new())));
}

#[tokio::test]
async fn a_clients_trace_goes_on_if_it_is_recorded() {
    let collector = Collector::start().await;
    let Fixture { scim, gateway, directory: _directory } = Fixture::with_gateway(to(&collector)).await;
    below(&scim, "/Users?count=0", "01").await;
    below(&scim, "/Groups?count=0", "00").await;
    ended(gateway).await;

    let spans = collector.spans();
    let request = spans.iter().find(|span| span.name == "GET users").unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!((&*request.trace, &*request.parent), (TRACE, CALLER));
    assert!(spans.iter().any(|span| span.parent == request.id && span.trace == TRACE));
    assert!(!spans.iter().any(|span| span.name == "GET groups"), "{spans:#?}");
    // Operations that belong to a request that is not recorded are not recorded either.
    assert_eq!(spans.iter().filter(|span| span.trace == TRACE && span.kind == SERVER).count(), 1);
}

#[tokio::test]
async fn where_none_are_to_be_begun_only_those_of_clients_go_on() {
    let collector = Collector::start().await;
    let options =
        to(&collector).set("traces.one_in", "0").set("traces.authorization", "Bearer collector").set("traces.service", "door");
    let Fixture { scim, gateway, directory: _directory } = Fixture::with_gateway(options).await;
    scim.get("/Users?count=0").await.expect(200);
    below(&scim, "/Users?count=0", "01").await;
    ended(gateway).await;

    let spans = collector.spans();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    assert!(collector.posts().iter().all(|(_, _, authorization)| authorization == "Bearer collector"));
    assert!(collector.services().iter().all(|service| service == "door"));
}

#[tokio::test]
async fn spans_hold_nothing_of_people_entries_or_credentials() {
    let collector = Collector::start().await;
    let Fixture { scim, gateway, directory: _directory } = Fixture::with_gateway(to(&collector)).await;
    let ana = scim.new_user("ana").await;
    let crowd = scim.new_group("crowd", &[&ana]).await;
    scim.find("/Users", "userName eq \"ana@example.com\"").await;
    scim.get(&format!("/Groups/{crowd}")).await.expect(200);
    scim.post("/Users", crate::support::user("ana")).await.error(409, "uniqueness");
    gateway.client("scimgate_a-wrong-key").get("/Users").await.error(401, "");
    ended(gateway).await;

    let spans = collector.spans();
    assert!(spans.len() > 5 && spans.iter().all(|span| span.events == 0));
    let refused = spans.iter().find(|span| span.is("http.response.status_code", "401")).unwrap();
    assert!(refused.is("scimgate.client", "-"));
    let told = format!("{spans:?}").to_lowercase();
    for secret in ["ana", "ruiz", "example.com", "dc=", "crowd", "scimgate_", "bearer", &crowd] {
        assert!(!told.contains(secret), "{secret} is in {spans:#?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up() {
    // It accepts and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let Fixture { scim, gateway, directory: _directory } = Fixture::set(&[("traces.endpoint", &url)]).await;
    let ana = scim.new_user("ana").await;
    for _ in 0..20 {
        scim.get(&format!("/Users/{ana}")).await.expect(200);
    }
    until("spans are recorded", async || {
        let (_, metrics) = gateway.admin("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("scimgate_trace_spans_recorded_total "));
        line.is_some_and(|count| count.parse::<u64>().unwrap() > 20)
    })
    .await;
    // It is waited for at the end, but not for ever.
    ended(gateway).await;

    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let Fixture { scim, gateway, directory: _directory } = Fixture::set(&[("traces.endpoint", &url)]).await;
    scim.get("/Users?count=0").await.expect(200);
    gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.starts_with("traces are lost"))).await;
    until("lost spans are counted", async || {
        let (_, metrics) = gateway.admin("/metrics").await;
        metrics
            .lines()
            .any(|line| line.starts_with("scimgate_trace_spans_exported_total{result=\"failure\"} ") && !line.ends_with(" 0"))
    })
    .await;
    ended(gateway).await;
}
