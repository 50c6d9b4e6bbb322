//! `scimgate check` before directories in which something is wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{Fixture, Gateway, GatewayOptions, Health, Issuer, SigningKey, Slapd, SlapdOptions, group_ldif, program};

/// Lets scimgate's account read slapd's own configuration.
const CONFIG: (&str, &str) = (
    "database mdb",
    "database config\naccess to * by dn.exact=\"cn=scimgate,ou=services,dc=example,dc=com\" read\n\ndatabase mdb",
);

/// What a run of the command found.
#[derive(Debug)]
struct Report {
    status: i32,
    findings: Vec<Value>,
}

impl Report {
    fn of(file: &Path) -> Self {
        Self::with(file, &[])
    }

    /// With settings that are not in the file: key and value.
    fn with(file: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.args(["check", "--json", "--config"]).arg(file);
        for (key, value) in settings {
            command.env(format!("SCIMGATE__{}", key.replace('.', "__").to_uppercase()), value);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let status = output.status.code().unwrap();
        assert_eq!(report["healthy"], status == 0, "{report:#}");
        Self { status, findings: report["findings"].as_array().unwrap().clone() }
    }

    /// Before a slapd of this kind.
    async fn before(slapd: SlapdOptions, gateway: GatewayOptions) -> Self {
        let fixture = Fixture::with(slapd, gateway).await;
        Self::of(&fixture.gateway.file())
    }

    /// The remedy of the finding of this grade whose text has all of these parts.
    #[track_caller]
    fn has(&self, grade: &str, parts: &[&str]) -> &str {
        let fits = |finding: &&Value| {
            let text = finding["text"].as_str().unwrap();
            finding["grade"] == grade && parts.iter().all(|part| text.contains(part))
        };
        let found =
            self.findings.iter().find(fits).unwrap_or_else(|| panic!("no {grade} with {parts:?} in {:#?}", self.findings));
        found["remedy"].as_str().unwrap_or_default()
    }

    /// The texts of what is wrong.
    fn problems(&self) -> Vec<&str> {
        let problems = self.findings.iter().filter(|finding| finding["grade"] == "problem");
        problems.map(|finding| finding["text"].as_str().unwrap()).collect()
    }
}

fn slapd(otherwise: &[(&'static str, &'static str)]) -> SlapdOptions {
    SlapdOptions { otherwise: otherwise.to_vec(), ..SlapdOptions::with_users(["ana".to_owned(), "eva".to_owned()]) }
}

#[tokio::test]
async fn a_healthy_directory_is_looked_at_and_left_as_it_was() {
    let Fixture { gateway, scim, directory } = &Fixture::with(slapd(&[CONFIG]), GatewayOptions::default()).await;
    let bob = scim.new_user("bob").await;
    scim.new_group("staff", &[&bob]).await;
    let before = (directory.users().await, directory.groups().await);

    let report = Report::of(&gateway.file());

    assert_eq!(report.problems(), [""; 0]);
    for section in ["users", "groups"] {
        report.has("ok", &["may add", section, "tried without doing it"]);
        report.has("ok", &["may remove", section, "tried without doing it"]);
        report.has("ok", &["may write", section]);
        report.has("ok", &["looking", section, "is fast by id"]);
    }
    report.has("ok", &["may write", "uid", "mail", "pwdAccountLockedTime", "objectClass"]);
    report.has("ok", &["users in ou=people", ": 3,"]);
    report.has("ok", &["overlays:", "memberof", "ppolicy", "syncprov"]);
    report.has("ok", &["memberOf is kept"]);
    report.has("ok", &["1 of 1 password policies"]);
    report.has("note", &["is not encrypted"]);
    assert_eq!((directory.users().await, directory.groups().await), before);
}

#[tokio::test]
async fn it_is_told_whether_the_directory_tells_all_changes() {
    let dynlist = [
        ("schema/nis.schema", "schema/nis.schema\ninclude /etc/ldap/schema/dyngroup.schema"),
        ("moduleload syncprov", "moduleload syncprov\nmoduleload dynlist"),
        ("overlay syncprov", "overlay syncprov\noverlay dynlist"),
    ];
    let options = [&[CONFIG][..], &dynlist].concat();
    let report = Report::before(slapd(&options), GatewayOptions::default()).await;
    assert!(report.has("note", &["the dynlist overlay is loaded"]).contains("cache.entries = false"));
    let silent = [("overlay syncprov", ""), ("moduleload syncprov", "")];
    let report = Report::before(slapd(&silent), GatewayOptions::default()).await;
    assert!(report.has("note", &["does not tell what others change"]).contains("syncprov"));
    assert_eq!(report.problems(), [""; 0]);
}

/// slapd's mdb mixes attributes up when it was told only to try a write with some that it has never stored.
#[tokio::test]
async fn the_looking_leaves_no_number_of_an_attribute_behind() {
    let Fixture { gateway, directory, .. } = &Fixture::with(slapd(&[CONFIG]), GatewayOptions::default()).await;
    let report = Report::of(&gateway.file());
    report.has("ok", &["may add users", "tried without doing it"]);

    let (ana, eva) = (directory.user_dn("ana"), directory.user_dn("eva"));
    directory.set(&ana, "title", "Chief").await;
    directory.set(&eva, "scimgateExternalId", "e-1").await;
    directory.set(&ana, "displayName", "Ana").await;

    let (ana, eva) = (directory.user("ana").await.unwrap(), directory.user("eva").await.unwrap());
    assert_eq!((ana.one("title"), ana.one("displayName"), ana.one("scimgateExternalId")), ("Chief", "Ana", ""));
    assert_eq!((eva.one("title"), eva.one("displayName"), eva.one("scimgateExternalId")), ("", "", "e-1"));
}

#[tokio::test]
async fn a_missing_index_is_seen_in_the_configuration() {
    let without = ("uid,cn,mail,member,memberOf", "uid,cn");
    let report = Report::before(slapd(&[CONFIG, without]), GatewayOptions::default()).await;

    assert_eq!(report.problems(), [""; 0]);
    assert!(report.has("note", &["users up by emails (mail)", "no index"]).contains("index mail eq"));
    assert!(report.has("note", &["groups up by members (member)", "no index"]).contains("olcDbIndex: member eq"));
    report.has("ok", &["looking users up is fast by id, userName, externalId, its name"]);
}

#[tokio::test]
async fn rights_that_are_missing_are_found_without_writing() {
    let read_only = ("by dn.exact=\"cn=scimgate,ou=services,dc=example,dc=com\" write by users read", "by users read");
    let fixture = Fixture::with(slapd(&[read_only]), GatewayOptions::default()).await;
    let report = Report::of(&fixture.gateway.file());

    let remedy = report.has("problem", &["may not add users below ou=people,dc=example,dc=com"]);
    assert!(remedy.contains("access to dn.subtree=\"ou=people,dc=example,dc=com\" by dn.exact=\"cn=scimgate,"), "{remedy}");
    report.has("problem", &["may not add groups"]);
    report.has("problem", &["may not write", "uid", "mail", "of users"]);
    assert_eq!(report.status, 1);

    let not_mail = (
        "access to dn.subtree=\"ou=people",
        "access to attrs=mail,pwdAccountLockedTime by users read\naccess to dn.subtree=\"ou=people",
    );
    let report = Report::before(slapd(&[not_mail]), GatewayOptions::default()).await;
    report.has("problem", &["may not write mail, pwdAccountLockedTime of users"]);
    report.has("ok", &["may write", "uid", "of users"]);
    assert_eq!(report.problems().len(), 1, "{report:#?}");

    let no_delete = (
        "access to dn.subtree=\"ou=people",
        "access to dn.children=\"ou=people,dc=example,dc=com\" attrs=entry by users add\naccess to dn.subtree=\"ou=people",
    );
    let report = Report::before(slapd(&[no_delete]), GatewayOptions::default()).await;
    report.has("ok", &["may add users"]);
    report.has("problem", &["may not remove users"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let limited = ("size=unlimited", "size=1");
    let report = Report::before(slapd(&[limited]), GatewayOptions::default()).await;
    assert!(
        report
            .has("problem", &["users.base", "cannot be read whole", "sizeLimitExceeded"])
            .contains("limits dn.exact=\"cn=scimgate,")
    );

    let no_id = ("access to dn.subtree=\"ou=people", "access to attrs=entryCSN by * none\naccess to dn.subtree=\"ou=people");
    let report = Report::before(slapd(&[no_id]), GatewayOptions::default()).await;
    report.has("problem", &["entryCSN of users cannot be read"]);
}

#[tokio::test]
async fn overlays_and_groups_are_looked_at() {
    let refint = ("moduleload syncprov", "moduleload syncprov\nmoduleload refint");
    let loaded = ("overlay syncprov", "overlay syncprov\noverlay refint\nrefint_attributes member");
    let mut options = slapd(&[CONFIG, refint, loaded]);
    // slapadd runs no overlay, so that nobody has memberOf.
    options.entries.push_str(&group_ldif("staff", ["ana".to_owned()]));
    let fixture = Fixture::with(options, GatewayOptions::default()).await;
    let file = fixture.gateway.file();
    let report = Report::of(&file);
    assert!(report.has("note", &["the refint overlay is loaded"]).contains("memberof-refint TRUE"));
    report.has("problem", &["memberOf of uid=ana@example.com", "does not name cn=staff"]);
    report.has("ok", &["groupOfNames must have a member"]);

    let settings = [
        ("groups.placeholder", "uid=nobody,ou=people,dc=example,dc=com"),
        ("provisioning.default_groups", "[\"cn=nothing,ou=groups,dc=example,dc=com\"]"),
        ("roles", "{ ROLE_USER = \"cn=absent,ou=groups,dc=example,dc=com\" }"),
        ("protected.groups", "[\"cn=nobody,ou=groups,dc=example,dc=com\"]"),
    ];
    let report = Report::with(&file, &settings);
    report.has("note", &["the placeholder uid=nobody,ou=people,dc=example,dc=com is the name of a user"]);
    report.has("problem", &["cn=nothing,ou=groups,dc=example,dc=com is not there"]);
    report.has("problem", &["roles.ROLE_USER: cn=absent,ou=groups,dc=example,dc=com is not there"]);
    assert!(report.has("problem", &["protected.groups: cn=nobody"]).contains("its members are not protected"));
}

#[tokio::test]
async fn every_server_and_its_certificate_is_looked_at() {
    let slapd = Slapd::start(&SlapdOptions { tls: true, ..slapd(&[]) });
    let mut second = Slapd::start(&SlapdOptions::default());
    let gateway = Gateway::start(GatewayOptions::default().tls(), &slapd.url()).await;
    let (file, certificate) = (gateway.file(), slapd.certificate());
    let urls = format!("[\"{}\", \"{}\"]", slapd.tls_url(), second.url());
    let settings = [("directory.urls", &*urls), ("directory.ca", &*certificate)];

    let report = Report::with(&file, &settings);
    report.has("ok", &["the certificate of ldaps://127.0.0.1", "is good for", "days"]);
    report.has("ok", &["server.tls.certificate", "is good for", "days"]);
    report.has("note", &[&second.url(), "is not encrypted"]);
    assert_eq!(report.problems(), [""; 0]);

    second.kill();
    let report = Report::with(&file, &settings);
    assert_eq!(report.problems().len(), 1, "{report:#?}");
    report.has("problem", &["cannot be reached", &second.url()]);
}

#[tokio::test]
async fn the_administrators_who_let_clients_in_are_looked_at() {
    let entries = group_ldif("admins", ["ana".to_owned()]);
    let slapd = SlapdOptions { entries, ..SlapdOptions::default() };
    let client = format!("[[auth.oauth.clients]]\nid = \"ping\"\nsecret_hash = \"sha256:{}\"\n", "0".repeat(64));
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let made = std::process::Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key).output();
    assert!(made.unwrap().status.success());
    let options = GatewayOptions::default()
        .set("server.public_url", "https://scim.example.com")
        .lines(&format!("[auth.oauth]\nsigning_key = {:?}\n{client}", key.display().to_string()));
    let fixture = Fixture::with(slapd, options).await;
    let with = |group: &str| {
        let group = ("auth.oauth.administrators", group);
        Report::with(&fixture.gateway.file(), &[("server.public_url", "https://scim.example.com"), group])
    };

    with("cn=admins,ou=groups,dc=example,dc=com").has("ok", &["1 members of cn=admins"]);
    with("cn=nobody,ou=groups,dc=example,dc=com").has("problem", &["auth.oauth.administrators", "is not there"]);
    with("ou=groups,dc=example,dc=com").has("problem", &["auth.oauth.administrators", "no members"]);
}

#[tokio::test]
async fn secrets_that_everybody_can_read_are_found() {
    let slapd = Slapd::start(&SlapdOptions::default());
    let gateway = Gateway::start(GatewayOptions::default().tls(), &slapd.url()).await;
    let file = gateway.file();
    let key = file.with_file_name("tls.key");
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();

    set(&file, 0o640);
    set(&key, 0o604);
    let report = Report::of(&file);
    assert!(report.has("problem", &["tls.key", "can be read by everybody"]).contains("chmod 640"));
    assert_eq!(report.problems().len(), 1, "{report:#?}");

    set(&file, 0o664);
    set(&key, 0o600);
    let report = Report::of(&file);
    report.has("problem", &["scimgate.toml", "can be read by everybody"]);
}

#[tokio::test]
async fn issuers_are_asked_for_their_keys() {
    let (issuer, other) = (Issuer::start(Health::Well).await, Issuer::start(Health::Failing).await);
    issuer.publish(&[&SigningKey::new("a"), &SigningKey::new("b")]);
    let lines = issuer.lines("") + &other.lines("");
    let Fixture { gateway, .. } = &Fixture::with_gateway(GatewayOptions::default().lines(&lines)).await;

    let file = gateway.file();
    let report = tokio::task::spawn_blocking(move || Report::of(&file)).await.unwrap();

    report.has("ok", &[&issuer.url, "2 keys"]);
    assert!(report.has("problem", &[&other.url, "500"]).contains("jwks_uri"));
    assert_eq!(report.status, 1);
}
