//! A provisioning client. It looks at every answer, whatever the test is about: each must be what RFC 7644 says.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Certificate, Identity, Method, Request, RequestBuilder, Version, tls};
use serde_json::{Value, json};

use super::site::Domain;
use super::{group, id, user};

/// Which protocols the client speaks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tls<'a> {
    /// Nothing newer.
    pub(crate) newest: Option<tls::Version>,
    /// No HTTP/2.
    pub(crate) http1: bool,
    /// A certificate of its own, and the key to it.
    pub(crate) identity: Option<&'a str>,
}

/// A client with its key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    domain: Domain,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// Null if there is none.
    pub(crate) body: Value,
    what: String,
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {:#}", self.what, self.body);
        self.body
    }

    /// The `detail` of an error of this status and `scimType`, which may be empty.
    #[track_caller]
    pub(crate) fn error(self, status: u16, kind: &str) -> String {
        let what = self.what.clone();
        let body = self.expect(status);
        assert_eq!(body["scimType"].as_str().unwrap_or_default(), kind, "{what}: {body:#}");
        body["detail"].as_str().unwrap_or_default().to_owned()
    }

    /// A header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What holds of every answer.
    fn check(&self) {
        let Self { status, body, what, .. } = self;
        if matches!(status, 204 | 304) {
            assert!(body.is_null(), "{what}: {status} with a body");
            return;
        }
        assert_eq!(self.header("content-type"), "application/scim+json", "{what}: {status}");
        if *status >= 400 {
            assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{what}: {status}");
            assert_eq!(body["status"], status.to_string(), "{what}");
            assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {body:#}");
        }
        if matches!(status, 429 | 503) {
            let wait = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            assert!(wait.is_some_and(|wait| wait.parse::<u32>().is_ok()), "{what}: {status} with Retry-After {wait:?}");
        }
    }
}

impl Client {
    pub(crate) fn new(base: &str, key: &str, certificate: Option<&str>, tls: Tls<'_>) -> Self {
        // A second time it is there already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let trusted = certificate.map(|pem| Certificate::from_pem(pem.as_bytes()).unwrap());
        let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).timeout(Duration::from_mins(1));
        if let Some(newest) = tls.newest {
            builder = builder.tls_version_max(newest);
        }
        if let Some(pem) = tls.identity {
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).unwrap());
        }
        if tls.http1 {
            builder = builder.http1_only();
        }
        Self { http: builder.build().unwrap(), base: base.to_owned(), key: key.to_owned(), domain: Domain::default() }
    }

    /// The same client of a gateway where the domain of the tests has another name.
    pub(super) fn within(self, domain: Domain) -> Self {
        Self { domain, ..self }
    }

    /// A request below the SCIM base, signed.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.key.is_empty() { request } else { request.bearer_auth(&self.key) }
    }

    /// A request outside SCIM, not signed.
    pub(crate) fn outside(&self, method: Method, path: &str) -> RequestBuilder {
        let origin = self.base.strip_suffix("/scim/v2").unwrap_or(&self.base);
        self.http.request(method, format!("{origin}{path}"))
    }

    /// Sends a request as it is.
    pub(crate) async fn execute(&self, request: Request) -> reqwest::Response {
        self.http.execute(request).await.unwrap()
    }

    /// Sends a request; an error of the transport is the client's.
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let mut request = request.build()?;
        self.translate(&mut request);
        let what = format!("{} {}", request.method(), request.url());
        let head = request.method() == Method::HEAD;
        let answer = self.http.execute(request).await?;
        let (status, version, headers) = (answer.status().as_u16(), answer.version(), answer.headers().clone());
        let packed = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        let mut bytes = answer.bytes().await?.to_vec();
        if packed && !head {
            bytes = unpacked(&bytes);
        }
        let text = self.domain.inward(std::str::from_utf8(&bytes).unwrap());
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        let answer = Answer { status, version, headers, body, what };
        if !head {
            answer.check();
        }
        Ok(answer)
    }

    fn translate(&self, request: &mut Request) {
        let query = request.url().query().map(|query| self.domain.outward(query));
        request.url_mut().set_query(query.as_deref());
        // A body that is no text is sent as it is.
        if let Some(text) = request.body().and_then(Body::as_bytes).and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            let body = self.domain.outward(text);
            *request.body_mut() = Some(body.into());
        }
    }

    /// Sends a request that must be answered.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// A request with a body as it is.
    pub(crate) async fn send_bytes(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(scim_json(self.request(method, path), body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send_bytes(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send_bytes(Method::PUT, path, body.to_string()).await
    }

    /// PATCH with these operations.
    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.send_bytes(Method::PATCH, path, patch_body(&operations).to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// GET with parameters.
    pub(crate) async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.get(&format!("{path}?{query}")).await
    }

    /// The list of what a filter finds.
    pub(crate) async fn find(&self, path: &str, filter: &str) -> Value {
        self.query(path, &[("filter", filter)]).await.expect(200)
    }

    /// Makes a user of that name; returns its `id`.
    pub(crate) async fn new_user(&self, name: &str) -> String {
        id(&self.post("/Users", user(name)).await.expect(201))
    }

    /// Makes a group; returns its `id`.
    pub(crate) async fn new_group(&self, name: &str, members: &[&str]) -> String {
        id(&self.post("/Groups", group(name, members)).await.expect(201))
    }

    /// The ids of a group's members, in order of the alphabet.
    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{group}")).await.expect(200);
        let members = group["members"].as_array().unwrap_or_else(|| panic!("no members in {group:#}"));
        super::sorted(members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect())
    }

    /// Status and text of a page that is not SCIM.
    pub(super) async fn page(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The body of a PATCH.
pub(crate) fn patch_body(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// A body as it is, called SCIM.
pub(crate) fn scim_json(request: RequestBuilder, body: impl Into<Vec<u8>>) -> RequestBuilder {
    let name: HeaderName = CONTENT_TYPE;
    request.header(name, HeaderValue::from_static("application/scim+json")).body(body.into())
}
