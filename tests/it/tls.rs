//! TLS and the protocols over it.

use std::path::Path;

use rcgen::{CertificateParams, DnType};
use reqwest::{Method, Version, tls};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Fixture, GatewayOptions, KEY, Tls, make_certificate, until, user};

async fn over_tls() -> Fixture {
    Fixture::with_gateway(GatewayOptions::default().tls()).await
}

#[tokio::test]
async fn both_versions_of_tls_carry_both_versions_of_http() {
    let Fixture { gateway, .. } = &over_tls().await;

    for newest in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        for (http1, expected) in [(false, Version::HTTP_2), (true, Version::HTTP_11)] {
            let client = gateway.client_over(KEY, Tls { newest: Some(newest), http1, ..Tls::default() });
            let answer = client.get("/Users").await;
            assert_eq!(answer.version, expected, "{newest:?}");
            answer.expect(200);
        }
    }
}

#[tokio::test]
async fn addresses_over_tls_begin_with_https() {
    let Fixture { gateway, scim, .. } = &over_tls().await;

    let made = scim.post("/Users", user("ana")).await;

    let location = made.header("location");
    assert!(location.starts_with(&format!("https://{}/scim/v2/Users/", gateway.address())), "{location}");
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let Fixture { gateway, scim, .. } = &over_tls().await;
    scim.new_user("ana").await;

    let answers = futures_util::future::join_all((0..64).map(|_| scim.get("/Users"))).await;

    assert!(answers.iter().all(|answer| answer.status == 200 && answer.version == Version::HTTP_2));
    assert!(gateway.measures("scimgate_client_connections 1").await, "{}", gateway.admin("/metrics").await.1);
}

#[tokio::test]
async fn a_failed_handshake_harms_nobody() {
    let Fixture { gateway, scim, .. } = &over_tls().await;

    let mut plain = TcpStream::connect(gateway.address()).await.unwrap();
    plain.write_all(b"GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    until("the refusal is counted", async || gateway.measures("scimgate_refusals_total{reason=\"handshake\"} 1").await).await;

    scim.send(scim.request(Method::GET, "/Users")).await.expect(200);
}

#[tokio::test]
async fn a_client_can_be_asked_for_a_certificate() {
    let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let identity = |folder: &Path| make_certificate(folder) + &std::fs::read_to_string(folder.join("tls.key")).unwrap();
    let (mine_pem, other_pem) = (identity(mine.path()), identity(other.path()));
    let options = GatewayOptions::default().mutual_tls(&mine.path().join("tls.crt"));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let client = |identity| gateway.client_over(KEY, Tls { identity, ..Tls::default() });

    let known = client(Some(&*mine_pem));
    known.get("/Users").await.expect(200);
    for stranger in [client(None), client(Some(&*other_pem))] {
        assert!(stranger.try_send(stranger.request(Method::GET, "/Users")).await.is_err());
    }
}

/// A client's certificate and key as PEM, and the SHA-256 of the certificate in hexadecimal digits.
fn identity(folder: &Path) -> (String, String) {
    let pem = make_certificate(folder);
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let fingerprint = Sha256::digest(&der).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    (pem + &std::fs::read_to_string(folder.join("tls.key")).unwrap(), fingerprint)
}

#[tokio::test]
async fn a_certificate_signs_its_client_in() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [mine, old, other] = [0, 1, 2].map(|n| identity(folders[n].path()));
    let authorities = folders.iter().map(|folder| std::fs::read_to_string(folder.path().join("tls.crt")).unwrap());
    let file = folders[0].path().join("authorities.pem");
    std::fs::write(&file, authorities.collect::<String>()).unwrap();
    let options = GatewayOptions::default().mutual_tls(&file).set("server.tls.client_certificates", "optional").lines(&format!(
        "[[auth.certificates]]\nname = \"reader\"\nfingerprint = \"sha256:{}\"\nscopes = [\"users:read\"]\n\
         [[auth.certificates]]\nname = \"old\"\nfingerprint = \"sha256:{}\"\nexpires = 2020-01-01\n",
        mine.1, old.1
    ));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let client = |key: &str, identity| gateway.client_over(key, Tls { identity, ..Tls::default() });

    let reader = client("", Some(&*mine.0));
    reader.get("/Users").await.expect(200);
    reader.post("/Users", user("ana")).await.error(403, "");
    gateway.logged(|line| line["client"] == "reader" && line["status"] == 403).await;
    // A key goes before a certificate, and is enough.
    client(KEY, Some(&*mine.0)).post("/Users", user("ana")).await.expect(201);
    client(KEY, None).get("/Users").await.expect(200);
    client("wrong", Some(&*mine.0)).get("/Users").await.error(401, "");
    client("", Some(&*old.0)).get("/Users").await.error(401, "");
    // Known to an authority, but to nobody here.
    client("", Some(&*other.0)).get("/Users").await.error(401, "");
    client("", None).get("/Users").await.error(401, "");
    client("", Some(&*other.0)).get("/ServiceProviderConfig").await.expect(200);
}

/// An authority of this name.
fn authority(name: &str) -> rcgen::CertifiedIssuer<'static, rcgen::KeyPair> {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    rcgen::CertifiedIssuer::self_signed(parameters, rcgen::KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate by an authority, and its key.
fn signed(by: &rcgen::CertifiedIssuer<'static, rcgen::KeyPair>, common_name: &str, san: &str, last_year: i32) -> String {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::OrganizationName, "Example");
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.subject_alt_names.push(rcgen::SanType::URI(san.try_into().unwrap()));
    parameters.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    parameters.signed_by(&key, by).unwrap().pem() + &key.serialize_pem()
}

#[tokio::test]
async fn a_certificate_is_good_for_the_names_that_a_known_authority_put_into_it() {
    let (ours, other) = (authority("ours"), authority("other"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let options = GatewayOptions::default().mutual_tls(&file).lines(
        "[[auth.certificates]]\nname = \"by-subject\"\nsubject = \"cn=SailPoint, o=Example\"\n\
         [[auth.certificates]]\nname = \"by-name\"\nsan = \"spiffe://example.com/ping\"\n",
    );
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let client = |identity: &str| gateway.client_over("", Tls { identity: Some(identity), ..Tls::default() });

    client(&signed(&ours, "sailpoint", "spiffe://example.com/x", 2999)).get("/Users").await.expect(200);
    client(&signed(&ours, "ping", "spiffe://example.com/ping", 2999)).get("/Users").await.expect(200);
    for name in ["by-subject", "by-name"] {
        gateway.logged(|line| line["client"] == name && line["status"] == 200).await;
    }
    client(&signed(&ours, "nobody", "spiffe://example.com/x", 2999)).get("/Users").await.error(401, "");
    for stranger in [
        signed(&other, "sailpoint", "spiffe://example.com/ping", 2999),
        signed(&ours, "sailpoint", "spiffe://example.com/ping", 2020),
    ] {
        let stranger = client(&stranger);
        assert!(stranger.try_send(stranger.request(Method::GET, "/Users")).await.is_err());
    }
}

#[tokio::test]
async fn a_token_is_worth_nothing_without_the_certificate_that_it_was_got_with() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [mine, other] = [0, 1].map(|n| identity(folders[n].path()));
    let authorities = folders[..2].iter().map(|folder| std::fs::read_to_string(folder.path().join("tls.crt")).unwrap());
    let file = folders[2].path().join("authorities.pem");
    std::fs::write(&file, authorities.collect::<String>()).unwrap();
    let key = folders[2].path().join("oauth.pem");
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let hash = Sha256::digest("secret").iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let options = GatewayOptions::default()
        .mutual_tls(&file)
        .set("server.tls.client_certificates", "optional")
        .set("server.public_url", "https://scim.example.com")
        .lines(&format!(
            "[auth.oauth]\nsigning_key = {:?}\n[[auth.oauth.clients]]\nid = \"ping\"\nsecret_hash = \"sha256:{hash}\"\n",
            key.display().to_string()
        ));
    let Fixture { gateway, .. } = &Fixture::with_gateway(options).await;
    let client = |key: &str, identity| gateway.client_over(key, Tls { identity, ..Tls::default() });
    let token = async |identity| {
        let client = client("", identity);
        let request = client.outside(Method::POST, "/oauth2/token").basic_auth("ping", Some("secret"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
        let granted: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        granted["access_token"].as_str().unwrap().to_owned()
    };

    let bound = token(Some(&*mine.0)).await;
    client(&bound, Some(&*mine.0)).get("/Users").await.expect(200);
    for identity in [None, Some(&*other.0)] {
        let refused = client(&bound, identity).get("/Users").await;
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
        assert!(refused.error(401, "").contains("certificate"));
    }
    let free = token(None).await;
    client(&free, Some(&*other.0)).get("/Users").await.expect(200);
    let metadata = client("", None).outside(Method::GET, "/.well-known/oauth-authorization-server").send().await.unwrap();
    let metadata: serde_json::Value = metadata.json().await.unwrap();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
}

#[tokio::test]
async fn the_end_of_the_certificate_is_measured() {
    let Fixture { gateway, .. } = &over_tls().await;

    let metrics = gateway.admin("/metrics").await.1;

    let name = "scimgate_certificate_expiry_timestamp_seconds{certificate=\"server\"} ";
    let end = metrics.lines().find_map(|line| line.strip_prefix(name)).and_then(|value| value.parse::<f64>().ok());
    assert!(end.is_some_and(|end| end > 1.9e9), "{end:?}");
}
