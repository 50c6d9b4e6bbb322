//! The law of the gateway: a filter finds in the directory what it says of the resources.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use scimgate::scim::{Budgets, Dialect, Filter, Resource, SchemaRegistry};
use serde_json::{Value, json};

use crate::support::{ENTERPRISE, Fixture, USER, each};

const USERS: usize = 40;
const FILTERS: usize = 250;

/// Text that means something to LDAP, to SCIM or to neither.
fn text() -> impl Strategy<Value = String> + Clone {
    let word = prop_oneof![
        Just("ana"),
        Just("Ana"),
        Just("RUIZ"),
        Just("é"),
        Just("e\u{301}"),
        Just("ß"),
        Just("*"),
        Just("("),
        Just(")"),
        Just("\\"),
        Just("\""),
        Just(","),
        Just("+"),
        Just("="),
        Just("#"),
        Just(";"),
        Just("<>"),
        Just(" "),
        Just("-"),
        Just("7"),
        Just("日本"),
    ];
    prop::collection::vec(word, 1..4).prop_map(|words| words.concat())
}

/// Text that a directory takes: not blank.
fn stored() -> impl Strategy<Value = String> {
    text().prop_filter("not blank", |text| !text.trim().is_empty())
}

fn number() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![Just("1"), Just("2"), Just(" "), Just("-")], 1..5)
        .prop_map(|digits| format!("+{}3", digits.concat()))
}

fn user() -> impl Strategy<Value = Value> {
    let maybe = || prop::option::of(stored());
    let phone = || prop::option::of(number());
    (maybe(), maybe(), maybe(), (maybe(), maybe()), (phone(), phone()), any::<bool>()).prop_map(
        |(display, title, middle, (external, department), (work, mobile), active)| {
            json!({
                "schemas": [USER],
                "displayName": display,
                "title": title,
                "name": { "middleName": middle },
                "externalId": external,
                "active": active,
                "phoneNumbers": [{ "type": "work", "value": work }, { "type": "mobile", "value": mobile }],
                ENTERPRISE: { "department": department },
            })
        },
    )
}

fn filter() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "displayName".to_owned(),
        "title".to_owned(),
        "name.middleName".to_owned(),
        "externalId".to_owned(),
        "userName".to_owned(),
        "phoneNumbers.value".to_owned(),
        "emails.value".to_owned(),
        format!("{ENTERPRISE}:department"),
        "name.familyName".to_owned(),
    ]);
    let op = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let literal = prop_oneof![text(), number()];
    let compare = (path.clone(), op, literal).prop_map(|(path, op, text)| format!("{path} {op} {}", Value::from(text)));
    let item = (prop::sample::select(vec!["work", "mobile", "home"]), prop::sample::select(vec!["eq", "sw", "co"]), number())
        .prop_map(|(kind, op, text)| format!("phoneNumbers[type eq \"{kind}\" and value {op} {}]", Value::from(text)));
    let leaf = prop_oneof![
        4 => compare,
        1 => path.prop_map(|path| format!("{path} pr")),
        1 => item,
        1 => any::<bool>().prop_map(|active| format!("active eq {active}")),
    ];
    leaf.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|filter| format!("not ({filter})")),
        ]
    })
}

#[tokio::test]
async fn a_filter_finds_in_the_directory_what_it_says_of_the_resources() {
    let Fixture { scim, .. } = &Fixture::set(&[("limits.requests_per_second", "0")]).await;
    let mut runner = TestRunner::deterministic();
    for n in 0..USERS {
        let mut body = user().new_tree(&mut runner).unwrap().current();
        body["userName"] = format!("u{n}@example.com").into();
        scim.post("/Users", body).await.expect(201);
    }
    let all = scim.query("/Users", &[("count", "1000")]).await.expect(200);
    let resources: BTreeMap<String, Resource> = all["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| {
            let mut resource = Resource::new();
            *resource.map_mut() = object.as_object().unwrap().clone();
            (object["id"].as_str().unwrap().to_owned(), resource)
        })
        .collect();
    assert_eq!(resources.len(), USERS);
    let ty = SchemaRegistry::builtin().user;
    let (mut some, mut none) = (0, 0);
    for _ in 0..FILTERS {
        let text = filter().new_tree(&mut runner).unwrap().current();
        let mut dialect = Dialect::default();
        // Ordering by a boolean and the like is refused by both.
        let Ok(filter) =
            Filter::parse(&text, &Budgets::default(), &mut dialect).and_then(|filter| filter.bind(&ty, &mut dialect))
        else {
            continue;
        };
        let said: BTreeSet<String> =
            resources.iter().filter(|(_, resource)| filter.matches(resource)).map(|(id, _)| id.clone()).collect();
        let answer = scim.query("/Users", &[("filter", &text), ("count", "1000"), ("attributes", "userName")]).await.expect(200);
        let found: BTreeSet<String> = each(&answer, "id").into_iter().collect();
        assert_eq!(found, said, "{text}");
        assert_eq!(answer["totalResults"], said.len(), "{text}");
        *(if said.is_empty() { &mut none } else { &mut some }) += 1;
    }
    assert!(some > FILTERS / 4 && none > FILTERS / 20, "{some} filters found something, {none} nothing");
}
