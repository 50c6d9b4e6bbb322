//! OpenLDAP 2.4 and later.

use super::{IdForm, Lock, MEMBER_OF, MapChoice, Marks, MemberOf, NameLimit, OldName, PasswordForm, Profile};
use crate::directory::ResultCode;

pub(super) const PROFILE: Profile = Profile {
    name: "OpenLDAP",
    id: "entryUUID",
    id_form: IdForm::Uuid,
    change_mark: "entryCSN",
    // What overlays give an entry by themselves is operational, collective, or mapped by nobody (dynlist).
    marks: Marks::Everything,
    created: "createTimestamp",
    modified: "modifyTimestamp",
    entry_dn: Some("entryDN"),
    // back-mdb keeps it twice in one key, and answers `other` (80) where it is longer.
    longest_name: NameLimit::RdnBytes(245),
    // draft-behera-ldap-password-policy section 5.3.3: this value locks until an administrator unlocks.
    lock: Lock::Value { attribute: "pwdAccountLockedTime", locked: "000001010000Z" },
    mark: None,
    map: MapChoice::InetOrgPerson,
    member_present: &[ResultCode::AttributeOrValueExists],
    member_absent: &[ResultCode::NoSuchAttribute],
    linked_members: false,
    member_of: MemberOf::InSchema,
    chain: false,
    old_name: OldName::Goes,
    password: PasswordForm::Operation,
    needs_password: false,
    given: &[MEMBER_OF],
    page: None,
};
