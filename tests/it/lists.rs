//! Lists: pages, order, what is shown, and queries by POST.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Fixture, GatewayOptions, each, sorted, user};

async fn people(count: usize) -> Fixture {
    let fixture = Fixture::start().await;
    fixture.directory.add_users((0..count).map(|n| format!("u{n:02}"))).await;
    fixture
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("u{n:02}@example.com")).collect()
}

#[tokio::test]
async fn an_empty_directory_has_empty_lists() {
    let Fixture { scim, .. } = &Fixture::start().await;

    for path in
        ["/Users", "/Groups", "/Users?count=1", "/Users?startIndex=1&count=100", "/Groups?filter=displayName%20eq%20%22x%22"]
    {
        let list = scim.get(path).await.expect(200);
        let expected = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [],
        });
        assert_eq!(list, expected, "{path}");
    }
}

#[tokio::test]
async fn pages_hold_everybody_once() {
    let Fixture { scim, .. } = &people(25).await;

    for filter in ["", "userName sw \"u\"", "userName sw \"u\" and not (title pr)", "name.familyName eq \"Ruiz\""] {
        let mut seen = Vec::new();
        while seen.len() < 25 {
            let start = (seen.len() + 1).to_string();
            let page = [("startIndex", &*start), ("count", "7"), ("filter", filter)];
            let page = scim.query("/Users", &page).await.expect(200);
            let shown = each(&page, "userName");
            assert_eq!((page["totalResults"].as_u64(), page["startIndex"].as_u64()), (Some(25), start.parse().ok()), "{filter}");
            assert_eq!(page["itemsPerPage"].as_u64(), Some(shown.len() as u64));
            assert_eq!(shown.len(), 7.min(25 - seen.len()), "{filter}");
            seen.extend(shown);
        }
        assert_eq!(sorted(seen), names(25), "{filter}");
    }
}

#[tokio::test]
async fn many_with_one_value_are_paged_like_others() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    directory.add_users((0..210).map(|n| format!("u{n:03}"))).await;

    let mut seen = HashSet::new();
    for start in ["1", "101", "201"] {
        let page = [("filter", "name.familyName eq \"RUIZ\""), ("startIndex", start), ("count", "100")];
        let page = scim.query("/Users", &page).await.expect(200);
        assert_eq!(page["totalResults"], 210);
        seen.extend(each(&page, "id"));
    }
    assert_eq!(seen.len(), 210);
}

#[tokio::test]
async fn pages_stay_in_order_while_others_write() {
    let Fixture { scim, .. } = &people(20).await;
    let page = async |start: &str| {
        let page = scim.query("/Users", &[("startIndex", start), ("count", "10")]).await.expect(200);
        each(&page, "userName")
    };

    let first = page("1").await;
    scim.new_user("zoe").await;
    let second = page("11").await;

    let both: HashSet<String> = first.into_iter().chain(second).collect();
    assert_eq!(both.len(), 20, "nobody is on both pages");
}

#[tokio::test]
async fn a_new_user_is_in_the_next_list_and_a_deleted_one_is_not() {
    let Fixture { scim, .. } = &people(3).await;
    let listed = async |filter: &str| {
        let list = scim.query("/Users", &[("filter", filter)]).await.expect(200);
        assert_eq!(list["totalResults"].as_u64(), Some(each(&list, "userName").len() as u64));
        each(&list, "userName").contains(&"ana@example.com".to_owned())
    };
    let filters = ["", "displayName co \"Ruiz\"", "not (title pr)", "meta.created pr"];

    for filter in filters {
        assert!(!listed(filter).await, "{filter}");
    }
    let ana = scim.new_user("ana").await;
    for filter in filters {
        assert!(listed(filter).await, "{filter}");
    }
    scim.patch(&format!("/Users/{ana}"), json!([{ "op": "add", "path": "title", "value": "x" }])).await.expect(200);
    assert!(!listed("not (title pr)").await);
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    for filter in filters {
        assert!(!listed(filter).await, "{filter}");
    }
}

#[tokio::test]
async fn count_and_start_index_are_kept_within_their_bounds() {
    let options = GatewayOptions::default().set("limits.max_results", "4").set("limits.default_results", "3");
    let Fixture { scim, directory, .. } = &Fixture::with_gateway(options).await;
    directory.add_users((0..6).map(|n| format!("u{n:02}"))).await;

    for (query, shown, start) in [
        ("", 3, 1),
        ("count=0", 0, 1),
        ("count=2", 2, 1),
        ("count=1000", 4, 1),
        ("count=-1", 4, 1),
        ("count=-2", 0, 1),
        ("startIndex=0&count=2", 2, 1),
        ("startIndex=-7&count=2", 2, 1),
        ("startIndex=5", 2, 5),
        ("startIndex=7", 0, 7),
        ("startIndex=99999999999", 0, 99_999_999_999_u64),
    ] {
        let list = scim.get(&format!("/Users?{query}")).await.expect(200);
        assert_eq!(list["totalResults"], 6, "{query}");
        assert_eq!(list["Resources"].as_array().unwrap().len(), shown, "{query}");
        assert_eq!((&list["itemsPerPage"], &list["startIndex"]), (&json!(shown), &json!(start)), "{query}");
    }
    for (wrong, kind) in
        [("count=x", "invalidCount"), ("count=99999999999999999999", "invalidCount"), ("startIndex=1.5", "invalidValue")]
    {
        scim.get(&format!("/Users?{wrong}")).await.error(400, kind);
    }
}

#[tokio::test]
async fn lists_are_sorted_when_asked() {
    let Fixture { scim, .. } = &Fixture::start().await;
    for (name, family, title) in [("cleo", "álvarez", "b"), ("ana", "Zuse", ""), ("bob", "Muñoz", "A")] {
        let mut body = user(name);
        body["name"]["familyName"] = family.into();
        body["title"] = title.into();
        scim.post("/Users", body).await.expect(201);
    }

    for (sort, expected) in [
        ("sortBy=userName", ["ana", "bob", "cleo"]),
        ("sortBy=userName&sortOrder=descending", ["cleo", "bob", "ana"]),
        ("sortBy=name.familyName", ["bob", "ana", "cleo"]),
        ("sortBy=emails", ["ana", "bob", "cleo"]),
        // Those without a value come last, or first in descending order.
        ("sortBy=title", ["bob", "cleo", "ana"]),
        ("sortBy=title&sortOrder=descending", ["ana", "cleo", "bob"]),
    ] {
        let mut found = Vec::new();
        for start in 1..=3 {
            let page = scim.get(&format!("/Users?{sort}&startIndex={start}&count=1")).await.expect(200);
            assert_eq!(page["totalResults"], 3, "{sort}");
            found.extend(each(&page, "userName"));
        }
        let expected: Vec<String> = expected.iter().map(|name| format!("{name}@example.com")).collect();
        assert_eq!(found, expected, "{sort}");
    }
    scim.get("/Users?sortBy=nonsense").await.error(400, "invalidValue");
    scim.get("/Users?sortBy=userName&sortOrder=sideways").await.error(400, "invalidValue");
}

#[tokio::test]
async fn only_the_attributes_asked_for_are_shown() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;
    let shown = async |query: &str| {
        let list = scim.get(&format!("/Users?{query}")).await.expect(200);
        let mut names: Vec<String> = list["Resources"][0].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };

    assert_eq!(shown("attributes=userName").await, ["id", "schemas", "userName"]);
    assert_eq!(shown("attributes=USERNAME,name.givenName").await, ["id", "name", "schemas", "userName"]);
    assert_eq!(
        shown("excludedAttributes=emails,name,id,meta,displayName").await,
        ["active", "externalId", "id", "schemas", "userName"]
    );
    scim.get("/Users?attributes=userName&excludedAttributes=name").await.error(400, "invalidValue");
}

#[tokio::test]
async fn a_query_by_post_is_answered_like_one_by_get() {
    let Fixture { scim, .. } = &people(5).await;
    let search = |fields: Value| {
        let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };

    let body = search(
        json!({ "filter": "userName sw \"u\"", "sortBy": "userName", "startIndex": 2, "count": 2, "attributes": ["userName"] }),
    );
    let posted = scim.post("/Users/.search", body).await.expect(200);

    let got = scim.get("/Users?filter=userName%20sw%20%22u%22&sortBy=userName&startIndex=2&count=2&attributes=userName").await;
    assert_eq!(posted, got.expect(200));
    assert_eq!(each(&posted, "userName"), ["u01@example.com", "u02@example.com"]);
    scim.post("/Users/.search", json!({ "filter": "userName pr" })).await.error(400, "invalidSyntax");
    scim.post("/Users/.search", search(json!({ "filter": "userName is 1" }))).await.error(400, "invalidFilter");
    scim.post("/Users/.search", search(json!({ "count": "two" }))).await.error(400, "invalidCount");
}

#[tokio::test]
async fn a_query_at_the_root_finds_users_and_groups() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;
    scim.new_user("bob").await;
    scim.new_group("Ana's friends", &[]).await;
    let search = async |fields: Value| {
        let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        scim.post("/.search", body).await.expect(200)
    };

    let found = search(json!({ "filter": "displayName sw \"ana\"" })).await;
    assert_eq!(found["totalResults"], 2);
    assert_eq!(sorted(each(&found, "displayName")), ["Ana Ruiz", "Ana's friends"]);

    // What one type has not, it has no match for.
    assert_eq!(search(json!({ "filter": "userName pr" })).await["totalResults"], 2);

    let mut seen = Vec::new();
    for start in 1..=3 {
        let page = search(json!({ "startIndex": start, "count": 1 })).await;
        assert_eq!((page["totalResults"].as_u64(), page["startIndex"].as_u64()), (Some(3), Some(start)));
        seen.extend(each(&page, "displayName"));
    }
    assert_eq!(sorted(seen), ["Ana Ruiz", "Ana's friends", "Bob Ruiz"]);
}

#[tokio::test]
async fn the_members_of_a_group_are_found_in_order_too() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let (bob, ana, _) = (scim.new_user("bob").await, scim.new_user("ana").await, scim.new_user("eve").await);
    let staff = scim.new_group("staff", &[&bob, &ana]).await;

    let filter = format!("groups.value eq \"{staff}\"");
    let sorted = scim.query("/Users", &[("filter", &filter), ("sortBy", "userName")]).await.expect(200);
    assert_eq!(each(&sorted, "id"), [ana, bob]);
    assert_eq!(sorted["totalResults"], 2);
}
