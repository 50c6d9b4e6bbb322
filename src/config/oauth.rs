//! `[auth.oauth]`.

use url::Url;

use super::load::{SECOND, client_name, digest_of, dn, scopes};
use super::reader::Section;
use crate::auth::{AdministratorsConfig, OAuthClientConfig, OAuthConfig, Scopes};
use crate::directory::Dn;

/// Longer addresses to return to are a slip.
const LONGEST_URI: usize = 512;

/// `people` is where people are who are not said to be elsewhere.
pub(super) fn oauth(
    mut section: Section<'_>,
    public_url: Option<&str>,
    people: Option<&Dn>,
    has_console: bool,
) -> Option<OAuthConfig> {
    if !section.is_present() {
        section.finish();
        return None;
    }
    if public_url.is_none() {
        let what = "tokens name the URL that clients reach scimgate by: set server.public_url = \"https://scim.example.com\"";
        section.note(None, "signing_key", what);
    }
    let signing_key = section.required_path("signing_key", "\"oauth.pem\"");
    section.note_secret("signing_key", signing_key.as_ref());
    let former_keys = section.paths("former_keys");
    // What one of them signs is still accepted.
    for key in &former_keys {
        section.note_secret("former_keys", Some(key));
    }
    let access_token_lifetime = section.duration("access_token_lifetime", 3600 * SECOND);
    let refresh_token_lifetime = section.duration("refresh_token_lifetime", 90 * 24 * 3600 * SECOND);
    let revocations = section.path("revocations");
    let group = section.parsed("administrators", dn);
    let base = section.parsed("administrators_base", dn).or(people.cloned());
    let clients = section.sections("clients");
    // The console can make one.
    if clients.is_empty() && !has_console {
        section.note(
            None,
            "clients",
            "nobody could get a token: `scimgate key new --client --name ping` makes a client and prints the lines to add",
        );
    }
    let clients: Vec<_> = clients.into_iter().filter_map(client).collect();
    if clients.iter().any(|client| !client.redirect_uris.is_empty()) {
        if group.is_none() {
            let what = "clients with redirect_uris need somebody who may sign in for them: name a group, such as \
                        administrators = \"cn=scim-administrators,ou=groups,dc=example,dc=com\"";
            section.note(None, "administrators", what);
        }
        if public_url.is_some_and(|url| !is_protected(url)) {
            let what =
                "people sign in at server.public_url, so it must begin with https://: set it to what browsers reach scimgate by";
            section.note(None, "clients", what);
        }
    }
    section.finish();
    let administrators = group.zip(base).map(|(group, base)| AdministratorsConfig { group, base });
    Some(OAuthConfig {
        issuer: public_url?.to_owned(),
        signing_key: signing_key?,
        former_keys,
        access_token_lifetime,
        refresh_token_lifetime,
        certificates: false,
        administrators,
        revocations,
        clients,
    })
}

fn client(mut section: Section<'_>) -> Option<OAuthClientConfig> {
    let id = client_name(&mut section, "id");
    let digest = digest_of(&mut section, "secret_hash");
    let scopes = scopes(&mut section).unwrap_or_else(Scopes::all);
    let redirect_uris = section.list("redirect_uris", redirect_uri).unwrap_or_default();
    let pkce = section.flag("pkce", true);
    section.finish();
    Some(OAuthClientConfig { id: id?.into(), digest: digest?, scopes, redirect_uris, pkce })
}

/// One that a code may be sent to; it is compared as it is written (RFC 9700 section 2.1).
fn redirect_uri(text: &str) -> Result<String, String> {
    let printable = text.len() <= LONGEST_URI && text.bytes().all(|b| b.is_ascii_graphic());
    let url = Url::parse(text).ok().filter(|url| printable && url.fragment().is_none() && url.username().is_empty());
    if url.is_some_and(|url| is_protected(url.as_str())) {
        return Ok(text.to_owned());
    }
    Err("this must be the whole URL that the client gives as its redirect URI, with https:// and without #, such as \
         \"https://system-admin.okta.com/admin/app/cpc/NAME/oauth/callback\""
        .to_owned())
}

/// Whether nobody on the way can read what is sent there: over TLS, or not leaving the machine (RFC 9700 section 2.1).
fn is_protected(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_here
}
