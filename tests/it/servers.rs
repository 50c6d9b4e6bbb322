//! A directory of several servers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Client, Directory, Fault, Gateway, GatewayOptions, KEY, Link, Slapd, SlapdOptions, id, program, until, user,
};

/// Two servers that follow each other, a line to the first, and a gateway that prefers it.
struct Pair {
    scim: Client,
    gateway: Gateway,
    line: Link,
    first: Directory,
    second: Directory,
}

async fn pair(options: GatewayOptions) -> Pair {
    let (first, second) = Slapd::pair(&SlapdOptions::default());
    let line = Link::to(&first.url()).await;
    let urls = format!("{}, {}", line.url(), second.url());
    let (first, second): (Directory, Directory) = (first.into(), second.into());
    until("the second has what the first has", async || second.entry("ou=groups,dc=example,dc=com").await.is_some()).await;
    let gateway = Gateway::start(options.set("directory.urls", &urls), &line.url()).await;
    gateway.ready().await;
    writes_to(&gateway, &line.url()).await;
    Pair { scim: gateway.client(KEY), gateway, line, first, second }
}

async fn writes_to(gateway: &Gateway, url: &str) {
    let line = format!("scimgate_directory_chosen{{server=\"{url}\"}} 1");
    until(&format!("{url} takes the writes"), async || gateway.measures(&line).await).await;
}

/// Both have these users, whoever got them first.
async fn both_have(pair: &Pair, count: usize) {
    for directory in [&pair.first, &pair.second] {
        until("both have all users", async || directory.users().await.len() == count).await;
    }
}

/// Creates a user as an identity provider does, which comes again after a 503 and looks first.
async fn persist(scim: &Client, name: &str) -> String {
    loop {
        let filter = format!("userName eq \"{name}@example.com\"");
        let found = scim.query("/Users", &[("filter", &filter)]).await;
        if found.status == 200 && found.body["totalResults"] == 1 {
            return id(&found.body["Resources"][0]);
        }
        let answer = scim.post("/Users", user(name)).await;
        match answer.status {
            201 => return id(&answer.body),
            409 | 503 => tokio::time::sleep(Duration::from_millis(20)).await,
            other => panic!("{other}: {}", answer.body),
        }
    }
}

/// Far less than `directory.timeout`, and far more than it takes.
const WELL_INSIDE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_server_that_falls_silent_is_replaced_long_before_the_timeout() {
    let options = GatewayOptions::default().set("directory.timeout", "30s").set("directory.fail_back", "1s");
    let pair = pair(options).await;
    let Pair { scim, gateway, line, second, .. } = &pair;
    let ana = scim.new_user("ana").await;
    until("the second has her", async || second.user("ana").await.is_some()).await;

    line.set(Fault::Silent);
    let started = Instant::now();
    let read = async {
        scim.get(&format!("/Users/{ana}")).await.expect(200);
        started.elapsed()
    };
    let write = async {
        persist(scim, "bob").await;
        started.elapsed()
    };
    let (read, write) = tokio::join!(read, write);
    println!("after the preferred server fell silent: read in {read:?}, written in {write:?}");
    assert!(read < WELL_INSIDE && write < WELL_INSIDE, "{read:?}, {write:?}");
    writes_to(gateway, &second.url()).await;
    assert!(second.user("bob").await.is_some());

    // Once it is well for a while, work returns to it.
    line.set(Fault::None);
    writes_to(gateway, &line.url()).await;
    scim.new_user("eve").await;
    both_have(&pair, 3).await;
}

#[tokio::test]
async fn a_server_that_is_killed_is_replaced_at_once_and_not_returned_to_too_soon() {
    let mut pair = pair(GatewayOptions::default().set("directory.timeout", "30s")).await;
    pair.scim.new_user("ana").await;
    both_have(&pair, 1).await;

    pair.first.kill();
    let started = Instant::now();
    persist(&pair.scim, "bob").await;
    println!("after the preferred server was killed: written in {:?}", started.elapsed());
    assert!(started.elapsed() < WELL_INSIDE);
    writes_to(&pair.gateway, &pair.second.url()).await;

    // It is back, but only just: half a minute is the default.
    pair.first.restart();
    let up = format!("scimgate_directory_connections{{server=\"{}\"}} 4", pair.line.url());
    until("it is connected to", async || pair.gateway.measures(&up).await).await;
    persist(&pair.scim, "eve").await;
    let chosen = format!("scimgate_directory_chosen{{server=\"{}\"}} 1", pair.second.url());
    assert!(pair.gateway.measures(&chosen).await);
    both_have(&pair, 3).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_work_goes_over_and_back() {
    let options = GatewayOptions::default().set("directory.fail_back", "200ms").set("directory.replica_lag", "200ms");
    let pair = pair(options.set("directory.probe_timeout", "300ms")).await;
    let workers: Vec<_> = (0..3)
        .map(|worker| {
            let scim = pair.scim.clone();
            tokio::spawn(async move {
                let mut promised = Vec::new();
                for n in 0..25 {
                    promised.push(persist(&scim, &format!("w{worker}-{n}")).await);
                }
                promised
            })
        })
        .collect();
    for fault in [Fault::Silent, Fault::Reset] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pair.line.set(fault);
        writes_to(&pair.gateway, &pair.second.url()).await;
        pair.line.set(Fault::None);
    }
    let mut promised = Vec::new();
    for worker in workers {
        promised.extend(worker.await.unwrap());
    }
    promised.sort();
    promised.dedup();

    assert_eq!(promised.len(), 75);
    both_have(&pair, 75).await;
    for directory in [&pair.first, &pair.second] {
        let mut stored: Vec<String> = directory.users().await.iter().map(|user| user.one("entryUUID").to_owned()).collect();
        stored.sort();
        assert_eq!(stored, promised);
    }
}

#[tokio::test]
async fn plain_reads_go_to_a_replica_and_what_we_wrote_is_seen() {
    let slapd = Slapd::start(&SlapdOptions::with_users(["ana".to_owned()]));
    let feed = Link::to(&slapd.url()).await;
    let provider: Directory = slapd.into();
    let mut replica: Directory = Slapd::start(&SlapdOptions::following(&feed.url())).into();
    until("the replica has her", async || replica.user("ana").await.is_some()).await;
    // What is remembered is what the provider told, and no replica is asked for it.
    let options = GatewayOptions::default()
        .set("directory.replicas", &replica.url())
        .set("directory.replica_lag", "1h")
        .set("cache.entries", "false");
    let gateway = Gateway::before(&provider, options).await;
    gateway.ready().await;
    let up = format!("scimgate_directory_connections{{server=\"{}\"}} 4", replica.url());
    until("the replica is connected to", async || gateway.measures(&up).await).await;
    let scim = gateway.client(KEY);
    let ana = id(&scim.find("/Users", "userName eq \"ana@example.com\"").await["Resources"][0]);
    let path = format!("/Users/{ana}");
    let title = async || scim.get(&path).await.expect(200)["title"].clone();

    // The replica falls behind: reads tell, and what it does not know is asked of the provider.
    feed.set(Fault::Silent);
    provider.set(&provider.user_dn("ana"), "title", "Engineer").await;
    provider.add_users(["bob".to_owned()]).await;
    assert_eq!(title().await, json!(null));
    assert_eq!(scim.find("/Users", "title pr").await["totalResults"], 1, "an empty list is not believed");
    assert_eq!(scim.find("/Users", "userName eq \"bob@example.com\"").await["totalResults"], 1);

    // Without the replica everything is as if there were none.
    replica.kill();
    until("the provider is asked", async || title().await == "Engineer").await;
    replica.restart();
    until("the replica is connected to again", async || gateway.measures(&up).await).await;
    until("the replica is asked again", async || title().await == json!(null)).await;

    // A write rests on the provider, and so do reads after it.
    let changed = json!([{ "op": "replace", "path": "nickName", "value": "An" }]);
    let changed = scim.patch(&path, changed).await.expect(200);
    assert_eq!((&changed["title"], &changed["nickName"]), (&json!("Engineer"), &json!("An")));
    let read = scim.get(&path).await.expect(200);
    assert_eq!((&read["title"], &read["nickName"]), (&json!("Engineer"), &json!("An")));
    assert_eq!(scim.find("/Users", "nickName eq \"An\"").await["totalResults"], 1);
}

#[tokio::test]
async fn servers_that_differ_are_told() {
    let one = Slapd::start(&SlapdOptions::default());
    let mut other = Slapd::start(&SlapdOptions { schema: false, ..SlapdOptions::default() });
    let urls = format!("{}, {}", one.url(), other.url());
    let gateway = Gateway::start(GatewayOptions::default().set("directory.urls", &urls), &one.url()).await;
    let told = gateway.logged(|line| line["message"].to_string().contains("differs")).await;
    assert!(told.to_string().contains(&other.url()) && told.to_string().contains("schema"), "{told}");

    let check = || {
        let mut check = program();
        check.args(["check", "--config"]).arg(gateway.file()).env("SCIMGATE__DIRECTORY__URLS", &urls);
        String::from_utf8(check.output().unwrap().stdout).unwrap()
    };
    let text = check();
    assert!(text.contains(&format!("note    {} differs from the first: its schema", other.url())), "{text}");
    other.kill();
    let text = check();
    assert!(text.contains(&format!("problem the directory cannot be reached: {}", other.url())), "{text}");
    assert!(text.contains(&format!("signed in to {}", one.url())), "{text}");
}
