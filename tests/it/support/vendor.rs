//! What differs between the directories that the tests run on. Tests speak of attributes by their names in OpenLDAP.

use serde_json::Value;
use uuid::Uuid;

use super::{ENTERPRISE, Entry};

/// A kind of directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenLdap,
    Ds389,
    ActiveDirectory,
}

impl Vendor {
    /// The one that `SCIMGATE_TEST_DIRECTORY` names; OpenLDAP if it is not set.
    pub(crate) fn chosen() -> Self {
        match std::env::var("SCIMGATE_TEST_DIRECTORY").as_deref() {
            Err(_) | Ok("openldap") => Self::OpenLdap,
            Ok("389ds") => Self::Ds389,
            Ok("samba-ad") => Self::ActiveDirectory,
            Ok(other) => panic!("SCIMGATE_TEST_DIRECTORY is {other}; it may be openldap, 389ds or samba-ad"),
        }
    }

    /// The attribute that holds what this one holds in OpenLDAP; `None` if nothing does.
    pub(crate) fn attribute(self, openldap: &str) -> Option<&str> {
        match self {
            Self::OpenLdap | Self::Ds389 => Some(openldap),
            Self::ActiveDirectory => match openldap {
                "uid" => Some("userPrincipalName"),
                "street" => Some("streetAddress"),
                "departmentNumber" => Some("department"),
                "o" => Some("company"),
                "scimgateExternalId" => Some("adminDisplayName"),
                "scimgateMiddleName" => Some("middleName"),
                "scimgateHonorificPrefix" => Some("personalTitle"),
                "scimgateHonorificSuffix" => Some("generationQualifier"),
                "scimgateCountry" => Some("c"),
                "scimgateDivision" => Some("division"),
                "scimgateNickName" | "scimgateLocale" | "scimgateTimezone" | "scimgateCostCenter" => None,
                same => Some(same),
            },
        }
    }

    /// A user's body without what the directory has no place for.
    pub(crate) fn storable(self, mut user: Value) -> Value {
        match self {
            Self::OpenLdap | Self::Ds389 => {}
            Self::ActiveDirectory => {
                for (object, part) in [
                    ("", "nickName"),
                    ("", "locale"),
                    ("", "timezone"),
                    ("/name", "formatted"),
                    (&*format!("/{ENTERPRISE}"), "costCenter"),
                ] {
                    if let Some(object) = user.pointer_mut(object).and_then(Value::as_object_mut) {
                        object.remove(part);
                    }
                }
                // There is one address of each kind.
                if let Some(emails) = user.get_mut("emails").and_then(Value::as_array_mut) {
                    emails.truncate(1);
                }
            }
        }
        user
    }

    /// Whether the directory gives entries the attribute by itself: a count, a time, or what it calls an entry that was put back.
    pub(crate) fn stamps(self, attribute: &str) -> bool {
        let own: &[&str] = match self {
            Self::OpenLdap | Self::Ds389 => &[],
            Self::ActiveDirectory => {
                &["uSNChanged", "whenChanged", "dSCorePropagationData", "uSNCreated", "whenCreated", "objectGUID", "objectSid"]
            }
        };
        own.iter().any(|own| own.eq_ignore_ascii_case(attribute))
    }

    /// Whether an entry can have that name.
    pub(crate) fn takes_name(self, name: &str) -> bool {
        match self {
            Self::OpenLdap => true,
            // A filter for it ends at the NUL.
            Self::Ds389 => !name.contains('\0'),
            // It is a principal of Kerberos too, in which a backslash escapes what comes after it.
            Self::ActiveDirectory => !name.contains('\0') && !name.ends_with('\\'),
        }
    }

    /// Whether `name.formatted` has a place of its own, the common name.
    pub(crate) fn has_formatted_name(self) -> bool {
        match self {
            Self::OpenLdap | Self::Ds389 => true,
            Self::ActiveDirectory => false,
        }
    }

    /// What a user's entry must have, whatever the client sends.
    pub(crate) fn insisted_on(self) -> &'static [&'static str] {
        match self {
            Self::OpenLdap | Self::Ds389 => &["cn", "sn"],
            Self::ActiveDirectory => &["cn"],
        }
    }

    /// The attribute that names a user's entry.
    pub(super) fn user_rdn(self) -> &'static str {
        match self {
            Self::OpenLdap | Self::Ds389 => "uid",
            Self::ActiveDirectory => "cn",
        }
    }

    /// The class of users.
    pub(super) fn user_class(self) -> &'static str {
        match self {
            Self::OpenLdap | Self::Ds389 => "inetOrgPerson",
            Self::ActiveDirectory => "user",
        }
    }

    /// The class of groups.
    pub(super) fn group_class(self) -> &'static str {
        match self {
            Self::OpenLdap | Self::Ds389 => "groupOfNames",
            Self::ActiveDirectory => "group",
        }
    }

    /// What marks an entry as managed.
    pub(crate) fn mark(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenLdap | Self::Ds389 => ("objectClass", "scimgateResource"),
            Self::ActiveDirectory => ("adminDescription", "scimgate"),
        }
    }

    /// What the administrator tells the gateway beside where the directory is.
    pub(super) fn configuration(self) -> &'static str {
        match self {
            // That the plug-in is on cannot be seen from outside.
            Self::Ds389 => "member_of = true",
            Self::OpenLdap | Self::ActiveDirectory => "",
        }
    }

    /// The script that starts a server.
    pub(super) fn script(self) -> &'static str {
        match self {
            Self::OpenLdap => panic!("slapd needs no script"),
            Self::Ds389 => "389ds.sh",
            Self::ActiveDirectory => "samba-ad.sh",
        }
    }
}

impl Entry {
    /// The identifier that it keeps for ever, as SCIM shows it.
    pub(crate) fn id(&self) -> String {
        match self.vendor {
            Vendor::OpenLdap => self.one("entryUUID").to_owned(),
            Vendor::Ds389 => Uuid::try_parse(&self.one("nsUniqueId").replace('-', "")).unwrap().to_string(),
            Vendor::ActiveDirectory => Uuid::from_slice_le(self.bytes("objectGUID")).unwrap().to_string(),
        }
    }

    /// Whether it is locked until somebody unlocks it.
    pub(crate) fn is_disabled(&self) -> bool {
        match self.vendor {
            Vendor::OpenLdap => self.one("pwdAccountLockedTime") == "000001010000Z",
            Vendor::Ds389 => self.one("nsAccountLock").eq_ignore_ascii_case("true"),
            Vendor::ActiveDirectory => self.one("userAccountControl").parse::<u32>().unwrap() & 2 != 0,
        }
    }

    /// Whether it is marked as managed through SCIM.
    pub(crate) fn is_managed(&self) -> bool {
        let (attribute, value) = self.vendor.mark();
        self.all(attribute).contains(&value)
    }
}
