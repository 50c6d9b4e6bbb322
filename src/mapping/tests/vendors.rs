//! The mapping to 389 Directory Server and to Active Directory.

use super::*;
use crate::directory::profile::Profile;
use crate::directory::{Definitions, Modification, ModifyOp, Unstated};

/// As CN=Aggregate of a Samba domain controller has them; the rules are left to the syntaxes.
const AD_TYPES: &[&str] = &[
    "( 2.5.4.0 NAME 'objectClass' SYNTAX '1.3.6.1.4.1.1466.115.121.1.38' NO-USER-MODIFICATION )",
    "( 2.5.4.3 NAME 'cn' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 2.5.4.4 NAME 'sn' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 2.5.4.42 NAME 'givenName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 1.2.840.113556.1.2.13 NAME 'displayName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 0.9.2342.19200300.100.1.3 NAME 'mail' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 2.5.4.12 NAME 'title' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 1.2.840.113556.1.4.8 NAME 'userAccountControl' SYNTAX '1.3.6.1.4.1.1466.115.121.1.27' SINGLE-VALUE )",
    "( 1.2.840.113556.1.4.159 NAME 'accountExpires' SYNTAX '1.2.840.113556.1.4.906' SINGLE-VALUE )",
    "( 1.2.840.113556.1.2.226 NAME 'adminDescription' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 1.2.840.113556.1.2.194 NAME 'adminDisplayName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )",
    "( 0.9.2342.19200300.100.1.10 NAME 'manager' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' SINGLE-VALUE )",
    "( 2.5.4.31 NAME 'member' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' )",
    "( 1.2.840.113556.1.2.102 NAME 'memberOf' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' NO-USER-MODIFICATION )",
    "( 1.2.840.113556.1.4.750 NAME 'groupType' SYNTAX '1.3.6.1.4.1.1466.115.121.1.27' SINGLE-VALUE )",
];

const AD_CLASSES: &[&str] = &[
    "( 2.5.6.0 NAME 'top' ABSTRACT MUST (objectClass ) MAY (memberOf $ displayName $ cn $ adminDisplayName $ adminDescription ) )",
    "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST (cn ) MAY (sn ) )",
    "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY (title $ givenName $ mail $ manager ) )",
    "( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL MAY (userPrincipalName $ userAccountControl $ \
     accountExpires ) )",
    "( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST (groupType ) MAY (member ) )",
    "( 1.2.840.113556.1.5.6 NAME 'securityPrincipal' SUP top AUXILIARY MUST (sAMAccountName ) )",
];

const AD_RULES: &[&str] = &[
    "( 1.2.840.113556.1.5.8 NAME 'group' AUX ( securityPrincipal ) MUST (cn $ sAMAccountName ) )",
    "( 1.2.840.113556.1.5.9 NAME 'user' AUX ( securityPrincipal ) MUST (sAMAccountName $ cn ) )",
];

fn capabilities_of(vendor: Vendor, usn: bool, texts: &Definitions<'_>) -> Capabilities {
    Capabilities {
        vendor,
        product: String::new(),
        usn,
        controls: std::collections::HashSet::new(),
        naming_contexts: Vec::new(),
        schema: Subschema::parse(texts),
    }
}

fn active_directory() -> Capabilities {
    let texts = Definitions {
        attribute_types: AD_TYPES.to_vec(),
        object_classes: AD_CLASSES.to_vec(),
        content_rules: AD_RULES.to_vec(),
        unstated: Unstated::Loosely,
    };
    capabilities_of(Vendor::ActiveDirectory, false, &texts)
}

/// OpenLDAP's definitions will do but for the class of groups, which here need no member.
fn ds389(usn: bool) -> Capabilities {
    let ours = [ours("attributetype "), ours("objectclass ")];
    let lock = "( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 USAGE directoryOperation )";
    let texts = Definitions {
        attribute_types: TYPES.iter().copied().chain([lock]).chain(ours[0].iter().map(String::as_str)).collect(),
        object_classes: CLASSES
            .iter()
            .copied()
            .filter(|class| !class.contains("groupOfNames"))
            .chain(["( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST cn MAY ( member $ description ) )"])
            .chain(ours[1].iter().map(String::as_str))
            .collect(),
        content_rules: Vec::new(),
        unstated: Unstated::BySyntax,
    };
    capabilities_of(Vendor::Ds389, usn, &texts)
}

fn compiled_for(capabilities: &Capabilities) -> Mapping {
    compile_with(&config(), &SchemaRegistry::builtin(), capabilities).unwrap().mapping
}

fn texts<'a>(entry: &'a Entry, attribute: &str) -> Vec<&'a str> {
    entry.texts(attribute).collect()
}

fn ana(side: &ResourceMapping, name: &str, active: bool) -> Resource {
    resource(side, json!({ "userName": name, "externalId": "x7", "name": { "familyName": "Ruiz" }, "active": active }))
}

/// The entry as the domain controller would hold it.
fn held(mut entry: Entry) -> Entry {
    entry.push("objectGUID", [vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]);
    entry.push_text("uSNChanged", "4711");
    entry.push_text("whenCreated", "20261125162820.0Z");
    entry
}

#[test]
fn a_new_user_of_active_directory() {
    let users = &compiled_for(&active_directory()).users;
    let entry = users.new_entry(&ana(users, "ana.ruiz-gonzalez.garcia@corp.example", true), &Targets::new()).unwrap();
    assert_eq!(entry.dn.to_string(), "cn=ana.ruiz-gonzalez.garcia@corp.example,ou=people,dc=example,dc=com");
    for (attribute, expected) in [
        ("objectClass", vec!["user"]),
        ("userPrincipalName", vec!["ana.ruiz-gonzalez.garcia@corp.example"]),
        ("sAMAccountName", vec!["ana.ruiz-gonzalez.ga"]),
        ("sn", vec!["Ruiz"]),
        ("adminDescription", vec!["scimgate"]),
        ("adminDisplayName", vec!["x7"]),
        ("userAccountControl", vec!["512"]),
    ] {
        assert_eq!(texts(&entry, attribute), expected, "{attribute}");
    }
    let rest = users.without_generated(&entry).unwrap();
    assert_eq!((texts(&rest, "sAMAccountName").len(), texts(&rest, "sn")), (0, vec!["Ruiz"]));
    let locked = users.new_entry(&ana(users, "b@c", false), &Targets::new()).unwrap();
    assert_eq!(texts(&locked, "userAccountControl"), ["514"]);
    let long = users.new_entry(&ana(users, &format!("{}@example.com", "é".repeat(60)), true), &Targets::new());
    assert!(
        long.unwrap_err().detail.contains("userName is too long: it names the entry in the directory, which takes 64 characters")
    );
}

#[test]
fn a_user_of_active_directory_as_a_client_sees_it() {
    let users = &compiled_for(&active_directory()).users;
    let mut entry = held(users.new_entry(&ana(users, "ana@x", true), &Targets::new()).unwrap());
    let seen = read(users, &entry);
    assert_eq!(seen.map()["id"], "04030201-0605-0807-090a-0b0c0d0e0f10");
    assert_eq!((seen.map()["meta"]["version"].as_str(), &seen.map()["active"]), (Some("W/\"4711\""), &json!(true)));
    assert_eq!(seen.map()["meta"]["created"], "2026-11-25T16:28:20Z");
    // Other bits do not matter: a password that never expires, a smart card, and 32 bits with a sign.
    for (flags, active) in [("66048", true), ("66050", false), ("-2147483646", false), ("-2147483648", true)] {
        entry = Entry::new(entry.dn);
        entry.push_text("userAccountControl", flags);
        assert_eq!(users.active.read(&entry), active, "{flags}");
    }
}

#[test]
fn a_changed_name_renames_what_was_named_after_it() {
    let users = &compiled_for(&active_directory()).users;
    let entry = held(users.new_entry(&ana(users, "ana@x", true), &Targets::new()).unwrap());
    let (old, new) = (read(users, &entry), ana(users, "anna@x", true));
    let change = users.change(&entry, &old, &new, &Targets::new()).unwrap();
    assert_eq!(change.rename.map(|rdn| rdn.to_string()).as_deref(), Some("cn=anna@x"));
    // The old value is named, for no assertion guards it; the account name stays.
    let swapped = |op, value: &str| Modification::new(op, "userPrincipalName", vec![value.as_bytes().to_vec()]);
    let upn: Vec<_> = change.modifications.iter().filter(|change| change.attribute == "userPrincipalName").collect();
    assert_eq!(upn, [&swapped(ModifyOp::Delete, "ana@x"), &swapped(ModifyOp::Add, "anna@x")]);
    assert!(change.modifications.iter().all(|change| change.attribute != "sAMAccountName" && change.attribute != "cn"));

    // An entry that somebody else named is not renamed.
    let mut other = Entry::new(dn("cn=Ana Ruiz,ou=people,dc=example,dc=com"));
    for (name, values) in entry.attributes() {
        other.push(name, values.to_vec());
    }
    assert_eq!(users.change(&other, &old, &new, &Targets::new()).unwrap().rename, None);
}

#[test]
fn an_account_is_disabled_without_touching_its_other_bits() {
    let users = &compiled_for(&active_directory()).users;
    let mut entry = held(Entry::new(dn("cn=ana@x,ou=people,dc=example,dc=com")));
    for (name, value) in
        [("userPrincipalName", "ana@x"), ("sn", "Ruiz"), ("userAccountControl", "66048"), ("adminDescription", "scimgate")]
    {
        entry.push_text(name, value);
    }
    let old = read(users, &entry);
    let mut new = old.clone();
    new.map_mut().insert("active".to_owned(), json!(false));
    let change = users.change(&entry, &old, &new, &Targets::new()).unwrap();
    let swap = |op, value: &str| Modification::new(op, "userAccountControl", vec![value.as_bytes().to_vec()]);
    assert_eq!(change.modifications, [swap(ModifyOp::Delete, "66048"), swap(ModifyOp::Add, "66050")]);
    // So it cannot be done without looking.
    let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        { "op": "replace", "path": "active", "value": false } ] });
    let patch = crate::scim::patch::PatchRequest::parse(patch, &users.ty, &Budgets::default(), &mut Dialect::default()).unwrap();
    assert_eq!(users.plan(&patch).unwrap(), Plan::ReadModifyWrite);
}

#[test]
fn filters_for_active_directory() {
    let users = &compiled_for(&active_directory()).users;
    assert_eq!(users.visible().to_string(), "(&(objectCategory=person)(objectClass=user)(adminDescription=scimgate))");
    for (filter, search, exact) in [
        // It takes é for e, so what it finds is looked over.
        ("userName eq \"ana@x\"", "(userPrincipalName=ana@x)", false),
        ("name.familyName sw \"Ru\"", "(sn=Ru*)", false),
        ("not (userName eq \"ana@x\")", "(objectClass=*)", false),
        ("active eq false", "(userAccountControl:1.2.840.113556.1.4.803:=2)", true),
        ("active eq true", "(!(userAccountControl:1.2.840.113556.1.4.803:=2))", true),
        (
            "id eq \"04030201-0605-0807-090a-0b0c0d0e0f10\"",
            "(objectGUID=\\01\\02\\03\\04\\05\\06\\07\\08\\09\\0a\\0b\\0c\\0d\\0e\\0f\\10)",
            true,
        ),
    ] {
        let found = users.translate(&filter_on(users, filter), &TARGETS).unwrap();
        assert_eq!((found.search.to_string().as_str(), found.exact), (search, exact), "{filter}");
    }
}

#[test]
fn a_time_is_kept_as_active_directory_counts_it() {
    let schema = json!({ "id": "urn:acme:User", "name": "Acme", "attributes": [{ "name": "ends", "type": "dateTime" }] });
    let registry = SchemaRegistry::builtin().extended(vec![crate::scim::Schema::from_json(&schema).unwrap()], Vec::new());
    let mut config = config();
    config.users.attributes = lines(&[("urn:acme:User:ends", "accountExpires")]);
    let users = compile_with(&config, &registry, &active_directory()).unwrap().mapping.users;
    let body = json!({ "schemas": ["urn:acme:User"], "userName": "ana@x", "urn:acme:User": { "ends": "1970-01-01T00:00:00Z" } });

    let mut entry = held(users.new_entry(&resource(&users, body), &Targets::new()).unwrap());

    assert_eq!(texts(&entry, "accountExpires"), ["116444736000000000"]);
    assert_eq!(read(&users, &entry).map()["urn:acme:User"]["ends"], "1970-01-01T00:00:00Z");
    entry = Entry::new(entry.dn);
    entry.push_text("accountExpires", "9223372036854775807");
    assert!(!read(&users, &entry).map().contains_key("urn:acme:User"));
}

#[test]
fn a_group_of_active_directory_may_be_empty_and_has_a_type() {
    let groups = &compiled_for(&active_directory()).groups;
    let entry = groups.new_entry(&resource(groups, json!({ "displayName": "Ops: [east]" })), &Targets::new()).unwrap();
    assert_eq!(entry.dn.to_string(), "cn=Ops: [east],ou=groups,dc=example,dc=com");
    assert_eq!(texts(&entry, "sAMAccountName"), ["Ops_ _east_"]);
    assert_eq!((texts(&entry, "groupType"), texts(&entry, "member").len()), (vec!["-2147483646"], 0));
}

#[test]
fn a_user_of_389_directory_server() {
    let mapping = compiled_for(&ds389(true));
    let users = &mapping.users;
    let mut entry = users.new_entry(&ana(users, "ana@x", false), &Targets::new()).unwrap();
    assert_eq!(entry.dn.to_string(), "uid=ana@x,ou=people,dc=example,dc=com");
    assert_eq!(texts(&entry, "nsAccountLock"), ["true"]);
    entry.push_text("nsUniqueId", "f8d9cd01-e45711f0-8d5dbf0a-00112233");
    entry.push_text("entryusn", "12");
    let seen = read(users, &entry);
    assert_eq!(seen.map()["id"], "f8d9cd01-e457-11f0-8d5d-bf0a00112233");
    assert_eq!((&seen.map()["meta"]["version"], &seen.map()["active"]), (&json!("W/\"12\""), &json!(false)));
    let by_id = users.by_id("f8d9cd01-e457-11f0-8d5d-bf0a00112233").unwrap();
    assert_eq!(by_id.to_string(), "(nsUniqueId=f8d9cd01-e45711f0-8d5dbf0a-00112233)");
    // No index leads to a name there, but one to what names the entry.
    assert_eq!(users.by_name(&dn("uid=a\\,b+cn=c,ou=people,dc=example,dc=com")).to_string(), "(&(uid=a,b)(cn=c))");
    assert_eq!(Profile::of(&ds389(false)).change_mark, "modifyTimestamp");
    let group = mapping.groups.new_entry(&resource(&mapping.groups, json!({ "displayName": "g" })), &Targets::new()).unwrap();
    assert_eq!(group.values("member").len(), 0);
}

#[test]
fn member_of_is_believed_where_it_is_known_to_be_kept() {
    let search = |capabilities: &Capabilities, member_of| {
        let config = MappingConfig { member_of, ..config() };
        let mapping = compile_with(&config, &SchemaRegistry::builtin(), capabilities).unwrap().mapping;
        mapping.users.translate(&filter_on(&mapping.users, &format!("groups.value eq \"{}\"", PEOPLE[3].1)), &TARGETS).is_ok()
    };
    assert!(search(&active_directory(), None) && !search(&active_directory(), Some(false)));
    assert!(!search(&ds389(true), None) && search(&ds389(true), Some(true)));
}
