//! A line to the directory that fails in the middle of something. Whatever happens to it, no acknowledged write is lost, nothing
//! is made twice, and nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Directory, Fault, Gateway, GatewayOptions, KEY, Link, Message, Slapd, SlapdOptions, group, id, sorted, until,
    user,
};

struct Before {
    scim: Client,
    gateway: Gateway,
    link: Link,
    directory: Directory,
}

async fn before(timeout: &str) -> Before {
    let slapd = Slapd::start(&SlapdOptions::default());
    let link = Link::to(&slapd.url()).await;
    let gateway = Gateway::start(GatewayOptions::default().set("directory.timeout", timeout), &link.url()).await;
    gateway.ready().await;
    Before { scim: gateway.client(KEY), gateway, link, directory: slapd.into() }
}

/// An answer that comes: a request that hangs fails the test.
async fn answered(request: impl Future<Output = Answer>) -> Answer {
    tokio::time::timeout(Duration::from_secs(20), request).await.expect("the request hangs")
}

fn add(user: &str) -> Value {
    json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }])
}

#[tokio::test]
async fn a_write_whose_answer_is_cut_is_found_out_by_reading() {
    let Before { scim, link, directory, gateway: _gateway } = &before("10s").await;
    let cut = || link.set(Fault::Cut(Message::Written));
    let was_cut = || assert!(link.is_well(), "no answer was cut");

    cut();
    let ana = id(&answered(scim.post("/Users", user("ana"))).await.expect(201));
    was_cut();
    let path = format!("/Users/{ana}");
    cut();
    let title = json!([{ "op": "replace", "path": "title", "value": "Engineer" }]);
    assert_eq!(answered(scim.patch(&path, title)).await.expect(200)["title"], "Engineer");
    was_cut();
    assert_eq!(directory.user("ana").await.unwrap().one("title"), "Engineer");
    cut();
    assert_eq!(answered(scim.put(&path, user("bea"))).await.expect(200)["userName"], "bea@example.com");
    was_cut();
    cut();
    let staff = id(&answered(scim.post("/Groups", group("staff", &[]))).await.expect(201));
    was_cut();
    cut();
    answered(scim.patch(&format!("/Groups/{staff}"), add(&ana))).await.expect(204);
    was_cut();
    assert_eq!(directory.members("staff").await, ["bea@example.com"]);
    cut();
    answered(scim.delete(&path)).await.expect(204);
    was_cut();
    assert!(directory.users().await.is_empty());
}

#[tokio::test]
async fn a_read_whose_answer_is_cut_is_sent_again() {
    let Before { scim, link, gateway: _gateway, directory: _directory } = &before("10s").await;
    let ana = scim.new_user("ana").await;
    for path in [format!("/Users/{ana}"), "/Users".to_owned(), format!("/Users?filter=id%20eq%20%22{ana}%22")] {
        link.set(Fault::Cut(Message::Found));
        answered(scim.get(&path)).await.expect(200);
        assert!(link.is_well(), "no answer was cut");
    }
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_a_request_to_come_again() {
    let Before { scim, link, gateway, directory } = &before("1s").await;
    let ana = scim.new_user("ana").await;
    for fault in [Fault::Silent, Fault::Mute] {
        link.set(fault);
        // The client looks for Retry-After.
        answered(scim.get(&format!("/Users/{ana}"))).await.error(503, "");
        answered(scim.post("/Users", user("bob"))).await.error(503, "");
        link.set(Fault::None);
        gateway.ready().await;
    }

    // Whether the first attempts arrived is for the directory to say; a client that repeats them finds one entry.
    let answer = answered(scim.post("/Users", user("bob"))).await;
    assert!(matches!(answer.status, 201 | 409), "{}: {}", answer.status, answer.body);
    let found = scim.find("/Users", "userName eq \"bob@example.com\"").await;
    assert_eq!(found["totalResults"], 1);
    assert_eq!(directory.users().await.len(), 2);
}

#[tokio::test]
async fn a_list_that_drips_in_ends_in_time_too() {
    let Before { scim, link, gateway: _gateway, directory } = &before("2s").await;
    directory.add_users((0..120).map(|n| format!("u{n}"))).await;
    // Each entry comes in time, all of them would take twelve seconds.
    link.set(Fault::Slow(Duration::from_millis(100)));
    answered(scim.get("/Users")).await.error(503, "");
    link.set(Fault::None);
    until("the list comes", async || scim.get("/Users").await.status == 200).await;
}

#[tokio::test]
async fn a_slow_line_only_makes_it_slow() {
    let Before { scim, link, gateway: _gateway, directory } = &before("10s").await;
    link.set(Fault::Slow(Duration::from_millis(60)));
    let ana = id(&answered(scim.post("/Users", user("ana"))).await.expect(201));
    let staff = id(&answered(scim.post("/Groups", group("staff", &[&ana]))).await.expect(201));
    assert_eq!(scim.members(&staff).await, [ana]);
    assert_eq!(directory.members("staff").await, ["ana@example.com"]);
}

#[tokio::test]
async fn more_than_the_directory_can_do_is_refused_and_not_queued() {
    let slapd = Slapd::start(&SlapdOptions::default());
    let link = Link::to(&slapd.url()).await;
    let options = GatewayOptions::default().set("directory.max_operations", "1");
    let gateway = Gateway::start(options, &link.url()).await;
    gateway.ready().await;
    let scim = gateway.client(KEY);
    let ana = scim.new_user("ana").await;
    let path = format!("/Users/{ana}");

    link.set(Fault::Slow(Duration::from_millis(200)));
    let many = (0..30).map(|_| answered(scim.get(&path)));
    let statuses: Vec<u16> = futures_util::future::join_all(many).await.into_iter().map(|answer| answer.status).collect();
    link.set(Fault::None);

    let count = |status: u16| statuses.iter().filter(|found| **found == status).count();
    assert_eq!(count(200) + count(503), 30, "{statuses:?}");
    assert!(count(200) > 0 && count(503) > 0, "{statuses:?}");
    let text = gateway.admin("/metrics").await.1;
    let refused = format!("scimgate_directory_operations_refused_total{{server=\"{}\"}} ", link.url());
    let refused = text.lines().find_map(|line| line.strip_prefix(&refused)).and_then(|count| count.parse().ok());
    assert!(refused.is_some_and(|refused: usize| refused >= count(503)), "{text}");
    scim.get(&path).await.expect(200);
}

/// Creates users and puts each into the group until told to stop; tells whom it was promised.
async fn load(scim: Client, worker: usize, staff: String, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut promised = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let name = format!("w{worker}-{}", promised.len());
        let user = loop {
            let answer = answered(scim.post("/Users", user(&name))).await;
            match answer.status {
                201 => break id(&answer.body),
                409 => {
                    let filter = format!("userName eq \"{name}@example.com\"");
                    let found = answered(scim.query("/Users", &[("filter", &filter)])).await;
                    if found.status == 200 {
                        break id(&found.body["Resources"][0]);
                    }
                }
                503 => tokio::time::sleep(Duration::from_millis(10)).await,
                other => panic!("{other}: {}", answer.body),
            }
        };
        loop {
            match answered(scim.patch(&format!("/Groups/{staff}"), add(&user))).await {
                answer if answer.status == 204 => break,
                answer if answer.status == 503 => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => panic!("{}: {}", answer.status, answer.body),
            }
        }
        promised.push(user);
    }
    promised
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_a_line_that_fails_in_every_way() {
    let Before { scim, gateway, link, directory } = before("1s").await;
    let staff = scim.new_group("staff", &[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..4).map(|worker| tokio::spawn(load(scim.clone(), worker, staff.clone(), stop.clone()))).collect();

    let faults = [
        Fault::Cut(Message::Written),
        Fault::Reset,
        Fault::Mute,
        Fault::Cut(Message::Found),
        Fault::Slow(Duration::from_millis(20)),
        Fault::Silent,
        Fault::Cut(Message::Written),
    ];
    for fault in faults {
        let before = directory.users().await.len();
        until("the load goes on", async || directory.users().await.len() > before + 3).await;
        link.set(fault);
        tokio::time::sleep(Duration::from_millis(300)).await;
        link.set(Fault::None);
        gateway.ready().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut promised = Vec::new();
    for worker in workers {
        promised.extend(worker.await.unwrap());
    }

    let stored: Vec<String> = directory.users().await.iter().map(|entry| entry.one("entryUUID").to_owned()).collect();
    assert_eq!(sorted(stored), sorted(promised.clone()));
    assert_eq!(scim.members(&staff).await, sorted(promised.clone()));
    assert_eq!(directory.members("staff").await.len(), promised.len());
}
