//! An authorization server of others, as far as one sees it who accepts its tokens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// By 500.
    Failing,
    /// Not at all.
    Silent,
}

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    health: Health,
    published: Vec<Jwk>,
    /// Paths that were asked for.
    asked: Vec<String>,
    /// Tokens that it was asked about.
    shown: Vec<String>,
    /// What it says of tokens that only it can read.
    opaque: HashMap<String, Value>,
}

/// A key that signs.
#[derive(Debug)]
pub(crate) struct SigningKey {
    id: String,
    key: EncodingKey,
}

impl SigningKey {
    /// A new one, of that name.
    pub(crate) fn new(id: &str) -> Self {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        Self { id: id.to_owned(), key: EncodingKey::from_ec_pem(pem.as_bytes()).unwrap() }
    }

    fn public(&self) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        jwk
    }

    /// Signs claims, naming this key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { typ: Some("at+jwt".to_owned()), kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

impl Issuer {
    pub(crate) async fn start(health: Health) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            url: url.clone(),
            health,
            published: Vec::new(),
            asked: Vec::new(),
            shown: Vec::new(),
            opaque: HashMap::new(),
        };
        let shared = Arc::new(Mutex::new(shared));
        let task = tokio::spawn(serve(listener, shared.clone()));
        Self { url, shared, task }
    }

    pub(crate) fn set(&self, health: Health) {
        self.shared.lock().unwrap().health = health;
    }

    /// Publishes these keys and no others.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        self.shared.lock().unwrap().published = keys.iter().map(|key| key.public()).collect();
    }

    /// What it says of a token from now on.
    pub(crate) fn says(&self, token: &str, answer: Value) {
        self.shared.lock().unwrap().opaque.insert(token.to_owned(), answer);
    }

    /// How often its keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.lock().unwrap().asked.iter().filter(|path| *path == "/keys").count()
    }

    /// The tokens it was asked about, in order.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.shared.lock().unwrap().shown.clone()
    }

    /// A client's claims, unless a test says otherwise.
    pub(crate) fn claims(&self, differing: &Value) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({ "iss": self.url, "aud": "scimgate", "sub": "ping", "client_id": "ping-foreign",
            "scope": "users:read", "iat": now, "exp": now + 600 });
        claims.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
        claims
    }

    /// The lines that have its tokens accepted.
    pub(crate) fn lines(&self, rest: &str) -> String {
        format!("[[auth.issuers]]\nissuer = \"{}\"\naudience = \"scimgate\"\n{rest}\n", self.url)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Mutex<Shared>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let authorized = request.headers().get("authorization").is_some_and(|value| value == "Basic c2NpbWdhdGU6cytw");
    let form = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let token = form_urlencoded::parse(&form).find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
    let health = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(path.clone());
        shared.shown.extend(token.clone());
        shared.health
    };
    let (status, body) = {
        let shared = shared.lock().unwrap();
        match path.as_str() {
            _ if health == Health::Failing => (500, json!({})),
            "/.well-known/openid-configuration" => {
                (200, json!({ "issuer": shared.url, "jwks_uri": format!("{}/keys", shared.url) }))
            }
            "/keys" => (200, serde_json::to_value(JwkSet { keys: shared.published.clone() }).unwrap()),
            "/introspect" if authorized => {
                let known = token.and_then(|token| shared.opaque.get(&token).cloned());
                (200, known.unwrap_or_else(|| json!({ "active": false })))
            }
            "/introspect" => (401, json!({})),
            _ => (404, json!({})),
        }
    };
    if health == Health::Silent {
        std::future::pending::<()>().await;
    }
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status.try_into().unwrap();
    Ok(answer)
}
