//! 389 Directory Server, and what is built on it: Red Hat Directory Server, FreeIPA.

use super::{IdForm, Lock, MEMBER_OF, MapChoice, Marks, MemberOf, NameLimit, OldName, PasswordForm, Profile};
use crate::directory::ResultCode;

/// With the USN plug-in, which counts every change.
pub(super) const WITH_USN: Profile = Profile { change_mark: "entryusn", ..PROFILE };

/// Without it, two changes within one second cannot be told apart.
pub(super) const PROFILE: Profile = Profile {
    name: "389 Directory Server",
    id: "nsUniqueId",
    id_form: IdForm::NsUniqueId,
    change_mark: "modifyTimestamp",
    // Classes of service make attributes up, and each server numbers its changes by itself.
    marks: Marks::Something,
    created: "createTimestamp",
    modified: "modifyTimestamp",
    // There is entrydn, but no index on it.
    entry_dn: None,
    longest_name: NameLimit::RdnBytes(1024),
    lock: Lock::Value { attribute: "nsAccountLock", locked: "true" },
    mark: None,
    map: MapChoice::InetOrgPerson,
    member_present: &[ResultCode::AttributeOrValueExists],
    member_absent: &[ResultCode::NoSuchAttribute],
    linked_members: false,
    member_of: MemberOf::AsConfigured,
    chain: false,
    // The plug-in for unique attributes does not find an old value that a DN has to escape.
    old_name: OldName::MayStick,
    password: PasswordForm::Text("userPassword"),
    needs_password: false,
    given: &[MEMBER_OF],
    page: None,
};
