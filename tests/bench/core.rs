//! What the pure core costs: `cargo bench --bench core`. Parsing what clients send, mapping between resources and entries, printing
//! what they get. No directory, no network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a measurement ends where something is wrong")]

use std::collections::HashSet;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use scimgate::config::DataConfig;
use scimgate::directory::{Capabilities, Definitions, Dn, Entry, Subschema, Vendor};
use scimgate::mapping::{
    ActiveRule, ContainerConfig, Groups, Linked, Mapping, MappingConfig, Name, Names, OnDelete, Passwords, ReadContext, Targets,
    UserNameRule,
};
use scimgate::resources;
use scimgate::scim::{Budgets, Dialect, Json, Kind, ListQuery, PatchRequest, Projection, Resource, Resources, list_response};
use serde_json::{Value, json};

const BASE_URL: &str = "https://scim.example.com/scim/v2";
const TEXT: &str = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";
const NAME: &str = "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12";
const TIME: &str = "EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE";
/// Attributes of a directory that holds the usual things of people and groups.
const TEXTS: &str = "uid cn sn givenName displayName mail title telephoneNumber mobile homePhone l st street postalCode \
                     description employeeNumber employeeType departmentNumber preferredLanguage o ou";

fn main_mapping() -> Mapping {
    let mut types: Vec<String> =
        TEXTS.split_whitespace().enumerate().map(|(n, name)| format!("( 1.1.{n} NAME '{name}' {TEXT} )")).collect();
    types.extend(
        ["member", "memberOf", "manager"].iter().enumerate().map(|(n, name)| format!("( 1.2.{n} NAME '{name}' {NAME} )")),
    );
    types.extend(
        ["createTimestamp", "modifyTimestamp"].iter().enumerate().map(|(n, name)| format!("( 1.3.{n} NAME '{name}' {TIME} )")),
    );
    types.extend(
        ["entryUUID", "entryCSN"].iter().enumerate().map(|(n, name)| format!("( 1.4.{n} NAME '{name}' {TEXT} SINGLE-VALUE )")),
    );
    let may = TEXTS.split_whitespace().collect::<Vec<_>>().join(" $ ");
    let classes = [
        format!("( 2.5.6.6 NAME 'person' STRUCTURAL MUST ( sn $ cn ) MAY ( {may} ) )"),
        format!("( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP person STRUCTURAL MAY ( {may} $ manager ) )"),
        "( 2.5.6.9 NAME 'groupOfNames' STRUCTURAL MUST ( member $ cn ) MAY ( ou $ o $ description ) )".to_owned(),
    ];
    let definitions = Definitions {
        attribute_types: types.iter().map(String::as_str).collect(),
        object_classes: classes.iter().map(String::as_str).collect(),
        ..Definitions::default()
    };
    let capabilities = Capabilities {
        vendor: Vendor::OpenLdap,
        product: String::new(),
        usn: false,
        controls: HashSet::new(),
        naming_contexts: Vec::new(),
        schema: Subschema::parse(&definitions),
    };
    let resources::Resources { registry, maps } = resources::Resources::load(&DataConfig::default()).unwrap();
    let container = |base: &str| ContainerConfig { base: dn(base), object_classes: None, rdn: None, attributes: Vec::new() };
    let config = MappingConfig {
        users: container("ou=people,dc=example,dc=com"),
        groups: container("ou=groups,dc=example,dc=com"),
        groups_sync: true,
        groups_nested: false,
        member_of: None,
        placeholder: String::new(),
        user_name: UserNameRule::Any,
        existing_users: true,
        default_groups: Vec::new(),
        roles: Vec::new(),
        mark: None,
        active: ActiveRule::Auto,
        passwords: Passwords::Off,
        on_delete: OnDelete::Delete,
    };
    Mapping::compile(&config, &registry, &maps, &capabilities).unwrap_or_else(|error| panic!("{error}")).mapping
}

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

/// A user's entry as a directory gives it.
fn person(n: usize) -> Entry {
    let mut entry = Entry::new(dn(&format!("uid=user{n:05},ou=people,dc=example,dc=com")));
    for (attribute, value) in [
        ("entryUUID", &*format!("{n:08x}-0000-4000-8000-000000000000")),
        ("entryCSN", "20261125192010.100000Z#000000#000#000000"),
        ("createTimestamp", "20261125192010Z"),
        ("modifyTimestamp", "20261125192010Z"),
        ("uid", &format!("user{n:05}")),
        ("cn", "Ana Ruiz"),
        ("sn", "Ruiz"),
        ("givenName", "Ana"),
        ("displayName", &format!("Ana Ruiz {n}")),
        ("mail", &format!("user{n:05}@example.com")),
        ("telephoneNumber", "+47 22 000000"),
        ("mobile", "+47 90 000000"),
        ("title", "Engineer"),
        ("l", "Oslo"),
        ("postalCode", "0150"),
        ("street", "Storgata 1"),
        ("employeeNumber", &n.to_string()),
        ("preferredLanguage", "nb-NO"),
    ] {
        entry.push_text(attribute, value);
    }
    entry
}

/// A group of so many, with what its members are called.
fn group(size: usize) -> (Entry, Names) {
    let mut entry = Entry::new(dn("cn=staff,ou=groups,dc=example,dc=com"));
    entry.push_text("entryUUID", "ffffffff-0000-4000-8000-000000000000");
    entry.push_text("cn", "staff");
    let members: Vec<Entry> = (0..size).map(person).collect();
    let name = |entry: &Entry| {
        let id = entry.text("entryUUID").unwrap_or_default().into();
        (entry.dn.key(), Name { kind: Kind::User, id, display: entry.text("displayName").map(Into::into) })
    };
    entry.push("member", members.iter().map(|member| member.dn.to_string().into_bytes()));
    (entry, members.iter().map(name).collect())
}

fn body() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ana.ruiz@example.com", "active": true,
        "name": { "givenName": "Ana", "familyName": "Ruiz" }, "displayName": "Ana Ruiz", "title": "Engineer",
        "emails": [{ "value": "ana.ruiz@example.com", "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": "+47 22 000000", "type": "work" }, { "value": "+47 90 000000", "type": "mobile" }],
    })
}

fn parse(c: &mut Criterion) {
    let mapping = main_mapping();
    let ty = &mapping.users.ty;
    let mut group = c.benchmark_group("parse");
    let query = "filter=userName+eq+%22ana.ruiz%40example.com%22+and+active+eq+true&startIndex=1&count=100";
    group.bench_function("filter", |b| {
        b.iter(|| ListQuery::from_query(black_box(query), ty, &Budgets::default(), &mut Dialect::default()).unwrap());
    });
    let text = body().to_string();
    group.bench_function("user", |b| {
        b.iter(|| Resource::accept(serde_json::from_str(black_box(&text)).unwrap(), ty, &mut Dialect::default()).unwrap());
    });
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@example.com" }],
    });
    group.bench_function("patch", |b| {
        let parse = |body| PatchRequest::parse(body, ty, &Budgets::default(), &mut Dialect::default()).unwrap();
        b.iter_batched(|| patch.clone(), parse, BatchSize::SmallInput);
    });
    group.bench_function("name", |b| b.iter(|| dn(black_box("uid=user00001,ou=people,dc=example,dc=com")).key()));
    group.finish();
}

fn map(c: &mut Criterion) {
    let mapping = main_mapping();
    let side = &mapping.users;
    let mut group = c.benchmark_group("map");
    let resource = Resource::accept(body(), &side.ty, &mut Dialect::default()).unwrap();
    group.bench_function("user to entry", |b| b.iter(|| side.new_entry(black_box(&resource), &Targets::new()).unwrap()));
    let (entry, names) = (person(1), Names::new());
    let context = ReadContext { base_url: BASE_URL, linked: Linked::Names(&names), groups: None };
    group.bench_function("entry to user", |b| b.iter(|| side.read(black_box(&entry), context)));
    let query =
        ListQuery::from_query("filter=userName+eq+%22ana%22", &side.ty, &Budgets::default(), &mut Dialect::default()).unwrap();
    let filter = query.filter.unwrap();
    group.bench_function("filter to search", |b| {
        b.iter(|| side.translate(black_box(&filter), &Targets::new()).unwrap().search.to_string());
    });
    group.finish();
}

fn serialize(c: &mut Criterion) {
    let mapping = main_mapping();
    let mut bench = c.benchmark_group("serialize");
    let (users, names, groups) = ((0..100).map(person).collect::<Vec<_>>(), Names::new(), Groups::default());
    let view = mapping.users.view(&Projection::Default);
    let context = ReadContext { base_url: BASE_URL, linked: Linked::Names(&names), groups: Some(&groups) };
    let page = || {
        let mut page = Resources::default();
        for entry in &users {
            page.push(&mapping.users.shown(&view, entry, context));
        }
        list_response(10_000, 1, &page).into_bytes()
    };
    bench.throughput(Throughput::Bytes(page().len() as u64));
    bench.bench_function("page of 100", |b| b.iter(page));
    let (entry, names) = group(50);
    let view = mapping.groups.view(&Projection::Default);
    let context = ReadContext { base_url: BASE_URL, linked: Linked::Names(&names), groups: None };
    let whole = || Json::of(&mapping.groups.shown(&view, &entry, context)).into_bytes();
    bench.throughput(Throughput::Bytes(whole().len() as u64));
    bench.bench_function("group of 50", |b| b.iter(whole));
    bench.finish();
}

criterion_group!(benches, parse, map, serialize);
criterion_main!(benches);
