//! What our clients of HTTP have in common: connections that are kept, and what comes of those that the server closes.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use hyper_util::client::legacy::Error;

/// How long an idle connection is kept: shorter than most servers keep theirs, so that it is us who close it.
pub(crate) const IDLE: Duration = Duration::from_secs(4);

/// Whether a connection was closed before a byte of the answer came, as happens to one that was idle.
pub(crate) fn was_closed(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An error with its causes: the first says that something failed, the last says why.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
