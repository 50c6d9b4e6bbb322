//! Active Directory, and Samba as a domain controller.

use super::{IdForm, Lock, MEMBER_OF, MapChoice, Marks, MemberOf, NameLimit, OldName, PasswordForm, Profile};
use crate::directory::ResultCode;

pub(super) const PROFILE: Profile = Profile {
    name: "Active Directory",
    id: "objectGUID",
    id_form: IdForm::ObjectGuid,
    change_mark: "uSNChanged",
    // Each server numbers its changes by itself.
    marks: Marks::Something,
    created: "whenCreated",
    modified: "whenChanged",
    // There is distinguishedName, but Samba has no index on it.
    entry_dn: None,
    // rangeUpper of cn.
    longest_name: NameLimit::ValueChars(64),
    // ADS_UF_ACCOUNTDISABLE and ADS_UF_NORMAL_ACCOUNT ([MS-ADTS] section 2.2.16).
    lock: Lock::Bit { attribute: "userAccountControl", bit: 0x2, enabled: 0x200 },
    // Attributes of `top`, so every entry may have them, and the schema need not be extended.
    mark: Some(("adminDescription", "scimgate")),
    map: MapChoice::ActiveDirectory,
    member_present: &[ResultCode::EntryAlreadyExists, ResultCode::AttributeOrValueExists],
    member_absent: &[ResultCode::UnwillingToPerform, ResultCode::NoSuchAttribute],
    linked_members: true,
    member_of: MemberOf::Always,
    chain: true,
    old_name: OldName::Goes,
    password: PasswordForm::Quoted("unicodePwd"),
    needs_password: true,
    // Written by the system alone ([MS-ADTS] section 3.1.1.5.2.2), or following from the name, the class and the groups.
    given: &[
        "objectGUID",
        "objectSid",
        "objectCategory",
        "distinguishedName",
        "name",
        "instanceType",
        "whenCreated",
        "whenChanged",
        "uSNCreated",
        "uSNChanged",
        "dSCorePropagationData",
        "sAMAccountType",
        "primaryGroupID",
        MEMBER_OF,
        "badPwdCount",
        "badPasswordTime",
        "lastLogon",
        "lastLogoff",
        "lastLogonTimestamp",
        "logonCount",
        "pwdLastSet",
        "isCriticalSystemObject",
    ],
    // MaxPageSize of the default LDAP policy.
    page: Some(1000),
};
