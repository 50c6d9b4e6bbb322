//! Entries as they were read, each in one piece of memory, for there may be tens of thousands.

use std::sync::Arc;

use super::Reading;
use crate::directory::{Dn, Entry};

/// An entry of more bytes is not kept: it would push out many others.
const LONGEST: usize = 16 << 10;
/// What goes before a value: the number of its attribute, and its length.
const HEAD: usize = 2 + 4;

/// What an entry held in one of its versions, of the attributes that were asked for.
#[derive(Debug)]
pub(super) struct Packed {
    asked: Arc<[String]>,
    /// The change mark of that version.
    mark: Box<str>,
    /// When it was read, if it refers to others: a directory may rename a reference without a new change mark.
    pub(super) refers_since: Option<Reading>,
    /// Value after value, in the order of the attributes.
    values: Box<[u8]>,
}

impl Packed {
    /// `None` if it is too long.
    pub(super) fn new(entry: &Entry, asked: &Arc<[String]>, mark: &str, refers_since: Option<Reading>) -> Option<Self> {
        let mut values = Vec::with_capacity(1024);
        for (number, attribute) in asked.iter().enumerate() {
            for value in entry.values(attribute) {
                if values.len() + HEAD + value.len() > LONGEST {
                    return None;
                }
                values.extend(u16::try_from(number).ok()?.to_le_bytes());
                values.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
                values.extend_from_slice(value);
            }
        }
        Some(Self { asked: asked.clone(), mark: mark.into(), refers_since, values: values.into() })
    }

    /// Whether it is of this version, and all of these attributes were asked for.
    pub(super) fn serves(&self, mark: &str, wanted: &Arc<[String]>) -> bool {
        *self.mark == *mark && (Arc::ptr_eq(&self.asked, wanted) || wanted.iter().all(|attribute| self.asked.contains(attribute)))
    }

    /// The entry, which is called so by now.
    pub(super) fn unpack(&self, dn: Dn) -> Entry {
        let mut attributes: Vec<(String, Vec<Vec<u8>>)> = Vec::with_capacity(self.asked.len());
        let (mut last, mut rest) = (None, &*self.values);
        while let Some((number, value, next)) = first(rest) {
            if let Some((_, values)) = attributes.last_mut().filter(|_| last == Some(number)) {
                values.push(value.to_vec());
            } else {
                let name = self.asked.get(usize::from(number)).cloned().unwrap_or_default();
                attributes.push((name, vec![value.to_vec()]));
            }
            (last, rest) = (Some(number), next);
        }
        Entry::of(dn, attributes)
    }

    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.mark.len() + self.values.len()
    }
}

/// The first value: the number of its attribute, its bytes, and what comes after it.
fn first(values: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (number, rest) = values.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((u16::from_le_bytes(*number), value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(names: &[&str]) -> Arc<[String]> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn ann() -> Entry {
        let mut entry = Entry::new("uid=ann,dc=x".parse().unwrap());
        entry.push("CN", [b"Ann".to_vec(), Vec::new(), b"Anna".to_vec()]);
        entry.push("member", [b"uid=bob,dc=x".to_vec()]);
        entry.push("photo", [vec![0, 255, 0]]);
        entry
    }

    #[test]
    fn what_was_asked_for_comes_out_as_it_went_in() {
        let names = asked(&["cn", "sn", "photo"]);
        let packed = Packed::new(&ann(), &names, "7", None).unwrap();
        let entry = packed.unpack(ann().dn);
        assert_eq!(entry.values("cn"), ann().values("cn"));
        assert_eq!(entry.values("photo"), ann().values("photo"));
        assert!(entry.values("member").is_empty() && entry.values("sn").is_empty());
        assert!(packed.serves("7", &names) && packed.serves("7", &asked(&["sn"])));
        assert!(!packed.serves("8", &names) && !packed.serves("7", &asked(&["cn", "member"])));
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut entry = ann();
        entry.push("photo", [vec![1; LONGEST]]);
        assert!(Packed::new(&entry, &asked(&["photo"]), "7", None).is_none());
        assert!(Packed::new(&entry, &asked(&["cn"]), "7", None).is_some());
    }
}
