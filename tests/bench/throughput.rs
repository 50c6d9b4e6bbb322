//! What the gateway costs beside the directory: `cargo bench --bench throughput [-- USERS SECONDS]`.
//!
//! Each operation is sent as LDAP to slapd and as SCIM to the gateway before it, by as many tasks and for as long, one after the other
//! in one run on one machine. Prints operations a second of both, their ratio, and the processor time that the gateway took for one.

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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use ldap3::controls::PagedResults;
use ldap3::{Ldap, Mod, Scope};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use support::{Fixture, GROUPS, GatewayOptions, KEY, PEOPLE, SlapdOptions, group_dn, group_ldif, id, patch_body, user, user_dn};

/// Tasks that ask at once, each on an HTTP connection of its own.
const TASKS: usize = 16;
/// Tasks that ask for pages.
const READERS: usize = 2;
/// LDAP connections that the tasks share.
const CONNECTIONS: usize = 4;
const PAGE: usize = 100;
const MEMBERS: usize = 50;
/// What /proc counts processor time in.
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let users = numbers.first().copied().unwrap_or(10_000).max(PAGE);
    let seconds = numbers.get(1).copied().unwrap_or(3);
    // One thread: what is left of the machine is the servers'.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(users, Duration::from_secs(seconds as u64)));
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    GetUser,
    UserWithGroups,
    FindUser,
    Page,
    Create,
    Patch,
    Members,
    GetGroup,
}

impl Operation {
    const ALL: [(Self, &str); 8] = [
        (Self::GetUser, "get a user"),
        (Self::UserWithGroups, "a user's groups"),
        (Self::FindUser, "find by userName"),
        (Self::Page, "a page of 100"),
        (Self::Create, "create a user"),
        (Self::Patch, "set displayName"),
        (Self::Members, "member added, removed"),
        (Self::GetGroup, "get a group of 50"),
    ];

    fn tasks(self) -> usize {
        if self == Self::Page { READERS } else { TASKS }
    }
}

fn name(n: usize) -> String {
    format!("user{n:06}")
}

fn group_name(n: usize) -> String {
    format!("group{n:05}")
}

/// A directory, the gateway before it, and what is in them.
struct Bench {
    fixture: Fixture,
    users: Vec<String>,
    groups: Vec<String>,
    /// Chooses what is asked for, and makes what must be new.
    next: AtomicUsize,
}

async fn measure(users: usize, time: Duration) {
    let mut directory = SlapdOptions::with_users((0..users).map(name));
    for group in 0..users / MEMBERS {
        directory.entries += &group_ldif(&group_name(group), (0..MEMBERS).map(|member| name(group * MEMBERS + member)));
    }
    let options = GatewayOptions::default().set("limits.requests_per_second", "0").set("limits.writes_per_second", "0");
    let fixture = Fixture::with(directory, options).await;
    let (users, groups) = (ids(&fixture, "Users", "userName").await, ids(&fixture, "Groups", "displayName").await);
    let bench = Bench { fixture, users, groups, next: AtomicUsize::new(0) };
    println!("{} users, {} groups of {MEMBERS}; {time:?} each", bench.users.len(), bench.groups.len());
    println!("{:<24}{:>10}{:>10}{:>8}{:>16}", "", "LDAP/s", "SCIM/s", "ratio", "gateway ms/op");
    for (operation, title) in Operation::ALL {
        let (ldap, _) = bench.rate(operation, time, Way::ldap(&bench, operation.tasks()).await).await;
        let (scim, processor) = bench.rate(operation, time, Way::scim(&bench, operation.tasks()).await).await;
        println!("{title:<24}{ldap:>10.0}{scim:>10.0}{:>8.2}{processor:>16.3}", scim / ldap);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", bench.fixture.gateway.pid())).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    println!("the gateway's resident memory: {}, at most {}", line("VmRSS:"), line("VmHWM:"));
}

/// The ids of all, in the order of their names.
async fn ids(fixture: &Fixture, endpoint: &str, sorted_by: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let path = format!("/{endpoint}?attributes=id&sortBy={sorted_by}&count=1000&startIndex={}", all.len() + 1);
        let page = fixture.scim.get(&path).await.expect(200);
        let found = page["Resources"].as_array().unwrap();
        all.extend(found.iter().map(id));
        if found.is_empty() || all.len() == page["totalResults"] {
            return all;
        }
    }
}

/// How each of the tasks reaches the directory.
enum Way {
    Ldap(Vec<Ldap>),
    Scim(Vec<SendRequest<Full<Bytes>>>),
}

impl Way {
    async fn ldap(bench: &Bench, tasks: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(bench.fixture.directory.administrator().await);
        }
        Self::Ldap(connections.iter().cycle().take(tasks).cloned().collect())
    }

    async fn scim(bench: &Bench, tasks: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..tasks {
            let stream = TcpStream::connect(bench.fixture.gateway.address()).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            connections.push(sender);
        }
        Self::Scim(connections)
    }
}

impl Bench {
    /// Operations a second, and the milliseconds of processor time that the gateway took for one.
    async fn rate(&self, operation: Operation, time: Duration, way: Way) -> (f64, f64) {
        let (before, started) = (self.processor_time(), Instant::now());
        let over = || started.elapsed() >= time;
        let done: usize = match way {
            Way::Ldap(connections) => {
                let tasks = connections.into_iter().enumerate().map(|(task, mut ldap)| async move {
                    let mut done = 0;
                    while !over() {
                        done += self.by_ldap(operation, &mut ldap, task).await;
                    }
                    done
                });
                join_all(tasks).await.into_iter().sum()
            }
            Way::Scim(connections) => {
                let tasks = connections.into_iter().enumerate().map(|(task, mut http)| async move {
                    let mut done = 0;
                    while !over() {
                        done += self.by_scim(operation, &mut http, task).await;
                    }
                    done
                });
                join_all(tasks).await.into_iter().sum()
            }
        };
        let (took, processor) = (started.elapsed().as_secs_f64(), self.processor_time() - before);
        let done = f64::from(u32::try_from(done).unwrap());
        (done / took, processor * 1000.0 / done)
    }

    /// Seconds, of the gateway.
    fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.fixture.gateway.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / TICKS_A_SECOND
    }

    /// Another one each time, spread over all.
    fn choose(&self, of: usize) -> usize {
        self.next.fetch_add(7919, Ordering::Relaxed) % of
    }

    async fn by_ldap(&self, operation: Operation, ldap: &mut Ldap, task: usize) -> usize {
        let asked = vec!["uid", "cn", "sn", "displayName", "mail", "entryUUID"];
        match operation {
            Operation::GetUser | Operation::UserWithGroups => {
                let filter = format!("(entryUUID={})", self.users[self.choose(self.users.len())]);
                let (found, _) = ldap.search(PEOPLE, Scope::OneLevel, &filter, asked).await.unwrap().success().unwrap();
                assert_eq!(found.len(), 1);
            }
            Operation::FindUser => {
                let filter = format!("(uid={}@example.com)", name(self.choose(self.users.len())));
                let (found, _) = ldap.search(PEOPLE, Scope::OneLevel, &filter, asked).await.unwrap().success().unwrap();
                assert_eq!(found.len(), 1);
            }
            Operation::Page => {
                let page = PagedResults { size: i32::try_from(PAGE).unwrap(), cookie: Vec::new() };
                let search = ldap.with_controls(page).search(PEOPLE, Scope::OneLevel, "(objectClass=inetOrgPerson)", asked);
                assert_eq!(search.await.unwrap().success().unwrap().0.len(), PAGE);
            }
            Operation::Create => {
                let dn = user_dn(&self.new_name("raw"));
                let set = |value: &str| HashSet::from([value.to_owned()]);
                let entry = vec![
                    ("objectClass".to_owned(), HashSet::from(["inetOrgPerson".to_owned(), "scimgateResource".to_owned()])),
                    ("cn".to_owned(), set("Ana Ruiz")),
                    ("sn".to_owned(), set("Ruiz")),
                    ("givenName".to_owned(), set("Ana")),
                    ("mail".to_owned(), set("ana@example.com")),
                ];
                ldap.add(&dn, entry).await.unwrap().success().unwrap();
            }
            Operation::Patch => {
                let change = Mod::Replace("displayName".to_owned(), HashSet::from([self.new_name("raw")]));
                let dn = user_dn(&name(self.choose(self.users.len())));
                ldap.modify(&dn, vec![change]).await.unwrap().success().unwrap();
            }
            Operation::Members => {
                let (group, member) = self.group_and_stranger(task);
                for change in [Mod::Add("member", HashSet::from([&*member])), Mod::Delete("member", HashSet::from([&*member]))] {
                    ldap.modify(&group_dn(&group_name(group)), vec![change]).await.unwrap().success().unwrap();
                }
                return 2;
            }
            Operation::GetGroup => {
                let dn = format!("cn={},{GROUPS}", group_name(self.choose(self.groups.len())));
                let asked = vec!["cn", "member", "entryUUID"];
                let (found, _) = ldap.search(&dn, Scope::Base, "(objectClass=*)", asked).await.unwrap().success().unwrap();
                assert_eq!(found.len(), 1);
            }
        }
        1
    }

    async fn by_scim(&self, operation: Operation, http: &mut SendRequest<Full<Bytes>>, task: usize) -> usize {
        match operation {
            Operation::GetUser => {
                let user = &self.users[self.choose(self.users.len())];
                ask(http, Method::GET, &format!("/Users/{user}"), None, 200).await;
            }
            Operation::UserWithGroups => {
                let user = &self.users[self.choose(self.users.len())];
                ask(http, Method::GET, &format!("/Users/{user}?attributes=userName,groups"), None, 200).await;
            }
            Operation::FindUser => {
                let user = name(self.choose(self.users.len()));
                let path = format!("/Users?filter=userName%20eq%20%22{user}%40example.com%22");
                ask(http, Method::GET, &path, None, 200).await;
            }
            Operation::Page => {
                let start = self.choose(self.users.len() - PAGE + 1) + 1;
                ask(http, Method::GET, &format!("/Users?startIndex={start}&count={PAGE}"), None, 200).await;
            }
            Operation::Create => ask(http, Method::POST, "/Users", Some(user(&self.new_name("scim"))), 201).await,
            Operation::Patch => {
                let user = &self.users[self.choose(self.users.len())];
                let change = json!([{ "op": "replace", "path": "displayName", "value": self.new_name("scim") }]);
                ask(http, Method::PATCH, &format!("/Users/{user}"), Some(patch_body(&change)), 200).await;
            }
            Operation::Members => {
                let (group, _) = self.group_and_stranger(task);
                let member = &self.users[task];
                let path = format!("/Groups/{}", self.groups[group]);
                let add = json!([{ "op": "add", "path": "members", "value": [{ "value": member }] }]);
                let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{member}\"]") }]);
                for change in [add, remove] {
                    ask(http, Method::PATCH, &path, Some(patch_body(&change)), 204).await;
                }
                return 2;
            }
            Operation::GetGroup => {
                let group = &self.groups[self.choose(self.groups.len())];
                ask(http, Method::GET, &format!("/Groups/{group}"), None, 200).await;
            }
        }
        1
    }

    fn new_name(&self, what: &str) -> String {
        format!("{what}{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A group, and a user who is in another one: each task has a user of its own, so that additions never meet.
    fn group_and_stranger(&self, task: usize) -> (usize, String) {
        // The first group has the users that the tasks take.
        (1 + self.choose(self.groups.len() - 1), user_dn(&name(task)))
    }
}

async fn ask(http: &mut SendRequest<Full<Bytes>>, method: Method, path: &str, body: Option<Value>, wanted: u16) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(format!("/scim/v2{path}"))
        .header("host", "scimgate")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/scim+json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    http.ready().await.unwrap();
    let answer = http.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, wanted, "{path}: {}", String::from_utf8_lossy(&body));
}
