//! `[traces]`.

use url::{Host, Url};

use super::reader::{Environment, Section};
use crate::telemetry::TracesConfig;

/// Where a collector expects spans, if nothing else is said (OTLP/HTTP).
const PATH: &str = "/v1/traces";

/// `None`: nothing is traced.
pub(super) fn traces(mut section: Section<'_>, environment: &Environment) -> Option<TracesConfig> {
    let (place, is_present) = (section.place_of("endpoint"), section.is_present());
    let endpoint = section.parsed("endpoint", endpoint);
    let ca = section.path("ca");
    let authorization = section.secret(["authorization", "authorization_file", "authorization_env"], environment);
    let one_in = section.number("one_in", 1, 0);
    let service = section.text("service").unwrap_or_else(|| "scimgate".to_owned());
    if place.is_none() && is_present && (authorization.is_some() || ca.is_some()) {
        section.note(None, "endpoint", "say where traces go: endpoint = \"http://127.0.0.1:4318\"");
    }
    if let (Some(endpoint), true) = (&endpoint, authorization.is_some())
        && endpoint.scheme() == "http"
        && !is_here(endpoint)
    {
        let what = "authorization would cross the network unprotected: give an https:// URL, or a collector on this machine";
        section.note(place.as_ref(), "endpoint", what);
    }
    section.finish();
    Some(TracesConfig { endpoint: endpoint?, ca, authorization, one_in, service })
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // A password in it would be logged.
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    let mut url =
        url.ok_or("this must be the URL of a collector that takes OTLP over HTTP, such as \"http://127.0.0.1:4318\"")?;
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url)
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
