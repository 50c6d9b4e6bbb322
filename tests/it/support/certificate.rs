//! Certificates that sign themselves.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

/// Writes a certificate for 127.0.0.1 and its key, `tls.crt` and `tls.key`; returns the certificate as PEM.
pub(crate) fn make(folder: &Path) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    keep_secret(&folder.join("tls.key"));
    certificate.pem()
}

/// Leaves a file to its owner.
pub(super) fn keep_secret(file: &Path) {
    std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

/// Writes a file that its owner alone can read.
pub(crate) fn write_secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    keep_secret(file);
}
