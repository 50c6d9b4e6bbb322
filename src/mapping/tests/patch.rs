//! PATCHes that need no look at the entry, and those that do.

use serde_json::json;

use super::values::ENTERPRISE;
use super::*;
use crate::directory::{Modification, ModifyOp};
use crate::scim::patch::PatchRequest;

fn plan(side: &ResourceMapping, operations: &Value) -> Plan {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let text = body.to_string();
    let patch = PatchRequest::parse(body, &side.ty, &Budgets::default(), &mut Dialect::default());
    side.plan(&patch.unwrap_or_else(|e| panic!("{text}: {e}"))).unwrap()
}

fn replace(attribute: &str, values: &[&str]) -> Modification {
    Modification::new(ModifyOp::Replace, attribute, values.iter().map(|value| value.as_bytes().to_vec()).collect())
}

#[test]
fn what_holds_whatever_the_entry_has_is_written_directly() {
    for (operations, changes) in [
        (json!([{ "op": "replace", "path": "active", "value": false }]), vec![replace("scimgateActive", &["FALSE"])]),
        (json!([{ "op": "Replace", "value": { "active": "True" } }]), vec![replace("scimgateActive", &["TRUE"])]),
        (json!([{ "op": "add", "path": "nickName", "value": "A" }]), vec![replace("scimgateNickName", &["A"])]),
        (json!([{ "op": "remove", "path": "displayName" }]), vec![replace("displayName", &[])]),
        (json!([{ "op": "replace", "path": "name.middleName", "value": "M" }]), vec![replace("scimgateMiddleName", &["M"])]),
        (json!([{ "op": "add", "value": { ENTERPRISE: { "employeeNumber": "7" } } }]), vec![replace("employeeNumber", &["7"])]),
        // The last word counts.
        (
            json!([{ "op": "add", "path": "nickName", "value": "A" }, { "op": "add", "path": "locale", "value": "en" },
                { "op": "remove", "path": "nickName" }]),
            vec![replace("scimgateLocale", &["en"]), replace("scimgateNickName", &[])],
        ),
    ] {
        assert_eq!(plan(&MAPPING.users, &operations), Plan::Direct(changes), "{operations}");
    }
}

#[test]
fn what_depends_on_the_entry_is_read_first() {
    for operations in [
        // It names the entry.
        json!([{ "op": "replace", "path": "userName", "value": "b" }]),
        // It may have further values.
        json!([{ "op": "replace", "path": "title", "value": "b" }]),
        // The class demands it.
        json!([{ "op": "replace", "path": "name.familyName", "value": "b" }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "b@x" }] }]),
        json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x" }]),
        json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": PEOPLE[0].1 }]),
        json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "title", "value": "b" }]),
    ] {
        assert_eq!(plan(&MAPPING.users, &operations), Plan::ReadModifyWrite, "{operations}");
    }
    let bare = compiled(&config(), Loaded { ours: false, ppolicy: false }).users;
    let disable = json!({ "schemas": [], "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    let patch = PatchRequest::parse(disable, &bare.ty, &Budgets::default(), &mut Dialect::default()).unwrap();
    assert!(bare.plan(&patch).unwrap_err().detail.starts_with("active: this directory has no place"));
}

#[test]
fn members_are_changed_without_reading_them() {
    let members = |add: &[&str], remove: &[&str], name: Option<&str>| Plan::Members {
        change: MemberChange {
            add: add.iter().map(|id| (*id).to_owned()).collect(),
            remove: remove.iter().map(|id| (*id).to_owned()).collect(),
        },
        name: name.map(str::to_owned),
    };
    for (operations, expected) in [
        (
            json!([{ "op": "add", "path": "members", "value": [{ "value": "a" }, { "value": "b", "display": "B" }] }]),
            members(&["a", "b"], &[], None),
        ),
        (json!([{ "op": "remove", "path": "members[value eq \"a\"]" }]), members(&[], &["a"], None)),
        (json!([{ "op": "remove", "path": "members", "value": [{ "value": "a" }] }]), members(&[], &["a"], None)),
        (json!([{ "op": "remove", "path": "members", "value": [] }]), members(&[], &[], None)),
        (
            json!([{ "op": "replace", "value": { "displayName": "g" } }, { "op": "add", "path": "members", "value": [{ "value": "a" }] }]),
            members(&["a"], &[], Some("g")),
        ),
        (
            json!([{ "op": "add", "path": "members", "value": [{ "value": "a" }, { "value": "b" }] },
                { "op": "remove", "path": "members[value eq \"a\"]" }, { "op": "remove", "path": "members", "value": [{ "value": "c" }] },
                { "op": "add", "path": "members", "value": [{ "value": "c" }] }]),
            members(&["b", "c"], &["a"], None),
        ),
        (json!([{ "op": "replace", "path": "members", "value": [{ "value": "a" }] }]), Plan::ReadModifyWrite),
        (json!([{ "op": "remove", "path": "members" }]), Plan::ReadModifyWrite),
        (json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]), Plan::ReadModifyWrite),
        (json!([{ "op": "replace", "path": "externalId", "value": "x" }]), Plan::ReadModifyWrite),
    ] {
        assert_eq!(plan(&MAPPING.groups, &operations), expected, "{operations}");
    }
}

#[test]
fn a_repeated_name_is_compared_with_the_entrys() {
    let side = &MAPPING.groups;
    let entry = dn("cn=Staff\\2C all,ou=groups,dc=example,dc=com");
    assert!(side.is_named(&entry, "Staff, all"));
    assert!(!side.is_named(&entry, "staff, all") && !side.is_named(&dn("ou=Staff\\2C all,dc=x"), "Staff, all"));
}
