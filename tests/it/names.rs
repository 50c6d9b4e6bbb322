//! Names that mean something to a DN, to an LDAP filter, to a SCIM filter or to a URL: they are text, nothing more.

use serde_json::{Value, json};

use crate::support::{Client, Directory, Entry, Fixture, USER, Vendor, each, group, id};

const NAMES: [&str; 27] = [
    "Ruiz, Ana",
    "a+uid=b",
    "\"quoted\" 'name'",
    "back\\slash\\",
    "\\2c \\2C,",
    "*",
    "a*b",
    "(uid=*)",
    ")(|(uid=*",
    "#hash",
    "=equals=",
    "semi;colon",
    "<angle>",
    "a/b?c&d%20e",
    "uid=x,ou=people,dc=example,dc=com",
    "José Ñandú",
    "Ångström ẞ",
    "李小龍",
    "👩‍🔬",
    "u\u{308}ber",
    "nul\0 \0",
    "tab\there",
    "line\nbreak",
    "\u{7f}",
    "' or 1=1 --",
    "${jndi:ldap://x}",
    "{userName}",
];

/// Names as the client sees them differ from what is compared: space around them, and runs of it, do not count.
const SPACED: [&str; 4] = [" leading", "trailing ", "  two  spaces  ", " # "];

async fn any_name() -> Fixture {
    Fixture::set(&[("provisioning.user_name", "any")]).await
}

fn named(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "displayName": name, "name": { "familyName": name } })
}

/// A SCIM filter for a value of any content.
fn equals(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", Value::from(value))
}

/// All names that the directory takes.
fn names(directory: &Directory) -> impl Iterator<Item = &'static str> {
    let vendor = directory.vendor();
    NAMES.into_iter().filter(move |name| vendor.takes_name(name))
}

/// The same, and those with space that does not count.
fn all_names(directory: &Directory) -> impl Iterator<Item = &'static str> {
    let vendor = directory.vendor();
    names(directory).chain(SPACED.into_iter().filter(move |name| vendor.takes_name(name)))
}

/// The only one of the entries.
fn only(mut found: Vec<Entry>) -> Entry {
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Whether the user is found by each of its names, and nobody by another.
async fn is_found(scim: &Client, name: &str, user: &str) {
    for attribute in ["userName", "displayName", "name.familyName"] {
        let found = scim.find("/Users", &equals(attribute, name)).await;
        assert_eq!(each(&found, "id"), [user], "{attribute} {name:?}");
    }
}

#[tokio::test]
async fn a_user_of_any_name_is_created_found_and_deleted() {
    let Fixture { scim, directory, .. } = &any_name().await;

    for name in all_names(directory) {
        let made = scim.post("/Users", named(name)).await.expect(201);
        assert_eq!((made["userName"].as_str(), made["displayName"].as_str()), (Some(name), Some(name)));
        let entry = only(directory.users().await);
        assert_eq!((entry.one("uid"), entry.one("displayName"), entry.one("sn")), (name, name, name));
        is_found(scim, name, &id(&made)).await;
        scim.post("/Users", named(name)).await.error(409, "uniqueness");
        scim.delete(&format!("/Users/{}", id(&made))).await.expect(204);
        assert_eq!(scim.find("/Users", &equals("userName", name)).await["totalResults"], 0, "{name:?}");
        assert!(directory.users().await.is_empty(), "{name:?}");
    }
}

#[tokio::test]
async fn names_of_any_kind_follow_each_other() {
    let Fixture { scim, directory, .. } = &any_name().await;
    let user = id(&scim.post("/Users", named("start")).await.expect(201));
    let path = format!("/Users/{user}");
    let staff = scim.new_group("staff", &[&user]).await;

    // 389 refuses to name an entry anew whose name begins with a space, as one beyond the account's rights.
    let spaced = |name: &&str| directory.vendor() != Vendor::Ds389 || !SPACED.contains(name);
    for name in all_names(directory).filter(spaced) {
        let rename = json!([{ "op": "replace", "path": "userName", "value": name }]);
        let renamed = scim.patch(&path, rename).await.expect(200);
        assert_eq!((renamed["userName"].as_str(), renamed["id"].as_str()), (Some(name), Some(&*user)));
        assert_eq!(only(directory.users().await).one("uid"), name);
        assert_eq!(scim.members(&staff).await, [user.as_str()], "{name:?}");
        assert_eq!(renamed["groups"][0]["value"], staff, "{name:?}");
    }

    let leave = json!([{ "op": "remove", "path": "members", "value": [{ "value": user }] }]);
    scim.patch(&format!("/Groups/{staff}"), leave).await.expect(204);
    assert_eq!(scim.members(&staff).await, [""; 0]);
}

#[tokio::test]
async fn a_group_of_any_name_has_members_of_any_name() {
    let Fixture { scim, directory, .. } = &any_name().await;
    let mut users = Vec::new();
    for name in names(directory) {
        users.push(id(&scim.post("/Users", named(name)).await.expect(201)));
    }
    let users: Vec<&str> = users.iter().map(String::as_str).collect();

    for name in all_names(directory) {
        let made = scim.post("/Groups", group(name, &users)).await.expect(201);
        let path = format!("/Groups/{}", id(&made));
        assert_eq!(made["displayName"], name);
        assert_eq!(made["members"].as_array().unwrap().len(), users.len(), "{name:?}");
        assert_eq!(only(directory.groups().await).one("cn"), name);
        assert_eq!(each(&scim.find("/Groups", &equals("displayName", name)).await, "id"), [id(&made)]);
        scim.patch(&path, json!([{ "op": "replace", "path": "displayName", "value": format!("{name}!") }])).await.expect(204);
        scim.patch(&path, json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", users[0]) }])).await.expect(204);
        let read = scim.get(&path).await.expect(200);
        assert_eq!(read["displayName"], format!("{name}!"));
        assert_eq!(read["members"].as_array().unwrap().len(), users.len() - 1, "{name:?}");
        scim.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn parts_of_names_are_searched_for_as_text() {
    let Fixture { scim, directory, .. } = &any_name().await;
    for name in names(directory) {
        scim.post("/Users", named(name)).await.expect(201);
    }

    for name in names(directory) {
        let characters: Vec<char> = name.chars().collect();
        let first: String = characters.iter().take(2).collect();
        let last: String = characters.iter().rev().take(2).rev().collect();
        for (op, part) in [("sw", &*first), ("ew", &*last), ("co", name)] {
            let filter = format!("displayName {op} {}", Value::from(part));
            let found = each(&scim.find("/Users", &filter).await, "displayName");
            assert!(found.contains(&name.to_owned()), "{filter} found {found:?}");
            let part = part.to_lowercase();
            let satisfies = |found: &String| {
                let found = found.to_lowercase();
                match op {
                    "sw" => found.starts_with(&part),
                    "ew" => found.ends_with(&part),
                    _ => found.contains(&part),
                }
            };
            assert!(found.iter().all(satisfies), "{filter} found {found:?}");
        }
    }
}

#[tokio::test]
async fn names_that_no_entry_can_have_are_refused() {
    let Fixture { scim, directory, .. } = &any_name().await;
    // Not ana: in a domain that tests share, a name without one collides with the sAMAccountName of every ana@….
    let user = id(&scim.post("/Users", named("ana alone")).await.expect(201));
    let staff = scim.new_group("staff", &[&user]).await;

    let long = "x".repeat(100_000);
    for name in ["", " ", "   ", &long] {
        let answer = scim.post("/Users", named(name)).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.body);
        for (path, attribute) in [(format!("/Users/{user}"), "userName"), (format!("/Groups/{staff}"), "displayName")] {
            let answer = scim.patch(&path, json!([{ "op": "replace", "path": attribute, "value": name }])).await;
            assert_eq!(answer.status, 400, "{name:?}: {}", answer.body);
        }
        scim.post("/Groups", group(name, &[])).await.error(400, "invalidValue");
    }

    assert_eq!(directory.users().await.len(), 1);
    assert_eq!(directory.members("staff").await, ["ana alone"]);
}

#[tokio::test]
async fn names_that_differ_only_in_what_does_not_count_are_the_same() {
    let Fixture { scim, .. } = &any_name().await;
    scim.post("/Users", named("Ana  Ruiz")).await.expect(201);

    for same in ["ana ruiz", " Ana Ruiz ", "ANA   RUIZ"] {
        scim.post("/Users", named(same)).await.error(409, "uniqueness");
        assert_eq!(scim.find("/Users", &equals("userName", same)).await["totalResults"], 1, "{same:?}");
    }
    scim.post("/Users", named("AnaRuiz")).await.expect(201);
}
