//! The mapping against a small model of the directory it writes to. The laws hold for any resource, filter and PATCH; the tables
//! beside them pin down what users see.

mod change;
mod compile;
mod derived;
mod filter;
mod laws;
mod model;
mod patch;
mod read;
mod values;
mod vendors;
mod write;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::directory::{Capabilities, Definitions, Dn, Entry, Subschema, Vendor};
use crate::scim::filter::Filter;
use crate::scim::{AttrPath, BoundPath, Budgets, Dialect, Kind, Resource, SchemaRegistry};

pub(super) const BASE_URL: &str = "https://scim.example.com/scim/v2";

/// OpenLDAP 2.5's own definitions, as its subschema entry holds them.
const TYPES: &[&str] = &[
    "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
    "( 2.5.18.1 NAME 'createTimestamp' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 2.5.18.2 NAME 'modifyTimestamp' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch ORDERING UUIDOrderingMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE \
     NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.3.6.1.4.1.4203.666.1.7 NAME 'entryCSN' EQUALITY CSNMatch ORDERING CSNOrderingMatch SYNTAX \
     1.3.6.1.4.1.4203.666.11.2.1{64} SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
    "( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 \
     NO-USER-MODIFICATION USAGE dSAOperation X-ORIGIN 'iPlanet Delegated Administrator' )",
    "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
    "( 2.5.4.49 NAME 'distinguishedName' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
    "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) DESC 'RFC4519: user identifier' EQUALITY caseIgnoreMatch SUBSTR \
     caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{256} )",
    "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: common name(s) for which the entity is known by' SUP name )",
    "( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256: last (family) name(s) for which the entity is known by' SUP name )",
    "( 2.5.4.42 NAME ( 'givenName' 'gn' ) DESC 'RFC2256: first name(s) for which the entity is known by' SUP name )",
    "( 2.5.4.12 NAME 'title' DESC 'RFC2256: title associated with the entity' SUP name )",
    "( 2.5.4.10 NAME ( 'o' 'organizationName' ) DESC 'RFC2256: organization this object belongs to' SUP name )",
    "( 2.5.4.7 NAME ( 'l' 'localityName' ) DESC 'RFC2256: locality which this object resides in' SUP name )",
    "( 2.5.4.8 NAME ( 'st' 'stateOrProvinceName' ) DESC 'RFC2256: state or province' SUP name )",
    "( 2.5.4.9 NAME ( 'street' 'streetAddress' ) EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15{128} )",
    "( 2.5.4.17 NAME 'postalCode' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15{40} )",
    "( 2.5.4.13 NAME 'description' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15{1024} )",
    "( 2.16.840.1.113730.3.1.241 NAME 'displayName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )",
    "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) EQUALITY caseIgnoreIA5Match SUBSTR \
     caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{256} )",
    "( 2.5.4.20 NAME 'telephoneNumber' EQUALITY telephoneNumberMatch SUBSTR telephoneNumberSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.50{32} )",
    "( 0.9.2342.19200300.100.1.41 NAME ( 'mobile' 'mobileTelephoneNumber' ) EQUALITY telephoneNumberMatch SUBSTR \
     telephoneNumberSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )",
    "( 0.9.2342.19200300.100.1.20 NAME ( 'homePhone' 'homeTelephoneNumber' ) EQUALITY telephoneNumberMatch SUBSTR \
     telephoneNumberSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )",
    "( 0.9.2342.19200300.100.1.42 NAME ( 'pager' 'pagerTelephoneNumber' ) EQUALITY telephoneNumberMatch SUBSTR \
     telephoneNumberSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )",
    "( 2.5.4.23 NAME ( 'facsimileTelephoneNumber' 'fax' ) DESC 'RFC2256: Facsimile (Fax) Telephone Number' SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.22 )",
    "( 2.16.840.1.113730.3.1.4 NAME 'employeeType' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 2.16.840.1.113730.3.1.39 NAME 'preferredLanguage' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )",
    "( 1.3.6.1.4.1.250.1.57 NAME 'labeledURI' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 2.16.840.1.113730.3.1.2 NAME 'departmentNumber' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15 )",
    "( 2.16.840.1.113730.3.1.3 NAME 'employeeNumber' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )",
    "( 0.9.2342.19200300.100.1.10 NAME 'manager' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
    "( 2.5.4.31 NAME 'member' DESC 'RFC2256: member of a group' SUP distinguishedName )",
    "( 2.5.4.50 NAME 'uniqueMember' EQUALITY uniqueMemberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.34 )",
    "( 0.9.2342.19200300.100.1.60 NAME 'jpegPhoto' DESC 'RFC2798: a JPEG image' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28 )",
    "( 1.3.6.1.1.1.1.0 NAME 'uidNumber' EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX \
     1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )",
];

const PPOLICY: &str = "( 1.3.6.1.4.1.42.2.27.8.1.17 NAME 'pwdAccountLockedTime' EQUALITY generalizedTimeMatch ORDERING \
                       generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE USAGE directoryOperation )";

const CLASSES: &[&str] = &[
    "( 2.5.6.0 NAME 'top' DESC 'top of the superclass chain' ABSTRACT MUST objectClass )",
    "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ telephoneNumber $ seeAlso $ description ) )",
    "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ( title $ facsimileTelephoneNumber $ street $ postalCode $ \
     ou $ st $ l ) )",
    "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP organizationalPerson STRUCTURAL MAY ( departmentNumber $ displayName $ \
     employeeNumber $ employeeType $ givenName $ homePhone $ jpegPhoto $ labeledURI $ mail $ manager $ mobile $ o $ pager $ uid $ \
     preferredLanguage ) )",
    "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST ( member $ cn ) MAY ( owner $ ou $ o $ description ) )",
    "( 2.5.6.17 NAME 'groupOfUniqueNames' SUP top STRUCTURAL MUST ( uniqueMember $ cn ) MAY ( owner $ ou $ o $ description ) )",
];

const OURS: &str = include_str!("../../../config/schema/scimgate.schema");
const USER_MAP: &str = include_str!("../../../config/mapping/user.inetorgperson.toml");
const GROUP_MAP: &str = include_str!("../../../config/mapping/group.groupofnames.toml");
const POSIX_GROUP_MAP: &str = include_str!("../../../config/mapping/group.posixgroup.toml");
const AD_USER_MAP: &str = include_str!("../../../config/mapping/user.active-directory.toml");
const AD_GROUP_MAP: &str = include_str!("../../../config/mapping/group.active-directory.toml");

/// Definitions of the schema file that begin with this word, without it.
fn ours(word: &str) -> Vec<String> {
    let lines: Vec<&str> = OURS.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks = lines.split(|line| line.trim().is_empty()).map(|block| block.join(" "));
    blocks.filter_map(|block| block.strip_prefix(word).map(str::to_owned)).collect()
}

/// What a test directory has loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loaded {
    pub(super) ours: bool,
    pub(super) ppolicy: bool,
}

pub(super) fn capabilities(loaded: Loaded) -> Capabilities {
    let (mut types, mut classes) = (Vec::new(), Vec::new());
    types.extend(TYPES.iter().map(|text| (*text).to_owned()));
    classes.extend(CLASSES.iter().map(|text| (*text).to_owned()));
    if loaded.ours {
        types.extend(ours("attributetype "));
        classes.extend(ours("objectclass "));
    }
    if loaded.ppolicy {
        types.push(PPOLICY.to_owned());
    }
    let texts = Definitions {
        attribute_types: types.iter().map(String::as_str).collect(),
        object_classes: classes.iter().map(String::as_str).collect(),
        ..Definitions::default()
    };
    Capabilities {
        vendor: Vendor::OpenLdap,
        product: String::new(),
        usn: false,
        controls: std::collections::HashSet::from(["1.3.6.1.1.12".to_owned()]),
        naming_contexts: Vec::new(),
        schema: Subschema::parse(&texts),
    }
}

pub(super) fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

pub(super) fn config() -> MappingConfig {
    let container = |base: &str| ContainerConfig { base: dn(base), object_classes: None, rdn: None, attributes: Vec::new() };
    MappingConfig {
        users: container("ou=people,dc=example,dc=com"),
        groups: container("ou=groups,dc=example,dc=com"),
        groups_sync: true,
        groups_nested: false,
        member_of: None,
        placeholder: String::new(),
        user_name: UserNameRule::Any,
        existing_users: false,
        default_groups: Vec::new(),
        roles: Vec::new(),
        mark: None,
        active: ActiveRule::Auto,
        passwords: Passwords::Off,
        on_delete: OnDelete::Delete,
    }
}

/// Lines of `[users.attributes]` or `[groups.attributes]`.
pub(super) fn lines(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(path, attribute)| ((*path).to_owned(), (*attribute).to_owned())).collect()
}

/// The built-in maps.
pub(super) fn maps() -> MapFiles {
    let read = |texts: [&str; 2]| texts.map(|text| toml::from_str(text).unwrap());
    MapFiles {
        inet_org_person: read([USER_MAP, GROUP_MAP]),
        active_directory: read([AD_USER_MAP, AD_GROUP_MAP]),
        posix_group: toml::from_str(POSIX_GROUP_MAP).unwrap(),
    }
}

pub(super) fn compile_with(
    config: &MappingConfig,
    registry: &SchemaRegistry,
    capabilities: &Capabilities,
) -> Result<Compiled, MappingError> {
    Mapping::compile(config, registry, &maps(), capabilities)
}

pub(super) fn compiled(config: &MappingConfig, loaded: Loaded) -> Mapping {
    compile_with(config, &SchemaRegistry::builtin(), &capabilities(loaded)).unwrap().mapping
}

/// The mapping of a directory that has our schema and no password policy.
pub(crate) static MAPPING: LazyLock<Mapping> = LazyLock::new(|| compiled(&config(), Loaded { ours: true, ppolicy: false }));

pub(super) fn resource(side: &ResourceMapping, body: Value) -> Resource {
    let body_text = body.to_string();
    Resource::accept(body, &side.ty, &mut Dialect::default()).unwrap_or_else(|e| panic!("{body_text}: {e}"))
}

pub(super) fn user(body: Value) -> Resource {
    resource(&MAPPING.users, body)
}

pub(super) fn filter_on(side: &ResourceMapping, text: &str) -> Filter<BoundPath> {
    let parsed = Filter::<AttrPath>::parse(text, &Budgets::default(), &mut Dialect::default());
    parsed.and_then(|filter| filter.bind(&side.ty, &mut Dialect::default())).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The resources that references in the tests lead to: three users and a group, each with an awkward name.
pub(super) const PEOPLE: &[(Kind, &str, &str)] = &[
    (Kind::User, "11111111-1111-4111-8111-111111111111", "uid=ana,ou=people,dc=example,dc=com"),
    (Kind::User, "22222222-2222-4222-8222-222222222222", "uid=b\\2Cc \\2B\\22d\\22,ou=people,dc=example,dc=com"),
    (Kind::User, "aaaaaaaa-3333-4333-8333-333333333333", "uid=\\20\u{e9}\\5C ,ou=people,dc=example,dc=com"),
    (Kind::Group, "bbbbbbbb-4444-4444-8444-444444444444", "cn=Sub group,ou=groups,dc=example,dc=com"),
];

/// Names of nobody that is visible.
pub(super) const STRANGERS: &[&str] = &["uid=zoe,ou=elsewhere,dc=example,dc=com", "cn=a+sn=b\\2C,dc=example,dc=com"];

pub(super) static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let name = |(kind, id, text): &(Kind, &str, &str)| {
        let dn = dn(text);
        let display = dn.rdn().and_then(|rdn| rdn.avas().first()).and_then(|ava| ava.text()).map(Into::into);
        (dn.key(), Name { kind: *kind, id: (*id).into(), display })
    };
    PEOPLE.iter().map(name).collect()
});

pub(super) static TARGETS: LazyLock<Targets> =
    LazyLock::new(|| PEOPLE.iter().map(|(_, id, text)| ((*id).to_owned(), dn(text))).collect());

pub(super) fn read(side: &ResourceMapping, entry: &Entry) -> Resource {
    side.read(entry, ReadContext { base_url: BASE_URL, linked: Linked::Names(&NAMES), groups: None })
}

/// An entry with what the directory itself adds to it.
pub(crate) fn stamped(mut entry: Entry, id: &str) -> Entry {
    entry.push_text("entryUUID", id);
    entry.push_text("entryCSN", "20261125120000.000000Z#000000#000#000000");
    entry.push_text("createTimestamp", "20261125120000Z");
    entry.push_text("modifyTimestamp", "20261125130000Z");
    entry
}

pub(super) const ID: &str = "cccccccc-5555-4555-8555-555555555555";

pub(super) fn created(side: &ResourceMapping, resource: &Resource) -> Entry {
    let entry = side.new_entry(resource, &TARGETS).unwrap_or_else(|e| panic!("{resource:?}: {e}"));
    stamped(entry, ID)
}

/// What a client sees of a resource but for what it cannot set: without `id`, `meta`, `schemas`, and in lists and references
/// without what follows from the rest.
pub(super) fn settable(resource: &Resource) -> Value {
    let mut map = resource.map().clone();
    for name in ["id", "meta", "schemas", "groups"] {
        map.remove(name);
    }
    for value in map.values_mut() {
        strip(value);
    }
    if map.get("members") == Some(&json!([])) {
        map.remove("members");
    }
    Value::Object(map)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for name in ["$ref", "display", "primary"] {
                map.remove(name);
            }
            if map.contains_key("value") {
                map.remove("displayName");
            }
            let is_reference = map.get("type").and_then(Value::as_str).is_some_and(|kind| kind == "User" || kind == "Group");
            if is_reference {
                map.remove("type");
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(strip);
            // A directory's values have no order.
            items.sort_by_key(Value::to_string);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
