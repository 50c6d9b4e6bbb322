//! TLS and the protocols over it.

use std::path::Path;

use reqwest::{Method, Version, tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Fixture, GatewayOptions, KEY, Tls, make_certificate, until, user};

async fn over_tls() -> Fixture {
    Fixture::with_gateway(GatewayOptions::default().tls()).await
}

#[tokio::test]
async fn both_versions_of_tls_carry_both_versions_of_http() {
    let Fixture { gateway, .. } = &over_tls().await;

    for newest in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        for (http1, expected) in [(false, Version::HTTP_2), (true, Version::HTTP_11)] {
            let client = gateway.client_over(KEY, Tls { newest: Some(newest), http1, ..Tls::default() });
            let answer = client.get("/Users").await;
            assert_eq!(answer.version, expected, "{newest:?}");
            answer.expect(200);
        }
    }
}

#[tokio::test]
async fn addresses_over_tls_begin_with_https() {
    let Fixture { gateway, scim, .. } = &over_tls().await;

    let made = scim.post("/Users", user("ana")).await;

    let location = made.header("location");
    assert!(location.starts_with(&format!("https://{}/scim/v2/Users/", gateway.address())), "{location}");
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let Fixture { gateway, scim, .. } = &over_tls().await;
    scim.new_user("ana").await;

    let answers = futures_util::future::join_all((0..64).map(|_| scim.get("/Users"))).await;

    assert!(answers.iter().all(|answer| answer.status == 200 && answer.version == Version::HTTP_2));
    assert!(gateway.measures("scimgate_client_connections 1").await, "{}", gateway.admin("/metrics").await.1);
}

#[tokio::test]
async fn a_failed_handshake_harms_nobody() {
    let Fixture { gateway, scim, .. } = &over_tls().await;

    let mut plain = TcpStream::connect(gateway.address()).await.unwrap();
    plain.write_all(b"GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    until("the refusal is counted", async || gateway.measures("scimgate_refusals_total{reason=\"handshake\"} 1").await).await;

    scim.send(scim.request(Method::GET, "/Users")).await.expect(200);
}

#[tokio::test]
async fn a_client_can_be_asked_for_a_certificate() {
    let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let identity = |folder: &Path| make_certificate(folder) + &std::fs::read_to_string(folder.join("tls.key")).unwrap();
    let (mine_pem, other_pem) = (identity(mine.path()), identity(other.path()));
    let options = GatewayOptions::default().mutual_tls(&mine.path().join("tls.crt"));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let client = |identity| gateway.client_over(KEY, Tls { identity, ..Tls::default() });

    let known = client(Some(&*mine_pem));
    known.get("/Users").await.expect(200);
    for stranger in [client(None), client(Some(&*other_pem))] {
        assert!(stranger.try_send(stranger.request(Method::GET, "/Users")).await.is_err());
    }
}

#[tokio::test]
async fn the_end_of_the_certificate_is_measured() {
    let Fixture { gateway, .. } = &over_tls().await;

    let metrics = gateway.admin("/metrics").await.1;

    let name = "scimgate_certificate_expiry_timestamp_seconds ";
    let end = metrics.lines().find_map(|line| line.strip_prefix(name)).and_then(|value| value.parse::<f64>().ok());
    assert!(end.is_some_and(|end| end > 1.9e9), "{end:?}");
}
