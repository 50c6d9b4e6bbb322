//! Any text as the path of a PATCH operation: what is read is printed as a path that is the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scimgate::scim::{Budgets, Dialect, Kind, PatchRequest, SchemaRegistry, urn};
use serde_json::json;

static REGISTRY: LazyLock<SchemaRegistry> = LazyLock::new(SchemaRegistry::builtin);

fuzz_target!(|text: &str| {
    for kind in [Kind::User, Kind::Group] {
        let ty = REGISTRY.get(kind);
        let read = |path: &str, dialect: Dialect, budgets: &Budgets| {
            let body = json!({ "schemas": [urn::PATCH_OP], "Operations": [{ "op": "remove", "path": path }] });
            PatchRequest::parse(body, ty, budgets, &mut { dialect })
        };
        let Ok(request) = read(text, Dialect::default(), &Budgets::default()) else { continue };
        // The path of a whole extension has become those of its attributes.
        for operation in &request.operations {
            let printed = operation.target.to_string();
            let wide = Budgets { filter_length: usize::MAX, filter_depth: 64, ..Budgets::default() };
            let again = read(&printed, Dialect::default(), &wide).unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(again.operations.first().map(|operation| &operation.target), Some(&operation.target), "{printed}");
        }
    }
});
