//! What every answer tells browsers and caches, and where secrets may be.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;

use crate::support::{Fixture, GatewayOptions, KEY, program, user};

#[tokio::test]
async fn every_answer_is_hardened() {
    let Fixture { scim, gateway, .. } = &Fixture::with_gateway(GatewayOptions::default().tls()).await;
    let made = scim.post("/Users", user("ana")).await;
    let nobody = gateway.client("wrong");
    for answer in [
        &made,
        &scim.get("/Users").await,
        &scim.get("/Nothing").await,
        &scim.get("/ServiceProviderConfig").await,
        &nobody.get("/Users").await,
        &scim.send(scim.request(Method::OPTIONS, "/Users")).await,
        &scim.send(scim.outside(Method::GET, "/elsewhere")).await,
    ] {
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000"),
            ("server", ""),
            ("x-powered-by", ""),
        ] {
            assert_eq!(answer.header(header), value, "{header} of {answer:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_promised_of_tls_in_plaintext() {
    let Fixture { scim, .. } = &Fixture::start().await;
    assert_eq!(scim.get("/Users").await.header("strict-transport-security"), "");
}

#[tokio::test]
async fn a_secret_that_everybody_can_read_is_complained_of() {
    let Fixture { gateway, scim, .. } = &Fixture::start().await;
    scim.get("/Users").await.expect(200);
    assert!(!gateway.log().iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains("everybody"))));
    let mut permissions = std::fs::metadata(gateway.file()).unwrap().permissions();
    permissions.set_mode(0o644);
    std::fs::set_permissions(gateway.file(), permissions).unwrap();
    // It complains before it finds that this address is taken.
    let output =
        program().args(["serve", "--config"]).arg(gateway.file()).env("SCIMGATE__SERVER__LISTEN", gateway.address()).output();
    let output = output.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("can be read by everybody") && !told.contains(KEY), "{told}");
    assert_eq!(output.status.code(), Some(1), "{told}");
}

#[test]
fn a_credential_of_systemd_is_found_by_its_name() {
    let (folder, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("scimgate.toml");
    let text = "[server]\nlisten = \"127.0.0.1:0\"\n[directory]\nurls = [\"ldap://127.0.0.1\"]\nbind_dn = \"cn=a\"\n\
                bind_password_file = \"bind\"\n[users]\nbase = \"ou=p\"\n[groups]\nbase = \"ou=g\"\n[[auth.api_keys]]\nname = \"a\"\n\
                hash = \"sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\"\n";
    std::fs::write(&file, text).unwrap();
    let check = |credentials: Option<&std::path::Path>| {
        let mut command = program();
        command.args(["check", "--offline", "--config"]).arg(&file);
        if let Some(credentials) = credentials {
            command.env("CREDENTIALS_DIRECTORY", credentials);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(check(Some(credentials.path())), Some(1), "there is none yet");
    std::fs::write(credentials.path().join("bind"), "secret\n").unwrap();
    let mut permissions = std::fs::metadata(credentials.path().join("bind")).unwrap().permissions();
    permissions.set_mode(0o400);
    std::fs::set_permissions(credentials.path().join("bind"), permissions).unwrap();
    assert_eq!(check(Some(credentials.path())), Some(0));
    assert_eq!(check(None), Some(1));
}
