//! TLS towards the directory: always verified.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use ldap3::LdapError;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{ClientCertificate, LdapConfig};

/// The client's side of TLS, trusting the authorities in a file or else the system's.
pub(super) fn client_config(config: &LdapConfig) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match &config.ca {
        Some(path) => {
            let place = |error: &dyn std::fmt::Display| format!("directory.ca: {}: {error}", path.display());
            for certificate in certificates(path).map_err(|error| place(&error))? {
                roots.add(certificate).map_err(|error| place(&error))?;
            }
        }
        None => {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // One damaged certificate in the system's store does not spoil the others.
                let _ = roots.add(certificate);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let tls = match &config.client_certificate {
        Some(ClientCertificate { certificate, private_key }) => {
            let chain = certificates(certificate)
                .map_err(|error| format!("directory.client_certificate: {}: {error}", certificate.display()))?;
            let place =
                |error: &dyn std::fmt::Display| format!("directory.client_private_key: {}: {error}", private_key.display());
            let key = PrivateKeyDer::from_pem_file(private_key).map_err(|error| place(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| place(&error))?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(tls))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?.collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is no certificate in it; it takes PEM".to_owned()) } else { Ok(found) }
}

/// Why no safe connection could be made, and what to do.
pub(super) fn explain(error: &LdapError, config: &LdapConfig) -> String {
    if let LdapError::LdapResult { result } = error {
        return format!(
            "the directory refuses StartTLS (result {}: {}): have it offer TLS, or use an ldaps:// URL; nothing was sent in clear",
            result.rc, result.text
        );
    }
    let LdapError::Io { source } = error else { return error.to_string() };
    let certificate = if config.client_certificate.is_none() {
        "it may ask for a certificate: set directory.client_certificate and directory.client_private_key"
    } else {
        "it may not take directory.client_certificate: have it trust the authority that signed it"
    };
    let Some(cause) = source.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) else {
        // Some servers end the connection without a word when they miss a certificate.
        return match source.kind() {
            ErrorKind::UnexpectedEof => format!("it ended the connection when TLS began; {certificate}"),
            _ => source.to_string(),
        };
    };
    let trusted = match &config.ca {
        Some(path) => format!("directory.ca ({})", path.display()),
        None => "the system's store".to_owned(),
    };
    match cause {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => format!(
            "its certificate is not signed by an authority in {trusted}: set directory.ca to the PEM file of the authority that \
             signed it"
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            format!("{cause}: use the name that its certificate bears in directory.urls, or give it a certificate for this name")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => format!("{cause}: renew its certificate, or set the clock of this machine"),
        rustls::Error::AlertReceived(_) => format!("{cause}; {certificate}"),
        other => other.to_string(),
    }
}
