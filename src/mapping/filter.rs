//! From a SCIM filter to a search filter.
//!
//! A part that the directory cannot decide exactly as SCIM would is widened: the search then finds at least what matches, and
//! the SCIM filter is evaluated on what was found. Where the directory decides, it is its comparison that counts: it also takes
//! two ways to write one character for the same, and may not know the case of the rarest scripts.
//!
//! No filter item may be Undefined (RFC 4511 section 4.5.1.7), for then its negation is too: a value that does not fit the
//! attribute's syntax is not asked for.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::ResourceMapping;
use super::names::Targets;
use super::rule::{Codec, Rule, refers};
use crate::directory::profile::MEMBER_OF;
use crate::directory::{Equality, Filter as Search, generalized_time};
use crate::scim::filter::{CompareOp, Filter, Literal};
use crate::scim::{BoundPath, Kind, ScimError, ScimType, text::prepare};

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// For the directory.
    pub search: Search,
    /// Whether it finds exactly what matches; otherwise the SCIM filter has to be evaluated on each entry found.
    pub exact: bool,
}

impl Translation {
    fn exact(search: Search) -> Self {
        Self { search, exact: true }
    }

    fn wider(search: Search) -> Self {
        Self { search, exact: false }
    }

    /// Nothing is known: every entry has to be looked at.
    fn undecided() -> Self {
        Self::wider(Search::everything())
    }

    /// The same search, to be looked over.
    fn widened(self) -> Self {
        Self::wider(self.search)
    }

    fn negated(self) -> Self {
        if self.exact { Self::exact(self.search.negated()) } else { Self::undecided() }
    }

    /// Whether nothing can match, which no look at an entry will change.
    fn is_nothing(&self) -> bool {
        self.search == Search::nothing()
    }

    fn is_everything(&self) -> bool {
        self.search == Search::everything()
    }

    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().collect();
        if parts.iter().any(Self::is_nothing) {
            return Self::exact(Search::nothing());
        }
        let exact = parts.iter().all(|part| part.exact);
        // A part that says nothing need not be asked.
        let useful = parts.into_iter().filter(|part| !part.is_everything()).map(|part| part.search);
        Self { search: Search::all(useful), exact }
    }

    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().filter(|part| !part.is_nothing()).collect();
        let exact = parts.iter().all(|part| part.exact);
        if parts.iter().any(Self::is_everything) {
            let certain = parts.iter().any(|part| part.exact && part.is_everything());
            return Self { search: Search::everything(), exact: exact || certain };
        }
        let searches: Vec<Search> = parts.into_iter().map(|part| part.search).collect();
        match <[Search; 1]>::try_from(searches) {
            Ok([one]) => Self { search: one, exact },
            Err(none) if none.is_empty() => Self::exact(Search::nothing()),
            Err(many) => Self { search: Search::Or(many), exact },
        }
    }
}

/// The ids that a filter compares references with; to be looked up before it is translated.
pub fn references_in(filter: &Filter<BoundPath>) -> Vec<&str> {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => references_in(a).into_iter().chain(references_in(b)).collect(),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => references_in(inner),
        Filter::Compare { path, op: CompareOp::Eq | CompareOp::Ne, value: Literal::String(id) } if refers(path) => {
            vec![id.trim_matches(' ')]
        }
        Filter::Compare { .. } | Filter::Present(_) => Vec::new(),
    }
}

/// One condition on an item of a list.
type Condition<'a> = (&'a BoundPath, CompareOp, &'a Literal);

impl ResourceMapping {
    /// Translates a filter. `targets` holds the entries of those of `references_in` that exist.
    pub fn translate(&self, filter: &Filter<BoundPath>, targets: &Targets) -> Result<Translation, ScimError> {
        if !self.member_of && self.asks_for_roles(filter) {
            return Err(ScimError::bad_request(
                ScimType::InvalidFilter,
                "roles are groups here, and can only be searched for where the directory keeps memberOf (groups.member_of): read the \
                 group's members instead (GET /Groups/{id})",
            ));
        }
        let translation = self.part(filter, targets)?;
        if !translation.exact && self.ty.kind == Kind::User && asks_for_groups(filter) {
            // A user that was found does not tell its groups, so nothing could be evaluated on it.
            return Err(ScimError::bad_request(
                ScimType::InvalidFilter,
                "groups.value can only stand beside conditions that the directory decides by itself: leave the others out, or read \
                 the group's members instead (GET /Groups/{id})",
            ));
        }
        Ok(translation)
    }

    fn part(&self, filter: &Filter<BoundPath>, targets: &Targets) -> Result<Translation, ScimError> {
        Ok(match filter {
            Filter::And(a, b) => Translation::all([self.part(a, targets)?, self.part(b, targets)?]),
            Filter::Or(a, b) => Translation::any([self.part(a, targets)?, self.part(b, targets)?]),
            Filter::Not(inner) => self.part(inner, targets)?.negated(),
            Filter::Present(path) => self.present(path),
            Filter::Compare { path, op, value } => self.compare(path, *op, value, targets)?,
            Filter::ValuePath { path, filter } => self.value_path(path, filter, targets)?,
        })
    }

    fn rules_of<'a>(&'a self, path: &'a BoundPath) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| rule.path.parent() == path.parent())
    }

    fn present(&self, path: &BoundPath) -> Translation {
        match path.attribute.name.as_str() {
            "id" | "schemas" => return Translation::exact(Search::everything()),
            "meta" => return Translation::undecided(),
            "active" if path.extension.is_none() => return Translation::exact(Search::everything()),
            "groups" if self.ty.kind == Kind::User => return Translation::undecided(),
            _ => {}
        }
        let whole = path.sub.is_none();
        let held: Vec<&Rule> = self.rules_of(path).filter(|rule| whole || rule.path.sub_name() == path.sub_name()).collect();
        if held.is_empty() {
            return self.derived(path);
        }
        Translation::any(held.into_iter().map(stored))
    }

    /// `type`, `primary` and the like are not stored, they follow from where a value is: there must be one. Where nothing is kept,
    /// nothing matches.
    fn derived(&self, path: &BoundPath) -> Translation {
        let mut stored = self.rules_of(path).map(|rule| stored(rule).widened()).peekable();
        if stored.peek().is_none() { Translation::exact(Search::nothing()) } else { Translation::any(stored) }
    }

    fn compare(&self, path: &BoundPath, op: CompareOp, value: &Literal, targets: &Targets) -> Result<Translation, ScimError> {
        if op == CompareOp::Ne {
            return Ok(self.compare(path, CompareOp::Eq, value, targets)?.negated());
        }
        if *value == Literal::Null {
            return Ok(if op == CompareOp::Eq { self.present(path).negated() } else { Translation::undecided() });
        }
        let sub = path.sub_name().unwrap_or_default();
        match (path.attribute.name.as_str(), sub) {
            ("id", _) => return Ok(self.compare_id(op, value)),
            ("meta", "created") => return Ok(compare_time(self.profile.created, op, value)),
            ("meta", "lastModified") => return Ok(compare_time(self.profile.modified, op, value)),
            ("meta" | "schemas", _) => return Ok(Translation::undecided()),
            ("active", _) if path.extension.is_none() => {
                return Ok(match (op, value) {
                    (CompareOp::Eq, Literal::Boolean(active)) => Translation::exact(self.active.filter(*active)),
                    _ => Translation::undecided(),
                });
            }
            ("groups", "value") if self.ty.kind == Kind::User => return self.in_group(op, value, targets),
            ("groups", _) if self.ty.kind == Kind::User => return Err(unsupported(path)),
            _ => {}
        }
        let held: Vec<&Rule> = self.rules_of(path).filter(|rule| rule.path.sub_name() == path.sub_name()).collect();
        if held.is_empty() {
            return Ok(self.derived(path));
        }
        Ok(Translation::any(held.into_iter().map(|rule| self.compare_rule(rule, op, value, targets))))
    }

    fn compare_id(&self, op: CompareOp, value: &Literal) -> Translation {
        match (op, value) {
            (CompareOp::Eq, Literal::String(id)) => {
                let search = comparable_id(id).and_then(|id| self.by_id(id));
                Translation::exact(search.unwrap_or_else(Search::nothing))
            }
            _ => Translation::undecided(),
        }
    }

    fn in_group(&self, op: CompareOp, value: &Literal, targets: &Targets) -> Result<Translation, ScimError> {
        let (CompareOp::Eq, Literal::String(id), true) = (op, value, self.member_of) else {
            return Err(ScimError::bad_request(
                ScimType::InvalidFilter,
                "groups.value can only be compared by eq, and only where the directory keeps memberOf: read the group's members \
                 instead (GET /Groups/{id})",
            ));
        };
        Ok(Translation::exact(names_target(MEMBER_OF, id, targets)))
    }

    fn value_path(&self, path: &BoundPath, filter: &Filter<BoundPath>, targets: &Targets) -> Result<Translation, ScimError> {
        let rules: Vec<&Rule> = self.rules_of(path).collect();
        if rules.is_empty() {
            return if path.attribute.name == "groups" { Err(unsupported(path)) } else { Ok(Translation::undecided()) };
        }
        let mut conditions = Vec::new();
        if !conjuncts(filter, &mut conditions) {
            return Ok(self.derived(path));
        }
        let mut types: Vec<&Option<String>> = Vec::new();
        for rule in &rules {
            if !types.contains(&&rule.item) {
                types.push(&rule.item);
            }
        }
        let of_type = |item: &Option<String>| rules.iter().copied().filter(|rule| rule.item == *item).collect::<Vec<_>>();
        Ok(Translation::any(types.into_iter().map(|item| self.item_with(&of_type(item), &conditions, targets))))
    }

    /// Entries with an item, made of what these rules of one type keep, that satisfies every condition.
    fn item_with(&self, rules: &[&Rule], conditions: &[Condition<'_>], targets: &Targets) -> Translation {
        let kind = rules.first().and_then(|rule| rule.item.as_deref());
        let mut exact = true;
        let mut found: Vec<Translation> = Vec::new();
        for (path, op, value) in conditions.iter().copied() {
            let held = rules.iter().find(|rule| rule.path.sub_name() == path.sub_name());
            match (held, value, kind) {
                // What is absent satisfies these as well.
                (Some(_), Literal::Null, _) => exact = false,
                (Some(rule), _, _) if op != CompareOp::Ne => found.push(self.compare_rule(rule, op, value, targets)),
                (None, Literal::String(wanted), Some(kind)) if op == CompareOp::Eq && path.sub_name() == Some("type") => {
                    if prepare(wanted, false) != prepare(kind, false) {
                        return Translation::exact(Search::nothing());
                    }
                }
                _ => exact = false,
            }
        }
        // Whether several conditions hold of one and the same item, only looking at it can tell.
        exact &= found.len() < 2;
        if found.is_empty() {
            found.push(Translation::any(rules.iter().map(|rule| stored(rule))));
        }
        let all = Translation::all(found);
        Translation { exact: exact && all.exact, ..all }
    }

    fn compare_rule(&self, rule: &Rule, op: CompareOp, value: &Literal, targets: &Targets) -> Translation {
        let attribute = &rule.attribute;
        let definition = &rule.definition;
        match (rule.codec, value) {
            (Codec::Reference | Codec::Login, Literal::String(id)) if op == CompareOp::Eq => {
                let target = comparable_id(id).and_then(|id| targets.get(id)).and_then(|dn| self.reference_text(rule, dn));
                let search = target.map_or_else(Search::nothing, |text| Search::equal(attribute, text));
                Translation { search, exact: rule.shows_all() }
            }
            (Codec::Boolean, Literal::Boolean(flag)) if op == CompareOp::Eq && definition.is_boolean() => {
                Translation { search: Search::equal(attribute, if *flag { "TRUE" } else { "FALSE" }), exact: rule.shows_all() }
            }
            (Codec::Text, Literal::String(text)) => compare_text(rule, op, text).unwrap_or_else(|| stored(rule).widened()),
            _ => stored(rule).widened(),
        }
    }
}

fn unsupported(path: &BoundPath) -> ScimError {
    ScimError::bad_request(ScimType::InvalidFilter, format!("{path} cannot be searched for; groups.value can"))
}

/// Whether a user's groups are asked for anywhere.
fn asks_for_groups(filter: &Filter<BoundPath>) -> bool {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => asks_for_groups(a) || asks_for_groups(b),
        Filter::Not(inner) => asks_for_groups(inner),
        Filter::Present(path) | Filter::Compare { path, .. } | Filter::ValuePath { path, .. } => {
            path.extension.is_none() && path.attribute.name == "groups"
        }
    }
}

/// Splits a conjunction; false if it is something else.
fn conjuncts<'a>(filter: &'a Filter<BoundPath>, into: &mut Vec<Condition<'a>>) -> bool {
    match filter {
        Filter::And(a, b) => conjuncts(a, into) && conjuncts(b, into),
        Filter::Compare { path, op, value } => {
            into.push((path, *op, value));
            true
        }
        Filter::Or(..) | Filter::Not(_) | Filter::Present(_) | Filter::ValuePath { .. } => false,
    }
}

/// An id as SCIM compares it, without regard to space around it but with its case. The directory has no capitals in a UUID.
fn comparable_id(id: &str) -> Option<&str> {
    Some(id.trim_matches(' ')).filter(|id| !id.bytes().any(|b| b.is_ascii_uppercase()))
}

/// Entries whose attribute names the entry of a resource.
fn names_target(attribute: &str, id: &str, targets: &Targets) -> Search {
    let target = comparable_id(id).and_then(|id| targets.get(id));
    target.map_or_else(Search::nothing, |dn| Search::equal(attribute, dn.to_string()))
}

/// Entries that have a value there. It may be one that SCIM does not show: a name of nobody visible, bytes that are no text.
fn stored(rule: &Rule) -> Translation {
    let exact = rule.codec == Codec::Text && rule.definition.is_text();
    Translation { search: Search::Present(rule.attribute.clone()), exact }
}

/// A comparison of text that the directory can decide, or at least narrow down.
fn compare_text(rule: &Rule, op: CompareOp, text: &str) -> Option<Translation> {
    let attribute = &rule.attribute;
    let definition = &rule.definition;
    let case_exact = rule.path.leaf().case_exact;
    let prepared = prepare(text, case_exact);
    let (text, exact) = match (definition.equality, case_exact) {
        // The few letters that become ASCII without their case.
        (Equality::Telephone, _) if op == CompareOp::Eq && text.is_ascii() => (text, false),
        (Equality::CaseIgnore | Equality::CaseExact, _) if definition.is_ascii() && !prepared.is_ascii() => {
            let within = matches!(op, CompareOp::Eq | CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
            return within.then(|| Translation::exact(Search::nothing()));
        }
        (Equality::CaseIgnore, false) if definition.is_ascii() && !text.is_ascii() => (prepared.as_str(), true),
        (Equality::CaseIgnore, false) | (Equality::CaseExact, true) => (text, true),
        (Equality::CaseIgnore, true) | (Equality::Folding, _) => (text, false),
        (Equality::CaseExact, false) | (Equality::Telephone | Equality::None | Equality::Other, _) => return None,
    };
    if prepared.is_empty() {
        return None;
    }
    // In pieces of text, space at the ends counts differently from server to server.
    let pieces = definition.substrings && *text == prepare(text, true) && rule.fits(text);
    let piece = || Some(text.as_bytes().to_vec());
    let search = match op {
        CompareOp::Eq => Search::equal(attribute, text),
        CompareOp::Sw if pieces => substring(attribute, piece(), None, None),
        CompareOp::Co if pieces => substring(attribute, None, piece(), None),
        CompareOp::Ew if pieces => substring(attribute, None, None, piece()),
        _ => return None,
    };
    Some(Translation { search, exact: exact && definition.is_known() && rule.shows_all() })
}

fn substring(attribute: &str, initial: Option<Vec<u8>>, any: Option<Vec<u8>>, last: Option<Vec<u8>>) -> Search {
    Search::Substring { attribute: attribute.to_owned(), initial, any: any.into_iter().collect(), last }
}

/// Most directories note times to the second: a comparison with a fraction is widened to whole ones and decided on what is found.
fn compare_time(attribute: &str, op: CompareOp, value: &Literal) -> Translation {
    let Literal::String(text) = value else { return Translation::undecided() };
    let Ok(time) = text.parse::<Timestamp>() else { return Translation::undecided() };
    let into = Offset::UTC.to_datetime(time).subsec_nanosecond();
    let whole = into == 0;
    let at = |seconds: i64| {
        let shift = SignedDuration::new(seconds, 0) - SignedDuration::from_nanos(into.into());
        time.checked_add(shift).ok().and_then(generalized_time).map(String::into_bytes)
    };
    let (Some(this), Some(next)) = (at(0), at(i64::from(!whole))) else { return Translation::undecided() };
    let present = || Search::Present(attribute.to_owned());
    let from = || Search::GreaterOrEqual(attribute.to_owned(), this.clone());
    let until = || Search::LessOrEqual(attribute.to_owned(), next.clone());
    if !whole {
        return match op {
            CompareOp::Gt | CompareOp::Ge => Translation::wider(from()),
            CompareOp::Lt | CompareOp::Le => Translation::wider(until()),
            CompareOp::Eq => Translation::wider(present()),
            CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => Translation::undecided(),
        };
    }
    match op {
        CompareOp::Eq => Translation::exact(Search::Equal(attribute.to_owned(), this)),
        CompareOp::Ge => Translation::exact(from()),
        CompareOp::Le => Translation::exact(until()),
        CompareOp::Gt => Translation::exact(Search::all([present(), until().negated()])),
        CompareOp::Lt => Translation::exact(Search::all([present(), from().negated()])),
        CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => Translation::undecided(),
    }
}
