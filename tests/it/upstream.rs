//! What is not scimgate's goes to the application beside it, and nothing else does.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::COOKIE;
use reqwest::{Method, RequestBuilder, Response};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Application, Client, Gateway, GatewayOptions, KEY, Tls, program, until};

/// Nobody: what is passed on needs no directory.
const NO_DIRECTORY: &str = "ldap://127.0.0.1:1";

fn beside(application: &Application) -> GatewayOptions {
    at(&application.url)
}

fn at(url: &str) -> GatewayOptions {
    GatewayOptions::default().lines(&format!("[upstream]\nurl = \"{url}\"\n"))
}

async fn start(options: GatewayOptions) -> Gateway {
    Gateway::start(options, &NO_DIRECTORY.to_owned()).await
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn get(client: &Client, path: &str) -> (u16, String) {
    let answer = send(client.outside(Method::GET, path)).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Sends bytes as they are, and reads until the other side ends or has been silent for a while after it answered.
async fn raw(gateway: &Gateway, bytes: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until the text is there.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains(wanted) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "it ended after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn websocket(gateway: &Gateway) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (socket, answer) = tokio_tungstenite::client_async(format!("ws://{}/ws", gateway.address()), stream).await.unwrap();
    assert!(answer.headers().contains_key("x-request-id"), "{answer:?}");
    socket
}

async fn echoes(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

#[tokio::test]
async fn what_is_not_ours_goes_to_the_application() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let client = gateway.client("");
    let request = client
        .outside(Method::POST, "/app/page?x=%2F1&y=a+b")
        .bearer_auth("a-token-of-the-application")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x_forwarded_for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .header("x-original-url", "/scim/v2/Users")
        .header("connection", "x-secret")
        .header("x-secret", "1")
        .header("te", "trailers")
        .header("x-request-id", "of-the-client")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body("12345");

    let answer = send(request).await;

    assert_eq!((answer.status().as_u16(), answer.headers()["x-request-id"].to_str().unwrap()), (200, "of-the-client"));
    assert!(answer.headers()["via"].to_str().unwrap().starts_with("1.1 scimgate-"));
    assert_eq!(answer.text().await.unwrap(), "5");
    let seen = application.last();
    assert_eq!((&*seen.method, &*seen.target, seen.body), ("POST", "/app/page?x=%2F1&y=a+b", Some(5)));
    for (name, value) in [
        ("authorization", "Bearer a-token-of-the-application"),
        ("host", gateway.address()),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", gateway.address()),
        ("forwarded", &format!("for=127.0.0.1;host=\"{}\";proto=http", gateway.address())),
        ("x-request-id", "of-the-client"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("content-length", "5"),
        ("x_forwarded_for", ""),
        ("x-original-url", ""),
        ("x-secret", ""),
        ("te", ""),
        ("connection", ""),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }

    let answer = send(client.outside(Method::GET, "/headers")).await;
    let headers = answer.headers();
    let cookies: Vec<&str> = headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(
        (header(&answer, "x-request-id"), header(&answer, "content-security-policy")),
        ("of-the-application", "default-src 'self'")
    );
    for absent in ["x-private", "keep-alive", "proxy-authenticate", "connection"] {
        assert!(!headers.contains_key(absent), "{absent} of {headers:?}");
    }
    // A length without a body.
    let answer = send(client.outside(Method::HEAD, "/app")).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-length")), (200, "1"));

    let before = application.seen().len();
    for ours in [
        "/scim/v2/ServiceProviderConfig",
        "/openapi.json",
        "/scim/v2/Users",
        "/oauth2/anything",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = send(client.outside(Method::GET, ours)).await;
        assert_ne!(answer.text().await.unwrap(), "0", "{ours}");
    }
    assert_eq!(application.seen().len(), before, "{:?}", application.last());
    // One connection was enough for all of it.
    assert_eq!(application.connections(), 1);
    assert!(gateway.measures("scimgate_upstream_requests_total{class=\"2xx\"} 3").await);
    assert_eq!(get(&client, "/status/404").await, (404, "nothing here".to_owned()));
    assert!(gateway.measures("scimgate_upstream_requests_total{class=\"4xx\"} 1").await);
    assert!(gateway.measures("scimgate_upstream_request_seconds_count 4").await);
    let line = gateway.logged(|line| line["route"] == "upstream" && line["status"] == 404).await;
    assert!(!line.to_string().contains("nothing"), "{line}");
}

#[tokio::test]
async fn a_client_of_http2_is_served_by_http1() {
    let application = Application::start().await;
    let gateway = start(beside(&application).tls()).await;
    let client = gateway.client("");

    let mut request = client.outside(Method::POST, "/app").header(COOKIE, "a=1").body("abc").build().unwrap();
    request.headers_mut().append(COOKIE, "b=2".parse().unwrap());
    let answer = client.execute(request).await;

    assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 200));
    assert_eq!(answer.text().await.unwrap(), "3");
    let seen = application.last();
    assert_eq!((seen.version, seen.body), (http::Version::HTTP_11, Some(3)));
    assert_eq!((&*seen.header("x-forwarded-proto"), &*seen.header("cookie")), ("https", "a=1; b=2"));
    assert_eq!(seen.header("host"), gateway.address());
    assert!(seen.header("via").starts_with("2.0 scimgate-"), "{}", seen.header("via"));
}

#[tokio::test]
async fn what_trusted_proxies_say_is_handed_on() {
    let application = Application::start().await;
    let options = beside(&application).set("server.trusted_proxies", "[\"127.0.0.0/8\"]").set("upstream.host", "upstream");
    let gateway = start(options).await;
    let client = gateway.client("");

    let request = client.outside(Method::GET, "/app").header("x-forwarded-for", "203.0.113.9, 198.51.100.7");
    send(request.header("x-forwarded-proto", "https").header("x-forwarded-host", "app.example.com")).await;

    let seen = application.last();
    assert_eq!(seen.header("x-forwarded-for"), "198.51.100.7, 127.0.0.1");
    assert_eq!(seen.header("forwarded"), "for=198.51.100.7;host=\"app.example.com\";proto=https, for=127.0.0.1");
    assert_eq!((&*seen.header("x-forwarded-proto"), &*seen.header("x-forwarded-host")), ("https", "app.example.com"));
    assert_eq!(seen.header("host"), application.url.trim_start_matches("http://"));
}

#[tokio::test]
async fn no_path_leads_past_scimgate_to_the_applications_scim() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;

    for path in [
        "/app/../scim/v2/Users",
        "/app/%2e%2e/scim/v2/Users",
        "/app/..%2fscim/v2/Users",
        "/app/%252e%252e%252fscim/v2/Users",
        "/%2fscim/v2/Users",
        "/scim%2fv2/Users",
        "/SCIM/v2/Users",
        "/scim;x=y/v2/Users",
        "/./scim/v2/Users",
        "//scim/v2/Users",
        "/%73cim/v2/Users",
        "/app\\..\\scim\\v2\\Users",
        "/scim%00/v2/Users",
        "/OAUTH2/token",
        "http://other.example/scim/v2/Users",
    ] {
        let answer = raw(&gateway, &format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")).await;
        let status: u16 = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{path}: {answer}")).parse().unwrap();
        assert!(matches!(status, 400 | 401 | 404), "{path}: {answer}");
    }
    assert_eq!(application.seen().len(), 0, "{:?}", application.seen());
    // And what only looks like it does get there.
    let answer = raw(&gateway, "GET /app/scim%2Fv2 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(application.last().target, "/app/scim%2Fv2");
}

#[tokio::test]
async fn requests_are_not_smuggled() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let hidden = "GET /scim/v2/Users HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = hidden.len() + 5;
    for head in [
        // The coding counts, and what follows is a request of its own, which is looked at as every other.
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2c\r\n{hidden}\r\n0\r\n\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Content-Length: +{length}\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Connection: Content-Length\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("Connection: Transfer-Encoding, Host\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Host: b\r\n\r\n{hidden}"),
        format!(
            "Content-Length: 0\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n\r\n{hidden}"
        ),
    ] {
        raw(&gateway, &format!("POST /app HTTP/1.1\r\nHost: a\r\n{head}")).await;
    }
    let seen = application.seen();
    assert!(seen.iter().all(|seen| seen.target == "/app" && seen.method == "POST"), "{seen:#?}");
    for seen in &seen {
        assert!(seen.header("content-length").is_empty() || seen.header("transfer-encoding").is_empty(), "{seen:?}");
        assert_eq!((&*seen.header("upgrade"), &*seen.header("host")), ("", "a"), "{seen:?}");
    }
    assert!(seen.len() >= 4, "{seen:#?}");
}

#[tokio::test]
async fn a_key_of_scimgate_is_not_shown_to_the_application() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let client = gateway.client("");
    let basic = |name: &str, key: &str| client.outside(Method::GET, "/Users").basic_auth(name, Some(key));
    let header = |value: String| client.outside(Method::GET, "/Users").header("authorization", value);
    for request in [
        client.outside(Method::GET, "/Users").bearer_auth(KEY),
        header(KEY.to_owned()),
        header(format!("oauth2  {KEY}")),
        header("Bearer scimgate_that-was-taken-out".to_owned()),
        basic("ping", KEY),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status().as_u16(), 403);
        let text = answer.text().await.unwrap();
        assert!(text.contains("/scim/v2") && !text.contains(KEY), "{text}");
    }
    assert_eq!(application.seen().len(), 0);
    // What is not ours is the application's.
    for request in [basic("ping", "another"), header("Bearer x.y.z".to_owned())] {
        assert_eq!(send(request).await.status().as_u16(), 200);
    }
}

/// The most memory that a process has had, in KiB.
fn peak(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_are_streamed_in_little_memory() {
    const MIB: usize = 1 << 20;
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let client = gateway.client("");
    assert_eq!(get(&client, "/app").await.0, 200);
    let before = peak(&gateway);

    // Larger than limits.max_body, which is not for the application's requests.
    let answer = send(client.outside(Method::PUT, "/upload").body(vec![7; 64 * MIB])).await;
    assert_eq!(answer.text().await.unwrap(), (64 * MIB).to_string());
    assert_eq!(application.last().header("content-length"), (64 * MIB).to_string());
    let answer = send(client.outside(Method::GET, "/large")).await;
    assert_eq!(answer.bytes().await.unwrap().len(), 64 * MIB);

    let more = peak(&gateway) - before;
    println!("64 MiB each way took {more} KiB more");
    assert!(more < 16 * 1024, "{more} KiB");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let application = Application::start().await;
    let gateway = start(beside(&application).set("server.header_timeout", "1s")).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    until("it is under way", async || !application.seen().is_empty()).await;
    until("it is closed", async || gateway.measures("scimgate_client_connections 0").await).await;
    assert!(gateway.measures("scimgate_requests_in_flight 0").await);
    // What the kernels had taken is all there is.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 64 << 20, "{}", rest.len());
}

#[tokio::test]
async fn pieces_arrive_as_they_are_sent() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let mut answer = send(gateway.client("").outside(Method::GET, "/pieces")).await;
    for n in 0..10 {
        assert_eq!(application.waiting(), 1, "it waits for what comes next");
        application.pieces.add_permits(1);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), format!("piece {n}\n"));
    }
    assert_eq!(answer.chunk().await.unwrap(), None);
    // It was on its way as long as its body was.
    until("nothing is under way", async || gateway.measures("scimgate_requests_in_flight 0").await).await;
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_answer_has_ended() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let mut answer = send(gateway.client("").outside(Method::GET, "/pieces")).await;
    application.pieces.add_permits(1);
    answer.chunk().await.unwrap();
    assert!(gateway.measures("scimgate_requests_in_flight 1").await);
    // A client that goes away is the end of it at the application too.
    drop(answer);
    until("the application is left alone", async || application.waiting() == 0).await;
    until("nothing is under way", async || gateway.measures("scimgate_requests_in_flight 0").await).await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let client = gateway.client("");
    let asking = tokio::spawn(client.outside(Method::GET, "/never").send());
    until("the application is asked", async || application.waiting() == 1).await;
    asking.abort();
    until("the application is left alone", async || application.waiting() == 0).await;
}

#[tokio::test]
async fn websockets_are_tunnelled() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let mut socket = websocket(&gateway).await;
    echoes(&mut socket, "first").await;
    echoes(&mut socket, &"long ".repeat(100_000)).await;
    assert!(gateway.measures("scimgate_upstream_tunnels 1").await);
    assert!(gateway.measures("scimgate_requests_in_flight 0").await);
    let seen = application.last();
    assert_eq!((&*seen.header("upgrade"), &*seen.header("connection")), ("websocket", "upgrade"));
    assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
    socket.close(None).await.unwrap();
    until("the tunnel has ended", async || gateway.measures("scimgate_upstream_tunnels 0").await).await;

    // The application says no.
    let answer = raw(&gateway, "GET /app HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // What is idle for too long is ended.
    let gateway = start(beside(&application).set("upstream.idle_timeout", "300ms")).await;
    let mut socket = websocket(&gateway).await;
    echoes(&mut socket, "first").await;
    assert!(!matches!(socket.next().await, Some(Ok(_))));
    until("the tunnel has ended", async || gateway.measures("scimgate_upstream_tunnels 0").await).await;
}

#[tokio::test]
async fn at_the_end_downloads_and_websockets_are_given_time() {
    let application = Application::start().await;
    let mut gateway = start(beside(&application).set("server.drain", "25s")).await;
    let mut download = send(gateway.client("").outside(Method::GET, "/pieces")).await;
    application.pieces.add_permits(1);
    download.chunk().await.unwrap();
    let mut socket = websocket(&gateway).await;
    echoes(&mut socket, "before").await;

    gateway.ask_to_end();
    gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.starts_with("closing"))).await;

    echoes(&mut socket, "while it ends").await;
    application.pieces.add_permits(9);
    let mut rest = Vec::new();
    while let Some(chunk) = download.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(rest.ends_with(b"piece 9\n"));
    echoes(&mut socket, "still").await;
    socket.close(None).await.unwrap();
    assert!(gateway.ended().await.success());
    assert!(gateway.log().iter().any(|line| line["message"] == "every request is finished"));
}

#[tokio::test]
async fn what_does_not_end_in_time_is_closed() {
    let application = Application::start().await;
    let mut gateway = start(beside(&application).set("server.drain", "300ms")).await;
    let mut socket = websocket(&gateway).await;
    echoes(&mut socket, "before").await;
    gateway.ask_to_end();
    // It is closed, in whatever way TCP tells it.
    assert!(!matches!(socket.next().await, Some(Ok(_))));
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn an_application_that_is_away_is_told_of() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let gateway = start(at(&format!("http://{address}"))).await;
    let client = gateway.client("");
    for _ in 0..3 {
        let answer = send(client.outside(Method::GET, "/app")).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (502, "text/plain; charset=utf-8"));
        assert!(answer.text().await.unwrap().contains("upstream.url"));
    }
    assert!(gateway.measures("scimgate_upstream_failures_total{reason=\"away\"} 3").await);
    let warnings = || gateway.log().iter().filter(|line| line["level"] == "WARN" && line["reason"] == "away").count();
    assert_eq!(warnings(), 1);
    let application = TcpListener::bind(address).await.unwrap();
    let asking = tokio::spawn(client.outside(Method::GET, "/app").send());
    let (mut stream, _) = application.accept().await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap().status().as_u16(), 200);
    gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("answers again"))).await;
}

#[tokio::test]
async fn slow_applications_and_slow_clients_have_a_time() {
    let application = Application::start().await;
    let gateway = start(beside(&application).set("upstream.timeout", "300ms").set("upstream.idle_timeout", "300ms")).await;
    let client = gateway.client("");
    let (status, text) = get(&client, "/never").await;
    assert!(status == 504 && text.contains("upstream.timeout"), "{status} {text}");
    assert!(gateway.measures("scimgate_upstream_failures_total{reason=\"late\"} 1").await);
    until("the application is left alone", async || application.waiting() == 0).await;

    // Within an answer that has begun, the connection is all that can be ended.
    application.pieces.add_permits(1);
    let mut answer = send(client.outside(Method::GET, "/pieces")).await;
    answer.chunk().await.unwrap();
    assert!(answer.chunk().await.is_err());

    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(b"POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345").await.unwrap();
    let answer = read_until(&mut stream, "upstream.timeout").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // A body that goes on, however slowly, is waited for.
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(b"POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        stream.write_all(b"x").await.unwrap();
    }
    assert!(read_until(&mut stream, "\r\n\r\n10").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_cut_off_for_the_client() {
    let application = Application::start().await;
    for tls in [false, true] {
        let options = if tls { beside(&application).tls() } else { beside(&application) };
        let gateway = start(options).await;
        let mut answer = send(gateway.client("").outside(Method::GET, "/dies")).await;
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "half");
        assert!(answer.chunk().await.is_err(), "the client takes it for the whole");
        assert!(gateway.measures("scimgate_upstream_failures_total{reason=\"broken\"} 1").await);
    }
}

#[tokio::test]
async fn a_body_that_is_held_back_is_asked_for_by_the_application() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let head = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(head("/app").as_bytes()).await.unwrap();
    let asked = read_until(&mut stream, "\r\n\r\n").await;
    assert!(asked.starts_with("HTTP/1.1 100"), "{asked}");
    stream.write_all(b"abc").await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n3").await.starts_with("HTTP/1.1 200"));
    assert_eq!(application.last().header("expect"), "100-continue");
    // One that does not want it says so at once.
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(head("/refuse").as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "too large").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Answers the first request of each connection, and closes it at the second. Says how often it was asked.
async fn forgetful(listener: TcpListener, asked: tokio::sync::watch::Sender<Vec<String>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = asked.clone();
        tokio::spawn(async move {
            for turn in 0..2 {
                let head = read_until(&mut stream, "\r\n\r\n").await;
                asked.send_modify(|asked| asked.push(head.split(' ').next().unwrap().to_owned()));
                if turn == 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
            }
        });
    }
}

#[tokio::test]
async fn only_what_changes_nothing_is_asked_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, seen) = tokio::sync::watch::channel(Vec::new());
    let application = tokio::spawn(forgetful(listener, asked));
    let gateway = start(at(&url)).await;
    let client = gateway.client("");
    assert_eq!(get(&client, "/a").await, (200, "ok".to_owned()));
    assert_eq!(get(&client, "/a").await, (200, "ok".to_owned()));
    assert_eq!(*seen.borrow(), ["GET", "GET", "GET"]);
    // The new connection of the last one is not kept; another is.
    assert_eq!(get(&client, "/a").await.0, 200);
    let answer = send(client.outside(Method::POST, "/a").body("x")).await;
    assert_eq!(answer.status().as_u16(), 502);
    assert!(answer.text().await.unwrap().contains("may have been done"));
    assert_eq!(seen.borrow().iter().filter(|method| *method == "POST").count(), 1);
    assert_eq!(get(&client, "/a").await.0, 200);
    let answer = send(client.outside(Method::DELETE, "/a")).await;
    assert_eq!(answer.status().as_u16(), 502);
    assert_eq!(seen.borrow().iter().filter(|method| *method == "DELETE").count(), 1);
    application.abort();
}

#[tokio::test]
async fn there_is_a_limit_to_what_the_application_is_given_at_once() {
    let application = Application::start().await;
    let gateway = start(beside(&application).set("upstream.max_requests", "2")).await;
    let client = gateway.client("");
    let asking: Vec<_> = (0..2).map(|_| tokio::spawn(client.outside(Method::GET, "/never").send())).collect();
    until("the application is asked", async || application.waiting() == 2).await;
    let answer = send(client.outside(Method::GET, "/app")).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "1"));
    for one in asking {
        one.abort();
    }
    until("there is room again", async || get(&client, "/app").await.0 == 200).await;
    // SCIM is not held up by it.
    assert_eq!(get(&client, "/scim/v2/ServiceProviderConfig").await.0, 200);
}

#[tokio::test]
async fn requests_about_the_way_go_as_far_as_they_say() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let ask = async |head: &str| raw(&gateway, &format!("{head}\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    assert!(ask("OPTIONS /app HTTP/1.1\r\nMax-Forwards: 0").await.starts_with("HTTP/1.1 204"));
    assert!(ask("OPTIONS * HTTP/1.1").await.starts_with("HTTP/1.1 204"));
    assert!(ask("TRACE /app HTTP/1.1\r\nMax-Forwards: 0\r\nCookie: secret").await.starts_with("HTTP/1.1 405"));
    assert!(ask("CONNECT other.example:443 HTTP/1.1").await.starts_with("HTTP/1.1 405"));
    assert_eq!(application.seen().len(), 0);
    assert!(ask("OPTIONS /app HTTP/1.1\r\nMax-Forwards: 5").await.starts_with("HTTP/1.1 200"));
    assert_eq!(application.last().header("max-forwards"), "4");
    assert!(ask("GET /app HTTP/1.1\r\nMax-Forwards: 0").await.starts_with("HTTP/1.1 200"), "it binds no others");
    // Where nobody says whom a request is for, or two do.
    assert!(raw(&gateway, "GET /app HTTP/1.1\r\nConnection: close\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert!(ask("GET /app HTTP/1.1\r\nHost: b").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_request_that_comes_back_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = listener.local_addr().unwrap();
    let gateway = start(at(&format!("http://{between}"))).await;
    let ours = gateway.address().to_owned();
    // Something that leads to scimgate by another name.
    let relay = tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = TcpStream::connect(&ours).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let (status, text) = get(&gateway.client(""), "/app").await;
    assert!(status == 508 && text.contains("upstream.url"), "{status} {text}");
    relay.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_the_application_under_load() {
    let (old, new) = (Application::named("old").await, Application::named("new").await);
    let gateway = start(beside(&old).set("server.watch_files", "false")).await;
    let client = gateway.client("");
    let mut socket = websocket(&gateway).await;
    echoes(&mut socket, "before").await;
    let mut download = send(client.outside(Method::GET, "/pieces")).await;
    let asked = async |wanted: &str| {
        let mut names = Vec::new();
        while names.last().is_none_or(|name: &String| name != wanted) || names.len() < 100 {
            let answer = client.outside(Method::GET, "/name").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            names.push(answer.text().await.unwrap());
        }
        names
    };
    let load = join_all((0..4).map(|_| asked("new")));
    let reload = async {
        until("the old one is asked", async || old.seen().len() > 50).await;
        let text = std::fs::read_to_string(gateway.file()).unwrap().replace(&old.url, &new.url);
        std::fs::write(gateway.file(), text).unwrap();
        kill_process(Pid::from_raw(gateway.pid().try_into().unwrap()).unwrap(), Signal::HUP).unwrap();
    };
    let (names, ()) = tokio::join!(load, reload);
    for names in names {
        let first = names.iter().position(|name| name == "new").unwrap();
        assert!(names[..first].iter().all(|name| name == "old") && names[first..].iter().all(|name| name == "new"));
    }
    // What began before goes on.
    echoes(&mut socket, "after").await;
    old.pieces.add_permits(10);
    let mut rest = Vec::new();
    while let Some(chunk) = download.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(rest.ends_with(b"piece 9\n"));
    assert_eq!(get(&gateway.client_over("", Tls::default()), "/name").await.1, "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_whether_the_application_answers() {
    let application = Application::start().await;
    let gateway = start(beside(&application)).await;
    let check = || {
        let output = program().args(["check", "--config"]).arg(gateway.file()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = tokio::task::block_in_place(check);
    assert!(told.contains(&format!("the application at {} answers (200)", application.url)), "{told}");
    drop(application);
    let told = tokio::task::block_in_place(check);
    assert!(told.contains("does not answer") && told.contains("set upstream.url to where it listens"), "{told}");
}
