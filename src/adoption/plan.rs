//! Who is who: each existing user is matched, or it is said why not.

use std::collections::HashMap;

use super::list::Listed;
use super::{AdoptionConfig, Key};
use crate::directory::{Dn, Entry};
use crate::mapping::{Linked, Names, ReadContext, ResourceMapping};
use crate::scim::Resource;
use crate::scim::text::prepare;

/// An existing user, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its entry.
    pub entry: Entry,
    user_name: Option<String>,
    emails: Vec<String>,
    external_id: Option<String>,
    managed: bool,
    /// Why it cannot be adopted whoever it is.
    obstacle: Option<(Problem, String)>,
}

impl Candidate {
    /// Reads an entry.
    pub fn new(side: &ResourceMapping, entry: Entry) -> Self {
        let context = ReadContext { base_url: "", linked: Linked::Names(&Names::new()), groups: None };
        let resource = side.read(&entry, context);
        let emails = side.ty.resolve_str("emails.value").map(|path| resource.values(&path)).unwrap_or_default();
        Self {
            user_name: resource.text("userName").map(str::to_owned),
            emails: emails.into_iter().filter_map(|value| value.as_str()).map(str::to_owned).collect(),
            external_id: resource.text("externalId").map(str::to_owned),
            managed: side.is_managed(&entry),
            obstacle: unacceptable(side, &resource),
            entry,
        }
    }

    /// The same, which cannot be adopted for this reason.
    #[must_use]
    pub fn barred(self, problem: Problem, why: String) -> Self {
        Self { obstacle: Some((problem, why)), ..self }
    }

    /// Whether it bears the mark already.
    pub fn is_managed(&self) -> bool {
        self.managed
    }

    fn values(&self, key: Key) -> Vec<String> {
        values(key, self.user_name.as_deref(), &self.emails, self.external_id.as_deref())
    }
}

/// A userName that the provider could not send.
fn unacceptable(side: &ResourceMapping, resource: &Resource) -> Option<(Problem, String)> {
    let refused = side.check_user_name(resource).err()?;
    let name = resource.text("userName").unwrap_or_default();
    Some((Problem::Conflict, format!("its userName is {name}; {}", refused.detail)))
}

/// As they are compared: an externalId is the provider's to the letter.
fn values(key: Key, user_name: Option<&str>, emails: &[String], external_id: Option<&str>) -> Vec<String> {
    match key {
        Key::UserName => user_name.map(|name| prepare(name, false)).into_iter().collect(),
        Key::Emails => emails.iter().map(|email| prepare(email, false)).collect(),
        Key::ExternalId => external_id.map(str::to_owned).into_iter().collect(),
    }
}

/// Why somebody is not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// What is known contradicts itself.
    Conflict,
    /// Several people could be meant.
    Ambiguity,
    /// It is never changed through SCIM.
    Protection,
}

/// Somebody who is not adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Of which kind.
    pub problem: Problem,
    /// The entry or the row of the list.
    pub who: String,
    /// Why, and what to do.
    pub why: String,
}

/// Somebody who is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The entry as it was read.
    pub entry: Entry,
    /// The provider's name for it.
    pub external_id: Option<String>,
    /// What it was recognised by.
    pub by: Key,
}

/// What an adoption would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those to be adopted.
    pub matched: Vec<Match>,
    /// Those that somebody has to look at.
    pub unsettled: Vec<Unsettled>,
    /// Those that are managed already.
    pub managed: usize,
    /// Existing users that the list does not name.
    pub unlisted: usize,
    /// People of the list that the directory does not have.
    pub absent: usize,
}

/// Where each value is found.
struct Index<'a> {
    candidates: &'a [Candidate],
    places: HashMap<(Key, String), Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(candidates: &'a [Candidate], keys: &[Key]) -> Self {
        let mut places: HashMap<(Key, String), Vec<usize>> = HashMap::new();
        for (n, candidate) in candidates.iter().enumerate() {
            for key in keys {
                for value in candidate.values(*key) {
                    let place = places.entry((*key, value)).or_default();
                    if place.last() != Some(&n) {
                        place.push(n);
                    }
                }
            }
        }
        Self { candidates, places }
    }

    /// Those with one of these values, each once.
    fn find(&self, key: Key, values: Vec<String>) -> Vec<usize> {
        let mut found: Vec<usize> =
            values.into_iter().filter_map(|value| self.places.get(&(key, value))).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn names(&self, found: &[usize]) -> String {
        let names: Vec<String> =
            found.iter().take(5).filter_map(|n| self.candidates.get(*n)).map(|one| one.entry.dn.to_string()).collect();
        let more = if found.len() > names.len() { format!(" and {} more", found.len() - names.len()) } else { String::new() };
        format!("{}{more}", names.join("; "))
    }
}

impl Plan {
    /// Recognises the people of a list, or without one every existing user that can be told from all others.
    pub fn new(candidates: &[Candidate], list: Option<&[Listed]>, config: &AdoptionConfig) -> Self {
        let index = Index::new(candidates, &config.keys);
        match list {
            Some(list) => of_list(&index, list, &config.keys),
            None => of_all(&index, &config.keys),
        }
    }

    /// How many are not adopted for this reason.
    pub fn count(&self, problem: Problem) -> usize {
        self.unsettled.iter().filter(|one| one.problem == problem).count()
    }

    fn unsettled(&mut self, problem: Problem, who: impl Into<String>, why: impl Into<String>) {
        self.unsettled.push(Unsettled { problem, who: who.into(), why: why.into() });
    }

    fn matched(&mut self, candidate: &Candidate, external_id: Option<String>, by: Key) {
        match &candidate.obstacle {
            Some((problem, why)) => self.unsettled(*problem, candidate.entry.dn.to_string(), why.clone()),
            None => self.matched.push(Match { entry: candidate.entry.clone(), external_id, by }),
        }
    }

    /// Takes out those that are protected after all.
    pub fn bar(&mut self, dn: &Dn, why: &str) {
        let key = dn.key();
        self.matched.retain(|one| one.entry.dn.key() != key);
        self.unsettled(Problem::Protection, dn.to_string(), why);
    }
}

fn words(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ")
}

fn of_all(index: &Index<'_>, keys: &[Key]) -> Plan {
    let mut plan = Plan::default();
    for (n, candidate) in index.candidates.iter().enumerate() {
        if candidate.managed {
            plan.managed += 1;
            continue;
        }
        let known = keys.iter().map(|key| (*key, candidate.values(*key))).find(|(_, values)| !values.is_empty());
        let Some((key, values)) = known else {
            let why = format!("it has none of {}, so no provider can mean it: give it one", words(keys));
            plan.unsettled(Problem::Conflict, candidate.entry.dn.to_string(), why);
            continue;
        };
        let others: Vec<usize> = index.find(key, values).into_iter().filter(|other| *other != n).collect();
        if others.is_empty() {
            plan.matched(candidate, None, key);
        } else {
            let why = format!("it shares its {key} with {}: give each its own", index.names(&others));
            plan.unsettled(Problem::Ambiguity, candidate.entry.dn.to_string(), why);
        }
    }
    plan
}

/// Whom a row means.
enum Meant {
    Nobody,
    One(usize, Key),
    Unclear(Problem, String),
}

fn meant(index: &Index<'_>, listed: &Listed, keys: &[Key]) -> Meant {
    let of = |key: Key| values(key, listed.user_name.as_deref(), &listed.emails, listed.external_id.as_deref());
    if keys.iter().all(|key| of(*key).is_empty()) {
        return Meant::Unclear(Problem::Conflict, format!("it has none of {}", words(keys)));
    }
    let mut chosen: Option<(Vec<usize>, Key)> = None;
    for key in keys {
        let found = index.find(*key, of(*key));
        chosen = match chosen {
            _ if found.is_empty() => chosen,
            None => Some((found, *key)),
            Some((before, by)) => {
                let both: Vec<usize> = before.iter().copied().filter(|n| found.contains(n)).collect();
                if both.is_empty() {
                    let (one, other) = (index.names(&before), index.names(&found));
                    let why = format!("by its {by} it is {one}, by its {key} it is {other}: mend one of them");
                    return Meant::Unclear(Problem::Conflict, why);
                }
                Some((both, by))
            }
        };
    }
    match chosen {
        None => Meant::Nobody,
        Some((found, by)) => match found.as_slice() {
            [one] => Meant::One(*one, by),
            several => {
                Meant::Unclear(Problem::Ambiguity, format!("it may be any of {}: give each its own", index.names(several)))
            }
        },
    }
}

fn of_list(index: &Index<'_>, list: &[Listed], keys: &[Key]) -> Plan {
    let mut plan = Plan::default();
    let mut by_candidate: HashMap<usize, Vec<(&Listed, Key)>> = HashMap::new();
    let who = |listed: &Listed| {
        let name = listed.user_name.as_deref().or(listed.external_id.as_deref()).or(listed.emails.first().map(String::as_str));
        format!("row {} ({})", listed.row, name.unwrap_or("nameless"))
    };
    for listed in list {
        match meant(index, listed, keys) {
            Meant::Nobody => plan.absent += 1,
            Meant::One(n, by) => by_candidate.entry(n).or_default().push((listed, by)),
            Meant::Unclear(problem, why) => plan.unsettled(problem, who(listed), why),
        }
    }
    for (n, candidate) in index.candidates.iter().enumerate() {
        let (listed, by) = match by_candidate.get(&n).map(Vec::as_slice) {
            None if candidate.managed => {
                plan.managed += 1;
                continue;
            }
            None => {
                plan.unlisted += 1;
                continue;
            }
            Some([one]) => *one,
            Some(several) => {
                let rows: Vec<String> = several.iter().map(|(listed, _)| who(listed)).collect();
                let why = format!("{} all mean it: mend the list", rows.join(" and "));
                plan.unsettled(Problem::Conflict, candidate.entry.dn.to_string(), why);
                continue;
            }
        };
        match (&candidate.external_id, &listed.external_id) {
            (Some(present), Some(wanted)) if present != wanted => {
                let why =
                    format!("{} has another externalId than the entry: take the entry's away if the list is right", who(listed));
                plan.unsettled(Problem::Conflict, candidate.entry.dn.to_string(), why);
            }
            (None, Some(_)) => plan.matched(candidate, listed.external_id.clone(), by),
            _ if candidate.managed => plan.managed += 1,
            _ => plan.matched(candidate, None, by),
        }
    }
    plan
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
