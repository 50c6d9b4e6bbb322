//! What makes an existing entry one that is managed through SCIM.

use serde_json::Value;

use super::ResourceMapping;
use super::rule::Rule;
use crate::directory::{Entry, Filter, Modification, ModifyOp, Subschema};

impl ResourceMapping {
    /// Whether entries can be marked as managed. Where they cannot, every entry counts as managed.
    pub fn can_mark(&self) -> bool {
        !self.ownership.is_empty()
    }

    /// Whether an entry is marked as managed.
    pub fn is_managed(&self, entry: &Entry) -> bool {
        self.can_mark() && self.adoption(entry).is_empty()
    }

    /// The attribute of the mark, if it can have one value only and this entry has another one there.
    pub fn mark_taken(&self, entry: &Entry, schema: &Subschema) -> Option<&str> {
        let single = |attribute: &str| schema.attribute(attribute).is_some_and(|known| known.single_value);
        let taken = self.ownership.iter().find(|mark| {
            !entry.values(&mark.attribute).is_empty() && !entry.has(&mark.attribute, &mark.value) && single(&mark.attribute)
        });
        taken.map(|mark| mark.attribute.as_str())
    }

    fn external_id_rule(&self) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.path.is_core("externalId", None))
    }

    /// What makes an entry managed, and gives it the client's name for it where that is known and has a place.
    pub fn link(&self, entry: &Entry, external_id: Option<&str>) -> Vec<Modification> {
        let mut changes = self.adoption(entry);
        let rule = self.external_id_rule().filter(|rule| entry.values(&rule.attribute).is_empty());
        if let (Some(rule), Some(external_id)) = (rule, external_id)
            && let Some(value) = rule.write(&Value::from(external_id)).filter(|value| !value.is_empty())
        {
            changes.push(Modification::new(ModifyOp::Add, &rule.attribute, vec![value]));
        }
        changes
    }

    /// Holds as long as an entry is this one and none of these changes, which add values, was made.
    pub fn not_yet(&self, entry: &Entry, changes: &[Modification]) -> Option<Filter> {
        let identity = self.by_uuid(self.id(entry)?);
        let absent = changes.iter().flat_map(|change| {
            change.values.iter().map(|value| Filter::Equal(change.attribute.clone(), value.clone()).negated())
        });
        Some(Filter::all(std::iter::once(identity).chain(absent)))
    }
}
