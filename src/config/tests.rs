use std::path::Path;
use std::time::Duration;

use super::super::SecretFile;
use super::super::reader::Environment;
use super::*;
use crate::auth::{ClientRule, KeySource, ScopeRule};
use crate::membership::CacheConfig;

const KEY: &str =
    "[[auth.api_keys]]\nname = \"ping\"\nhash = \"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"\n";

fn minimal() -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[directory]\nurls = [\"ldap://127.0.0.1\"]\nbind_dn = \"cn=a\"\nbind_password = \"b\"\n\
         [users]\nbase = \"ou=people,dc=x\"\n[groups]\nbase = \"ou=groups,dc=x\"\n{KEY}"
    )
}

fn read(text: &str) -> Result<Config, ConfigError> {
    with_environment(text, &[])
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Path::new("scimgate.toml"), text, &Environment::new(variables))
}

fn mistakes(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_valid_with_and_without_its_optional_lines() {
    // The file that holds the password is not here.
    let text = include_str!("../../config/scimgate.toml").replace("bind_password_file =", "bind_password =");
    let config = read(&text).unwrap();
    assert_eq!((config.directory.connections, config.limits.client.requests.burst), (4, 200));
    let whole = text.lines().map(|line| line.strip_prefix("#:").unwrap_or(line)).collect::<Vec<_>>().join("\n");
    let all = read(&whole).unwrap();
    // The lines that may be left out show the defaults.
    assert_eq!(format!("{:?}", all.service.budgets), format!("{:?}", config.service.budgets));
    assert_eq!((all.server.drain, all.server.header_timeout), (config.server.drain, config.server.header_timeout));
    // This one has none: what is left out is left to the directory.
    assert_eq!((all.service.cache.entries, config.service.cache.entries), (Some(true), None));
    assert_eq!(CacheConfig { entries: None, ..all.service.cache }, config.service.cache);
    assert_eq!((all.limits.client, all.mapping.active), (config.limits.client, config.mapping.active));
}

#[test]
fn a_small_file_is_enough() {
    let config = read(&minimal()).unwrap();
    assert_eq!(config.server.drain, Duration::from_secs(30));
    assert!(config.server.tls.is_none() && config.mapping.groups_sync && !config.mapping.existing_users);
    assert_eq!(config.auth.api_keys.len(), 1);
    assert!(config.auth.api_keys[0].scopes.contains(Scope::GroupsWrite));
}

#[test]
fn the_files_that_hold_secrets_are_known() {
    let files = |config: &Config| {
        let name = |file: &SecretFile| format!("{} {}", file.key, file.path.display());
        config.secret_files.iter().map(name).collect::<Vec<_>>()
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("cursors"), "0123456789abcdef").unwrap();
    let text = format!(
        "{}[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n[cursors]\nkey_file = '{}'\n",
        minimal(),
        at("cursors")
    );
    let config = Config::read(Path::new("/etc/scimgate/x.toml"), &text, &Environment::default()).unwrap();
    let expected = [
        "server.tls.private_key /etc/scimgate/tls.key".to_owned(),
        "directory.bind_password /etc/scimgate/x.toml".to_owned(),
        format!("cursors.key_file {}", at("cursors")),
    ];
    assert_eq!(files(&config), expected);

    // What stands in the environment stands in no file.
    let elsewhere = minimal().replace("bind_password = \"b\"\n", "");
    let set = [("SCIMGATE__DIRECTORY__BIND_PASSWORD", "b")];
    assert_eq!(files(&with_environment(&elsewhere, &set).unwrap()), [""; 0]);
    let named = elsewhere.replace("bind_dn", "bind_password_env = \"SECRET\"\nbind_dn");
    assert_eq!(files(&with_environment(&named, &[("SECRET", "b")]).unwrap()), [""; 0]);
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let text = "[server]\nlisten = 8443\nlisen = \"x\"\n[directory]\nurls = [\"http://x\"]\n[users]\nbase = \"nonsense\"\n[groups]\nsync = \"yes\"\n";
    let found = mistakes(text);
    for expected in [
        "scimgate.toml:2:1: server.listen: this must be text in quotes",
        "scimgate.toml:3:1: server.lisen: unknown key; did you mean `listen`?",
        "scimgate.toml:5:9: directory.urls: this must be a URL such as",
        "directory.bind_dn: name the account",
        "scimgate.toml:7:1: users.base: not a distinguished name",
        "groups.base: this key is missing, for example base = \"ou=groups,dc=example,dc=com\"",
        "scimgate.toml:9:1: groups.sync: this must be true or false",
        "auth.api_keys: nobody could sign in",
    ] {
        assert!(found.contains(expected), "{expected}\nis not in\n{found}");
    }
}

#[test]
fn what_would_expose_a_secret_is_refused() {
    assert!(mistakes(&minimal().replace("127.0.0.1:0", "0.0.0.0:8443")).contains("without [server.tls]"));
    assert!(read(&minimal().replace("listen = \"127.0.0.1:0\"", "listen = \"0.0.0.0:8080\"\nplaintext = true")).is_ok());
    assert!(
        mistakes(&minimal().replace("ldap://127.0.0.1", "ldap://dir.example.com"))
            .contains("would send the password unprotected")
    );
    assert!(read(&minimal().replace("ldap://127.0.0.1", "ldaps://dir.example.com")).is_ok());
    let twice = minimal().replace("bind_password = \"b\"", "bind_password = \"b\"\nbind_password_env = \"B\"");
    assert!(mistakes(&twice).contains("give it in one way only"));
    let key = minimal().replace("sha256:2b", "2b");
    assert!(mistakes(&key).contains("auth.api_keys[0].hash: this must be \"sha256:\""));
}

#[test]
fn a_certificate_signs_in_where_tls_carries_it() {
    let account = "bind_dn = \"cn=a\"\nbind_password = \"b\"";
    let certificate = "client_certificate = \"c.crt\"\nclient_private_key = \"c.key\"";
    let with = |lines: &str| minimal().replace(account, lines);
    let shown = read(&with(certificate).replace("ldap://", "ldaps://")).unwrap().directory;
    assert!(shown.bind.is_none() && shown.client_certificate.unwrap().private_key.ends_with("c.key"));
    assert!(read(&with(&format!("{certificate}\nstarttls = true"))).is_ok());
    assert!(mistakes(&with(certificate)).contains("directory.bind_dn: name the account"));
    let half = with("client_certificate = \"c.crt\"").replace("ldap://", "ldaps://");
    assert!(mistakes(&half).contains("directory.client_private_key: the certificate's key is missing"));
    // A replica is signed in to as well.
    let replica = "replicas = [\"ldap://r.example.com\"]";
    assert!(mistakes(&with(&format!("{certificate}\n{replica}")).replace("\"ldap://127", "\"ldaps://127")).contains("bind_dn"));
    assert!(mistakes(&with(&format!("{account}\n{replica}"))).contains("directory.replicas: ldap://r.example.com would send"));
    assert!(
        mistakes(&with(&format!("{account}\nreplicas = [\"ldap:nobody\"]"))).contains("directory.replicas: this must be a URL")
    );
}

#[test]
fn variables_set_any_key() {
    let variables = [
        ("SCIMGATE__SERVER__LISTEN", "127.0.0.1:7777"),
        ("SCIMGATE__LIMITS__BURST", "7"),
        ("SCIMGATE__GROUPS__SYNC", "false"),
        ("SCIMGATE__DIRECTORY__URLS", "ldap://localhost, ldap://127.0.0.2"),
        ("SCIMGATE__DIRECTORY__BIND_PASSWORD", "1234"),
        ("SCIMGATE__USERS__OBJECT_CLASSES", "[\"inetOrgPerson\", \"posixAccount\"]"),
        ("SCIMGATE__USERS__ATTRIBUTES", "{ title = \"description\" }"),
        ("SCIMGATE_CONFIG", "elsewhere"),
    ];
    let config = with_environment(&minimal(), &variables).unwrap();
    assert_eq!(config.server.listen.port(), 7777);
    assert_eq!((config.limits.client.requests.burst, config.mapping.groups_sync, config.directory.urls.len()), (7, false, 2));
    assert_eq!(config.directory.bind.unwrap().password.expose(), "1234");
    assert_eq!(config.mapping.users.object_classes.map(|classes| classes.len()), Some(2));
    assert_eq!(config.mapping.users.attributes, [("title".to_owned(), "description".to_owned())]);
    let wrong =
        with_environment(&minimal(), &[("SCIMGATE__LIMITS__BURST", "many"), ("SCIMGATE__LIMITS__BURTS", "1")]).unwrap_err();
    assert!(wrong.to_string().contains("$SCIMGATE__LIMITS__BURST: limits.burst: this must be a whole number, 1 or more"));
    assert!(wrong.to_string().contains("$SCIMGATE__LIMITS__BURTS: limits.burts: unknown key; did you mean `burst`?"));
}

#[test]
fn a_secret_comes_from_a_file_or_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "p w\n").unwrap();
    let text = minimal().replace("bind_password = \"b\"", "bind_password_file = \"password\"");
    let config = Config::read(&folder.path().join("scimgate.toml"), &text, &Environment::default()).unwrap();
    assert_eq!(config.directory.bind.unwrap().password.expose(), "p w");
    let text = minimal().replace("bind_password = \"b\"", "bind_password_env = \"LDAP_PASSWORD\"");
    assert_eq!(with_environment(&text, &[("LDAP_PASSWORD", "q")]).unwrap().directory.bind.unwrap().password.expose(), "q");
    assert!(mistakes(&text).contains("the environment has no variable LDAP_PASSWORD"));
}

#[test]
fn dates_and_clients_are_read() {
    let text = format!(
        "{}expires = 2027-02-22\nscopes = [\"users:read\"]\n[clients.ping]\nrefuse = [\"count-minus-one\"]\ngroup_patch = \"resource\"\n",
        minimal()
    );
    let config = read(&text).unwrap();
    assert_eq!(config.auth.api_keys[0].expires.unwrap().to_string(), "2027-02-22T00:00:00Z");
    assert!(!config.auth.api_keys[0].scopes.contains(Scope::UsersWrite));
    let policy = &config.clients["ping"];
    assert!(!policy.tolerances.contains(Tolerance::CountMinusOne) && policy.tolerances.contains(Tolerance::StringBoolean));
    assert_eq!(policy.group_patch, GroupPatchAnswer::Resource);
    assert!(mistakes(&format!("{}expires = \"soon\"\n", minimal())).contains("this must be a date such as 2027-02-22"));
    assert!(mistakes(&format!("{}[clients.x]\nrefuse = [\"y\"]\n", minimal())).contains("`y` is no tolerance; there are"));
}

#[test]
fn ways_to_sign_in_are_read_and_looked_at() {
    let tls = |rest: &str| format!("{}[server.tls]\ncertificate = \"a\"\nprivate_key = \"b\"\n{rest}", minimal());
    let optional = "client_ca = \"c\"\nclient_certificates = \"optional\"\n[[auth.certificates]]\nname = \"x\"\n";
    let config = read(&tls(&format!("{optional}subject = \"CN=x,O=y\"\n"))).unwrap();
    assert!(!config.server.tls.unwrap().certificates_required && config.auth.certificates.len() == 1);
    assert!(read(&tls(&format!("{optional}fingerprint = \"{}\"\n", "AB:".repeat(31) + "CD"))).is_ok());
    // Somebody can sign in by it alone.
    let alone = tls(&format!("{optional}san = \"x.example.com\"\n")).replace(KEY, "");
    assert_eq!(read(&alone).unwrap().auth.api_keys.len(), 0);
    for (lines, expected) in [
        (format!("{optional}subject = \"CN=x\"\nsan = \"y\"\n"), "auth.certificates[0].subject: say in one way"),
        (optional.to_owned(), "auth.certificates[0].subject: say in one way"),
        (format!("{optional}subject = \"\"\n"), "this must name somebody"),
        (format!("{optional}san = \"a b\"\n"), "auth.certificates[0].san: this must be a host name"),
        (format!("{optional}fingerprint = \"sha1:00\"\n"), "auth.certificates[0].fingerprint: this must be the SHA-256"),
        (optional.replace("client_ca = \"c\"\n", "") + "san = \"x\"\n", "server.tls.client_certificates: name the authorities"),
        (optional.replace("optional", "maybe"), "this must be \"required\" or \"optional\""),
        ("[[auth.certificates]]\nname = \"x\"\nsan = \"x\"\n".to_owned(), "add client_ca"),
    ] {
        assert!(mistakes(&tls(&lines)).contains(expected), "{}", mistakes(&tls(&lines)));
    }
    let forms =
        |lines: &str| read(&minimal().replace("[[auth", &format!("[auth]\n{lines}\n[[auth"))).map(|config| config.auth.forms);
    let wide = forms("basic = true\nschemes = [\"oauth2\", \"\"]").unwrap();
    assert!(wide.basic && wide.bare && wide.words == [Arc::from("oauth2")]);
    assert!(forms("schemes = [\"two words\"]").unwrap_err().to_string().contains("this must be a word"));
    assert!(forms("schemes = [\"basic\"]").unwrap_err().to_string().contains("auth.basic = true"));
}

#[test]
fn issuers_are_read_and_looked_at() {
    let issuer = "[[auth.issuers]]\nissuer = \"https://idp.example.com\"\naudience = \"scimgate\"\n";
    let with = |rest: &str| format!("{}{issuer}{rest}", minimal());
    let config = read(&with("").replace(KEY, "")).unwrap();
    let [plain] = config.auth.issuers.as_slice() else { panic!("{:?}", config.auth) };
    assert!(matches!(plain.keys, KeySource::WellKnown(_)) && plain.scopes == ScopeRule::Ours && plain.introspection.is_none());
    assert_eq!((plain.leeway.as_secs(), plain.algorithms.len(), &plain.client), (60, 9, &ClientRule::Claim(None)));
    let rest = "algorithms = [\"ES256\"]\nclient = \"x\"\nclaims = { tid = \"t\" }\nintrospection_endpoint = \"https://idp.example.com/i\"\n\
                client_id = \"a\"\nclient_secret = \"hidden\"\n[auth.issuers.scopes]\n\"a.b c\" = \"users:write, bulk\"\n";
    let config = read(&with(rest)).unwrap();
    let full = &config.auth.issuers[0];
    assert!(!format!("{config:?}").contains("hidden"));
    assert_eq!(full.claims, [("tid".to_owned(), "t".to_owned())]);
    let scopes: Scopes = [Scope::UsersWrite, Scope::Bulk].into_iter().collect();
    assert_eq!(full.scopes, ScopeRule::Mapped(vec![("a.b c".to_owned(), scopes)]));
    for (lines, expected) in [
        ("algorithms = [\"HS256\"]".to_owned(), "auth.issuers[0].algorithms: `HS256` is no algorithm that is accepted"),
        ("algorithms = [\"none\"]".to_owned(), "`none` is no algorithm"),
        (
            "jwks_uri = \"http://idp.example.com/keys\"".to_owned(),
            "auth.issuers[0].jwks_uri: this must be a URL that begins with https://",
        ),
        ("jwks_uri = \"https://x\"\ndiscovery = \"https://x\"".to_owned(), "leave one of the two out"),
        ("client = \"x\"\nclient_claim = \"azp\"".to_owned(), "auth.issuers[0].client_claim: client names one client"),
        ("scopes = [\"everything\"]".to_owned(), "`everything` is not a scope"),
        ("scopes = { x = \"users:all\" }".to_owned(), "auth.issuers[0].scopes.x: `users:all` is not a scope"),
        ("leeway = \"1h\"".to_owned(), "auth.issuers[0].leeway"),
        ("client_id = \"a\"".to_owned(), "introspection_endpoint, which is missing"),
        ("introspection_endpoint = \"https://x\"".to_owned(), "the issuer answers only whom it knows"),
        (
            rest.replace("[auth.issuers.scopes]\n\"a.b c\" = \"users:write, bulk\"\n", &format!("{issuer}{rest}")),
            "for one issuer only",
        ),
    ] {
        assert!(mistakes(&with(&lines)).contains(expected), "{}", mistakes(&with(&lines)));
    }
    assert!(mistakes(&with("").replace("https://idp", "http://idp")).contains("auth.issuers[0].issuer: this must be a URL"));
}

#[test]
fn broken_toml_names_its_place() {
    assert!(mistakes("[server\n").starts_with("scimgate.toml:1:"), "{}", mistakes("[server\n"));
}

#[test]
fn clients_that_ask_people_are_checked_with_what_they_need() {
    let with = |oauth: &str, client: &str| {
        let hash = format!("secret_hash = \"sha256:{}\"", "0".repeat(64));
        minimal().replace("[directory]", "public_url = \"https://scim.example.com\"\n[directory]")
            + &format!("[auth.oauth]\nsigning_key = \"k\"\n{oauth}\n[[auth.oauth.clients]]\nid = \"okta\"\n{hash}\n{client}\n")
    };
    let uris = "redirect_uris = [\"https://client.example.com/cb?x=1\", \"http://[::1]:8080/\"]";
    let group = "administrators = \"cn=admins,dc=x\"";
    let oauth = read(&with(group, uris)).unwrap().auth.oauth.unwrap();
    assert!(oauth.clients[0].pkce && oauth.revocations.is_none());
    assert_eq!(oauth.administrators.unwrap().base.to_string(), "ou=people,dc=x");
    assert_eq!(oauth.refresh_token_lifetime, Duration::from_hours(90 * 24));
    assert!(read(&with("", "")).unwrap().auth.oauth.unwrap().administrators.is_none());

    assert!(mistakes(&with("", uris)).contains("auth.oauth.administrators: clients with redirect_uris need somebody"));
    let open = with(group, uris).replace("https://scim", "http://scim");
    assert!(mistakes(&open).contains("must begin with https://"));
    for uri in [
        "http://client.example.com/",
        "https://a/#b",
        "client",
        "https://user@a/",
        "https://a/ b",
        "javascript:alert(1)",
        "https:/",
    ] {
        let found = mistakes(&with(group, &format!("redirect_uris = [\"{uri}\"]")));
        assert!(found.contains("redirect_uris: this must be the whole URL"), "{uri}: {found}");
    }
}

#[test]
fn traces_go_where_an_endpoint_says_and_credentials_stay_off_the_network() {
    let with = |lines: &str| format!("{}[traces]\n{lines}\n", minimal());
    assert!(read(&minimal()).unwrap().traces.is_none() && read(&with("")).unwrap().traces.is_none());
    let endpoint = |url: &str| read(&with(&format!("endpoint = \"{url}\""))).unwrap().traces.unwrap().endpoint.to_string();
    assert_eq!(endpoint("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(endpoint("https://collector.example.com/otlp/traces"), "https://collector.example.com/otlp/traces");
    for url in ["127.0.0.1:4318", "grpc://collector:4317", "http://user:secret@collector:4318"] {
        let mistakes = mistakes(&with(&format!("endpoint = \"{url}\"")));
        assert!(mistakes.contains("traces.endpoint") && mistakes.contains("OTLP over HTTP"), "{mistakes}");
    }
    let secret = "authorization = \"Bearer x\"\n";
    let clear = mistakes(&with(&format!("{secret}endpoint = \"http://collector:4318\"")));
    assert!(clear.contains("traces.endpoint") && clear.contains("unprotected"), "{clear}");
    for url in ["http://localhost:4318", "http://[::1]:4318", "https://collector:4318"] {
        assert!(read(&with(&format!("{secret}endpoint = \"{url}\""))).is_ok(), "{url}");
    }
    assert!(mistakes(&with(secret)).contains("say where traces go"));
    assert!(mistakes(&with("one_in = -1")).contains("traces.one_in"));
}

#[test]
fn whom_the_gateway_touches_is_said_without_contradiction() {
    let text = minimal().replace("[groups]", "on_delete = \"recycle\"\nrecycle_base = \"ou=old,ou=people,dc=x\"\n[groups]");
    assert!(mistakes(&text).contains("users.recycle_base: this must lie outside users.base"), "{}", mistakes(&text));
    let text = minimal().replace("[groups]", "on_delete = \"recycle\"\n[groups]");
    assert!(mistakes(&text).contains("users.on_delete: say where deleted users go"), "{}", mistakes(&text));
    let rest = "
        [adoption]\nkeys = [\"name\"]\npolicy = \"all\"
        [rails]\ndeletes_percent = 101\ndisables_per_hour = -1
        [protected]\nsubtrees = [\"\"]\ngroups = [\"cn=a,ou=groups,dc=x\"]
        [provisioning]\ndefault_groups = [\"CN=A,ou=groups,dc=x\"]
        [roles]\nA = \"cn=b,ou=groups,dc=x\"\na = \"cn=c,ou=groups,dc=x\"\nB = \"cn=B,ou=groups,dc=x\"\nC = \"cn=c,dc=x\"\n";
    let found = mistakes(&format!("{}{rest}", minimal()));
    for words in [
        "adoption.keys: `name` is no key to recognise people by",
        "adoption.policy: this must be \"link\"",
        "rails.deletes_percent: this must be 100 or less",
        "rails.disables_per_hour: this must be a whole number, 0 or more",
        "protected.subtrees: this is the whole directory",
        "is protected, so nobody can be put into it: take it out here or out of provisioning.default_groups",
        "roles.a: this role is there already, in another case of letters",
        "is another role already: give each a group of its own",
        "roles.C: a role's group must be below groups.base",
    ] {
        assert!(found.contains(words), "{words} is not in\n{found}");
    }
}

#[test]
fn the_application_is_not_scimgate_itself() {
    let with = |listen: &str, url: &str| {
        let lines = format!("listen = \"{listen}\"\npublic_url = \"https://scim.example.com\"\nplaintext = true");
        format!("{}[upstream]\nurl = \"{url}\"\n", minimal().replace("listen = \"127.0.0.1:0\"", &lines))
    };
    for (listen, url, key) in [
        ("127.0.0.1:8443", "http://127.0.0.1:8443", "server.listen"),
        ("127.0.0.1:8443", "http://localhost:8443", "server.listen"),
        ("127.0.0.1:8443", "http://0.0.0.0:8443", "server.listen"),
        ("0.0.0.0:8443", "http://127.0.0.1:8443", "server.listen"),
        ("[::]:8443", "http://[::1]:8443", "server.listen"),
        ("10.1.2.3:80", "http://10.1.2.3", "server.listen"),
        ("127.0.0.1:8443", "http://127.0.0.1:9090", "admin.listen"),
        ("127.0.0.1:8443", "https://scim.example.com", "server.public_url"),
    ] {
        let found = mistakes(&with(listen, url));
        let expected = format!(
            "upstream.url: this is {key}, scimgate itself: requests would go in circles. Name the port of the application"
        );
        assert!(found.contains(&expected), "{listen} {url}: {found}");
    }
    for url in ["http://127.0.0.1:8080", "http://10.1.2.3:8443", "https://app.internal"] {
        let upstream = read(&with("127.0.0.1:8443", url)).unwrap().upstream.unwrap();
        assert_eq!(format!("{}://{}", upstream.scheme, upstream.authority), url);
        assert_eq!((upstream.timeout, upstream.max_requests), (Duration::from_mins(1), 1024));
    }
    for (lines, expected) in [
        ("host = \"client\"", "upstream.url: say where the application is"),
        ("url = \"127.0.0.1:8080\"", "upstream.url: this must be the URL of the application"),
        ("url = \"http://127.0.0.1:8080/app\"", "upstream.url: this must end after the port"),
        ("url = \"http://a:b@127.0.0.1:8080\"", "upstream.url: nobody can sign in for others here"),
        ("url = \"http://127.0.0.1:8080\"\nhost = \"x\"", "upstream.host: this must be \"client\""),
        ("url = \"http://127.0.0.1:8080\"\ntimeuot = \"1s\"", "upstream.timeuot: unknown key; did you mean `timeout`?"),
    ] {
        let found = mistakes(&format!("{}[upstream]\n{lines}\n", minimal()));
        assert!(found.contains(expected), "{lines}: {found}");
    }
}

#[test]
fn the_store_of_shared_limits_is_read() {
    let with = |lines: &str| format!("{}[limits.shared]\n{lines}\n", minimal());
    let shared = read(&with("url = \"rediss://limits.example.com/3\"\nusername = \"u\"\npassword = \"p\""))
        .unwrap()
        .limits
        .shared
        .unwrap();
    assert_eq!((&*shared.host, shared.port, shared.tls, shared.database), ("limits.example.com", 6379, true, 3));
    assert_eq!((&*shared.prefix, shared.timeout), ("scimgate:", Duration::from_millis(250)));
    assert_eq!(read(&with("url = \"redis://[::1]:7\"\npassword = \"p\"")).unwrap().limits.shared.unwrap().host, "::1");
    for (lines, expected) in [
        ("on_failure = \"open\"", "limits.shared.url: say where the store is"),
        ("url = \"http://x\"", "limits.shared.url: this must be the URL of a Redis or Valkey"),
        ("url = \"redis://:secret@x\"", "limits.shared.url: a URL is shown in logs"),
        ("url = \"redis://x/one\"", "limits.shared.url: after the port only the number"),
        (
            "url = \"redis://x\"\npassword = \"p\"",
            "limits.shared.url: the password would cross the network to x unprotected: use rediss://",
        ),
        ("url = \"redis://127.0.0.1\"\nusername = \"u\"", "limits.shared.username: this user's password is missing"),
        ("url = \"redis://x\"\non_failure = \"shut\"", "limits.shared.on_failure: this must be \"open\""),
        ("url = \"redis://x\"\nprefix = \"a b\"", "limits.shared.prefix: this must be up to 64"),
    ] {
        let found = mistakes(&with(lines));
        assert!(found.contains(expected) && !found.contains("secret"), "{lines}: {found}");
    }
}
