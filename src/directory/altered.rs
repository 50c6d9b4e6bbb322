//! What an entry is like after a change, and whether the schema allows it: what the directory would say, as far as that is known
//! without it.

use super::change::{Modification, ModifyOp};
use super::schema::Subschema;
use super::{DirectoryError, Entry, Rdn, ResultCode};

fn refused(code: ResultCode, diagnostic: String) -> DirectoryError {
    DirectoryError::Refused { code, diagnostic }
}

impl Entry {
    /// The entry after modifications, made in their order (RFC 4511 section 4.6).
    ///
    /// # Errors
    /// What the directory would refuse.
    pub fn altered(&self, changes: &[Modification], schema: &Subschema) -> Result<Self, DirectoryError> {
        let mut entry = self.clone();
        for change in changes {
            entry.alter(change, schema)?;
        }
        Ok(entry)
    }

    /// The entry under another RDN, whose values it then has; the old one's leave it unless they are kept (RFC 4511 section 4.9).
    #[must_use]
    pub fn renamed(&self, rdn: &Rdn, keep_old: bool, schema: &Subschema) -> Self {
        let mut entry = self.clone();
        let old = self.dn.rdn().map(Rdn::avas).unwrap_or_default();
        entry.dn = self.dn.renamed(rdn.clone());
        // What is not there is not taken away, and what is there is not added.
        for ava in old.iter().filter(|_| !keep_old) {
            if let Some(text) = ava.text() {
                let _ = entry.alter(&Modification::new(ModifyOp::Delete, ava.attribute.as_str(), vec![text.into()]), schema);
            }
        }
        for ava in rdn.avas() {
            if let Some(text) = ava.text() {
                let _ = entry.alter(&Modification::new(ModifyOp::Add, ava.attribute.as_str(), vec![text.into()]), schema);
            }
        }
        entry
    }

    fn alter(&mut self, change: &Modification, schema: &Subschema) -> Result<(), DirectoryError> {
        let definition = schema.comparing(&change.attribute);
        // By the name that the entry has it under.
        let same = |name: &str| {
            name.eq_ignore_ascii_case(&change.attribute)
                || (definition.is_known() && schema.attribute(name).is_some_and(|other| other.name == definition.name))
        };
        let name = self.attributes().map(|(name, _)| name).find(|name| same(name)).unwrap_or(&change.attribute).to_owned();
        let mut values = self.values(&name).to_vec();
        let key = |value: &[u8]| definition.value_key(value);
        match change.op {
            ModifyOp::Add => {
                for value in &change.values {
                    if values.iter().any(|present| key(present) == key(value)) {
                        let diagnostic = format!("{name}: the value is there already");
                        return Err(refused(ResultCode::AttributeOrValueExists, diagnostic));
                    }
                    values.push(value.clone());
                }
            }
            ModifyOp::Delete if change.values.is_empty() => {
                if values.is_empty() {
                    return Err(refused(ResultCode::NoSuchAttribute, format!("{name}: the attribute is not there")));
                }
                values.clear();
            }
            ModifyOp::Delete => {
                for value in &change.values {
                    let Some(at) = values.iter().position(|present| key(present) == key(value)) else {
                        return Err(refused(ResultCode::NoSuchAttribute, format!("{name}: the value is not there")));
                    };
                    values.remove(at);
                }
            }
            ModifyOp::Replace => values.clone_from(&change.values),
        }
        self.set(&name, values);
        Ok(())
    }
}

impl Subschema {
    /// Whether an entry may be so (RFC 4512 section 2.4): every attribute known, allowed, with no more values than it may have, and
    /// none of those missing that its classes demand. The naming attribute must have the value that the name says.
    ///
    /// # Errors
    /// What the directory would refuse.
    pub fn check(&self, entry: &Entry) -> Result<(), DirectoryError> {
        if self.is_empty() {
            return Ok(());
        }
        let classes: Vec<&str> = entry.texts("objectClass").collect();
        if classes.is_empty() {
            return Err(refused(ResultCode::ObjectClassViolation, "it has no object class".to_owned()));
        }
        if let Some(unknown) = classes.iter().find(|class| !self.has_class(class)) {
            return Err(refused(ResultCode::InvalidAttributeSyntax, format!("there is no object class {unknown}")));
        }
        for (name, values) in entry.attributes() {
            let Some(known) = self.attribute(name) else {
                return Err(refused(ResultCode::UndefinedAttributeType, format!("there is no attribute {name}")));
            };
            if !self.allows(classes.iter().copied(), name) {
                return Err(refused(ResultCode::ObjectClassViolation, format!("{name} is not allowed by its object classes")));
            }
            if known.single_value && values.len() > 1 {
                return Err(refused(ResultCode::ConstraintViolation, format!("{name} can have one value only")));
            }
            if let Some(value) = values.iter().find(|value| !known.is_well_formed(value)) {
                let length = value.len();
                return Err(refused(
                    ResultCode::InvalidAttributeSyntax,
                    format!("a value of {name}, {length} bytes, does not fit"),
                ));
            }
        }
        for name in self.demanded(classes.iter().copied()) {
            if self.values(entry, name).is_empty() {
                return Err(refused(ResultCode::ObjectClassViolation, format!("{name} is demanded by its object classes")));
            }
        }
        let avas = entry.dn.rdn().into_iter().flat_map(Rdn::avas);
        for ava in avas {
            let (name, definition) = (ava.attribute.as_str(), self.comparing(ava.attribute.as_str()));
            let named = ava.text().map(|text| definition.value_key(text.as_bytes()));
            let has = |named: &Vec<u8>| self.values(entry, name).iter().any(|value| definition.value_key(value) == *named);
            if named.is_some_and(|named| !has(&named)) {
                return Err(refused(ResultCode::NotAllowedOnRdn, format!("{name} lacks the value that names the entry")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Definitions;
    use super::*;

    fn schema() -> Subschema {
        Subschema::parse(&Definitions {
            attribute_types: vec![
                "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
                "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
                "( 2.5.4.4 NAME 'sn' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
                "( 9.1 NAME 'mail' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )",
                "( 9.2 NAME 'one' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )",
                "( 9.3 NAME 'other' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            ],
            object_classes: vec![
                "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
                "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( cn $ sn ) MAY ( mail $ one ) )",
            ],
            ..Definitions::default()
        })
    }

    fn entry() -> Entry {
        let mut entry = Entry::new("cn=Ana,dc=x".parse().unwrap());
        for (name, value) in [("objectClass", "person"), ("cn", "Ana"), ("sn", "Ruiz"), ("mail", "a@x"), ("mail", "b@x")] {
            entry.push_text(name, value);
        }
        entry
    }

    fn change(op: ModifyOp, attribute: &str, values: &[&str]) -> Modification {
        Modification::new(op, attribute, values.iter().map(|value| value.as_bytes().to_vec()).collect())
    }

    #[test]
    fn modifications_come_in_order_or_not_at_all() {
        let (schema, entry) = (schema(), entry());
        let changes = [
            change(ModifyOp::Delete, "mail", &["A@X"]),
            change(ModifyOp::Add, "mail", &["a@x"]),
            change(ModifyOp::Replace, "commonName", &["Ana", "Anita"]),
            change(ModifyOp::Delete, "sn", &[]),
        ];
        let altered = entry.altered(&changes, &schema).unwrap();
        assert_eq!(altered.texts("mail").collect::<Vec<_>>(), ["b@x", "a@x"]);
        assert_eq!(altered.texts("cn").collect::<Vec<_>>(), ["Ana", "Anita"]);
        assert_eq!(altered.attributes().count(), 3);
        for (change, code) in [
            (change(ModifyOp::Add, "mail", &["B@x"]), ResultCode::AttributeOrValueExists),
            (change(ModifyOp::Delete, "mail", &["c@x"]), ResultCode::NoSuchAttribute),
            (change(ModifyOp::Delete, "one", &[]), ResultCode::NoSuchAttribute),
        ] {
            assert!(entry.altered(std::slice::from_ref(&change), &schema).unwrap_err().is(code), "{change:?}");
        }
    }

    #[test]
    fn the_schema_is_kept() {
        let (schema, entry) = (schema(), entry());
        schema.check(&entry).unwrap();
        for (change, code) in [
            (change(ModifyOp::Add, "other", &["x"]), ResultCode::ObjectClassViolation),
            (change(ModifyOp::Add, "unheardOf", &["x"]), ResultCode::UndefinedAttributeType),
            (change(ModifyOp::Replace, "one", &["x", "y"]), ResultCode::ConstraintViolation),
            (change(ModifyOp::Replace, "mail", &["ä@x"]), ResultCode::InvalidAttributeSyntax),
            (change(ModifyOp::Delete, "sn", &[]), ResultCode::ObjectClassViolation),
            (change(ModifyOp::Replace, "cn", &["Bob"]), ResultCode::NotAllowedOnRdn),
            (change(ModifyOp::Replace, "objectClass", &["device"]), ResultCode::InvalidAttributeSyntax),
        ] {
            let altered = entry.altered(std::slice::from_ref(&change), &schema).unwrap();
            assert!(schema.check(&altered).unwrap_err().is(code), "{change:?}");
        }
    }
}
