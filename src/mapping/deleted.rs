//! Users that a DELETE left in the directory, disabled and out of sight.

use super::ResourceMapping;
use super::config::Mark;
use crate::directory::{Dn, Entry, Filter, Modification, ModifyOp};
use crate::scim::Resource;
use crate::scim::text::prepare;

/// What becomes of a deleted user's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Afterlife {
    /// It is removed.
    None,
    /// It stays in its place, with another mark instead of that of managed entries.
    Here(Mark),
    /// It goes to this branch.
    There(Dn),
}

impl ResourceMapping {
    /// Whether deleted entries stay in the directory.
    pub fn keeps_deleted(&self) -> bool {
        self.afterlife != Afterlife::None
    }

    /// The branch that deleted entries go to, if they do.
    pub fn recycle_base(&self) -> Option<&Dn> {
        match &self.afterlife {
            Afterlife::There(base) => Some(base),
            Afterlife::None | Afterlife::Here(_) => None,
        }
    }

    /// What finds deleted entries, and below which base.
    pub fn deleted(&self) -> Option<(&Dn, Filter)> {
        let with = |mark: &Mark| Filter::equal(&mark.attribute, &mark.value);
        match &self.afterlife {
            Afterlife::None => None,
            Afterlife::Here(mark) => Some((&self.base, Filter::all([self.class(), with(mark)]))),
            Afterlife::There(base) => {
                let managed = self.ownership.iter().map(with);
                Some((base, Filter::all(std::iter::once(self.class()).chain(managed))))
            }
        }
    }

    /// Keeps out deleted entries that stay in their place: where only marked ones are visible, they are out of sight already.
    pub(super) fn not_deleted(&self) -> Option<Filter> {
        self.living().filter(|_| self.visible.is_none())
    }

    /// Holds of an entry as long as it is not deleted where it is: its name alone does not tell.
    pub fn living(&self) -> Option<Filter> {
        match &self.afterlife {
            Afterlife::Here(mark) => Some(Filter::equal(&mark.attribute, &mark.value).negated()),
            Afterlife::None | Afterlife::There(_) => None,
        }
    }

    /// Whether an entry was deleted and stayed in its place.
    pub fn is_deleted(&self, entry: &Entry) -> bool {
        matches!(&self.afterlife, Afterlife::Here(mark) if entry.has(&mark.attribute, &mark.value))
    }

    /// What puts an entry out of sight, or into the branch of the deleted as one of ours.
    pub fn burial(&self, entry: &Entry) -> Vec<Modification> {
        let change = |op: ModifyOp, mark: &Mark| Modification::new(op, &mark.attribute, vec![mark.value.clone().into_bytes()]);
        match &self.afterlife {
            Afterlife::None => Vec::new(),
            Afterlife::Here(mark) => {
                let replaced = self.ownership.iter().filter(|own| own.attribute.eq_ignore_ascii_case(&mark.attribute));
                let replaced = replaced.filter(|own| entry.has(&own.attribute, &own.value));
                replaced.map(|own| change(ModifyOp::Delete, own)).chain([change(ModifyOp::Add, mark)]).collect()
            }
            Afterlife::There(_) => self.adoption(entry),
        }
    }

    /// What brings an entry back into sight.
    pub fn revival(&self, entry: &Entry) -> Vec<Modification> {
        let Afterlife::Here(mark) = &self.afterlife else { return Vec::new() };
        let gone = entry.has(&mark.attribute, &mark.value);
        let gone = gone.then(|| Modification::new(ModifyOp::Delete, &mark.attribute, vec![mark.value.clone().into_bytes()]));
        gone.into_iter().chain(self.adoption(entry)).collect()
    }

    /// What finds entries that may be this person's: with the same userName or externalId.
    pub fn like(&self, resource: &Resource) -> Option<Filter> {
        let same = |name: &str| {
            let rule = self.rules.iter().find(|rule| rule.path.is_core(name, None))?;
            resource.text(name).filter(|text| !text.is_empty()).map(|text| Filter::equal(&rule.attribute, text))
        };
        let same: Vec<Filter> = [same("userName"), same("externalId")].into_iter().flatten().collect();
        (!same.is_empty()).then_some(Filter::Or(same))
    }
}

/// Whether a deleted user is the person that comes: by the provider's own identifier where both have one, else by name. Who has the
/// same name and another identifier is somebody else, and must not inherit an account.
pub fn is_same_person(deleted: &Resource, coming: &Resource) -> bool {
    match (deleted.text("externalId"), coming.text("externalId")) {
        (Some(one), Some(other)) => one == other,
        _ => has_same_name(deleted, coming),
    }
}

/// Whether two users have one userName.
pub fn has_same_name(one: &Resource, other: &Resource) -> bool {
    let name = |resource: &Resource| resource.text("userName").map(|name| prepare(name, false));
    name(one).is_some() && name(one) == name(other)
}
