//! Bulk requests (RFC 7644 section 3.7): a request becomes a plan, whoever drives the plan carries the operations out, and the
//! plan makes the response. Nothing here waits or does I/O.
//!
//! Operations run side by side as far as the outcome stays that of running them one after the other, in the order of the request,
//! where a creation that an earlier operation refers to is moved before it:
//!
//! - operations on one resource keep their order, and so do a change of a resource and an operation that mentions it;
//! - operations that may free a name (`userName`, `displayName`) and those that may take it keep their order;
//! - with `failOnErrors`, an operation is handed out only when those before it can no longer use up the errors it allows.
//!
//! References in a circle are resolved (section 3.7.1): the resources are created without the references to those that do not
//! exist yet, then replaced with them.

mod graph;
mod order;
mod plan;
mod reference;
mod request;
mod result;

#[cfg(test)]
mod tests;

pub use plan::{Action, BulkPlan, Ready, Ticket};
pub use request::BulkRequest;
pub use result::Applied;
