//! What ends by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::*;
use crate::auth::Scopes;
use crate::clock::Clock;

const URI: &str = "https://client.example.com/";
const BROWSER: &str = "of the browser";

#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn server() -> (AuthorizationServer, Arc<Hand>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let body = STANDARD.encode(Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref());
    std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    let client = OAuthClientConfig {
        id: "okta".into(),
        digest: Sha256::digest("secret").into(),
        scopes: Scopes::all(),
        redirect_uris: vec![URI.to_owned()],
        pkce: false,
    };
    let config = OAuthConfig {
        issuer: "https://scim.example.com".to_owned(),
        signing_key: path,
        former_keys: Vec::new(),
        access_token_lifetime: Duration::from_hours(1),
        refresh_token_lifetime: Duration::from_hours(24),
        certificates: false,
        administrators: None,
        revocations: None,
        clients: vec![client],
    };
    let clock = Arc::new(Hand::default());
    (AuthorizationServer::new(config, "https://scim.example.com/scim/v2".to_owned(), None, clock.clone(), None).unwrap(), clock)
}

async fn ask(server: &AuthorizationServer, grant: &str) -> Result<Granted, OAuthError> {
    let form = format!("{grant}&client_id=okta&client_secret=secret");
    server.grant(&TokenRequest::parse(&HeaderMap::new(), form.as_bytes()).unwrap(), None).await
}

#[tokio::test]
async fn a_page_a_code_and_a_refresh_token_are_good_for_a_while() {
    let (server, clock) = server();
    let at = |second| clock.0.store(second, Ordering::Relaxed);
    let request = server.authorization_request("response_type=code&client_id=okta").unwrap();
    let form = server.sign_in_form(&request, BROWSER).unwrap();
    let code = || {
        let to = server.consented(&request, Person(Uuid::from_u128(1)));
        to.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    };
    let (in_time, late) = (code(), code());

    at(59);
    let exchange = |code: &str| format!("grant_type=authorization_code&code={code}");
    let granted = ask(&server, &exchange(&in_time)).await.unwrap().to_body();
    at(60);
    assert!(matches!(ask(&server, &exchange(&late)).await, Err(OAuthError::InvalidGrant(what)) if what.contains("has ended")));

    at(599);
    assert!(server.resume(&form, Some(BROWSER)).is_ok());
    at(600);
    assert!(matches!(server.resume(&form, Some(BROWSER)), Err(Unusable::Expired(_))));
    // Neither is told to another browser.
    assert!(matches!(server.resume(&form, Some("of another")), Err(Unusable::Foreign)));
    assert!(matches!(server.resume(&form, None), Err(Unusable::Foreign)));

    let refresh = format!("grant_type=refresh_token&refresh_token={}", granted["refresh_token"].as_str().unwrap());
    let refused = async || match ask(&server, &refresh).await {
        Err(OAuthError::InvalidGrant(what)) => what,
        other => panic!("{other:?}"),
    };
    at(59 + 86_399);
    assert!(refused().await.contains("not an active administrator"), "it is asked about the person");
    at(59 + 86_400);
    assert!(refused().await.contains("has ended"), "nobody is asked any more");
}
