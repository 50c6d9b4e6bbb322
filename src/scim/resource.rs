//! A resource in canonical form.

use serde_json::{Map, Value};

use super::attr::BoundPath;

/// A JSON object with the schema's own names, without nulls, empty arrays and empty objects, with values of the right types;
/// extensions under their URIs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource(Map<String, Value>);

impl Resource {
    /// Without any attribute.
    pub fn new() -> Self {
        Self::default()
    }

    /// An object that has that form.
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The object.
    pub fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The object, to be changed with care for its form.
    pub fn map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The object itself.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    fn home(&self, path: &BoundPath) -> Option<&Map<String, Value>> {
        match &path.extension {
            None => Some(&self.0),
            Some(extension) => self.0.get(&**extension).and_then(Value::as_object),
        }
    }

    /// The value of the attribute that the path begins with.
    pub fn attribute(&self, path: &BoundPath) -> Option<&Value> {
        self.home(path)?.get(&path.attribute.name)
    }

    /// Sets that attribute; null and what is empty remove it.
    pub fn set(&mut self, path: &BoundPath, value: Value) {
        if is_unassigned(&value) {
            self.remove(path);
            return;
        }
        let name = path.attribute.name.clone();
        match &path.extension {
            None => {
                self.0.insert(name, value);
            }
            Some(extension) => {
                let object = self.0.entry(&**extension).or_insert_with(|| Value::Object(Map::new()));
                if let Some(object) = object.as_object_mut() {
                    object.insert(name, value);
                }
            }
        }
    }

    /// Takes that attribute out.
    pub fn remove(&mut self, path: &BoundPath) -> Option<Value> {
        let Some(extension) = &path.extension else { return self.0.remove(&path.attribute.name) };
        let object = self.0.get_mut(&**extension)?.as_object_mut()?;
        let value = object.remove(&path.attribute.name);
        if object.is_empty() {
            self.0.remove(&**extension);
        }
        value
    }

    /// The values the whole path leads to, through lists and sub-attributes.
    pub fn values<'a>(&'a self, path: &BoundPath) -> Vec<&'a Value> {
        let items: &[Value] = match self.attribute(path) {
            Some(Value::Array(items)) => items,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        match &path.sub {
            None => items.iter().collect(),
            Some(sub) => items.iter().filter_map(|item| item.get(&sub.name)).collect(),
        }
    }

    /// The text of `name` or `name.sub` in the core schema.
    pub fn text(&self, path: &str) -> Option<&str> {
        let mut steps = path.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))?.as_str()
    }
}

/// RFC 7643 section 2.5: null and an empty list are no value; so are an empty object and an empty string here.
pub(super) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
