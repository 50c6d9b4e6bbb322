//! Users: created, read, replaced, deleted.

use serde_json::{Value, json};

use crate::support::{Directory, ENTERPRISE, Fixture, GatewayOptions, USER, each, group, id, user};

/// A user with everything the directory can hold.
fn full_user() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "ana@example.com",
        "externalId": "4711/Ä",
        "name": {
            "formatted": "Dr. Ana M. Ruiz",
            "familyName": "Ruiz",
            "givenName": "Ana",
            "middleName": "M.",
            "honorificPrefix": "Dr.",
            "honorificSuffix": "PhD",
        },
        "displayName": "Ana",
        "nickName": "Anita",
        "profileUrl": "https://people.example.com/ana",
        "title": "Engineer",
        "userType": "Employee",
        "preferredLanguage": "es-ES",
        "locale": "es-ES",
        "timezone": "Europe/Madrid",
        "active": true,
        "emails": [
            { "value": "ana@example.com", "type": "work", "primary": true },
            { "value": "ruiz@example.com", "type": "work" },
        ],
        "phoneNumbers": [
            { "value": "+34 91 000-0001", "type": "work", "primary": true },
            { "value": "+34 91 000 0003", "type": "home" },
            { "value": "+34 600 000 002", "type": "mobile" },
        ],
        "addresses": [{
            "type": "work",
            "streetAddress": "Calle Mayor 1, 2º $ B",
            "locality": "Madrid",
            "region": "MD",
            "postalCode": "28013",
            "country": "ES",
            "primary": true,
        }],
        ENTERPRISE: {
            "employeeNumber": "701984",
            "costCenter": "4130",
            "organization": "Universal Studios",
            "division": "Theme Park",
            "department": "Tour Operations",
        },
    })
}

/// A resource without what the service provider alone says of it.
fn own(resource: &Value) -> Value {
    let mut resource = resource.clone();
    resource.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "meta");
    resource
}

#[tokio::test]
async fn a_new_user_is_an_entry_in_the_directory() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;

    scim.post("/Users", full_user()).await.expect(201);

    let entry = directory.user("ana").await.unwrap();
    assert!(entry.is_managed());
    let wanted = directory.vendor().storable(full_user());
    let mails: Vec<&str> = wanted["emails"].as_array().unwrap().iter().map(|mail| mail["value"].as_str().unwrap()).collect();
    for (attribute, values) in [
        ("uid", vec!["ana@example.com"]),
        ("scimgateExternalId", vec!["4711/Ä"]),
        ("sn", vec!["Ruiz"]),
        ("givenName", vec!["Ana"]),
        ("displayName", vec!["Ana"]),
        ("title", vec!["Engineer"]),
        ("mail", mails),
        ("telephoneNumber", vec!["+34 91 000-0001"]),
        ("mobile", vec!["+34 600 000 002"]),
        ("street", vec!["Calle Mayor 1, 2º $ B"]),
        ("departmentNumber", vec!["Tour Operations"]),
        ("o", vec!["Universal Studios"]),
    ] {
        assert_eq!(entry.all(attribute), values, "{attribute}");
    }
    if directory.vendor().has_formatted_name() {
        assert_eq!(entry.one("cn"), "Dr. Ana M. Ruiz");
    }
}

#[tokio::test]
async fn the_answer_to_a_creation_says_where_the_user_is() {
    let Fixture { scim, directory, gateway } = &Fixture::start().await;

    let answer = scim.post("/Users", user("ana")).await;

    let (location, version) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
    let made = answer.expect(201);
    let entry = directory.user("ana").await.unwrap();
    assert_eq!(id(&made), entry.id());
    assert_eq!(location, format!("http://{}/scim/v2/Users/{}", gateway.address(), id(&made)));
    assert_eq!(made["meta"]["location"], location);
    assert_eq!(made["meta"]["resourceType"], "User");
    assert_eq!(made["meta"]["version"], version);
    assert!(version.starts_with("W/\""), "{version}");
    assert_eq!(made["meta"]["created"], made["meta"]["lastModified"]);
}

#[tokio::test]
async fn what_was_written_is_read_back_as_it_was() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let made = scim.post("/Users", full_user()).await.expect(201);
    assert_eq!(own(&made), directory.vendor().storable(full_user()));

    let read = scim.get(&format!("/Users/{}", id(&made))).await.expect(200);

    assert_eq!(read, made);
}

#[tokio::test]
async fn a_small_user_gets_what_the_directory_insists_on() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;

    let made = scim.post("/Users", json!({ "schemas": [USER], "userName": "ana@example.com" })).await.expect(201);

    assert_eq!(made["active"], true);
    assert!(made.get("emails").is_none() && made.get(ENTERPRISE).is_none(), "{made:#}");
    let entry = directory.user("ana").await.unwrap();
    for attribute in directory.vendor().insisted_on() {
        assert_eq!(entry.one(attribute), "ana@example.com", "{attribute}");
    }
}

#[tokio::test]
async fn a_user_name_is_given_once_whatever_its_case() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;

    for name in ["ana@example.com", "ANA@Example.COM"] {
        let again = scim.post("/Users", json!({ "schemas": [USER], "userName": name })).await;
        assert!(again.error(409, "uniqueness").contains("userName"), "{name}");
    }

    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 1);
}

#[tokio::test]
async fn a_user_name_that_is_no_email_address_is_refused_with_the_remedy() {
    let Fixture { scim, .. } = &Fixture::start().await;

    let detail = scim.post("/Users", json!({ "schemas": [USER], "userName": "aruiz" })).await.error(400, "invalidValue");
    assert!(detail.contains("map Email Address to userName") && detail.contains("Ping"), "{detail}");

    let ana = scim.new_user("ana").await;
    let rename = json!([{ "op": "replace", "path": "userName", "value": "aruiz" }]);
    scim.patch(&format!("/Users/{ana}"), rename).await.error(400, "invalidValue");
    scim.put(&format!("/Users/{ana}"), json!({ "schemas": [USER], "userName": "aruiz" })).await.error(400, "invalidValue");
}

#[tokio::test]
async fn put_replaces_all_that_it_can_express() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let made = scim.post("/Users", full_user()).await.expect(201);

    let wanted = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "ana@example.com",
        "name": { "formatted": "Ana Ruiz Gil", "givenName": "Ana", "familyName": "Ruiz Gil" },
        "emails": [{ "value": "ana.gil@example.com", "type": "work", "primary": true }],
        ENTERPRISE: { "department": "Rides" },
    });
    let replaced = scim.put(&format!("/Users/{}", id(&made)), wanted.clone()).await.expect(200);

    assert_eq!(replaced["id"], made["id"]);
    let mut expected = directory.vendor().storable(wanted);
    expected["active"] = true.into();
    assert_eq!(own(&replaced), expected);
    let entry = directory.user("ana").await.unwrap();
    assert_eq!((entry.one("sn"), entry.one("departmentNumber")), ("Ruiz Gil", "Rides"));
    for gone in ["title", "mobile", "street", "employeeNumber", "scimgateExternalId"] {
        assert_eq!(entry.one(gone), "", "{gone}");
    }
}

#[tokio::test]
async fn put_passes_over_what_only_the_gateway_says() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users", user("ana")).await.expect(201);

    let mut echoed = made.clone();
    echoed["id"] = "another".into();
    echoed["meta"] = json!({ "created": "1999-01-01T00:00:00Z", "location": "elsewhere" });
    echoed["groups"] = json!([{ "value": "none" }]);
    echoed["urn:example:unknown"] = json!({ "a": 1 });
    let replaced = scim.put(&format!("/Users/{}", id(&made)), echoed).await.expect(200);

    // Nothing differs, so nothing was written.
    assert_eq!(replaced, made);
}

#[tokio::test]
async fn put_without_active_does_not_enable_a_disabled_user() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let mut ana = user("ana");
    ana["active"] = false.into();
    let made = scim.post("/Users", ana.clone()).await.expect(201);

    ana.as_object_mut().unwrap().remove("active");
    ana["title"] = "Engineer".into();
    let replaced = scim.put(&format!("/Users/{}", id(&made)), ana).await.expect(200);

    assert_eq!((&replaced["active"], &replaced["title"]), (&json!(false), &json!("Engineer")));
}

#[tokio::test]
async fn what_scim_does_not_know_of_stays_in_the_entry() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    directory.set(&directory.user_dn("ana"), "roomNumber", "B12").await;
    if directory.vendor().has_formatted_name() {
        directory.push(&directory.user_dn("ana"), "cn", "Anita").await;
    }
    directory.set_password(&directory.user_dn("ana")).await;

    let mut wanted = user("ana");
    wanted["name"]["formatted"] = "Dr. Ana Ruiz".into();
    scim.put(&format!("/Users/{ana}"), wanted).await.expect(200);

    let entry = directory.user("ana").await.unwrap();
    assert_eq!(entry.one("roomNumber"), "B12");
    if directory.vendor().has_formatted_name() {
        assert_eq!(entry.all("cn"), ["Anita", "Dr. Ana Ruiz"]);
    }
    assert!(directory.signs_in(&directory.user_dn("ana")).await);
}

#[tokio::test]
async fn a_deleted_user_is_gone_for_every_method() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let ana = format!("/Users/{}", scim.new_user("ana").await);

    scim.delete(&ana).await.expect(204);

    assert_eq!(directory.user("ana").await, None);
    scim.get(&ana).await.error(404, "");
    scim.put(&ana, user("ana")).await.error(404, "");
    scim.patch(&ana, json!([{ "op": "replace", "path": "title", "value": "x" }])).await.error(404, "");
    scim.delete(&ana).await.error(404, "");
}

#[tokio::test]
async fn an_id_that_nobody_can_have_is_not_found() {
    let Fixture { scim, .. } = &Fixture::start().await;
    scim.new_user("ana").await;

    for nobody in ["0", "ana@example.com", "*", "%2A", "uid=ana%40example.com", "00000000-0000-0000-0000-000000000000"] {
        scim.get(&format!("/Users/{nobody}")).await.error(404, "");
        scim.delete(&format!("/Users/{nobody}")).await.error(404, "");
    }
}

#[tokio::test]
async fn a_group_is_not_found_among_users() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let staff = scim.new_group("staff", &[]).await;

    scim.get(&format!("/Users/{staff}")).await.error(404, "");
    scim.delete(&format!("/Users/{staff}")).await.error(404, "");

    scim.get(&format!("/Groups/{staff}")).await.expect(200);
}

#[tokio::test]
async fn the_manager_is_kept_as_a_name_and_shown_by_id() {
    let Fixture { scim, directory, .. } = &Fixture::start().await;
    let boss = scim.new_user("boss").await;
    let mut ana = user("ana");
    ana[ENTERPRISE] = json!({ "manager": { "value": boss } });

    let made = scim.post("/Users", ana).await.expect(201);

    assert_eq!(directory.user("ana").await.unwrap().named("manager").as_deref(), Some("boss@example.com"));
    let manager = &made[ENTERPRISE]["manager"];
    assert_eq!((manager["value"].as_str(), manager["displayName"].as_str()), (Some(&*boss), Some("Boss Ruiz")));
    let reference = manager["$ref"].as_str().unwrap();
    assert!(reference.ends_with(&format!("/scim/v2/Users/{boss}")), "{reference}");
    let filter = format!("{ENTERPRISE}:manager.value eq \"{boss}\"");
    assert_eq!(each(&scim.find("/Users", &filter).await, "userName"), ["ana@example.com"]);

    scim.delete(&format!("/Users/{boss}")).await.expect(204);
    let left = scim.get(&format!("/Users/{}", id(&made))).await.expect(200);
    assert!(left.get(ENTERPRISE).is_none(), "{left:#}");
}

#[tokio::test]
async fn a_user_shows_its_groups() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let ana = scim.new_user("ana").await;
    let staff = scim.new_group("staff", &[&ana]).await;

    let read = scim.get(&format!("/Users/{ana}")).await.expect(200);

    let groups = read["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0]["value"].as_str(), groups[0]["display"].as_str()), (Some(&*staff), Some("staff")));
    assert_eq!(groups[0]["type"], "direct");
}

#[tokio::test]
async fn a_password_is_neither_stored_nor_logged() {
    let Fixture { scim, directory, gateway } = &Fixture::set(&[("log.level", "debug")]).await;
    let mut ana = user("ana");
    ana["password"] = "correct horse battery staple".into();

    let made = scim.post("/Users", ana).await.expect(201);

    assert!(made.get("password").is_none(), "{made:#}");
    assert_eq!(directory.user("ana").await.unwrap().one("userPassword"), "");
    gateway.logged(|line| line["message"] == "answered" && line["status"] == 201).await;
    assert!(!gateway.log().iter().any(|line| line.to_string().contains("horse")));
}

#[tokio::test]
async fn an_answer_holds_the_attributes_that_were_asked_for() {
    let Fixture { scim, .. } = &Fixture::start().await;
    let made = scim.post("/Users?attributes=title,name.givenName", full_user()).await.expect(201);
    let ana = format!("/Users/{}", id(&made));

    let brief = json!({
        "schemas": [USER], "id": id(&made), "title": "Engineer", "name": { "givenName": "Ana" },
    });
    assert_eq!(made, brief);
    assert_eq!(scim.get(&format!("{ana}?attributes=title,name.givenName")).await.expect(200), brief);
    let without = scim.put(&format!("{ana}?excludedAttributes=emails,meta,groups"), full_user()).await.expect(200);
    assert!(without.get("emails").is_none() && without.get("meta").is_none(), "{without:#}");
    assert_eq!(without["title"], "Engineer");
}

#[tokio::test]
async fn a_new_user_joins_the_groups_that_everybody_joins() {
    let directory = Directory::start().await;
    let everybody = directory.group_dn("everybody");
    let options = GatewayOptions::default().set("provisioning.default_groups", &format!("[\"{everybody}\"]"));
    let Fixture { scim, directory, .. } = &Fixture::before(directory, options).await;

    // While the group is missing nobody can join, and a half-made account would be worse than none.
    let detail = scim.post("/Users", user("ana")).await.error(500, "");
    assert!(detail.contains(&everybody), "{detail}");
    assert!(directory.users().await.is_empty());

    scim.post("/Groups", group("everybody", &[])).await.expect(201);
    let ana = scim.new_user("ana").await;
    assert_eq!(directory.members("everybody").await, ["ana@example.com"]);
    assert_eq!(scim.get(&format!("/Users/{ana}")).await.expect(200)["groups"][0]["display"], "everybody");
}
