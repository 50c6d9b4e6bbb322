//! Operations on a resource: it stays canonical, and a change is told.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use scimgate::scim::{Budgets, Dialect, Kind, PatchRequest, Resource, SchemaRegistry, urn};
use serde_json::{Map, Value, json};

static REGISTRY: LazyLock<SchemaRegistry> = LazyLock::new(SchemaRegistry::builtin);

#[derive(Debug, Arbitrary)]
struct Operation<'a> {
    op: Op,
    path: Option<Text<'a>>,
    value: Option<Json<'a>>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// One of the texts that mean something, or any.
#[derive(Debug, Arbitrary)]
enum Text<'a> {
    Known(u8),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Json<'a> {
    Null,
    Boolean(bool),
    Number(i16),
    Text(Text<'a>),
    List(Vec<Json<'a>>),
    Object(Vec<(Text<'a>, Json<'a>)>),
}

const KNOWN: &[&str] = &[
    "title",
    "userName",
    "displayName",
    "active",
    "name",
    "name.givenName",
    "givenName",
    "emails",
    "emails.value",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[type eq \"other\" and primary eq true].display",
    "addresses[type eq \"work\"].locality",
    "roles",
    "photos",
    "members",
    "members[value eq \"a\"]",
    "members[type eq \"User\"].display",
    "value",
    "type",
    "primary",
    "display",
    "$ref",
    "work",
    "home",
    "true",
    "a",
    "b",
    "",
    "manager",
    "department",
    urn::ENTERPRISE_USER,
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
];

impl Text<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Known(n) => KNOWN[usize::from(*n) % KNOWN.len()],
            Self::Any(text) => text,
        }
    }
}

impl Json<'_> {
    /// Deeper values than a body may have are cut off.
    fn value(&self, depth: usize) -> Value {
        match self {
            Self::List(_) | Self::Object(_) if depth == 0 => Value::Null,
            Self::Null => Value::Null,
            Self::Boolean(flag) => (*flag).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.text().into(),
            Self::List(items) => items.iter().map(|item| item.value(depth - 1)).collect(),
            Self::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.text().to_owned(), value.value(depth - 1)));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }
}

fn resource(kind: Kind) -> Resource {
    let body = match kind {
        Kind::User => json!({
            "schemas": [urn::USER, urn::ENTERPRISE_USER],
            "userName": "ana@corp.example",
            "name": { "givenName": "Ana", "familyName": "Ruiz" },
            "active": true,
            "emails": [{ "value": "ana@corp.example", "type": "work", "primary": true }, { "value": "a", "type": "home" }],
            urn::ENTERPRISE_USER: { "department": "R&D", "manager": { "value": "m-1" } }
        }),
        Kind::Group => json!({
            "schemas": [urn::GROUP],
            "displayName": "dev",
            "members": [{ "value": "a", "type": "User" }, { "value": "b", "type": "Group" }]
        }),
    };
    Resource::accept(body, REGISTRY.get(kind), &mut Dialect::default()).expect("a resource")
}

fuzz_target!(|operations: Vec<Operation<'_>>| {
    let operations = operations.iter().map(|operation| {
        let mut object = Map::new();
        object.insert("op".to_owned(), format!("{:?}", operation.op).into());
        object.extend(operation.path.as_ref().map(|path| ("path".to_owned(), path.text().into())));
        object.extend(operation.value.as_ref().map(|value| ("value".to_owned(), value.value(8))));
        Value::Object(object)
    });
    let body = json!({ "schemas": [urn::PATCH_OP], "Operations": operations.collect::<Vec<_>>() });
    for kind in [Kind::User, Kind::Group] {
        let ty = REGISTRY.get(kind);
        let mut dialect = Dialect::default();
        let Ok(request) = PatchRequest::parse(body.clone(), ty, &Budgets::default(), &mut dialect) else { continue };
        let before = resource(kind);
        let mut after = before.clone();
        let Ok(changed) = request.apply(&mut after, ty, &mut dialect) else { continue };
        assert!(changed || after == before, "a change went untold");
        let again = Resource::accept(Value::Object(after.map().clone()), ty, &mut Dialect::default());
        assert_eq!(again.as_ref(), Ok(&after), "no longer canonical");
    }
});
