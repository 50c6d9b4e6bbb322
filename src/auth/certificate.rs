//! Clients known by the certificate of their TLS connection, which an authority of `server.tls.client_ca` signed (RFC 8705).

use std::fmt;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::authorization::Credential;
use super::{AuthScheme, Presented, Principal, Rejection, SchemeOutcome, Scopes};
use crate::directory::{Dn, DnKey};

/// What names are made of in certificates (RFC 4514 section 3), and what else is often among them.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// SHA-256 of a certificate, the `x5t#S256` of a token (RFC 8705 section 3.1). It is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint(pub [u8; 32]);

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// How the holder of a token proves to be that (RFC 7800 section 3): by a certificate, as far as it is understood here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confirmation {
    #[serde(rename = "x5t#S256", default)]
    thumbprint: Option<String>,
}

impl Confirmation {
    /// By this certificate.
    pub(super) fn by(certificate: &ClientCertificate) -> Self {
        Self { thumbprint: Some(certificate.thumbprint.to_string()) }
    }

    /// Whether this is the certificate. A proof of a kind that is not understood here is none.
    pub(super) fn allows(&self, certificate: Option<&ClientCertificate>) -> bool {
        let shown = certificate.map(|certificate| certificate.thumbprint.to_string());
        self.thumbprint.as_ref().zip(shown).is_some_and(|(wanted, shown)| wanted.as_bytes().ct_eq(shown.as_bytes()).into())
    }
}

/// A further name in a certificate (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAltName {
    /// A host, in lower case.
    Dns(String),
    /// A URI, by the letter.
    Uri(String),
    /// An email address, its domain in lower case.
    Email(String),
    /// An address.
    Ip(IpAddr),
}

/// The text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this must be a host name, a URI such as \"spiffe://example.com/ping\", an email address or an IP address")]
pub struct InvalidName;

impl FromStr for SubjectAltName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let host = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*".contains(&b));
        if let Ok(address) = text.parse() {
            Ok(Self::Ip(address))
        } else if text.contains("://") || text.starts_with("urn:") {
            Ok(Self::Uri(text.to_owned()))
        } else if text.contains('@') {
            Ok(Self::email(text))
        } else if host(text) {
            Ok(Self::dns(text))
        } else {
            Err(InvalidName)
        }
    }
}

impl SubjectAltName {
    fn dns(text: &str) -> Self {
        Self::Dns(text.to_ascii_lowercase())
    }

    fn email(text: &str) -> Self {
        let lowered = text.rsplit_once('@').map(|(local, domain)| format!("{local}@{}", domain.to_ascii_lowercase()));
        Self::Email(lowered.unwrap_or_default())
    }

    fn read(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(text) => Some(Self::dns(text)),
            GeneralName::URI(text) => Some(Self::Uri((*text).to_owned())),
            GeneralName::RFC822Name(text) => Some(Self::email(text)),
            GeneralName::IPAddress(bytes) => {
                let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(Self::Ip)
            }
            _ => None,
        }
    }
}

/// A client's certificate, whose signature and purpose the handshake has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// What tokens are bound by.
    pub thumbprint: Thumbprint,
    /// `None` where the subject has values that are no text.
    subject: Option<DnKey>,
    names: Vec<SubjectAltName>,
    /// Seconds since 1970. A connection may outlive it.
    not_after: i64,
}

impl ClientCertificate {
    /// Reads it; `None` if it is none.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(SubjectAltName::read).collect();
        let subject = subject(&certificate).and_then(|name| name.parse::<Dn>().ok()).map(|name| name.key());
        let not_after = certificate.validity().not_after.timestamp();
        Some(Self { thumbprint: Thumbprint(Sha256::digest(der).into()), subject, names, not_after })
    }
}

/// The subject as RFC 4514 writes it, the last RDN first, every byte of a value by its number.
fn subject(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut rdns = Vec::new();
    for rdn in certificate.subject().iter_rdn() {
        let mut avas = Vec::new();
        for ava in rdn.iter() {
            let oid = ava.attr_type().to_id_string();
            let name = ATTRIBUTES.iter().find(|(known, _)| *known == oid).map_or(oid.as_str(), |(_, name)| name);
            let bytes = ava.as_str().ok()?.bytes();
            // Writing to a String cannot fail.
            avas.push(bytes.fold(format!("{name}="), |mut text, byte| {
                let _ = write!(text, "\\{byte:02x}");
                text
            }));
        }
        rdns.push(avas.join("+"));
    }
    rdns.reverse();
    Some(rdns.join(","))
}

/// One `[[auth.certificates]]`.
#[derive(Debug, Clone)]
pub struct CertificateConfig {
    /// The client's name in logs, limits and the audit.
    pub name: Arc<str>,
    /// Which certificate is the client's.
    pub rule: CertificateRule,
    /// What it may do.
    pub scopes: Scopes,
    /// Refused from this instant on.
    pub expires: Option<Timestamp>,
}

/// What is looked at in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRule {
    /// Its subject, all of it.
    Subject(DnKey),
    /// One of its other names.
    Name(SubjectAltName),
    /// All of it.
    Fingerprint(Thumbprint),
}

impl CertificateRule {
    fn fits(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Subject(subject) => certificate.subject.as_ref() == Some(subject),
            Self::Name(name) => certificate.names.contains(name),
            Self::Fingerprint(thumbprint) => certificate.thumbprint == *thumbprint,
        }
    }
}

/// Accepts the certificates that are configured, from who shows no other credential.
#[derive(Debug)]
pub struct Certificates(Vec<CertificateConfig>);

impl Certificates {
    /// These.
    pub fn new(certificates: Vec<CertificateConfig>) -> Self {
        Self(certificates)
    }
}

#[async_trait]
impl AuthScheme for Certificates {
    async fn authenticate(&self, presented: &Presented<'_>, now: Timestamp) -> SchemeOutcome {
        let (Credential::Absent, Some(certificate)) = (&presented.credential, presented.certificate) else {
            return SchemeOutcome::NotPresented;
        };
        let live = |entry: &&CertificateConfig| entry.expires.is_none_or(|end| end > now);
        let mut fitting = self.0.iter().filter(|entry| entry.rule.fits(certificate)).peekable();
        if fitting.peek().is_none() {
            return SchemeOutcome::NotPresented;
        }
        match fitting.find(live) {
            Some(entry) if certificate.not_after >= now.as_second() => {
                SchemeOutcome::Accepted(Principal { client: entry.name.clone(), scopes: entry.scopes })
            }
            Some(_) | None => SchemeOutcome::Rejected(Rejection::Expired),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate() -> ClientCertificate {
        let mut parameters = CertificateParams::new(vec!["Ping.Example.com".to_owned(), "192.0.2.7".to_owned()]).unwrap();
        parameters.subject_alt_names.push(SanType::URI("spiffe://example.com/Ping".try_into().unwrap()));
        parameters.subject_alt_names.push(SanType::Rfc822Name("Ping@Example.com".try_into().unwrap()));
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        parameters.distinguished_name.push(DnType::CommonName, "Ping  é+");
        let made = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::from_der(made.der()).unwrap()
    }

    #[test]
    fn a_certificate_is_known_by_its_names_or_its_bytes() {
        let certificate = certificate();
        let subject = |text: &str| CertificateRule::Subject(text.parse::<Dn>().unwrap().key());
        let name = |text: &str| CertificateRule::Name(text.parse().unwrap());
        let mut other = certificate.thumbprint;
        other.0[31] ^= 1;
        for (rule, fits) in [
            (subject("cn=ping \\C3\\89\\+,o=example\\, inc."), true),
            (subject("CN=Ping \\C3\\89\\+"), false),
            (subject("O=Example\\, Inc.,CN=Ping \\C3\\89\\+"), false),
            (subject(""), false),
            (name("ping.example.COM"), true),
            (name("example.com"), false),
            (name("*.example.com"), false),
            (name("spiffe://example.com/Ping"), true),
            (name("spiffe://example.com/ping"), false),
            (name("Ping@example.com"), true),
            (name("ping@example.com"), false),
            (name("192.0.2.7"), true),
            (name("192.0.2.8"), false),
            (CertificateRule::Fingerprint(certificate.thumbprint), true),
            (CertificateRule::Fingerprint(other), false),
        ] {
            assert_eq!(rule.fits(&certificate), fits, "{rule:?}");
        }
        assert!("a host".parse::<SubjectAltName>().is_err() && "".parse::<SubjectAltName>().is_err());
        assert!(ClientCertificate::from_der(b"no certificate").is_none());
    }

    #[test]
    fn a_proof_that_is_not_understood_is_none() {
        let (shown, other) = (certificate(), certificate());
        let read = |text: &str| serde_json::from_str::<Confirmation>(text).unwrap();
        let bound = Confirmation::by(&shown);
        assert!(bound.allows(Some(&shown)));
        assert!(!bound.allows(Some(&other)) && !bound.allows(None));
        assert!(!read("{\"jkt\": \"x\"}").allows(Some(&shown)));
        assert_eq!(read(&serde_json::to_string(&bound).unwrap()), bound);
    }
}
