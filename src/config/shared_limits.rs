//! `[limits.shared]`: where several gateways keep their clients' budgets together.

use std::time::Duration;

use url::Url;

use super::reader::{Environment, Section};
use crate::limit::{OnFailure, SharedConfig};

/// Of Redis, Valkey and all that speak as they do.
const PORT: u16 = 6379;

struct Place {
    host: String,
    port: u16,
    tls: bool,
    database: u32,
}

/// `None`: each gateway counts by itself.
pub(super) fn shared_limits(mut section: Section<'_>, environment: &Environment) -> Option<SharedConfig> {
    let (place, is_present) = (section.place_of("url"), section.is_present());
    let store = section.parsed("url", store);
    let username = section.text("username");
    let password = section.secret(["password", "password_file", "password_env"], environment);
    let ca = section.path("ca");
    let prefix = section.parsed("prefix", |text| {
        let good = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good {
            Ok(text.to_owned())
        } else {
            Err("this must be up to 64 letters, digits and signs, such as \"scimgate:\"".to_owned())
        }
    });
    let timeout = section.duration("timeout", Duration::from_millis(250));
    let on_failure = section.parsed("on_failure", |text| match text {
        "open" => Ok(OnFailure::Open),
        "closed" => Ok(OnFailure::Closed),
        _ => Err("this must be \"open\" (each gateway counts by itself) or \"closed\" (requests are refused)".to_owned()),
    });
    if place.is_none() && is_present {
        section.note(None, "url", "say where the store is: url = \"redis://127.0.0.1:6379\", or rediss:// for TLS");
    }
    if username.is_some() && password.is_none() {
        section.note(None, "username", "this user's password is missing: password_file = \"…\"");
    }
    let config = store.map(|Place { host, port, tls, database }| SharedConfig {
        host,
        port,
        tls,
        database,
        username,
        password,
        ca,
        prefix: prefix.unwrap_or_else(|| "scimgate:".to_owned()),
        timeout,
        on_failure: on_failure.unwrap_or_default(),
    });
    if let Some(config) = config.as_ref().filter(|config| config.password.is_some() && !config.tls && !config.is_here()) {
        let what = format!(
            "the password would cross the network to {} unprotected: use rediss://, or a store (or a TLS tunnel to one) on this machine",
            config.host
        );
        section.note(place.as_ref(), "url", what);
    }
    section.finish();
    config
}

fn store(text: &str) -> Result<Place, String> {
    let form =
        "this must be the URL of a Redis or Valkey, such as \"redis://127.0.0.1:6379\" or \"rediss://limits.example.com/1\"";
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss")).ok_or(form)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL is shown in logs: give user name and password as username and password_file".to_owned());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(form)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(form.to_owned());
    }
    let database = match url.path().trim_matches('/') {
        "" => 0,
        number => number.parse().map_err(|_| "after the port only the number of a database may stand, such as /1".to_owned())?,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Place { host, port: url.port().unwrap_or(PORT), tls: url.scheme() == "rediss", database })
}
