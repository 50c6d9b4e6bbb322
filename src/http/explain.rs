//! What a request would do to the directory, and what it would be answered, with nothing done.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{ETAG, LOCATION};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::gateway::{Admitted, Gateway};
use super::response::{self, Answer};
use super::route::{Call, NoCall};
use super::{SCIM_PATH, body};
use crate::auth::Scopes;
use crate::directory::{ChangeRecord, DirectoryError, Dn, Scope, SearchRequest, ldif};
use crate::rehearsal::{Means, Step};
use crate::scim::Dialect;
use crate::service::{Context, Service};

/// A request to be explained.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its path with its query, with or without `/scim/v2`.
    pub path: String,
    /// Its body, if it has one.
    pub body: Option<Vec<u8>>,
    /// The configured client that would send it, whose policy it takes; `None`: one without a policy of its own.
    pub client: Option<String>,
}

/// What a request would do and be answered. What a client may do by its scopes and rates is not part of it.
#[derive(Debug, Clone)]
pub struct Explanation {
    steps: Vec<Told>,
    status: StatusCode,
    location: Option<String>,
    version: Option<String>,
    body: Option<Value>,
    mask: Vec<String>,
}

/// A step, and for a write the SCIM attributes that lead to those of the entry.
#[derive(Debug, Clone)]
struct Told {
    sources: Vec<(String, Vec<String>)>,
    step: Step,
}

impl Gateway {
    /// Says what a request would do. Nothing of it stays: neither in the directory nor in this process.
    pub async fn explain(&self, question: Question) -> Explanation {
        let steps: Arc<Mutex<Vec<Step>>> = Arc::default();
        let noted = steps.clone();
        let service =
            self.service.rehearsed(Box::new(move |step| noted.lock().unwrap_or_else(PoisonError::into_inner).push(step)));
        let answer = self.answer(&service, question).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let text = |name| head.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::to_owned);
        let steps = std::mem::take(&mut *steps.lock().unwrap_or_else(PoisonError::into_inner));
        let mut mask = Vec::new();
        let told = steps.into_iter().map(|step| {
            let names = attributes(&step);
            mask.extend(names.iter().filter(|(_, name)| self.service.is_masked(name)).map(|(_, name)| (*name).to_owned()));
            let sources = names.iter().map(|(dn, name)| ((*name).to_owned(), self.service.sources(dn, name))).collect();
            Told { sources, step }
        });
        let steps = told.collect();
        Explanation {
            steps,
            status: head.status,
            location: text(LOCATION),
            version: text(ETAG),
            body: serde_json::from_slice(&body).ok(),
            mask,
        }
    }

    async fn answer(&self, service: &Service, question: Question) -> Answer {
        let Question { method, path, body, client } = question;
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let below = path.strip_prefix(SCIM_PATH).unwrap_or(path).trim_start_matches('/');
        let call = match Call::parse(&method, &format!("{SCIM_PATH}/{below}")) {
            Ok(call) => call,
            Err(NoCall::NotFound(error)) => return response::error(&error),
            Err(NoCall::Method(allow)) => return response::method_not_allowed(allow),
        };
        let client: Arc<str> = client.map_or_else(|| self.nobody.clone(), Into::into);
        let policy = self.clients.get(&client).copied().unwrap_or_default();
        let body = if call.has_body() {
            match body::parse(body.as_deref().unwrap_or_default(), service.budgets().json_depth) {
                Ok(body) => Some(body),
                Err(error) => return response::error(&error),
            }
        } else {
            None
        };
        let mut admitted = Admitted {
            call,
            query: query.to_owned(),
            body,
            scopes: Scopes::all(),
            policy,
            if_none_match: None,
            context: Context {
                base_url: format!("{}{SCIM_PATH}", self.public_url.as_deref().unwrap_or("https://localhost")),
                client,
                request_id: "explain".into(),
                address: None,
                bulk: None,
                dialect: Dialect { allowed: policy.tolerances, ..Dialect::strict() },
                derive_missing: policy.derive_missing,
                if_match: None,
            },
        };
        let done = tokio::time::timeout(self.request_timeout, self.dispatch(service, &mut admitted)).await;
        let late = || crate::scim::ScimError::unavailable(5, "The directory has not answered in time. Try again.");
        done.unwrap_or_else(|_| Err(late())).unwrap_or_else(|error| response::error(&error))
    }
}

/// The attributes that a write names, each with the entry.
fn attributes(step: &Step) -> Vec<(&Dn, &str)> {
    let Step::Write { record, .. } = step else { return Vec::new() };
    let mut found: Vec<(&Dn, &str)> = match record {
        ChangeRecord::Add(entry) => entry.attributes().map(|(name, _)| (&entry.dn, name)).collect(),
        ChangeRecord::Modify { dn, changes } => changes.iter().map(|change| (dn, change.attribute.as_str())).collect(),
        ChangeRecord::Rename { dn, rdn, .. } => rdn.avas().iter().map(|ava| (dn, ava.attribute.as_str())).collect(),
        ChangeRecord::Move { .. } | ChangeRecord::Delete(_) => Vec::new(),
    };
    found.dedup_by(|a, b| a.1.eq_ignore_ascii_case(b.1));
    found
}

impl Explanation {
    /// The same, without the values of these attributes either.
    #[must_use]
    pub fn masking(mut self, attributes: &[String]) -> Self {
        self.mask.extend(attributes.iter().cloned());
        self
    }

    /// Whether it would be answered by success.
    pub fn would_be_done(&self) -> bool {
        !self.status.is_client_error() && !self.status.is_server_error()
    }

    /// The writes, in their order, as LDIF.
    pub fn ldif(&self) -> String {
        let records = self.steps.iter().filter_map(|told| match &told.step {
            Step::Write { record, refusal: None, .. } => Some(record),
            Step::Write { .. } | Step::Search { .. } | Step::Password { .. } => None,
        });
        ldif::print(records, |name| self.is_masked(name))
    }

    fn is_masked(&self, name: &str) -> bool {
        let name = name.split(';').next().unwrap_or_default();
        self.mask.iter().any(|masked| masked.split(';').next().is_some_and(|masked| masked.eq_ignore_ascii_case(name)))
    }

    /// How the writes were judged, in a sentence.
    fn judged(&self) -> &'static str {
        let (mut by_control, mut by_schema) = (false, false);
        for told in &self.steps {
            match told.step {
                Step::Write { means: Means::Control, .. } => by_control = true,
                Step::Write { means: Means::Schema, .. } | Step::Password { .. } => by_schema = true,
                Step::Search { .. } => {}
            }
        }
        match (by_control, by_schema) {
            (false, false) => "nothing would be written",
            (true, false) => "the directory itself tried each write by its No-Op control, rights included, and made none",
            (false, true) => "each write was checked by the schema and the entries as they are; rights are not known",
            (true, true) => {
                "the directory itself tried what it could by its No-Op control; what rests on an earlier write of the same request \
                 was checked by the schema"
            }
        }
    }
}

/// One line of a comment, whatever a client or a directory put into it.
fn comment(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    writeln!(f, "# {text}")
}

fn words(refusal: &DirectoryError) -> String {
    match refusal {
        DirectoryError::Refused { code, diagnostic } if diagnostic.is_empty() => format!("refused: {code}"),
        DirectoryError::Refused { code, diagnostic } => format!("refused: {code}: {diagnostic}"),
        DirectoryError::NotSent(_) | DirectoryError::Unknown(_) | DirectoryError::Malformed(_) => refusal.to_string(),
    }
}

fn scope(request: &SearchRequest) -> &'static str {
    match request.scope {
        Scope::Base => "base",
        Scope::Subtree => "sub",
    }
}

/// What came of a write.
fn outcome(means: Option<Means>, refusal: Option<&DirectoryError>) -> String {
    match (means, refusal) {
        (Some(Means::Control), None) => "tried by the No-Op control: it would be made".to_owned(),
        (Some(Means::Control), Some(error)) => format!("tried by the No-Op control: {}", words(error)),
        (Some(Means::Schema), None) => "checked by the schema: nothing speaks against it".to_owned(),
        (Some(Means::Schema), Some(error)) => format!("checked by the schema: {}", words(error)),
        (None, None) => "not tried: an operation of its own cannot be".to_owned(),
        (None, Some(error)) => words(error),
    }
}

impl fmt::Display for Explanation {
    /// LDIF, in which all that is no change is a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, told) in self.steps.iter().enumerate() {
            let n = n + 1;
            match &told.step {
                Step::Search { request, found } => {
                    comment(f, &format!("{n}. search base=\"{}\" scope={}", request.base, scope(request)))?;
                    comment(f, &format!("   filter={}", request.filter))?;
                    comment(f, &format!("   attributes={}", request.attributes.join(",")))?;
                    match found {
                        Ok(1) => comment(f, "   finds 1 entry")?,
                        Ok(count) => comment(f, &format!("   finds {count} entries"))?,
                        Err(error) => comment(f, &format!("   {}", words(error)))?,
                    }
                }
                Step::Write { record, means, refusal } => {
                    comment(f, &format!("{n}. {}", outcome(Some(*means), refusal.as_ref())))?;
                    for (name, sources) in told.sources.iter().filter(|(_, sources)| !sources.is_empty()) {
                        comment(f, &format!("   {name} <- {}", sources.join(", ")))?;
                    }
                    let text = ldif::print([record], |name| self.is_masked(name));
                    if refusal.is_none() {
                        f.write_str(&text)?;
                    } else {
                        // What would be refused is nothing to be applied.
                        text.lines().try_for_each(|line| comment(f, line))?;
                    }
                }
                Step::Password { dn, refusal } => {
                    comment(f, &format!("{n}. {}", outcome(None, refusal.as_ref())))?;
                    f.write_str(&ldif::comment(
                        dn,
                        "the password is set by an operation of its own (RFC 3062); its value is left out",
                    ))?;
                }
            }
            writeln!(f)?;
        }
        comment(f, &format!("Check: {}.", self.judged()))?;
        comment(f, &format!("Answer: {}", self.status))?;
        for (name, value) in [("Location", &self.location), ("ETag", &self.version)] {
            if let Some(value) = value {
                comment(f, &format!("{name}: {value}"))?;
            }
        }
        if let Some(body) = &self.body {
            let text = serde_json::to_string_pretty(body).map_err(|_| fmt::Error)?;
            text.lines().try_for_each(|line| comment(f, line))?;
        }
        Ok(())
    }
}

impl Serialize for Explanation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let steps: Vec<Value> = self.steps.iter().map(|told| self.step(told)).collect();
        let answer = json!({
            "status": self.status.as_u16(),
            "location": self.location,
            "version": self.version,
            "body": self.body,
        });
        json!({ "wouldBeDone": self.would_be_done(), "check": self.judged(), "steps": steps, "answer": answer })
            .serialize(serializer)
    }
}

impl Explanation {
    fn step(&self, told: &Told) -> Value {
        match &told.step {
            Step::Search { request, found } => json!({
                "operation": "search",
                "base": request.base.to_string(),
                "scope": scope(request),
                "filter": request.filter.to_string(),
                "attributes": *request.attributes,
                "found": found.as_ref().ok(),
                "error": found.as_ref().err().map(words),
            }),
            Step::Write { record, means, refusal } => json!({
                "operation": "write",
                "ldif": ldif::print([record], |name| self.is_masked(name)),
                "check": match means { Means::Control => "no-op", Means::Schema => "schema" },
                "refused": refusal.as_ref().map(words),
                "sources": told.sources.iter().map(|(name, sources)| (name.clone(), json!(sources))).collect::<serde_json::Map<_, _>>(),
            }),
            Step::Password { dn, refusal } => json!({
                "operation": "password",
                "dn": dn.to_string(),
                "check": null,
                "refused": refusal.as_ref().map(words),
            }),
        }
    }
}
