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
use tokio::runtime::Runtime;

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
        certificates: false,
        clients: vec![client],
    };
    let clock = Arc::new(SystemClock);
    let server =
        Arc::new(AuthorizationServer::new(config, "https://scim.example.com/scim/v2".to_owned(), clock.clone()).unwrap());
    let form = format!("grant_type=client_credentials&client_id=ping&client_secret={KEY}");
    let granted = server.grant(&TokenRequest::parse(&HeaderMap::new(), form.as_bytes()).unwrap(), None).unwrap().to_body();
    let key = ApiKeyConfig { name: "ping".into(), digest, scopes: Scopes::all(), expires: None };
    let forms = HeaderForms { basic: true, words: vec!["oauth2".into()], bare: true };
    let config = AuthConfig { api_keys: vec![key], forms, ..AuthConfig::default() };
    (Authenticator::new(config, Some(server), Issuers::default(), clock), granted["access_token"].as_str().unwrap().to_owned())
}

fn identify(runtime: &Runtime, authenticator: &Authenticator, header: &[u8]) -> Result<Arc<str>, Rejection> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert(AUTHORIZATION, value);
    }
    runtime.block_on(authenticator.identify(&headers, None)).map(|(principal, _)| principal.client)
}

/// A header made of a good one by another character, one more or one less, or of nothing at all.
fn header(good: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> {
    let changed = (prop::sample::select(good.to_vec()), any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    let changed = changed.prop_map(|(mut bytes, at, byte, how)| {
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        bytes
    });
    let schemes = prop::sample::select(vec!["Bearer ", "bearer ", "Basic ", "oauth2 ", "Digest ", "", "Bearer eyJ"]);
    let made_up = (schemes, prop::collection::vec(any::<u8>(), 0..80));
    let made_up = made_up.prop_map(|(scheme, rest)| [scheme.as_bytes(), &rest].concat());
    let password = (".{0,20}", "[a-z_:-]{0,30}").prop_map(|(user, rest)| {
        let coded = STANDARD.encode(format!("{user}:{rest}"));
        format!("Basic {coded}").into_bytes()
    });
    let dotted = "(Bearer )?[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}".prop_map(String::into_bytes);
    prop_oneof![3 => changed, 1 => made_up, 1 => password, 1 => dotted]
}

/// What a header says, however its scheme is spelled and spaced.
fn meaning(header: &[u8]) -> (String, Vec<u8>) {
    let header = header.trim_ascii();
    let at = header.iter().position(|byte| *byte == b' ');
    let (word, rest) = at.map_or((&b""[..], header), |at| header.split_at(at));
    let word = match word.to_ascii_lowercase().as_slice() {
        b"basic" => "basic",
        b"" | b"bearer" | b"oauth2" => "",
        _ => "other",
    };
    (word.to_owned(), rest.trim_ascii().to_vec())
}

#[test]
fn of_twenty_thousand_credentials_none_is_accepted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (authenticator, token) = authenticator();
    let basic = STANDARD.encode(format!("ping:{KEY}"));
    let good: Vec<Vec<u8>> = ["Bearer ", "oauth2 ", ""]
        .iter()
        .flat_map(|word| [format!("{word}{KEY}"), format!("{word}{token}")])
        .chain([format!("Basic {basic}")])
        .map(String::into_bytes)
        .collect();
    for header in &good {
        assert_eq!(identify(&runtime, &authenticator, header).as_deref(), Ok("ping"));
    }
    let meanings: Vec<_> = good.iter().map(|header| meaning(header)).collect();
    let mut runner = TestRunner::new(Config { cases: 20_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&header(&good), |header| {
            let is_good = meanings.contains(&meaning(&header));
            prop_assert!(is_good || identify(&runtime, &authenticator, &header).is_err());
            Ok(())
        })
        .unwrap();
}
