//! PATCH of users, in the forms that real clients send.

use serde_json::{Value, json};

use crate::support::{ENTERPRISE, Fixture, USER, id, user};

/// Each step: operations, and what some attribute is afterwards (null: gone).
async fn steps(start: Value, steps: Vec<(Value, &str, Value)>) {
    let Fixture { scim, .. } = &Fixture::start().await;
    let path = format!("/Users/{}", id(&scim.post("/Users", start).await.expect(201)));
    for (operations, attribute, expected) in steps {
        let answered = scim.patch(&path, operations.clone()).await.expect(200);
        assert_eq!(answered.pointer(attribute).cloned().unwrap_or_default(), expected, "{operations:#}");
        let read = scim.get(&path).await.expect(200);
        assert_eq!(read, answered, "{operations:#}");
    }
}

fn one(op: &str, path: &str, value: impl Into<Value>) -> Value {
    json!([{ "op": op, "path": path, "value": value.into() }])
}

#[tokio::test]
async fn entra_sets_single_values_by_add_and_replace_in_any_case() {
    let department = format!("{ENTERPRISE}:department");
    let shown = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department";
    steps(
        user("ana"),
        vec![
            (one("Add", "title", "Engineer"), "/title", json!("Engineer")),
            (one("Replace", "title", "Architect"), "/title", json!("Architect")),
            (one("Replace", "name.familyName", "Gil"), "/name/familyName", json!("Gil")),
            (one("Replace", "displayName", "Ana Gil"), "/displayName", json!("Ana Gil")),
            (one("Add", &department, "Rides"), shown, json!("Rides")),
            (one("Replace", &department, "Tours"), shown, json!("Tours")),
            (one("Replace", "externalId", "x-2"), "/externalId", json!("x-2")),
            (one("Replace", "preferredLanguage", "de"), "/preferredLanguage", json!("de")),
        ],
    )
    .await;
}

#[tokio::test]
async fn entra_makes_items_by_value_paths() {
    steps(
        json!({ "schemas": [USER], "userName": "ana@example.com" }),
        vec![
            (one("Add", "emails[type eq \"work\"].value", "a@example.com"), "/emails/0/value", json!("a@example.com")),
            (one("Replace", "emails[type eq \"work\"].value", "b@example.com"), "/emails/0/value", json!("b@example.com")),
            (one("Add", "phoneNumbers[type eq \"mobile\"].value", "+34 600"), "/phoneNumbers/0/type", json!("mobile")),
            (one("Add", "addresses[type eq \"work\"].locality", "Madrid"), "/addresses/0/locality", json!("Madrid")),
            (one("Add", "addresses[type eq \"work\"].country", "ES"), "/addresses/0/country", json!("ES")),
            (one("Replace", "addresses[type eq \"work\"].locality", "Sevilla"), "/addresses/0/locality", json!("Sevilla")),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_the_directory_has_no_place_for_holds_nothing_back() {
    let paths = [
        "addresses[type eq \"work\"].formatted",
        "addresses[type eq \"other\"].locality",
        "phoneNumbers[type eq \"other\"].value",
        "ims[type eq \"aim\"].value",
        "photos",
    ];
    let step = |path: &str| {
        let operations =
            json!([{ "op": "Replace", "path": path, "value": "x" }, { "op": "Replace", "path": "title", "value": path }]);
        (operations, "/title", json!(path))
    };
    steps(user("ana"), paths.map(step).into()).await;
}

#[tokio::test]
async fn entra_clears_by_remove_and_by_empty_values() {
    let mut ana = user("ana");
    ana["title"] = "Engineer".into();
    ana["nickName"] = "Anita".into();
    ana["phoneNumbers"] = json!([{ "type": "work", "value": "+34 91" }, { "type": "mobile", "value": "+34 600" }]);
    steps(
        ana,
        vec![
            (json!([{ "op": "Remove", "path": "title" }]), "/title", Value::Null),
            (one("Replace", "nickName", ""), "/nickName", Value::Null),
            (one("Replace", "externalId", Value::Null), "/externalId", Value::Null),
            (json!([{ "op": "Remove", "path": "phoneNumbers[type eq \"mobile\"].value" }]), "/phoneNumbers/1", Value::Null),
            (json!([{ "op": "Remove", "path": "phoneNumbers" }]), "/phoneNumbers", Value::Null),
            // What is not there can be removed again.
            (json!([{ "op": "Remove", "path": "title" }]), "/title", Value::Null),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_operation_without_a_path_may_have_keys_of_every_form() {
    let department = format!("{ENTERPRISE}:department");
    let value = json!({
        "title": "Engineer",
        "name.givenName": "Anna",
        "emails[type eq \"work\"].value": "anna@example.com",
        department: "Rides",
        "urn:ietf:params:scim:schemas:core:2.0:User:userType": "Employee",
        "id": "passed over",
    });
    let shown = "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department";
    let all = json!([{ "op": "replace", "value": value }]);
    steps(
        user("ana"),
        vec![
            (all.clone(), "/title", json!("Engineer")),
            (all.clone(), "/name/givenName", json!("Anna")),
            (all.clone(), "/emails/0/value", json!("anna@example.com")),
            (all.clone(), shown, json!("Rides")),
            (all, "/userType", json!("Employee")),
        ],
    )
    .await;
}

#[tokio::test]
async fn values_join_and_leave_lists() {
    let item = |value: &str| json!([{ "value": value, "type": "work" }]);
    let mails = |list: &[&str]| {
        let items = list.iter().enumerate().map(|(n, mail)| {
            if n == 0 {
                json!({ "value": mail, "type": "work", "primary": true })
            } else {
                json!({ "value": mail, "type": "work" })
            }
        });
        Value::Array(items.collect())
    };
    steps(
        json!({ "schemas": [USER], "userName": "ana@example.com" }),
        vec![
            (one("add", "emails", item("a@example.com")), "/emails", mails(&["a@example.com"])),
            (one("add", "emails", item("b@example.com")), "/emails", mails(&["a@example.com", "b@example.com"])),
            // One that is there already is not added twice.
            (one("add", "emails", item("A@example.com")), "/emails", mails(&["a@example.com", "b@example.com"])),
            (one("remove", "emails", item("a@example.com")), "/emails", mails(&["b@example.com"])),
            (json!([{ "op": "remove", "path": "emails[value eq \"b@example.com\"]" }]), "/emails", Value::Null),
            (one("replace", "emails", item("c@example.com")), "/emails", mails(&["c@example.com"])),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_manager_comes_in_every_form() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);
    let (boss, chief) = (scim.new_user("boss").await, scim.new_user("chief").await);
    let managed = async || directory.user("ana").await.unwrap().named("manager");
    let path = format!("{ENTERPRISE}:manager");

    for (operations, expected) in [
        (one("Add", &path, boss.clone()), Some("boss@example.com")),
        (one("Replace", &path, json!({ "value": chief })), Some("chief@example.com")),
        (one("Replace", &format!("{path}.value"), boss.clone()), Some("boss@example.com")),
        (json!([{ "op": "add", "value": { ENTERPRISE: { "manager": { "value": chief } } } }]), Some("chief@example.com")),
        (json!([{ "op": "Remove", "path": path }]), None),
    ] {
        scim.patch(&ana, operations.clone()).await.expect(200);
        assert_eq!(managed().await.as_deref(), expected, "{operations:#}");
    }
}

#[tokio::test]
async fn all_operations_happen_or_none() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);
    let ana = format!("/Users/{}", id(&made));
    let good = json!({ "op": "replace", "path": "title", "value": "Engineer" });
    // LDAP telephone numbers are printable ASCII, and those of Active Directory at least not so long.
    let no_number = "☎".repeat(65);

    for (bad, kind) in [
        (json!({ "op": "replace", "path": "nonsense", "value": 1 }), "invalidPath"),
        (json!({ "op": "replace", "path": "active", "value": "maybe" }), "invalidValue"),
        (json!({ "op": "replace", "path": "id", "value": "1" }), "mutability"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "frobnicate", "path": "title", "value": "x" }), "invalidSyntax"),
        (json!({ "op": "replace", "path": "emails[type eq", "value": "x" }), "invalidFilter"),
        (json!({ "op": "replace", "path": "phoneNumbers", "value": [{ "type": "work", "value": no_number }] }), "invalidValue"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
    ] {
        let answer = scim.patch(&ana, json!([good, bad])).await;
        let detail = answer.error(400, kind);
        assert!(!detail.is_empty(), "{bad}");
    }

    assert_eq!(scim.get(&ana).await.expect(200), made);
}

#[tokio::test]
async fn concurrent_changes_of_one_user_all_count() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    // Each reads, works the difference out and writes; none may overwrite another's.
    let changes = (0..8).map(|n| {
        let item = json!([{ "type": "work", "value": format!("ana{n}@example.com") }]);
        let (scim, ana) = (scim.clone(), ana.clone());
        tokio::spawn(async move { scim.patch(&ana, one("add", "emails", item)).await.expect(200) })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }

    let read = scim.get(&ana).await.expect(200);
    assert_eq!(read["emails"].as_array().unwrap().len(), 9, "{read:#}");
}
