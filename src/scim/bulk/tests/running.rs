//! Plans carried out.

use http::StatusCode;
use serde_json::{Value, json};

use crate::scim::bulk::Action;
use crate::scim::precondition::Version;
use crate::scim::{ScimError, urn};

use super::{add_member, applied, body, entries, group, patch, plan, run, statuses, user};

/// Which operations can be carried out side by side now.
fn hand_out(plan: &mut super::BulkPlan) -> Vec<super::Ready> {
    std::iter::from_fn(|| plan.ready()).collect()
}

fn places(ready: &[super::Ready]) -> Vec<usize> {
    ready.iter().map(|ready| ready.ticket.operation()).collect()
}

/// Rounds of operations that are handed out together when all of a round are done before the next.
fn rounds(operations: &Value) -> Vec<Vec<usize>> {
    let mut plan = plan(body(operations));
    let mut rounds = Vec::new();
    loop {
        let round = hand_out(&mut plan);
        if round.is_empty() {
            return rounds;
        }
        rounds.push(places(&round));
        for ready in round {
            let outcome = Ok(applied(&ready));
            plan.done(ready.ticket, outcome);
        }
    }
}

#[test]
fn the_example_of_the_rfc_puts_the_new_user_into_the_new_group() {
    let (done, results) = run(body(&json!([user("qwerty", "Alice"), group("ytrewq", "Tour Guides", &["bulkId:qwerty"])])), &[]);
    assert_eq!(done[1], Action::Create(json!({ "displayName": "Tour Guides", "members": [{ "value": "id-0" }] })));
    let expected = json!({
        "method": "POST",
        "bulkId": "ytrewq",
        "location": "https://scim.example.com/scim/v2/Groups/id-1",
        "version": "W/\"1\"",
        "status": "201",
    });
    assert_eq!(results[1], expected);
}

#[test]
fn a_reference_may_come_before_what_it_refers_to() {
    let operations = json!([
        add_member("/Groups/bulkId:g", "bulkId:u"),
        patch("/Groups/old", &json!([{ "op": "remove", "path": "members[value eq \"bulkId:u\"]" }])),
        { "method": "PUT", "path": "/Users/bulkId:u", "data": { "urn:x": { "manager": { "value": "bulkId:m" } } } },
        group("g", "staff", &[]),
        user("u", "ana"),
        user("m", "bob"),
    ]);
    let (done, results) = run(body(&operations), &[]);
    assert_eq!(statuses(&results), ["200", "200", "200", "201", "201", "201"]);
    let member = json!([{ "op": "add", "path": "members", "value": [{ "value": "id-4" }] }]);
    assert!(done.contains(&Action::Patch("id-3".into(), json!({ "schemas": [urn::PATCH_OP], "Operations": member }))));
    let removal = json!([{ "op": "remove", "path": "members[value eq \"id-4\"]" }]);
    assert!(done.contains(&Action::Patch("old".into(), json!({ "schemas": [urn::PATCH_OP], "Operations": removal }))));
    assert!(done.contains(&Action::Replace("id-4".into(), json!({ "urn:x": { "manager": { "value": "id-5" } } }))));
    assert_eq!(results[0]["location"], "https://scim.example.com/scim/v2/Groups/id-3");
}

#[test]
fn what_depends_on_a_failed_creation_is_not_attempted() {
    let operations = json!([user("a", "x"), group("g", "y", &["bulkId:a"]), add_member("/Groups/bulkId:g", "1"), user("b", "z")]);
    let (done, results) = run(body(&operations), &[0]);
    assert_eq!((done.len(), statuses(&results)), (2, vec!["409", "409", "409", "201"]));
    assert_eq!(results[0]["response"]["scimType"], "uniqueness");
    assert!(results[1]["response"]["detail"].as_str().unwrap().contains("`a`"), "{}", results[1]);
    assert!(results[2]["response"]["detail"].as_str().unwrap().contains("`g`"), "{}", results[2]);
    assert!(results[..3].iter().all(|result| result.get("location").is_none()));
}

#[test]
fn a_reference_to_nothing_is_an_error_of_its_operation() {
    let operations = json!([
        group("g", "y", &["bulkId:nobody"]),
        { "method": "DELETE", "path": "/Users/bulkId:" },
        add_member("/Groups/bulkId:g", "1"),
    ]);
    let (done, results) = run(body(&operations), &[]);
    assert_eq!((done.len(), statuses(&results)), (0, vec!["400", "400", "409"]));
    assert_eq!(results[0]["response"]["scimType"], "invalidValue");
    assert!(results[0]["response"]["detail"].as_str().unwrap().contains("`nobody`"));
}

#[test]
fn versions_of_operations_are_preconditions() {
    let operations = json!([
        { "method": "DELETE", "path": "/Users/1", "version": "W/\"a\"" },
        { "method": "PUT", "path": "/Users/2", "data": {} },
        { "method": "POST", "path": "/Users", "bulkId": "b", "version": "nonsense", "data": {} },
    ]);
    let mut plan = plan(body(&operations));
    let first = plan.ready().unwrap();
    let versions = |tag: &str| first.version.as_ref().unwrap().allows(&tag.parse::<Version>().unwrap());
    assert!(versions("W/\"a\"") && !versions("W/\"b\""));
    assert_eq!(first.action, Action::Delete("1".into()));
    plan.done(first.ticket, Err(crate::scim::precondition::changed_meanwhile()));
    while let Some(next) = plan.ready() {
        assert!(next.version.is_none());
        let outcome = Ok(applied(&next));
        plan.done(next.ticket, outcome);
    }
    let results = entries(&plan.finish());
    assert_eq!(statuses(&results), ["412", "200", "201"]);
    assert_eq!(results[0]["location"], "https://scim.example.com/scim/v2/Users/1");
}

#[test]
fn groups_in_a_circle_are_created_and_then_completed() {
    let operations =
        json!([group("a", "A", &["bulkId:b", "7"]), group("b", "B", &["bulkId:a"]), add_member("/Groups/bulkId:a", "8")]);
    let (done, results) = run(body(&operations), &[]);
    let data = |name: &str, members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        json!({ "displayName": name, "members": members })
    };
    assert_eq!(done[0], Action::Create(data("A", &["7"])));
    assert_eq!(done[1], Action::Create(data("B", &["id-0"])));
    assert_eq!(done[2], Action::Replace("id-0".into(), data("A", &["id-1", "7"])));
    assert!(matches!(&done[3], Action::Patch(id, _) if id == "id-0"));
    assert_eq!((done.len(), statuses(&results)), (4, vec!["201", "201", "200"]));
}

#[test]
fn a_user_may_be_her_own_manager() {
    let mut boss = user("u", "ana");
    boss["data"]["manager"] = json!({ "value": "bulkId:u" });
    let (done, results) = run(body(&json!([boss])), &[]);
    assert_eq!(done[0], Action::Create(json!({ "schemas": [urn::USER], "userName": "ana" })));
    assert_eq!(
        done[1],
        Action::Replace("id-0".into(), json!({ "schemas": [urn::USER], "userName": "ana", "manager": { "value": "id-0" } }))
    );
    assert_eq!(statuses(&results), ["201"]);
}

#[test]
fn a_circle_that_cannot_be_closed_says_what_is_missing() {
    let operations = json!([group("a", "A", &["bulkId:b"]), group("b", "B", &["bulkId:a"])]);
    let (done, results) = run(body(&operations), &[1]);
    assert_eq!((done.len(), statuses(&results)), (2, vec!["409", "409"]));
    assert_eq!(results[0]["location"], "https://scim.example.com/scim/v2/Groups/id-0");
    assert!(results[0]["response"]["detail"].as_str().unwrap().contains("`b`"));
    let (done, results) = run(body(&operations), &[0]);
    assert_eq!((done.len(), statuses(&results)), (1, vec!["409", "409"]));
    assert!(results.iter().all(|result| result.get("location").is_none()));
}

#[test]
fn what_can_run_side_by_side_does() {
    let add = |group: &str, id: &str| add_member(&format!("/Groups/{group}"), id);
    let delete = |path: &str| json!({ "method": "DELETE", "path": path });
    let put = |id: &str| json!({ "method": "PUT", "path": format!("/Users/{id}"), "data": { "userName": id } });
    let cases = [
        ("creations", json!([user("a", "x"), user("b", "y"), group("c", "x", &[])]), vec![vec![0, 1, 2]]),
        ("creations by one name", json!([user("a", "x"), user("b", " X"), user("c", "y")]), vec![vec![0, 2], vec![1]]),
        ("members of several groups", json!([add("1", "7"), add("2", "7"), add("3", "8")]), vec![vec![0, 1, 2]]),
        ("one group", json!([add("1", "7"), add("1", "8"), add("2", "7")]), vec![vec![0, 2], vec![1]]),
        ("a member and its removal", json!([add("1", "7"), delete("/Users/7"), add("2", "7")]), vec![vec![0], vec![1], vec![2]]),
        ("removals", json!([delete("/Users/1"), delete("/Users/2"), delete("/Groups/3")]), vec![vec![0, 1, 2]]),
        (
            "a name freed, then taken",
            json!([delete("/Users/1"), user("a", "x"), group("b", "x", &[])]),
            vec![vec![0, 2], vec![1]],
        ),
        ("a name taken, then freed", json!([user("a", "x"), delete("/Users/1")]), vec![vec![0], vec![1]]),
        ("renamings", json!([put("1"), put("2"), add("g", "9")]), vec![vec![0, 2], vec![1]]),
    ];
    for (what, operations, expected) in cases {
        assert_eq!(rounds(&operations), expected, "{what}");
    }
}

#[test]
fn long_chains_and_great_circles_are_carried_out() {
    let most = 5_000;
    let budgets = crate::scim::Budgets { bulk_operations: most, ..Default::default() };
    let chain = |last: &dyn Fn(usize) -> String| -> Value {
        (0..most).map(|n| group(&n.to_string(), &n.to_string(), &[&last(n)])).collect::<Vec<_>>().into()
    };
    // Each group holds the next, so that the last is made first; then also the last holds the first.
    for (holds, steps) in [
        (chain(&|n| if n + 1 < most { format!("bulkId:{}", n + 1) } else { "old".into() }), most),
        (chain(&|n| format!("bulkId:{}", (n + 1) % most)), 2 * most - 1),
    ] {
        let request = crate::scim::bulk::BulkRequest::parse(body(&holds), &budgets, &mut crate::scim::Dialect::default());
        let mut plan = request.unwrap().plan("");
        let mut done = 0;
        while let Some(ready) = plan.ready() {
            done += 1;
            let outcome = Ok(applied(&ready));
            plan.done(ready.ticket, outcome);
        }
        assert_eq!((done, entries(&plan.finish()).len()), (steps, most));
    }
}

#[test]
fn errors_beyond_those_allowed_end_it() {
    let operations = json!([user("a", "1"), "nonsense", user("c", "3"), user("d", "4"), user("e", "5")]);
    let request = |errors: u32| json!({ "schemas": [urn::BULK_REQUEST], "failOnErrors": errors, "Operations": operations });
    let with = |errors: u32, fails: &[usize]| {
        let (done, results) = run(request(errors), fails);
        (done.len(), statuses(&results).join(" "))
    };
    assert_eq!(with(1, &[]), (1, "201 400".to_owned()));
    assert_eq!(with(1, &[0]), (1, "409".to_owned()));
    assert_eq!(with(2, &[0]), (1, "409 400".to_owned()));
    assert_eq!(with(2, &[3]), (3, "201 400 201 409".to_owned()));
    assert_eq!(with(3, &[3]), (4, "201 400 201 409 201".to_owned()));
    assert_eq!(with(0, &[0, 2, 3, 4]), (4, "409 400 409 409 409".to_owned()));
    // As many side by side as cannot use up what is allowed.
    let mut plan = plan(request(3));
    let round = hand_out(&mut plan);
    assert_eq!(places(&round), [0, 2]);
}

#[test]
fn a_circle_begins_as_a_whole_even_when_errors_are_counted() {
    let operations = json!([group("a", "A", &["bulkId:b"]), group("b", "B", &["bulkId:a"]), user("u", "x")]);
    let request = || json!({ "schemas": [urn::BULK_REQUEST], "failOnErrors": 1, "Operations": operations });
    assert_eq!(statuses(&run(request(), &[]).1), ["201", "201", "201"]);
    assert_eq!(statuses(&run(request(), &[1]).1), ["409", "409"]);
}

#[test]
fn a_request_given_up_tells_what_is_known() {
    let mut plan = plan(body(&json!([user("a", "1"), user("b", "2"), add_member("/Groups/1", "bulkId:a")])));
    let mut round = hand_out(&mut plan);
    let first = round.remove(0);
    let outcome = Ok(applied(&first));
    plan.done(first.ticket, outcome);
    let results = entries(&plan.finish());
    assert_eq!(statuses(&results), ["201", "503"]);
}

#[test]
fn errors_are_bodies_with_their_status() {
    let mut plan = plan(body(&json!([{ "method": "DELETE", "path": "/Groups/a b" }])));
    let ready = plan.ready().unwrap();
    plan.done(ready.ticket, Err(ScimError::new(StatusCode::NOT_FOUND, "gone")));
    let expected = json!({
        "method": "DELETE",
        "location": "https://scim.example.com/scim/v2/Groups/a%20b",
        "status": "404",
        "response": { "schemas": [urn::ERROR], "status": "404", "detail": "gone" },
    });
    assert_eq!(entries(&plan.finish()), [expected]);
}
