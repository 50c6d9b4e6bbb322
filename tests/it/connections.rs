//! The ways to the directory.

use serde_json::json;

use crate::support::{Fixture, Gateway, GatewayOptions, KEY, Slapd, SlapdOptions, each, until, user};

fn with_tls() -> SlapdOptions {
    SlapdOptions { tls: true, ..SlapdOptions::default() }
}

async fn works(gateway: &Gateway) {
    gateway.ready().await;
    gateway.client(KEY).post("/Users", user("ana")).await.expect(201);
}

#[tokio::test]
async fn over_tls_the_directory_proves_who_it_is() {
    let slapd = Slapd::start(&with_tls());
    let trusting = GatewayOptions::default().set("directory.ca", &slapd.certificate());

    works(&Gateway::start(trusting, &slapd.tls_url()).await).await;
}

#[tokio::test]
async fn a_plain_connection_can_be_made_safe_first() {
    let slapd = Slapd::start(&with_tls());
    let safe = GatewayOptions::default().set("directory.starttls", "true");

    works(&Gateway::start(safe.set("directory.ca", &slapd.certificate()), &slapd.url()).await).await;
}

#[tokio::test]
async fn through_a_socket_no_password_is_needed() {
    let slapd = Slapd::start(&SlapdOptions::default());

    works(&Gateway::start(GatewayOptions::default().external(), &slapd.socket_url()).await).await;
}

#[tokio::test]
async fn the_first_server_that_answers_is_used() {
    let of = |name: &str| SlapdOptions::with_users([name.to_owned()]);
    let (mut first, second) = (Slapd::start(&of("first")), Slapd::start(&of("second")));
    let urls = format!("{}, {}", first.url(), second.url());
    let gateway = Gateway::start(GatewayOptions::default().set("directory.urls", &urls), &first.url()).await;
    gateway.ready().await;
    let scim = gateway.client(KEY);
    let knows = async |name: &str| {
        let answer = scim.query("/Users", &[("filter", &format!("userName eq \"{name}@example.com\""))]).await;
        answer.status == 200 && answer.body["totalResults"] == 1
    };
    assert!(knows("first").await && !knows("second").await);

    first.kill();

    until("the second is asked", async || knows("second").await).await;
}

#[tokio::test]
async fn an_account_with_few_rights_is_told_apart_from_a_wrong_request() {
    let account = "\
dn: cn=reader,ou=services,dc=example,dc=com
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: reader
userPassword: reads

";
    // slapd gives an account 500 entries unless it is told otherwise.
    let mut directory = SlapdOptions::with_users((0..501).map(|n| format!("u{n:03}")));
    directory.entries.push_str(account);
    let options = GatewayOptions::default()
        .set("directory.bind_dn", "cn=reader,ou=services,dc=example,dc=com")
        .set("directory.bind_password", "reads");
    let Fixture { scim, gateway, .. } = &Fixture::with(directory, options).await;

    let detail = scim.get("/Users").await.error(400, "tooMany");
    assert!(detail.contains("size limit"), "{detail}");
    let found = scim.find("/Users", "userName eq \"u007@example.com\"").await;
    assert_eq!(found["totalResults"], 1);
    let path = format!("/Users/{}", each(&found, "id")[0]);
    scim.post("/Users", user("ana")).await.error(500, "");
    scim.delete(&path).await.error(500, "");
    let title = json!([{ "op": "replace", "path": "title", "value": "x" }]);
    let detail = scim.patch(&path, title).await.error(500, "");
    assert!(detail.contains("scimgate's account"), "{detail}");
    gateway.logged(|line| line["level"] == "ERROR" && line["message"].to_string().contains("refuses this")).await;
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_the_administrators_matter() {
    let Fixture { scim, .. } = &Fixture::set(&[("users.base", "ou=nobody,dc=example,dc=com")]).await;

    assert_eq!(scim.get("/Users").await.expect(200)["totalResults"], 0);
    let detail = scim.post("/Users", user("ana")).await.error(500, "");
    assert!(detail.contains("scimgate check"), "{detail}");
}
