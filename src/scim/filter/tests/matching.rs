//! What filters say of a resource.

use serde_json::json;

use crate::scim::{Dialect, Resource, SchemaRegistry};

use super::binding::bind;

fn resource() -> Resource {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": "Ana.Ruiz@corp.example",
        "externalId": "Ab1",
        "name": { "givenName": "Ana", "familyName": "Ruiz  del Río" },
        "active": false,
        "emails": [
            { "value": "ana@corp.example", "type": "work", "primary": true },
            { "value": "ana@home.example", "type": "home" }
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D", "manager": { "value": "m-1" } }
    });
    let ty = SchemaRegistry::builtin().user;
    let mut resource = Resource::accept(body, &ty, &mut Dialect::default()).expect("a user");
    resource.map_mut().insert("id".into(), json!("0F-1"));
    resource.map_mut().insert("meta".into(), json!({ "resourceType": "User", "lastModified": "2026-03-01T12:00:00.5+02:00" }));
    resource
}

fn check(cases: &[(&str, bool)]) {
    let resource = resource();
    for (text, expected) in cases {
        let filter = bind(text, &mut Dialect::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(filter.matches(&resource), *expected, "{text}");
        let negated = bind(&format!("not ({text})"), &mut Dialect::default()).expect(text);
        assert_eq!(negated.matches(&resource), !*expected, "not ({text})");
    }
}

#[test]
fn strings_are_compared_prepared_and_by_the_case_rule_of_the_attribute() {
    check(&[
        (r#"userName eq "ANA.ruiz@CORP.example""#, true),
        (r#"userName eq "ana.ruiz""#, false),
        (r#"name.familyName eq " ruiz del RÍO ""#, true),
        (r#"externalId eq "Ab1""#, true),
        (r#"externalId eq "ab1""#, false),
        (r#"userName co "RUIZ@""#, true),
        (r#"userName sw "ana." and userName ew ".EXAMPLE""#, true),
        (r#"userName sw "ruiz""#, false),
        (r#"externalId co "b" and not (externalId co "B")"#, true),
        (r#"name.givenName ge "ana" and name.givenName gt "an" and name.givenName lt "anb" and name.givenName le "ANA""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m-1""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r&d""#, true),
    ]);
}

#[test]
fn any_of_many_values_will_do_and_ne_asks_that_none_is_equal() {
    check(&[
        (r#"emails.value eq "ana@home.example""#, true),
        (r#"emails eq "ana@home.example""#, true),
        (r#"emails.value co "nobody""#, false),
        (r#"emails.value ne "ana@home.example""#, false),
        (r#"emails.value ne "x""#, true),
        (r#"title ne "x""#, true),
        (r#"title eq "x""#, false),
    ]);
}

#[test]
fn a_value_path_asks_one_item_for_everything() {
    check(&[
        (r#"emails[type eq "work" and value co "corp"]"#, true),
        (r#"emails[type eq "work" and value co "home"]"#, false),
        (r#"emails.type eq "work" and emails.value co "home""#, true),
        (r#"emails[type eq "WORK"].value eq "ana@corp.example""#, true),
        ("emails[not (primary eq true)]", true),
        ("emails[primary ne true and type eq \"home\"]", true),
        ("emails[primary pr and type eq \"home\"]", false),
        ("phoneNumbers[type ne \"work\"]", false),
    ]);
}

#[test]
fn presence_and_null_are_opposites() {
    check(&[
        ("title pr", false),
        ("title eq null", true),
        ("title ne null", false),
        ("emails pr and name pr and active pr", true),
        ("emails eq null", false),
        ("emails ne null and active ne null", true),
        ("emails.display pr", false),
        ("emails[display eq null]", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager pr", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter pr", false),
    ]);
}

#[test]
fn booleans_and_instants_are_compared_as_such() {
    check(&[
        ("active eq false", true),
        ("active ne false", false),
        (r#"active eq "False""#, true),
        (r#"meta.lastModified eq "2026-03-01T10:00:00.500Z""#, true),
        (r#"meta.lastModified gt "2026-03-01T10:00:00Z""#, true),
        (r#"meta.lastModified lt "2026-03-01T11:00:00Z""#, true),
        (r#"meta.lastModified ge "2026-03-01T10:00:01""#, false),
        (r#"meta.lastModified ne "2026-03-01T10:00:00.500Z""#, false),
    ]);
}
