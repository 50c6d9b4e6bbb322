//! What a client notices while somebody at another address tries keys: `cargo bench --bench bruteforce [-- ROUNDS REQUESTS]`.
//!
//! Rounds without and with an attack take turns, so that what else the machine does weighs on both. Printed are the times of the
//! client's reads and their ratio. That the machine's processors are shared with the attack is part of it.

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

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Fixture, Gateway, GatewayOptions};

/// Connections that the attack has at once.
const ATTACKERS: usize = 4;

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (rounds, requests) = (numbers.first().copied().unwrap_or(5), numbers.get(1).copied().unwrap_or(400));
    let Fixture { scim, gateway, .. } = &Fixture::with_gateway(GatewayOptions::default()).await;
    let path = format!("/Users/{}", scim.new_user("ana").await);
    let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
    let attack = Attack::default();
    for _ in 0..rounds {
        for (times, under_attack) in [(&mut quiet, false), (&mut attacked, true)] {
            let attackers = if under_attack { attack.begin(gateway) } else { Vec::new() };
            for _ in 0..requests {
                let started = Instant::now();
                scim.get(&path).await.expect(200);
                times.push(started.elapsed());
            }
            attack.ended.store(true, Ordering::SeqCst);
            for attacker in attackers {
                attacker.await.unwrap();
            }
            attack.ended.store(false, Ordering::SeqCst);
        }
    }
    let (tried, waited) = (attack.refused.load(Ordering::SeqCst), attack.told_to_wait.load(Ordering::SeqCst));
    println!("{tried} wrong keys were answered 401 and {waited} more 429, by {ATTACKERS} connections from one address");
    let [quiet, attacked] = [quiet, attacked].map(|mut times| {
        times.sort();
        times
    });
    for (name, n) in [("median", 50), ("95th percentile", 95), ("99th percentile", 99)] {
        let [before, during] = [&quiet, &attacked].map(|times| times.get(times.len() * n / 100).copied().unwrap_or_default());
        println!("{name:<16} {before:>10.1?} alone, {during:>10.1?} under attack: {:.2} times", ratio(during, before));
    }
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(f64::EPSILON)
}

/// Somebody who tries keys.
#[derive(Debug, Clone, Default)]
struct Attack {
    ended: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    told_to_wait: Arc<AtomicUsize>,
}

impl Attack {
    fn begin(&self, gateway: &Gateway) -> Vec<tokio::task::JoinHandle<()>> {
        let url = format!("http://{}/scim/v2/Users", gateway.address());
        let attacker = |_| {
            let (attack, url) = (self.clone(), url.clone());
            tokio::spawn(async move { attack.go_on(&url).await })
        };
        (0..ATTACKERS).map(attacker).collect()
    }

    async fn go_on(&self, url: &str) {
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let client = reqwest::Client::builder().no_proxy().local_address(elsewhere).build().unwrap();
        let mut n = 0;
        while !self.ended.load(Ordering::SeqCst) {
            n += 1;
            let answer = client.get(url).bearer_auth(format!("scimgate_guess-{n}")).send().await.unwrap();
            let counted = match answer.status().as_u16() {
                401 => &self.refused,
                429 => &self.told_to_wait,
                status => panic!("a wrong key was answered by {status}"),
            };
            counted.fetch_add(1, Ordering::SeqCst);
            answer.bytes().await.unwrap();
        }
    }
}
