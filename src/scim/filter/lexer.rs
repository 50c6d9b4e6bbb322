//! Tokens of filters and PATCH paths, each with its place in the text.

use crate::scim::{ScimError, ScimType};

/// Longest piece of the client's text repeated in an error, in characters.
const QUOTED: usize = 40;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset into the text.
    pub(crate) at: usize,
    /// What was expected and what was found.
    pub(crate) what: String,
    /// `invalidFilter`, or `invalidPath` for what stands outside a path's brackets.
    pub(crate) scim_type: ScimType,
}

impl Fault {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), scim_type: ScimType::InvalidFilter }
    }
}

impl From<Fault> for ScimError {
    fn from(fault: Fault) -> Self {
        Self::bad_request(fault.scim_type, format!("at byte {}: {}", fault.at, fault.what))
    }
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    BracketOpen,
    /// `]`
    BracketClose,
    /// Anything else without space, quote or bracket: a path, a keyword, a number, an unquoted value, `.sub` after a bracket.
    Word(&'a str),
    /// A JSON string, unescaped.
    Text(String),
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// The token as an error message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::BracketOpen => "`[`".to_owned(),
            Self::BracketClose => "`]`".to_owned(),
            Self::Word(word) => shown(word),
            Self::Text(_) => "a quoted string".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// The client's text between backquotes, shortened and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(QUOTED).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(QUOTED).is_some() {
        out.push('…');
    }
    format!("`{out}`")
}

/// A token and its bytes.
#[derive(Debug, Clone)]
pub(super) struct Spanned<'a> {
    pub(super) token: Token<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a text into tokens, one at a time.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; after the last one, [`Token::End`] for ever.
    pub(super) fn next(&mut self) -> Result<Spanned<'a>, Fault> {
        let rest = self.rest();
        let start = self.at + (rest.len() - rest.trim_ascii_start().len());
        self.at = start;
        let rest = self.rest();
        let (token, length) = match rest.bytes().next() {
            None => (Token::End, 0),
            Some(b'(') => (Token::Open, 1),
            Some(b')') => (Token::Close, 1),
            Some(b'[') => (Token::BracketOpen, 1),
            Some(b']') => (Token::BracketClose, 1),
            Some(b'"') => {
                let length = string_length(rest).ok_or_else(|| Fault::new(start, "the string has no closing quote"))?;
                let quoted = rest.get(..length).unwrap_or_default();
                let text = serde_json::from_str(quoted).map_err(|_| {
                    Fault::new(
                        start,
                        "the string is not a JSON string: control characters, quotes and backslashes are escaped in it",
                    )
                })?;
                (Token::Text(text), length)
            }
            Some(_) => {
                let length = rest.bytes().position(ends_word).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or_default()), length)
            }
        };
        self.at = start + length;
        Ok(Spanned { token, start, end: self.at })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'[' | b']' | b'"')
}

/// Bytes from the opening quote to the closing one, both included.
pub(crate) fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
