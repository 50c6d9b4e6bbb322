//! What a directory gives an entry by itself: who it is, when it was made and changed, and in which version it is.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

use crate::directory::profile::Profile;
use crate::directory::{Dn, Entry, Rdn, Vendor, generalized_time};

/// Counts up, so that no two changes bear the same mark.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    /// Microseconds from 1970 of the last one.
    last: AtomicI64,
}

impl Stamp {
    /// A time that was given to nothing before.
    fn next(&self) -> Timestamp {
        let now = Timestamp::now().as_microsecond();
        let later = |last: i64| Some(now.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).unwrap_or(now);
        Timestamp::from_microsecond(now.max(last + 1)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A new entry as the directory would have it.
    pub(super) fn born(&self, entry: &Entry, profile: &Profile, vendor: Vendor) -> Entry {
        let mut born = entry.clone();
        for ava in entry.dn.rdn().into_iter().flat_map(Rdn::avas) {
            let name = ava.attribute.as_str();
            if born.values(name).is_empty()
                && let Some(text) = ava.text()
            {
                born.push_text(name, text);
            }
        }
        born.set(profile.id, vec![profile.id_form.write(Uuid::new_v4())]);
        let created = seconds(self.next());
        born.set(profile.created, vec![created.into_bytes()]);
        if vendor == Vendor::ActiveDirectory && born.values("objectCategory").is_empty() {
            // The class that is named last is the one that it is of.
            let class = born.texts("objectClass").last().unwrap_or_default();
            let category = if class.eq_ignore_ascii_case("user") { "person" } else { class }.to_owned();
            born.push_text("objectCategory", &category);
        }
        born
    }

    /// What every change leaves.
    pub(super) fn changed(&self, entry: &mut Entry, profile: &Profile, vendor: Vendor) {
        let now = self.next();
        entry.set(profile.modified, vec![seconds(now).into_bytes()]);
        let mark = match vendor {
            Vendor::OpenLdap | Vendor::Unknown => csn(now),
            // Two changes within one second are told apart here.
            Vendor::Ds389 if profile.change_mark == profile.modified => generalized_time(now).unwrap_or_default(),
            Vendor::Ds389 | Vendor::ActiveDirectory => {
                let before = entry.text(profile.change_mark).and_then(|mark| mark.parse::<u64>().ok()).unwrap_or_default();
                (before + 1).to_string()
            }
        };
        entry.set(profile.change_mark, vec![mark.into_bytes()]);
        let named = |attribute: &str, dn: &Dn, entry: &mut Entry| entry.set(attribute, vec![dn.to_string().into_bytes()]);
        let dn = entry.dn.clone();
        if let Some(attribute) = profile.entry_dn {
            named(attribute, &dn, entry);
        }
        if vendor == Vendor::ActiveDirectory {
            named("distinguishedName", &dn, entry);
        }
    }
}

fn seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    generalized_time(whole).unwrap_or_default()
}

/// As OpenLDAP writes a change sequence number.
fn csn(time: Timestamp) -> String {
    let (whole, micro) = (seconds(time), time.as_microsecond().rem_euclid(1_000_000));
    format!("{}.{micro:06}Z#000000#000#000000", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_changes_bear_the_same_mark() {
        let stamp = Stamp::default();
        let times: Vec<String> = (0..1000).map(|_| csn(stamp.next())).collect();
        assert!(times.is_sorted_by(|a, b| a < b));
        assert_eq!(csn(Timestamp::from_microsecond(1_000_001).unwrap()), "19700101000001.000001Z#000000#000#000000");
    }
}
