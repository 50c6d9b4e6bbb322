//! Entries as resources.

use serde_json::json;

use super::*;
use crate::scim::Projection;

fn person(values: &[(&str, &str)]) -> Entry {
    let mut entry = Entry::new(dn("uid=ana,ou=people,dc=example,dc=com"));
    for (attribute, value) in [("objectClass", "inetOrgPerson"), ("uid", "ana")].iter().chain(values) {
        entry.push_text(attribute, value);
    }
    stamped(entry, ID)
}

#[test]
fn a_user_as_a_client_sees_it() {
    let entry = person(&[("cn", "Ana Ruiz"), ("sn", "Ruiz"), ("mail", "ana@x"), ("manager", PEOPLE[1].2), ("mail", "r@x")]);
    let group = |id: &str, name: &str| vec![Name { kind: Kind::Group, id: id.into(), display: Some(name.into()) }];
    let groups = Groups { direct: group("g1", "Staff"), indirect: group("g2", "Everybody") };
    let context = ReadContext { base_url: BASE_URL, linked: Linked::Names(&NAMES), groups: Some(&groups) };
    let enterprise = values::ENTERPRISE;
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
        "id": ID,
        "meta": {
            "resourceType": "User", "location": format!("{BASE_URL}/Users/{ID}"),
            "created": "2026-11-25T12:00:00Z", "lastModified": "2026-11-25T13:00:00Z",
            "version": "W/\"20261125120000.000000Z#000000#000#000000\"",
        },
        "userName": "ana", "active": true, "name": { "formatted": "Ana Ruiz", "familyName": "Ruiz" },
        "emails": [{ "type": "work", "value": "ana@x", "primary": true }, { "type": "work", "value": "r@x" }],
        "groups": [
            { "value": "g1", "$ref": format!("{BASE_URL}/Groups/g1"), "type": "direct", "display": "Staff" },
            { "value": "g2", "$ref": format!("{BASE_URL}/Groups/g2"), "type": "indirect", "display": "Everybody" },
        ],
        enterprise: { "manager":
            { "value": PEOPLE[1].1, "$ref": format!("{BASE_URL}/Users/{}", PEOPLE[1].1), "displayName": "b,c +\"d\"" } },
    });
    assert_eq!(Value::Object(MAPPING.users.read(&entry, context).into_map()), expected);
}

#[test]
fn a_group_as_a_client_sees_it() {
    let mut entry = Entry::new(dn("cn=g,ou=groups,dc=example,dc=com"));
    entry.push_text("cn", "other");
    entry.push_text("cn", "G");
    for member in ["", STRANGERS[0], "UID=Ana, ou=people,dc=example,dc=com", PEOPLE[3].2, PEOPLE[0].2, "no name"] {
        entry.push_text("member", member);
    }
    let group = read(&MAPPING.groups, &stamped(entry, ID));
    // The value in the entry's own name, whatever its case.
    assert_eq!(group.text("displayName"), Some("G"));
    let members = json!([
        { "value": PEOPLE[0].1, "$ref": format!("{BASE_URL}/Users/{}", PEOPLE[0].1), "type": "User", "display": "ana" },
        { "value": PEOPLE[3].1, "$ref": format!("{BASE_URL}/Groups/{}", PEOPLE[3].1), "type": "Group", "display": "Sub group" },
    ]);
    assert_eq!(group.map().get("members"), Some(&members));
    let empty = stamped(Entry::new(dn("cn=g,dc=x")), ID);
    assert_eq!(read(&MAPPING.groups, &empty).map().get("members"), Some(&json!([])));
}

#[test]
fn the_primary_item_is_the_one_of_type_work_and_rather_the_user_name() {
    let entry = person(&[("mail", "first@x"), ("mail", " ANA"), ("homePhone", "1"), ("mobile", "2")]);
    let user = read(&MAPPING.users, &entry);
    let emails = json!([{ "type": "work", "value": " ANA", "primary": true }, { "type": "work", "value": "first@x" }]);
    assert_eq!(user.map()["emails"], emails);
    let phones = json!([{ "type": "home", "value": "1", "primary": true }, { "type": "mobile", "value": "2" }]);
    assert_eq!(user.map()["phoneNumbers"], phones);
}

#[test]
fn what_meets_in_one_item_is_one_item() {
    let entry = person(&[("street", "1 Road"), ("street", "2 Road"), ("l", "Lima"), ("scimgateCountry", "PE")]);
    let address = json!([{ "type": "work", "streetAddress": "1 Road", "locality": "Lima", "country": "PE", "primary": true }]);
    assert_eq!(read(&MAPPING.users, &entry).map()["addresses"], address);
}

#[test]
fn a_lock_that_ends_by_itself_disables_nobody() {
    let users = compiled(&config(), Loaded { ours: false, ppolicy: true }).users;
    for (value, active) in [("000001010000Z", false), ("20261125120000Z", true)] {
        let entry = person(&[("pwdAccountLockedTime", value)]);
        assert_eq!(read(&users, &entry).map()["active"], json!(active));
    }
    for (value, active) in [("FALSE", false), ("TRUE", true)] {
        assert_eq!(read(&MAPPING.users, &person(&[("scimgateActive", value)])).map()["active"], json!(active));
    }
}

#[test]
fn empty_and_unreadable_values_are_no_values() {
    let mut entry = person(&[("mail", ""), ("mail", "a@x")]);
    entry.push("title", [vec![0xff, 0xfe]]);
    let user = read(&MAPPING.users, &entry);
    assert_eq!(user.map()["emails"], json!([{ "type": "work", "value": "a@x", "primary": true }]));
    assert!(!user.map().contains_key("title"));
}

#[test]
fn no_more_is_asked_of_the_directory_than_is_shown() {
    let users = &MAPPING.users;
    let own = ["entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp", "objectClass", "scimgateActive"];
    assert_eq!(*users.attributes(&Projection::Only(Vec::new())), own);
    let only = |paths: &[&str]| Projection::Only(paths.iter().filter_map(|path| users.ty.resolve_str(path)).collect());
    let wanted = users.attributes(&only(&["userName", "emails.value"]));
    assert_eq!(wanted.iter().filter(|name| !own.contains(&name.as_str())).collect::<Vec<_>>(), ["mail", "uid"]);
    let all = users.all_attributes();
    assert!(users.rules.iter().all(|rule| all.contains(&rule.attribute)));
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), all.len());
}

#[test]
fn others_call_it_by_its_most_telling_name() {
    assert_eq!(MAPPING.users.naming_attributes(), ["entryUUID", "entryCSN", "displayName", "cn", "uid", "objectClass"]);
    let display = |values: &[(&str, &str)]| MAPPING.users.name(&person(values)).unwrap().display.unwrap().to_string();
    assert_eq!(display(&[]), "ana");
    assert_eq!(display(&[("cn", "Ana Ruiz")]), "Ana Ruiz");
    assert_eq!(display(&[("cn", "Ana Ruiz"), ("displayName", "Ana")]), "Ana");
    assert_eq!(MAPPING.users.name(&Entry::new(dn("uid=a,dc=x"))), None);
}
