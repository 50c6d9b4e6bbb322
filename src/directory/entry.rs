//! An entry as it was read or is to be added.

use super::Dn;

/// A name and attributes, each with its values in the order they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's name.
    pub dn: Dn,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// An entry without attributes.
    pub fn new(dn: Dn) -> Self {
        Self { dn, attributes: Vec::new() }
    }

    /// An entry with these attributes, each named once.
    pub fn of(dn: Dn, attributes: Vec<(String, Vec<Vec<u8>>)>) -> Self {
        Self { dn, attributes }
    }

    /// Adds values to an attribute.
    pub fn push(&mut self, attribute: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        self.push_values(attribute.to_owned(), values.into_iter().collect());
    }

    /// The same with what is there already, as it is read.
    pub fn push_values(&mut self, attribute: String, values: Vec<Vec<u8>>) {
        match self.attributes.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(&attribute)) {
            Some((_, present)) => present.extend(values),
            None => self.attributes.push((attribute, values)),
        }
    }

    /// Adds one text value to an attribute.
    pub fn push_text(&mut self, attribute: &str, value: &str) {
        self.push(attribute, [value.as_bytes().to_vec()]);
    }

    /// Makes an attribute hold exactly these values; without any it is gone.
    pub fn set(&mut self, attribute: &str, values: Vec<Vec<u8>>) {
        match self.attributes.iter().position(|(name, _)| name.eq_ignore_ascii_case(attribute)) {
            Some(at) if values.is_empty() => {
                self.attributes.remove(at);
            }
            Some(at) => {
                if let Some((_, present)) = self.attributes.get_mut(at) {
                    *present = values;
                }
            }
            None if values.is_empty() => {}
            None => self.attributes.push((attribute.to_owned(), values)),
        }
    }

    /// The values of an attribute, none if it is not there.
    pub fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute)).map_or(&[], |(_, values)| values)
    }

    /// The values of an attribute that are UTF-8.
    pub fn texts<'a>(&'a self, attribute: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values(attribute).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of an attribute, as text.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.texts(attribute).next()
    }

    /// Whether the attribute has this value, without minding case.
    pub fn has(&self, attribute: &str, value: &str) -> bool {
        self.texts(attribute).any(|present| present.eq_ignore_ascii_case(value))
    }

    /// All attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.attributes.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }
}
