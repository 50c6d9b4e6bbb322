//! `[[auth.issuers]]`: other authorization servers whose tokens are accepted.

use super::load::{SECOND, client_name, scopes};
use super::reader::{Environment, Section};
use crate::auth::{
    ClientRule, IntrospectionConfig, IssuerConfig, IssuerUrl, KeySource, Scope, ScopeRule, Scopes, SigningAlgorithm,
};

/// `own`: the issuer of our own tokens.
pub(super) fn issuers(section: &mut Section<'_>, own: Option<&str>, environment: &Environment) -> Vec<IssuerConfig> {
    let place = section.place_of("issuers");
    let sections = section.sections("issuers");
    let found: Vec<IssuerConfig> = sections.into_iter().filter_map(|section| issuer(section, own, environment)).collect();
    if found.iter().filter(|issuer| issuer.introspection.is_some()).count() > 1 {
        let what = "introspection_endpoint is for one issuer only: nothing in such a token says whose it is, and asking others about it \
                    would give it away";
        section.note(place.as_ref(), "issuers", what);
    }
    found
}

fn issuer(mut section: Section<'_>, own: Option<&str>, environment: &Environment) -> Option<IssuerConfig> {
    let place = section.place_of("issuer");
    let name = section.required("issuer", "\"https://idp.example.com\"");
    let base = name.as_deref().and_then(|text| match text.parse::<IssuerUrl>() {
        Ok(url) => Some(url),
        Err(error) => {
            section.note(place.as_ref(), "issuer", error);
            None
        }
    });
    if name.is_some() && name.as_deref() == own {
        section.note(place.as_ref(), "issuer", "this is server.public_url: scimgate's own tokens need no entry here");
    }
    let audience = section.required("audience", "\"scimgate\"");
    let url = |text: &str| text.parse::<IssuerUrl>().map_err(|error| error.to_string());
    if section.place_of("jwks_uri").is_some() && section.place_of("discovery").is_some() {
        section.note(None, "discovery", "jwks_uri says already where the keys are: leave one of the two out");
    }
    let (jwks_uri, document) = (section.parsed("jwks_uri", url), section.parsed("discovery", url));
    let ca = section.path("ca");
    let algorithm = |text: &str| text.parse::<SigningAlgorithm>().map_err(|error| error.to_string());
    let algorithms = section.list("algorithms", algorithm).filter(|list| !list.is_empty());
    let leeway = section.duration("leeway", 60 * SECOND);
    if leeway > 600 * SECOND {
        section.note(None, "leeway", "this must be \"10m\" or less: set the clocks instead");
    }
    let refresh = section.duration("refresh", 900 * SECOND);
    let client = client(&mut section);
    let scopes = scope_rule(&mut section);
    let claims = section.texts("claims");
    let introspection = introspection(&mut section, environment);
    section.finish();
    let keys = jwks_uri.map(KeySource::Keys).or(document.map(KeySource::Document)).or(base.map(KeySource::WellKnown));
    Some(IssuerConfig {
        issuer: name?.into(),
        audience: audience?,
        keys: keys?,
        ca,
        algorithms: algorithms.unwrap_or_else(|| SigningAlgorithm::ALL.to_vec()),
        leeway,
        refresh,
        client,
        scopes,
        claims,
        introspection,
    })
}

fn client(section: &mut Section<'_>) -> ClientRule {
    if section.place_of("client").is_none() {
        return ClientRule::Claim(section.text("client_claim"));
    }
    if section.place_of("client_claim").is_some() {
        section.note(None, "client_claim", "client names one client for all tokens already: leave one of the two out");
        section.text("client_claim");
    }
    client_name(section, "client").map_or(ClientRule::Claim(None), |name| ClientRule::Fixed(name.into()))
}

/// A list of ours, or a table from theirs to ours.
fn scope_rule(section: &mut Section<'_>) -> ScopeRule {
    if !section.is_table("scopes") {
        return scopes(section).map_or(ScopeRule::Ours, ScopeRule::Fixed);
    }
    let mut table = Vec::new();
    for (foreign, words) in section.texts("scopes") {
        let words = words.split([' ', ',']).filter(|word| !word.is_empty());
        match words.map(str::parse::<Scope>).collect::<Result<Scopes, _>>() {
            Ok(scopes) => table.push((foreign, scopes)),
            Err(error) => section.note(None, &format!("scopes.{foreign}"), error),
        }
    }
    ScopeRule::Mapped(table)
}

fn introspection(section: &mut Section<'_>, environment: &Environment) -> Option<IntrospectionConfig> {
    let present = section.place_of("introspection_endpoint").is_some();
    let endpoint =
        section.parsed("introspection_endpoint", |text| text.parse().map_err(|error: crate::auth::InvalidUrl| error.to_string()));
    let client_id = section.text("client_id");
    let client_secret = section.secret(["client_secret", "client_secret_file", "client_secret_env"], environment);
    let cache = section.duration("introspection_cache", 30 * SECOND);
    if !present {
        if client_id.is_some() || client_secret.is_some() {
            section.note(None, "client_id", "this is for introspection_endpoint, which is missing");
        }
        return None;
    }
    if client_id.is_none() || client_secret.is_none() {
        let what = "the issuer answers only whom it knows: set client_id, and client_secret_file or client_secret_env";
        section.note(None, "introspection_endpoint", what);
    }
    Some(IntrospectionConfig { endpoint: endpoint?, client_id: client_id?, client_secret: client_secret?, cache })
}
