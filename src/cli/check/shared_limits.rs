//! Whether the store of shared limits answers.

use super::findings::Findings;
use crate::limit::{OnFailure, SharedConfig, store_answers};

pub(super) async fn check(config: Option<&SharedConfig>, findings: &mut Findings) {
    let Some(config) = config else { return };
    let place = format!("{}:{}", config.host, config.port);
    let Err(error) = store_answers(config).await else {
        return findings.good(format!("the store of shared limits at {place} answers"));
    };
    let meanwhile = match config.on_failure {
        OnFailure::Open => "each gateway counts by itself",
        OnFailure::Closed => "requests are answered 503",
    };
    findings.mend(
        format!("the store of shared limits at {place} does not answer, and {meanwhile}: {error}"),
        "see whether it runs where limits.shared.url says, whether username and password are right there, and whether that user may run \
         scripts (EVAL, EVALSHA, SCRIPT, TIME, HMGET, HSET, PEXPIRE) on keys that begin with limits.shared.prefix",
    );
}
