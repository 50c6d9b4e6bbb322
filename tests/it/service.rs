//! Start, health, metrics and end of the process.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Fixture, Gateway, GatewayOptions, KEY, Slapd, SlapdOptions, until, user, user_dn};

/// Sends the head of a request and half of its body; returns the other half.
async fn half_sent(gateway: &Gateway, body: &str) -> (TcpStream, String) {
    let (sent, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/scim+json\r\n\
         content-length: {}\r\n\r\n{sent}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    (stream, rest.to_owned())
}

async fn is_under_way(gateway: &Gateway) {
    until("the request is under way", async || gateway.measures("scimgate_requests_in_flight 1").await).await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_end() {
    let Fixture { mut gateway, directory: slapd, scim } = Fixture::set(&[("server.drain", "30s")]).await;
    let (mut stream, rest) = half_sent(&gateway, &user("ana").to_string()).await;
    is_under_way(&gateway).await;

    gateway.ask_to_end();
    until("the gateway is not ready", async || gateway.admin("/readyz").await.0 == 503).await;
    assert_eq!(gateway.admin("/livez").await.0, 200);
    // Nobody new comes in.
    assert!(scim.try_send(scim.request(reqwest::Method::GET, "/Users")).await.is_err());

    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(gateway.ended().await.success());
    assert!(slapd.entry(&user_dn("ana")).await.is_some());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_when_the_time_is_over() {
    let Fixture { mut gateway, directory: slapd, .. } = Fixture::set(&[("server.drain", "100ms")]).await;
    let (mut stream, _) = half_sent(&gateway, &user("ana").to_string()).await;
    is_under_way(&gateway).await;

    gateway.ask_to_end();

    assert!(gateway.ended().await.success());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{answer:?}");
    assert!(slapd.entry(&user_dn("ana")).await.is_none());
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once_and_says_so() {
    let Fixture { mut gateway, scim, directory: _directory } = Fixture::set(&[("server.drain", "30s")]).await;
    // The client keeps its connection.
    scim.get("/Users").await.expect(200);

    gateway.ask_to_end();

    assert!(gateway.ended().await.success());
    gateway.logged(|line| line["message"] == "every request is finished").await;
}

#[tokio::test]
async fn the_gateway_is_alive_without_a_directory_and_ready_with_one() {
    let mut slapd = Slapd::start(&SlapdOptions::default());
    slapd.kill();
    let gateway = Gateway::start(GatewayOptions::default(), &slapd.url()).await;

    assert_eq!(gateway.admin("/livez").await, (200, "ok\n".to_owned()));
    let (status, reason) = gateway.admin("/readyz").await;
    assert!(status == 503 && reason.starts_with("directory: "), "{status} {reason}");
    gateway.client(KEY).get("/Users").await.error(503, "");
    gateway.client(KEY).get("/ServiceProviderConfig").await.expect(200);

    slapd.restart();
    gateway.ready().await;
    gateway.client(KEY).get("/Users").await.expect(200);

    slapd.kill();
    until("the loss is noticed", async || gateway.admin("/readyz").await.0 == 503).await;
    assert_eq!(gateway.admin("/livez").await.0, 200);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let Fixture { gateway, scim, directory } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    scim.get(&format!("/Users/{ana}")).await.expect(200);
    scim.get("/Users/nobody").await.error(404, "");
    scim.patch(&format!("/Users/{ana}"), json!([{ "op": "Replace", "path": "active", "value": "True" }])).await.expect(200);

    let connected = format!("scimgate_directory_connections{{server=\"{}\"}} 4", directory.url());
    until("all connections are up", async || gateway.measures(&connected).await).await;
    let (status, text) = gateway.admin("/metrics").await;

    assert_eq!(status, 200);
    for line in [
        "scimgate_requests_total{route=\"users\",method=\"POST\",client=\"ping\",status=\"201\"} 1",
        "scimgate_requests_total{route=\"user\",method=\"GET\",client=\"ping\",status=\"200\"} 1",
        "scimgate_requests_total{route=\"user\",method=\"GET\",client=\"ping\",status=\"404\"} 1",
        "scimgate_tolerances_total{client=\"ping\",tolerance=\"string-boolean\"} 1",
        "scimgate_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert_eq!(gateway.operations("add", "success").await, 1, "{text}");
    assert!(!text.contains(&ana) && !text.contains("ana@example.com"), "a value of a person is in\n{text}");
}

#[tokio::test]
async fn the_administrators_pages_are_not_on_the_scim_listener() {
    let Fixture { gateway, .. } = &Fixture::start().await;
    let scim = reqwest::get(format!("http://{}/metrics", gateway.address())).await.unwrap();
    assert_eq!(scim.status(), 404);
    assert_eq!(gateway.admin("/scim/v2/Users").await.0, 404);
}

#[tokio::test]
async fn every_answer_is_logged_under_the_clients_own_id() {
    let Fixture { gateway, scim, .. } = &Fixture::start().await;

    let named = scim.request(reqwest::Method::GET, "/Users").header("x-request-id", "abc-123");
    let answer = scim.send(named).await;
    assert_eq!(answer.header("x-request-id"), "abc-123");
    let strange = scim.request(reqwest::Method::GET, "/Users/x").header("x-request-id", "a \"quoted\" id");
    let made = scim.send(strange).await.header("x-request-id").to_owned();
    assert_eq!(made.len(), 32, "{made}");

    let answered = async |id: &str| gateway.logged(|line| line["message"] == "answered" && line["request_id"] == id).await;
    answered("abc-123").await;
    let line = answered(&made).await;
    assert_eq!((&line["status"], &line["client"], &line["route"]), (&json!(404), &json!("ping"), &Value::from("user")));
}

#[tokio::test]
async fn a_slow_client_is_not_waited_for() {
    let settings = [("server.header_timeout", "300ms"), ("server.request_timeout", "300ms")];
    let Fixture { gateway, scim, .. } = &Fixture::set(&settings).await;

    // One never ends its head, the other never ends its body.
    let mut head = TcpStream::connect(gateway.address()).await.unwrap();
    head.write_all(b"GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let (mut body, _) = half_sent(gateway, &user("ana").to_string()).await;

    let mut answer = String::new();
    body.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"status\":\"408\""), "{answer}");
    let mut nothing = Vec::new();
    let _ = head.read_to_end(&mut nothing).await;
    scim.get("/Users").await.expect(200);
}
