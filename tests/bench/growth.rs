//! What a request costs as the directory grows: `cargo bench --bench growth [-- USERS MEMBERS]`.
//!
//! Prints ratios within one run. A page at the end of a walk over all users against one at its beginning, by index and by cursor,
//! and when all of them are remembered; one member added to and taken from a large group through SCIM against the same two
//! modifications sent to the directory itself.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement ends where something is wrong, and prints what it found"
)]

#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
mod support;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ldap3::{Ldap, Mod};
use serde_json::{Value, json};

use support::{Client, Fixture, Gateway, GatewayOptions, KEY, PEOPLE, SlapdOptions, group_dn, id, user_dn};

/// Resources of a page.
const PAGE: usize = 100;
/// Pages at either end that are compared.
const END: usize = 50;
/// Pairs of changes that are measured.
const CHANGES: usize = 200;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let users = numbers.first().copied().unwrap_or(100_000);
    let members = numbers.get(1).copied().unwrap_or(10_000).min(users - 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(users, members));
}

async fn measure(users: usize, members: usize) {
    let name = |n: usize| format!("user{n:06}");
    let values = (0..members).map(|n| format!("member: {}", user_dn(&name(n)))).collect::<Vec<_>>().join("\n");
    let large =
        format!("dn: {}\nobjectClass: groupOfNames\nobjectClass: scimgateResource\ncn: large\n{values}\n\n", group_dn("large"));
    let mut directory = SlapdOptions::with_users((0..users).map(name));
    directory.entries += &large;
    // A page that is remembered costs less than one that is not, wherever it is: so they are measured apart.
    let options = |entries| GatewayOptions::default().set("limits.requests_per_second", "0").set("cache.entries", entries);
    let fixture = Fixture::with(directory, options("false")).await;

    println!("{users} users below {PEOPLE}, pages of {PAGE}");
    let total = users.div_ceil(PAGE);
    report("startIndex", &walk(&fixture.scim, users, "&excludedAttributes=groups").await);
    let mut by_cursor = Vec::with_capacity(total);
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let path = format!("/Users?cursor={at}&count={PAGE}&excludedAttributes=groups");
        let (took, body) = timed(fixture.scim.get(&path)).await;
        by_cursor.push(took);
        cursor = body["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(by_cursor.len(), total);
    report("cursor", &by_cursor);
    let remembering = Gateway::before(&fixture.directory, options("true")).await;
    remembering.ready().await;
    let client = remembering.client(KEY);
    walk(&client, users, "").await;
    report("startIndex, of what is remembered", &walk(&client, users, "").await);
    drop(remembering);

    println!("one member of a group of {members}");
    let user =
        id(&fixture.scim.find("/Users", &format!("userName eq \"{}@example.com\"", name(users - 1))).await["Resources"][0]);
    let group = id(&fixture.scim.query("/Groups", &[("excludedAttributes", "members")]).await.expect(200)["Resources"][0]);
    let mut ldap = fixture.directory.administrator().await;
    let (mut raw, mut scim) = (Vec::new(), Vec::new());
    for _ in 0..CHANGES {
        raw.push(change_raw(&mut ldap, &user_dn(&name(users - 1))).await);
        scim.push(change_scim(&fixture, &group, &user).await);
    }
    let (raw, scim) = (median(&raw), median(&scim));
    println!("  raw LDAP {raw:?}, SCIM {scim:?}: ratio {:.2}", scim.as_secs_f64() / raw.as_secs_f64());
}

/// What each page of a walk takes.
async fn walk(scim: &Client, users: usize, query: &str) -> Vec<Duration> {
    let mut pages = Vec::with_capacity(users.div_ceil(PAGE));
    for start in (1..=users).step_by(PAGE) {
        let (took, body) = timed(scim.get(&format!("/Users?startIndex={start}&count={PAGE}{query}"))).await;
        assert_eq!(body["totalResults"], users);
        pages.push(took);
    }
    pages
}

async fn timed(answer: impl Future<Output = support::Answer>) -> (Duration, Value) {
    let started = Instant::now();
    let body = answer.await.expect(200);
    (started.elapsed(), body)
}

fn report(what: &str, pages: &[Duration]) {
    let end = END.min(pages.len());
    let (first, last) = (median(&pages[..end]), median(&pages[pages.len() - end..]));
    let ratio = last.as_secs_f64() / first.as_secs_f64();
    println!("  by {what}: first {end} pages {first:?}, last {end} pages {last:?}: ratio {ratio:.2}");
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Adds the member and takes it away, over a connection that is there.
async fn change_raw(ldap: &mut Ldap, member: &str) -> Duration {
    let started = Instant::now();
    for change in [Mod::Add("member", HashSet::from([member])), Mod::Delete("member", HashSet::from([member]))] {
        ldap.modify(&group_dn("large"), vec![change]).await.unwrap().success().unwrap();
    }
    started.elapsed()
}

/// The same through SCIM.
async fn change_scim(fixture: &Fixture, group: &str, user: &str) -> Duration {
    let path = format!("/Groups/{group}");
    let started = Instant::now();
    for op in ["add", "remove"] {
        let operation = json!([{ "op": op, "path": "members", "value": [{ "value": user }] }]);
        fixture.scim.patch(&path, operation).await.expect(204);
    }
    started.elapsed()
}
