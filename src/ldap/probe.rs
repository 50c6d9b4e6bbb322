//! What a directory says of itself.

use ldap3::{Ldap, LdapError, Scope};

use super::config::ProfileChoice;
use super::convert;
use crate::directory::{Capabilities, DirectoryError, Entry, Subschema, Vendor};

/// Reads the rootDSE and the subschema it names.
pub(super) async fn capabilities(ldap: &mut Ldap, choice: ProfileChoice) -> Result<Capabilities, DirectoryError> {
    let wanted = ["objectClass", "supportedControl", "namingContexts", "subschemaSubentry"];
    let root = base(ldap, "", "(objectClass=*)", &wanted).await?;
    let vendor = match choice {
        ProfileChoice::OpenLdap => Vendor::OpenLdap,
        ProfileChoice::Auto if root.has("objectClass", "OpenLDAProotDSE") => Vendor::OpenLdap,
        ProfileChoice::Auto => Vendor::Unknown,
    };
    let subschema = root.text("subschemaSubentry").unwrap_or("cn=Subschema").to_owned();
    let schema = base(ldap, &subschema, "(objectClass=subschema)", &["attributeTypes", "objectClasses"]).await?;
    Ok(Capabilities {
        vendor,
        controls: root.texts("supportedControl").map(str::to_owned).collect(),
        naming_contexts: root.texts("namingContexts").map(str::to_owned).collect(),
        schema: Subschema::parse(schema.texts("attributeTypes"), schema.texts("objectClasses")),
    })
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
