//! From a SCIM filter to a search filter.
//!
//! A part that the directory cannot decide exactly as SCIM would is widened: the search then finds at least what matches, and
//! the SCIM filter is evaluated on what was found.

use super::names::Targets;
use super::rule::{Codec, Rule};
use super::ResourceMapping;
use crate::directory::{Filter as Search, generalized_time};
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

    fn negated(self) -> Self {
        if self.exact { Self::exact(self.search.negated()) } else { Self::undecided() }
    }

    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().collect();
        let exact = parts.iter().all(|part| part.exact);
        // A part that says nothing need not be asked.
        let useful = parts.into_iter().map(|part| part.search).filter(|search| *search != Search::everything());
        Self { search: Search::all(useful), exact }
    }

    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().collect();
        let exact = parts.iter().all(|part| part.exact);
        if parts.iter().any(|part| part.search == Search::everything()) {
            return Self { search: Search::everything(), exact };
        }
        let mut searches: Vec<Search> = parts.into_iter().map(|part| part.search).collect();
        let search = if searches.len() == 1 { searches.remove(0) } else { Search::Or(searches) };
        Self { search, exact }
    }
}

/// The ids that a filter compares references with; to be looked up before it is translated.
pub fn references_in(filter: &Filter<BoundPath>) -> Vec<&str> {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => references_in(a).into_iter().chain(references_in(b)).collect(),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => references_in(inner),
        Filter::Compare { path, op: CompareOp::Eq | CompareOp::Ne, value: Literal::String(id) }
            if matches!(path.attribute.name.as_str(), "members" | "groups" | "manager")
                && path.sub_name() == Some("value") =>
        {
            vec![id]
        }
        Filter::Compare { .. } | Filter::Present(_) => Vec::new(),
    }
}

impl ResourceMapping {
    /// Translates a filter. `targets` holds the entries of those of `references_in` that exist.
    pub fn translate(&self, filter: &Filter<BoundPath>, targets: &Targets) -> Result<Translation, ScimError> {
        Ok(match filter {
            Filter::And(a, b) => Translation::all([self.translate(a, targets)?, self.translate(b, targets)?]),
            Filter::Or(a, b) => Translation::any([self.translate(a, targets)?, self.translate(b, targets)?]),
            Filter::Not(inner) => self.translate(inner, targets)?.negated(),
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
            "id" | "meta" | "schemas" => return Translation::undecided(),
            "active" if path.extension.is_none() => return Translation::exact(Search::everything()),
            "groups" if self.ty.kind == Kind::User => return Translation::undecided(),
            _ => {}
        }
        let whole = path.sub.is_none();
        let held = self.rules_of(path).filter(|rule| whole || rule.path.sub_name() == path.sub_name());
        let found: Vec<Translation> = held.map(|rule| self.stored(rule)).collect();
        if found.is_empty() { Translation::undecided() } else { Translation::any(found) }
    }

    /// Entries that have a value there. A reference may name nobody that is visible, and a flag or number may be malformed.
    fn stored(&self, rule: &Rule) -> Translation {
        let search = Search::Present(rule.attribute.clone());
        if rule.codec == Codec::Text { Translation::exact(search) } else { Translation::wider(search) }
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
            // `type`, `primary` and the like are not stored: they follow from where a value is.
            let stored: Vec<Translation> = self.rules_of(path).map(|rule| Translation::wider(self.stored(rule).search)).collect();
            return Ok(if stored.is_empty() { Translation::undecided() } else { Translation::any(stored) });
        }
        Ok(Translation::any(held.into_iter().map(|rule| compare_rule(rule, op, value, targets))))
    }

    fn compare_id(&self, op: CompareOp, value: &Literal) -> Translation {
        match (op, value) {
            (CompareOp::Eq, Literal::String(id)) => match self.by_id(id) {
                // An id is compared with its case, a UUID in the directory is not.
                Some(search) if *id == id.to_ascii_lowercase() => Translation::exact(search),
                _ => Translation::exact(Search::nothing()),
            },
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
        Ok(Translation::exact(match targets.get(id) {
            Some(dn) => Search::equal("memberOf", dn.to_string()),
            None => Search::nothing(),
        }))
    }

    fn value_path(&self, path: &BoundPath, filter: &Filter<BoundPath>, targets: &Targets) -> Result<Translation, ScimError> {
        let mut conditions = Vec::new();
        let simple = conjuncts(filter, &mut conditions);
        let kind = conditions.iter().find_map(|condition| match condition {
            Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(kind) } if is_sub(path, "type") => Some(kind),
            _ => None,
        });
        let items: Vec<&Rule> = self.rules_of(path).collect();
        if items.is_empty() {
            return if path.attribute.name == "groups" { Err(unsupported(path)) } else { Ok(Translation::undecided()) };
        }
        if !simple {
            return Ok(Translation::any(items.into_iter().map(|rule| Translation::wider(self.stored(rule).search))));
        }
        let rest: Vec<&&Filter<BoundPath>> = conditions
            .iter()
            .filter(|condition| !matches!(condition, Filter::Compare { path, op: CompareOp::Eq, .. } if is_sub(path, "type")))
            .collect();
        let kept = items.into_iter().filter(|rule| match (kind, &rule.item) {
            (Some(kind), Some(item)) => prepare(kind, false) == prepare(item, false),
            _ => true,
        });
        let mut found = Vec::new();
        for rule in kept.filter(|rule| rule.is_value()) {
            // Whether several conditions hold of one and the same value, only looking at it can tell.
            let mut exact = rest.len() <= 1 && (kind.is_none() || rule.item.is_some());
            let mut searches = vec![self.stored(rule)];
            for condition in &rest {
                match condition {
                    Filter::Compare { path, op, value } if path.sub_name() == rule.path.sub_name() && *op != CompareOp::Ne => {
                        searches = vec![compare_rule(rule, *op, value, targets)];
                    }
                    _ => exact = false,
                }
            }
            let all = Translation::all(searches);
            found.push(Translation { exact: exact && all.exact, ..all });
        }
        if found.is_empty() {
            // No value is kept under this type; items made of other sub-attributes have to be looked at.
            let others = self.rules_of(path).filter(|rule| !rule.is_value()).map(|rule| Translation::wider(self.stored(rule).search));
            let others: Vec<Translation> = others.collect();
            return Ok(if others.is_empty() { Translation::exact(Search::nothing()) } else { Translation::any(others) });
        }
        Ok(Translation::any(found))
    }
}

fn unsupported(path: &BoundPath) -> ScimError {
    ScimError::bad_request(ScimType::InvalidFilter, format!("{path} cannot be searched for; groups.value can"))
}

fn is_sub(path: &BoundPath, name: &str) -> bool {
    path.sub_name() == Some(name)
}

/// Splits a conjunction; false if it is something else.
fn conjuncts<'a>(filter: &'a Filter<BoundPath>, into: &mut Vec<&'a Filter<BoundPath>>) -> bool {
    match filter {
        Filter::And(a, b) => conjuncts(a, into) && conjuncts(b, into),
        Filter::Compare { .. } => {
            into.push(filter);
            true
        }
        Filter::Or(..) | Filter::Not(_) | Filter::Present(_) | Filter::ValuePath { .. } => false,
    }
}

fn compare_rule(rule: &Rule, op: CompareOp, value: &Literal, targets: &Targets) -> Translation {
    let attribute = &rule.attribute;
    let definition = &rule.definition;
    let stored = || Translation::wider(Search::Present(attribute.clone()));
    match (rule.codec, value) {
        (Codec::Reference, Literal::String(id)) if rule.is_value() && op == CompareOp::Eq => {
            Translation::exact(targets.get(id).map_or_else(Search::nothing, |dn| Search::equal(attribute, dn.to_string())))
        }
        (Codec::Boolean, Literal::Boolean(flag)) if op == CompareOp::Eq && definition.equality => {
            Translation::wider(Search::equal(attribute, if *flag { "TRUE" } else { "FALSE" }))
        }
        (Codec::Text, Literal::String(text)) => {
            let prepared = prepare(text, true);
            let searched = matches!(op, CompareOp::Eq | CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
            if searched && definition.is_ascii() && !text.is_ascii() {
                return Translation::exact(Search::nothing());
            }
            // With several values there, SCIM may show another one than the search found.
            let sees_all = definition.single_value || rule.path.attribute.multi_valued;
            let same_case = rule.path.leaf().case_exact == definition.case_exact;
            let exact = sees_all && same_case && !definition.is_telephone_number();
            let narrower = definition.case_exact && !rule.path.leaf().case_exact;
            let piece = || text.clone().into_bytes();
            let plain = *text == prepared && !text.is_empty() && !definition.is_telephone_number();
            let search = match op {
                CompareOp::Eq if definition.equality && !narrower && !prepared.is_empty() => Search::equal(attribute, text),
                CompareOp::Sw if definition.substrings && !narrower && plain => substring(attribute, Some(piece()), None, None),
                CompareOp::Co if definition.substrings && !narrower && plain => substring(attribute, None, Some(piece()), None),
                CompareOp::Ew if definition.substrings && !narrower && plain => substring(attribute, None, None, Some(piece())),
                _ => return stored(),
            };
            Translation { search, exact }
        }
        _ => stored(),
    }
}

fn substring(attribute: &str, initial: Option<Vec<u8>>, any: Option<Vec<u8>>, last: Option<Vec<u8>>) -> Search {
    Search::Substring { attribute: attribute.to_owned(), initial, any: any.into_iter().collect(), last }
}

/// Times are kept to the second; a comparison with a fraction is decided on what is found.
fn compare_time(attribute: &str, op: CompareOp, value: &Literal) -> Translation {
    let Literal::String(text) = value else { return Translation::undecided() };
    let Ok(time) = text.parse::<jiff::Timestamp>() else { return Translation::undecided() };
    let bytes = generalized_time(time).into_bytes();
    let from = Search::GreaterOrEqual(attribute.to_owned(), bytes.clone());
    let until = Search::LessOrEqual(attribute.to_owned(), bytes.clone());
    let present = || Search::Present(attribute.to_owned());
    if time.subsec_nanosecond() != 0 {
        // `from` begins a fraction of a second early, so it finds all that is later; nothing is said of what is earlier.
        return match op {
            CompareOp::Gt | CompareOp::Ge => Translation::wider(from),
            CompareOp::Lt | CompareOp::Le => Translation::wider(until),
            CompareOp::Eq => Translation::wider(present()),
            CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => Translation::undecided(),
        };
    }
    match op {
        CompareOp::Eq => Translation::exact(Search::Equal(attribute.to_owned(), bytes)),
        CompareOp::Ge => Translation::exact(from),
        CompareOp::Le => Translation::exact(until),
        CompareOp::Gt => Translation::exact(Search::all([present(), until.negated()])),
        CompareOp::Lt => Translation::exact(Search::all([present(), from.negated()])),
        CompareOp::Ne | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => Translation::undecided(),
    }
}
