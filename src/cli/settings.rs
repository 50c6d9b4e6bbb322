//! `scimgate settings`: the sheet to paste into the identity provider.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::{load, print};
use crate::auth::ApiKeyConfig;
use crate::config::Config;
use crate::http::SCIM_PATH;
use crate::mapping::UserNameRule;

pub(super) fn run(path: &Path, as_json: bool) -> ExitCode {
    let Some(config) = load(path) else { return ExitCode::from(1) };
    if as_json {
        print(&format!("{:#}\n", document(&config)));
    } else {
        print(&sheet(&config));
    }
    ExitCode::SUCCESS
}

/// The SCIM base URL as far as it is known.
fn base_url(config: &Config) -> String {
    let server = &config.server;
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let host = |address: std::net::SocketAddr| {
        if address.ip().is_unspecified() { format!("<this host's name>:{}", address.port()) } else { address.to_string() }
    };
    let url = server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", host(server.listen)));
    format!("{url}{SCIM_PATH}")
}

/// Where tokens are granted, if they are.
fn token_endpoint(config: &Config) -> Option<String> {
    config.auth.oauth.as_ref().map(|oauth| format!("{}/oauth2/token", oauth.issuer))
}

/// The clients of the authorization server.
fn clients(config: &Config) -> Vec<&str> {
    let mut ids: Vec<&str> = config.auth.oauth.iter().flat_map(|oauth| &oauth.clients).map(|client| &*client.id).collect();
    ids.dedup();
    ids
}

/// How Ping may sign in: with a key that it sends, or with a token that it asks for.
fn methods(config: &Config) -> &'static str {
    match (config.auth.api_keys.is_empty(), config.auth.oauth.is_some()) {
        (false, false) => "OAuth 2 Bearer Token",
        (true, false) if config.auth.issuers.is_empty() => "a client certificate (auth.certificates)",
        (true, false) => "OAuth 2 Client Credentials, with tokens of another authorization server (auth.issuers)",
        (true, true) => "OAuth 2 Client Credentials",
        (false, true) => "OAuth 2 Bearer Token (a key), or OAuth 2 Client Credentials",
    }
}

fn user_attribute(rule: UserNameRule) -> &'static str {
    match rule {
        UserNameRule::Email => "Email Address",
        UserNameRule::Any => "Username",
    }
}

fn document(config: &Config) -> serde_json::Value {
    let key = |key: &ApiKeyConfig| json!({ "name": &*key.name, "expires": key.expires.map(|end| end.to_string()) });
    let keys: Vec<_> = config.auth.api_keys.iter().map(key).collect();
    json!({
        "scimBaseUrl": base_url(config),
        "usersResource": "/Users",
        "groupsResource": if config.mapping.groups_sync { "/Groups" } else { "" },
        "scimVersion": "2.0",
        "authenticationMethod": methods(config),
        "tokenEndpoint": token_endpoint(config),
        "clientIds": clients(config),
        "authTypeHeader": "Bearer",
        "apiKeys": keys,
        "userFilterExpression": "userName Eq \"%s\"",
        "userIdentifier": "userName",
        "attributeMapping": { "userName": user_attribute(config.mapping.user_name) },
    })
}

fn sheet(config: &Config) -> String {
    let groups = if config.mapping.groups_sync { "/Groups" } else { "(leave empty: groups.sync is off)" };
    let keys: Vec<String> = config
        .auth
        .api_keys
        .iter()
        .map(|key| match key.expires {
            Some(end) => format!("{} (until {})", key.name, end.strftime("%F")),
            None => key.name.to_string(),
        })
        .collect();
    let key = match keys.join(" or ") {
        none if none.is_empty() => "not used with client credentials".to_owned(),
        keys => format!("the key of {keys}, as `scimgate key new` printed it"),
    };
    let token_endpoint = token_endpoint(config);
    let clients = match clients(config).join(" or ") {
        none if none.is_empty() => "not used with an API key".to_owned(),
        clients => format!("{clients}, and the secret as `scimgate key new --client` printed it"),
    };
    let rows = [
        ("SCIM Base URL", base_url(config)),
        ("Users Resource", "/Users".to_owned()),
        ("Groups Resource", groups.to_owned()),
        ("SCIM Version", "2.0".to_owned()),
        ("Authentication Method", methods(config).to_owned()),
        ("OAuth Access Token", key),
        ("Auth Type Header", "Bearer".to_owned()),
        ("Token endpoint", token_endpoint.unwrap_or_else(|| "not used with an API key".to_owned())),
        ("Client ID and Secret", clients),
        ("User Filter Expression", "userName Eq \"%s\"".to_owned()),
        ("User Identifier", "userName".to_owned()),
        ("Attribute mapping", format!("{} -> userName", user_attribute(config.mapping.user_name))),
    ];
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = "For Ping Identity: Integrations > Provisioning > New Connection > SCIM Outbound\n\n".to_owned();
    // Writing to a String cannot fail.
    for (name, value) in rows {
        let _ = writeln!(out, "  {name:width$}  {value}");
    }
    out
}
