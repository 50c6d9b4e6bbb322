//! The filter as a tree, over paths as written ([`AttrPath`](crate::scim::AttrPath)) or bound to the schema
//! ([`BoundPath`](crate::scim::BoundPath)).

use serde_json::Number;

/// A filter (RFC 7644 section 3.4.2.2). Its height is at most the budgets' terms and depth together.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter<P> {
    /// Both.
    And(Box<Self>, Box<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
    /// Not.
    Not(Box<Self>),
    /// `pr`: the attribute has a value.
    Present(P),
    /// A comparison of an attribute's values with a literal.
    Compare {
        /// The attribute.
        path: P,
        /// The operator.
        op: CompareOp,
        /// The right-hand side.
        value: Literal,
    },
    /// `emails[…]`: one item of the attribute satisfies the whole inner filter. The paths of the inner filter as written are
    /// names of sub-attributes; bound, they carry the outer attribute and the sub-attribute.
    ValuePath {
        /// The attribute, without a sub-attribute.
        path: P,
        /// What one item must satisfy.
        filter: Box<Self>,
    },
}

impl<P> Filter<P> {
    /// Every path in it.
    pub fn paths(&self) -> Vec<&P> {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.paths().into_iter().chain(b.paths()).collect(),
            Self::Not(inner) => inner.paths(),
            Self::Present(path) | Self::Compare { path, .. } => vec![path],
            Self::ValuePath { path, filter } => std::iter::once(path).chain(filter.paths()).collect(),
        }
    }
}

/// A comparison operator; `pr` is [`Filter::Present`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal: the negation of `eq` over all values, so an absent attribute satisfies it.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [Self; 9] = [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The keyword, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// The operator of that keyword, without minding case.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(word))
    }
}

/// The right-hand side of a comparison: a JSON scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A string, unescaped.
    String(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`: the attribute has no value.
    Null,
}
