//! How the gateway signs in to the directory, and what it says when it is not let in.

use crate::support::{
    Directory, Fault, Gateway, GatewayOptions, KEY, Link, Message, Slapd, SlapdOptions, make_certificate, program, until, user,
};

const ACCOUNT: &str = "cn=scimgate,ou=services,dc=example,dc=com";
const POLICY: &str = "cn=default,ou=policies,dc=example,dc=com";

/// Whether the gateway is not ready and says all of this of the reason, and the check says it too.
async fn is_told(gateway: &Gateway, variables: &[(&str, &str)], reason: &[&str]) {
    until(&format!("the reason is told: {reason:?}"), async || {
        let (status, text) = gateway.admin("/readyz").await;
        status == 503 && reason.iter().all(|part| text.contains(part))
    })
    .await;
    gateway.client(KEY).get("/Users").await.error(503, "");
    let mut check = program();
    check.args(["check", "--config"]).arg(gateway.file()).envs(variables.iter().copied());
    // Lines of the tests' own are carried meanwhile.
    let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(reason.iter().all(|part| text.contains(part)), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_over_and_over() {
    let slapd = Slapd::start(&SlapdOptions::default());
    let link = Link::to(&slapd.url()).await;
    let wrong = GatewayOptions::default().set("directory.bind_password", "guessed");
    let gateway = Gateway::start(wrong, &link.url()).await;

    let variables = [("SCIMGATE__DIRECTORY__BIND_PASSWORD", "guessed")];
    is_told(&gateway, &variables, &["invalidCredentials", ACCOUNT, "directory.bind_password"]).await;

    // Four connections were to be made, and requests came in: one attempt, and another one by the check, which does not wait.
    assert_eq!(link.count(Message::Bind), 2);
    let told = gateway.logged(|line| line["level"] == "ERROR").await;
    assert!(told["message"].as_str().unwrap().contains("tried again"), "{told}");
}

#[tokio::test]
async fn an_account_that_the_policy_stops_is_told_with_what_to_do() {
    let slapd: Directory = Slapd::start(&SlapdOptions::default()).into();
    let kept_out = async |reason: &str| {
        let gateway = Gateway::before(&slapd, GatewayOptions::default()).await;
        is_told(&gateway, &[], &[ACCOUNT, reason]).await;
    };

    slapd.set(POLICY, "pwdMustChange", "TRUE").await;
    slapd.set(ACCOUNT, "pwdReset", "TRUE").await;
    kept_out("must be changed").await;
    slapd.set(POLICY, "pwdMustChange", "FALSE").await;
    slapd.set(ACCOUNT, "pwdReset", "FALSE").await;

    slapd.set(ACCOUNT, "pwdAccountLockedTime", "000001010000Z").await;
    kept_out("unlock it").await;
    slapd.set(ACCOUNT, "userPassword", "of the gateway").await;

    slapd.set(POLICY, "pwdMaxAge", "1").await;
    until("the password expires", async || !slapd.signs_in_by(ACCOUNT, "of the gateway").await).await;
    kept_out("has expired").await;
}

#[tokio::test]
async fn a_password_that_is_taken_for_the_last_times_is_told() {
    let slapd: Directory = Slapd::start(&SlapdOptions::default()).into();
    let gateway = Gateway::before(&slapd, GatewayOptions::default()).await;
    gateway.ready().await;
    let checked = || {
        let output = program().args(["check", "--config"]).arg(gateway.file()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    slapd.set(ACCOUNT, "userPassword", "of the gateway").await;

    // A hundred days long, and told from the first on.
    slapd.set(POLICY, "pwdMaxAge", "8640000").await;
    slapd.set(POLICY, "pwdExpireWarning", "9000000").await;
    let text = checked();
    assert!(text.contains("expires in ") && text.contains(" days") && text.contains("directory.bind_password"), "{text}");

    slapd.set(POLICY, "pwdGraceAuthnLimit", "100").await;
    slapd.set(POLICY, "pwdExpireWarning", "0").await;
    slapd.set(POLICY, "pwdMaxAge", "1").await;
    until("the password expires", async || checked().contains("has expired, and ")).await;
    assert!(checked().contains("more times it is taken"));
}

#[tokio::test]
async fn a_client_certificate_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let clients = Some(make_certificate(folder.path()));
    let slapd = Slapd::start(&SlapdOptions { tls: true, clients, ..SlapdOptions::default() });
    let at = |name: &str| folder.path().join(name).display().to_string();
    let showing = || {
        GatewayOptions::default()
            .external()
            .set("directory.ca", &slapd.certificate())
            .set("directory.client_certificate", &at("tls.crt"))
            .set("directory.client_private_key", &at("tls.key"))
    };

    let gateway = Gateway::start(showing(), &slapd.tls_url()).await;
    gateway.ready().await;
    gateway.client(KEY).post("/Users", user("ana")).await.expect(201);
    let gateway = Gateway::start(showing().set("directory.starttls", "true"), &slapd.url()).await;
    gateway.ready().await;
    gateway.client(KEY).post("/Users", user("bob")).await.expect(201);

    // Without it the password alone opens nothing, and a certificate of somebody else is as good as none.
    let ca = slapd.certificate();
    let without = GatewayOptions::default().set("directory.ca", &ca);
    is_told(
        &Gateway::start(without, &slapd.tls_url()).await,
        &[("SCIMGATE__DIRECTORY__CA", &ca)],
        &["directory.client_certificate", "directory.client_private_key"],
    )
    .await;
}

#[tokio::test]
async fn a_directory_that_is_not_known_gets_no_password() {
    let tls = || SlapdOptions { tls: true, ..SlapdOptions::default() };
    let (slapd, other) = (Slapd::start(&tls()), Slapd::start(&tls()));
    let (ca, other_ca) = (slapd.certificate(), other.certificate());
    let trusting = |ca: &str| GatewayOptions::default().set("directory.ca", ca);

    let gateway = Gateway::start(trusting(&other_ca), &slapd.tls_url()).await;
    is_told(&gateway, &[("SCIMGATE__DIRECTORY__CA", &other_ca)], &["not signed by", "directory.ca", &other_ca]).await;
    let gateway = Gateway::start(GatewayOptions::default(), &slapd.tls_url()).await;
    is_told(&gateway, &[], &["the system's store", "set directory.ca"]).await;
    let by_name = slapd.tls_url().replace("127.0.0.1", "localhost");
    let gateway = Gateway::start(trusting(&ca), &by_name).await;
    is_told(&gateway, &[("SCIMGATE__DIRECTORY__CA", &ca)], &["localhost", "directory.urls"]).await;
}

#[tokio::test]
async fn without_starttls_no_password_crosses_the_line_in_clear() {
    let slapd = Slapd::start(&SlapdOptions::default());
    let link = Link::to(&slapd.url()).await;
    let gateway = Gateway::start(GatewayOptions::default().set("directory.starttls", "true"), &link.url()).await;

    is_told(&gateway, &[("SCIMGATE__DIRECTORY__STARTTLS", "true")], &["refuses StartTLS", "ldaps://"]).await;

    assert_eq!(link.count(Message::Bind), 0);
    assert!(!link.overheard("of the gateway"));
    // The same line without StartTLS shows that it would have been overheard.
    let plain = Gateway::start(GatewayOptions::default(), &link.url()).await;
    plain.ready().await;
    assert!(link.overheard("of the gateway"));
    link.set(Fault::Reset);
}
