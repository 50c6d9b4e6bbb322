//! TLS towards the directory: always verified.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The client's side of TLS, trusting the authorities in a file or else the system's.
pub(super) fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let place = |error: &dyn std::fmt::Display| format!("directory.ca: {}: {error}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| place(&error))? {
                let certificate = certificate.map_err(|error| place(&error))?;
                roots.add(certificate).map_err(|error| place(&error))?;
            }
            if roots.is_empty() {
                return Err(place(&"there is no certificate in it; it takes PEM"));
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
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
