//! Answers compressed by gzip, and bodies that are not read.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Fixture, SlapdOptions, each, user};

/// Enough users that a list of them is long.
fn crowd() -> SlapdOptions {
    SlapdOptions::with_users((0..40).map(|n| format!("user{n}")))
}

async fn get(scim: &Client, path: &str, accept: &str) -> Answer {
    scim.send(scim.request(Method::GET, path).header("accept-encoding", accept)).await
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_those_who_ask() {
    let Fixture { scim, .. } = &Fixture::with_directory(crowd()).await;
    let plain = scim.get("/Users?count=40").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));

    for accept in ["gzip,deflate", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*"] {
        let packed = get(scim, "/Users?count=40", accept).await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"), "{accept}");
        let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
        assert!(length(&packed) * 4 < length(&plain), "{} of {}", length(&packed), length(&plain));
        assert_eq!(packed.expect(200), plain.body, "{accept}");
    }
    for accept in ["", "deflate, br", "gzip;q=0", "gzip;q=0.5, identity;q=0.6"] {
        let answer = get(scim, "/Users?count=40", accept).await;
        assert_eq!(answer.header("content-encoding"), "", "{accept}");
        assert_eq!(answer.expect(200), plain.body, "{accept}");
    }
}

#[tokio::test]
async fn a_short_answer_is_compressed_only_where_nothing_else_is_read() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let path = &format!("/Users/{ana}");
    let plain = get(scim, path, "gzip").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    assert!(plain.header("etag").starts_with("W/"));

    let packed = get(scim, path, "identity;q=0, gzip").await;
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), ("gzip", plain.header("etag")));
    assert_eq!(packed.expect(200), plain.body);

    // Of an error no less, and of nothing nothing.
    let error = get(scim, "/Users/nobody", "gzip, *;q=0").await;
    assert_eq!(error.header("content-encoding"), "gzip");
    error.error(404, "");
    let request = scim.request(Method::GET, path).header("accept-encoding", "gzip, *;q=0");
    let unchanged = scim.send(request.header("if-none-match", plain.header("etag"))).await;
    assert_eq!((unchanged.status, unchanged.header("content-encoding")), (304, ""));
    assert_eq!(unchanged.header("vary"), "Accept-Encoding");
    let head = scim.send(scim.request(Method::HEAD, path).header("accept-encoding", "gzip, *;q=0")).await;
    assert_eq!((head.status, head.header("content-encoding"), &head.body), (200, "gzip", &Value::Null));
    let gone = scim.send(scim.request(Method::DELETE, path).header("accept-encoding", "gzip, *;q=0")).await;
    assert_eq!((gone.header("content-encoding"), gone.header("content-length"), gone.status), ("", "", 204));
}

#[tokio::test]
async fn nothing_is_done_for_those_who_could_not_read_the_answer() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let request = scim.request(Method::POST, "/Users").header("accept-encoding", "identity;q=0, br");
    let refused = scim.send(request.body(user("ana").to_string())).await;
    assert!(refused.error(406, "").contains("gzip"));
    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_what_would_be_read() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let post = |name: &str, value: &str| scim.request(Method::POST, "/Users").header(name, value);

    for coding in ["gzip", "identity, deflate"] {
        let refused = scim.send(post("content-encoding", coding).body(vec![0x1f, 0x8b, 8, 0])).await;
        assert_eq!(refused.header("accept-encoding"), "identity", "{coding}");
        assert!(refused.error(415, "").contains("without Content-Encoding"), "{coding}");
    }
    // The header is about codings and nothing else.
    let refused = scim.send(post("content-type", "text/csv").body("a,b")).await;
    assert_eq!(refused.header("accept-encoding"), "");
    refused.error(415, "");

    scim.send(post("content-encoding", "identity").body(user("ana").to_string())).await.expect(201);
    assert_eq!(each(&scim.get("/Users").await.expect(200), "userName"), [json!("ana@example.com")]);
}
