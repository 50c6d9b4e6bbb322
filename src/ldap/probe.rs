//! What a directory says of itself.

use ldap3::{Ldap, LdapError, Scope};

use super::config::ProfileChoice;
use super::convert;
use crate::directory::{Capabilities, Definitions, DirectoryError, Entry, Subschema, Unstated, Vendor};

/// LDAP_CAP_ACTIVE_DIRECTORY_OID ([MS-ADTS] section 3.1.1.3.4.3); Samba claims it too.
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// Reads the rootDSE and the subschema it names.
pub(super) async fn capabilities(ldap: &mut Ldap, choice: ProfileChoice) -> Result<Capabilities, DirectoryError> {
    let wanted = [
        "objectClass",
        "supportedControl",
        "supportedCapabilities",
        "namingContexts",
        "subschemaSubentry",
        "vendorName",
        "vendorVersion",
        "lastusn",
    ];
    let root = base(ldap, "", "(objectClass=*)", &wanted).await?;
    let vendor = match choice {
        ProfileChoice::Auto => recognised(&root),
        ProfileChoice::Fixed(vendor) => vendor,
    };
    let subschema = root.text("subschemaSubentry").unwrap_or("cn=Subschema").to_owned();
    let wanted = ["attributeTypes", "objectClasses", "dITContentRules"];
    // Active Directory's entry is of the class too, but cannot be found by it.
    let schema = base(ldap, &subschema, "(objectClass=*)", &wanted).await?;
    let texts = Definitions {
        attribute_types: schema.texts("attributeTypes").collect(),
        object_classes: schema.texts("objectClasses").collect(),
        content_rules: schema.texts("dITContentRules").collect(),
        unstated: match vendor {
            Vendor::OpenLdap | Vendor::Unknown => Unstated::Incomparable,
            Vendor::Ds389 => Unstated::BySyntax,
            Vendor::ActiveDirectory => Unstated::Loosely,
        },
    };
    let named = [root.text("vendorName"), root.text("vendorVersion")];
    Ok(Capabilities {
        vendor,
        product: named.into_iter().flatten().collect::<Vec<_>>().join(" "),
        usn: root.attributes().any(|(name, _)| name.split(';').next().is_some_and(|name| name.eq_ignore_ascii_case("lastusn"))),
        controls: root.texts("supportedControl").map(str::to_owned).collect(),
        naming_contexts: root.texts("namingContexts").map(str::to_owned).collect(),
        schema: Subschema::parse(&texts),
    })
}

fn recognised(root: &Entry) -> Vendor {
    if root.has("objectClass", "OpenLDAProotDSE") {
        Vendor::OpenLdap
    } else if root.has("supportedCapabilities", ACTIVE_DIRECTORY) {
        Vendor::ActiveDirectory
    } else if root.texts("vendorName").any(|name| name.contains("389")) {
        Vendor::Ds389
    } else {
        Vendor::Unknown
    }
}

/// One entry by its name; an empty one if it is not there or not to be seen.
async fn base(ldap: &mut Ldap, dn: &str, filter: &str, attributes: &[&str]) -> Result<Entry, DirectoryError> {
    let found = match ldap.search(dn, Scope::Base, filter, attributes).await {
        Ok(found) => found.0,
        Err(LdapError::LdapResult { .. }) => Vec::new(),
        Err(error) => return Err(convert::failure(error)),
    };
    match found.into_iter().next() {
        Some(entry) => convert::entry(entry.0),
        None => Ok(Entry::new(crate::directory::Dn::root())),
    }
}
