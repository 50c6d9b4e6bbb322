//! Filters as text, with no more parentheses than parsing it back needs.

use std::fmt;

use crate::scim::{AttrPath, BoundPath};

use super::{CompareOp, Filter, Literal};

/// What binds how tightly: `not` and comparisons over `and` over `or`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precedence {
    Or,
    And,
    Operand,
}

/// How a path is written, on its own or inside brackets.
trait Written {
    fn write(&self, bracketed: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Written for AttrPath {
    fn write(&self, _bracketed: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Written for BoundPath {
    fn write(&self, bracketed: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (bracketed, &self.sub) {
            (false, _) => write!(f, "{self}"),
            (true, Some(sub)) => f.write_str(&sub.name),
            // An attribute of many simple values: inside brackets each is called `value`.
            (true, None) => f.write_str("value"),
        }
    }
}

impl fmt::Display for Filter<AttrPath> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_filter(self, Precedence::Or, false, f)
    }
}

impl fmt::Display for Filter<BoundPath> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_filter(self, Precedence::Or, false, f)
    }
}

fn write_filter<P: Written>(filter: &Filter<P>, floor: Precedence, bracketed: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match filter {
        Filter::Or(left, right) => {
            // Both connectives group to the left, so the same connective on the right keeps its parentheses.
            write_pair((left, " or ", right), (Precedence::Or, Precedence::And), floor, bracketed, f)
        }
        Filter::And(left, right) => {
            write_pair((left, " and ", right), (Precedence::And, Precedence::Operand), floor, bracketed, f)
        }
        Filter::Not(inner) => {
            f.write_str("not (")?;
            write_filter(inner, Precedence::Or, bracketed, f)?;
            f.write_str(")")
        }
        Filter::Present(path) => {
            path.write(bracketed, f)?;
            f.write_str(" pr")
        }
        Filter::Compare { path, op, value } => {
            path.write(bracketed, f)?;
            write!(f, " {op} {value}")
        }
        Filter::ValuePath { path, filter } => {
            path.write(bracketed, f)?;
            f.write_str("[")?;
            write_filter(filter, Precedence::Or, true, f)?;
            f.write_str("]")
        }
    }
}

fn write_pair<P: Written>(
    (left, connective, right): (&Filter<P>, &str, &Filter<P>),
    (own, of_right): (Precedence, Precedence),
    floor: Precedence,
    bracketed: bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let grouped = own < floor;
    if grouped {
        f.write_str("(")?;
    }
    write_filter(left, own, bracketed, f)?;
    f.write_str(connective)?;
    write_filter(right, of_right, bracketed, f)?;
    if grouped {
        f.write_str(")")?;
    }
    Ok(())
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Null => f.write_str("null"),
        }
    }
}
