//! From maps and the directory's schema to a mapping.

use serde_json::json;

use super::values::ENTERPRISE;
use super::*;
use crate::directory::{Capabilities, Subschema};

const ALL: Loaded = Loaded { ours: true, ppolicy: true };
const BARE: Loaded = Loaded { ours: false, ppolicy: false };

fn with_lines(users: &[(&str, &str)]) -> MappingConfig {
    let mut config = config();
    config.users.attributes = lines(users);
    config
}

fn compile(config: &MappingConfig, loaded: Loaded) -> Result<Compiled, Vec<String>> {
    compile_with(config, &SchemaRegistry::builtin(), &capabilities(loaded)).map_err(|error| error.0)
}

/// Everything a resource type serves, sub-attributes by their full paths.
fn served(side: &ResourceMapping) -> Vec<String> {
    let leaves = side.ty.attributes().flat_map(|path| match path.attribute.sub_attributes.as_slice() {
        [] => vec![path.to_string()],
        subs => subs.iter().map(|sub| path.with_sub(sub.clone()).to_string()).collect(),
    });
    leaves.collect()
}

fn attribute_of<'a>(side: &'a ResourceMapping, path: &str) -> Option<&'a str> {
    side.rules.iter().find(|rule| rule.path.to_string() == path).map(|rule| rule.attribute.as_str())
}

#[test]
fn a_directory_with_every_schema_holds_every_line_of_the_built_in_maps() {
    let compiled = compile(&config(), ALL).unwrap();
    assert_eq!(compiled.remarks, Vec::<String>::new());
    let [users, groups] = maps().inet_org_person;
    for (map, side) in [(users, &compiled.mapping.users), (groups, &compiled.mapping.groups)] {
        assert_eq!(side.rules.len(), map.attributes.len());
        for attribute in map.attributes.values() {
            assert!(side.rules.iter().any(|rule| Some(rule.attribute.as_str()) == attribute.as_str()), "{attribute}");
        }
    }
}

#[test]
fn what_a_directory_without_our_schema_cannot_hold_is_not_served() {
    let compiled = compile(&config(), BARE).unwrap();
    let users = &compiled.mapping.users;
    let enterprise = |names: &[&str]| names.iter().map(|name| format!("{ENTERPRISE}:{name}")).collect::<Vec<_>>();
    let mut expected: Vec<String> = "externalId userName name.formatted name.familyName name.givenName displayName profileUrl \
        title userType preferredLanguage active emails.value emails.type emails.primary phoneNumbers.value phoneNumbers.type \
        phoneNumbers.primary addresses.streetAddress addresses.locality addresses.region addresses.postalCode addresses.type \
        addresses.primary groups.value groups.$ref groups.display groups.type"
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    expected.extend(enterprise(&["employeeNumber", "organization", "department"]));
    expected.extend(enterprise(&["manager.value", "manager.$ref", "manager.displayName"]));
    assert_eq!(served(users), expected);
    assert_eq!(
        served(&compiled.mapping.groups),
        ["externalId", "displayName", "members.value", "members.$ref", "members.type", "members.display"]
    );
    assert!(compiled.remarks.contains(&"locale is not served: the directory has no attribute scimgateLocale".to_owned()));
    // The remedy is named.
    for remedy in ["load config/schema/scimgate.ldif into the directory", "load the ppolicy overlay"] {
        assert!(compiled.remarks.iter().any(|remark| remark.contains(remedy)), "{remedy}: {:?}", compiled.remarks);
    }
    let entry = created(users, &resource(users, json!({ "userName": "ana", "nickName": "A" })));
    assert_eq!(entry.texts("objectClass").collect::<Vec<_>>(), ["inetOrgPerson"]);
    assert_eq!(users.visible(), users.class());
}

#[test]
fn a_managed_entry_bears_the_mark() {
    let entry = created(&MAPPING.users, &user(json!({ "userName": "ana" })));
    assert_eq!(entry.texts("objectClass").collect::<Vec<_>>(), ["inetOrgPerson", "scimgateResource"]);
    assert_eq!(MAPPING.users.visible().to_string(), "(&(objectClass=inetOrgPerson)(objectClass=scimgateResource))");

    let mut config = config();
    config.mark = Some(Mark { attribute: "DESCRIPTION".to_owned(), value: "by scim".to_owned() });
    let own = compiled(&config, ALL).users;
    assert_eq!(created(&own, &user(json!({ "userName": "ana" }))).text("description"), Some("by scim"));
    assert_eq!(own.visible().to_string(), "(&(objectClass=inetOrgPerson)(description=by scim))");

    // Existing users are visible, and ours from the first write.
    config.existing_users = true;
    let own = compiled(&config, ALL).users;
    assert_eq!(own.visible().to_string(), "(objectClass=inetOrgPerson)");
    assert_eq!(own.adoption(&created(&MAPPING.users, &user(json!({ "userName": "ana" })))).len(), 1);
}

#[test]
fn active_is_kept_where_the_directory_has_a_place() {
    for (loaded, attribute, disabled) in [
        (ALL, Some("pwdAccountLockedTime"), Some("000001010000Z")),
        (Loaded { ppolicy: true, ..BARE }, Some("pwdAccountLockedTime"), Some("000001010000Z")),
        (Loaded { ours: true, ..BARE }, Some("scimgateActive"), Some("FALSE")),
        (BARE, None, None),
    ] {
        let users = compile(&config(), loaded).unwrap().mapping.users;
        assert_eq!(users.active.attribute(), attribute, "{loaded:?}");
        let body = resource(&users, json!({ "userName": "ana", "active": false }));
        match (attribute, users.new_entry(&body, &TARGETS)) {
            (Some(attribute), entry) => assert_eq!(entry.unwrap().text(attribute), disabled),
            (None, refused) => {
                assert!(refused.unwrap_err().detail.starts_with("active: this directory has no place"));
            }
        }
    }
}

#[test]
fn a_flag_of_ones_own_compares_as_its_attribute_does() {
    for (name, value, active) in [
        ("employeeType", "  GONE", false),
        ("employeeType", "gone fishing", true),
        ("labeledURI", "GONE", true),
        ("labeledURI", "gone", false),
    ] {
        let mut config = config();
        let (enabled, disabled) = ("here".to_owned(), "gone".to_owned());
        config.active = ActiveRule::Attribute { name: name.to_uppercase(), enabled, disabled };
        let Compiled { mapping: Mapping { users, .. }, remarks } = compile(&config, ALL).unwrap();
        assert_eq!(users.active.attribute(), Some(name));
        // Else a client that clears userType would enable the account.
        assert!(
            remarks.iter().any(|remark| remark.ends_with(&format!("is not served: {name} says whether an account is active")))
        );
        let mut entry = created(&users, &resource(&users, json!({ "userName": "ana" })));
        entry.push_text(name, value);
        assert_eq!(users.active.read(&entry), active, "{name}={value}");
        assert_eq!(model::evaluate(&users.active.filter(active), &entry), Some(true), "{name}={value}");
    }
}

#[test]
fn a_mistake_is_named_with_its_key() {
    for (line, error) in [
        (("userNmae", "uid"), "users.attributes: `userNmae` is no attribute of the User schemas"),
        (("title", "titel"), "users.attributes: title: the directory has no attribute `titel`"),
        (
            ("title", "not an attribute"),
            "users.attributes: title: `not an attribute` is not an LDAP attribute name: it takes letters, \
          digits, `-`, `.` and options after `;`",
        ),
        (
            ("emails[type eq work", "mail"),
            "users.attributes: `emails[type eq work` is not of the form attribute[type eq \"…\"].sub-attribute",
        ),
        (
            ("emails[value eq \"x\"].value", "mail"),
            "users.attributes: `emails[value eq \"x\"].value` is not of the form attribute[type eq \"…\"].sub-attribute",
        ),
        (
            ("name[type eq \"x\"].formatted", "cn"),
            "users.attributes: `name[type eq \"x\"].formatted` is not of the form attribute[type eq \"…\"].sub-attribute",
        ),
        (("emails", "mail"), "users.attributes: `emails` has parts, name one of them: value, display, type, primary"),
        (("title", "manager"), "users.attributes: title: `manager` holds names of entries, which only a reference can be"),
        (
            (&format!("{ENTERPRISE}:manager.value"), "uid"),
            &format!(
                "users.attributes: {ENTERPRISE}:manager.value: it refers to other \
          entries, and `uid` does not hold names of entries"
            ),
        ),
        (("active", "scimgateActive"), "users.attributes: `active` cannot be mapped: it is kept where users.active says"),
        (("password", "userPassword"), "users.attributes: `password` cannot be mapped: it is set as users.password says"),
        (("id", "uid"), "users.attributes: `id` cannot be mapped: it is the gateway's own"),
        (("meta.created", "uid"), "users.attributes: `meta.created` cannot be mapped: it is the gateway's own"),
        (("groups.value", "memberOf"), "users.attributes: `groups.value` cannot be mapped: it comes from the members of groups"),
        (("userName", ""), "users.rdn: the naming attribute `uid` holds no SCIM attribute: map one to it, userName say"),
    ] {
        assert_eq!(compile(&with_lines(&[line]), ALL).unwrap_err(), [error]);
    }
    for (attribute, what) in [("objectClass", "which entries are managed"), ("scimgateActive", "whether an account is active")] {
        let error = format!("users.attributes: title: `{attribute}` says {what}, so no SCIM attribute can be kept there");
        let config = with_lines(&[("title", &attribute.to_lowercase())]);
        assert_eq!(compile(&config, Loaded { ours: true, ppolicy: false }).unwrap_err(), [error]);
    }
    let mut config = with_lines(&[("nope", "uid"), ("title", "nope")]);
    config.groups.rdn = Some("ou".to_owned());
    config.active = ActiveRule::Attribute { name: "fax".to_owned(), enabled: "1".to_owned(), disabled: "0".to_owned() };
    let every: Vec<String> = compile(&config, ALL).unwrap_err();
    assert_eq!(every.len(), 4, "{every:?}");
    assert!(
        every.iter().any(|error| error.starts_with("users.active: the directory cannot compare values of `fax`")),
        "{every:?}"
    );
    assert!(every.iter().any(|error| error.starts_with("groups.rdn: the naming attribute `ou`")), "{every:?}");
    config.active = ActiveRule::Ppolicy;
    let error = compile(&config, BARE).unwrap_err();
    assert!(error.iter().any(|error| error.starts_with("users.active is \"ppolicy\"")), "{error:?}");
}

#[test]
fn a_line_of_ones_own_takes_the_place_of_a_built_in_one() {
    let own = with_lines(&[
        ("TITLE", "description"),
        ("nickName", ""),
        ("emails[type eq \"WORK\"].value", "postalCode"),
        ("phoneNumbers.value", "telephoneNumber"),
        ("name.familyName", "surname"),
    ]);
    let users = compile(&own, ALL).unwrap().mapping.users;
    assert_eq!(attribute_of(&users, "title"), Some("description"));
    assert!(users.ty.resolve_str("nickName").is_none());
    assert_eq!(users.path_of("POSTALCODE").as_deref(), Some("emails.value of type work"));
    assert_eq!(attribute_of(&users, "emails.value"), Some("postalCode"));
    // One line for every number, whatever its type.
    assert_eq!(users.rules.iter().filter(|rule| rule.path.attribute.name == "phoneNumbers").count(), 1);
    assert!(users.ty.resolve_str("phoneNumbers.value").is_some() && users.ty.resolve_str("phoneNumbers.type").is_none());
    // The directory answers with its own name.
    assert_eq!(attribute_of(&users, "name.familyName"), Some("sn"));
    assert_eq!(users.path_of("mail"), None);
}

#[test]
fn a_line_that_the_classes_do_not_allow_is_not_served() {
    let mut config = with_lines(&[("displayName", "member;x-option")]);
    config.users.object_classes = Some(vec!["person".to_owned()]);
    config.users.rdn = Some("cn".to_owned());
    config.users.attributes = lines(&[("userName", "cn"), ("name.formatted", ""), ("title", "uidNumber")]);
    let compiled = compile(&config, BARE).unwrap();
    let users = &compiled.mapping.users;
    assert_eq!(attribute_of(users, "emails.value"), None);
    assert!(users.ty.resolve_str("emails").is_none());
    assert_eq!(attribute_of(users, "phoneNumbers.value"), Some("telephoneNumber"));
    for remark in [
        "emails[type eq \"work\"].value is not served: an entry of the classes person has no mail",
        "users.attributes: title: a new entry of the classes person cannot have uidNumber: add a class that allows it to \
         object_classes",
    ] {
        assert!(compiled.remarks.iter().any(|found| found == remark), "{remark}: {:?}", compiled.remarks);
    }
    assert_eq!(attribute_of(users, "title"), Some("uidNumber"));
}

#[test]
fn a_class_that_lacks_what_is_filled_in_gets_nothing_filled_in() {
    let mut config = with_lines(&[]);
    config.users.object_classes = Some(vec!["top".to_owned()]);
    config.users.attributes = lines(&[("userName", "uid")]);
    let users = compile(&config, BARE).unwrap().mapping.users;
    let entry = users.new_entry(&resource(&users, json!({ "userName": "ana" })), &TARGETS).unwrap();
    assert!(entry.values("sn").is_empty() && entry.values("cn").is_empty());
}

#[test]
fn a_hidden_schema_is_believed() {
    let hidden = Capabilities { schema: Subschema::default(), ..capabilities(BARE) };
    let compiled = compile_with(&with_lines(&[("title", "ownTitle")]), &SchemaRegistry::builtin(), &hidden).unwrap();
    assert!(compiled.remarks.iter().any(|remark| remark.contains("let scimgate's account read the subschema entry")));
    let mapping = &compiled.mapping;
    assert_eq!(attribute_of(&mapping.users, "title"), Some("ownTitle"));
    assert_eq!(attribute_of(&mapping.users, "locale"), Some("scimgateLocale"));
    let group = resource(&mapping.groups, json!({ "displayName": "g", "members": [{ "value": PEOPLE[0].1 }] }));
    let entry = mapping.groups.new_entry(&group, &TARGETS).unwrap();
    assert_eq!(entry.texts("member").collect::<Vec<_>>(), [PEOPLE[0].2]);
}

#[test]
fn groups_of_unique_names_have_members_too() {
    let mut config = config();
    config.groups.object_classes = Some(vec!["groupOfUniqueNames".to_owned()]);
    config.groups.attributes = lines(&[("members.value", "uniqueMember")]);
    let groups = compiled(&config, ALL).groups;
    assert_eq!(groups.member_attribute(), Some("uniqueMember"));
    let empty = groups.new_entry(&resource(&groups, json!({ "displayName": "g" })), &TARGETS).unwrap();
    assert_eq!(empty.texts("uniqueMember").collect::<Vec<_>>(), [""]);
}

#[test]
fn the_types_that_are_suggested_are_those_that_are_kept() {
    let types = |config: &MappingConfig| {
        let users = compile(config, ALL).unwrap().mapping.users;
        let path = users.ty.resolve_str("emails.type").unwrap();
        path.leaf().canonical_values.clone()
    };
    assert_eq!(types(&config()), ["work"]);
    let more = with_lines(&[("emails[type eq \"private\"].value", "description"), ("emails[type eq \"home\"].value", "street")]);
    assert_eq!(types(&more), ["work", "home", "private"]);
}

#[test]
fn deleted_users_are_kept_only_where_they_can_be_told_from_others() {
    let kept = |on_delete: OnDelete, existing_users: bool, loaded: Loaded| {
        let config = MappingConfig { existing_users, on_delete, ..config() };
        compile_with(&config, &SchemaRegistry::builtin(), &capabilities(loaded))
    };
    let ours = || Loaded { ours: true, ppolicy: false };
    let disabled = kept(OnDelete::Disable, false, ours()).unwrap().mapping.users;
    assert_eq!(disabled.visible().to_string(), "(&(objectClass=inetOrgPerson)(objectClass=scimgateResource))");
    let (base, deleted) = disabled.deleted().unwrap();
    assert_eq!(
        (base, deleted.to_string()),
        (&disabled.base, "(&(objectClass=inetOrgPerson)(objectClass=scimgateDeleted))".to_owned())
    );
    let existing = kept(OnDelete::Disable, true, ours()).unwrap().mapping.users;
    assert_eq!(existing.visible().to_string(), "(&(objectClass=inetOrgPerson)(!(objectClass=scimgateDeleted)))");

    let error = kept(OnDelete::Disable, false, Loaded { ours: false, ppolicy: true }).unwrap_err().to_string();
    assert!(error.contains("scimgateDeleted") && error.contains("users.mark"), "{error}");
    let error = kept(OnDelete::Recycle(dn("ou=gone,dc=example,dc=com")), false, Loaded { ours: false, ppolicy: false });
    assert!(error.unwrap_err().to_string().contains("users.on_delete disables deleted users"));
}

#[test]
fn roles_are_groups_or_an_attribute_and_not_both() {
    let role = Role { name: "ROLE_USER".to_owned(), group: dn("cn=users,ou=groups,dc=example,dc=com") };
    let mut config = MappingConfig { roles: vec![role], ..config() };
    let ours = Loaded { ours: true, ppolicy: false };
    let mapping = compiled(&config, ours);
    let value = mapping.users.ty.resolve_str("roles.value").unwrap();
    assert_eq!(value.leaf().canonical_values, ["ROLE_USER"]);
    assert!(mapping.users.ty.resolve_str("roles.display").is_none());
    assert!(!mapping.users.written().contains(&ROLE_ATTRIBUTE));

    config.users.attributes = lines(&[("roles.value", "title")]);
    let error = compile_with(&config, &SchemaRegistry::builtin(), &capabilities(Loaded { ours: true, ppolicy: false }));
    assert!(error.unwrap_err().to_string().contains("take one of them out"));
}
