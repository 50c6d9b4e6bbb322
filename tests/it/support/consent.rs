//! A client that sends an administrator to the gateway, and the browser of that person.

use std::path::PathBuf;
use std::process::Command;

use reqwest::{Response, redirect};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{Directory, Fixture, Gateway, GatewayOptions, Slapd, SlapdOptions, USER_PASSWORD};

pub(crate) const ISSUER: &str = "https://scim.example.com";
pub(crate) const CALLBACK: &str = "https://client.example.com/callback?app=1";
pub(crate) const SECRET: &str = "scimgate_secret";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A client's view of a gateway, and the browser of somebody it sends there.
pub(crate) struct Flow<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) http: reqwest::Client,
}

/// A page that was shown: its form, and what the browser keeps.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) form: String,
    pub(crate) cookie: String,
}

pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made =
            Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(folder.path().join("key")).output();
        assert!(made.unwrap().status.success());
        Self(folder)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// With the administrators of OpenLDAP's tests.
    pub(crate) fn options(&self, more: &str) -> GatewayOptions {
        self.of_group("cn=admins,ou=groups,dc=example,dc=com", more)
    }

    /// With clients: `okta` does without PKCE, `modern` does not, `ping` asks nobody.
    pub(crate) fn of_group(&self, group: &str, more: &str) -> GatewayOptions {
        let hash = Sha256::digest(SECRET).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let client =
            |id: &str, more: &str| format!("[[auth.oauth.clients]]\nid = \"{id}\"\nsecret_hash = \"sha256:{hash}\"\n{more}\n");
        GatewayOptions::default().set("server.public_url", ISSUER).lines(&format!(
            "[auth.oauth]\nsigning_key = {:?}\nadministrators = \"{group}\"\n{more}\n{}{}{}",
            self.at("key").display().to_string(),
            client("okta", &format!("redirect_uris = [\"{CALLBACK}\"]\npkce = false\nscopes = [\"users:write\"]")),
            client("modern", "redirect_uris = [\"http://127.0.0.1:1/a\", \"http://127.0.0.1:1/b\"]"),
            client("ping", ""),
        ))
    }
}

/// Ana is an administrator, Bob is not; both have the same password.
pub(crate) async fn directory() -> Directory {
    let directory: Directory = Slapd::start(&SlapdOptions::default()).into();
    directory.add_users(["ana".to_owned(), "bob".to_owned()]).await;
    for name in ["ana", "bob"] {
        directory.set_password(&directory.user_dn(name)).await;
    }
    directory.add_group("admins", &["ana"]).await;
    directory
}

pub(crate) async fn started(keys: &Keys, more: &str) -> Fixture {
    Fixture::before(directory().await, keys.options(more)).await
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl<'a> Flow<'a> {
    pub(crate) fn new(gateway: &'a Gateway) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).redirect(redirect::Policy::none()).build().unwrap();
        Self { gateway, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.address())
    }

    pub(crate) async fn authorize(&self, parameters: &[(&str, &str)]) -> Response {
        self.http.get(self.url(&format!("/oauth2/authorize?{}", form(parameters)))).send().await.unwrap()
    }

    pub(crate) async fn page(&self, parameters: &[(&str, &str)]) -> Page {
        Page::of(self.authorize(parameters).await).await
    }

    pub(crate) async fn okta(&self) -> Page {
        self.page(&[("response_type", "code"), ("client_id", "okta"), ("state", "s &?é"), ("redirect_uri", CALLBACK)]).await
    }

    pub(crate) async fn send(&self, page: &Page, fields: &[(&str, &str)]) -> Response {
        let fields: Vec<_> = [("form", &*page.form)].into_iter().chain(fields.iter().copied()).collect();
        self.post_form("/oauth2/authorize", &fields).header("cookie", &page.cookie).send().await.unwrap()
    }

    /// Signs in and consents.
    pub(crate) async fn allow(&self, page: &Page, name: &str, password: &str) -> Response {
        self.send(page, &[("answer", "allow"), ("username", name), ("password", password)]).await
    }

    pub(crate) fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.http.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded").body(form(fields))
    }

    /// What a client is answered.
    pub(crate) async fn ask(&self, path: &str, client: &str, fields: &[(&str, &str)], status: u16) -> Value {
        let answer = self.post_form(path, fields).basic_auth(client, Some(SECRET)).send().await.unwrap();
        let headers = answer.headers().clone();
        let (found, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(found, status, "{text}");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(text.is_empty() || headers["pragma"] == "no-cache");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    pub(crate) async fn exchange(&self, code: &str, status: u16) -> Value {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.ask("/oauth2/token", "okta", &fields, status).await
    }

    pub(crate) async fn refresh(&self, token: &str, status: u16) -> Value {
        self.ask("/oauth2/token", "okta", &[("grant_type", "refresh_token"), ("refresh_token", token)], status).await
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str, status: u16) -> Value {
        self.ask("/oauth2/revoke", client, &[("token", token)], status).await
    }

    /// A code for Okta by Ana's consent.
    pub(crate) async fn code(&self) -> String {
        parameter(&self.allow(&self.okta().await, "ana@example.com", USER_PASSWORD).await, "code")
    }

    pub(crate) async fn works(&self, tokens: &Value) -> bool {
        let token = tokens["access_token"].as_str().unwrap();
        let answer = self.gateway.client(token).get("/Users").await;
        assert!(answer.status == 200 || answer.status == 401, "{}", answer.status);
        answer.status == 200
    }
}

impl Page {
    pub(crate) async fn of(answer: Response) -> Self {
        let headers = answer.headers();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        let cookie = header("set-cookie");
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let form =
            text.split_once("name=\"form\" value=\"").and_then(|(_, rest)| rest.split_once('"')).unwrap_or_default().0.to_owned();
        assert_eq!(cookie.is_empty(), form.is_empty());
        if !cookie.is_empty() {
            for word in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(cookie.contains(word), "{cookie}");
            }
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { status, text, form, cookie }
    }
}

#[track_caller]
pub(crate) fn location(answer: &Response) -> url::Url {
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("referrer-policy"), header("cache-control")), (Some("no-referrer"), Some("no-store")));
    let to = match answer.status().as_u16() {
        303 => header("location"),
        200 => header("refresh").and_then(|refresh| refresh.strip_prefix("0; url=")),
        other => panic!("{other}"),
    };
    to.expect("it leads nowhere").parse().unwrap()
}

#[track_caller]
pub(crate) fn parameter(answer: &Response, name: &str) -> String {
    let location = location(answer);
    let mut found = location.query_pairs().filter(|(key, _)| key == name);
    let value = found.next().unwrap_or_else(|| panic!("no {name} in {location}")).1.into_owned();
    assert!(found.next().is_none(), "{name} twice in {location}");
    value
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}
