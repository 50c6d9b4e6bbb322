//! What the tests of this module share.

use std::time::Duration;

use super::*;

/// An issuer with everything by default.
pub(in crate::auth) fn config(issuer: &str) -> IssuerConfig {
    IssuerConfig {
        issuer: issuer.into(),
        audience: "scimgate".to_owned(),
        keys: KeySource::WellKnown(issuer.parse().unwrap()),
        ca: None,
        algorithms: SigningAlgorithm::ALL.to_vec(),
        leeway: Duration::from_mins(1),
        refresh: Duration::from_mins(15),
        client: ClientRule::Claim(None),
        scopes: ScopeRule::Ours,
        claims: Vec::new(),
        introspection: None,
    }
}
