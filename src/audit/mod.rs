//! The audit: one JSON line for each write that scimgate carried out or tried to, with the LDAP changes it made, as LDIF, and
//! those that undo them.
//!
//! A line is written before its request is answered. Each carries a number and the SHA-256 of the line before it, over restarts
//! and rotations, so that a line that is changed, taken out or put in shows (`verify`). What the chain cannot show is that lines
//! at its very end were cut off; `verify` prints the last number and hash, to be kept elsewhere.
//!
//! - `Journalled` stands before the directory for one request and notes what reaches it (`journal`).
//! - `Activity` keeps the last of them in memory, audited or not, for the console (`activity`).
//! - `Audit` takes finished entries to one thread, which numbers and writes them, many at once (`writer`).

mod activity;
mod chain;
mod config;
mod file;
mod journal;
mod past;
mod syslog;
mod verify;
mod writer;

pub use self::activity::{Activity, Told};
pub use self::chain::{Entry, Marks, Undoes};
pub use self::config::{AuditConfig, Destination, FileConfig, Mask, OnFailure, SyslogAddress, is_secret};
pub use self::journal::{Journal, Journalled, Request};
pub use self::past::{PastChange, PastWrite, read_past};
pub use self::syslog::reach as reach_syslog;
pub use self::verify::{Broken, Verified, verify};
pub use self::writer::{Audit, NotWritten};
