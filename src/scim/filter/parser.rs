//! Precedence climbing over the tokens. Recursion happens only through brackets, and these are counted.

use serde_json::Number;

use crate::scim::{AttrPath, Budgets, Dialect, ScimError, ScimType, Tolerance};

use super::lexer::{Fault, Lexer, Spanned, Token, shown};
use super::print::Precedence;
use super::{CompareOp, Filter, Literal};

impl Filter<AttrPath> {
    /// Parses a filter. Length, depth and number of comparisons are checked before they cost anything.
    ///
    /// # Errors
    /// 400 `invalidFilter` with the byte offset in the detail.
    pub fn parse(text: &str, budgets: &Budgets, dialect: &mut Dialect) -> Result<Self, ScimError> {
        Ok(Parser::new(text, budgets, dialect).and_then(|mut parser| {
            let filter = parser.expression(Precedence::Or)?;
            parser.end("`and`, `or` or the end of the filter")?;
            Ok(filter)
        })?)
    }
}

/// A PATCH path as written (RFC 7644 section 3.5.2): `attr`, `attr.sub`, `attr[filter]` or `attr[filter].sub`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawTarget {
    /// What stands before the bracket, with the sub-attribute when there is no bracket.
    pub(crate) path: AttrPath,
    /// What stands in the brackets.
    pub(crate) filter: Option<Filter<AttrPath>>,
    /// The sub-attribute after the brackets.
    pub(crate) sub: Option<String>,
}

/// Parses a PATCH path under the budgets of filters.
///
/// # Errors
/// `invalidFilter` for what stands in the brackets, else `invalidPath`.
pub(crate) fn parse_target(text: &str, budgets: &Budgets, dialect: &mut Dialect) -> Result<RawTarget, Fault> {
    let as_path = |fault: Fault| Fault { scim_type: ScimType::InvalidPath, ..fault };
    let mut parser = Parser::new(text, budgets, dialect).map_err(as_path)?;
    let (path, _) = parser.path("an attribute").map_err(as_path)?;
    let mut target = RawTarget { path, filter: None, sub: None };
    if parser.ahead.token == Token::BracketOpen {
        target.filter = Some(parser.bracketed()?);
        if let Some(sub) = parser.sub_after_bracket() {
            target.sub = Some(sub.map_err(as_path)?);
        }
    }
    parser.end("the end of the path").map_err(as_path)?;
    Ok(target)
}

#[derive(Debug)]
struct Parser<'a, 'b> {
    lexer: Lexer<'a>,
    /// The next token, not yet taken.
    ahead: Spanned<'a>,
    /// Where the last taken token ended.
    behind: usize,
    budgets: &'b Budgets,
    dialect: &'b mut Dialect,
    /// Open brackets of both kinds.
    depth: usize,
    /// Comparisons so far.
    terms: usize,
    /// Inside square brackets: no further ones may follow.
    bracketed: bool,
}

impl<'a, 'b> Parser<'a, 'b> {
    fn new(text: &'a str, budgets: &'b Budgets, dialect: &'b mut Dialect) -> Result<Self, Fault> {
        let most = budgets.filter_length;
        if text.len() > most {
            return Err(Fault::new(most, format!("longer than the {most} bytes allowed")));
        }
        let mut lexer = Lexer::new(text);
        let ahead = lexer.next()?;
        Ok(Self { lexer, ahead, behind: 0, budgets, dialect, depth: 0, terms: 0, bracketed: false })
    }

    fn take(&mut self) -> Result<Spanned<'a>, Fault> {
        let next = self.lexer.next()?;
        let taken = std::mem::replace(&mut self.ahead, next);
        self.behind = taken.end;
        Ok(taken)
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::new(self.ahead.start, format!("expected {what}, found {}", self.ahead.token.shown()))
    }

    fn end(&self, or_else: &str) -> Result<(), Fault> {
        if self.ahead.token == Token::End { Ok(()) } else { Err(self.expected(or_else)) }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        let most = self.budgets.filter_depth;
        if self.depth > most {
            return Err(Fault::new(self.ahead.start, format!("nested deeper than the {most} levels allowed")));
        }
        Ok(())
    }

    fn expression(&mut self, floor: Precedence) -> Result<Filter<AttrPath>, Fault> {
        let mut left = self.operand()?;
        loop {
            let own = match &self.ahead.token {
                Token::Word(word) if word.eq_ignore_ascii_case("or") => Precedence::Or,
                Token::Word(word) if word.eq_ignore_ascii_case("and") => Precedence::And,
                _ => return Ok(left),
            };
            if own < floor {
                return Ok(left);
            }
            self.take()?;
            left = match own {
                Precedence::Or => Filter::Or(Box::new(left), Box::new(self.expression(Precedence::And)?)),
                Precedence::And | Precedence::Operand => Filter::And(Box::new(left), Box::new(self.operand()?)),
            };
        }
    }

    fn operand(&mut self) -> Result<Filter<AttrPath>, Fault> {
        if self.ahead.token == Token::Open {
            return self.group();
        }
        let (path, start) = self.path("an attribute, `not` or `(`")?;
        match &self.ahead.token {
            Token::Open if path.text.eq_ignore_ascii_case("not") => Ok(Filter::Not(Box::new(self.group()?))),
            Token::BracketOpen if self.bracketed => {
                Err(Fault::new(self.ahead.start, "a value path inside the brackets of a value path is not part of the grammar"))
            }
            Token::BracketOpen => self.value_path(path),
            _ => self.comparison(path, start),
        }
    }

    fn group(&mut self) -> Result<Filter<AttrPath>, Fault> {
        self.deeper()?;
        self.take()?;
        let inner = self.expression(Precedence::Or)?;
        if self.ahead.token != Token::Close {
            return Err(self.expected("`and`, `or` or `)`"));
        }
        self.take()?;
        self.depth -= 1;
        Ok(inner)
    }

    /// `[…]`, from the opening bracket on.
    fn bracketed(&mut self) -> Result<Filter<AttrPath>, Fault> {
        self.deeper()?;
        self.take()?;
        self.bracketed = true;
        let inner = self.expression(Precedence::Or)?;
        self.bracketed = false;
        if self.ahead.token != Token::BracketClose {
            return Err(self.expected("`and`, `or` or `]`"));
        }
        self.take()?;
        self.depth -= 1;
        Ok(inner)
    }

    /// The name in `.name` directly after a closing bracket, taken; `None` when there is no such thing.
    fn sub_after_bracket(&mut self) -> Option<Result<String, Fault>> {
        let Token::Word(word) = self.ahead.token else { return None };
        let name = word.strip_prefix('.').filter(|_| self.ahead.start == self.behind)?;
        if !is_path(name) || name.contains(['.', ':']) {
            return Some(Err(self.expected("a sub-attribute after `].`")));
        }
        Some(self.take().map(|_| name.to_owned()))
    }

    fn value_path(&mut self, path: AttrPath) -> Result<Filter<AttrPath>, Fault> {
        let inner = self.bracketed()?;
        let start = self.ahead.start;
        let filter = match self.sub_after_bracket() {
            None => inner,
            Some(sub) => {
                let sub = sub?;
                if !self.dialect.accept(Tolerance::FilterValuePathSub) {
                    let what = format!("a value path ends with `]`: write the condition on `{sub}` inside the brackets");
                    return Err(Fault::new(start, what));
                }
                let condition = self.comparison(AttrPath { text: sub }, start)?;
                Filter::And(Box::new(inner), Box::new(condition))
            }
        };
        Ok(Filter::ValuePath { path, filter: Box::new(filter) })
    }

    fn path(&mut self, what: &str) -> Result<(AttrPath, usize), Fault> {
        match self.ahead.token {
            Token::Word(word) if is_path(word) => {
                let start = self.take()?.start;
                Ok((AttrPath { text: word.to_owned() }, start))
            }
            _ => Err(self.expected(what)),
        }
    }

    /// What follows a path: `pr`, or an operator and a literal.
    fn comparison(&mut self, path: AttrPath, start: usize) -> Result<Filter<AttrPath>, Fault> {
        self.terms += 1;
        let most = self.budgets.filter_terms;
        if self.terms > most {
            return Err(Fault::new(start, format!("more than the {most} comparisons allowed")));
        }
        let word = match self.ahead.token {
            Token::Word(word) => word,
            Token::Open | Token::Close | Token::BracketOpen | Token::BracketClose | Token::Text(_) | Token::End => "",
        };
        if word.eq_ignore_ascii_case("pr") {
            self.take()?;
            return Ok(Filter::Present(path));
        }
        let Some(op) = CompareOp::from_word(word) else {
            return Err(self.expected(&format!("a comparison operator after {}", shown(&path.text))));
        };
        self.take()?;
        let value = self.literal(op)?;
        Ok(Filter::Compare { path, op, value })
    }

    fn literal(&mut self, op: CompareOp) -> Result<Literal, Fault> {
        if !matches!(self.ahead.token, Token::Text(_) | Token::Word(_)) {
            return Err(self.expected(&format!("a value after `{op}`")));
        }
        let taken = self.take()?;
        let word = match taken.token {
            Token::Text(text) => return Ok(Literal::String(text)),
            Token::Word(word) => word,
            Token::Open | Token::Close | Token::BracketOpen | Token::BracketClose | Token::End => "",
        };
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("true") || is("false") {
            return Ok(Literal::Boolean(is("true")));
        }
        if is("null") {
            return Ok(Literal::Null);
        }
        if let Some(number) = number(word) {
            return Ok(Literal::Number(number));
        }
        // `'x'` is refused even by the tolerant: taken with its apostrophes it would find nothing, and the client would conclude
        // that the resource does not exist.
        let unquoted = !is("and") && !is("or") && !is("not") && !word.starts_with('\'');
        if unquoted && self.dialect.accept(Tolerance::UnquotedFilterValue) {
            return Ok(Literal::String(word.to_owned()));
        }
        Err(Fault::new(
            taken.start,
            format!("expected a value after `{op}`, found {}: strings stand in double quotes", shown(word)),
        ))
    }
}

/// `[URI ":"] ATTRNAME ["." ATTRNAME]` as far as it can be told without the schemas.
fn is_path(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:$/#%~+@=!*',;".contains(&b))
}

/// A JSON number. Fractions are read by the standard library, for its rounding is exact and printing gives the same number back.
fn number(word: &str) -> Option<Number> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_number = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    if !is_number {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        if let Ok(integer) = word.parse::<i64>() {
            return Some(integer.into());
        }
        if let Ok(integer) = word.parse::<u64>() {
            return Some(integer.into());
        }
    }
    word.parse::<f64>().ok().and_then(Number::from_f64)
}
