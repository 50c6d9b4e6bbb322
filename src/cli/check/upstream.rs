//! Whether the application beside us answers.

use super::findings::Findings;
use crate::http::{UpstreamConfig, upstream_answers};

pub(super) async fn check(config: Option<&UpstreamConfig>, findings: &mut Findings) {
    let Some(config) = config else { return };
    let url = format!("{}://{}", config.scheme, config.authority);
    match upstream_answers(config).await {
        Ok(status) => findings.good(format!("the application at {url} answers ({})", status.as_u16())),
        Err(error) => findings.mend(
            format!("the application at {url} does not answer: {error}"),
            "start it, or set upstream.url to where it listens; over https set upstream.ca where no public authority signed its \
             certificate. Until then what is not scimgate's own is answered 502",
        ),
    }
}
