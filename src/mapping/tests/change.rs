//! Entries that become another resource.

use serde_json::json;

use super::*;
use crate::directory::{Modification, ModifyOp};

fn changed(side: &ResourceMapping, entry: &Entry, new: Value) -> Change {
    side.change(entry, &read(side, entry), &resource(side, new), &TARGETS).unwrap()
}

fn modification(op: ModifyOp, attribute: &str, values: &[&str]) -> Modification {
    Modification::new(op, attribute, values.iter().map(|value| value.as_bytes().to_vec()).collect())
}

fn ana(body: Value, extras: &[(&str, &str)]) -> Entry {
    let mut entry = created(&MAPPING.users, &user(body));
    for (attribute, value) in extras {
        entry.push_text(attribute, value);
    }
    entry
}

#[test]
fn only_what_differs_is_touched() {
    let mails = |list: &[&str]| list.iter().map(|value| json!({ "value": value, "type": "work" })).collect::<Vec<_>>();
    let entry = ana(json!({ "userName": "ana", "title": "CTO", "emails": mails(&["a@x", "b@x"]) }), &[]);
    let same = json!({ "userName": "ana", "name": { "formatted": "ana", "familyName": "ana" }, "title": "CTO", "emails": mails(&["b@x", "a@x"]) });
    assert!(changed(&MAPPING.users, &entry, same.clone()).is_empty());
    for (pointer, value, expected) in [
        ("/title", json!("CEO"), vec![modification(ModifyOp::Replace, "title", &["CEO"])]),
        ("/title", json!(null), vec![modification(ModifyOp::Replace, "title", &[])]),
        ("/active", json!(false), vec![modification(ModifyOp::Replace, "scimgateActive", &["FALSE"])]),
        (
            "/emails",
            json!(mails(&["B@x", "c@x", "a@x"])),
            vec![modification(ModifyOp::Delete, "mail", &["b@x"]), modification(ModifyOp::Add, "mail", &["B@x", "c@x"])],
        ),
        ("/emails", json!(null), vec![modification(ModifyOp::Delete, "mail", &["a@x", "b@x"])]),
    ] {
        let mut new = same.clone();
        let name = pointer.trim_start_matches('/').to_owned();
        new.as_object_mut().unwrap().insert(name, value);
        assert_eq!(changed(&MAPPING.users, &entry, new.clone()), Change { rename: None, modifications: expected }, "{new}");
    }
}

#[test]
fn a_value_the_client_cannot_see_stays_behind_the_one_it_can() {
    let entry = ana(json!({ "userName": "ana", "title": "CTO" }), &[("title", "Founder")]);
    let change = changed(&MAPPING.users, &entry, json!({ "userName": "ana", "title": "CEO" }));
    assert_eq!(change.modifications, [modification(ModifyOp::Replace, "title", &["CEO", "Founder"])]);
    let change = changed(&MAPPING.users, &entry, json!({ "userName": "ana", "title": "FOUNDER" }));
    assert_eq!(change.modifications, [modification(ModifyOp::Replace, "title", &["FOUNDER"])]);
    let change = changed(&MAPPING.users, &entry, json!({ "userName": "ana" }));
    assert_eq!(change.modifications, [modification(ModifyOp::Replace, "title", &["Founder"])]);
}

#[test]
fn values_that_cannot_be_compared_are_replaced_whole() {
    let fax = |value: &str| json!({ "userName": "ana", "phoneNumbers": [{ "value": value, "type": "fax" }] });
    let change = changed(&MAPPING.users, &ana(fax("1"), &[]), fax("2"));
    assert_eq!(change.modifications, [modification(ModifyOp::Replace, "facsimileTelephoneNumber", &["2"])]);
}

#[test]
fn a_rename_follows_the_name() {
    let entry = ana(json!({ "userName": "ana" }), &[("uid", "other")]);
    let change =
        changed(&MAPPING.users, &entry, json!({ "userName": "Ana,x", "name": { "formatted": "ana", "familyName": "ana" } }));
    assert_eq!(change.rename.as_ref().map(ToString::to_string).as_deref(), Some("uid=Ana\\,x"));
    assert_eq!(change.modifications, []);
    let after = model::apply(&entry, &change).unwrap();
    assert_eq!((read(&MAPPING.users, &after).text("userName"), after.values("uid").len()), (Some("Ana,x"), 2));
    let blank = user(json!({ "userName": "  " }));
    assert!(MAPPING.users.change(&entry, &read(&MAPPING.users, &entry), &blank, &TARGETS).is_err());
}

#[test]
fn an_address_that_names_the_entry_may_be_a_user_name_too() {
    let mut config = config();
    config.users.rdn = Some("rfc822Mailbox".to_owned());
    config.users.attributes = lines(&[("userName", "mail")]);
    let users = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    let body = |name: &str, mails: &[&str]| {
        let mails: Vec<Value> = mails.iter().map(|value| json!({ "value": value, "type": "work" })).collect();
        json!({ "userName": name, "name": { "formatted": "A", "familyName": "A" }, "emails": mails })
    };
    let entry = created(&users, &resource(&users, body("a@x", &["a@x", "b@x"])));
    assert_eq!(entry.dn.to_string(), "mail=a@x,ou=people,dc=example,dc=com");
    for (name, mails, values) in [
        ("c@x", vec!["c@x", "b@x"], vec!["b@x", "c@x"]),
        ("b@x", vec!["a@x", "b@x"], vec!["a@x", "b@x"]),
        ("a@x", vec!["a@x"], vec!["a@x"]),
        ("c@x", vec!["a@x"], vec!["a@x", "c@x"]),
    ] {
        let change = changed(&users, &entry, body(name, &mails));
        let after = model::apply(&entry, &change).unwrap_or_else(|code| panic!("{name}: {change:?}: {code}"));
        let mut found: Vec<&str> = after.texts("mail").collect();
        found.sort_unstable();
        assert_eq!((read(&users, &after).text("userName"), found), (Some(name), values), "{change:?}");
    }

    // Where nothing but the list is kept there, the name stays as long as it is in the list.
    config.users.attributes = Vec::new();
    let users = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    let entry = created(&users, &resource(&users, body("a", &["a@x", "b@x"])));
    assert_eq!(changed(&users, &entry, body("a", &["c@x", "a@x"])).rename, None);
    let change = changed(&users, &entry, body("a", &["c@x", "b@x"]));
    assert_eq!(change.rename.as_ref().map(ToString::to_string).as_deref(), Some("mail=c@x"));
    let after = model::apply(&entry, &change).unwrap();
    assert_eq!(after.texts("mail").collect::<Vec<_>>(), ["b@x", "c@x"]);
}

#[test]
fn members_keep_their_spelling() {
    let side = &MAPPING.groups;
    // As the directory spells the name of an entry with a comma in it.
    let mut entry = Entry::new(dn("cn=g,ou=groups,dc=example,dc=com"));
    for (attribute, value) in [
        ("objectClass", "groupOfNames"),
        ("objectClass", "scimgateResource"),
        ("cn", "g"),
        ("member", PEOPLE[1].2),
        ("member", STRANGERS[0]),
    ] {
        entry.push_text(attribute, value);
    }
    let members =
        |ids: &[&str]| json!({ "displayName": "g", "members": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() });
    let change = changed(side, &entry, members(&[PEOPLE[1].1, PEOPLE[0].1]));
    assert_eq!(change.modifications, [modification(ModifyOp::Add, "member", &[PEOPLE[0].2])]);
    let change = changed(side, &entry, members(&[]));
    assert_eq!(change.modifications, [modification(ModifyOp::Delete, "member", &[PEOPLE[1].2])]);
}

#[test]
fn the_last_member_makes_room_for_nobody() {
    let side = &MAPPING.groups;
    let entry = created(side, &resource(side, json!({ "displayName": "g", "members": [{ "value": PEOPLE[0].1 }] })));
    let change = changed(side, &entry, json!({ "displayName": "g" }));
    assert_eq!(
        change.modifications,
        [modification(ModifyOp::Add, "member", &[""]), modification(ModifyOp::Delete, "member", &[PEOPLE[0].2])]
    );
    let empty = model::apply(&entry, &change).unwrap();
    assert!(side.has_placeholder(&empty, "member"));
    assert!(changed(side, &empty, json!({ "displayName": "g" })).is_empty());
    let renamed = changed(side, &empty, json!({ "displayName": "h" }));
    assert_eq!(renamed.modifications, []);
}

#[test]
fn an_entry_becomes_ours_with_the_first_change() {
    let mut entry = Entry::new(dn("uid=ana,ou=people,dc=example,dc=com"));
    for (attribute, value) in [("objectClass", "inetOrgPerson"), ("uid", "ana"), ("cn", "Ana"), ("sn", "Ana")] {
        entry.push_text(attribute, value);
    }
    let same = json!({ "userName": "ana", "name": { "formatted": "Ana", "familyName": "Ana" } });
    assert!(changed(&MAPPING.users, &entry, same.clone()).is_empty());
    let mut new = same;
    new.as_object_mut().unwrap().insert("nickName".to_owned(), json!("A"));
    let change = changed(&MAPPING.users, &entry, new);
    assert_eq!(
        change.modifications,
        [
            modification(ModifyOp::Replace, "scimgateNickName", &["A"]),
            modification(ModifyOp::Add, "objectClass", &["scimgateResource"])
        ]
    );
    assert!(model::apply(&entry, &change).is_ok());
    assert_eq!(MAPPING.users.adoption_of(false).collect::<Vec<_>>(), MAPPING.users.adoption(&entry));
    assert_eq!(MAPPING.users.adoption_of(true).count(), 0);
}

#[test]
fn a_directory_without_a_place_for_it_disables_nobody() {
    let users = compiled(&config(), Loaded { ours: false, ppolicy: false }).users;
    let entry = created(&users, &resource(&users, json!({ "userName": "ana" })));
    let off = resource(&users, json!({ "userName": "ana", "active": false }));
    let refused = users.change(&entry, &read(&users, &entry), &off, &TARGETS).unwrap_err();
    assert!(refused.detail.starts_with("active: this directory has no place"));
}

#[test]
fn a_change_holds_for_the_entry_that_was_read() {
    let entry = ana(json!({ "userName": "ana" }), &[]);
    assert_eq!(MAPPING.users.unchanged(&entry).to_string(), "(entryCSN=20261125120000.000000Z\\23000000\\23000\\23000000)");
    assert_eq!(MAPPING.users.unchanged(&Entry::new(entry.dn)).to_string(), "(objectClass=*)");
}

#[test]
fn a_name_of_two_parts_follows_both() {
    let mut entry = created(&MAPPING.users, &user(json!({ "userName": "ana", "name": { "formatted": "Ana, R" } })));
    entry.dn = dn("cn=Ana\\2C R+UID=ana,ou=people,dc=example,dc=com");
    let change =
        changed(&MAPPING.users, &entry, json!({ "userName": "bea", "name": { "formatted": "Bea+R", "familyName": "ana" } }));
    assert_eq!(change.rename.as_ref().map(ToString::to_string).as_deref(), Some("cn=Bea\\+R+UID=bea"));
    let after = read(&MAPPING.users, &model::apply(&entry, &change).unwrap());
    assert_eq!((after.text("userName"), after.text("name.formatted")), (Some("bea"), Some("Bea+R")));
}

#[test]
fn what_is_filled_in_for_the_class_alone_follows_its_source() {
    let mut config = config();
    config.users.attributes = lines(&[("name.formatted", "")]);
    let users = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    let entry = created(&users, &resource(&users, json!({ "userName": "ana", "displayName": "Ana" })));
    let new = json!({ "userName": "ana", "displayName": "Bea", "name": { "familyName": "Ana" } });
    let after = model::apply(&entry, &changed(&users, &entry, new.clone())).unwrap();
    assert_eq!(after.texts("cn").collect::<Vec<_>>(), ["Bea"]);
    // Not where somebody gave it a value of its own.
    let own = model::modify(&entry, &[modification(ModifyOp::Replace, "cn", &["Dr. Ana"])]).unwrap();
    let after = model::apply(&own, &changed(&users, &own, new)).unwrap();
    assert_eq!(after.texts("cn").collect::<Vec<_>>(), ["Dr. Ana"]);
}
