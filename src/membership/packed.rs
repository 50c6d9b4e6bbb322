//! Entries as they were read, each in one piece of memory or many in one, for there may be hundreds of thousands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Reading;
use crate::directory::{Dn, Entry};

/// An entry of more bytes is not kept: it would push out many others.
const LONGEST: usize = 16 << 10;

/// Values, each with the number of its attribute among those that were asked for, in the order of these.
pub(super) type Values<'a> = Vec<(u16, &'a [u8])>;

/// What an entry held in one of its versions, of the attributes that were asked for.
#[derive(Debug)]
pub(super) struct Packed {
    asked: Arc<[String]>,
    /// The change mark of that version.
    mark: Box<str>,
    /// When it was read, if it refers to others: a directory may rename a reference without a new change mark.
    pub(super) refers_since: Option<Reading>,
    values: Box<[u8]>,
}

impl Packed {
    /// `None` if it is too long.
    pub(super) fn new(entry: &Entry, asked: &Arc<[String]>, mark: &str, refers_since: Option<Reading>) -> Option<Self> {
        Self::of_values(&values_of(entry, asked)?, asked, mark, refers_since)
    }

    fn of_values(values: &Values<'_>, asked: &Arc<[String]>, mark: &str, refers_since: Option<Reading>) -> Option<Self> {
        let values = postcard::to_allocvec(values).ok()?;
        Some(Self { asked: asked.clone(), mark: mark.into(), refers_since, values: values.into() })
    }

    /// Whether it is of this version, and all of these attributes were asked for.
    pub(super) fn serves(&self, mark: &str, wanted: &Arc<[String]>) -> bool {
        *self.mark == *mark && covers(&self.asked, wanted)
    }

    /// The entry, which is called so by now.
    pub(super) fn unpack(&self, dn: Dn) -> Option<Entry> {
        Some(entry_of(dn, &self.asked, &postcard::from_bytes::<Values<'_>>(&self.values).ok()?))
    }

    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.mark.len() + self.values.len()
    }
}

/// Entries that were read together.
#[derive(Debug)]
pub(super) struct PackedTogether {
    /// The attributes that were asked for.
    pub(super) asked: Arc<[String]>,
    compressed: Box<[u8]>,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct One<'a> {
    pub(super) dn: &'a str,
    /// The number of its `Row`.
    pub(super) row: u16,
    pub(super) owned: bool,
    /// Whether it refers to others.
    pub(super) refers: bool,
    /// Its change mark, if that tells its versions apart.
    pub(super) mark: Option<&'a str>,
    #[serde(borrow)]
    pub(super) values: Values<'a>,
}

impl One<'_> {
    /// The entry.
    pub(super) fn unpack(&self, asked: &[String]) -> Option<Entry> {
        Some(entry_of(self.dn.parse().ok()?, asked, &self.values))
    }

    /// The same by itself, if it was read since and its mark tells its versions apart.
    pub(super) fn apart(&self, asked: &Arc<[String]>, since: Reading) -> Option<Packed> {
        Packed::of_values(&self.values, asked, self.mark?, self.refers.then_some(since))
    }
}

impl PackedTogether {
    pub(super) fn new(asked: &Arc<[String]>, entries: &[One<'_>]) -> Option<Self> {
        let plain = postcard::to_allocvec(entries).ok()?;
        Some(Self { asked: asked.clone(), compressed: lz4_flex::compress_prepend_size(&plain).into() })
    }

    /// Whether all of these attributes were asked for.
    pub(super) fn covers(&self, wanted: &Arc<[String]>) -> bool {
        covers(&self.asked, wanted)
    }

    /// To be read by `all_of`.
    pub(super) fn open(&self) -> Vec<u8> {
        lz4_flex::decompress_size_prepended(&self.compressed).unwrap_or_default()
    }

    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.compressed.len()
    }
}

/// The entries of what was opened, in the order in which they were put in.
pub(super) fn all_of(open: &[u8]) -> Vec<One<'_>> {
    postcard::from_bytes(open).unwrap_or_default()
}

fn covers(asked: &Arc<[String]>, wanted: &Arc<[String]>) -> bool {
    Arc::ptr_eq(asked, wanted) || wanted.iter().all(|attribute| asked.contains(attribute))
}

/// What an entry holds of these attributes. `None` if it is too long.
pub(super) fn values_of<'a>(entry: &'a Entry, asked: &[String]) -> Option<Values<'a>> {
    let mut length = 0;
    let mut values = Vec::with_capacity(asked.len());
    for (attribute, number) in asked.iter().zip(0..) {
        for value in entry.values(attribute) {
            length += value.len();
            values.push((number, value.as_slice()));
        }
    }
    (length <= LONGEST).then_some(values)
}

fn entry_of(dn: Dn, asked: &[String], values: &[(u16, &[u8])]) -> Entry {
    let of_one = values.chunk_by(|(one, _), (other, _)| one == other);
    let attributes = of_one.filter_map(|values| {
        let name = asked.get(usize::from(values.first()?.0))?;
        Some((name.clone(), values.iter().map(|(_, value)| value.to_vec()).collect()))
    });
    Entry::of(dn, attributes.collect())
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

    fn is_ann(entry: &Entry) {
        assert_eq!(entry.dn, ann().dn);
        assert_eq!(entry.values("cn"), ann().values("cn"));
        assert_eq!(entry.values("photo"), ann().values("photo"));
        assert!(entry.values("member").is_empty() && entry.values("sn").is_empty());
    }

    #[test]
    fn what_was_asked_for_comes_out_as_it_went_in() {
        let names = asked(&["cn", "sn", "photo"]);
        let packed = Packed::new(&ann(), &names, "7", None).unwrap();
        is_ann(&packed.unpack(ann().dn).unwrap());
        assert!(packed.serves("7", &names) && packed.serves("7", &asked(&["sn"])));
        assert!(!packed.serves("8", &names) && !packed.serves("7", &asked(&["cn", "member"])));
    }

    #[test]
    fn so_do_many_together() {
        let (names, entry) = (asked(&["cn", "sn", "photo"]), ann());
        let values = values_of(&entry, &names).unwrap();
        let one = |row| One { dn: "uid=ann,dc=x", row, owned: false, refers: false, mark: Some("7"), values: values.clone() };
        let packed = PackedTogether::new(&names, &[one(1), one(2)]).unwrap();
        let open = packed.open();
        let all = all_of(&open);
        assert_eq!(
            all.iter().map(|one| (one.row, one.mark, one.owned)).collect::<Vec<_>>(),
            [(1, Some("7"), false), (2, Some("7"), false)]
        );
        for one in &all {
            is_ann(&one.unpack(&packed.asked).unwrap());
        }
        assert!(packed.covers(&asked(&["photo"])) && !packed.covers(&asked(&["member"])));
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut entry = ann();
        entry.push("photo", [vec![1; LONGEST]]);
        assert!(Packed::new(&entry, &asked(&["photo"]), "7", None).is_none());
        assert!(Packed::new(&entry, &asked(&["cn"]), "7", None).is_some());
    }
}
