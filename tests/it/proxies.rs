//! Whose address counts where proxies stand between a client and the gateway.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;

use crate::support::{Fixture, Gateway, GatewayOptions, user};

/// What is answered on a connection that begins with these bytes; empty if it is closed.
fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(id: &str) -> Vec<u8> {
    format!("GET /scim/v2/Users HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// The address in the log line of a request.
async fn address(gateway: &Gateway, request: &str) -> String {
    let line = gateway.logged(|line| line["request_id"] == request).await;
    line["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn wrong_keys_count_against_the_address_that_a_trusted_proxy_names() {
    let settings = [("server.trusted_proxies", "127.0.0.0/8, 10.0.0.0/8"), ("limits.failures_per_minute", "3")];
    let Fixture { gateway, scim, .. } = &Fixture::set(&settings).await;
    let stranger = gateway.client("wrong");
    let fail = async |hops: &str| {
        let request = stranger.request(Method::GET, "/Users").header("x-forwarded-for", hops);
        stranger.send(request).await.status
    };
    for _ in 0..3 {
        assert_eq!(fail("192.0.2.1, 10.0.0.9").await, 401);
    }
    assert_eq!(fail("192.0.2.1").await, 429);
    // Whatever the stranger writes himself stands to the left.
    assert_eq!(fail("203.0.113.5, 192.0.2.1").await, 429);
    assert_eq!(fail("192.0.2.2").await, 401);
    let known = scim.send(scim.request(Method::GET, "/Users").header("x-forwarded-for", "192.0.2.1")).await;
    assert_eq!(known.status, 200, "who signs in well is not held up");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let settings = [("server.trusted_proxies", "10.0.0.0/8"), ("audit.path", "audit.jsonl")];
    let Fixture { gateway, scim, .. } = &Fixture::set(&settings).await;
    let request = scim.request(Method::POST, "/Users").header("x-forwarded-for", "192.0.2.1").header("x-request-id", "forged");
    scim.send(request.json(&user("ana"))).await.expect(201);
    assert_eq!(address(gateway, "forged").await, "127.0.0.1");
    assert!(std::fs::read_to_string(gateway.beside("audit.jsonl")).unwrap().contains("\"address\":\"127.0.0.1\""));
}

#[tokio::test]
async fn the_proxy_protocol_tells_the_address_and_must_be_spoken() {
    let options = GatewayOptions::default()
        .set("server.trusted_proxies", "127.0.0.1")
        .set("server.proxy_protocol", "any")
        .set("server.forwarded_header", "forwarded");
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let line = [&b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n"[..], &get("one")].concat();
    assert!(raw(gateway, &line).starts_with("HTTP/1.1 401"));
    assert_eq!(address(gateway, "one").await, "192.0.2.7");

    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend_from_slice(&[192, 0, 2, 8, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb]);
    assert!(raw(gateway, &[binary, get("two")].concat()).starts_with("HTTP/1.1 401"));
    assert_eq!(address(gateway, "two").await, "192.0.2.8");

    assert_eq!(raw(gateway, &get("three")), "");
    assert!(gateway.measures("scimgate_refusals_total{reason=\"handshake\"} 1").await);
}

#[tokio::test]
async fn who_is_no_trusted_proxy_speaks_no_proxy_protocol() {
    let settings = [("server.trusted_proxies", "10.0.0.0/8"), ("server.proxy_protocol", "v1")];
    let Fixture { gateway, .. } = &Fixture::set(&settings).await;
    assert!(raw(gateway, &get("plain")).starts_with("HTTP/1.1 401"));
    let line = [&b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n"[..], &get("forged")].concat();
    assert!(raw(gateway, &line).starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn who_does_not_sign_in_has_a_budget_by_address() {
    let settings = [("server.trusted_proxies", "127.0.0.1"), ("limits.requests_per_second", "1"), ("limits.burst", "4")];
    let Fixture { gateway, .. } = &Fixture::set(&settings).await;
    let nobody = gateway.client("");
    let asks = async |from: &str| {
        let request = nobody.request(Method::GET, "/ServiceProviderConfig").header("x-forwarded-for", from);
        nobody.send(request).await.status
    };
    let mut granted = 0;
    for _ in 0..40 {
        granted += u32::from(asks("192.0.2.1").await == 200);
    }
    // One comes back each second.
    assert!((4..20).contains(&granted), "{granted}");
    assert_eq!(asks("192.0.2.2").await, 200);
}
