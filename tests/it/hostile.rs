//! Input that is wrong, too large or strange: each is answered by a SCIM error that says why, and harms nobody.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Fixture, KEY, USER, patch_body, user};

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;

    for (body, hint) in [
        (&b""[..], "empty"),
        (b" \r\n", "empty"),
        (b"{", "not JSON"),
        (b"{\"userName\": \"a@b\",}", "not JSON"),
        (b"{\"userName\": a@b}", "not JSON"),
        (b"userName=a@b", "not JSON"),
        (b"<user/>", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{\"userName\": \"\xff\xfe@b\"}", "UTF-8"),
        (b"\xef\xbb\xbf{\"userName\": }", "not JSON"),
        (b"{\"userName\": \"\\ud800\"}", "not JSON"),
        (b"{\"n\": 1e999}", "not JSON"),
    ] {
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, &format!("/Users/{ana}")), (Method::POST, "/Groups")] {
            let detail = scim.send_bytes(method.clone(), path, body).await.error(400, "invalidSyntax");
            assert!(detail.contains(hint), "{method} {:?}: {detail}", String::from_utf8_lossy(body));
        }
        scim.send_bytes(Method::PATCH, &format!("/Users/{ana}"), body).await.error(400, "invalidSyntax");
        scim.send_bytes(Method::POST, "/Users/.search", body).await.error(400, "invalidSyntax");
    }

    scim.get(&format!("/Users/{ana}")).await.expect(200);
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_refused() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    for body in [
        json!(null),
        json!([]),
        json!("userName"),
        json!({}),
        json!({ "userName": 7 }),
        json!({ "userName": ["a@b"] }),
        json!({ "userName": { "value": "a@b" } }),
        json!({ "userName": "a@b", "USERNAME": "c@d" }),
        json!({ "userName": "a@b", "active": "perhaps" }),
        json!({ "userName": "a@b", "name": "Ana" }),
        json!({ "userName": "a@b", "emails": [[]] , "title": 7 }),
        json!({ "userName": "a@b", "emails": [{ "value": 7 }] }),
        json!({ "userName": "a@b", "schemas": "x" }),
        json!({ "userName": "a@b", "schemas": [7] }),
    ] {
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, &*ana)] {
            let answer = scim.send_bytes(method, path, body.to_string()).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        }
    }
    for operations in [
        json!(null),
        json!([]),
        json!("replace"),
        json!([7]),
        json!([{}]),
        json!([{ "op": 7 }]),
        json!([{ "op": "replace", "path": 7, "value": 1 }]),
        json!([{ "op": "replace", "path": "title" }]),
        json!([{ "op": "replace", "value": "x" }]),
        json!([{ "op": "replace", "path": "title", "value": { "x": 1 } }]),
        json!([{ "op": "replace", "path": "", "value": 1 }]),
        json!([{ "op": "replace", "path": "a.b.c.d", "value": 1 }]),
        json!([{ "op": "add", "path": "emails[type eq \"work\" and].value", "value": "x" }]),
    ] {
        let answer = scim.patch(&ana, operations.clone()).await;
        assert_eq!(answer.status, 400, "{operations}: {}", answer.body);
    }
    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 1);
}

#[tokio::test]
async fn deep_nesting_is_refused_before_it_is_read() {
    let Fixture { scim, .. } = &Fixture::start().await;

    for open in ["[", "{\"a\":"] {
        for body in [open.repeat(10_000), format!("{{\"userName\":\"a@b\",\"x\":{}", open.repeat(10_000))] {
            let detail = scim.send_bytes(Method::POST, "/Users", body).await.error(400, "invalidSyntax");
            assert!(detail.contains("nested deeper"), "{detail}");
        }
    }
    let path = format!("emails{}", "[type eq \"x\"".repeat(1000));
    let body = patch_body(&json!([{ "op": "add", "path": path, "value": 1 }]));
    let ana = scim.new_user("ana").await;
    let answer = scim.send_bytes(Method::PATCH, &format!("/Users/{ana}"), body.to_string()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_answer_before_the_connection_closes() {
    let Fixture { gateway, scim, .. } = &Fixture::start().await;
    let size = 50 << 20;

    // This client sends all of it before it looks for an answer.
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/scim+json\r\n\
         content-length: {size}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 1 << 20];
    for _ in 0..size / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["status"], "413");

    let detail = scim.send_bytes(Method::POST, "/Users", vec![b' '; 9 << 20]).await.error(413, "");
    assert!(detail.contains("limits.max_body"), "{detail}");
    // One that is just not too large is read, and is no JSON.
    scim.send_bytes(Method::POST, "/Users", vec![b' '; 8 << 20]).await.error(400, "invalidSyntax");
}

#[tokio::test]
async fn a_body_of_another_kind_is_not_looked_at() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let post = |kind: &str| scim.request(Method::POST, "/Users").header("content-type", kind).body(user("ana").to_string());

    for kind in ["text/plain", "application/xml", "multipart/form-data; boundary=x"] {
        scim.send(post(kind)).await.error(415, "");
    }
    scim.send(post("application/json").header("content-encoding", "gzip")).await.error(415, "");
    for kind in ["application/json", "application/scim+json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"] {
        let status = scim.send(post(kind)).await.status;
        assert!(matches!(status, 201 | 409), "{kind}: {status}");
    }
    let untyped = scim.request(Method::POST, "/Users").body(user("bob").to_string());
    scim.send(untyped).await.expect(201);
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_not_found() {
    let Fixture { scim, .. } = &Fixture::start().await;

    for path in
        ["", "/", "/users", "/User", "/Users/1/2", "/Users//x/y", "/.search/x", "/Nonsense", "/Users/%ff", "/..%2f..%2fetc"]
    {
        for method in [Method::GET, Method::POST] {
            let answer = scim.send(scim.request(method.clone(), path)).await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    let detail = scim.get("/../v1/Users").await.error(404, "");
    assert!(detail.contains("SCIM 2.0"), "{detail}");
}

#[tokio::test]
async fn methods_that_are_not_served_say_which_are() {
    let Fixture { scim, .. } = &Fixture::start().await;

    for (method, path, allowed) in [
        (Method::DELETE, "/Users", "GET, POST"),
        (Method::PATCH, "/Groups", "GET, POST"),
        (Method::POST, "/Users/1", "GET, PUT, PATCH, DELETE"),
        (Method::OPTIONS, "/Users/1", "GET, PUT, PATCH, DELETE"),
        (Method::POST, "/ServiceProviderConfig", "GET"),
        (Method::PUT, "/Schemas", "GET"),
        (Method::GET, "/Users/.search", "POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/ResourceTypes", "GET"),
    ] {
        let answer = scim.send(scim.request(method.clone(), path)).await;
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        answer.error(405, "");
    }
}

#[tokio::test]
async fn slashes_and_parameters_do_not_matter() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;

    for path in ["//Users", "/Users/", "//Users//", "/Users?aadOptscim062020", "/Users/?x=y&x=z&%ff=%00&="] {
        assert_eq!(scim.get(path).await.expect(200)["totalResults"], 1, "{path}");
    }
    for path in
        [format!("/Users/{ana}/"), format!("//Users//{ana}?AzureAdScimPatch2017"), format!("/Users/{}", ana.to_uppercase())]
    {
        assert_eq!(scim.get(&path).await.expect(200)["userName"], "ana@example.com", "{path}");
    }
    let renamed = json!([{ "op": "add", "path": "title", "value": "x" }]);
    scim.patch(&format!("//Users/{ana}/?aadOptscim062020"), renamed).await.expect(200);
    scim.post("//Users/", user("bob")).await.expect(201);
}

#[tokio::test]
async fn a_host_header_cannot_put_words_into_our_mouth() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;

    for host in ["evil.example/\"<script>", "a b", "{x}"] {
        let answer = scim.send(scim.request(Method::GET, "/Users").header("host", host)).await;
        if answer.status == 200 {
            let location = answer.body["Resources"][0]["meta"]["location"].as_str().unwrap().to_owned();
            assert!(location.starts_with("http://localhost/scim/v2/Users/"), "{location}");
        } else {
            assert_eq!(answer.status, 400, "{host}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    let answer = scim.send(scim.request(Method::HEAD, &ana)).await;

    assert_eq!((answer.status, &answer.body), (200, &Value::Null));
    assert_eq!(answer.header("etag"), scim.get(&ana).await.header("etag"));
}

#[tokio::test]
async fn very_many_values_are_no_trouble() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let emails: Vec<Value> = (0..2000).map(|n| json!({ "value": format!("m{n}@example.com"), "type": "work" })).collect();
    let many = json!({ "schemas": [USER], "userName": "ana@example.com", "emails": emails });
    let made = scim.post("/Users", many).await.expect(201);
    assert_eq!(made["emails"].as_array().unwrap().len(), 2000);

    let unknown: serde_json::Map<String, Value> = (0..20_000).map(|n| (format!("k{n}"), json!([n]))).collect();
    let mut body = Value::Object(unknown);
    body["userName"] = "bob@example.com".into();
    scim.post("/Users", body).await.expect(201);
}
