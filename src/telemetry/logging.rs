//! Log lines on standard error, and where spans go.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use super::{LogConfig, LogFormat, Traces, TracesConfig};

/// Starts logging, and traces where they are wanted, for the whole process. A second call changes nothing.
///
/// # Errors
/// One line that says which key of `[traces]` is wrong.
pub fn init(config: LogConfig, traces: Option<&TracesConfig>) -> Result<Option<Traces>, String> {
    let traces = traces.map(Traces::start).transpose()?;
    let json = match config.format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // Libraries log connections and frames that only their authors want to read, and ldap3 logs values at its debug level.
    let ours = Targets::new().with_target("scimgate", config.level);
    let layer = if json {
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_writer(stderr).boxed()
    } else {
        fmt::layer().compact().with_ansi(stderr().is_terminal()).with_writer(stderr).boxed()
    };
    let lines = tracing_subscriber::registry().with(layer.with_filter(ours));
    // A layer that is none would have every span made for nobody.
    let _ = match &traces {
        Some(traces) => lines.with(traces.layer()).try_init(),
        None => lines.try_init(),
    };
    Ok(traces)
}
