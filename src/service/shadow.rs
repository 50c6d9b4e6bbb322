//! Shadow mode: clients are answered as if all that they write were written. Nothing is; it is kept in memory beside the directory
//! for as long as the process lives, and told to the administrator.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Context, Service, error};
use crate::audit::{Journal, Mask};
use crate::directory::Directory;
use crate::rehearsal::{Kept, Rehearsal};
use crate::scim::{Kind, ScimError};

/// `provisioning.shadow` and `provisioning.shadow_limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowConfig {
    /// What may be kept, in bytes, about: the entries that are not as the directory has them, and the planned changes. The requests
    /// that are under way when it is reached are carried to their end.
    pub limit: usize,
    /// Attributes whose values are left out of the planned changes.
    pub mask: Mask,
}

/// What clients have written, and what it comes to.
#[derive(Debug)]
pub struct Shadow {
    kept: Arc<Kept>,
    since: Timestamp,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    counts: BTreeMap<(Arc<str>, &'static str), Counts>,
    /// The changes in their order.
    ldif: String,
}

/// How the writes of one client to resources of one type ended.
#[derive(Debug, Default)]
struct Counts {
    created: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
    conflicts: u64,
    refused: u64,
    failed: u64,
}

impl Counts {
    /// By what the request was answered, and whether anything would have been written.
    fn of(&mut self, method: &str, status: StatusCode, changes: bool) -> &mut u64 {
        match (status, method) {
            (StatusCode::CONFLICT, _) => &mut self.conflicts,
            (status, _) if status.is_client_error() => &mut self.refused,
            (status, _) if !status.is_success() => &mut self.failed,
            (_, "POST") => &mut self.created,
            (_, "DELETE") => &mut self.deleted,
            _ if changes => &mut self.updated,
            _ => &mut self.unchanged,
        }
    }
}

/// A write to be told of.
pub(super) struct Told<'a> {
    pub(super) client: &'a Arc<str>,
    pub(super) request_id: &'a str,
    pub(super) method: &'static str,
    pub(super) kind: Kind,
    pub(super) id: Option<&'a str>,
}

impl Shadow {
    /// Nothing was written yet.
    pub fn begin(now: Timestamp) -> Self {
        Self { kept: Arc::default(), since: now, plan: Mutex::default() }
    }

    /// The directory as it would be by now. It is read, and nothing is written to it, whatever is asked.
    pub fn before(&self, directory: Arc<dyn Directory>) -> Arc<dyn Directory> {
        Arc::new(Rehearsal::shadow(directory, self.kept.clone()))
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // Nothing panics while it is held.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> usize {
        self.kept.bytes() + self.plan().ldif.len()
    }

    /// Notes a write that has ended.
    pub(super) fn note(&self, told: &Told<'_>, outcome: Result<StatusCode, &ScimError>, journal: &Journal, now: Timestamp) {
        let (status, detail) = match outcome {
            Ok(status) => (status, None),
            Err(error) => (error.status, Some(error.detail.as_str())),
        };
        let ldif = journal.ldif();
        let Told { client, request_id, method, kind, id } = told;
        let mut plan = self.plan();
        let counts = plan.counts.entry(((*client).clone(), kind.name())).or_default();
        *counts.of(method, status, !ldif.is_empty()) += 1;
        if ldif.is_empty() && detail.is_none() {
            return;
        }
        let id = id.map(|id| format!(" {id}")).unwrap_or_default();
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let head = format!("{now} {client} {method} {}{id}, request {request_id}, {}{detail}", kind.name(), status.as_u16());
        let head: String = head.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(plan.ldif, "# {head}\n{ldif}");
    }

    /// The planned changes in their order, as LDIF. What was refused is a comment.
    pub fn ldif(&self) -> String {
        self.plan().ldif.clone()
    }
}

impl Service {
    /// The same service in shadow mode. Its way to the directory is one before which `shadow` stands.
    #[must_use]
    pub fn shadowed(self, shadow: Arc<Shadow>, config: ShadowConfig) -> Self {
        Self { shadow: Some((shadow, Arc::new(config))), ..self }
    }

    /// What was not written, where this is shadow mode.
    pub fn shadow(&self) -> Option<&Shadow> {
        self.shadow.as_ref().map(|(shadow, _)| &**shadow)
    }

    /// What was not written so far, counted. `None`: this is no shadow mode.
    pub fn shadow_report(&self) -> Option<Value> {
        let (shadow, config) = self.shadow.as_ref()?;
        let bytes = shadow.bytes();
        let plan = shadow.plan();
        let counts = plan.counts.iter().map(|((client, kind), counts)| {
            let Counts { created, updated, unchanged, deleted, conflicts, refused, failed } = counts;
            json!({
                "client": **client,
                "resourceType": kind,
                "created": created,
                "updated": updated,
                "unchanged": unchanged,
                "deleted": deleted,
                "conflicts": conflicts,
                "refused": refused,
                "failed": failed,
            })
        });
        Some(json!({
            "since": shadow.since.to_string(),
            "entries": shadow.kept.entries(),
            "bytes": bytes,
            "limit": config.limit,
            "full": bytes >= config.limit,
            "writes": counts.collect::<Vec<_>>(),
        }))
    }

    /// Refuses a write for which there is no room.
    pub(super) fn check_room(&self, cx: &Context) -> Result<(), ScimError> {
        match &self.shadow {
            Some((shadow, config)) if shadow.bytes() >= config.limit => {
                tracing::warn!(
                    request_id = &*cx.request_id,
                    "refused: what shadow mode may keep is used up (provisioning.shadow_limit)"
                );
                Err(error::shadow_full(config.limit))
            }
            Some(_) | None => Ok(()),
        }
    }
}
