//! `scimgate settings`: the sheet to paste into the identity provider.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::{load, print};
use crate::auth::ApiKeyConfig;
use crate::config::Config;
use crate::mapping::{OnDelete, UserNameRule};

pub(super) fn run(path: &Path, as_json: bool) -> ExitCode {
    let Some(config) = load(path) else { return ExitCode::from(1) };
    if as_json {
        print(&format!("{:#}\n", document(&config)));
    } else {
        print(&sheet(&config));
    }
    ExitCode::SUCCESS
}

/// Where a client sends an administrator to, if one does.
fn authorization_endpoint(config: &Config) -> Option<String> {
    let oauth = config.auth.oauth.as_ref().filter(|_| !clients(config, true).is_empty())?;
    Some(format!("{}/oauth2/authorize", oauth.issuer))
}

/// The clients of the authorization server: those that get a token by a person's consent, or those that get one for their secret.
fn clients(config: &Config, ask_people: bool) -> Vec<&str> {
    let clients = config.auth.oauth.iter().flat_map(|oauth| &oauth.clients);
    let with_addresses: Vec<&str> =
        clients.clone().filter(|client| !client.redirect_uris.is_empty()).map(|client| &*client.id).collect();
    let mut ids: Vec<&str> = clients.map(|client| &*client.id).filter(|id| with_addresses.contains(id) == ask_people).collect();
    ids.dedup();
    ids
}

/// How Ping may sign in: with a key that it sends, or with a token that it asks for.
fn methods(config: &Config) -> &'static str {
    match (config.auth.api_keys.is_empty(), !clients(config, false).is_empty()) {
        (false, false) => "OAuth 2 Bearer Token",
        (true, false) if !config.auth.issuers.is_empty() => {
            "OAuth 2 Client Credentials, with tokens of another authorization server (auth.issuers)"
        }
        (true, false) if !config.auth.certificates.is_empty() => "a client certificate (auth.certificates)",
        (true, false) => "OAuth 2 Bearer Token, with a key that is still to be made by `scimgate key new`",
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

/// What the provider's deletion comes to.
fn on_delete(config: &Config) -> &'static str {
    match config.mapping.on_delete {
        OnDelete::Delete => "Delete removes the entry",
        OnDelete::Disable => "Delete disables the entry and puts it out of sight",
        OnDelete::Recycle(_) => "Delete disables the entry and moves it away",
    }
}

/// The roles that users can be given.
fn roles(config: &Config) -> Vec<&str> {
    config.mapping.roles.iter().map(|role| role.name.as_str()).collect()
}

fn document(config: &Config) -> serde_json::Value {
    let key = |key: &ApiKeyConfig| json!({ "name": &*key.name, "expires": key.expires.map(|end| end.to_string()) });
    let keys: Vec<_> = config.auth.api_keys.iter().map(key).collect();
    json!({
        "scimBaseUrl": config.base_url(),
        "usersResource": "/Users",
        "groupsResource": if config.mapping.groups_sync { "/Groups" } else { "" },
        "scimVersion": "2.0",
        "authenticationMethod": methods(config),
        "tokenEndpoint": config.token_endpoint(),
        "clientIds": clients(config, false),
        "authorizationEndpoint": authorization_endpoint(config),
        "authorizationCodeClientIds": clients(config, true),
        "authTypeHeader": "Bearer",
        "apiKeys": keys,
        "userFilterExpression": "userName Eq \"%s\"",
        "userIdentifier": "userName",
        "existingUsers": config.mapping.existing_users,
        "onDelete": on_delete(config),
        "roles": roles(config),
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
    let token_endpoint = config.token_endpoint();
    let by_secret = match clients(config, false).join(" or ") {
        none if none.is_empty() => "not used with an API key".to_owned(),
        clients => format!("{clients}, and the secret as `scimgate key new --client` printed it"),
    };
    let existing = if config.mapping.existing_users { "found, and managed from the first write on" } else { "not found" };
    let mut rows = vec![
        ("SCIM Base URL", config.base_url()),
        ("Users Resource", "/Users".to_owned()),
        ("Groups Resource", groups.to_owned()),
        ("SCIM Version", "2.0".to_owned()),
        ("Authentication Method", methods(config).to_owned()),
        ("OAuth Access Token", key),
        ("Auth Type Header", "Bearer".to_owned()),
        ("OAuth Token Request", token_endpoint.unwrap_or_else(|| "not used with an API key".to_owned())),
        ("OAuth Client ID, Secret", by_secret),
        ("User Filter Expression", "userName Eq \"%s\"".to_owned()),
        ("User Identifier", "userName".to_owned()),
        ("Existing users", existing.to_owned()),
        ("Remove Action", format!("Disable, or Delete: {}", on_delete(config))),
        ("Attribute mapping", format!("{} -> userName", user_attribute(config.mapping.user_name))),
    ];
    if !config.mapping.roles.is_empty() {
        rows.push(("Roles", format!("{} -> roles", roles(config).join(", "))));
    }
    let mut out = "For Ping Identity: Integrations > Provisioning > New Connection > SCIM Outbound\n\n".to_owned();
    table(&mut out, &rows);
    out.push_str(&okta(config));
    out
}

/// What Okta asks for in its OAuth 2 mode, where there is a client for it.
fn okta(config: &Config) -> String {
    let Some((authorize, token)) = authorization_endpoint(config).zip(config.token_endpoint()) else { return String::new() };
    let clients = format!("{}, and the secret as `scimgate key new --client` printed it", clients(config, true).join(" or "));
    let mut out = "\nFor Okta: Provisioning > Integration, Authentication Mode OAuth 2\n\n".to_owned();
    table(
        &mut out,
        &[
            ("SCIM connector base URL", config.base_url()),
            ("Unique identifier field", "userName".to_owned()),
            ("Access token endpoint URI", token),
            ("Authorization endpoint URI", authorize),
            ("Client ID and Secret", clients),
        ],
    );
    out
}

fn table(out: &mut String, rows: &[(&str, String)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    // Writing to a String cannot fail.
    for (name, value) in rows {
        let _ = writeln!(out, "  {name:width$}  {value}");
    }
}
