//! Pages by cursors (RFC 9865).

use serde_json::Value;

use crate::support::{Client, Fixture, GatewayOptions, each, sorted};

async fn company() -> Fixture {
    let fixture = Fixture::with_gateway(GatewayOptions::default().key("okta", "of-okta", "")).await;
    fixture.directory.add_users((0..25).map(|n| format!("u{n:02}"))).await;
    fixture
}

async fn page(scim: &Client, cursor: &str, more: &[(&str, &str)]) -> Value {
    let mut query = vec![("cursor", cursor), ("count", "7")];
    query.extend(more);
    scim.query("/Users", &query).await.expect(200)
}

#[tokio::test]
async fn a_walk_meets_everybody_once() {
    let Fixture { scim, .. } = &company().await;
    let everybody: Vec<String> = (0..25).map(|n| format!("u{n:02}@example.com")).collect();

    for more in [&[][..], &[("filter", "userName sw \"u\"")], &[("sortBy", "userName"), ("sortOrder", "descending")]] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(scim, &cursor, more).await;
            assert_eq!(page["totalResults"], 25);
            seen.extend(each(&page, "userName"));
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(sorted(seen), everybody, "{more:?}");
    }
}

#[tokio::test]
async fn nobody_is_missed_when_others_come_and_go() {
    let Fixture { scim, .. } = &company().await;
    let (mut seen, mut cursor, mut gone) = (Vec::new(), String::new(), 0);
    loop {
        let page = page(scim, &cursor, &[]).await;
        seen.extend(each(&page, "userName"));
        // The last one of the page goes away, and somebody comes.
        let last = each(&page, "id").pop().unwrap();
        scim.delete(&format!("/Users/{last}")).await.expect(204);
        scim.new_user(&format!("new{gone}")).await;
        gone += 1;
        match page["nextCursor"].as_str() {
            Some(next) if gone < 10 => next.clone_into(&mut cursor),
            _ => break,
        }
    }
    for n in 0..25 {
        assert!(seen.contains(&format!("u{n:02}@example.com")), "u{n:02} was missed");
    }
}

#[tokio::test]
async fn a_walk_can_turn_back() {
    let Fixture { scim, .. } = &company().await;

    let first = page(scim, "", &[]).await;
    assert!(first.get("previousCursor").is_none());
    let second = page(scim, first["nextCursor"].as_str().unwrap(), &[]).await;
    let again = page(scim, second["previousCursor"].as_str().unwrap(), &[]).await;

    assert_eq!(each(&again, "id"), each(&first, "id"));
}

#[tokio::test]
async fn a_cursor_serves_its_own_query_and_client_only() {
    let Fixture { scim, gateway, .. } = &company().await;
    let first = page(scim, "", &[]).await;
    let cursor = first["nextCursor"].as_str().unwrap();

    let forged =
        cursor.split_at(20).0.to_owned() + if cursor.chars().nth(20) == Some('A') { "B" } else { "A" } + cursor.split_at(21).1;
    assert_ne!(forged, cursor);
    for wrong in ["x", "AAAA", &forged, cursor.split_at(1).1, "a b", &"A".repeat(5000)] {
        scim.query("/Users", &[("cursor", wrong)]).await.error(400, "invalidCursor");
    }
    for other in [("filter", "userName pr"), ("sortBy", "userName")] {
        scim.query("/Users", &[("cursor", cursor), other]).await.error(400, "invalidCursor");
    }
    scim.query("/Groups", &[("cursor", cursor)]).await.error(400, "invalidCursor");
    gateway.client("of-okta").query("/Users", &[("cursor", cursor)]).await.error(400, "invalidCursor");

    scim.query("/Users", &[("cursor", cursor)]).await.expect(200);
}
