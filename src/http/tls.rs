//! TLS towards clients.

use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsConfig;

/// The server's side of TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1.
///
/// # Errors
/// One line that names the key and the file.
pub fn server_config(config: &TlsConfig) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = certificates("server.tls.certificate", &config.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&config.private_key)
        .map_err(|error| place("server.tls.private_key", &config.private_key, &error))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("server.tls.client_ca", path)? {
                roots.add(certificate).map_err(|error| place("server.tls.client_ca", path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if config.certificates_required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| place("server.tls.client_ca", path, &error))?)
        }
    };
    let mut tls = builder
        .with_single_cert(chain, key)
        .map_err(|error| place("server.tls", &config.certificate, &format!("certificate and private key do not fit: {error}")))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

/// When the first certificate of a file ends, in seconds since 1970; `None` if it cannot be read.
pub fn certificate_end(path: &Path) -> Option<i64> {
    let first = CertificateDer::pem_file_iter(path).ok()?.next()?.ok()?;
    certificate_end_of(&first)
}

/// The same of a certificate in DER.
pub fn certificate_end_of(der: &[u8]) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found: Vec<_> = read.map_err(|error| place(key, path, &error))?;
    if found.is_empty() { Err(place(key, path, &"there is no certificate in it; it takes PEM")) } else { Ok(found) }
}

fn place(key: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{key}: {}: {error}", path.display())
}
