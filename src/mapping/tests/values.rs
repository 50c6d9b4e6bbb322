//! Resources, entries and filters at random, with what an attacker or a careless HR system puts into them.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::{ID, MAPPING, PEOPLE, STRANGERS, read};
use crate::directory::Entry;
use crate::mapping::ResourceMapping;
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::{AttrPath, AttrType, BoundPath, Resource};

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Few, so that values meet; with everything that DNs and filters escape, and what differs in space and case alone.
const TEXTS: &[&str] = &[
    "ana",
    "Ana",
    "ana ruiz",
    "ANA  Ruiz",
    " ana",
    "ana ",
    "ruiz",
    "a",
    "a  b",
    "A,b+c",
    "\"q\"",
    "back\\slash",
    "*",
    "(uid=*)",
    "a\0b",
    "a\tb\n",
    "é",
    "É",
    "\u{212a}",
    "日本 👋",
    "#hash",
    "<>;=",
    "7",
    "07",
    "TRUE",
    "-",
    "k",
];

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(TEXTS).prop_map(str::to_owned),
        2 => of_chars(" aA,+\"\\<>;=#*()\0éÉ日", 8),
        1 => Just("x, ".repeat(100)),
    ]
}

/// Some of these characters. A pattern would be compiled anew for each text.
fn of_chars(chars: &str, most: usize) -> impl Strategy<Value = String> + use<> {
    prop::collection::vec(select(chars.chars().collect::<Vec<_>>()), 1..most).prop_map(String::from_iter)
}

/// Text that can name an entry: not too long, and with something in it that is not space.
pub(super) fn name() -> impl Strategy<Value = String> {
    text().prop_filter("names an entry", |text| !text.trim().is_empty() && text.len() < 60)
}

fn ascii() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["ana@x", "Ana@X", "k@x", " ana@x", "b c@x", "B  C@x", "*", "a\u{7f}@x"]).prop_map(str::to_owned),
        1 => of_chars(" aA@.\"\\*", 6),
    ]
}

fn phone() -> impl Strategy<Value = String> {
    let known = select(vec!["+1 555", "+1-555", "+1555", "555", "555 ext. 7", "a'b", "--", "(5)"]).prop_map(str::to_owned);
    prop_oneof![3 => known, 1 => of_chars("015 ax+,()/.-", 6)]
}

pub(super) fn id() -> impl Strategy<Value = String> {
    let known: Vec<String> = PEOPLE.iter().map(|(_, id, _)| (*id).to_owned()).collect();
    select(known)
}

/// The body of a user that the directory accepts.
pub(super) fn user() -> impl Strategy<Value = Value> {
    let of = |names: &'static [&'static str]| prop::collection::btree_map(select(names), text(), 0..4);
    let types = select(vec!["work", "mobile", "home", "fax", "pager"]);
    (
        name(),
        of(&["formatted", "familyName", "givenName", "middleName", "honorificPrefix"]),
        of(&["displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "externalId", "profileUrl"]),
        prop::collection::vec((ascii(), any::<bool>()), 0..3),
        prop::collection::btree_map(types, prop::collection::vec(phone(), 1..3), 0..3),
        of(&["streetAddress", "locality", "region", "postalCode", "country"]),
        of(&["employeeNumber", "costCenter", "organization", "division", "department"]),
        prop::option::of(id()),
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(user_name, name, simple, emails, phones, address, enterprise, manager, active)| {
            let mut body = object(simple);
            body.insert("userName".to_owned(), user_name.into());
            body.insert("name".to_owned(), object(name).into());
            let email =
                |(value, typed)| if typed { json!({ "value": value, "type": "work" }) } else { json!({ "value": value }) };
            body.insert("emails".to_owned(), emails.into_iter().map(email).collect());
            let phone = |(kind, values): (&str, Vec<String>)| {
                values.into_iter().map(|value| json!({ "value": value, "type": kind })).collect::<Vec<_>>()
            };
            body.insert("phoneNumbers".to_owned(), phones.into_iter().flat_map(phone).collect());
            if !address.is_empty() {
                let mut address = object(address);
                address.insert("type".to_owned(), "work".into());
                body.insert("addresses".to_owned(), json!([address]));
            }
            let mut enterprise = object(enterprise);
            if let Some(manager) = manager {
                enterprise.insert("manager".to_owned(), json!({ "value": manager }));
            }
            body.insert(ENTERPRISE.to_owned(), enterprise.into());
            if let Some(active) = active {
                body.insert("active".to_owned(), active.into());
            }
            Value::Object(body)
        })
}

fn object(map: std::collections::BTreeMap<&str, String>) -> Map<String, Value> {
    map.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// The body of a group.
pub(super) fn group() -> impl Strategy<Value = Value> {
    (name(), prop::option::of(text()), prop::collection::vec(id(), 0..4)).prop_map(|(name, external_id, members)| {
        let members: Vec<Value> = members.into_iter().map(|id| json!({ "value": id })).collect();
        json!({ "displayName": name, "externalId": external_id, "members": members })
    })
}

/// What other programs put into the entry of a user: values SCIM has no room for, attributes it does not know, names of nobody.
pub(super) fn extras() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let several = select(vec!["title", "o", "givenName", "sn", "cn", "uid", "departmentNumber", "street", "l", "description"]);
    let visible = PEOPLE.iter().map(|(_, _, dn)| *dn);
    let names: Vec<String> = visible.chain(STRANGERS.iter().copied()).map(str::to_owned).collect();
    let one = prop_oneof![
        4 => (several, text()),
        1 => (Just("manager"), select(names)),
        1 => (Just("mail"), ascii()),
        1 => (select(vec!["telephoneNumber", "mobile"]), phone()),
        1 => (Just("labeledURI"), text()),
    ];
    prop::collection::vec(one, 0..4)
}

/// What other programs put into a group.
pub(super) fn group_extras() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let one = prop_oneof![
        (select(vec!["cn", "description", "o"]), text()),
        (Just("member"), select(STRANGERS).prop_map(str::to_owned)),
    ];
    prop::collection::vec(one, 0..4)
}

/// The entry with those of the values that it can take.
pub(super) fn with_extras(mut entry: Entry, extras: &[(&'static str, String)]) -> Entry {
    for (attribute, value) in extras {
        let add =
            crate::directory::Modification::new(crate::directory::ModifyOp::Add, attribute, vec![value.as_bytes().to_vec()]);
        if let Ok(more) = super::model::modify(&entry, &[add]) {
            entry = more;
        }
    }
    entry
}

/// Every path of a resource type that a filter may name, but for a user's groups.
pub(super) fn paths(side: &ResourceMapping) -> Vec<BoundPath> {
    let common = ["id", "schemas", "meta", "meta.created", "meta.lastModified", "meta.resourceType", "meta.version"];
    let common = common.into_iter().filter_map(|text| side.ty.resolve_str(text));
    let attributes = side.ty.attributes().filter(|path| !matches!(path.attribute.name.as_str(), "groups" | "password"));
    let with_subs = attributes.flat_map(|path| {
        let subs: Vec<BoundPath> = path.attribute.sub_attributes.iter().map(|sub| path.with_sub(sub.clone())).collect();
        std::iter::once(path).chain(subs)
    });
    common.chain(with_subs).collect()
}

fn time() -> impl Strategy<Value = String> {
    let known = [
        "2026-11-25T12:00:00Z",
        "2026-11-25T13:00:00+01:00",
        "2026-11-25T12:00:00.5Z",
        "2026-11-25T11:59:59.999Z",
        "2026-11-25T13:00:00Z",
        "2020-01-01T00:00:00Z",
        "9999-12-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "-000001-01-01T00:00:00Z",
    ];
    select(known.to_vec()).prop_map(str::to_owned)
}

fn literal(path: &BoundPath) -> BoxedStrategy<String> {
    match (path.attribute.name.as_str(), path.sub_name()) {
        ("id", _) => select(vec![ID.to_owned(), ID.to_uppercase(), PEOPLE[0].1.to_owned(), "x".to_owned()]).boxed(),
        ("members" | "manager", Some("value")) => {
            prop_oneof![4 => id(), 1 => id().prop_map(|id| id.to_uppercase()), 1 => text()].boxed()
        }
        (_, Some("type")) => select(vec!["work", "WORK", "home", "mobile", "fax", "User", "x"]).prop_map(str::to_owned).boxed(),
        ("emails", _) => prop_oneof![ascii(), text()].boxed(),
        ("phoneNumbers", _) => prop_oneof![phone(), text()].boxed(),
        _ => text().boxed(),
    }
}

/// Stands for a value of the resource itself, varied; [`fill`] puts it in.
const OWN: char = '\u{e000}';

fn own() -> impl Strategy<Value = String> {
    (0usize..4, 0usize..8).prop_map(|(which, variant)| format!("{OWN}{which}{variant}"))
}

/// A text that compares as another does, or nearly so.
fn varied(text: &str, variant: usize) -> String {
    let half = text.chars().count().div_ceil(2);
    match variant {
        0 | 1 => text.to_owned(),
        2 => text.to_uppercase(),
        3 => text.to_lowercase(),
        4 => format!("  {} ", text.replace(' ', "   ")),
        5 => text.chars().take(half).collect(),
        6 => text.chars().skip(half).collect(),
        _ => text.chars().filter(|c| *c != ' ').collect(),
    }
}

/// The filter with values where it asks for them: of the resource, and those of the entry that SCIM does not show.
pub(super) fn fill(filter: Filter<BoundPath>, side: &ResourceMapping, resource: &Resource, entry: &Entry) -> Filter<BoundPath> {
    let boxed = |filter: Box<Filter<BoundPath>>| Box::new(fill(*filter, side, resource, entry));
    match filter {
        Filter::And(a, b) => Filter::And(boxed(a), boxed(b)),
        Filter::Or(a, b) => Filter::Or(boxed(a), boxed(b)),
        Filter::Not(inner) => Filter::Not(boxed(inner)),
        Filter::ValuePath { path, filter } => Filter::ValuePath { path, filter: boxed(filter) },
        Filter::Compare { path, op, value: Literal::String(text) } if text.starts_with(OWN) => {
            let mut digits = text.chars().filter_map(|c| c.to_digit(10)).map(|digit| digit as usize);
            let (which, variant) = (digits.next().unwrap_or(0), digits.next().unwrap_or(0));
            let stored = side.rules.iter().filter(|rule| rule.path == path).flat_map(|rule| entry.texts(&rule.attribute));
            let texts: Vec<&str> = resource.values(&path).into_iter().filter_map(Value::as_str).chain(stored).collect();
            let text = texts.get(which % texts.len().max(1)).copied().unwrap_or("ana");
            Filter::Compare { path, op, value: Literal::String(varied(text, variant)) }
        }
        Filter::Compare { .. } | Filter::Present(_) => filter,
    }
}

/// A comparison that fits the attribute.
fn comparison(path: &BoundPath, name: String) -> BoxedStrategy<Filter<AttrPath>> {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let on = AttrPath { text: name };
    let present = Just(Filter::Present(on.clone())).boxed();
    let compare = |ops: Vec<CompareOp>, value: BoxedStrategy<Literal>| {
        let on = on.clone();
        (select(ops), value).prop_map(move |(op, value)| Filter::Compare { path: on.clone(), op, value }).boxed()
    };
    let null = compare(vec![Eq, Ne], Just(Literal::Null).boxed());
    let literals = |strategy: BoxedStrategy<String>| strategy.prop_map(Literal::String).boxed();
    let texts = |strategy: BoxedStrategy<String>| literals(prop_oneof![strategy, own()].boxed());
    let number = prop_oneof![
        (-8i64..9).prop_map(|n| Literal::Number(n.into())),
        Just(Literal::Number(serde_json::Number::from_f64(1.5).unwrap()))
    ];
    let compared = match path.leaf().kind {
        AttrType::Complex => return prop_oneof![present, null].boxed(),
        AttrType::String => compare(CompareOp::ALL.to_vec(), texts(literal(path))),
        AttrType::Reference | AttrType::Binary => compare(vec![Eq, Ne, Co, Sw, Ew], texts(literal(path))),
        AttrType::Boolean => compare(vec![Eq, Ne], any::<bool>().prop_map(Literal::Boolean).boxed()),
        AttrType::DateTime => compare(vec![Eq, Ne, Gt, Ge, Lt, Le], literals(time().boxed())),
        AttrType::Integer | AttrType::Decimal => compare(vec![Eq, Ne, Gt, Ge, Lt, Le], number.boxed()),
    };
    prop_oneof![1 => present, 1 => null, 8 => compared].boxed()
}

fn nested(leaf: BoxedStrategy<Filter<AttrPath>>, depth: u32) -> BoxedStrategy<Filter<AttrPath>> {
    leaf.prop_recursive(depth, 6, 2, |inner| {
        let pair = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            3 => pair.clone().prop_map(|(a, b)| Filter::And(a, b)),
            2 => pair.prop_map(|(a, b)| Filter::Or(a, b)),
            2 => inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

/// An entry and filters, more often over what it has than over what it has not, value paths included. Several filters, for an
/// entry costs more to draw.
pub(super) fn searched(
    side: &'static ResourceMapping,
    entry: impl Strategy<Value = Entry>,
) -> impl Strategy<Value = (Entry, Vec<Filter<AttrPath>>)> {
    let all = paths(side);
    entry.prop_flat_map(move |entry| {
        let resource = read(side, &entry);
        let present: Vec<BoundPath> = all.iter().filter(|path| !resource.values(path).is_empty()).cloned().collect();
        let alone = prop_oneof![2 => alone(present), 1 => alone(all.clone())].boxed();
        (Just(entry), prop::collection::vec(prop_oneof![1 => alone.clone(), 1 => nested(alone, 3)], 8))
    })
}

/// A comparison or a value path.
fn alone(paths: Vec<BoundPath>) -> BoxedStrategy<Filter<AttrPath>> {
    let is_whole = |path: &&BoundPath| path.sub.is_none() && path.attribute.kind == AttrType::Complex;
    let complex: Vec<BoundPath> = paths.iter().filter(is_whole).cloned().collect();
    let plain = select(paths).prop_flat_map(|path| comparison(&path, path.to_string()));
    let value_path = select(complex).prop_flat_map(|path| {
        let subs: Vec<BoundPath> = path.attribute.sub_attributes.iter().map(|sub| path.with_sub(sub.clone())).collect();
        let inner = select(subs).prop_flat_map(|path| comparison(&path, path.sub_name().unwrap_or_default().to_owned()));
        let path = AttrPath { text: path.to_string() };
        nested(inner.boxed(), 2).prop_map(move |filter| Filter::ValuePath { path: path.clone(), filter: Box::new(filter) })
    });
    prop_oneof![2 => plain, 1 => value_path].boxed()
}

/// Operations on attributes of a user, as the JSON of a PATCH request.
pub(super) fn user_operations() -> impl Strategy<Value = Vec<Value>> {
    let path = select(vec![
        "displayName".to_owned(),
        "nickName".to_owned(),
        "title".to_owned(),
        "externalId".to_owned(),
        "preferredLanguage".to_owned(),
        "userName".to_owned(),
        "name.familyName".to_owned(),
        "name.middleName".to_owned(),
        format!("{ENTERPRISE}:employeeNumber"),
        format!("{ENTERPRISE}:department"),
        format!("{ENTERPRISE}:costCenter"),
        "emails[type eq \"work\"].value".to_owned(),
        "phoneNumbers[type eq \"mobile\"].value".to_owned(),
    ]);
    let set = (select(vec!["add", "replace"]), path.clone(), name()).prop_map(|(op, path, value)| {
        let value = if path.starts_with("emails") || path.starts_with("phone") { "7".to_owned() } else { value };
        json!({ "op": op, "path": path, "value": value })
    });
    let clear = path.prop_map(|path| json!({ "op": "remove", "path": path }));
    let active = any::<bool>().prop_map(|active| json!({ "op": "replace", "value": { "active": active } }));
    let one = prop_oneof![5 => set, 2 => clear, 2 => active, 1 => Just(json!({ "op": "remove", "path": "active" }))];
    prop::collection::vec(one, 1..4)
}

/// Operations on members and name of a group.
pub(super) fn group_operations(names: Vec<String>) -> impl Strategy<Value = Vec<Value>> {
    let unknown = Just("dddddddd-6666-4666-8666-666666666666".to_owned());
    let ids = || prop::collection::vec(prop_oneof![6 => id(), 1 => unknown.clone()], 0..4);
    let items = |ids: Vec<String>| ids.into_iter().map(|id| json!({ "value": id })).collect::<Vec<_>>();
    let one = prop_oneof![
        3 => ids().prop_map(move |ids| json!({ "op": "add", "path": "members", "value": items(ids) })),
        2 => ids().prop_map(move |ids| json!({ "op": "remove", "path": "members", "value": items(ids) })),
        3 => id().prop_map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") })),
        1 => ids().prop_map(move |ids| json!({ "op": "replace", "path": "members", "value": items(ids) })),
        1 => Just(json!({ "op": "remove", "path": "members" })),
        2 => select(names).prop_map(|name| json!({ "op": "replace", "path": "displayName", "value": name })),
        1 => name().prop_map(|name| json!({ "op": "replace", "value": { "externalId": name } })),
    ];
    prop::collection::vec(one, 1..5)
}

#[test]
fn every_path_of_the_resource_types_is_drawn() {
    let all: Vec<String> = paths(&MAPPING.users).iter().map(ToString::to_string).collect();
    for path in ["id", "externalId", "active", "emails.primary", "addresses.country", &format!("{ENTERPRISE}:manager.value")] {
        assert!(all.iter().any(|found| found == path), "{path}");
    }
}
