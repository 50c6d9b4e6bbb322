//! OpenLDAP 2.4 and later.

use super::Profile;

pub(super) const PROFILE: Profile = Profile {
    name: "OpenLDAP",
    id: "entryUUID",
    change_mark: "entryCSN",
    created: "createTimestamp",
    modified: "modifyTimestamp",
    entry_dn: "entryDN",
    // back-mdb keeps it twice in one key, and answers `other` (80) where it is longer.
    longest_rdn: 245,
    // draft-behera-ldap-password-policy section 5.3.3: this value locks until an administrator unlocks.
    lock: ("pwdAccountLockedTime", "000001010000Z"),
};
