//! A request being carried out: a state machine that hands out operations and takes their outcomes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use serde_json::Value;

use crate::scim::precondition::IfMatch;
use crate::scim::{Kind, ScimError};

use super::graph::Graph;
use super::order::Order;
use super::reference::resolved;
use super::request::{BulkRequest, Call, Change, Method, Operation, Target};
use super::result::{Applied, Entry, incomplete, location, not_created, response, uncertain};

/// An operation that can be carried out now: what it refers to exists, and its data holds the ids.
#[derive(Debug)]
pub struct Ready {
    /// To be handed back with the outcome.
    pub ticket: Ticket,
    /// The resource type.
    pub kind: Kind,
    /// What to do.
    pub action: Action,
    /// Only if the resource is in this version.
    pub version: Option<IfMatch>,
}

/// What to do with a resource; data as the body of a single request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// POST
    Create(Value),
    /// PUT, by id
    Replace(String, Value),
    /// PATCH, by id
    Patch(String, Value),
    /// DELETE, by id
    Delete(String),
}

/// Stands for an operation that was handed out; its outcome is told once.
#[derive(Debug)]
pub struct Ticket {
    operation: usize,
    step: Step,
}

impl Ticket {
    /// The operation's place in the request, from 0.
    pub fn operation(&self) -> usize {
        self.operation
    }
}

/// How much of an operation is carried out at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Whole,
    /// A creation in a circle, without the references to what does not exist yet.
    First,
    /// Its replacement, with them.
    Second,
}

/// A request being carried out: [`ready`](Self::ready) until it gives nothing or enough is under way, [`done`](Self::done) with the
/// outcome of one of those, and again while any is under way; then [`finish`](Self::finish).
#[derive(Debug)]
pub struct BulkPlan {
    base_url: String,
    tasks: Vec<Task>,
    creators: HashMap<String, usize>,
    units: Vec<Unit>,
    /// Which units wait for which.
    graph: Graph,
    /// How many units may begin: no others, while `failOnErrors` may still forbid it.
    admitted: usize,
    /// Errors that are still allowed, less the operations admitted whose outcome is open; `None` if any number is.
    allowance: Option<i64>,
    /// Units that begin.
    beginning: VecDeque<usize>,
    /// Operations to be handed out, the earliest unit first.
    waiting: BinaryHeap<Reverse<(usize, usize, Step)>>,
}

#[derive(Debug)]
struct Task {
    method: Option<Method>,
    bulk_id: Option<String>,
    target: Option<(Kind, Target)>,
    /// The resource type, where it could be read.
    kind: Option<Kind>,
    /// The creations of what it refers to.
    needs: Vec<usize>,
    /// Until it is handed out for the last time.
    call: Option<Result<Call, ScimError>>,
    unit: usize,
    /// What the creation of a resource made.
    created: Option<Applied>,
    /// Handed out, now or before.
    begun: bool,
    outcome: Option<Result<Applied, ScimError>>,
}

#[derive(Debug)]
struct Unit {
    members: Vec<usize>,
    circle: bool,
    /// Members of a circle whose first step is over or under way.
    firsts: usize,
    /// Members without an outcome.
    open: usize,
}

impl BulkRequest {
    /// The plan to carry it out; `base_url` is the SCIM base that clients reach us by, without a trailing slash.
    pub fn plan(self, base_url: &str) -> BulkPlan {
        let Self { fail_on_errors, mut operations } = self;
        let creations = operations.iter().enumerate().filter(|(_, operation)| operation.method == Some(Method::Post));
        let creators: HashMap<String, usize> =
            creations.filter_map(|(index, operation)| Some((operation.bulk_id.clone()?, index))).collect();
        let Order { units, needs, graph } = Order::new(&mut operations, &creators);
        let mut tasks: Vec<Task> =
            operations.into_iter().zip(needs).map(|(operation, needs)| Task::new(operation, needs)).collect();
        for (unit, members) in units.iter().enumerate() {
            for member in members {
                if let Some(task) = tasks.get_mut(*member) {
                    task.unit = unit;
                }
            }
        }
        let to_itself = |index: &usize| tasks.get(*index).is_some_and(|task| task.needs.contains(index));
        let unit = |members: Vec<usize>| Unit {
            circle: members.len() > 1 || members.iter().any(to_itself),
            firsts: 0,
            open: members.len(),
            members,
        };
        let units = units.into_iter().map(unit).collect();
        let mut plan = BulkPlan {
            base_url: base_url.to_owned(),
            tasks,
            creators,
            units,
            graph,
            admitted: 0,
            allowance: fail_on_errors.map(|errors| i64::try_from(errors.get()).unwrap_or(i64::MAX)),
            beginning: VecDeque::new(),
            waiting: BinaryHeap::new(),
        };
        plan.settle();
        plan
    }
}

impl Task {
    fn new(operation: Operation, needs: Vec<usize>) -> Self {
        let Operation { method, bulk_id, target, call } = operation;
        let kind = call.as_ref().ok().map(|call| call.kind);
        Self { method, bulk_id, target, kind, needs, call: Some(call), unit: 0, created: None, begun: false, outcome: None }
    }
}

impl BulkPlan {
    /// The next operation that can be carried out, beside those under way; `None` when there is none before the outcome of one of
    /// them, or none at all. What is handed out must be carried out.
    pub fn ready(&mut self) -> Option<Ready> {
        while let Some(Reverse((_, operation, step))) = self.waiting.pop() {
            if let Some(ready) = self.hand_out(operation, step) {
                return Some(ready);
            }
        }
        None
    }

    /// Takes the outcome of an operation.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is given up: an outcome is told once")]
    pub fn done(&mut self, ticket: Ticket, outcome: Result<Applied, ScimError>) {
        let Ticket { operation, step } = ticket;
        match (step, outcome) {
            (Step::First, Ok(applied)) => {
                let Some(task) = self.tasks.get_mut(operation) else { return };
                task.created = Some(applied);
                let unit = task.unit;
                self.beginning.push_back(unit);
            }
            (Step::First, Err(error)) => {
                self.conclude(operation, Err(error));
                let unit = self.tasks.get(operation).map(|task| task.unit);
                self.beginning.extend(unit);
            }
            (Step::Whole | Step::Second, outcome) => self.conclude(operation, outcome),
        }
        self.settle();
    }

    /// The body of the response: the results of all operations that were attempted, in the order of the request. One that is still
    /// under way is told to be uncertain.
    pub fn finish(self) -> Value {
        let uncertain = uncertain();
        let entries = self.tasks.iter().filter_map(|task| {
            let outcome = match &task.outcome {
                Some(outcome) => outcome.as_ref(),
                None if task.begun => Err(&uncertain),
                None => return None,
            };
            let entry = Entry {
                method: task.method.map(Method::as_str),
                bulk_id: task.bulk_id.as_deref(),
                location: self.location(task, outcome.ok()),
                outcome,
            };
            Some(entry.to_json())
        });
        response(entries.collect())
    }

    /// Where the resource of an operation is; `None` if it was not created.
    fn location(&self, task: &Task, applied: Option<&Applied>) -> Option<String> {
        let (kind, id) = match &task.target {
            Some((kind, Target::Id(id))) => (*kind, id.as_str()),
            Some((kind, Target::Created(bulk_id))) => (*kind, self.id_of(bulk_id)?),
            None => {
                let kind = task.kind?;
                (kind, applied.or(task.created.as_ref())?.id.as_str())
            }
        };
        Some(location(&self.base_url, kind, id))
    }

    /// The id of what the creation with this bulkId made.
    fn id_of(&self, bulk_id: &str) -> Option<&str> {
        self.creators.get(bulk_id).and_then(|creator| self.created(*creator))
    }

    fn created(&self, creator: usize) -> Option<&str> {
        self.tasks.get(creator)?.created.as_ref().map(|applied| applied.id.as_str())
    }

    /// Lets begin whatever may, until nothing more does by itself.
    fn settle(&mut self) {
        loop {
            if let Some(unit) = self.beginning.pop_front() {
                self.proceed(unit);
            } else if self.admitted < self.units.len() && self.allowance.is_none_or(|allowance| allowance > 0) {
                let unit = self.admitted;
                self.admitted += 1;
                let open = self.units.get(unit).map_or(0, |unit| unit.open);
                self.allowance =
                    self.allowance.map(|allowance| allowance.saturating_sub(i64::try_from(open).unwrap_or(i64::MAX)));
                if self.graph.is_free(unit) {
                    self.beginning.push_back(unit);
                }
            } else {
                return;
            }
        }
    }

    /// Takes a unit as far as it goes before an outcome.
    fn proceed(&mut self, unit: usize) {
        let Some(Unit { circle, firsts, members, .. }) = self.units.get_mut(unit) else { return };
        if !*circle {
            let members = members.clone();
            for member in members {
                self.prepare(member, unit, Step::Whole);
            }
            return;
        }
        match members.get(*firsts).copied() {
            Some(member) => {
                *firsts += 1;
                // If it cannot be done, the next is had at once.
                if !self.prepare(member, unit, Step::First) {
                    self.beginning.push_front(unit);
                }
            }
            None => self.complete_circle(unit),
        }
    }

    /// Puts an operation among those to be handed out; false if it cannot be done and has its outcome.
    fn prepare(&mut self, operation: usize, unit: usize, step: Step) -> bool {
        let refused = match self.tasks.get(operation).and_then(|task| task.call.as_ref()) {
            Some(Err(error)) => Some(error.clone()),
            Some(Ok(_)) | None => {
                self.missing(operation, |need| step == Step::Whole || !self.is_later(operation, need)).map(not_created)
            }
        };
        if let Some(error) = refused {
            self.conclude(operation, Err(error));
            return false;
        }
        self.waiting.push(Reverse((unit, operation, step)));
        true
    }

    /// The first of an operation's references, of those that count, whose resource does not exist.
    fn missing(&self, operation: usize, counts: impl Fn(usize) -> bool) -> Option<&str> {
        let missing = self.tasks.get(operation)?.needs.iter().find(|need| counts(**need) && self.created(**need).is_none())?;
        self.tasks.get(*missing).and_then(|task| task.bulk_id.as_deref())
    }

    /// Whether a creation in the same circle comes with or after this one.
    fn is_later(&self, operation: usize, need: usize) -> bool {
        let unit = |index: usize| self.tasks.get(index).map(|task| task.unit);
        need >= operation && unit(need) == unit(operation)
    }

    /// All of a circle that could be created is: now the references that were left out.
    fn complete_circle(&mut self, unit: usize) {
        let members = self.units.get(unit).map(|unit| unit.members.clone()).unwrap_or_default();
        for member in members {
            let Some(task) = self.tasks.get(member).filter(|task| task.outcome.is_none()) else { continue };
            let left_out = task.needs.iter().any(|need| self.is_later(member, *need));
            if let Some(bulk_id) = self.missing(member, |_| true) {
                let error = incomplete(bulk_id);
                self.conclude(member, Err(error));
            } else if left_out {
                self.waiting.push(Reverse((unit, member, Step::Second)));
            } else if let Some(applied) = task.created.clone() {
                self.conclude(member, Ok(applied));
            }
        }
    }

    /// An operation has its outcome.
    fn conclude(&mut self, operation: usize, outcome: Result<Applied, ScimError>) {
        let Some(task) = self.tasks.get_mut(operation).filter(|task| task.outcome.is_none()) else { return };
        let succeeded = outcome.is_ok();
        let outcome = outcome.map(|applied| match &task.created {
            // The second step of a creation: it was created all the same.
            Some(created) => Applied { version: applied.version, ..created.clone() },
            None => applied,
        });
        if let (Ok(applied), Some(Method::Post)) = (&outcome, task.method) {
            task.created = Some(applied.clone());
        }
        task.outcome = Some(outcome);
        let unit = task.unit;
        if succeeded {
            self.allowance = self.allowance.map(|allowance| allowance.saturating_add(1));
        }
        let units = self.units.len();
        let Some(of) = self.units.get_mut(unit) else { return };
        of.open = of.open.saturating_sub(1);
        if of.open == 0 {
            let free = self.graph.done(unit, |node| node >= units);
            self.beginning.extend(free.into_iter().filter(|unit| *unit < self.admitted));
        }
    }

    /// The operation with ids in place of its references. Those it needs by now exist: [`prepare`](Self::prepare) has seen to it.
    fn hand_out(&mut self, operation: usize, step: Step) -> Option<Ready> {
        let task = self.tasks.get_mut(operation)?;
        task.begun = true;
        let call = if step == Step::First { task.call.clone() } else { task.call.take() };
        let Call { kind, change, version } = call?.ok()?;
        let task = self.tasks.get(operation)?;
        let id = match &task.target {
            Some((_, Target::Id(id))) => Some(id.as_str()),
            Some((_, Target::Created(bulk_id))) => self.id_of(bulk_id),
            None => task.created.as_ref().map(|created| created.id.as_str()),
        };
        let id = || id.unwrap_or_default().to_owned();
        let id_of = |bulk_id: &str| self.id_of(bulk_id);
        let action = match (change, step) {
            (Change::Create(data), Step::Whole | Step::First) => Action::Create(resolved(data, false, &id_of)),
            (Change::Create(data), Step::Second) | (Change::Replace(data), _) => {
                Action::Replace(id(), resolved(data, false, &id_of))
            }
            (Change::Patch(data), _) => Action::Patch(id(), resolved(data, true, &id_of)),
            (Change::Delete, _) => Action::Delete(id()),
        };
        Some(Ready { ticket: Ticket { operation, step }, kind, action, version })
    }
}
