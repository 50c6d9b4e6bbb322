//! Filters: what the directory decides, what is decided here, and that both decide alike.

use scimgate::scim::{Budgets, Dialect, Filter, Resource, SchemaRegistry};
use serde_json::{Value, json};

use crate::support::{Client, ENTERPRISE, Fixture, USER, each, group, id, sorted, user};

/// A small company, in which every question has an answer.
async fn company() -> Fixture {
    let fixture = Fixture::start().await;
    let scim = &fixture.scim;
    let boss = id(&scim
        .post(
            "/Users",
            json!({
                "schemas": [USER, ENTERPRISE], "userName": "boss@example.com", "externalId": "E-1",
                "name": { "givenName": "Bo", "familyName": "Ross", "formatted": "Bo Ross" },
                "displayName": "Bo  Ross", "title": "Chief", "userType": "Employee",
                "emails": [{ "value": "boss@example.com", "type": "work", "primary": true }],
                "phoneNumbers": [{ "value": "+1 555 01", "type": "work" }, { "value": "+1 555 02", "type": "mobile" }],
                ENTERPRISE: { "department": "Board", "employeeNumber": "1" },
            }),
        )
        .await
        .expect(201));
    scim.post(
        "/Users",
        json!({
            "schemas": [USER, ENTERPRISE], "userName": "ana@example.com", "externalId": "e-1",
            "name": { "givenName": "Ana", "familyName": "Ruiz", "formatted": "Ana Ruiz" },
            "displayName": "Ana Ruiz", "title": "Engineer", "active": false,
            "emails": [{ "value": "a.ruiz@example.com", "type": "work" }, { "value": "ana@example.com", "type": "work" }],
            "addresses": [{ "type": "work", "locality": "Madrid", "country": "ES" }],
            ENTERPRISE: { "department": "Rides", "employeeNumber": "10", "manager": { "value": boss } },
        }),
    )
    .await
    .expect(201);
    scim.post(
        "/Users",
        json!({
            "schemas": [USER], "userName": "zoë@example.com", "name": { "givenName": "Zoë", "familyName": "Ångström" },
            "displayName": "ZOË (\"Z\") * \\ Ångström", "title": "engineer",
        }),
    )
    .await
    .expect(201);
    fixture
}

const BOSS: &str = "boss@example.com";
const ANA: &str = "ana@example.com";
const ZOE: &str = "zoë@example.com";

#[tokio::test]
async fn every_operator_finds_what_it_should() {
    let Fixture { scim, .. } = &company().await;
    let all = &[ANA, BOSS, ZOE][..];

    for (filter, expected) in [
        ("userName eq \"ana@example.com\"", &[ANA][..]),
        ("userName eq \"ANA@EXAMPLE.COM\"", &[ANA]),
        ("userName ne \"ana@example.com\"", &[BOSS, ZOE]),
        ("userName co \"example\"", all),
        ("userName co \"OSS@\"", &[BOSS]),
        ("userName sw \"b\"", &[BOSS]),
        ("userName ew \"@example.com\"", all),
        ("userName gt \"b\"", &[BOSS, ZOE]),
        ("userName ge \"boss@example.com\"", &[BOSS, ZOE]),
        ("userName lt \"boss@example.com\"", &[ANA]),
        ("userName le \"boss@example.com\"", &[ANA, BOSS]),
        ("title pr", all),
        ("externalId pr", &[ANA, BOSS]),
        ("not (externalId pr)", &[ZOE]),
        ("externalId eq \"E-1\"", &[BOSS]),
        ("externalId sw \"e\"", &[ANA]),
        ("title eq \"ENGINEER\"", &[ANA, ZOE]),
        ("userType ne \"Employee\"", &[ANA, ZOE]),
        ("userType eq null", &[ANA, ZOE]),
        ("userType ne null", &[BOSS]),
        ("name.familyName eq \"ÅNGSTRÖM\"", &[ZOE]),
        ("displayName eq \"bo ross\"", &[BOSS]),
        ("displayName co \"(\\\"z\\\") * \\\\\"", &[ZOE]),
        ("displayName eq \"*\"", &[]),
        ("active eq true", &[BOSS, ZOE]),
        ("active ne true", &[ANA]),
        ("active eq \"False\"", &[ANA]),
        ("emails.value eq \"a.ruiz@example.com\"", &[ANA]),
        ("emails.type eq \"work\"", &[ANA, BOSS]),
        ("addresses.country eq \"es\"", &[ANA]),
        ("phoneNumbers.value eq \"+1 555 02\"", &[BOSS]),
        ("meta.created gt \"2020-01-01T00:00:00Z\"", all),
        ("meta.created lt \"2020-01-01T00:00:00Z\"", &[]),
        ("meta.lastModified ge \"2020-01-01T00:00:00.5Z\"", all),
        ("meta.resourceType eq \"User\"", all),
        ("id pr", all),
        ("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", all),
    ] {
        assert_eq!(sorted(each(&scim.find("/Users", filter).await, "userName")), expected, "{filter}");
    }
}

#[tokio::test]
async fn logic_groups_and_value_paths_combine() {
    let Fixture { scim, .. } = &company().await;
    let department = format!("{ENTERPRISE}:department");

    for (filter, expected) in [
        ("title eq \"engineer\" and active eq true", &[ZOE][..]),
        ("title eq \"chief\" or active eq false", &[ANA, BOSS]),
        ("userName sw \"a\" or userName sw \"b\" and title eq \"nobody\"", &[ANA]),
        ("(userName sw \"a\" or userName sw \"b\") and title eq \"chief\"", &[BOSS]),
        ("not (title eq \"engineer\")", &[BOSS]),
        ("not (title eq \"engineer\" or userName sw \"b\")", &[]),
        ("not (not (userName sw \"b\"))", &[BOSS]),
        ("emails[type eq \"work\" and value ew \"example.com\"]", &[ANA, BOSS]),
        ("emails[type eq \"home\"]", &[]),
        ("emails[type eq \"work\" and value sw \"a.\"] and active eq false", &[ANA]),
        ("emails[value sw \"ana\" and value ew \"ruiz@example.com\"]", &[]),
        ("phoneNumbers[type eq \"mobile\" and value co \"02\"]", &[BOSS]),
        ("phoneNumbers[type eq \"work\" and value co \"02\"]", &[]),
        ("not (phoneNumbers[type eq \"work\"])", &[ANA, ZOE]),
        ("addresses[type eq \"work\" and locality eq \"madrid\"]", &[ANA]),
        (&*format!("{department} eq \"rides\""), &[ANA]),
        (&*format!("{department} pr and not ({department} eq \"rides\")"), &[BOSS]),
    ] {
        assert_eq!(sorted(each(&scim.find("/Users", filter).await, "userName")), expected, "{filter}");
    }
}

#[tokio::test]
async fn the_liberties_that_clients_take_are_understood() {
    let Fixture { scim, .. } = &company().await;

    for (filter, expected) in [
        ("username Eq \"ana@example.com\"", &[ANA][..]),
        ("USERNAME EQ \"ana@example.com\" AND Active eq False", &[ANA]),
        ("emails eq \"boss@example.com\"", &[BOSS]),
        ("email co \"ruiz\"", &[ANA]),
        ("emails[type eq \"work\"].value eq \"boss@example.com\"", &[BOSS]),
        ("externalId eq e-1", &[ANA]),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"z\"", &[ZOE]),
    ] {
        assert_eq!(sorted(each(&scim.find("/Users", filter).await, "userName")), expected, "{filter}");
    }
}

#[tokio::test]
async fn references_are_compared_by_id() {
    let Fixture { scim, .. } = &company().await;
    let ids = async |filter: &str| each(&scim.find("/Users", filter).await, "id");
    let ana = ids("userName sw \"ana\"").await.remove(0);
    let boss = ids("userName sw \"boss\"").await.remove(0);
    let staff = id(&scim.post("/Groups", group("staff", &[&ana, &boss])).await.expect(201));
    scim.new_group("crew", &[]).await;

    assert_eq!(ids(&format!("{ENTERPRISE}:manager.value eq \"{boss}\"")).await, [ana.as_str()]);
    assert_eq!(ids(&format!("id eq \"{ana}\"")).await, [ana.as_str()]);
    assert_eq!(sorted(ids(&format!("groups.value eq \"{staff}\"")).await), sorted(vec![ana.clone(), boss.clone()]));
    assert_eq!(ids("groups.value eq \"00000000-0000-0000-0000-000000000000\"").await, [""; 0]);
    let groups = async |filter: &str| sorted(each(&scim.find("/Groups", filter).await, "displayName"));
    assert_eq!(groups(&format!("members.value eq \"{ana}\"")).await, ["staff"]);
    assert_eq!(groups(&format!("members[value eq \"{ana}\"]")).await, ["staff"]);
    assert_eq!(groups(&format!("members eq \"{ana}\"")).await, ["staff"]);
    assert_eq!(groups("members pr").await, ["staff"]);
    assert_eq!(groups(&format!("not (members.value eq \"{ana}\")")).await, ["crew"]);
    assert_eq!(groups("members.value eq \"nobody\"").await, [""; 0]);
}

#[tokio::test]
async fn a_filter_that_cannot_be_understood_is_refused_and_never_finds_nothing() {
    let Fixture { scim, .. } = &company().await;

    for filter in [
        "userName",
        "userName eq",
        "userName is \"x\"",
        "userName eq \"x",
        "userName eq \"x\" and",
        "(userName eq \"x\"",
        "userName eq \"x\")",
        "not userName eq \"x\"",
        "usrName eq \"x\"",
        "name eq \"x\"",
        "emails[type eq \"work\"",
        "emails[nonsense eq \"work\"]",
        "active gt true",
        "active eq \"maybe\"",
        "meta.created gt \"yesterday\"",
        "password eq \"x\"",
        "userName eq \"\u{0}\" and",
    ] {
        let answer = scim.query("/Users", &[("filter", filter)]).await;
        let detail = answer.error(400, "invalidFilter");
        assert!(!detail.is_empty(), "{filter}");
    }
    let deep = format!("{}userName pr{}", "(".repeat(5000), ")".repeat(5000));
    let many = format!("userName eq \"x\"{}", " or userName eq \"x\"".repeat(350));
    for filter in [deep, many] {
        scim.query("/Users", &[("filter", &filter)]).await.error(400, "invalidFilter");
    }
}

/// The law of the gateway: a filter that the directory decides finds what it would find if it were decided here.
#[tokio::test]
async fn the_directory_and_the_gateway_decide_alike() {
    let Fixture { scim, directory, .. } = &company().await;
    for name in ["bea", "cyd"] {
        let mut body = user(name);
        body["title"] = " Chief  of  staff".into();
        body["name"]["middleName"] = "ñandú".into();
        scim.post("/Users", body).await.expect(201);
    }
    let all = scim.get("/Users").await.expect(200);
    let resources: Vec<Resource> = all["Resources"].as_array().unwrap().iter().map(resource).collect();

    let department = format!("{ENTERPRISE}:department");
    let paths = [
        "userName",
        "externalId",
        "title",
        "displayName",
        "name.middleName",
        "userType",
        "name.familyName",
        "name.formatted",
        "emails.value",
        "emails.type",
        "emails.primary",
        "phoneNumbers.value",
        "phoneNumbers.type",
        "addresses.locality",
        "active",
        "id",
        "meta.created",
        "meta.version",
        &department,
    ];
    let literals = [
        "\"ana@example.com\"",
        "\"E\"",
        "\"chief of staff\"",
        "\" chief  of staff \"",
        "\"work\"",
        "\"\"",
        "\"ñ\"",
        "\"+1 555 01\"",
        "true",
        "null",
        "\"2026-01-01T00:00:00Z\"",
    ];
    let mut tried = 0;
    let held = |path: &&str| *path != "name.formatted" || directory.vendor().has_formatted_name();
    for (turn, path) in paths.into_iter().filter(held).enumerate() {
        let comparisons = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
            .iter()
            .flat_map(|op| literals.map(|literal| format!("{path} {op} {literal}")))
            .chain([format!("{path} pr")]);
        // A third of them, and another third for the next path: over all the paths each pair of operator and literal comes up.
        for (n, comparison) in comparisons.enumerate().skip(turn % 3).step_by(3) {
            let filter = match n % 4 {
                0 => comparison,
                1 => format!("not ({comparison})"),
                2 => format!("{comparison} and active eq true"),
                _ => format!("title eq \"engineer\" or {comparison}"),
            };
            tried += usize::from(agrees(scim, &filter, &all, &resources).await);
        }
    }
    assert!(tried > 400, "only {tried} filters are valid");
}

fn resource(body: &Value) -> Resource {
    let mut resource = Resource::new();
    *resource.map_mut() = body.as_object().unwrap().clone();
    resource
}

/// Whether the filter is one; if so, the list holds exactly the resources that satisfy it.
async fn agrees(scim: &Client, filter: &str, all: &Value, resources: &[Resource]) -> bool {
    let registry = SchemaRegistry::builtin();
    let mut dialect = Dialect::default();
    let bound =
        Filter::parse(filter, &Budgets::default(), &mut dialect).and_then(|parsed| parsed.bind(&registry.user, &mut dialect));
    let answer = scim.query("/Users", &[("filter", filter)]).await;
    let Ok(bound) = bound else {
        answer.error(400, "invalidFilter");
        return false;
    };
    let names = each(all, "userName").into_iter().zip(resources);
    let expected: Vec<String> = names.filter(|(_, resource)| bound.matches(resource)).map(|(name, _)| name).collect();
    let found = answer.expect(200);
    assert_eq!(sorted(each(&found, "userName")), sorted(expected), "{filter}");
    true
}
