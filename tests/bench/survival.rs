//! What is left of provisioning when everything is killed: `cargo bench --bench survival [-- USERS KILLS]`.
//!
//! Several workers create users, change them, put them into groups, take some out again and remove some, through the program over
//! HTTP and as identity providers do: whatever was not acknowledged is looked for and sent again. Meanwhile slapd and the gateway
//! are killed with SIGKILL by turns and started again. In the end every acknowledged write is compared with the directory.

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

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use support::{Answer, Client, Directory, Gateway, GatewayOptions, KEY, Slapd, SlapdOptions, group, id, patch_body, user};

const WORKERS: usize = 8;
/// Users of one group.
const GROUP: usize = 100;
/// A client that is told to come again waits; here not for as long as it is told, so that as much as possible goes wrong.
const PAUSE: Duration = Duration::from_millis(50);
/// A request that is sent so often is never answered.
const ATTEMPTS: usize = 2000;

/// What becomes of a user, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// Taken out of its group.
    Leaves,
    Removed,
}

fn fate(n: usize) -> Fate {
    match n % 10 {
        7 => Fate::Leaves,
        9 => Fate::Removed,
        _ => Fate::Stays,
    }
}

fn name(n: usize) -> String {
    format!("user{n:06}")
}

fn team(n: usize) -> String {
    format!("team{:04}", n / GROUP)
}

/// What the workers share.
#[derive(Debug)]
struct Run {
    /// The gateway as it is reached now.
    scim: Mutex<Client>,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
    /// Resources that were found more than once.
    doubled: AtomicUsize,
}

impl Run {
    /// Sends until there is an answer that settles it.
    async fn settle(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.attempt(method.clone(), path, body).await {
                return answer;
            }
        }
        panic!("{method} {path} is never answered");
    }

    /// Sends once; `None` where it is to be sent again.
    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        let scim = self.scim.lock().unwrap().clone();
        let request: RequestBuilder = scim.request(method, path);
        let request = match body {
            Some(body) => request.header("content-type", "application/scim+json").body(body.to_string()),
            None => request,
        };
        match scim.try_send(request).await {
            Ok(answer) if !matches!(answer.status, 429 | 503) => Some(answer),
            Ok(_) | Err(_) => {
                self.repeated.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }

    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks for it, and creates it where it is not found; again and again until one of the two tells its id.
    async fn create(&self, endpoint: &str, attribute: &str, value: &str, body: &Value) -> String {
        for _ in 0..ATTEMPTS {
            let filter = format!("{endpoint}?filter={attribute}%20eq%20%22{value}%22");
            let found = self.settle(Method::GET, &filter, None).await.expect(200);
            if let Some(present) = found["Resources"].as_array().and_then(|found| found.first()) {
                self.doubled.fetch_add(usize::from(found["totalResults"] != 1), Ordering::Relaxed);
                return id(present);
            }
            match self.attempt(Method::POST, endpoint, Some(body)).await {
                Some(answer) if answer.status == 409 => {}
                Some(answer) => return id(&answer.expect(201)),
                None => {}
            }
        }
        panic!("{value} cannot be created");
    }

    async fn patch(&self, path: &str, operations: Value) {
        let answer = self.settle(Method::PATCH, path, Some(&patch_body(&operations))).await;
        assert!(matches!(answer.status, 200 | 204), "PATCH {path}: {} {}", answer.status, answer.body);
        self.acknowledge();
    }

    /// All that is done to one user.
    async fn provision(&self, n: usize, groups: &HashMap<String, String>) -> String {
        let address = format!("{}@example.com", name(n));
        let user = self.create("/Users", "userName", &address, &user(&name(n))).await;
        self.acknowledge();
        let path = format!("/Users/{user}");
        self.patch(&path, json!([{ "op": "replace", "path": "title", "value": format!("title {n}") }])).await;
        let members = format!("/Groups/{}", groups[&team(n)]);
        self.patch(&members, json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }])).await;
        match fate(n) {
            Fate::Stays => {}
            Fate::Leaves => {
                let filter = format!("members[value eq \"{user}\"]");
                self.patch(&members, json!([{ "op": "remove", "path": filter }])).await;
            }
            Fate::Removed => {
                let answer = self.settle(Method::DELETE, &path, None).await;
                // What was removed by an attempt that was not acknowledged is not there for the next.
                assert!(matches!(answer.status, 204 | 404), "DELETE {path}: {} {}", answer.status, answer.body);
                self.acknowledge();
            }
        }
        user
    }
}

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let users = numbers.first().copied().unwrap_or(10_000).max(1);
    let kills = numbers.get(1).copied().unwrap_or(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(survive(users, kills))
}

async fn survive(users: usize, kills: usize) -> ExitCode {
    let directory: Directory = Slapd::start(&SlapdOptions { durable: true, ..SlapdOptions::default() }).into();
    let gateway = start(&directory).await;
    let run = Arc::new(Run {
        scim: Mutex::new(gateway.client(KEY)),
        acknowledged: AtomicUsize::new(0),
        repeated: AtomicUsize::new(0),
        doubled: AtomicUsize::new(0),
    });
    let started = Instant::now();
    let mut groups = HashMap::new();
    for n in (0..users).step_by(GROUP) {
        let id = run.create("/Groups", "displayName", &team(n), &group(&team(n), &[])).await;
        run.acknowledge();
        groups.insert(team(n), id);
    }
    let groups = Arc::new(groups);

    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (run, groups, next) = (run.clone(), groups.clone(), next.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= users {
                        return ids;
                    }
                    ids.push((n, run.provision(n, &groups).await));
                }
            })
        })
        .collect();
    let (directory, gateway) = kill_by_turns(run.clone(), next, (users, kills), directory, gateway).await;
    let mut ids = HashMap::new();
    for worker in workers {
        ids.extend(worker.await.unwrap());
    }
    println!(
        "{users} users in {} groups in {:.1} s; {} requests were sent again; {kills} kills",
        groups.len(),
        started.elapsed().as_secs_f64(),
        run.repeated.load(Ordering::Relaxed)
    );
    drop(gateway);
    compare(&run, &directory, &ids, users).await
}

async fn start(directory: &Directory) -> Gateway {
    let gateway = Gateway::before(directory, GatewayOptions::default()).await;
    gateway.ready().await;
    gateway
}

/// Kills slapd, the gateway, and both, at even distances in the work; the workers are not told.
async fn kill_by_turns(
    run: Arc<Run>,
    next: Arc<AtomicUsize>,
    (users, kills): (usize, usize),
    mut directory: Directory,
    mut gateway: Gateway,
) -> (Directory, Gateway) {
    for kill in 1..=kills {
        while next.load(Ordering::Relaxed) < users * kill / (kills + 1) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (slapd, program) = (kill % 3 != 2, kill % 3 != 1);
        if slapd {
            directory.kill();
        }
        if program {
            gateway.kill();
        }
        // Long enough for requests to run into it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        if slapd {
            directory.restart();
        }
        if program {
            gateway = start(&directory).await;
            *run.scim.lock().unwrap() = gateway.client(KEY);
        }
        let killed = [(slapd, "slapd"), (program, "scimgate")].map(|(is, name)| if is { name } else { "" }).join(" ");
        println!("  kill {kill}: {}, after {} acknowledged writes", killed.trim(), run.acknowledged.load(Ordering::Relaxed));
    }
    (directory, gateway)
}

/// Every acknowledged write against the directory.
async fn compare(run: &Run, directory: &Directory, ids: &HashMap<usize, String>, users: usize) -> ExitCode {
    let (mut lost, mut wrong) = (0, 0);
    let mut doubled = run.doubled.load(Ordering::Relaxed);
    let complain = |count: &mut usize, what: String| {
        *count += 1;
        eprintln!("{what}");
    };
    let mut entries: HashMap<String, support::Entry> = HashMap::new();
    for entry in directory.users().await {
        if let Some(other) = entries.insert(entry.one("uid").to_owned(), entry) {
            complain(&mut doubled, format!("{} is there twice", other.dn));
        }
    }
    let mut members: HashMap<String, HashSet<String>> = HashMap::new();
    for entry in directory.groups().await {
        let named: Vec<&str> = entry.all("member").into_iter().filter(|dn| !dn.is_empty()).collect();
        let different: HashSet<String> = named.iter().map(|dn| dn.to_lowercase()).collect();
        doubled += named.len() - different.len();
        if members.insert(entry.one("cn").to_owned(), different).is_some() {
            complain(&mut doubled, format!("{} is there twice", entry.dn));
        }
    }
    let mut belonging = 0;
    for n in 0..users {
        let address = format!("{}@example.com", name(n));
        let entry = entries.remove(&address);
        let team = members.get(&team(n));
        let is_member = team.is_some_and(|team| team.contains(&directory.user_dn(&name(n)).to_lowercase()));
        belonging += usize::from(is_member);
        match (fate(n), entry) {
            (Fate::Removed, None) => {}
            (Fate::Removed, Some(_)) => complain(&mut lost, format!("the removal of {address}")),
            (Fate::Stays | Fate::Leaves, None) => complain(&mut lost, address.clone()),
            (Fate::Stays | Fate::Leaves, Some(entry)) => {
                if Some(entry.one("entryUUID")) != ids.get(&n).map(String::as_str) {
                    complain(&mut wrong, format!("{address} is another one than was acknowledged"));
                }
                match entry.one("title") {
                    "" => complain(&mut lost, format!("the title of {address}")),
                    title if title == format!("title {n}") => {}
                    title => complain(&mut wrong, format!("{address} has the title {title}")),
                }
            }
        }
        match (fate(n), is_member) {
            (Fate::Stays, false) => complain(&mut lost, format!("the membership of {address}")),
            (Fate::Leaves, true) => complain(&mut lost, format!("that {address} left")),
            (Fate::Removed, true) => complain(&mut wrong, format!("{address} is a member and does not exist")),
            (Fate::Stays, true) | (Fate::Leaves | Fate::Removed, false) => {}
        }
    }
    for entry in entries.into_values() {
        complain(&mut wrong, format!("nobody asked for {}", entry.dn));
    }
    if members.values().map(HashSet::len).sum::<usize>() != belonging {
        complain(&mut wrong, "somebody is a member of a group that nobody asked for".to_owned());
    }
    if members.len() != users.div_ceil(GROUP) {
        complain(&mut lost, format!("{} groups are left", members.len()));
    }
    println!("acknowledged={} lost={lost} doubled={doubled} wrong={wrong}", run.acknowledged.load(Ordering::Relaxed));
    if lost + doubled + wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
