//! Each client's conversation with the gateway, from its first test to its last user, as `tests/data/clients` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reqwest::Method;
use scimgate::scim::Tolerance;
use serde_json::{Map, Value};

use crate::support::{Directory, Fixture, GatewayOptions, Vendor};

/// Oddities that no conversation has, and why.
const IN_NO_CONVERSATION: &[(Tolerance, &str)] = &[
    (Tolerance::AuthenticationOtherWord, "met only where auth.schemes has the word; a test of auth does"),
    (Tolerance::AuthenticationNoWord, "the same of a key without a word"),
    (Tolerance::BulkMethodCase, "none of these clients sends bulk requests"),
    (Tolerance::PatchMissingSchema, "sent by scripts: every provisioning client names the schema"),
    (Tolerance::PatchOperationsKeyCase, "sent by scripts, after the drafts of the protocol"),
    (Tolerance::PatchSingleOperation, "sent by scripts: every provisioning client sends a list"),
    (
        Tolerance::RolesAsStrings,
        "Entra sends them, but the mapping these are played with has no place for roles, so their form is not looked at",
    ),
    (Tolerance::RolesAsJson, "the same, of Entra's AppRoleAssignmentsComplex"),
    (Tolerance::StringForComplexItem, "sent by scripts; of clients only roles are known to come as strings"),
];

macro_rules! clients {
    ($($test:ident = $client:literal,)*) => {
        const CLIENTS: &[&str] = &[$($client),*];
        $(
            #[tokio::test]
            async fn $test() {
                play($client).await;
            }
        )*
    };
}

clients! {
    authentik = "authentik",
    entra = "entra",
    entra_with_its_flag = "entra-flag",
    jumpcloud = "jumpcloud",
    keycloak = "keycloak",
    okta = "okta",
    onelogin = "onelogin",
    pingdatasync = "pingdatasync",
    pingfederate = "pingfederate",
    pingone = "pingone",
    sailpoint = "sailpoint",
}

#[test]
fn every_file_is_played_and_every_tolerance_is_some_clients() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|file| file.unwrap().file_name().to_str()?.strip_suffix(".http").map(str::to_owned))
        .collect();
    assert_eq!(files, CLIENTS.iter().map(ToString::to_string).collect());

    let met: BTreeSet<String> = files.iter().flat_map(|client| Conversation::read(client).tolerances).collect();
    let excepted = IN_NO_CONVERSATION.iter().map(|(tolerance, _)| tolerance.name().to_owned()).collect();
    assert!(met.is_disjoint(&excepted), "met although excepted: {:?}", met.intersection(&excepted));
    let all: BTreeSet<String> = Tolerance::ALL.iter().map(|tolerance| tolerance.name().to_owned()).collect();
    assert_eq!(met.union(&excepted).cloned().collect::<BTreeSet<_>>(), all);
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients")
}

/// A request or a look into the directory, and what must come of it.
#[derive(Debug, Default)]
struct Exchange {
    line: usize,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    expected_at: usize,
    status: String,
    pattern: String,
}

#[derive(Debug, Default)]
struct Conversation {
    headers: Vec<(String, String)>,
    exchanges: Vec<Exchange>,
    tolerances: BTreeSet<String>,
}

impl Conversation {
    fn read(client: &str) -> Self {
        let mut read = Self::default();
        for (n, line) in std::fs::read_to_string(folder().join(format!("{client}.http"))).unwrap().lines().enumerate() {
            read.line(n + 1, line).unwrap_or_else(|| panic!("{client}.http:{}: unexpected: {line}", n + 1));
        }
        for exchange in &read.exchanges {
            assert!(!exchange.status.is_empty(), "{client}.http:{}: nothing is expected", exchange.line);
        }
        read
    }

    fn line(&mut self, n: usize, line: &str) -> Option<()> {
        if let Some(names) = line.strip_prefix("# tolerances:") {
            self.tolerances.extend(names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        } else if line.trim().is_empty() || line.starts_with('#') {
        } else if let Some((method, target)) = line.split_once(' ').filter(|(method, _)| is_method(method)) {
            let (method, target) = (method.to_owned(), target.to_owned());
            self.exchanges.push(Exchange { line: n, method, target, ..Exchange::default() });
        } else if let Some(status) = line.strip_prefix("> ") {
            let exchange = self.exchanges.last_mut().filter(|exchange| exchange.status.is_empty())?;
            (exchange.expected_at, exchange.status) = (n, status.to_owned());
        } else {
            match self.exchanges.last_mut() {
                None => self.headers.push(header(line)?),
                Some(exchange) if !exchange.status.is_empty() => push_line(&mut exchange.pattern, line),
                Some(exchange) if exchange.body.is_empty() && !line.starts_with(['{', '[']) => {
                    exchange.headers.push(header(line)?);
                }
                Some(exchange) => push_line(&mut exchange.body, line),
            }
        }
        Some(())
    }
}

fn is_method(word: &str) -> bool {
    matches!(word, "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "LDAP")
}

fn header(line: &str) -> Option<(String, String)> {
    line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

async fn play(client: &str) {
    let conversation = Conversation::read(client);
    let key = format!("of-{client}");
    let Fixture { gateway, directory, .. } = &Fixture::with_gateway(GatewayOptions::default().key(client, &key, "")).await;
    let unsigned = gateway.client("");
    let base = format!("http://{}/scim/v2", gateway.address());
    let mut names = Names(BTreeMap::from([("{key}".to_owned(), key), ("{base}".to_owned(), base)]));

    for exchange in &conversation.exchanges {
        let at = |line: usize| format!("{client}.http:{line}: {} {}", exchange.method, exchange.target);
        let pattern = if exchange.pattern.is_empty() { "{}" } else { &exchange.pattern };
        let pattern = serde_json::from_str(pattern).unwrap_or_else(|error| panic!("{}: {error}", at(exchange.expected_at)));
        let pattern = storable(directory.vendor(), pattern);
        let target = names.fill(&exchange.target);
        let (status, got) = if exchange.method == "LDAP" {
            look(directory, &target, &pattern).await
        } else {
            let mut request = unsigned.request(Method::from_bytes(exchange.method.as_bytes()).unwrap(), &target);
            let own = |name: &str| exchange.headers.iter().any(|(own, _)| own == name);
            let common = conversation.headers.iter().filter(|(name, _)| !own(name));
            for (name, value) in common.chain(&exchange.headers) {
                request = request.header(name, names.fill(value));
            }
            if !exchange.body.is_empty() {
                request = request.body(names.fill(&exchange.body));
            }
            let answer = unsigned.try_send(request).await.unwrap_or_else(|error| panic!("{}: {error}", at(exchange.line)));
            (answer.status.to_string(), answer.body)
        };
        let matches = status == exchange.status && names.match_value(&pattern, &got);
        let expected = names.fill(&format!("{} {pattern:#}", exchange.status));
        assert!(matches, "{}\nexpected: {expected}\ngot: {status} {got:#}", at(exchange.expected_at));
    }

    let metrics = gateway.admin("/metrics").await.1;
    let prefix = format!("scimgate_tolerances_total{{client=\"{client}\",tolerance=\"");
    let counted = metrics.lines().filter_map(|line| line.strip_prefix(&prefix)?.split('"').next());
    assert_eq!(counted.map(str::to_owned).collect::<BTreeSet<_>>(), conversation.tolerances, "{client}.http: tolerances");
}

/// What can be expected of a directory that has no place for everything.
fn storable(vendor: Vendor, pattern: Value) -> Value {
    let mut pattern = vendor.storable(pattern);
    if let Some(resources) = pattern.get_mut("Resources").and_then(Value::as_array_mut) {
        for resource in resources {
            *resource = vendor.storable(resource.take());
        }
    }
    pattern
}

/// Of an entry, what is asked for.
async fn look(directory: &Directory, target: &str, pattern: &Value) -> (String, Value) {
    let (kind, name) = target.split_once(' ').unwrap_or_else(|| panic!("no user or group: {target}"));
    let entry = match kind {
        "user" => directory.user(name).await,
        "group" => directory.group(name).await,
        other => panic!("neither a user nor a group: {other}"),
    };
    let Some(entry) = entry else { return ("absent".to_owned(), Value::Null) };
    let mut found = Map::new();
    for asked in pattern.as_object().into_iter().flat_map(Map::keys) {
        let value = match &**asked {
            "members" => directory.members(name).await.into(),
            "disabled" => entry.is_disabled().into(),
            attribute => entry.all(attribute).into(),
        };
        found.insert(asked.clone(), value);
    }
    ("present".to_owned(), found.into())
}

/// What the `{names}` of a conversation stand for.
#[derive(Debug, Clone)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn match_value(&mut self, pattern: &Value, got: &Value) -> bool {
        match (pattern, got) {
            (Value::Object(pattern), Value::Object(got)) => {
                pattern.iter().all(|(name, pattern)| self.match_value(pattern, got.get(name).unwrap_or(&Value::Null)))
            }
            (Value::Array(pattern), Value::Array(got)) => pattern.len() == got.len() && self.match_items(pattern, got),
            (Value::String(pattern), Value::String(got)) => {
                let inner = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                let is_new = inner.is_some_and(|name| !name.contains('{')) && !self.0.contains_key(pattern);
                // Two names are never for the same, so that a misspelt one fits nothing.
                if is_new && !self.0.values().any(|value| value == got) {
                    self.0.insert(pattern.clone(), got.clone());
                }
                self.fill(pattern) == *got
            }
            // An answer without a body has nothing of anything.
            (Value::Object(pattern), Value::Null) => pattern.is_empty(),
            (pattern, got) => pattern == got,
        }
    }

    /// Each item of the one stands for another item of the other.
    fn match_items(&mut self, pattern: &[Value], got: &[Value]) -> bool {
        let Some((first, others)) = pattern.split_first() else { return got.is_empty() };
        (0..got.len()).any(|n| {
            let mut attempt = self.clone();
            let rest: Vec<Value> = got.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, value)| value.clone()).collect();
            let fits = attempt.match_value(first, &got[n]) && attempt.match_items(others, &rest);
            if fits {
                *self = attempt;
            }
            fits
        })
    }
}
