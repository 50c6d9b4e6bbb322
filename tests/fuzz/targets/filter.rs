//! Any text: no filter makes the parser panic, and a filter that is read is printed as a filter that is the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scimgate::scim::{Budgets, Dialect, Filter, Kind, Resource, SchemaRegistry};
use serde_json::json;

static REGISTRY: LazyLock<SchemaRegistry> = LazyLock::new(SchemaRegistry::builtin);

/// Printed again, a filter may be longer, and nested by one level more where a condition was moved into brackets.
fn wide() -> Budgets {
    Budgets { filter_length: usize::MAX, filter_depth: 64, ..Budgets::default() }
}

fuzz_target!(|text: &str| {
    for mut dialect in [Dialect::strict(), Dialect::default()] {
        let Ok(filter) = Filter::parse(text, &Budgets::default(), &mut dialect) else { continue };
        let printed = filter.to_string();
        assert_eq!(Filter::parse(&printed, &wide(), &mut Dialect::strict()).as_ref(), Ok(&filter), "{printed}");
        for kind in [Kind::User, Kind::Group] {
            let ty = REGISTRY.get(kind);
            let Ok(bound) = filter.clone().bind(ty, &mut dialect) else { continue };
            let printed = bound.to_string();
            let again = Filter::parse(&printed, &wide(), &mut Dialect::strict()).expect("what was bound is printed as a filter");
            assert_eq!(again.bind(ty, &mut Dialect::strict()).as_ref(), Ok(&bound), "{printed}");
            let mut resource = Resource::new();
            resource.map_mut().insert("userName".to_owned(), json!("ana"));
            resource.map_mut().insert("emails".to_owned(), json!([{ "value": "a@x", "type": "work", "primary": true }]));
            let negated = Filter::Not(Box::new(bound.clone()));
            assert_ne!(bound.matches(&resource), negated.matches(&resource));
        }
    }
});
