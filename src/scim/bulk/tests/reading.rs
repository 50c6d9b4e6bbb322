//! Requests, well-formed and not.

use http::StatusCode;
use serde_json::{Value, json};

use crate::scim::bulk::BulkRequest;
use crate::scim::{Budgets, Dialect, ScimType, Tolerance, urn};

use super::{body, read, run, user};

#[test]
fn a_request_of_another_structure_is_refused_as_a_whole() {
    let schemas = [urn::BULK_REQUEST];
    let one = [user("a", "x")];
    for (body, keyword) in [
        (json!([]), ScimType::InvalidSyntax),
        (json!({ "Operations": one }), ScimType::InvalidSyntax),
        (json!({ "schemas": [urn::PATCH_OP], "Operations": one }), ScimType::InvalidSyntax),
        (json!({ "schemas": schemas }), ScimType::InvalidSyntax),
        (json!({ "schemas": schemas, "Operations": [] }), ScimType::InvalidSyntax),
        (json!({ "schemas": schemas, "Operations": one[0] }), ScimType::InvalidSyntax),
        (json!({ "schemas": schemas, "Operations": one, "failOnErrors": -1 }), ScimType::InvalidValue),
        (json!({ "schemas": schemas, "Operations": one, "failOnErrors": "1" }), ScimType::InvalidValue),
        (json!({ "schemas": schemas, "Operations": one, "failOnErrors": 1.5 }), ScimType::InvalidValue),
    ] {
        let refused = read(body.clone()).expect_err(&body.to_string());
        assert_eq!((refused.status, refused.scim_type), (StatusCode::BAD_REQUEST, Some(keyword)), "{body}");
    }
    for fail_on_errors in [json!(0), json!(null), json!(1), json!(u64::MAX)] {
        assert!(read(json!({ "schemas": schemas, "operations": one, "FailOnErrors": fail_on_errors })).is_ok());
    }
}

#[test]
fn more_operations_than_the_budget_are_refused_by_its_number() {
    let budgets = Budgets { bulk_operations: 2, ..Budgets::default() };
    let parse = |n: usize| {
        let operations: Vec<Value> = (0..n).map(|n| user(&n.to_string(), "x")).collect();
        BulkRequest::parse(body(&json!(operations)), &budgets, &mut Dialect::default())
    };
    assert_eq!(parse(2).unwrap().operations(), 2);
    let refused = parse(3).unwrap_err();
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.detail.contains("maxOperations (2)"), "{}", refused.detail);
}

#[test]
fn a_malformed_operation_is_a_result_of_its_own() {
    let data = json!({ "userName": "x" });
    for (operation, status, repeated) in [
        (json!("POST"), "400", json!({})),
        (json!({ "path": "/Users", "bulkId": "a", "data": data }), "400", json!({})),
        (json!({ "method": "GET", "path": "/Users/1" }), "400", json!({})),
        (json!({ "method": 1, "path": "/Users/1" }), "400", json!({})),
        (json!({ "method": "POST", "bulkId": "a", "data": data }), "400", json!({ "method": "POST", "bulkId": "a" })),
        (json!({ "method": "POST", "path": "/Users", "data": data }), "400", json!({ "method": "POST" })),
        (json!({ "method": "POST", "path": "/Users", "bulkId": "", "data": data }), "400", json!({ "method": "POST" })),
        (json!({ "method": "POST", "path": "/Users", "bulkId": 7, "data": data }), "400", json!({ "method": "POST" })),
        (json!({ "method": "POST", "path": "/Users", "bulkId": "a" }), "400", json!({ "method": "POST", "bulkId": "a" })),
        (
            json!({ "method": "POST", "path": "/Users", "bulkId": "a", "data": [] }),
            "400",
            json!({ "method": "POST", "bulkId": "a" }),
        ),
        (
            json!({ "method": "POST", "path": "/Users/1", "bulkId": "a", "data": data }),
            "400",
            json!({ "method": "POST", "bulkId": "a" }),
        ),
        (json!({ "method": "PUT", "path": "/Users", "data": data }), "400", json!({ "method": "PUT" })),
        (json!({ "method": "PUT", "path": "Users/1", "data": data }), "400", json!({ "method": "PUT" })),
        (json!({ "method": "DELETE", "path": "/Users/1/x" }), "400", json!({ "method": "DELETE" })),
        (json!({ "method": "DELETE", "path": "/Users/1?x=y" }), "400", json!({ "method": "DELETE" })),
        (json!({ "method": "DELETE", "path": "/Devices/1" }), "404", json!({ "method": "DELETE" })),
        (json!({ "method": "DELETE", "path": "/scim/v2/Users/1" }), "404", json!({ "method": "DELETE" })),
        (json!({ "method": "DELETE", "path": "/users/1" }), "404", json!({ "method": "DELETE" })),
        (
            json!({ "method": "PUT", "path": "/Users/1", "bulkId": "b" }),
            "400",
            json!({ "method": "PUT", "bulkId": "b", "location": "https://scim.example.com/scim/v2/Users/1" }),
        ),
        (
            json!({ "method": "DELETE", "path": "/Users/1", "version": "1" }),
            "400",
            json!({ "method": "DELETE", "location": "https://scim.example.com/scim/v2/Users/1" }),
        ),
    ] {
        let (done, results) = run(body(&json!([operation, user("fine", "y")])), &[]);
        assert_eq!((done.len(), results.len()), (1, 2), "{operation}");
        let mut result = results[0].clone();
        assert_eq!(result["response"]["status"], status, "{operation}: {result}");
        let object = result.as_object_mut().unwrap();
        object.remove("response");
        assert_eq!(object.remove("status"), Some(json!(status)));
        assert_eq!(result, repeated, "{operation}");
        assert_eq!(results[1]["status"], "201");
    }
}

#[test]
fn a_method_in_lower_case_is_taken_when_tolerated() {
    let request = || body(&json!([{ "Method": "delete", "Path": "/Users/1/" }]));
    let mut dialect = Dialect::default();
    assert!(BulkRequest::parse(request(), &Budgets::default(), &mut dialect).is_ok());
    assert!(dialect.used.contains(Tolerance::BulkMethodCase));
    let strict = BulkRequest::parse(request(), &Budgets::default(), &mut Dialect::strict()).unwrap();
    let mut plan = strict.plan("");
    assert!(plan.ready().is_none());
    assert_eq!(plan.finish()["Operations"][0]["status"], "400");
}

#[test]
fn a_bulk_id_that_two_creations_have_is_neither_ones() {
    let operations =
        json!([user("a", "x"), user("a", "y"), user("b", "z"), { "method": "DELETE", "path": "/Users/bulkId:a", "bulkId": "b" }]);
    let (done, results) = run(body(&operations), &[]);
    assert_eq!((done.len(), super::statuses(&results)), (1, vec!["400", "400", "201", "409"]));
}
