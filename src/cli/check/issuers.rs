//! Whether the issuers of others' tokens can be asked.

use super::findings::Findings;
use crate::auth::{IssuerConfig, KeySource, usable_keys};

pub(super) async fn check(issuers: &[IssuerConfig], findings: &mut Findings) {
    for issuer in issuers {
        let name = &issuer.issuer;
        match usable_keys(issuer).await {
            Ok(keys) => findings.good(format!("the issuer {name} publishes {keys} keys that tokens can be verified by")),
            // Its tokens need not be signed.
            Err(error) if issuer.introspection.is_some() && matches!(issuer.keys, KeySource::WellKnown(_)) => {
                findings.note(format!("the keys of the issuer {name} cannot be fetched: {error}"));
            }
            Err(error) => findings.mend(
                format!("the keys of the issuer {name} cannot be fetched, and its tokens will be refused: {error}"),
                "set auth.issuers.jwks_uri or discovery to where they are, and auth.issuers.ca where no public authority signed the \
                 issuer's certificate",
            ),
        }
    }
}
