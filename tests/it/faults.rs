//! A directory that goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::{
    Client, Directory, Entry, Fixture, Gateway, GatewayOptions, KEY, PEOPLE, group, group_dn, id, patch_body, sorted, until,
    user, user_dn,
};

/// Sends until it is done; what is answered meanwhile must be a promise to be kept or a request to come again.
async fn persist(scim: &Client, name: &str) -> String {
    loop {
        let answer = scim.post("/Users", user(name)).await;
        match answer.status {
            201 => return id(&answer.body),
            // The write was done, and its acknowledgement was lost.
            409 => return id(&scim.find("/Users", &format!("userName eq \"{name}@example.com\"")).await["Resources"][0]),
            503 => tokio::task::yield_now().await,
            other => panic!("{other}: {}", answer.body),
        }
    }
}

#[tokio::test]
async fn an_outage_is_a_request_to_come_again() {
    let Fixture { scim, gateway, directory: mut slapd } = Fixture::set(&[("directory.timeout", "500ms")]).await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[]).await;
    let (user_path, group_path) = (format!("/Users/{ana}"), format!("/Groups/{staff}"));
    slapd.kill();

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
    let title = json!([{ "op": "replace", "path": "title", "value": "x" }]);
    // The client checks Retry-After of each.
    tokio::join!(
        async { scim.get("/Users").await.error(503, "") },
        async { scim.get(&user_path).await.error(503, "") },
        async { scim.post("/Users", user("bob")).await.error(503, "") },
        async { scim.put(&user_path, user("ana")).await.error(503, "") },
        async { scim.patch(&user_path, title).await.error(503, "") },
        async { scim.patch(&group_path, add.clone()).await.error(503, "") },
        async { scim.delete(&user_path).await.error(503, "") },
    );

    slapd.restart();
    gateway.ready().await;
    scim.patch(&group_path, add).await.expect(204);
    assert_eq!(scim.members(&staff).await, [ana]);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_directory_is_killed_under_load() {
    let Fixture { scim, gateway, directory: mut slapd } = Fixture::set(&[("directory.timeout", "2s")]).await;
    let staff = scim.new_group("staff", &[]).await;
    let stop = Arc::new(AtomicBool::new(false));

    // Four clients create users and put each into the group, again and again, until told to stop.
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (scim, stop, staff) = (scim.clone(), stop.clone(), staff.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let user = persist(&scim, &format!("w{worker}-{}", done.len())).await;
                    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]);
                    while scim.patch(&format!("/Groups/{staff}"), add.clone()).await.status != 204 {
                        tokio::task::yield_now().await;
                    }
                    done.push(user);
                }
                done
            })
        })
        .collect();
    let created = async |slapd: &Directory| slapd.search(PEOPLE, "(uid=*)").await.len();
    for _ in 0..3 {
        let before = created(&slapd).await;
        until("the load goes on", async || created(&slapd).await > before + 5).await;
        slapd.kill();
        until("the loss is noticed", async || gateway.admin("/readyz").await.0 == 503).await;
        slapd.restart();
        gateway.ready().await;
    }
    let before = created(&slapd).await;
    until("the load goes on", async || created(&slapd).await > before + 5).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for worker in workers {
        acknowledged.extend(worker.await.unwrap());
    }

    let people = slapd.search(PEOPLE, "(uid=*)").await;
    let stored: Vec<String> = people.iter().map(Entry::id).collect();
    assert_eq!(sorted(stored), sorted(acknowledged.clone()));
    assert_eq!(scim.members(&staff).await, sorted(acknowledged.clone()));
    assert_eq!(slapd.members("staff").await.len(), acknowledged.len());
}

#[tokio::test]
async fn a_gateway_that_is_killed_takes_nothing_with_it() {
    let Fixture { scim, mut gateway, directory } = Fixture::start().await;
    let staff = scim.new_group("staff", &[]).await;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (scim, staff) = (scim.clone(), staff.clone());
            tokio::spawn(async move {
                let mut promised = Vec::new();
                // Until it is gone.
                for n in 0.. {
                    let body = user(&format!("w{worker}-{n}")).to_string();
                    let request = scim.request(reqwest::Method::POST, "/Users").header("content-type", "application/scim+json");
                    let Ok(answer) = scim.try_send(request.body(body)).await else { break };
                    let user = id(&answer.expect(201));
                    let add = patch_body(&json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }])).to_string();
                    let request = scim.request(reqwest::Method::PATCH, &format!("/Groups/{staff}"));
                    let request = request.header("content-type", "application/scim+json").body(add);
                    let member = scim.try_send(request).await.is_ok_and(|answer| answer.status == 204);
                    promised.push((user, member));
                }
                promised
            })
        })
        .collect();
    until("the load goes on", async || directory.users().await.len() > 20).await;
    gateway.kill();

    let gateway = Gateway::before(&directory, GatewayOptions::default()).await;
    gateway.ready().await;
    let scim = gateway.client(KEY);
    let members = scim.members(&staff).await;
    for worker in workers {
        for (user, member) in worker.await.unwrap() {
            scim.get(&format!("/Users/{user}")).await.expect(200);
            assert!(!member || members.contains(&user));
        }
    }
}

#[tokio::test]
async fn a_short_interruption_is_waited_out() {
    let Fixture { scim, directory: mut slapd, gateway: _gateway } = Fixture::start().await;
    let ana = scim.new_user("ana").await;

    // How long it takes to connect again is the machine's affair, so once is enough.
    let mut unnoticed = 0;
    for _ in 0..5 {
        slapd.restart();
        let answer = scim.get(&format!("/Users/{ana}")).await;
        unnoticed += usize::from(answer.status == 200);
        until("it is answered", async || scim.get(&format!("/Users/{ana}")).await.status == 200).await;
    }
    assert!(unnoticed > 0);
}

#[tokio::test]
async fn what_others_change_in_the_directory_is_seen() {
    let Fixture { scim, directory: slapd, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana]).await;
    scim.members(&staff).await;

    // The entry is renamed and the group moved on behind our back.
    slapd.rename(&user_dn("ana"), "uid=ana.gil@example.com").await;
    slapd.rename(&group_dn("staff"), "cn=crew").await;

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": bob }] }]);
    scim.patch(&format!("/Groups/{staff}"), add).await.expect(204);
    let title = json!([{ "op": "replace", "path": "title", "value": "Engineer" }]);
    let changed = scim.patch(&format!("/Users/{ana}"), title).await.expect(200);
    assert_eq!((changed["userName"].as_str(), changed["title"].as_str()), (Some("ana.gil@example.com"), Some("Engineer")));
    assert_eq!(slapd.members("crew").await, ["ana.gil@example.com", "bob@example.com"]);
    let replaced = scim.put(&format!("/Groups/{staff}"), group("crew", &[&ana])).await.expect(200);
    assert_eq!(replaced["members"][0]["value"], ana);
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    assert_eq!(slapd.entry(&group_dn("crew")).await.unwrap().one("member"), "");
}

#[tokio::test]
async fn a_lookup_sees_at_once_what_others_create() {
    let Fixture { scim, directory: slapd, .. } = &Fixture::start().await;
    // A second gateway before the same directory, as behind a load balancer.
    let other = Gateway::start(GatewayOptions::default(), &slapd.url()).await;
    other.ready().await;
    let found = async |path: &str, filter: &str| scim.find(path, filter).await["totalResults"].as_u64();
    let lookups = [
        ("/Users", "userName eq \"ana@example.com\""),
        ("/Users", "externalId eq \"x-ana\""),
        ("/Users", "emails.value eq \"ana@example.com\""),
        ("/Groups", "displayName eq \"staff\""),
    ];
    for (path, filter) in lookups {
        assert_eq!(found(path, filter).await, Some(0), "{filter}");
    }

    let ana = other.client(KEY).new_user("ana").await;
    let staff = other.client(KEY).new_group("staff", &[&ana]).await;

    for (path, filter) in lookups {
        assert_eq!(found(path, filter).await, Some(1), "{filter}");
    }
    assert_eq!(scim.members(&staff).await, [ana]);
}

#[tokio::test]
async fn what_others_remove_from_the_directory_is_gone() {
    let Fixture { scim, directory: slapd, .. } = &Fixture::start().await;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana, &bob]).await;
    let path = format!("/Users/{ana}");
    scim.get(&path).await.expect(200);

    slapd.remove(&user_dn("ana")).await;

    let title = json!([{ "op": "replace", "path": "title", "value": "x" }]);
    scim.patch(&path, title).await.error(404, "");
    scim.get(&path).await.error(404, "");
    scim.delete(&path).await.error(404, "");
    assert_eq!(scim.members(&staff).await, [bob]);
    // Its name is free, and whoever takes it is somebody else.
    assert_ne!(scim.new_user("ana").await, ana);
}
