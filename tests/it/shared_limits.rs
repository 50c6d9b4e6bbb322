//! Gateways that have their clients' budgets together, in a real Redis.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Client, Directory, Gateway, GatewayOptions, KEY, Redis, program, until, user};

/// Nobody: what is asked here needs no directory.
const NO_DIRECTORY: &str = "ldap://127.0.0.1:1";
/// Counted as a request of its client, and answered without the directory.
const PLAIN: &str = "/ServiceProviderConfig";

fn sharing(redis: &Redis) -> GatewayOptions {
    // A second brings one back, and no more.
    GatewayOptions::default()
        .set("limits.requests_per_second", "1")
        .set("limits.burst", "50")
        .set("limits.shared.url", &redis.url())
        .set("limits.shared.timeout", "5s")
}

async fn start(options: GatewayOptions) -> Gateway {
    Gateway::start(options, &NO_DIRECTORY.to_owned()).await
}

async fn up(gateway: &Gateway) {
    until("the store is there", async || gateway.measures("scimgate_limits_shared_up 1").await).await;
}

async fn granted(clients: &[&Client], requests: usize) -> usize {
    let answers = join_all((0..requests).map(|n| clients[n % clients.len()].get(PLAIN))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)), "{answers:?}");
    answers.iter().filter(|answer| answer.status == 200).count()
}

/// As many as a budget has, and one for each second that has passed.
#[track_caller]
fn is_exactly(granted: usize, quota: usize, since: Instant) {
    let back = usize::try_from(since.elapsed().as_secs()).unwrap();
    assert!((quota..=quota + back).contains(&granted), "{granted} of {quota}, {back} s");
}

fn warnings(gateway: &Gateway) -> usize {
    let is = |line: &serde_json::Value| line["level"] == "WARN" && line["message"].as_str().unwrap().starts_with("limits.shared");
    gateway.log().iter().filter(|line| is(line)).count()
}

#[tokio::test]
async fn two_gateways_together_admit_exactly_the_quota() {
    let redis = Redis::with_password("secret").await;
    let options = || {
        sharing(&redis).set("limits.shared.password", "secret").set("limits.shared.prefix", "site-a:").key("okta", "of-okta", "")
    };
    let (one, other) = (start(options()).await, start(options()).await);
    up(&one).await;
    up(&other).await;
    let since = Instant::now();
    let clients = [one.client(KEY), other.client(KEY)];

    let granted = granted(&[&clients[0], &clients[1]], 300).await;

    println!("two gateways granted {granted} of 300 requests; the quota is 50");
    is_exactly(granted, 50, since);
    let refused = join_all([clients[0].get(PLAIN), clients[1].get(PLAIN), clients[0].get(PLAIN)]).await;
    let refused: Vec<_> = refused.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty() && refused.iter().all(|answer| answer.header("retry-after") == "1"));
    // Another client has a budget of its own.
    let answer = other.client("of-okta").get(PLAIN).await;
    assert_eq!((answer.status, answer.header("ratelimit")), (200, "\"requests\";r=49;t=1"));
    let keys = redis.ask("KEYS *").await;
    assert!(keys.contains("site-a:requests:ping") && keys.contains("site-a:requests:okta"), "{keys}");
    let life: i64 = redis.ask("PTTL site-a:requests:ping").await.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!((1..=52_000).contains(&life), "{life}");
}

#[tokio::test]
async fn a_store_that_is_away_is_done_without() {
    let mut redis = Redis::start().await;
    let gateway = start(sharing(&redis).key("okta", "of-okta", "")).await;
    up(&gateway).await;
    let scim = gateway.client(KEY);
    let since = Instant::now();
    is_exactly(granted(&[&scim], 20).await, 20, since);

    redis.kill();
    // Its own counters know what it has granted.
    is_exactly(granted(&[&scim], 100).await, 30, since);
    until("it is noticed", async || gateway.measures("scimgate_limits_shared_up 0").await).await;
    assert!(gateway.measures("scimgate_limits_shared_losses_total 1").await);
    assert_eq!(gateway.client("of-okta").get(PLAIN).await.status, 200);
    gateway.logged(|line| line["message"].as_str().unwrap().contains("counts by itself")).await;
    assert_eq!(warnings(&gateway), 1);

    redis.begin_again().await;
    up(&gateway).await;
    // It has forgotten everything, and decides again.
    let since = Instant::now();
    is_exactly(granted(&[&scim], 100).await, 50, since);
    assert_eq!(warnings(&gateway), 1);
}

#[tokio::test]
async fn closed_means_that_nothing_goes_on_without_it() {
    let mut redis = Redis::start().await;
    let options = sharing(&redis).set("limits.shared.on_failure", "closed").key("okta", "of-okta", "");
    let gateway = start(options.lines("[clients.okta]\nrequests_per_second = 0\n")).await;
    up(&gateway).await;
    let scim = gateway.client(KEY);
    scim.get(PLAIN).await.expect(200);

    redis.kill();
    until("it is noticed", async || scim.get(PLAIN).await.status == 503).await;
    let told = scim.get(PLAIN).await.error(503, "");
    assert!(told.contains("limits.shared"), "{told}");
    // Who has no limit needs no store.
    gateway.client("of-okta").get(PLAIN).await.expect(200);

    redis.begin_again().await;
    until("it goes on", async || scim.get(PLAIN).await.status == 200).await;
    assert_eq!(warnings(&gateway), 1);
}

#[tokio::test]
async fn a_silent_store_is_waited_for_once() {
    let redis = Redis::start().await;
    let gateway = start(sharing(&redis).set("limits.shared.timeout", "1s")).await;
    up(&gateway).await;
    let scim = gateway.client(KEY);
    redis.hold(true);
    let since = Instant::now();
    for _ in 0..30 {
        scim.get(PLAIN).await.expect(200);
    }
    // Each by itself would have waited for a second.
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert!(gateway.measures("scimgate_limits_shared_decisions_total{result=\"local\"} 30").await);
    redis.hold(false);
    up(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_of() {
    let redis = Redis::with_password("secret").await;
    let gateway = start(sharing(&redis).set("limits.shared.password", "wrong")).await;
    let told =
        gateway.logged(|line| line["level"] == "WARN" && line["message"].as_str().unwrap().contains("limits.shared")).await;
    assert!(told["message"].as_str().unwrap().contains("authentication failed") && !told.to_string().contains("wrong"), "{told}");
    gateway.client(KEY).get(PLAIN).await.expect(200);
    let check = |password: &str| {
        let mut command = program();
        command.args(["check", "--config"]).arg(gateway.file()).env("SCIMGATE__LIMITS__SHARED__URL", redis.url());
        let output = command.env("SCIMGATE__LIMITS__SHARED__PASSWORD", password).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = tokio::task::block_in_place(|| check("wrong"));
    assert!(
        told.contains("does not answer, and each gateway counts by itself") && told.contains("authentication failed"),
        "{told}"
    );
    let told = tokio::task::block_in_place(|| check("secret"));
    assert!(told.contains("the store of shared limits at 127.0.0.1"), "{told}");
}

#[tokio::test]
async fn it_is_spoken_to_over_tls() {
    let redis = Redis::with_tls().await;
    let gateway = start(sharing(&redis).set("limits.shared.ca", &redis.beside("tls.crt"))).await;
    up(&gateway).await;
    let since = Instant::now();
    is_exactly(granted(&[&gateway.client(KEY)], 100).await, 50, since);
    // And not to one that nobody vouches for.
    let gateway = start(sharing(&redis)).await;
    let told =
        gateway.logged(|line| line["level"] == "WARN" && line["message"].as_str().unwrap().contains("limits.shared")).await;
    assert!(told["message"].as_str().unwrap().contains("certificate"), "{told}");
}

#[tokio::test]
async fn only_what_has_a_limit_is_asked_about() {
    let redis = Redis::start().await;
    let options = sharing(&redis)
        .set("limits.requests_per_second", "0")
        .set("limits.writes_per_second", "1")
        .set("limits.writes_burst", "3");
    let directory = Directory::start().await;
    let gateway = Gateway::before(&directory, options.set("server.watch_files", "false")).await;
    up(&gateway).await;
    gateway.ready().await;
    let scim = gateway.client(KEY);
    let before = redis.questions().await;
    for _ in 0..10 {
        scim.get("/Users?count=0").await.expect(200);
        gateway.client("").get(PLAIN).await.expect(200);
    }
    assert_eq!(redis.questions().await, before);
    scim.post("/Users", user("ana")).await.expect(201);
    assert_eq!(redis.questions().await, before + 1);
    let operation =
        |n: usize| json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(&format!("u{n}")) });
    let bulk = |count: usize| {
        let operations: Vec<_> = (0..count).map(operation).collect();
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
    };
    // All or none.
    assert_eq!(scim.post("/Bulk", bulk(4)).await.status, 413);
    assert_eq!(scim.post("/Bulk", bulk(3)).await.status, 429);
    assert_eq!(redis.questions().await, before + 2);

    // What was counted outlives a reload that changes nothing of it, and so does the connection.
    let connections = redis.ask("INFO stats").await;
    let made =
        |told: &str| told.lines().find_map(|line| line.strip_prefix("total_connections_received:")?.parse::<u64>().ok()).unwrap();
    kill_process(Pid::from_raw(gateway.pid().try_into().unwrap()).unwrap(), Signal::HUP).unwrap();
    until("it is read again", async || gateway.measures("scimgate_config_loads_total{result=\"success\"} 2").await).await;
    assert!(gateway.measures("scimgate_limits_shared_up 1").await);
    assert_eq!(made(&redis.ask("INFO stats").await), made(&connections) + 1);
}
