//! What holds for any resource, entry, filter and PATCH.

use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::model::{self, evaluate};
use super::values::{self, ENTERPRISE, with_extras};
use super::*;
use crate::directory::{Capabilities, Modification, ModifyOp};
use crate::scim::patch::PatchRequest;

/// What a user reads back as: what the directory demands is filled in, what it takes for the same value is there once.
fn read_back(body: &Value) -> Value {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut expected = settable(&user(body.clone()));
    let (given, family) = (text("/name/givenName"), text("/name/familyName"));
    let (display, user_name) = (text("/displayName"), text("/userName"));
    let both = given.zip(family.clone()).map(|(given, family)| format!("{given} {family}"));
    let first = |texts: [Option<String>; 4]| texts.into_iter().flatten().find(|text| !text.trim().is_empty());
    let formatted = text("/name/formatted").or_else(|| first([both, display.clone(), family.clone(), user_name.clone()]));
    let family = family.or_else(|| first([None, display, user_name, None]));
    let map = expected.as_object_mut().unwrap();
    let name = map.entry("name").or_insert_with(|| json!({})).as_object_mut().unwrap();
    name.insert("formatted".to_owned(), formatted.into());
    name.insert("familyName".to_owned(), family.into());
    map.entry("active").or_insert(true.into());
    for (list, key) in [("emails", email_key as fn(&str) -> String), ("phoneNumbers", phone_key)] {
        // In the order of the body, not sorted: the first of two that are the same stays.
        let Some(items) = body[list].as_array().filter(|items| !items.is_empty()) else { continue };
        let mut seen = HashSet::new();
        let mut kept: Vec<Value> = Vec::new();
        for item in items {
            let kind = item["type"].as_str().unwrap_or("work");
            let value = item["value"].as_str().unwrap();
            let key = if kind == "fax" { value.to_owned() } else { key(value) };
            if seen.insert((kind, key)) {
                kept.push(json!({ "type": kind, "value": value }));
            }
        }
        kept.sort_by_key(Value::to_string);
        map.insert(list.to_owned(), kept.into());
    }
    expected
}

fn email_key(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").to_lowercase()
}

fn phone_key(text: &str) -> String {
    text.replace([' ', '-'], "").to_lowercase()
}

/// Drops what the client never saw, and so could not take away, from what is read after a change.
fn without_unseen(after: &mut Value, expected: Option<&Value>, unseen: &HashSet<String>) {
    match after {
        Value::Object(map) => {
            map.retain(|name, value| {
                let expected = expected.and_then(|expected| expected.get(name));
                without_unseen(value, expected, unseen);
                expected.is_some() || !is_hollow(value, unseen)
            });
        }
        Value::Array(items) => {
            let expected = expected.and_then(Value::as_array);
            for (n, item) in items.iter_mut().enumerate() {
                without_unseen(item, expected.and_then(|expected| expected.get(n)), unseen);
            }
            items.retain(|item| expected.is_some() || !is_hollow(item, unseen));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_hollow(value: &Value, unseen: &HashSet<String>) -> bool {
    match value {
        Value::String(text) => unseen.contains(text),
        Value::Object(map) => map.iter().all(|(name, value)| name == "type" || is_hollow(value, unseen)),
        Value::Array(items) => items.iter().all(|item| is_hollow(item, unseen)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What an entry holds and SCIM does not show: attributes and texts, names of entries as the ids of their resources.
fn unseen(side: &ResourceMapping, entry: &Entry, shown: &Resource) -> HashSet<(String, String)> {
    let shown = side.values(shown, &TARGETS).unwrap();
    let spelt = |text: &str| match text.parse::<Dn>() {
        Ok(dn) => dn.key().as_str().to_owned(),
        Err(_) => text.to_owned(),
    };
    let is_shown = |attribute: &str, text: &str| {
        let values = shown.iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute)).flat_map(|(_, values)| values);
        values.filter_map(|value| std::str::from_utf8(value).ok()).any(|value| value == text || spelt(value) == spelt(text))
    };
    texts(entry).into_iter().filter(|(attribute, text)| !is_shown(attribute, text)).collect()
}

fn texts(entry: &Entry) -> Vec<(String, String)> {
    let of = |name: &str| entry.texts(name).map(|text| (name.to_owned(), text.to_owned())).collect::<Vec<_>>();
    entry.attributes().flat_map(|(name, _)| of(name)).collect()
}

/// A text as SCIM shows it: the name of an entry as the id of its resource.
fn shown(text: &str) -> String {
    let name = text.parse::<Dn>().ok().and_then(|dn| NAMES.get(&dn.key()).cloned());
    name.map_or_else(|| text.to_owned(), |name| name.id.to_string())
}

/// The attributes of an entry and their values, in no order.
fn contents(entry: &Entry) -> Vec<(String, Vec<Vec<u8>>)> {
    let sorted = |(name, values): (&str, &[Vec<u8>])| {
        let mut values = values.to_vec();
        values.sort();
        (name.to_ascii_lowercase(), values)
    };
    let mut all: Vec<_> = entry.attributes().map(sorted).collect();
    all.sort();
    all
}

/// Attributes of the entry that hold something that differs between the resources, or follows from it.
fn may_differ(side: &ResourceMapping, old: &Resource, new: &Resource) -> Vec<String> {
    let differs = |rule: &&rule::Rule| old.attribute(&rule.path) != new.attribute(&rule.path);
    let attributes = side.rules.iter().filter(differs).map(|rule| rule.attribute.to_ascii_lowercase());
    let filled = ["cn", "sn", "objectclass", "scimgateactive"].map(str::to_owned);
    attributes.chain(filled).collect()
}

fn changed_attributes(before: &Entry, after: &Entry) -> Vec<String> {
    let (before, after) = (contents(before), contents(after));
    let names: HashSet<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    let of = |all: &[(String, Vec<Vec<u8>>)], name: &String| all.iter().find(|(found, _)| found == name).cloned();
    names.into_iter().filter(|name| of(&before, name) != of(&after, name)).cloned().collect()
}

/// A mapping that makes things hard: references, flags and numbers in odd places, values that compare finer or coarser than SCIM
/// does, items without a type and items without a value.
pub(super) static ODD: LazyLock<Mapping> = LazyLock::new(|| {
    let attribute = |name: &str, kind: &str| json!({ "name": name, "type": kind, "multiValued": false });
    let schema = json!({ "id": "urn:x", "name": "X", "description": "", "attributes": [
        attribute("flag", "boolean"), attribute("odd", "boolean"), attribute("count", "integer"), attribute("rate", "decimal"),
        attribute("when", "dateTime"), attribute("blob", "binary"), attribute("code", "string"),
    ] });
    let extension = crate::scim::Schema::from_json(&schema).unwrap();
    let registry = SchemaRegistry::builtin().extended(vec![extension], Vec::new());
    let mut config = config();
    config.users.attributes = lines(&[
        ("nickName", "labeledURI"),
        ("profileUrl", "employeeType"),
        ("userType", ""),
        ("externalId", "employeeNumber"),
        (&format!("{ENTERPRISE}:employeeNumber"), "scimgateNickName"),
        ("emails.value", "mail"),
        ("phoneNumbers[type eq \"work\"].display", "description"),
        ("addresses[type eq \"home\"].region", "l"),
        ("urn:x:flag", "scimgateActive"),
        ("urn:x:odd", "scimgateLocale"),
        ("urn:x:count", "scimgateTimezone"),
        ("urn:x:rate", "scimgateDivision"),
        ("urn:x:when", "scimgateCostCenter"),
        ("urn:x:blob", "jpegPhoto"),
        ("urn:x:code", "uidNumber"),
    ]);
    config.active =
        ActiveRule::Attribute { name: "preferredLanguage".to_owned(), enabled: "en".to_owned(), disabled: "Ana Ruiz".to_owned() };
    compile_with(&config, &registry, &capabilities(Loaded { ours: true, ppolicy: false })).unwrap().mapping
});

/// A directory that does not show its schema.
pub(super) static HIDDEN: LazyLock<Mapping> = LazyLock::new(|| {
    let hidden = Capabilities { schema: Subschema::default(), ..capabilities(Loaded { ours: false, ppolicy: false }) };
    compile_with(&config(), &SchemaRegistry::builtin(), &hidden).unwrap().mapping
});

static PPOLICY: LazyLock<Mapping> = LazyLock::new(|| compiled(&config(), Loaded { ours: false, ppolicy: true }));

/// An entry of a user, whatever its attributes hold.
fn user_entry() -> impl Strategy<Value = Entry> {
    let odd = prop_oneof![
        Just(("scimgateActive", "TRUE")),
        Just(("scimgateActive", "FALSE")),
        Just(("scimgateLocale", "yes")),
        Just(("scimgateLocale", "true")),
        Just(("scimgateTimezone", "7")),
        Just(("scimgateTimezone", "seven")),
        Just(("scimgateDivision", "1.5")),
        Just(("scimgateCostCenter", "20261125120000.5Z")),
        Just(("uidNumber", "7")),
        Just(("preferredLanguage", "ana  RUIZ")),
        Just(("employeeNumber", "Ana")),
        Just(("facsimileTelephoneNumber", "555")),
        Just(("pwdAccountLockedTime", "000001010000Z")),
        Just(("pwdAccountLockedTime", "20261125120000Z")),
        Just(("createTimestamp", "20261125115959Z")),
        Just(("createTimestamp", "20261125120000.7Z")),
    ];
    let odd = prop::collection::vec(odd.prop_map(|(name, value)| (name, value.to_owned())), 0..4);
    (values::user(), values::extras(), odd).prop_map(|(body, extras, odd)| {
        let mut entry = model::add(&created(&MAPPING.users, &user(body))).unwrap();
        for (attribute, _) in &odd {
            let clear = Modification::new(ModifyOp::Replace, attribute, Vec::new());
            entry = model::modify(&entry, &[clear]).unwrap();
        }
        with_extras(entry, &[odd, extras].concat())
    })
}

fn group_entry() -> impl Strategy<Value = Entry> {
    (values::group(), values::group_extras()).prop_map(|(body, extras)| {
        let entry = model::add(&created(&MAPPING.groups, &resource(&MAPPING.groups, body))).unwrap();
        with_extras(entry, &extras)
    })
}

/// The gateway's promise about lists: an exact translation finds just what matches, any other at least that.
fn searches_lawfully(side: &ResourceMapping, entry: &Entry, filters: Vec<Filter<AttrPath>>) -> Result<(), TestCaseError> {
    let resource = read(side, entry);
    for filter in filters {
        let bound = filter.bind(&side.ty, &mut Dialect::default()).unwrap();
        let filter = values::fill(bound, side, &resource, entry);
        let translation = side.translate(&filter, &TARGETS).unwrap();
        let found = evaluate(&translation.search, entry) == Some(true);
        let matches = filter.matches(&resource);
        prop_assert!(!matches || found, "{} is not found by {}", filter, translation.search);
        prop_assert!(!translation.exact || found == matches, "{} is found by {}", filter, translation.search);
    }
    Ok(())
}

/// No more cases than a test run has the time for; none are kept beside the sources.
fn few(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few(96))]

    #[test]
    fn a_user_reads_back_as_it_was_written(body in values::user()) {
        let entry = created(&MAPPING.users, &user(body.clone()));
        let stored = model::add(&entry);
        prop_assert!(stored.is_ok(), "refused with {:?}: {:?}", stored, entry);
        prop_assert_eq!(settable(&read(&MAPPING.users, &stored.unwrap())), read_back(&body));
    }

    #[test]
    fn numbers_flags_times_and_bytes_read_back_as_they_were_written(
        (flag, odd) in any::<(bool, bool)>(),
        count in prop_oneof![any::<i64>().prop_map(serde_json::Number::from), any::<u64>().prop_map(serde_json::Number::from)],
        rate in prop_oneof![any::<f64>().prop_filter("a JSON number", |f| f.is_finite()), (-9i32..9).prop_map(f64::from)],
        (second, nanosecond) in (-62_167_219_200i64..253_402_207_200, prop_oneof![Just(0), 0..1_000_000_000i32]),
        blob in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        use base64::Engine as _;
        let when = jiff::Timestamp::new(second, if second < 0 { 0 } else { nanosecond }).unwrap().to_string();
        let blob = base64::engine::general_purpose::STANDARD.encode(blob);
        let own = json!({ "flag": flag, "odd": odd, "count": count, "rate": rate, "when": when, "blob": blob });
        let user = resource(&ODD.users, json!({ "userName": "ana", "urn:x": own }));
        let stored = model::add(&created(&ODD.users, &user));
        prop_assert!(stored.is_ok(), "refused with {:?}", stored);
        let read = read(&ODD.users, &stored.unwrap());
        prop_assert_eq!(read.map().get("urn:x"), Some(&own));
    }

    #[test]
    fn a_group_reads_back_as_it_was_written(body in values::group()) {
        let group = resource(&MAPPING.groups, body);
        let stored = model::add(&created(&MAPPING.groups, &group));
        prop_assert!(stored.is_ok());
        let mut expected = settable(&group);
        if let Some(Value::Array(members)) = expected.get_mut("members") {
            members.dedup();
        }
        prop_assert_eq!(settable(&read(&MAPPING.groups, &stored.unwrap())), expected);
    }

    #[test]
    fn a_change_makes_the_new_resource_and_touches_nothing_else(entry in user_entry(), body in values::user()) {
        let side = &MAPPING.users;
        let old = read(side, &entry);
        let new = user(body.clone());
        let change = side.change(&entry, &old, &new, &TARGETS).unwrap();
        let changed = model::apply(&entry, &change);
        prop_assert!(changed.is_ok(), "{:?} is refused with {:?}", change, changed);
        let changed = changed.unwrap();

        let unseen = unseen(side, &entry, &old);
        let expected = read_back(&body);
        let mut after = settable(&read(side, &changed));
        without_unseen(&mut after, Some(&expected), &unseen.iter().map(|(_, text)| shown(text)).collect());
        prop_assert_eq!(after, expected);

        let wanted = side.values(&new, &TARGETS).unwrap();
        let left: HashSet<(String, String)> = texts(&changed).into_iter().collect();
        for (attribute, text) in unseen.into_iter().filter(|(attribute, _)| attribute != "scimgateActive") {
            let respelt = wanted.get(&attribute).is_some_and(|values| {
                values.iter().any(|value| email_key(std::str::from_utf8(value).unwrap()) == email_key(&text))
            });
            prop_assert!(respelt || left.contains(&(attribute.clone(), text.clone())), "{attribute}={text} is lost");
        }

        let allowed = may_differ(side, &old, &new);
        for attribute in changed_attributes(&entry, &changed) {
            prop_assert!(allowed.contains(&attribute), "{attribute} is touched");
        }
    }

    #[test]
    fn nothing_is_done_where_nothing_differs(user in user_entry(), group in group_entry()) {
        for (side, entry) in [(&MAPPING.users, user), (&MAPPING.groups, group)] {
            let same = read(side, &entry);
            let change = side.change(&entry, &same, &same, &TARGETS).unwrap();
            prop_assert!(change.is_empty(), "{:?}", change);
        }
    }

    #[test]
    fn a_group_is_changed_and_keeps_a_member(entry in group_entry(), body in values::group()) {
        let side = &MAPPING.groups;
        let old = read(side, &entry);
        let new = resource(side, body);
        let change = side.change(&entry, &old, &new, &TARGETS).unwrap();
        let changed = model::apply(&entry, &change);
        prop_assert!(changed.is_ok(), "{:?} is refused with {:?}", change, changed);
        let changed = changed.unwrap();
        let mut expected = settable(&new);
        if let Some(Value::Array(members)) = expected.get_mut("members") {
            members.dedup();
        }
        prop_assert_eq!(settable(&read(side, &changed)), expected);
        let strangers = |entry: &Entry| entry.texts("member").filter(|text| text.contains("elsewhere") || text.contains("sn=")).count();
        prop_assert_eq!(strangers(&entry), strangers(&changed));
    }

    #[test]
    fn a_patch_of_a_user_has_one_meaning(entry in user_entry(), operations in values::user_operations()) {
        let side = &MAPPING.users;
        let patch = patch(side, &operations);
        let old = read(side, &entry);
        let oracle = patched(side, &entry, &old, &patch);
        match side.plan(&patch).unwrap() {
            Plan::Direct(changes) => {
                let changes: Vec<Modification> = changes.into_iter().chain(side.adoption(&entry)).collect();
                let direct = model::modify(&entry, &changes);
                let oracle = oracle.unwrap();
                let direct = direct.unwrap();
                prop_assert_eq!(settable(&read(side, &direct)), settable(&read(side, &oracle)));
                // Without a look at the entry, TRUE is written where nothing would do.
                let differing = changed_attributes(&direct, &oracle);
                prop_assert!(differing.iter().all(|name| name == "scimgateactive"), "{:?}", differing);
            }
            Plan::Members { .. } => prop_assert!(false, "a user has no members"),
            Plan::ReadModifyWrite => {}
        }
    }

    #[test]
    fn a_patch_of_a_group_has_one_meaning((entry, operations) in group_entry().prop_flat_map(|entry| {
        let name = read(&MAPPING.groups, &entry).text("displayName").unwrap().to_owned();
        (Just(entry), values::group_operations(vec![name.clone(), name, "another".to_owned()]))
    })) {
        let side = &MAPPING.groups;
        let patch = patch(side, &operations);
        let old = read(side, &entry);
        let oracle = patched(side, &entry, &old, &patch);
        match side.plan(&patch).unwrap() {
            Plan::Members { change, name } if name.as_ref().is_none_or(|name| side.is_named(&entry.dn, name)) => {
                let ids: HashSet<&String> = change.add.iter().chain(&change.remove).collect();
                prop_assert_eq!(ids.len(), change.add.len() + change.remove.len());
                let oracle = oracle.unwrap();
                let members = with_members(side, &entry, &change);
                prop_assert_eq!(settable(&read(side, &members)), settable(&read(side, &oracle)));
            }
            Plan::Direct(changes) => prop_assert!(false, "a group is changed by {:?}", changes),
            Plan::Members { .. } | Plan::ReadModifyWrite => {}
        }
    }
}

proptest! {
    #![proptest_config(few(192))]

    #[test]
    fn a_search_for_users_finds_what_matches((entry, filters) in values::searched(&MAPPING.users, user_entry())) {
        searches_lawfully(&MAPPING.users, &entry, filters)?;
    }

    #[test]
    fn a_search_through_an_odd_mapping_finds_what_matches((entry, filters) in values::searched(&ODD.users, user_entry())) {
        searches_lawfully(&ODD.users, &entry, filters)?;
    }

    #[test]
    fn a_search_in_a_hidden_schema_finds_what_matches((entry, filters) in values::searched(&HIDDEN.users, user_entry())) {
        searches_lawfully(&HIDDEN.users, &entry, filters)?;
    }

    #[test]
    fn a_search_for_locked_users_finds_what_matches((entry, filters) in values::searched(&PPOLICY.users, user_entry())) {
        searches_lawfully(&PPOLICY.users, &entry, filters)?;
    }

    #[test]
    fn a_search_for_groups_finds_what_matches((entry, filters) in values::searched(&MAPPING.groups, group_entry())) {
        searches_lawfully(&MAPPING.groups, &entry, filters)?;
    }
}

fn patch(side: &ResourceMapping, operations: &[Value]) -> PatchRequest {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    PatchRequest::parse(body, &side.ty, &Budgets::default(), &mut Dialect::default()).unwrap()
}

/// The entry after the PATCH, by reading, applying and writing the difference; `None` if it is refused.
fn patched(side: &ResourceMapping, entry: &Entry, old: &Resource, patch: &PatchRequest) -> Option<Entry> {
    let mut new = old.clone();
    patch.apply(&mut new, &side.ty, &mut Dialect::default()).ok()?;
    let change = side.change(entry, old, &new, &TARGETS).ok()?;
    Some(model::apply(entry, &change).unwrap())
}

/// The entry after members were added and taken away, the present ones and the absent ones passed over.
fn with_members(side: &ResourceMapping, entry: &Entry, change: &MemberChange) -> Entry {
    let attribute = side.member_attribute().unwrap();
    let present: HashSet<_> = entry.texts(attribute).map(|text| dn(text).key()).collect();
    let values = |ids: &[String], wanted: bool| {
        let names = ids.iter().filter_map(|id| TARGETS.get(id)).filter(|dn| present.contains(&dn.key()) == wanted);
        names.map(|dn| dn.to_string().into_bytes()).collect::<Vec<_>>()
    };
    let (gone, come) = (values(&change.remove, true), values(&change.add, false));
    let mut changes = Vec::new();
    if present.len() + come.len() == gone.len() {
        changes.push(side.placeholder_change(attribute));
    }
    let of = |op: ModifyOp, values: Vec<Vec<u8>>| (!values.is_empty()).then(|| Modification::new(op, attribute, values));
    changes.extend([of(ModifyOp::Delete, gone), of(ModifyOp::Add, come)].into_iter().flatten());
    model::modify(entry, &changes).unwrap()
}

#[test]
fn the_odd_mapping_is_odd() {
    let shown: Map<String, Value> = {
        let mut entry = created(&MAPPING.users, &user(json!({ "userName": "ana" })));
        entry.push_text("scimgateTimezone", "7");
        entry.push_text("scimgateDivision", "1.5");
        entry.push_text("scimgateLocale", "true");
        entry.push_text("scimgateCostCenter", "20261125120000Z");
        entry.push_text("jpegPhoto", "a\u{0}");
        read(&ODD.users, &entry).into_map()
    };
    let expected = json!({ "odd": true, "count": 7, "rate": 1.5, "when": "2026-11-25T12:00:00Z", "blob": "YQA=" });
    assert_eq!(shown.get("urn:x"), Some(&expected));
}
