//! The console of the admin listener, as a browser without JavaScript meets it.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};

use crate::support::{Fixture, Gateway, GatewayOptions, KEY, program, user};

const ADMIN: &str = "scimgate_the-key-of-the-administrator";

/// Somebody at the console.
#[derive(Debug)]
struct Browser {
    base: String,
    http: reqwest::Client,
    cookies: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    text: String,
    location: String,
    headers: reqwest::header::HeaderMap,
}

impl Page {
    /// The token of its forms.
    fn token(&self) -> String {
        self.after("name=\"token\" value=\"")
    }

    /// What stands between these words and the next quotation mark or tag.
    fn after(&self, words: &str) -> String {
        let rest = self.text.split_once(words).unwrap_or_else(|| panic!("{words} is not in {}", self.text)).1;
        rest.split(['"', '<']).next().unwrap().to_owned()
    }
}

impl Browser {
    fn at(gateway: &Gateway) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { base: format!("http://{}", gateway.admin_address()), http, cookies: Vec::new() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.http.request(method, format!("{}{path}", self.base)).header(COOKIE, cookies.join("; "))
    }

    async fn keep(&mut self, answer: Response) -> Page {
        for line in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let location = answer.headers().get(LOCATION).map(|at| at.to_str().unwrap().to_owned()).unwrap_or_default();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Page { status, location, headers, text: answer.text().await.unwrap() }
    }

    async fn get(&mut self, path: &str) -> Page {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        self.keep(answer).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let answer = self.request(Method::POST, path).body(body).send().await.unwrap();
        self.keep(answer).await
    }

    async fn sign_in(&mut self, key: &str) -> Page {
        let token = self.get("/console/sign-in").await.token();
        self.post("/console/sign-in", &[("token", &token), ("key", key)]).await
    }

    async fn signed_in(gateway: &Gateway) -> (Self, String) {
        let mut browser = Self::at(gateway);
        let answer = browser.sign_in(ADMIN).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, "/console/provisioning"));
        let token = browser.get("/console/keys").await.token();
        (browser, token)
    }

    /// Makes a key; the key.
    async fn key(&mut self, token: &str, name: &str) -> String {
        let fields = [("token", token), ("name", name), ("scope", "users:write"), ("kind", "key"), ("expires", "")];
        assert_eq!(self.post("/console/keys", &fields).await.location, "/console/keys");
        self.get("/console/keys").await.after("<code id=\"made-secret\">")
    }
}

fn options() -> GatewayOptions {
    GatewayOptions::default().key("root", ADMIN, "scopes = [\"admin\"]").set("admin.state", "console.json")
}

#[tokio::test]
async fn only_an_administrator_signs_in_and_wrong_keys_are_limited() {
    let fixture = Fixture::with_gateway(options().set("limits.failures_per_minute", "3")).await;
    let mut browser = Browser::at(&fixture.gateway);
    for path in ["/console", "/console/provisioning", "/console/keys"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, "/console/sign-in"), "{path}");
    }
    assert_eq!(browser.sign_in(KEY).await.status, StatusCode::FORBIDDEN);

    let answer = browser.sign_in(ADMIN).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let set: Vec<&str> = answer.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect();
    let session = set.iter().find(|line| line.starts_with("scimgate_console=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/console", "Max-Age=14400"] {
        assert!(session.contains(attribute), "{session}");
    }
    let page = browser.get("/console/provisioning").await;
    assert!(page.status == StatusCode::OK && page.text.contains("Signed in as <strong>root</strong>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
    assert!(!page.text.contains(" style=") && !page.text.contains("<style") && !page.text.contains("onclick"));
    assert!(!page.text.contains(ADMIN));

    // Signed out, the cookie opens nothing.
    let kept = browser.cookies.clone();
    assert_eq!(browser.post("/console/sign-out", &[("token", &page.token())]).await.location, "/console/sign-in");
    browser.cookies = kept;
    assert_eq!(browser.get("/console/keys").await.location, "/console/sign-in");

    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(browser.sign_in("scimgate_wrong").await.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[4]), (403, 429));
}

#[tokio::test]
async fn other_sites_get_nothing_done() {
    let fixture = Fixture::with_gateway(options().set("admin.hosts", "[\"scim-admin.example.com\"]")).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    for (host, status) in [("evil.example", 421), ("localhost:1", 200), ("scim-admin.example.com", 200)] {
        let answer = browser.request(Method::GET, "/console/keys").header(HOST, host).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{host}");
    }
    let fields = |token: &str| format!("token={token}&name=thief&scope=admin");
    let base = browser.base.clone();
    for (name, value, token, status) in [
        ("origin", "http://evil.example", token.as_str(), 403),
        ("origin", "null", &token, 403),
        ("sec-fetch-site", "cross-site", &token, 403),
        ("sec-fetch-site", "same-site", &token, 403),
        ("origin", &base, "", 403),
        ("origin", &base, "wrong", 403),
        ("origin", &base, &token, 303),
    ] {
        let request = browser.request(Method::POST, "/console/keys").header(name, value).body(fields(token));
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{name}: {value}, {token}");
    }
    // Nobody signs in by another site's form either.
    let answer =
        browser.request(Method::POST, "/console/sign-in").header(ORIGIN, "http://evil.example").body("key=x").send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 403);
    assert_eq!(Browser::at(&fixture.gateway).post("/console/sign-in", &[("key", ADMIN)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.request(Method::DELETE, "/console/keys").send().await.unwrap().status().as_u16(), 405);
    let large = "x".repeat(300_000);
    assert_eq!(browser.post("/console/keys", &[("token", &token), ("name", &large)]).await.status.as_u16(), 413);
}

#[tokio::test]
async fn keys_work_once_they_are_made_and_no_longer_when_revoked() {
    let fixture = Fixture::with_gateway(options()).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    let key = browser.key(&token, "okta").await;
    let okta = fixture.gateway.client(&key);
    okta.post("/Users", user("jane")).await.expect(201);
    assert_eq!(okta.post("/Groups", serde_json::json!({ "displayName": "x" })).await.status, 403);

    // Shown once, kept as a hash.
    let page = browser.get("/console/keys").await;
    assert!(!page.text.contains(&key) && page.text.contains("from the configuration"));
    let file = fixture.gateway.beside("console.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&key) && text.contains("\"hash\": \"sha256:"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let mark = page.after("name=\"mark\" value=\"");
    browser.post("/console/keys/expire", &[("token", &token), ("mark", &mark), ("expires", "2020-01-01")]).await;
    assert_eq!(okta.get("/Users").await.status, 401);
    browser.post("/console/keys/expire", &[("token", &token), ("mark", &mark), ("expires", "2999-01-01")]).await;
    okta.get("/Users").await.expect(200);
    browser.post("/console/keys/revoke", &[("token", &token), ("mark", &mark)]).await;
    assert_eq!(okta.get("/Users").await.status, 401);
    fixture.scim.get("/Users").await.expect(200);

    for (name, expires) in [("pi ng", ""), ("", ""), ("x", "soon")] {
        browser.post("/console/keys", &[("token", &token), ("name", name), ("scope", "bulk"), ("expires", expires)]).await;
        assert!(browser.get("/console/keys").await.text.contains("Nothing has changed"), "{name}");
    }
}

#[tokio::test]
async fn an_administrator_whose_key_is_revoked_is_out() {
    let fixture = Fixture::with_gateway(options()).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    let fields = [("token", token.as_str()), ("name", "deputy"), ("scope", "admin"), ("kind", "key")];
    browser.post("/console/keys", &fields).await;
    let key = browser.get("/console/keys").await.after("<code id=\"made-secret\">");
    let mut deputy = Browser::at(&fixture.gateway);
    assert_eq!(deputy.sign_in(&key).await.status, StatusCode::SEE_OTHER);
    assert_eq!(deputy.get("/console/keys").await.status, StatusCode::OK);
    let mark = browser.get("/console/keys").await.after("name=\"mark\" value=\"");
    browser.post("/console/keys/revoke", &[("token", &token), ("mark", &mark)]).await;
    assert_eq!(deputy.get("/console/keys").await.location, "/console/sign-in");
}

#[tokio::test]
async fn switches_hold_at_once_after_their_effect_was_confirmed_and_after_a_restart() {
    let fixture = Fixture::with_gateway(options()).await;
    let Fixture { scim, gateway, .. } = &fixture;
    let (mut browser, token) = Browser::signed_in(gateway).await;
    scim.new_group("crew", &[&crate::support::id(&scim.post("/Users", user("jane")).await.expect(201))]).await;

    let on = [("token", token.as_str()), ("method", "header"), ("enabled", "on"), ("existing_users", "on")];
    let asked = browser.post("/console/provisioning", &on).await;
    for words in ["Turn on: Provision existing users", "Turn off: Sync SCIM groups", "its writes to groups are answered 403"] {
        assert!(asked.text.contains(words), "{words} is not in {}", asked.text);
    }
    assert_eq!(scim.get("/Groups").await.expect(200)["totalResults"], 1);
    let confirmed: Vec<(&str, &str)> = on.into_iter().chain([("confirmed", "on")]).collect();
    assert_eq!(browser.post("/console/provisioning", &confirmed).await.location, "/console/provisioning");
    assert!(browser.get("/console/provisioning").await.text.contains("Saved."));
    assert_eq!(scim.get("/Groups").await.expect(200)["totalResults"], 0);
    assert_eq!(scim.post("/Groups", serde_json::json!({ "displayName": "x" })).await.status, 403);

    let off = [("token", token.as_str()), ("existing_users", "on"), ("confirmed", "on")];
    browser.post("/console/provisioning", &off).await;
    let told = scim.get("/Users").await.error(403, "");
    assert!(told.contains("provisioning.enabled"), "{told}");
    assert_eq!(gateway.client("scimgate_wrong").get("/Users").await.status, 401);

    // Another process reads the same.
    let text = std::fs::read_to_string(gateway.beside("console.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept["version"], 1);
    assert_eq!(kept["provisioning"]["enabled"], false);
    let mut sheet = program();
    sheet.args(["settings", "--json", "--config"]).arg(gateway.file()).env("SCIMGATE__ADMIN__STATE", "console.json");
    let sheet = sheet.output().unwrap();
    let sheet: serde_json::Value = serde_json::from_slice(&sheet.stdout).unwrap();
    assert_eq!((&sheet["existingUsers"], &sheet["groupsResource"]), (&true.into(), &serde_json::json!("")));
}

#[tokio::test]
async fn what_the_configuration_sets_is_shown_and_stays() {
    let fixture = Fixture::with_gateway(options().set("groups.sync", "true")).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    let page = browser.get("/console/provisioning").await;
    assert!(page.text.contains("$SCIMGATE__GROUPS__SYNC") && page.text.contains("change it there"), "{}", page.text);
    let fields = [("token", token.as_str()), ("enabled", "on"), ("existing_users", "on"), ("confirmed", "on")];
    browser.post("/console/provisioning", &fields).await;
    let text = std::fs::read_to_string(fixture.gateway.beside("console.json")).unwrap();
    assert!(text.contains("\"existing_users\": true") && !text.contains("sync_groups"), "{text}");
    fixture.scim.get("/Groups").await.expect(200);
}

#[tokio::test]
async fn without_a_file_nothing_is_changed_and_the_reason_is_told() {
    let fixture = Fixture::with_gateway(GatewayOptions::default().key("root", ADMIN, "scopes = [\"admin\"]")).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    assert!(browser.get("/console/provisioning").await.text.contains("Set state = &quot;console.json&quot;"));
    browser.post("/console/keys", &[("token", &token), ("name", "x"), ("scope", "bulk")]).await;
    let page = browser.get("/console/keys").await;
    assert!(page.text.contains("Nothing has changed") && page.text.contains("names no file"), "{}", page.text);
}

#[tokio::test]
async fn a_broken_file_is_refused_with_its_place_and_changes_nothing_that_runs() {
    let fixture = Fixture::with_gateway(options().set("server.watch_files", "false")).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    let file = fixture.gateway.beside("console.json");
    std::fs::write(&file, "{\n  \"version\": 1,\n  \"keys\": 7\n}\n").unwrap();
    browser.post("/console/keys", &[("token", &token), ("name", "x"), ("scope", "bulk")]).await;
    let page = browser.get("/console/keys").await;
    assert!(page.text.contains("console.json:3:11") && page.text.contains("put a copy of it back"), "{}", page.text);
    fixture.scim.get("/Users").await.expect(200);
    let mut check = program();
    check.args(["check", "--offline", "--config"]).arg(fixture.gateway.file()).env("SCIMGATE__ADMIN__STATE", "console.json");
    let check = check.output().unwrap();
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(!check.status.success() && told.contains("admin.state") && told.contains("console.json:3:11"), "{told}");
}

#[tokio::test]
async fn a_change_that_cannot_be_served_by_is_taken_back() {
    let fixture = Fixture::with_gateway(options().set("server.watch_files", "false")).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    browser.key(&token, "good").await;
    let before = std::fs::read(fixture.gateway.beside("console.json")).unwrap();
    let text = std::fs::read_to_string(fixture.gateway.file()).unwrap();
    std::fs::write(fixture.gateway.file(), format!("{text}\n[nonsense]\n")).unwrap();
    browser.post("/console/keys", &[("token", &token), ("name", "x"), ("scope", "bulk")]).await;
    let page = browser.get("/console/keys").await;
    assert!(page.text.contains("Nothing has changed") && page.text.contains("nonsense"), "{}", page.text);
    assert_eq!(std::fs::read(fixture.gateway.beside("console.json")).unwrap(), before);
}

#[tokio::test]
async fn writes_are_told_as_they_come_without_an_audit_and_without_what_is_secret() {
    let fixture = Fixture::with_gateway(options().set("users.password", "store")).await;
    let (mut browser, _) = Browser::signed_in(&fixture.gateway).await;
    assert_eq!(Browser::at(&fixture.gateway).get("/console/activity/events").await.location, "/console/sign-in");
    let mut events = browser.request(Method::GET, "/console/activity/events?after=0").send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut body = user("jane");
    body["password"] = "correct horse <b>".into();
    body["displayName"] = "Jane <script>alert(1)</script>".into();
    fixture.scim.post("/Users", body).await.expect(201);
    let mut told = String::new();
    while !told.ends_with("\n\n") {
        told.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }
    for words in ["id: 1\n", "<strong>POST</strong> User", "ping", "201", "changetype: add", "&lt;script&gt;"] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    assert!(!told.contains("correct horse") && !told.contains("<script>"), "{told}");
    assert!(browser.get("/console/activity").await.text.contains("changetype: add"));

    // Only so many are told at once; who goes makes room.
    let mut others = Vec::new();
    for _ in 0..7 {
        let other = browser.request(Method::GET, "/console/activity/events?after=0").send().await.unwrap();
        assert_eq!(other.status(), StatusCode::OK);
        others.push(other);
    }
    let many = browser.request(Method::GET, "/console/activity/events").send().await.unwrap();
    assert_eq!(many.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_doctor_and_explain_answer_at_the_console() {
    let fixture = Fixture::with_gateway(options()).await;
    let (mut browser, token) = Browser::signed_in(&fixture.gateway).await;
    browser.post("/console/health/check", &[("token", &token)]).await;
    let page = browser.get("/console/health").await.text;
    assert!(page.contains("scimgate.toml is valid") && page.contains("taken here"), "{page}");
    assert!(browser.get("/console/limits").await.text.contains("<svg"));
    let before = fixture.directory.users().await.len();
    let asked = user("never").to_string();
    let fields = [("token", token.as_str()), ("method", "POST"), ("path", "/Users"), ("body", asked.as_str())];
    let page = browser.post("/console/explain", &fields).await.text;
    assert!(page.contains("would be done") && page.contains("dn: uid=never"), "{page}");
    assert_eq!(fixture.directory.users().await.len(), before);
    assert!(!browser.get("/console/activity").await.text.contains("never"));
}
