//! `[directory]`: the servers, how to sign in, and what they are given to do.

use std::net::IpAddr;

use url::Url;

use super::load::{SECOND, dn};
use super::reader::{Environment, Section};
use crate::directory::Vendor;
use crate::ldap::{Bind, ClientCertificate, LdapConfig, ProfileChoice};

pub(super) fn directory(mut section: Section<'_>, environment: &Environment) -> LdapConfig {
    let place = section.place_of("urls");
    let server = |text: &str| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "ldap" | "ldaps" | "ldapi") && url.host().is_some());
        url.ok_or_else(|| "this must be a URL such as \"ldaps://ldap.example.com\" (ldap, ldaps or ldapi)".to_owned())
    };
    let urls = section.list("urls", server);
    if urls.is_none() {
        section.note(
            place.as_ref(),
            "urls",
            "name at least one directory server, for example urls = [\"ldaps://ldap.example.com\"]",
        );
    }
    let urls = urls.unwrap_or_default();
    let place_of_replicas = section.place_of("replicas");
    let replicas = section.list("replicas", server).unwrap_or_default();
    let everywhere = || urls.iter().map(|url| ("urls", url)).chain(replicas.iter().map(|url| ("replicas", url)));
    let profile = section.parsed("profile", |text| match text {
        "auto" => Ok(ProfileChoice::Auto),
        "openldap" => Ok(ProfileChoice::Fixed(Vendor::OpenLdap)),
        "389ds" => Ok(ProfileChoice::Fixed(Vendor::Ds389)),
        "active-directory" => Ok(ProfileChoice::Fixed(Vendor::ActiveDirectory)),
        _ => Err("the profiles are \"auto\", \"openldap\", \"389ds\" and \"active-directory\"".to_owned()),
    });
    let starttls = section.flag("starttls", false);
    let ca = section.path("ca");
    let client_certificate = client_certificate(&mut section);
    let bind_place = section.place_of("bind_dn");
    let key = if section.place_of("bind_password_file").is_some() {
        "bind_password_file"
    } else if section.place_of("bind_password_env").is_some() {
        "bind_password_env"
    } else {
        "bind_password"
    };
    let bind_dn = section.parsed("bind_dn", |text| dn(text).map(|_| text.to_owned()));
    let password = section.secret(["bind_password", "bind_password_file", "bind_password_env"], environment);
    // Who we are can be told without a password where the operating system or TLS vouches for it.
    let vouched = |url: &Url| match url.scheme() {
        "ldapi" => true,
        "ldaps" => client_certificate.is_some(),
        _ => starttls && client_certificate.is_some(),
    };
    let external = !urls.is_empty() && everywhere().all(|(_, url)| vouched(url));
    let bind = match (bind_dn, password) {
        (Some(dn), Some(password)) if password.expose().is_empty() => {
            section.note(
                bind_place.as_ref(),
                "bind_password",
                format!("the password of {dn} is empty: most directories take that for nobody"),
            );
            None
        }
        (Some(dn), Some(password)) => Some(Bind { dn, password, key }),
        (None, None) => {
            if !external {
                section.note(
                    None,
                    "bind_dn",
                    "name the account scimgate signs in with: bind_dn and bind_password_file; or, over TLS, client_certificate and \
                     client_private_key",
                );
            }
            None
        }
        (Some(_), None) => {
            section.note(bind_place.as_ref(), "bind_password", "the account's password is missing: bind_password_file = \"…\"");
            None
        }
        (None, Some(_)) => {
            section.note(None, "bind_dn", "a password is given, but no account: bind_dn = \"cn=scimgate,ou=services,…\"");
            None
        }
    };
    if bind.is_some() && !starttls {
        for (key, url) in everywhere().filter(|(_, url)| url.scheme() == "ldap" && !is_loopback(url)) {
            let place = if key == "urls" { &place } else { &place_of_replicas };
            section.note(
                place.as_ref(),
                key,
                format!("{url} would send the password unprotected: use ldaps:// or set directory.starttls = true"),
            );
        }
    }
    let config = LdapConfig {
        urls,
        replicas,
        replica_lag: section.duration("replica_lag", 5 * SECOND),
        profile: profile.unwrap_or(ProfileChoice::Auto),
        starttls,
        ca,
        client_certificate,
        bind,
        connections: section.number("connections", 4, 1),
        max_operations: section.number("max_operations", 256, 1),
        timeout: section.duration("timeout", 10 * SECOND),
        probe_timeout: section.duration("probe_timeout", SECOND),
        fail_back: section.duration("fail_back", 30 * SECOND),
        keepalive: section.duration("keepalive", 60 * SECOND),
    };
    section.finish();
    config
}

fn client_certificate(section: &mut Section<'_>) -> Option<ClientCertificate> {
    let places = [section.place_of("client_certificate"), section.place_of("client_private_key")];
    let (certificate, private_key) = (section.path("client_certificate"), section.path("client_private_key"));
    section.note_secret("client_private_key", private_key.as_ref());
    match (certificate, private_key) {
        (Some(certificate), Some(private_key)) => Some(ClientCertificate { certificate, private_key }),
        (Some(_), None) => {
            let [place, _] = places;
            section.note(
                place.as_ref(),
                "client_private_key",
                "the certificate's key is missing: client_private_key = \"client.key\"",
            );
            None
        }
        (None, Some(_)) => {
            let [_, place] = places;
            section.note(
                place.as_ref(),
                "client_certificate",
                "a key is given, but no certificate: client_certificate = \"client.crt\"",
            );
            None
        }
        (None, None) => None,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some(host) => host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => true,
    }
}
