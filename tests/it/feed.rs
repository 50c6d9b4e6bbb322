//! What other LDAP clients change is seen as soon as the directory tells it, and what is remembered costs no search.

use std::collections::HashMap;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;
use serde_json::{Value, json};

use crate::support::{
    Client, Fault, Fixture, GatewayOptions, Link, PEOPLE, Slapd, SlapdOptions, Vendor, each, id, sorted, until,
};

/// A metric without labels, or with these.
async fn metric(fixture: &Fixture, name: &str) -> u64 {
    let (_, text) = fixture.gateway.admin("/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

async fn searches(fixture: &Fixture) -> u64 {
    fixture.gateway.operations("search", "success").await
}

/// Makes users user0, user1 and so on; returns their ids.
async fn new_users(scim: &Client, number: usize) -> Vec<String> {
    let mut users = Vec::new();
    for n in 0..number {
        users.push(scim.new_user(&format!("user{n}")).await);
    }
    users
}

async fn followed(fixture: &Fixture) {
    until("the feed is followed", || fixture.gateway.measures("scimgate_feed_following 1")).await;
}

/// What the items of a list are called, in order of the alphabet; a list without items may be left out.
fn shown_in(resource: &Value, list: &str) -> Vec<String> {
    let items = resource.get(list).cloned().unwrap_or(json!([]));
    sorted(each(&json!({ "Resources": items }), "display"))
}

async fn groups_of(fixture: &Fixture, user: &str) -> Vec<String> {
    let user = fixture.scim.get(&format!("/Users/{user}?attributes=groups")).await.expect(200);
    shown_in(&user, "groups")
}

async fn displays(fixture: &Fixture, group: &str) -> Vec<String> {
    let group = fixture.scim.get(&format!("/Groups/{group}")).await.expect(200);
    shown_in(&group, "members")
}

/// Says how long it took; the tests conclude nothing from it.
async fn seen<F: Future<Output = bool>>(what: &str, so: impl Fn() -> F) {
    let started = Instant::now();
    until(what, so).await;
    println!("{what}: seen after {} ms", started.elapsed().as_millis());
}

#[tokio::test]
async fn what_others_change_is_seen() {
    let fixture = &Fixture::start().await;
    let Fixture { scim, directory, .. } = fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana]).await;
    followed(fixture).await;
    for _ in 0..2 {
        assert_eq!(groups_of(fixture, &ana).await, ["staff"]);
        assert!(groups_of(fixture, &bob).await.is_empty());
        assert_eq!(displays(fixture, &staff).await.len(), 1);
    }

    directory.push(&directory.group_dn("staff"), "member", &directory.user_dn("bob")).await;
    seen("a member that others added is in the user's groups", async || groups_of(fixture, &bob).await == ["staff"]).await;
    assert_eq!(displays(fixture, &staff).await.len(), 2);

    directory.set(&directory.user_dn("bob"), "displayName", "Bob the Builder").await;
    seen("a member has the name that others gave it", async || {
        displays(fixture, &staff).await.contains(&"Bob the Builder".to_owned())
    })
    .await;

    directory.remove(&directory.user_dn("ana")).await;
    seen("a user that others removed is no member", async || displays(fixture, &staff).await == ["Bob the Builder"]).await;
    scim.get(&format!("/Users/{ana}")).await.expect(404);

    directory.remove(&directory.group_dn("staff")).await;
    seen("a group that others removed is nobody's", async || groups_of(fixture, &bob).await.is_empty()).await;
}

#[tokio::test]
async fn what_is_remembered_costs_no_search() {
    let fixture = &Fixture::start().await;
    let scim = &fixture.scim;
    let members = new_users(scim, 5).await;
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let staff = scim.new_group("staff", &members).await;
    followed(fixture).await;
    let (user, group) = (format!("/Users/{}", members[0]), format!("/Groups/{staff}"));
    let warm = async || {
        let read = (scim.get(&user).await.expect(200), scim.get(&group).await.expect(200));
        assert_eq!((read.0["groups"][0]["value"].as_str(), read.1["members"].as_array().unwrap().len()), (Some(&*staff), 5));
    };
    warm().await;
    // The echo of our own writes may come late; once it has come all is remembered, and stays so.
    // Elsewhere than on OpenLDAP entries are read each time, unless it is asked for.
    let cost = if fixture.directory.vendor() == Vendor::OpenLdap { 0 } else { 2 };
    until("two readings cost nothing but the entries themselves", async || {
        let before = searches(fixture).await;
        warm().await;
        searches(fixture).await == before + cost
    })
    .await;

    let etag = scim.get(&user).await.header("etag").to_owned();
    let before = searches(fixture).await;
    let unchanged = scim.send(scim.request(Method::GET, &user).header(IF_NONE_MATCH, &etag)).await;
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, etag.as_str()));
    assert_eq!(searches(fixture).await, before, "a version that is known costs nothing");

    scim.patch(&user, json!([{ "op": "replace", "path": "title", "value": "Captain" }])).await.expect(200);
    let changed = scim.send(scim.request(Method::GET, &user).header(IF_NONE_MATCH, &etag)).await;
    assert_eq!(changed.expect(200)["title"], "Captain");
}

/// Whether the requests are answered without a look at the directory.
async fn costs_nothing(fixture: &Fixture, paths: &[String]) -> bool {
    let before = searches(fixture).await;
    for path in paths {
        fixture.scim.get(path).await.expect(200);
    }
    searches(fixture).await == before
}

#[tokio::test]
async fn where_that_is_said_resources_are_remembered_of_every_directory() {
    let fixture = &Fixture::set(&[("cache.entries", "true")]).await;
    let Fixture { scim, directory, .. } = fixture;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    followed(fixture).await;
    let paths = [format!("/Users/{ana}"), format!("/Groups/{staff}"), "/Users".to_owned(), "/Groups?count=5".to_owned()];
    let warm = "users, groups and lists of them cost nothing";
    until(warm, async || costs_nothing(fixture, &paths).await).await;
    let called = async |name: &str| {
        let all = [scim.get(&paths[0]).await.expect(200), scim.get(&paths[2]).await.expect(200)["Resources"][0].clone()];
        all.iter().all(|ana| ana["displayName"] == name)
    };

    scim.patch(&paths[0], json!([{ "op": "replace", "path": "displayName", "value": "Ana I" }])).await.expect(200);
    assert!(called("Ana I").await);
    until(warm, async || costs_nothing(fixture, &paths).await).await;
    directory.set(&directory.user_dn("ana"), "displayName", "Ana II").await;
    seen("a name that others gave a user who is remembered", async || called("Ana II").await).await;
}

#[tokio::test]
async fn resources_that_are_remembered_are_listed_and_found_without_a_search() {
    let fixture = &Fixture::before(Slapd::start(&SlapdOptions::default()).into(), GatewayOptions::default()).await;
    let Fixture { scim, directory, .. } = fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana]).await;
    followed(fixture).await;
    let find = |name: &str| format!("/Users?filter=userName%20eq%20%22{name}%40example.com%22");
    let paths = [
        "/Users".to_owned(),
        "/Groups".to_owned(),
        "/Groups?excludedAttributes=members".to_owned(),
        find("ana"),
        format!("/Users/{bob}?attributes=emails"),
        format!("/Groups/{staff}?excludedAttributes=members"),
    ];
    until("nothing is read any more", || costs_nothing(fixture, &paths)).await;
    let page = scim.get("/Users").await.expect(200);
    let shown = page["Resources"].as_array().unwrap().iter().find(|one| id(one) == ana).unwrap().clone();
    assert_eq!(shown, scim.get(&format!("/Users/{ana}")).await.expect(200));
    assert_eq!(each(&scim.get(&find("ana")).await.expect(200), "id"), [ana.as_str()]);
    let group = scim.get("/Groups").await.expect(200)["Resources"][0].clone();
    assert_eq!(group, scim.get(&format!("/Groups/{staff}")).await.expect(200));

    // That nobody is called so is never remembered.
    let nobody = find("nobody");
    scim.get(&nobody).await.expect(200);
    assert!(!costs_nothing(fixture, &[nobody]).await);

    // Whoever changes it.
    directory.set(&directory.user_dn("bob"), "title", "Captain").await;
    seen("a title that others gave", async || scim.get(&format!("/Users/{bob}")).await.expect(200)["title"] == "Captain").await;
    scim.patch(&format!("/Users/{ana}"), json!([{ "op": "replace", "path": "userName", "value": "anna@example.com" }]))
        .await
        .expect(200);
    assert_eq!(each(&scim.get(&find("anna")).await.expect(200), "id"), [ana.as_str()]);
    assert!(each(&scim.get(&find("ana")).await.expect(200), "id").is_empty());
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    scim.get(&format!("/Users/{ana}")).await.expect(404);
    assert_eq!(each(&scim.get("/Users").await.expect(200), "id"), [bob.as_str()]);
}

#[tokio::test]
async fn whom_others_make_or_remove_is_in_every_list_as_soon_as_that_is_told() {
    let fixture = &Fixture::start().await;
    let Fixture { scim, directory, .. } = fixture;
    scim.new_user("ana").await;
    scim.new_group("staff", &[]).await;
    followed(fixture).await;
    let lists = ["/Users?attributes=id", "/Users?sortBy=userName&attributes=id", "/Groups?attributes=id"];
    let totals = async || {
        let mut totals = Vec::new();
        for list in lists {
            let page = scim.get(list).await.expect(200);
            if !list.contains("sortBy") {
                assert_eq!(
                    page["totalResults"],
                    page["Resources"].as_array().map_or(0, Vec::len),
                    "who is missing is not counted"
                );
            }
            totals.push(page["totalResults"].as_u64().unwrap());
        }
        totals
    };
    assert_eq!(totals().await, [1, 1, 1]);
    directory.add_user("bob").await;
    directory.add_group("crew", &["bob"]).await;
    assert_eq!(totals().await, [1, 1, 1], "nobody manages them yet");
    let (attribute, value) = directory.vendor().mark();
    directory.push(&directory.user_dn("bob"), attribute, value).await;
    directory.push(&directory.group_dn("crew"), attribute, value).await;
    seen("a user and a group that others made are listed", async || totals().await == [2, 2, 2]).await;
    directory.remove(&directory.group_dn("crew")).await;
    directory.remove(&directory.user_dn("bob")).await;
    seen("a user and a group that others removed are listed no more", async || totals().await == [1, 1, 1]).await;
}

#[tokio::test]
async fn the_users_of_a_page_show_their_groups_by_a_few_searches() {
    let fixture = &Fixture::start().await;
    let Fixture { scim, directory, .. } = fixture;
    directory.add_users((0..32).map(|n| format!("user{n:02}"))).await;
    let users = each(&scim.query("/Users", &[("sortBy", "userName")]).await.expect(200), "id");
    let some = |users: &[String]| users.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>();
    let crew = id(&scim.post("/Groups", json!({ "displayName": "crew", "members": some(&users[..20]) })).await.expect(201));
    scim.post("/Groups", json!({ "displayName": "staff", "members": some(&users[10..30]) })).await.expect(201);
    let groups = async || {
        let page = scim.get("/Users?count=50").await.expect(200);
        let shown = page["Resources"].as_array().unwrap().iter().map(|user| (id(user), shown_in(user, "groups")));
        let shown: HashMap<String, Vec<String>> = shown.collect();
        users.iter().map(|id| shown[id].clone()).collect::<Vec<_>>()
    };
    let expected = |crew: std::ops::Range<usize>| {
        let of = |n| [("crew", crew.contains(&n)), ("staff", (10..30).contains(&n))];
        (0..32).map(|n| of(n).iter().filter(|(_, is_in)| *is_in).map(|(name, _)| (*name).to_owned()).collect()).collect()
    };
    let all: Vec<Vec<String>> = expected(0..20);
    assert_eq!(groups().await, all);
    let leaves = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", users[0]) }]);
    scim.patch(&format!("/Groups/{crew}"), leaves).await.expect(204);
    let before = searches(fixture).await;
    assert_eq!(groups().await, expected(1..20));
    // Which member it found a group for 389 does not tell: there each is asked for by itself.
    if directory.vendor() != Vendor::Ds389 {
        let cost = searches(fixture).await - before;
        assert!(cost <= 7, "{cost}");
    }
}

#[tokio::test]
async fn a_page_costs_as_many_searches_where_nothing_can_be_remembered() {
    let options = GatewayOptions::default().set("cache.capacity", "0");
    let names = (0..60).map(|n| format!("user{n:02}"));
    let fixture = &Fixture::with(SlapdOptions::with_users(names), options).await;
    let staff = each(&fixture.scim.get("/Users?count=60").await.expect(200), "id");
    let staff: Vec<&str> = staff.iter().map(String::as_str).collect();
    fixture.scim.new_group("staff", &staff).await;
    fixture.scim.get("/Users?count=60").await.expect(200);
    let before = searches(fixture).await;
    let page = fixture.scim.get("/Users?count=60").await.expect(200);
    let groups: Vec<Vec<String>> = page["Resources"].as_array().unwrap().iter().map(|user| shown_in(user, "groups")).collect();
    assert_eq!(groups, vec![vec!["staff".to_owned()]; 60]);
    // By 25 ids and by 25 members at a time; which users there are is known for a while.
    assert_eq!(searches(fixture).await, before + 6);
}

#[tokio::test]
async fn a_manager_who_is_renamed_stays_the_manager() {
    let fixture = &Fixture::start().await;
    let Fixture { scim, directory, .. } = fixture;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    followed(fixture).await;
    let path = format!("/Users/{bob}");
    let manager = json!({ enterprise: { "manager": { "value": ana } } });
    scim.patch(&path, json!([{ "op": "add", "value": manager }])).await.expect(200);
    let paths = [path.clone()];
    if directory.vendor() == Vendor::OpenLdap {
        until("bob is remembered", || costs_nothing(fixture, &paths)).await;
    }
    directory.set(&directory.user_dn("ana"), "displayName", "Ana Prima").await;
    seen("the manager has the name that others gave", async || {
        scim.get(&path).await.expect(200)[enterprise]["manager"]["displayName"] == "Ana Prima"
    })
    .await;
    directory.remove(&directory.user_dn("ana")).await;
    seen("a manager whom others removed is none", async || {
        scim.get(&path).await.expect(200)[enterprise].get("manager").is_none()
    })
    .await;
}

#[tokio::test]
async fn entries_are_read_each_time_where_that_is_wanted_or_their_marks_do_not_tell_all() {
    // The time of the last sign-in is written without a new change mark.
    let by_itself =
        "\n[users.attributes]\n\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter\" = \"createTimestamp\"\n";
    for options in [GatewayOptions::default().set("cache.entries", "false"), GatewayOptions::default().lines(by_itself)] {
        let fixture = &Fixture::before(Slapd::start(&SlapdOptions::default()).into(), options).await;
        let ana = format!("/Users/{}", fixture.scim.new_user("ana").await);
        followed(fixture).await;
        for _ in 0..3 {
            assert!(!costs_nothing(fixture, std::slice::from_ref(&ana)).await);
        }
    }
}

#[tokio::test]
async fn who_leaves_a_group_is_not_looked_for_and_leaves_it_under_any_name() {
    let fixture = &Fixture::before(Slapd::start(&SlapdOptions::default()).into(), GatewayOptions::default()).await;
    let Fixture { scim, directory, .. } = fixture;
    let users = new_users(scim, 6).await;
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    let staff = scim.new_group("staff", &members).await;
    followed(fixture).await;
    let leave = async |user: &str| {
        let operation = json!([{ "op": "remove", "path": format!("members[value eq \"{user}\"]") }]);
        scim.patch(&format!("/Groups/{staff}"), operation).await.expect(204);
    };
    let paths: Vec<String> = users.iter().map(|user| format!("/Users/{user}")).collect();
    until("the users are remembered", || costs_nothing(fixture, &paths)).await;
    let before = searches(fixture).await;
    leave(&users[0]).await;
    assert_eq!(searches(fixture).await, before);
    // Once more it is no member by that name, so it is looked at.
    leave(&users[0]).await;
    assert!(searches(fixture).await > before);
    assert_eq!(displays(fixture, &staff).await.len(), 5);

    // Others rename members; the directory has groups follow. Told or not yet, they leave.
    for (n, user) in users.iter().enumerate().take(4).skip(1) {
        let (old, new) = (directory.user_dn(&format!("user{n}")), directory.user_dn(&format!("renamed{n}")));
        directory.rename(&old, new.split(',').next().unwrap()).await;
        leave(user).await;
        let left = displays(fixture, &staff).await;
        assert_eq!(left.len(), 5 - n, "round {n}: {left:?}");
    }
    let stored = directory.members("staff").await;
    assert_eq!(stored.iter().filter(|member| !member.is_empty()).count(), 2, "{stored:?}");
}

#[tokio::test]
async fn who_joins_a_group_is_in_it_by_the_name_it_has_even_if_nothing_told_of_that() {
    let options = GatewayOptions::default().set("provisioning.existing_users", "true");
    let fixture = &Fixture::before(Slapd::start(&SlapdOptions::default()).into(), options).await;
    let Fixture { scim, directory, .. } = fixture;
    let bob = scim.new_user("bob").await;
    let staff = scim.new_group("staff", &[&bob]).await;
    followed(fixture).await;
    let (near, far) = (format!("uid=ana,ou=near,{PEOPLE}"), format!("uid=ana,ou=far,{PEOPLE}"));
    directory.ldapmodify(&format!(
        "dn: ou=near,{PEOPLE}\nchangetype: add\nobjectClass: organizationalUnit\n\n\
         dn: {near}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Ana\nsn: Ruiz\nmail: ana@example.com\n"
    ));
    let ana = id(&scim.find("/Users", "emails.value eq \"ana@example.com\"").await["Resources"][0]);
    let path = [format!("/Users/{ana}")];
    until("she is remembered", || costs_nothing(fixture, &path)).await;

    // An entry above hers is none of a user, so the feed does not tell of it.
    directory.rename(&format!("ou=near,{PEOPLE}"), "ou=far").await;
    for _ in 0..2 {
        let operation = json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }]);
        scim.patch(&format!("/Groups/{staff}"), operation).await.expect(204);
        let group = directory.group("staff").await.unwrap();
        let members = group.all("member");
        assert!(members.contains(&&*far) && !members.contains(&&*near), "{members:?}");
        assert_eq!(displays(fixture, &staff).await.len(), 2);
    }
}

#[tokio::test]
async fn our_own_writes_are_seen_at_once() {
    let fixture = &Fixture::start().await;
    let scim = &fixture.scim;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&bob]).await;
    let path = format!("/Groups/{staff}");
    for n in 0..12 {
        let (add, named) = (n % 2 == 0, format!("Ana {n}"));
        let operation = if add {
            json!([{ "op": "add", "path": "members", "value": [{ "value": ana }] }])
        } else {
            json!([{ "op": "remove", "path": format!("members[value eq \"{ana}\"]") }])
        };
        scim.patch(&path, operation).await.expect(204);
        assert_eq!(groups_of(fixture, &ana).await.len(), usize::from(add), "round {n}");
        scim.patch(&format!("/Users/{ana}"), json!([{ "op": "replace", "path": "displayName", "value": named }]))
            .await
            .expect(200);
        assert_eq!(displays(fixture, &staff).await.contains(&named), add, "round {n}");
    }
    scim.delete(&path).await.expect(204);
    assert!(groups_of(fixture, &bob).await.is_empty());
}

#[tokio::test]
async fn a_page_of_users_tells_everyone_their_own_groups() {
    let fixture = &Fixture::start().await;
    let scim = &fixture.scim;
    let users = new_users(scim, 8).await;
    for n in 0..4_usize {
        // The user of number m is in the groups whose bit is set in it.
        let members: Vec<&str> = (0..8).filter(|m| m >> n & 1 == 1).map(|m: usize| users[m].as_str()).collect();
        scim.new_group(&format!("bit {n}"), &members).await;
    }
    for _ in 0..2 {
        let page = scim.get("/Users?count=50").await.expect(200);
        for (m, user) in users.iter().enumerate() {
            let found = page["Resources"].as_array().unwrap().iter().find(|one| id(one) == *user).unwrap();
            let wanted: Vec<String> = (0..4).filter(|n| m >> n & 1 == 1).map(|n| format!("bit {n}")).collect();
            assert_eq!(shown_in(found, "groups"), wanted, "user {m}");
        }
    }
}

#[tokio::test]
async fn what_was_changed_while_the_feed_was_lost_is_seen_after_it() {
    let directory = Slapd::start(&SlapdOptions::default());
    let link = Link::to(&directory.url()).await;
    let fixture =
        &Fixture::before(directory.into(), GatewayOptions::default().set("directory.urls", &format!("[\"{}\"]", link.url())))
            .await;
    let Fixture { scim, directory, gateway } = fixture;
    let (ana, bob) = (scim.new_user("ana").await, scim.new_user("bob").await);
    let staff = scim.new_group("staff", &[&ana, &bob]).await;
    followed(fixture).await;
    assert_eq!(gateway.admin("/readyz").await, (200, "ok\nchange feed: followed\n".to_owned()));
    assert_eq!(displays(fixture, &staff).await.len(), 2);

    link.set(Fault::Reset);
    until("the feed is lost", || gateway.measures("scimgate_feed_following 0")).await;
    directory.remove(&directory.user_dn("ana")).await;
    directory.set(&directory.user_dn("bob"), "displayName", "Robert").await;
    link.set(Fault::None);

    followed(fixture).await;
    assert_eq!(displays(fixture, &staff).await, ["Robert"]);
    scim.get(&format!("/Users/{ana}")).await.expect(404);
    assert!(metric(fixture, "scimgate_feed_lost_total").await >= 1);
}

#[tokio::test]
async fn without_a_feed_time_decides() {
    let directory =
        SlapdOptions { otherwise: vec![("overlay syncprov", ""), ("moduleload syncprov", "")], ..SlapdOptions::default() };
    let fixture = &Fixture::with(directory, GatewayOptions::default().set("cache.blind_ttl", "1s")).await;
    let Fixture { scim, directory, gateway } = fixture;
    assert_eq!(directory.vendor(), Vendor::OpenLdap);
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;
    until("it is said", async || {
        gateway
            .admin("/readyz")
            .await
            .1
            .contains("change feed: this directory has none; memberships are believed for cache.blind_ttl")
    })
    .await;
    assert_eq!(groups_of(fixture, &ana).await, ["staff"]);
    directory.set(&directory.user_dn("ana"), "displayName", "Anna").await;
    until("the name is seen", async || displays(fixture, &staff).await == ["Anna"]).await;
    directory.remove(&directory.group_dn("staff")).await;
    until("the group is gone", async || groups_of(fixture, &ana).await.is_empty()).await;
    let version = scim.get(&format!("/Users/{ana}")).await.header("etag").to_owned();
    directory.set(&directory.user_dn("ana"), "title", "Captain").await;
    let request = scim.request(Method::GET, &format!("/Users/{ana}")).header(IF_NONE_MATCH, &version);
    let read: Value = scim.send(request).await.expect(200);
    assert_eq!(read["title"], "Captain");
}

#[tokio::test]
async fn reads_while_the_directory_is_away_are_stale_only_where_configured_and_say_so() {
    for stale in [false, true] {
        let options = if stale { GatewayOptions::default().set("cache.stale", "10m") } else { GatewayOptions::default() };
        let mut fixture = Fixture::before(Slapd::start(&SlapdOptions::default()).into(), options).await;
        let ana = format!("/Users/{}", fixture.scim.new_user("ana").await);
        fixture.scim.get(&ana).await.expect(200);
        // What was true before a write is not told after it.
        fixture.scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": "Captain" }])).await.expect(200);
        let list = "/Users?filter=userName%20eq%20%22nobody%40example.com%22";
        fixture.scim.get(list).await.expect(200);
        fixture.directory.kill();
        until("the loss is noticed", async || fixture.gateway.admin("/readyz").await.0 == 503).await;

        assert_eq!(fixture.scim.get(&ana).await.status, 503, "it was not read since it was written");
        let answer = fixture.scim.get(list).await;
        if stale {
            assert!(answer.header("cache-status").starts_with("scimgate; hit; ttl=-"));
            assert!(answer.header("age").parse::<u64>().is_ok());
            assert_eq!(answer.expect(200)["totalResults"], 0);
        } else {
            assert_eq!(answer.status, 503);
        }
        let write = fixture.scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": "Admiral" }])).await;
        assert_eq!(write.status, 503);
    }
}
