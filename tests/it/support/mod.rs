//! What the tests stand on.

mod application;
mod certificate;
mod client;
mod collector;
pub(crate) mod consent;
mod directory;
mod gateway;
mod issuer;
mod link;
mod redis;
mod server;
mod site;
mod slapd;
mod vendor;

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use application::Application;
pub(crate) use certificate::{make as make_certificate, write_secret};
pub(crate) use client::{Answer, Client, Tls, patch_body};
pub(crate) use collector::Collector;
pub(crate) use directory::{Directory, Entry, USER_PASSWORD};
pub(crate) use gateway::{Gateway, GatewayOptions, KEY, program};
pub(crate) use issuer::{Health, Issuer, SigningKey};
pub(crate) use link::{Fault, Link, Message};
pub(crate) use redis::Redis;
pub(crate) use site::Site;
pub(crate) use slapd::{GROUPS, PEOPLE, Slapd, SlapdOptions, group_dn, group_ldif, user_dn};
pub(crate) use vendor::Vendor;

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// How long something that must happen may take on a busy machine. Nothing is concluded from it being short.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory, the gateway before it, and a client that may do everything.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) scim: Client,
    pub(crate) gateway: Gateway,
    pub(crate) directory: Directory,
}

impl Fixture {
    /// With everything as an administrator would first have it.
    pub(crate) async fn start() -> Self {
        Self::with_gateway(GatewayOptions::default()).await
    }

    /// With settings of the gateway: key and value.
    pub(crate) async fn set(settings: &[(&str, &str)]) -> Self {
        let options = settings.iter().fold(GatewayOptions::default(), |options, (key, value)| options.set(key, value));
        Self::with_gateway(options).await
    }

    pub(crate) async fn with_gateway(gateway: GatewayOptions) -> Self {
        Self::before(Directory::start().await, gateway).await
    }

    /// With a slapd of this kind; such a test runs on OpenLDAP only.
    pub(crate) async fn with_directory(directory: SlapdOptions) -> Self {
        Self::with(directory, GatewayOptions::default()).await
    }

    /// The same with settings of the gateway.
    pub(crate) async fn with(directory: SlapdOptions, gateway: GatewayOptions) -> Self {
        Self::before(Slapd::start(&directory).into(), gateway).await
    }

    /// Before this directory.
    pub(crate) async fn before(directory: Directory, gateway: GatewayOptions) -> Self {
        let gateway = Gateway::before(&directory, gateway).await;
        gateway.ready().await;
        Self { scim: gateway.client(KEY), gateway, directory }
    }
}

/// A user's body: `ana` is Ana, called `ana@example.com`.
pub(crate) fn user(name: &str) -> Value {
    let mut letters = name.chars();
    let given: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    json!({
        "schemas": [USER],
        "userName": format!("{name}@example.com"),
        "externalId": format!("x-{name}"),
        "name": { "givenName": given, "familyName": "Ruiz" },
        "displayName": format!("{given} Ruiz"),
        "emails": [{ "value": format!("{name}@example.com"), "type": "work", "primary": true }],
        "active": true,
    })
}

/// A group's body.
pub(crate) fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}

/// The `id` of a resource.
#[track_caller]
pub(crate) fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_else(|| panic!("no id in {resource:#}")).to_owned()
}

/// One attribute of every resource of a list, in the list's order.
pub(crate) fn each(list: &Value, attribute: &str) -> Vec<String> {
    let resources = list["Resources"].as_array().unwrap_or_else(|| panic!("no list: {list:#}"));
    resources.iter().map(|resource| resource[attribute].as_str().unwrap_or_default().to_owned()).collect()
}

/// The same, in order of the alphabet.
pub(crate) fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// Asks again until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, so: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
