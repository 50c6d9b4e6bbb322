//! Access tokens for a client's secret, and what becomes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{Fixture, Gateway, GatewayOptions, user};

const ISSUER: &str = "https://scim.example.com";
const AUDIENCE: &str = "https://scim.example.com/scim/v2";
const SECRET: &str = "scimgate_secret of ping";

/// A folder with signing keys.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A new key of that name.
    fn make(&self, name: &str, kind: &[&str]) -> PathBuf {
        let path = self.0.path().join(name);
        let made = Command::new("openssl").args(["genpkey", "-out"]).arg(&path).arg("-algorithm").args(kind).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        path
    }

    fn ed25519(&self, name: &str) -> PathBuf {
        self.make(name, &["ed25519"])
    }
}

/// With an authorization server that signs with one key and accepts others.
fn granting(signing: &Path, former: &[&Path]) -> GatewayOptions {
    let hash = Sha256::digest(SECRET).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let former: Vec<String> = former.iter().map(|path| format!("{:?}", path.display().to_string())).collect();
    GatewayOptions::default().set("server.public_url", ISSUER).lines(&format!(
        "[auth.oauth]\nsigning_key = {:?}\nformer_keys = [{}]\n\
         [[auth.oauth.clients]]\nid = \"ping\"\nsecret_hash = \"sha256:{}\"\n\
         [[auth.oauth.clients]]\nid = \"ping\"\nsecret_hash = \"sha256:{hash}\"\n\
         [[auth.oauth.clients]]\nid = \"reader\"\nsecret_hash = \"sha256:{hash}\"\nscopes = [\"users:read\"]\n",
        signing.display().to_string(),
        former.join(", "),
        "0".repeat(64),
    ))
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

fn post(gateway: &Gateway, form: &[(&str, &str)]) -> RequestBuilder {
    let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http().post(format!("http://{}/oauth2/token", gateway.address()));
    request.header("content-type", "application/x-www-form-urlencoded").body(form)
}

async fn answer(request: RequestBuilder, status: u16) -> Value {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), status, "{answer:?}");
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.unwrap()
}

async fn token(gateway: &Gateway, client: &str, scope: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    let granted = answer(post(gateway, &form).basic_auth(client, Some("scimgate_secret+of+ping")), 200).await;
    granted["access_token"].as_str().unwrap().to_owned()
}

async fn get(gateway: &Gateway, path: &str) -> Value {
    answer(http().get(format!("http://{}{path}", gateway.address())), 200).await
}

/// What an access token says, unless a test says otherwise.
fn claims(differing: &Value) -> Value {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ping", "client_id": "ping", "scope": "users:write",
        "iat": now, "exp": now + 60, "jti": "0f3c9b52-5d4e-4b7a-9a8e-1d2c3b4a5968" });
    for (name, value) in differing.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn sign(key: &Path, typ: &str, claims: &Value) -> String {
    let pem = std::fs::read(key).unwrap();
    let signing = EncodingKey::from_ed_pem(&pem).unwrap();
    let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&signing, Algorithm::EdDSA).unwrap();
    let kid = public.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    let header = Header { typ: Some(typ.to_owned()), kid: Some(kid), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &signing).unwrap()
}

#[tokio::test]
async fn a_client_gets_a_token_for_its_secret_and_works_with_it() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &Fixture::with_gateway(granting(&keys.ed25519("a"), &[])).await;
    let form = [("grant_type", "client_credentials"), ("client_id", "ping"), ("client_secret", SECRET)];

    let granted = answer(post(gateway, &form), 200).await;

    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(granted["scope"], "users:write groups:write bulk");
    for token in [granted["access_token"].as_str().unwrap(), &token(gateway, "ping", "").await] {
        let scim = gateway.client(token);
        assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    }
    let scim = gateway.client(&token(gateway, "ping", "users:write,groups:read").await);
    let ana = scim.new_user("ana").await;
    scim.get(&format!("/Users/{ana}")).await.expect(200);
    scim.post("/Groups", json!({ "displayName": "staff" })).await.error(403, "");
    gateway.logged(|line| line["client"] == "ping" && line["route"] == "users").await;
    assert!(!gateway.log().iter().any(|line| line.to_string().contains("secret of")));
}

#[tokio::test]
async fn a_token_allows_what_its_client_may_do() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &Fixture::with_gateway(granting(&keys.ed25519("a"), &[])).await;

    let scim = gateway.client(&token(gateway, "reader", "users:read groups:write").await);

    scim.get("/Users").await.expect(200);
    scim.post("/Users", user("ana")).await.error(403, "");
    scim.get("/Groups").await.error(403, "");
    let form = [("grant_type", "client_credentials"), ("scope", "groups:write")];
    let refused = answer(post(gateway, &form).basic_auth("reader", Some("scimgate_secret+of+ping")), 400).await;
    assert_eq!(refused["error"], "invalid_scope");
}

#[tokio::test]
async fn who_asks_wrongly_gets_no_token_and_is_told_why() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &Fixture::with_gateway(granting(&keys.ed25519("a"), &[])).await;
    let grant = ("grant_type", "client_credentials");

    for (client, secret) in [("ping", "other"), ("nobody", SECRET), ("", ""), ("ping", "")] {
        let asked = post(gateway, &[grant]).basic_auth(client, Some(secret)).send().await.unwrap();
        assert_eq!(asked.headers()["www-authenticate"], "Basic realm=\"scimgate\", charset=\"UTF-8\"");
        assert_eq!(
            (asked.status().as_u16(), asked.json::<Value>().await.unwrap()["error"].clone()),
            (401, json!("invalid_client"))
        );
    }
    let by_form = [grant, ("client_id", "ping"), ("client_secret", "other")];
    assert_eq!(answer(post(gateway, &by_form), 401).await["error"], "invalid_client");
    let password = post(gateway, &[("grant_type", "password")]).basic_auth("ping", Some(SECRET));
    assert_eq!(answer(password, 400).await["error"], "unsupported_grant_type");
    let as_json = http().post(format!("http://{}/oauth2/token", gateway.address())).json(&json!({ "grant_type": "password" }));
    assert_eq!(answer(as_json, 400).await["error"], "invalid_request");
    let large = post(gateway, &[grant, ("scope", &"x".repeat(20_000))]);
    assert_eq!(answer(large, 400).await["error"], "invalid_request");
    gateway.client("").get("/../../oauth2/token").await.error(405, "");
}

#[tokio::test]
async fn what_there_is_to_know_of_the_server_is_published() {
    let keys = Keys::new();
    let elliptic = keys.make("ec", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let Fixture { gateway, .. } = &Fixture::with_gateway(granting(&elliptic, &[&keys.ed25519("a")])).await;

    let metadata = get(gateway, "/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["token_endpoint"], format!("{ISSUER}/oauth2/token"));
    assert_eq!(metadata["jwks_uri"], format!("{ISSUER}/oauth2/jwks"));
    let published = get(gateway, "/oauth2/jwks").await;
    let algorithms: Vec<&Value> = published["keys"].as_array().unwrap().iter().map(|key| &key["alg"]).collect();
    assert_eq!(algorithms, ["ES256", "EdDSA"]);
    assert!(published["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none() && key["use"] == "sig"));
    // Anybody can look at a token by the published keys.
    let token = token(gateway, "ping", "").await;
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::ES256, Some("at+jwt")));
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(published).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::ES256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("ping"), &json!("ping")));
    gateway.client(&token).get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_token_outlives_the_gateway_and_a_change_of_key() {
    let keys = Keys::new();
    let (old, new) = (keys.ed25519("old"), keys.ed25519("new"));
    let Fixture { gateway, directory, .. } = Fixture::with_gateway(granting(&old, &[])).await;
    let token = token(&gateway, "ping", "").await;
    drop(gateway);

    for (signing, former, status) in [(&old, vec![], 200), (&new, vec![&*old], 200), (&new, vec![], 401)] {
        let gateway = Gateway::before(&directory, granting(signing, &former)).await;
        gateway.ready().await;
        let answer = gateway.client(&token).get("/Users").await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    let keys = Keys::new();
    let (ours, other) = (keys.ed25519("a"), keys.ed25519("b"));
    let Fixture { gateway, .. } = &Fixture::with_gateway(granting(&ours, &[])).await;
    let refused = async |token: &str, what: &str| {
        let answer = gateway.client(token).get("/Users").await;
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{what}");
        assert_eq!(answer.status, 401, "{what}");
    };
    let good = sign(&ours, "at+jwt", &claims(&json!({})));
    gateway.client(&good).get("/Users").await.expect(200);

    refused(&sign(&other, "at+jwt", &claims(&json!({}))), "another key").await;
    for (what, differing) in [
        ("another issuer", json!({ "iss": "https://other.example.com" })),
        ("another audience", json!({ "aud": "https://scim.example.com" })),
        ("another client", json!({ "client_id": "nobody" })),
        ("ended", json!({ "exp": 1_700_000_000 })),
        ("not yet made", json!({ "iat": 4_000_000_000_i64 })),
        ("no end", json!({ "exp": null })),
    ] {
        refused(&sign(&ours, "at+jwt", &claims(&differing)), what).await;
    }
    refused(&sign(&ours, "JWT", &claims(&json!({}))), "an identity token").await;

    let parts: Vec<&str> = good.split('.').collect();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    let with = |alg: &str, signature: &str| {
        let mut header = header.clone();
        header["alg"] = alg.into();
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()), parts[1])
    };
    refused(&with("none", ""), "no signature").await;
    refused(&with("HS256", parts[2]), "another algorithm").await;
    // The public key, which anybody has, taken for a shared secret.
    let public = get(gateway, "/oauth2/jwks").await["keys"][0]["x"].as_str().unwrap().to_owned();
    let mut hmac = Header { typ: Some("at+jwt".to_owned()), kid: header["kid"].as_str().map(str::to_owned), ..Header::default() };
    hmac.alg = Algorithm::HS256;
    for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()] {
        let confused = jsonwebtoken::encode(&hmac, &claims(&json!({})), &EncodingKey::from_secret(&secret)).unwrap();
        refused(&confused, "the public key as a secret").await;
    }
    let wider = URL_SAFE_NO_PAD.encode(claims(&json!({ "scope": "users:write groups:write" })).to_string());
    refused(&format!("{}.{wider}.{}", parts[0], parts[2]), "other claims").await;
}

#[tokio::test]
async fn without_an_authorization_server_nothing_is_granted() {
    let Fixture { gateway, .. } = &Fixture::start().await;
    let asked = post(gateway, &[("grant_type", "client_credentials")]).send().await.unwrap();
    assert_eq!(asked.status().as_u16(), 404);
    assert!(asked.text().await.unwrap().contains("auth.oauth"));
}
