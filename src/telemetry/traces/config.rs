//! Where traces go.

use std::path::PathBuf;

use url::Url;

use crate::secret::Secret;

/// `[traces]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracesConfig {
    /// Where batches are posted: OTLP over HTTP.
    pub endpoint: Url,
    /// The authorities that sign its certificate; without it the system's.
    pub ca: Option<PathBuf>,
    /// The value of the Authorization header.
    pub authorization: Option<Secret>,
    /// Of the requests that come without a trace one in so many is traced; 0: none.
    pub one_in: u32,
    /// What the program is called in traces.
    pub service: String,
}
