//! Whom we believe when we are the client of TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A client that trusts the authorities in this file of PEM, or the system's, and shows no certificate. `key` names the file in the
/// configuration.
///
/// # Errors
/// One line: what is wrong with the file.
pub(crate) fn client_config(key: &str, ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots(key, ca)?).with_no_client_auth())
}

fn roots(key: &str, ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        for certificate in rustls_native_certs::load_native_certs().certs {
            // One damaged certificate in the system's store does not spoil the others.
            let _ = roots.add(certificate);
        }
        return Ok(roots);
    };
    let place = |error: &dyn std::fmt::Display| format!("{key}: {}: {error}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for certificate in read.map_err(|error| place(&error))? {
        roots.add(certificate).map_err(|error| place(&error))?;
    }
    if roots.is_empty() { Err(place(&"there is no certificate in it; it takes PEM")) } else { Ok(roots) }
}
