//! `[auth]`: what clients sign in with beside keys and tokens of our own.

use super::load::{client_name, digest, dn, expires, scopes};
use super::reader::Section;
use crate::auth::{CertificateConfig, CertificateRule, HeaderForms, Scopes, SubjectAltName, Thumbprint};

/// `basic` and `schemes`.
pub(super) fn header_forms(section: &mut Section<'_>) -> HeaderForms {
    let basic = section.flag("basic", false);
    let word = |text: &str| {
        // RFC 9110 section 5.6.2.
        let is_token = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if text.eq_ignore_ascii_case("Basic") {
            Err("for user names and passwords set auth.basic = true".to_owned())
        } else if is_token {
            Ok(text.to_owned())
        } else {
            Err("this must be a word such as \"oauth2\", or \"\" for a key without a word before it".to_owned())
        }
    };
    let words = section.list("schemes", word).unwrap_or_default();
    let bare = words.iter().any(String::is_empty);
    HeaderForms { basic, words: words.into_iter().filter(|word| !word.is_empty()).map(Into::into).collect(), bare }
}

/// `[[auth.certificates]]`. `asked`: whether clients are asked for one at all.
pub(super) fn certificates(section: &mut Section<'_>, asked: bool) -> Vec<CertificateConfig> {
    let place = section.place_of("certificates");
    let sections = section.sections("certificates");
    if !sections.is_empty() && !asked {
        let what = "no client is asked for a certificate: add client_ca = \"clients.pem\" to [server.tls]";
        section.note(place.as_ref(), "certificates", what);
    }
    sections.into_iter().filter_map(certificate).collect()
}

fn certificate(mut section: Section<'_>) -> Option<CertificateConfig> {
    let name = client_name(&mut section, "name");
    let given = ["subject", "san", "fingerprint"].into_iter().filter(|key| section.place_of(key).is_some()).count();
    if given != 1 {
        let what = "say in one way which certificate it is: subject = \"CN=ping,O=Example\", san = \"ping.example.com\", or \
                    fingerprint = \"sha256:…\"";
        section.note(None, "subject", what);
    }
    let subject = section.parsed("subject", |text| match dn(text) {
        Ok(name) if name.is_root() => Err("this must name somebody, for example \"CN=ping,O=Example\"".to_owned()),
        named => named.map(|name| CertificateRule::Subject(name.key())),
    });
    let other = section
        .parsed("san", |text| text.parse::<SubjectAltName>().map(CertificateRule::Name).map_err(|error| error.to_string()));
    let fingerprint = section.parsed("fingerprint", |text| {
        let bare: String = text.strip_prefix("sha256:").unwrap_or(text).chars().filter(|c| *c != ':').collect();
        let found = digest(&format!("sha256:{bare}")).map(|bytes| CertificateRule::Fingerprint(Thumbprint(bytes)));
        found.ok_or_else(|| {
            "this must be the SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it".to_owned()
        })
    });
    let scopes = scopes(&mut section).unwrap_or_else(Scopes::all);
    let expires = expires(&mut section);
    section.finish();
    let rule = subject.or(other).or(fingerprint);
    Some(CertificateConfig { name: name?.into(), rule: rule?, scopes, expires })
}
