use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;
use crate::directory::{Definitions, Vendor};

/// An entry as a directory keeps it: sets of values by attribute.
type Kept = BTreeMap<String, BTreeSet<Vec<u8>>>;

fn capabilities(vendor: Vendor) -> Capabilities {
    let types = [
        "( 1 NAME 'entryUUID' NO-USER-MODIFICATION USAGE directoryOperation )",
        "( 4 NAME 'objectClass' NO-USER-MODIFICATION )",
        "( 2 NAME 'pwdAccountLockedTime' USAGE directoryOperation )",
        "( 3 NAME ( 'mail' 'rfc822Mailbox' ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )",
    ];
    let schema = Subschema::parse(&Definitions { attribute_types: types.to_vec(), ..Definitions::default() });
    Capabilities { vendor, product: String::new(), usn: false, controls: HashSet::new(), naming_contexts: Vec::new(), schema }
}

fn apply(kept: &mut Kept, changes: &[Modification]) -> bool {
    for change in changes {
        let values = kept.entry(change.attribute.clone()).or_default();
        let given: BTreeSet<Vec<u8>> = change.values.iter().cloned().collect();
        match change.op {
            ModifyOp::Add if !values.is_disjoint(&given) || given.len() != change.values.len() => return false,
            ModifyOp::Add => values.extend(given),
            ModifyOp::Delete if change.values.is_empty() && values.is_empty() || !given.is_subset(values) => return false,
            ModifyOp::Delete if change.values.is_empty() => values.clear(),
            ModifyOp::Delete => values.retain(|value| !given.contains(value)),
            ModifyOp::Replace => *values = given,
        }
    }
    kept.retain(|_, values| !values.is_empty());
    true
}

fn entry(dn: &Dn, kept: &Kept) -> Entry {
    let mut entry = Entry::new(dn.clone());
    for (name, values) in kept {
        entry.push(name, values.iter().cloned());
    }
    entry
}

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

fn rdn(text: &str) -> Rdn {
    dn(text).rdn().unwrap().clone()
}

proptest! {
    #[test]
    fn what_was_modified_is_as_it_was(
        before in prop::collection::btree_map("[a-c]", prop::collection::btree_set("[x-z]".prop_map(String::into_bytes), 1..4), 0..4),
        changes in prop::collection::vec(
            (0..3_u8, "[a-c]", prop::collection::btree_set("[x-z]".prop_map(String::into_bytes), 0..3)), 0..6
        ),
    ) {
        let name = dn("cn=a");
        let changes: Vec<Modification> = changes.into_iter().map(|(op, attribute, values)| {
            let op = [ModifyOp::Add, ModifyOp::Delete, ModifyOp::Replace][usize::from(op)];
            Modification::new(op, &attribute, values.into_iter().collect())
        }).filter(|change| change.op != ModifyOp::Add || !change.values.is_empty()).collect();
        let mut kept = before.clone();
        prop_assume!(apply(&mut kept, &changes));
        let record = ChangeRecord::Modify { dn: name.clone(), changes };
        let known = capabilities(Vendor::OpenLdap);
        // Only what was asked for is known.
        let needed = record.needed_before(&known);
        let seen: Kept = before.clone().into_iter().filter(|(attribute, _)| needed.contains(attribute)).collect();
        let inverse = record.inverse(Some(&entry(&name, &seen)), &known).unwrap();
        let [ChangeRecord::Modify { changes: back, .. }] = inverse.as_slice() else { panic!("{inverse:?}") };
        prop_assert!(apply(&mut kept, back));
        prop_assert_eq!(kept, before);
    }
}

#[test]
fn members_leave_without_the_group_being_read() {
    let known = capabilities(Vendor::OpenLdap);
    let leave = Modification::new(ModifyOp::Delete, "member", vec![b"uid=ana".to_vec()]);
    let record = ChangeRecord::Modify { dn: dn("cn=all"), changes: vec![leave] };
    assert!(record.needed_before(&known).is_empty());
    let join = Modification::new(ModifyOp::Add, "member", vec![b"uid=ana".to_vec()]);
    assert_eq!(record.inverse(None, &known), Some(vec![ChangeRecord::Modify { dn: dn("cn=all"), changes: vec![join] }]));
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let known = capabilities(Vendor::OpenLdap);
    let replace = Modification::new(ModifyOp::Replace, "mail", vec![b"a".to_vec()]);
    let record = ChangeRecord::Modify { dn: dn("cn=a"), changes: vec![replace] };
    assert_eq!(record.needed_before(&known), ["mail"]);
    assert_eq!(record.inverse(None, &known), None);
    assert_eq!(ChangeRecord::Delete(dn("cn=a")).inverse(None, &known), None);
}

#[test]
fn a_removed_entry_comes_back_without_what_the_directory_gives_it() {
    let mut before = Entry::new(dn("uid=ana,dc=example"));
    for (name, value) in [("uid", "ana"), ("entryUUID", "1"), ("pwdAccountLockedTime", "000001010000Z")] {
        before.push_text(name, value);
    }
    let known = capabilities(Vendor::OpenLdap);
    let record = ChangeRecord::Delete(before.dn.clone());
    assert_eq!(record.needed_before(&known), ["*", "+", "pwdAccountLockedTime"]);
    let inverse = record.inverse(Some(&before), &known).unwrap();
    let [ChangeRecord::Add(added)] = inverse.as_slice() else { panic!("{inverse:?}") };
    assert_eq!(added.attributes().map(|(name, _)| name).collect::<Vec<_>>(), ["uid", "pwdAccountLockedTime"]);
}

#[test]
fn memberships_that_go_with_an_entry_come_back_with_it() {
    let mut before = Entry::new(dn("cn=ana,dc=example"));
    before.push_text("objectClass", "user");
    before.push_text("objectSid", "x");
    before.push_text("memberOf", "cn=all,dc=example");
    let inverse = ChangeRecord::Delete(before.dn.clone()).inverse(Some(&before), &capabilities(Vendor::ActiveDirectory)).unwrap();
    let [ChangeRecord::Add(added), ChangeRecord::Modify { dn: group, changes }] = inverse.as_slice() else {
        panic!("{inverse:?}")
    };
    assert_eq!(added.attributes().map(|(name, _)| name).collect::<Vec<_>>(), ["objectClass"]);
    assert_eq!(*group, dn("cn=all,dc=example"));
    assert_eq!(changes, &[Modification::new(ModifyOp::Add, "member", vec![b"cn=ana,dc=example".to_vec()])]);
}

#[test]
fn a_rename_is_taken_back_with_all_its_values() {
    let known = capabilities(Vendor::OpenLdap);
    let was = |values: &[&str]| {
        let mut before = Entry::new(dn("uid=ana,dc=example"));
        before.push("uid", values.iter().map(|value| value.as_bytes().to_vec()));
        before
    };
    let record = ChangeRecord::Rename { dn: dn("uid=ana,dc=example"), rdn: rdn("uid=bob"), keep_old: false };
    assert_eq!(record.needed_before(&known), ["uid"]);
    let back = |keep_old| ChangeRecord::Rename { dn: dn("uid=bob,dc=example"), rdn: rdn("uid=ana"), keep_old };
    let respelt = |values: &[&str]| ChangeRecord::Modify {
        dn: dn("uid=ana,dc=example"),
        changes: vec![Modification::new(ModifyOp::Replace, "uid", values.iter().map(|v| v.as_bytes().to_vec()).collect())],
    };
    assert_eq!(record.inverse(Some(&was(&["ana"])), &known), Some(vec![back(false)]));
    // The new name was a value already.
    assert_eq!(record.inverse(Some(&was(&["ana", "bob"])), &known), Some(vec![back(true)]));
    // The value was spelt otherwise than the name.
    assert_eq!(record.inverse(Some(&was(&["ANA"])), &known), Some(vec![back(false), respelt(&["ANA"])]));
}

#[test]
fn what_was_moved_is_moved_back() {
    let record = ChangeRecord::Move { dn: dn("uid=ana,ou=people,dc=example"), parent: dn("ou=gone,dc=example") };
    let back = ChangeRecord::Move { dn: dn("uid=ana,ou=gone,dc=example"), parent: dn("ou=people,dc=example") };
    assert_eq!(record.needed_before(&capabilities(Vendor::OpenLdap)), [""; 0]);
    assert_eq!(record.inverse(None, &capabilities(Vendor::OpenLdap)), Some(vec![back]));
}
