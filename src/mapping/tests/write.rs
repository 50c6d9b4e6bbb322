//! Resources as new entries.

use serde_json::json;

use super::*;

fn entry_of(body: Value) -> Entry {
    MAPPING.users.new_entry(&user(body), &TARGETS).unwrap()
}

fn texts<'a>(entry: &'a Entry, attribute: &str) -> Vec<&'a str> {
    entry.texts(attribute).collect()
}

#[test]
fn a_user_as_ping_sends_it() {
    let entry = entry_of(json!({
        "userName": "ana.ruiz@corp.example", "externalId": "p-1", "active": true, "displayName": "Ana Ruiz",
        "name": { "givenName": "Ana", "familyName": "Ruiz" },
        "emails": [{ "value": "ana.ruiz@corp.example", "type": "work", "primary": true }],
    }));
    assert_eq!(entry.dn.to_string(), "uid=ana.ruiz@corp.example,ou=people,dc=example,dc=com");
    let expected: &[(&str, &[&str])] = &[
        ("objectClass", &["inetOrgPerson", "scimgateResource"]),
        ("cn", &["Ana Ruiz"]),
        ("displayName", &["Ana Ruiz"]),
        ("givenName", &["Ana"]),
        ("mail", &["ana.ruiz@corp.example"]),
        ("scimgateExternalId", &["p-1"]),
        ("sn", &["Ruiz"]),
        ("uid", &["ana.ruiz@corp.example"]),
    ];
    let found: Vec<(&str, Vec<&str>)> = entry.attributes().map(|(name, _)| (name, texts(&entry, name))).collect();
    assert_eq!(found, expected.iter().map(|(name, values)| (*name, values.to_vec())).collect::<Vec<_>>());
}

#[test]
fn what_the_class_demands_is_filled_in() {
    for (body, cn, sn) in [
        (json!({ "userName": "ana" }), "ana", "ana"),
        (json!({ "userName": "ana", "displayName": "Ana R" }), "Ana R", "Ana R"),
        (json!({ "userName": "ana", "displayName": "  " }), "ana", "ana"),
        (json!({ "userName": "ana", "name": { "familyName": "Ruiz" } }), "Ruiz", "Ruiz"),
        (
            json!({ "userName": "ana", "name": { "familyName": "Ruiz", "givenName": "Ana" }, "displayName": "A" }),
            "Ana Ruiz",
            "Ruiz",
        ),
        (
            json!({ "userName": "ana", "name": { "formatted": "Dr. Ana", "familyName": "Ruiz", "givenName": "Ana" } }),
            "Dr. Ana",
            "Ruiz",
        ),
    ] {
        let entry = entry_of(body.clone());
        assert_eq!((entry.text("cn"), entry.text("sn")), (Some(cn), Some(sn)), "{body}");
    }
}

#[test]
fn a_name_cannot_leave_its_place() {
    for (name, dn) in [
        ("a,ou=admins", "uid=a\\,ou\\=admins,ou=people,dc=example,dc=com"),
        ("a+cn=b", "uid=a\\+cn\\=b,ou=people,dc=example,dc=com"),
        (" #\"\\<>; ", "uid=\\ #\\\"\\\\\\<\\>\\;\\ ,ou=people,dc=example,dc=com"),
        ("a\0", "uid=a\\00,ou=people,dc=example,dc=com"),
    ] {
        let entry = entry_of(json!({ "userName": name }));
        assert_eq!(entry.dn.to_string(), dn);
        assert_eq!(entry.dn.rdn().unwrap().value("uid"), Some(name));
        assert_eq!(entry.dn.parent(), Some(MAPPING.users.base.clone()));
    }
}

#[test]
fn a_blank_name_is_refused() {
    for (side, body) in [(&MAPPING.users, json!({ "userName": " \t " })), (&MAPPING.groups, json!({ "displayName": "   " }))] {
        let refused = side.new_entry(&resource(side, body), &TARGETS).unwrap_err();
        assert!(refused.detail.ends_with("must not be blank: it names the entry in the directory"), "{}", refused.detail);
    }
}

#[test]
fn a_name_that_the_directory_cannot_keep_is_refused() {
    // As measured on slapd 2.5 with back-mdb.
    let longest = [("a", 241), ("é", 120), (",", 80)];
    for (letter, times) in longest {
        let body = |times: usize| user(json!({ "userName": letter.repeat(times) }));
        let entry = MAPPING.users.new_entry(&body(times), &TARGETS).unwrap();
        let refused = MAPPING.users.new_entry(&body(times + 1), &TARGETS).unwrap_err();
        assert!(refused.detail.starts_with("userName is too long"), "{}", refused.detail);
        let old = read(&MAPPING.users, &entry);
        assert!(MAPPING.users.change(&entry, &old, &body(times + 1), &TARGETS).is_err());
    }
}

#[test]
fn a_user_name_may_have_to_be_an_email_address() {
    let mut config = config();
    config.user_name = UserNameRule::Email;
    let users = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    assert!(users.check_user_name(&user(json!({ "userName": "a@b" }))).is_ok());
    let refused = users.check_user_name(&user(json!({ "userName": "aruiz" }))).unwrap_err();
    assert!(refused.detail.contains("map Email Address to userName"), "{}", refused.detail);
    // Of a user that was there before, nothing is asked as long as its name stays.
    let entry = created(&users, &user(json!({ "userName": "aruiz" })));
    let old = read(&users, &entry);
    let titled = user(json!({ "userName": "aruiz", "title": "CTO" }));
    assert_eq!(users.change(&entry, &old, &titled, &TARGETS).unwrap().modifications.len(), 1);
    assert!(users.change(&entry, &old, &user(json!({ "userName": "ruiz" })), &TARGETS).is_err());
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_its_path() {
    let refused = |body: Value| MAPPING.users.new_entry(&user(body), &TARGETS).unwrap_err().detail;
    let nul = json!({ "userName": "ana", "emails": [{ "value": "a\0@x", "type": "work" }] });
    assert_eq!(refused(nul), "emails.value: the value does not fit this attribute");
}

#[test]
fn items_go_by_their_type() {
    let entry = entry_of(json!({ "userName": "ana",
        "emails": [{ "value": "home@x", "type": "home" }, { "value": "none@x" }, { "value": "WORK@x", "type": "Work" }, { "value": "work@X" }],
        "phoneNumbers": [{ "value": "1", "type": "mobile" }, { "value": "2", "type": "MOBILE" }, { "value": "3" }, { "value": "4", "type": "car" },
            { "value": " 1-", "type": "mobile" }],
        "addresses": [{ "type": "home", "locality": "Lima" }, { "type": "work", "locality": "Cusco", "country": "PE" }],
    }));
    assert_eq!(texts(&entry, "mail"), ["none@x", "WORK@x"]);
    assert_eq!(texts(&entry, "mobile"), ["1", "2"]);
    assert_eq!(texts(&entry, "telephoneNumber"), ["3"]);
    assert_eq!((entry.text("l"), entry.text("scimgateCountry")), (Some("Cusco"), Some("PE")));
}

#[test]
fn a_single_value_keeps_the_primary_item() {
    let mut config = config();
    config.users.attributes = lines(&[("emails[type eq \"work\"].value", "scimgateNickName"), ("nickName", "")]);
    let users = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    let body = json!({ "userName": "ana", "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x", "type": "work", "primary": true }] });
    let entry = users.new_entry(&resource(&users, body), &TARGETS).unwrap();
    assert_eq!(texts(&entry, "scimgateNickName"), ["b@x"]);
}

#[test]
fn references_become_names_and_unknown_ones_are_left_out() {
    let body = json!({ "displayName": "g", "members": [{ "value": PEOPLE[0].1 }, { "value": "nobody" }, { "value": PEOPLE[3].1, "type": "Group" }] });
    let group = resource(&MAPPING.groups, body);
    assert_eq!(MAPPING.groups.referenced_ids(&group), [PEOPLE[0].1, "nobody", PEOPLE[3].1]);
    let entry = MAPPING.groups.new_entry(&group, &TARGETS).unwrap();
    assert_eq!(texts(&entry, "member"), [PEOPLE[0].2, PEOPLE[3].2]);

    let manager = user(json!({ "userName": "ana", values::ENTERPRISE: { "manager": { "value": PEOPLE[1].1 } } }));
    assert_eq!(MAPPING.users.referenced_ids(&manager), [PEOPLE[1].1]);
    let entry = MAPPING.users.new_entry(&manager, &TARGETS).unwrap();
    assert_eq!(texts(&entry, "manager"), ["uid=b\\,c \\+\\\"d\\\",ou=people,dc=example,dc=com"]);
}

#[test]
fn an_empty_group_has_the_member_its_class_demands() {
    let entry = MAPPING.groups.new_entry(&resource(&MAPPING.groups, json!({ "displayName": "g" })), &TARGETS).unwrap();
    assert_eq!(texts(&entry, "member"), [""]);
    assert!(MAPPING.groups.has_placeholder(&entry, "member") && MAPPING.groups.references(&entry).is_empty());
}
