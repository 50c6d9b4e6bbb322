//! Filters (RFC 7644 section 3.4.2.2): parsed under budgets, bound to the schema, printed back, evaluated over a resource.

mod ast;
mod bind;
mod decode;
mod eval;
mod lexer;
mod parser;
mod print;
mod suggest;

pub use ast::{CompareOp, Filter, Literal};

pub(crate) use bind::within;
pub(crate) use eval::{item_matches, same_text};
pub(crate) use lexer::{shown, string_length};
pub(crate) use parser::{RawTarget, parse_target};
pub(crate) use suggest::closest;

#[cfg(test)]
mod tests;
