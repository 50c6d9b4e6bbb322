//! Tokens by an administrator's consent: codes, refresh tokens, and what is revoked.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::consent::{
    CALLBACK, Flow, ISSUER, Keys, Page, SECRET, VERIFIER, directory, form, location, parameter, started, text,
};
use crate::support::{Directory, Fixture, Gateway, KEY, USER_PASSWORD, each};

#[tokio::test]
async fn an_administrator_lets_a_client_in_which_then_works_by_itself() {
    let keys = Keys::new();
    let Fixture { gateway, directory, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);

    let page = flow.okta().await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("<strong>okta</strong>") && page.text.contains("remove users") && !page.text.contains("groups</li>")
    );
    let answer = flow.allow(&page, " ANA@example.com ", USER_PASSWORD).await;

    let to = location(&answer);
    assert!(to.as_str().starts_with(&format!("{CALLBACK}&")), "{to}");
    assert_eq!((parameter(&answer, "state").as_str(), parameter(&answer, "iss").as_str()), ("s &?é", ISSUER));
    let tokens = flow.exchange(&parameter(&answer, "code"), 200).await;
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("users:write"))
    );
    assert!(flow.works(&tokens).await);
    gateway.client(text(&tokens, "access_token")).get("/Groups").await.error(403, "");

    let refreshed = flow.refresh(text(&tokens, "refresh_token"), 200).await;
    assert!(refreshed.get("refresh_token").is_none() && flow.works(&refreshed).await);
    assert_ne!(refreshed["access_token"], tokens["access_token"]);
    let narrower = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("scope", "users:read")];
    assert_eq!(flow.ask("/oauth2/token", "okta", &narrower, 200).await["scope"], "users:read");
    // Renamed, she is the same person.
    directory.rename(&directory.user_dn("ana"), "uid=anna@example.com").await;
    flow.refresh(text(&tokens, "refresh_token"), 200).await;
    // A refresh token is no access token.
    gateway.client(text(&tokens, "refresh_token")).get("/Users").await.error(401, "");
    let log = gateway.log().iter().map(Value::to_string).collect::<String>();
    assert!(log.contains("an administrator has signed in"));
    for secret in [USER_PASSWORD, text(&tokens, "refresh_token"), SECRET] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test]
async fn on_every_directory_an_administrator_consents_until_disabled() {
    let keys = Keys::new();
    let directory = Directory::start().await;
    directory.add_users(["ana".to_owned(), "bob".to_owned()]).await;
    for name in ["ana", "bob"] {
        directory.set_password(&directory.user_dn(name)).await;
    }
    directory.add_group("admins", &["ana"]).await;
    let gateway = Gateway::before(&directory, keys.of_group(&directory.group_dn("admins"), "")).await;
    gateway.ready().await;
    let flow = Flow::new(&gateway);
    let allow = async |name: &str, password: &str| {
        let name = directory.outward(&format!("{name}@example.com"));
        flow.allow(&flow.okta().await, &name, password).await
    };

    for (name, password) in [("ana", "guessed"), ("bob", USER_PASSWORD), ("nobody", USER_PASSWORD)] {
        assert_eq!(allow(name, password).await.status().as_u16(), 403, "{name}");
    }
    let tokens = flow.exchange(&parameter(&allow("ana", USER_PASSWORD).await, "code"), 200).await;
    assert!(flow.works(&tokens).await);
    let scim = gateway.client(KEY);
    let ana = each(&scim.find("/Users", "userName eq \"ana@example.com\"").await, "id").remove(0);
    for (active, status) in [(true, 200), (false, 400), (true, 200)] {
        let change = json!([{ "op": "replace", "path": "active", "value": active }]);
        scim.patch(&format!("/Users/{ana}"), change).await.expect(200);
        flow.refresh(text(&tokens, "refresh_token"), status).await;
        assert_eq!(allow("ana", USER_PASSWORD).await.status().as_u16(), if active { 200 } else { 403 });
    }
    scim.delete(&format!("/Users/{ana}")).await.expect(204);
    flow.refresh(text(&tokens, "refresh_token"), 400).await;
}

#[tokio::test]
async fn who_is_no_administrator_or_has_another_password_is_answered_alike() {
    let keys = Keys::new();
    let Fixture { gateway, directory, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let asked = async |name: &str, password: &str, status: u16| {
        let page = Page::of(flow.allow(&flow.okta().await, name, password).await).await;
        assert_eq!(page.status, status, "{name}");
        page.text.replace(&page.form, "")
    };

    let wrong = asked("ana@example.com", "guessed", 403).await;
    for (name, password) in
        [("bob@example.com", USER_PASSWORD), ("nobody@example.com", "guessed"), ("*", USER_PASSWORD), ("ana@example.com", "a\0b")]
    {
        assert_eq!(asked(name, password, 403).await, wrong, "{name}");
    }
    for (name, password) in [("ana@example.com", ""), ("", "x"), (" ", "x")] {
        assert!(asked(name, password, 400).await.contains("Enter both"));
    }
    // Ana's account is not one of those that a password opens, whatever is typed.
    directory.set(&directory.user_dn("ana"), "pwdAccountLockedTime", "000001010000Z").await;
    assert_eq!(asked("ana@example.com", USER_PASSWORD, 403).await, wrong);
    assert!(!gateway.log().iter().any(|line| line.to_string().contains("guessed")));
}

#[tokio::test]
async fn an_account_is_tried_a_few_times_and_then_left_alone() {
    let keys = Keys::new();
    let Fixture { gateway, directory, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let page = flow.okta().await;

    let statuses = futures_util::future::join_all((0..8).map(|_| flow.allow(&page, "ana@example.com", "guessed"))).await;
    let mut statuses: Vec<u16> = statuses.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [403, 403, 403, 403, 429, 429, 429, 429]);
    let right = flow.allow(&page, "ana@example.com", USER_PASSWORD).await;
    assert_eq!((right.status().as_u16(), &right.headers()["retry-after"]), (429, &"900".parse().unwrap()));
    // The directory has not locked her.
    assert!(directory.signs_in(&directory.user_dn("ana")).await);
    for _ in 0..5 {
        flow.allow(&page, "nobody", "guessed").await;
    }
    assert_eq!(flow.allow(&page, "Nobody", "guessed").await.status().as_u16(), 429);
}

#[tokio::test]
async fn groups_in_groups_count_where_they_are_switched_on() {
    let keys = Keys::new();
    let directory = directory().await;
    directory.add_group("inner", &["bob"]).await;
    directory.push(&directory.group_dn("admins"), "member", &directory.group_dn("inner")).await;
    for (nested, status) in [("false", 403), ("true", 200)] {
        let gateway = Gateway::before(&directory, keys.options("").set("groups.nested", nested)).await;
        gateway.ready().await;
        let flow = Flow::new(&gateway);
        assert_eq!(flow.allow(&flow.okta().await, "bob@example.com", USER_PASSWORD).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_of_anybody_goes_nowhere_or_back() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let code = ("response_type", "code");
    let okta = [code, ("client_id", "okta"), ("state", "1")];

    for parameters in [
        vec![code],
        vec![code, ("client_id", "nobody"), ("redirect_uri", CALLBACK)],
        vec![code, ("client_id", "ping"), ("redirect_uri", CALLBACK)],
        vec![code, ("client_id", "modern")],
        vec![code, ("client_id", "okta"), ("redirect_uri", "https://client.example.com/callback")],
        vec![code, ("client_id", "okta"), ("redirect_uri", "https://CLIENT.example.com/callback?app=1")],
        vec![code, ("client_id", "okta"), ("redirect_uri", "https://evil.example.com/\"><script>")],
        vec![code, ("client_id", "okta"), ("redirect_uri", CALLBACK), ("client_id", "okta")],
        vec![code, ("client_id", "okta"), ("padding", &"x".repeat(7000))],
    ] {
        let page = Page::of(flow.authorize(&parameters).await).await;
        assert_eq!((page.status, page.form.as_str()), (400, ""), "{parameters:?}");
        assert!(!page.text.contains("<script") && !page.text.contains("evil"));
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let modern = [code, ("client_id", "modern"), ("redirect_uri", "http://127.0.0.1:1/b")];
    for (base, more, error) in [
        (&okta[1..], vec![], "invalid_request"),
        (&okta[1..], vec![("response_type", "token")], "unsupported_response_type"),
        (&okta, vec![("scope", "groups:write")], "invalid_scope"),
        (&okta, vec![("response_mode", "fragment")], "invalid_request"),
        (&okta, vec![("request", "x")], "request_not_supported"),
        (&okta, vec![("code_challenge", &*challenge)], "invalid_request"),
        (&okta, vec![("code_challenge", &*challenge), ("code_challenge_method", "plain")], "invalid_request"),
        (&okta, vec![("code_challenge", "short"), ("code_challenge_method", "S256")], "invalid_request"),
        (&modern, vec![], "invalid_request"),
    ] {
        let parameters: Vec<_> = base.iter().chain(&more).copied().collect();
        let answer = flow.authorize(&parameters).await;
        assert_eq!(parameter(&answer, "error"), error, "{parameters:?}");
        assert_eq!(parameter(&answer, "iss"), ISSUER);
        let state = location(&answer).query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        assert_eq!(state.as_deref(), base.contains(&("state", "1")).then_some("1"));
    }
    let denied = flow.send(&flow.okta().await, &[("answer", "deny")]).await;
    assert_eq!((parameter(&denied, "error"), parameter(&denied, "state")), ("access_denied".to_owned(), "s &?é".to_owned()));
}

#[tokio::test]
async fn a_form_is_taken_from_the_browser_it_was_shown_in() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let (page, other) = (flow.okta().await, flow.okta().await);
    let fields = [("answer", "allow"), ("username", "ana@example.com"), ("password", USER_PASSWORD)];
    let send = |form: &str, cookie: &str| {
        let fields: Vec<_> = [("form", form)].into_iter().chain(fields).collect();
        flow.post_form("/oauth2/authorize", &fields).header("cookie", cookie)
    };

    for (form, cookie) in
        [(&*page.form, ""), (&*page.form, &*other.cookie), (&*flow.code().await, &*page.cookie), ("", &*page.cookie)]
    {
        let refused = Page::of(send(form, cookie).send().await.unwrap()).await;
        assert_eq!((refused.status, refused.form.as_str()), (400, ""));
    }
    let from_elsewhere = send(&page.form, &page.cookie).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(from_elsewhere.status().as_u16(), 403);
    // Two windows of one browser both work.
    let second =
        flow.http.get(flow.url(&format!("/oauth2/authorize?{}", form(&[("response_type", "code"), ("client_id", "okta")]))));
    let second = Page::of(second.header("cookie", &page.cookie).send().await.unwrap()).await;
    assert_eq!(second.cookie, page.cookie);
    for page in [page, second] {
        assert!(!parameter(&flow.send(&page, &fields).await, "code").is_empty());
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_its_address_and_its_verifier() {
    let keys = Keys::new();
    let Fixture { gateway, directory, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let uri = ("redirect_uri", "http://127.0.0.1:1/b");
    let modern = async || {
        let asked = [
            ("response_type", "code"),
            ("client_id", "modern"),
            uri,
            ("code_challenge", &*challenge),
            ("code_challenge_method", "S256"),
        ];
        parameter(&flow.allow(&flow.page(&asked).await, "ana@example.com", USER_PASSWORD).await, "code")
    };
    let ask = async |client: &str, code: &str, more: &[(&str, &str)], status: u16| {
        let fields: Vec<_> =
            [("grant_type", "authorization_code"), ("code", code)].into_iter().chain(more.iter().copied()).collect();
        flow.ask("/oauth2/token", client, &fields, status).await
    };
    let verifier = ("code_verifier", VERIFIER);

    // Another replica takes the code as well.
    let replica = Gateway::before(directory, keys.options("")).await;
    replica.ready().await;
    let fields = [("grant_type", "authorization_code"), ("code", &*modern().await), uri, verifier];
    assert_eq!(Flow::new(&replica).ask("/oauth2/token", "modern", &fields, 200).await["scope"], "users:write groups:write bulk");

    for more in [
        vec![uri],
        vec![verifier],
        vec![uri, ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx")],
        vec![("redirect_uri", "http://127.0.0.1:1/a"), verifier],
    ] {
        let code = modern().await;
        assert_eq!(ask("modern", &code, &more, 400).await["error"], "invalid_grant", "{more:?}");
    }
    let code = modern().await;
    assert_eq!(ask("okta", &code, &[uri, verifier], 400).await["error"], "invalid_grant");
    let tokens = ask("modern", &code, &[uri, verifier], 200).await;
    assert!(flow.works(&tokens).await);
    // PKCE that nobody began with.
    let plain = flow.code().await;
    assert_eq!(ask("okta", &plain, &[("redirect_uri", CALLBACK), verifier], 400).await["error"], "invalid_grant");
    // Used again, it takes with it what it gave.
    assert_eq!(ask("modern", &code, &[uri, verifier], 400).await["error"], "invalid_grant");
    assert!(!flow.works(&tokens).await);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    assert_eq!(flow.ask("/oauth2/token", "modern", &refresh, 400).await["error"], "invalid_grant");

    for (client, fields) in [
        ("okta", [("grant_type", "client_credentials"), ("scope", "")]),
        ("ping", [("grant_type", "refresh_token"), ("refresh_token", "x")]),
    ] {
        assert_eq!(flow.ask("/oauth2/token", client, &fields, 400).await["error"], "unauthorized_client");
    }
}

#[tokio::test]
async fn a_secret_does_not_stand_for_the_consent_of_a_person() {
    let keys = Keys::new();
    let directory = directory().await;
    let gateway = Gateway::before(&directory, keys.options("").set("auth.basic", "true")).await;
    gateway.ready().await;
    let flow = Flow::new(&gateway);
    for (client, status) in [("ping", 200), ("okta", 401)] {
        let asked = flow.http.get(flow.url("/scim/v2/Users")).basic_auth(client, Some(SECRET)).send().await.unwrap();
        assert_eq!(asked.status().as_u16(), status, "{client}");
    }
}

#[tokio::test]
async fn a_refresh_asks_whether_the_person_still_is_an_administrator() {
    let keys = Keys::new();
    let Fixture { gateway, directory, .. } = &mut started(&keys, "").await;
    let flow = Flow::new(gateway);
    let tokens = flow.exchange(&flow.code().await, 200).await;
    let refresh = text(&tokens, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(flow.ask("/oauth2/token", "modern", &fields, 400).await["error"], "invalid_grant");
    assert_eq!(flow.refresh(&format!("{refresh}A"), 400).await["error"], "invalid_grant");

    let ana = directory.user_dn("ana");
    directory.set(&ana, "pwdAccountLockedTime", "000001010000Z").await;
    assert_eq!(flow.refresh(refresh, 400).await["error"], "invalid_grant");
    directory.set(&ana, "userPassword", "another").await;
    flow.refresh(refresh, 200).await;
    directory.set(&directory.group_dn("admins"), "member", &directory.user_dn("bob")).await;
    assert_eq!(flow.refresh(refresh, 400).await["error"], "invalid_grant");
    directory.push(&directory.group_dn("admins"), "member", &ana).await;
    directory.kill();
    assert_eq!(flow.refresh(refresh, 503).await["error"], "temporarily_unavailable");
    directory.restart();
    gateway.ready().await;
    flow.refresh(refresh, 200).await;
    // Another person of the same name is another person.
    directory.remove(&ana).await;
    directory.add_users(["ana".to_owned()]).await;
    directory.push(&directory.group_dn("admins"), "member", &ana).await;
    assert_eq!(flow.refresh(refresh, 400).await["error"], "invalid_grant");
}

#[tokio::test]
async fn what_is_revoked_stays_so_and_every_gateway_hears_of_it() {
    let keys = Keys::new();
    let file = format!("revocations = {:?}", keys.at("revoked"));
    let Fixture { gateway, directory, .. } = &started(&keys, &file).await;
    let flow = Flow::new(gateway);
    let (first, second) = (flow.exchange(&flow.code().await, 200).await, flow.exchange(&flow.code().await, 200).await);
    let replica = Gateway::before(directory, keys.options(&file)).await;
    replica.ready().await;
    let elsewhere = Flow::new(&replica);

    // Nothing to revoke, and another client's.
    flow.revoke("okta", "made up", 200).await;
    assert_eq!(flow.revoke("ping", text(&first, "refresh_token"), 400).await["error"], "invalid_grant");
    assert_eq!(flow.revoke("ping", text(&first, "access_token"), 400).await["error"], "invalid_grant");
    assert!(flow.works(&first).await);
    let nobody = flow.post_form("/oauth2/revoke", &[("token", "x")]).basic_auth("okta", Some("x")).send().await.unwrap();
    assert_eq!(nobody.status().as_u16(), 401);

    // An access token alone; the refresh token brings another.
    flow.revoke("okta", text(&first, "access_token"), 200).await;
    assert!(!flow.works(&first).await);
    let again = flow.refresh(text(&first, "refresh_token"), 200).await;
    assert!(flow.works(&again).await);
    // The refresh token, with what came of it.
    flow.revoke("okta", text(&first, "refresh_token"), 200).await;
    assert_eq!(flow.refresh(text(&first, "refresh_token"), 400).await["error"], "invalid_grant");
    assert!(!flow.works(&again).await && flow.works(&second).await);
    crate::support::until("the replica has read it", async || !elsewhere.works(&again).await).await;
    assert!(!elsewhere.works(&first).await && elsewhere.works(&second).await);

    let later = Gateway::before(directory, keys.options(&file)).await;
    later.ready().await;
    assert!(!Flow::new(&later).works(&again).await && Flow::new(&later).works(&second).await);
    is_secret(&keys.at("revoked"));
}

fn is_secret(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn all_of_it_is_published() {
    let keys = Keys::new();
    let Fixture { gateway, .. } = &started(&keys, "").await;
    let flow = Flow::new(gateway);
    let published = flow.http.get(flow.url("/.well-known/oauth-authorization-server")).send().await.unwrap();
    let published: Value = published.json().await.unwrap();
    for (name, value) in [
        ("authorization_endpoint", json!(format!("{ISSUER}/oauth2/authorize"))),
        ("revocation_endpoint", json!(format!("{ISSUER}/oauth2/revoke"))),
        ("grant_types_supported", json!(["client_credentials", "authorization_code", "refresh_token"])),
        ("response_types_supported", json!(["code"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
    ] {
        assert_eq!(published[name], value, "{name}");
    }
}
