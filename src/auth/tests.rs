//! What nobody gave out opens nothing.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::clock::SystemClock;

const KEY: &str = "scimgate_the-key-of-ping";

/// With a key, and an authorization server that has granted a token.
fn authenticator() -> (Authenticator, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
    let body = STANDARD.encode(der.as_ref());
    std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    let digest = Sha256::digest(KEY).into();
    let client = OAuthClientConfig { id: "ping".into(), digest, scopes: Scopes::all() };
    let config = OAuthConfig {
        issuer: "https://scim.example.com".to_owned(),
        signing_key: path,
        former_keys: Vec::new(),
        access_token_lifetime: Duration::from_hours(1),
        clients: vec![client],
    };
    let clock = Arc::new(SystemClock);
    let server =
        Arc::new(AuthorizationServer::new(config, "https://scim.example.com/scim/v2".to_owned(), clock.clone()).unwrap());
    let form = format!("grant_type=client_credentials&client_id=ping&client_secret={KEY}");
    let granted = server.grant(&TokenRequest::parse(&HeaderMap::new(), form.as_bytes()).unwrap()).unwrap().to_body();
    let key = ApiKeyConfig { name: "ping".into(), digest, scopes: Scopes::all(), expires: None };
    (Authenticator::new(vec![key], Some(server), clock), granted["access_token"].as_str().unwrap().to_owned())
}

fn identify(authenticator: &Authenticator, header: &[u8]) -> Result<Principal, Rejection> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert(AUTHORIZATION, value);
    }
    authenticator.identify(&headers)
}

/// A header made of a good one by another character, one more or one less, or of nothing at all.
fn header(good: &[String; 2]) -> impl Strategy<Value = Vec<u8>> {
    let changed = (prop::sample::select(good.to_vec()), any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    let changed = changed.prop_map(|(good, at, byte, how)| {
        let mut bytes = good.into_bytes();
        // Behind the name of the scheme, which has no case.
        let at = 7 + at.index(bytes.len() - 7);
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        bytes
    });
    let schemes = prop::sample::select(vec!["Bearer ", "bearer ", "Basic ", "Digest ", "", "Bearer eyJ"]);
    let made_up = (schemes, prop::collection::vec(any::<u8>(), 0..80));
    let made_up = made_up.prop_map(|(scheme, rest)| [scheme.as_bytes(), &rest].concat());
    let dotted = "Bearer [A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}".prop_map(String::into_bytes);
    prop_oneof![2 => changed, 1 => made_up, 1 => dotted]
}

#[test]
fn of_twenty_thousand_keys_and_tokens_none_is_accepted() {
    let (authenticator, token) = authenticator();
    let good = [format!("Bearer {KEY}"), format!("Bearer {token}")];
    for header in &good {
        assert_eq!(identify(&authenticator, header.as_bytes()).map(|found| found.client).as_deref(), Ok("ping"));
    }
    let mut runner = TestRunner::new(Config { cases: 20_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&header(&good), |header| {
            // Spaces around a token do not count.
            let is_good = good.iter().any(|good| header.get(7..).is_some_and(|rest| rest.trim_ascii() == &good.as_bytes()[7..]));
            prop_assert!(is_good || identify(&authenticator, &header).is_err());
            Ok(())
        })
        .unwrap();
}
