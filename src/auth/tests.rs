//! What nobody gave out opens nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::secret::Secret;

const KEY: &str = "scimgate_the-key-of-ping";

/// Everything that somebody can sign in with.
struct Door {
    authenticator: Authenticator,
    /// A token of ours, one of another issuer's, and one that only that issuer can read.
    tokens: [String; 3],
    certificate: ClientCertificate,
    _issuer: AbortOnDropHandle<()>,
}

/// An issuer that publishes a key and knows one token.
async fn issuer(key: jsonwebtoken::jwk::Jwk, opaque: &str) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let keys = json!({ "keys": [key] }).to_string();
    let wanted = format!("token={opaque}&");
    let known = json!({ "active": true, "aud": "scimgate", "client_id": "ping" }).to_string();
    let serving = async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (keys, wanted, known) = (keys.clone(), wanted.clone(), known.clone());
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let (keys, wanted, known) = (keys.clone(), wanted.clone(), known.clone());
                async move {
                    let asked = request.method() == "POST";
                    let form = request.into_body().collect().await.unwrap().to_bytes();
                    let about = form.starts_with(wanted.as_bytes());
                    let answer = if !asked {
                        keys
                    } else if about {
                        known
                    } else {
                        "{\"active\":false}".to_owned()
                    };
                    Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(answer))))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    };
    (address, AbortOnDropHandle::new(tokio::spawn(serving)))
}

async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let der = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
    let body = STANDARD.encode(der.as_ref());
    std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")).unwrap();
    let digest = Sha256::digest(KEY).into();
    let client = OAuthClientConfig { id: "ping".into(), digest, scopes: Scopes::all(), redirect_uris: Vec::new(), pkce: true };
    let config = OAuthConfig {
        issuer: "https://scim.example.com".to_owned(),
        signing_key: path,
        former_keys: Vec::new(),
        access_token_lifetime: Duration::from_hours(1),
        certificates: false,
        refresh_token_lifetime: Duration::from_hours(1),
        administrators: None,
        revocations: None,
        clients: vec![client],
    };
    let clock = Arc::new(SystemClock);
    let server = Arc::new(
        AuthorizationServer::new(config, "https://scim.example.com/scim/v2".to_owned(), None, clock.clone(), None).unwrap(),
    );
    let form = format!("grant_type=client_credentials&client_id=ping&client_secret={KEY}");
    let request = TokenRequest::parse(&HeaderMap::new(), form.as_bytes()).unwrap();
    let granted = server.grant(&request, None).await.unwrap().to_body();

    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let signing = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&signing, Algorithm::ES256).unwrap();
    let (address, serving) = issuer(public, "opaque-token").await;
    let foreign = format!("http://{address}");
    let claims = json!({ "iss": foreign, "aud": "scimgate", "client_id": "ping", "exp": clock.now().as_second() + 3600 });
    let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &signing).unwrap();
    let mut trusted = issuer::tests::config(&foreign);
    trusted.keys = KeySource::Keys(foreign.parse().unwrap());
    trusted.introspection = Some(IntrospectionConfig {
        endpoint: foreign.parse().unwrap(),
        client_id: "scimgate".to_owned(),
        client_secret: Secret::new("secret".to_owned()),
        cache: Duration::from_secs(30),
    });
    let issuers = Issuers::start(vec![trusted], &Arc::default()).unwrap();

    let shown = rcgen::generate_simple_self_signed(vec!["ping.example.com".to_owned()]).unwrap().cert;
    let certificate = ClientCertificate::from_der(shown.der()).unwrap();
    let rule = CertificateRule::Name("ping.example.com".parse().unwrap());
    let known = CertificateConfig { name: "ping".into(), rule, scopes: Scopes::all(), expires: None };
    let key = ApiKeyConfig { name: "ping".into(), digest, scopes: Scopes::all(), expires: None };
    let forms = HeaderForms { basic: true, words: vec!["oauth2".into()], bare: true };
    let config = AuthConfig { api_keys: vec![key], forms, certificates: vec![known], ..AuthConfig::default() };
    Door {
        authenticator: Authenticator::new(config, Some(server), issuers, clock),
        tokens: [granted["access_token"].as_str().unwrap().to_owned(), signed, "opaque-token".to_owned()],
        certificate,
        _issuer: serving,
    }
}

async fn identify(door: &Door, header: &[u8], certificate: Option<&ClientCertificate>) -> Result<Arc<str>, Rejection> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert(AUTHORIZATION, value);
    }
    door.authenticator.identify(&headers, certificate).await.map(|(principal, _)| principal.client)
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
    let door = runtime.block_on(door());
    let known = |header: &[u8]| runtime.block_on(identify(&door, header, None));
    let basic = STANDARD.encode(format!("ping:{KEY}"));
    let bearers = std::iter::once(KEY).chain(door.tokens.iter().map(String::as_str));
    let good: Vec<Vec<u8>> = bearers
        .flat_map(|token| ["Bearer ", "oauth2 ", ""].map(|word| format!("{word}{token}")))
        .chain([format!("Basic {basic}")])
        .map(String::into_bytes)
        .collect();
    for header in &good {
        assert_eq!(known(header).as_deref(), Ok("ping"), "{}", String::from_utf8_lossy(header));
    }
    let meanings: Vec<_> = good.iter().map(|header| meaning(header)).collect();
    let mut runner = TestRunner::new(Config { cases: 20_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&header(&good), |header| {
            let is_good = meanings.contains(&meaning(&header));
            // And none is answered by 503, for the issuer can be asked.
            prop_assert!(is_good || !matches!(known(&header), Ok(_) | Err(Rejection::Unavailable)));
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_certificate_stands_for_no_other_credential() {
    let door = door().await;
    let stranger = rcgen::generate_simple_self_signed(vec!["okta.example.com".to_owned()]).unwrap().cert;
    let stranger = ClientCertificate::from_der(stranger.der()).unwrap();
    let nobody = HeaderMap::new();
    let by = async |certificate| door.authenticator.identify(&nobody, certificate).await.map(|(found, _)| found.client);
    assert_eq!(by(Some(&door.certificate)).await.as_deref(), Ok("ping"));
    assert_eq!(by(Some(&stranger)).await, Err(Rejection::Missing));
    assert_eq!(by(None).await, Err(Rejection::Missing));
    // A wrong key is not made good by it.
    for wrong in ["Bearer x.y", "Bearer scimgate_x", "Basic eDp5", "Digest x", ""] {
        assert!(identify(&door, wrong.as_bytes(), Some(&door.certificate)).await.is_err(), "{wrong}");
    }
}
