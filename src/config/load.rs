//! From the file and the environment to a configuration.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use tracing::level_filters::LevelFilter;
use url::Url;

use super::audit::audit;
use super::credentials::{certificates, header_forms};
use super::directory::directory;
use super::issuers::issuers;
use super::node::{self, Value};
use super::oauth::oauth;
use super::provisioning::{ProvisioningRules, adoption, on_delete, protected, provisioning, rails, roles};
use super::reader::{Environment, Report, Section};
use super::shared_limits::shared_limits;
use super::traces::traces;
use super::upstream::{Own, upstream};
use super::{Config, ConfigError, DataConfig};
use crate::admin::{AdminConfig, Digest, Kept, Provisioning, SetHere, State};
use crate::auth::{ApiKeyConfig, AuthConfig, OAuthClientConfig, OAuthConfig, Scope, Scopes, is_client_name};
use crate::directory::Dn;
use crate::http::{ClientPolicy, ForwardedHeader, GroupPatchAnswer, HttpConfig, Proxies, ProxyProtocol, TlsConfig};
use crate::limit::{LimitConfig, Rate, Rates};
use crate::mapping::{ActiveRule, ContainerConfig, MappingConfig, Mark, OnDelete, Passwords};
use crate::membership::CacheConfig;
use crate::scim::{Budgets, Tolerance, ToleranceSet};
use crate::service::{CursorConfig, Omitted, ServiceConfig, ShadowConfig};
use crate::telemetry::{LogConfig, LogFormat};

pub(super) const SECOND: Duration = Duration::from_secs(1);

impl Config {
    /// Reads the file and lays the process's variables `SCIMGATE__SECTION__KEY` over it.
    ///
    /// # Errors
    /// Every mistake, each with its place and what to do.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError(vec![format!("{}: {error}", path.display())]))?;
        Self::read(path, &text, &Environment::new(std::env::vars()))
    }

    /// `admin.listen` alone, and its default where that cannot be told: a server that runs may have read the file before it was
    /// spoiled.
    pub fn admin_listen(path: &Path) -> SocketAddr {
        let environment = Environment::new(std::env::vars());
        let mut table = std::fs::read_to_string(path).ok().and_then(|text| node::parse(&text).ok()).unwrap_or_default();
        node::overlay(&mut table, environment.variables());
        admin(Section::root(table, &Report::new(path, None)).section("admin")).listen
    }

    fn read(path: &Path, text: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let report = Report::new(path, environment.get("CREDENTIALS_DIRECTORY"));
        let mut table = node::parse(text).map_err(|(place, what)| {
            report.note(place.as_ref(), format!("not TOML: {what}"));
            ConfigError(report.lines())
        })?;
        node::overlay(&mut table, environment.variables());
        let mut root = Section::root(table, &report);
        let config = config(&mut root, environment);
        root.finish();
        let lines = report.lines();
        match config {
            Some(config) if lines.is_empty() => Ok(Self { secret_files: report.into_secret_files(), ..config }),
            Some(_) | None => Err(ConfigError(lines)),
        }
    }
}

/// `None` where something that has no default is missing or wrong; the report says what.
fn config(root: &mut Section<'_>, environment: &Environment) -> Option<Config> {
    let (mut limits, budgets, max_body) = limits(root.section("limits"), environment);
    let mut server = server(root.section("server"), max_body);
    let mut admin = admin(root.section("admin"));
    let console = admin.kept.as_ref().map(|kept| kept.state.clone()).unwrap_or_default();
    let own = Own {
        listen: [("server.listen", server.listen), ("admin.listen", admin.listen)],
        public_url: server.public_url.as_deref(),
    };
    let upstream = upstream(root.section("upstream"), &own);
    let directory = directory(root.section("directory"), environment);
    let (user_side, user_extensions) = users(root.section("users"));
    let (groups, group_extensions) = groups(root.section("groups"), console.provisioning, &mut admin.set);
    let provisioning = provisioning(root.section("provisioning"), console.provisioning, &mut admin.set);
    server.enabled = provisioning.enabled;
    let people = user_side.as_ref().map(|(users, _)| &users.base);
    let auth = auth(root.section("auth"), &server, people, (environment, admin.kept.is_some()));
    let auth = with_made(auth, &console);
    let clients = clients(root.named_sections("clients"), &mut limits);
    let (cache, stale) = cache(root.section("cache"));
    server.stale = stale;
    let group_base = groups.as_ref().map(|(groups, _)| &groups.base);
    let roles = roles(root, group_base);
    let default_groups = provisioning.default_groups.iter().map(|group| ("provisioning.default_groups", group));
    let joined: Vec<(&str, &Dn)> = default_groups.chain(roles.iter().map(|role| ("[roles]", &role.group))).collect();
    let protected = protected(root.section("protected"), &joined);
    let adoption = adoption(root.section("adoption"));
    let rails = rails(root.section("rails"));
    let audit = audit(root.section("audit"));
    let mask = audit.as_ref().map(|audit| audit.mask.clone());
    let service = ServiceConfig {
        budgets,
        cache,
        cursors: cursors(root.section("cursors"), environment),
        protected,
        rails,
        role_groups: !roles.is_empty(),
        shadow: provisioning.shadow.map(|limit| ShadowConfig { limit, mask: mask.unwrap_or_default() }),
    };
    let log = log(root.section("log"));
    let traces = traces(root.section("traces"), environment);
    let folder = folder(root.section("data"));
    let (users, UserRules { mark, active, passwords, on_delete }) = user_side?;
    let (groups, GroupRules { sync: groups_sync, nested: groups_nested, member_of, placeholder }) = groups?;
    let ProvisioningRules { enabled: _, user_name, existing_users, default_groups, shadow: _ } = provisioning;
    let mapping = MappingConfig {
        users,
        groups,
        groups_sync,
        groups_nested,
        member_of,
        placeholder,
        user_name,
        existing_users,
        default_groups,
        roles,
        mark,
        active,
        passwords,
        on_delete,
    };
    let data = DataConfig { folder, user_extensions, group_extensions };
    Some(Config {
        server,
        admin,
        upstream,
        directory,
        mapping,
        adoption,
        data,
        auth,
        clients,
        limits,
        service,
        audit,
        log,
        traces,
        secret_files: Vec::new(),
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "this must be an address and a port, such as \"0.0.0.0:8443\" or \"[::]:8443\"".to_owned())
}

fn server(mut section: Section<'_>, max_body: usize) -> HttpConfig {
    let place = section.place_of("listen");
    let listen = section.parsed("listen", address).or(place.is_none().then_some(SocketAddr::from(([0, 0, 0, 0], 8443))));
    let public_url = section.parsed("public_url", |text| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
        let url = url.ok_or("this must be the URL that clients reach scimgate by, such as \"https://scim.example.com\"")?;
        Ok(url.as_str().trim_end_matches('/').to_owned())
    });
    let plaintext = section.flag("plaintext", false);
    let mut tls_section = section.section("tls");
    let tls = if tls_section.is_present() {
        let certificate = tls_section.required_path("certificate", "\"tls.crt\"");
        let private_key = tls_section.required_path("private_key", "\"tls.key\"");
        tls_section.note_secret("private_key", private_key.as_ref());
        let client_ca = tls_section.path("client_ca");
        let place = tls_section.place_of("client_certificates");
        let required = tls_section.parsed("client_certificates", |text| match text {
            "required" => Ok(true),
            "optional" => Ok(false),
            _ => Err("this must be \"required\" or \"optional\"".to_owned()),
        });
        if required.is_some() && client_ca.is_none() {
            let what = "name the authorities that sign clients' certificates: client_ca = \"clients.pem\"";
            tls_section.note(place.as_ref(), "client_certificates", what);
        }
        let certificates_required = required.unwrap_or(true);
        let files = certificate.zip(private_key);
        Some(files.map(|(certificate, private_key)| TlsConfig { certificate, private_key, client_ca, certificates_required }))
    } else {
        None
    };
    tls_section.finish();
    if let (None, Some(listen), false) = (&tls, listen, plaintext)
        && !listen.ip().is_loopback()
    {
        section.note(
            place.as_ref(),
            "listen",
            "without [server.tls], tokens would cross the network unprotected: add [server.tls] with certificate and private_key, \
             listen on a loopback address, or set server.plaintext = true where something else terminates TLS",
        );
    }
    let (proxies, proxy_protocol) = proxies(&mut section);
    let config = HttpConfig {
        // Where it is wrong, that has been noted and the whole is refused.
        listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
        enabled: true,
        public_url,
        handshake_timeout: section.duration("handshake_timeout", 10 * SECOND),
        header_timeout: section.duration("header_timeout", 60 * SECOND),
        request_timeout: section.duration("request_timeout", 55 * SECOND),
        max_connections: section.number("max_connections", 1024, 1),
        linger: section.pause("linger"),
        drain: section.duration("drain", 30 * SECOND),
        watch_files: section.flag("watch_files", true),
        proxies,
        proxy_protocol,
        max_body,
        stale: None,
        tls: tls.flatten(),
    };
    section.finish();
    config
}

fn proxies(section: &mut Section<'_>) -> (Proxies, ProxyProtocol) {
    let network = |text: &str| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("`{text}` is no network, such as \"10.0.0.0/8\" or \"fd00::1\""))
    };
    let trusted = section.list("trusted_proxies", network).unwrap_or_default();
    let header = section.parsed("forwarded_header", |text| match text {
        "x-forwarded-for" => Ok(ForwardedHeader::XForwardedFor),
        "forwarded" => Ok(ForwardedHeader::Forwarded),
        _ => Err("this must be \"x-forwarded-for\" or \"forwarded\" (RFC 7239)".to_owned()),
    });
    let place = section.place_of("proxy_protocol");
    let protocol = section.parsed("proxy_protocol", |text| match text {
        "off" => Ok(ProxyProtocol::Off),
        "v1" => Ok(ProxyProtocol::V1),
        "v2" => Ok(ProxyProtocol::V2),
        "any" => Ok(ProxyProtocol::Any),
        _ => Err("this must be \"off\", \"v1\", \"v2\" or \"any\"".to_owned()),
    });
    let protocol = protocol.unwrap_or_default();
    if protocol != ProxyProtocol::Off && trusted.is_empty() {
        let what = "say which proxies speak it, for it is believed of no others: trusted_proxies = [\"10.0.0.0/8\"]";
        section.note(place.as_ref(), "proxy_protocol", what);
    }
    (Proxies { trusted, header: header.unwrap_or_default() }, protocol)
}

fn admin(mut section: Section<'_>) -> AdminConfig {
    let default = SocketAddr::from(([127, 0, 0, 1], 9090));
    let listen = section.parsed("listen", address).unwrap_or(default);
    let host = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        if plain {
            Ok(text.to_ascii_lowercase())
        } else {
            Err("this must be a host's name without a port, such as \"scim-admin.example.com\"".to_owned())
        }
    };
    let hosts = section.list("hosts", host).unwrap_or_default();
    let place = section.place_of("state");
    let kept = section.path("state").map(|path| match State::read(&path) {
        Ok(state) => Kept { path, state },
        Err(what) => {
            section.note(place.as_ref(), "state", what);
            Kept { path, state: State::default() }
        }
    });
    section.finish();
    AdminConfig { listen, hosts, kept, set: SetHere::default() }
}

/// With the keys and clients that were made in the console. Its clients need the authorization server that the configuration has.
fn with_made(mut auth: AuthConfig, console: &State) -> AuthConfig {
    auth.api_keys.extend(console.keys.iter().map(|made| ApiKeyConfig {
        name: made.name.as_str().into(),
        digest: made.hash.0,
        scopes: made.scopes,
        expires: made.expires,
    }));
    if let Some(oauth) = &mut auth.oauth {
        oauth.clients.extend(console.clients.iter().map(|made| OAuthClientConfig {
            id: made.id.as_str().into(),
            digest: made.hash.0,
            scopes: made.scopes,
            redirect_uris: Vec::new(),
            pkce: true,
        }));
    }
    auth
}

pub(super) fn dn(text: &str) -> Result<Dn, String> {
    text.parse().map_err(|error: crate::directory::InvalidDn| error.to_string())
}

fn container(section: &mut Section<'_>, example: &str) -> (Option<ContainerConfig>, Vec<std::path::PathBuf>) {
    let place = section.place_of("base");
    let base = section.required("base", example);
    let base = base.and_then(|text| match dn(&text) {
        Ok(base) if base.is_root() => {
            section.note(place.as_ref(), "base", format!("this must name a branch of the directory, for example {example}"));
            None
        }
        Ok(base) => Some(base),
        Err(error) => {
            section.note(place.as_ref(), "base", error);
            None
        }
    });
    let word = |text: &str| {
        let name: Result<crate::directory::AttributeName, _> = text.parse();
        name.map(|_| text.to_owned()).map_err(|_| "this must be the name of an object class".to_owned())
    };
    let object_classes = section.list("object_classes", word).filter(|classes| !classes.is_empty());
    let name = |text: &str| {
        let name: Result<crate::directory::AttributeName, _> = text.parse();
        name.map(|_| text.to_owned()).map_err(|error| error.to_string())
    };
    let rdn = section.parsed("rdn", name);
    let attributes = section.texts("attributes");
    let extensions = section.paths("extensions");
    (base.map(|base| ContainerConfig { base, object_classes, rdn, attributes }), extensions)
}

type UserSide = Option<(ContainerConfig, UserRules)>;

/// What holds of users beside where they are.
struct UserRules {
    mark: Option<Mark>,
    active: ActiveRule,
    passwords: Passwords,
    on_delete: OnDelete,
}

fn users(mut section: Section<'_>) -> (UserSide, Vec<std::path::PathBuf>) {
    let (container, extensions) = container(&mut section, "\"ou=people,dc=example,dc=com\"");
    let passwords = section.parsed("password", |text| match text {
        "off" => Ok(Passwords::Off),
        "store" => Ok(Passwords::Store),
        _ => Err("this must be \"off\" or \"store\"".to_owned()),
    });
    let base = container.as_ref().map(|container| &container.base);
    let rules = UserRules {
        mark: mark(&mut section),
        active: active(&mut section),
        passwords: passwords.unwrap_or_default(),
        on_delete: on_delete(&mut section, base),
    };
    section.finish();
    (container.map(|container| (container, rules)), extensions)
}

fn mark(section: &mut Section<'_>) -> Option<Mark> {
    let mut mark = section.section("mark");
    if !mark.is_present() {
        return None;
    }
    let attribute = mark.required("attribute", "\"businessCategory\"");
    let value = mark.required("value", "\"scim\"");
    mark.finish();
    attribute.zip(value).map(|(attribute, value)| Mark { attribute, value })
}

fn active(section: &mut Section<'_>) -> ActiveRule {
    let Some(node) = section.take("active") else { return ActiveRule::Auto };
    let wrong = "this must be \"auto\", \"ppolicy\", or a table { attribute = \"…\", enabled = \"…\", disabled = \"…\" }";
    match node.value {
        Value::Text(word) | Value::Raw(word) => match word.as_str() {
            "auto" => ActiveRule::Auto,
            "ppolicy" => ActiveRule::Ppolicy,
            _ => {
                section.note(Some(&node.place), "active", wrong);
                ActiveRule::Auto
            }
        },
        Value::Table(table) => {
            let mut rule = section.node_section("active", table, node.place);
            let name = rule.required("attribute", "\"scimgateActive\"");
            let enabled = rule.text("enabled").unwrap_or_else(|| "TRUE".to_owned());
            let disabled = rule.text("disabled").unwrap_or_else(|| "FALSE".to_owned());
            rule.finish();
            name.map_or(ActiveRule::Auto, |name| ActiveRule::Attribute { name, enabled, disabled })
        }
        Value::Integer(_) | Value::Boolean(_) | Value::Time(_) | Value::List(_) | Value::Other => {
            section.note(Some(&node.place), "active", wrong);
            ActiveRule::Auto
        }
    }
}

type GroupSide = Option<(ContainerConfig, GroupRules)>;

/// What holds of groups beside where they are.
struct GroupRules {
    sync: bool,
    nested: bool,
    member_of: Option<bool>,
    placeholder: String,
}

fn groups(mut section: Section<'_>, console: Provisioning, set: &mut SetHere) -> (GroupSide, Vec<std::path::PathBuf>) {
    let (container, extensions) = container(&mut section, "\"ou=groups,dc=example,dc=com\"");
    let sync;
    (sync, set.sync_groups) = section.switch("sync", true, console.sync_groups);
    let rules = GroupRules {
        sync,
        nested: section.flag("nested", false),
        member_of: section.optional_flag("member_of"),
        placeholder: section.parsed("placeholder", |text| dn(text).map(|_| text.to_owned())).unwrap_or_default(),
    };
    section.finish();
    (container.map(|container| (container, rules)), extensions)
}

fn auth(
    mut section: Section<'_>,
    server: &HttpConfig,
    people: Option<&Dn>,
    (environment, has_console): (&Environment, bool),
) -> AuthConfig {
    let keys = section.sections("api_keys");
    let oauth_section = section.section("oauth");
    let asks_certificates = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let certificates = certificates(&mut section, asks_certificates);
    let own = server.public_url.as_deref().filter(|_| oauth_section.is_present());
    let by_issuers = section.place_of("issuers").is_some();
    let issuers = issuers(&mut section, own, environment);
    if keys.is_empty() && !oauth_section.is_present() && certificates.is_empty() && !by_issuers {
        section.note(
            None,
            "api_keys",
            "nobody could sign in: `scimgate key new --name ping` makes a key and prints the lines to add",
        );
    }
    let api_keys = keys.into_iter().filter_map(api_key).collect();
    let oauth = oauth(oauth_section, server.public_url.as_deref(), people, has_console);
    let oauth = oauth.map(|oauth| OAuthConfig { certificates: asks_certificates, ..oauth });
    let forms = header_forms(&mut section);
    section.finish();
    AuthConfig { api_keys, oauth, forms, certificates, issuers }
}

pub(super) fn client_name(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let place = section.place_of(key);
    section.required(key, "\"ping\"").filter(|name| {
        let good = is_client_name(name);
        if !good {
            section.note(place.as_ref(), key, "this must be up to 64 letters, digits, `-`, `_` and `.`");
        }
        good
    })
}

/// The list of scopes, if there is one.
pub(super) fn scopes(section: &mut Section<'_>) -> Option<Scopes> {
    let scopes = section.list("scopes", |text| text.parse::<Scope>().map_err(|error| error.to_string()));
    scopes.map(|scopes| scopes.into_iter().collect())
}

pub(super) fn digest_of(section: &mut Section<'_>, key: &'static str) -> Option<[u8; 32]> {
    let place = section.place_of(key);
    let text = section.required(key, "\"sha256:…\"")?;
    let digest = digest(&text);
    if digest.is_none() {
        let what = "this must be \"sha256:\" and 64 hexadecimal digits, as `scimgate key new` prints it; never the key itself";
        section.note(place.as_ref(), key, what);
    }
    digest
}

fn api_key(mut section: Section<'_>) -> Option<ApiKeyConfig> {
    let name = client_name(&mut section, "name");
    let digest = digest_of(&mut section, "hash");
    let scopes = scopes(&mut section).unwrap_or_else(Scopes::all);
    let expires = expires(&mut section);
    section.finish();
    Some(ApiKeyConfig { name: name?.into(), digest: digest?, scopes, expires })
}

pub(super) fn digest(text: &str) -> Option<[u8; 32]> {
    Digest::parse(text).map(|digest| digest.0)
}

/// A date is the first day on which the key no longer works, in UTC.
pub(super) fn expires(section: &mut Section<'_>) -> Option<Timestamp> {
    let node = section.take("expires")?;
    let instant = match &node.value {
        Value::Time(text) | Value::Text(text) | Value::Raw(text) => {
            let day = || Offset::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok();
            text.parse::<Timestamp>().ok().or_else(day)
        }
        Value::Integer(_) | Value::Boolean(_) | Value::List(_) | Value::Table(_) | Value::Other => None,
    };
    if instant.is_none() {
        section.note(
            Some(&node.place),
            "expires",
            "this must be a date such as 2027-02-22, or a time such as 2027-02-22T12:00:00Z",
        );
        // Better no key than one that lives for ever by a slip.
        return Some(Timestamp::UNIX_EPOCH);
    }
    instant
}

fn clients(sections: Vec<(String, Section<'_>)>, limits: &mut LimitConfig) -> HashMap<Arc<str>, ClientPolicy> {
    let mut client = |(name, mut section): (String, Section<'_>)| {
        let mut tolerances = if section.flag("strict", false) { ToleranceSet::none() } else { ToleranceSet::all() };
        let named = |text: &str| {
            let found = Tolerance::ALL.iter().copied().find(|tolerance| tolerance.name() == text);
            let names = || Tolerance::ALL.iter().map(|tolerance| tolerance.name()).collect::<Vec<_>>().join(", ");
            found.ok_or_else(|| format!("`{text}` is no tolerance; there are {}", names()))
        };
        for tolerance in section.list("accept", named).unwrap_or_default() {
            tolerances.insert(tolerance);
        }
        for tolerance in section.list("refuse", named).unwrap_or_default() {
            tolerances.remove(tolerance);
        }
        let group_patch = section.parsed("group_patch", |text| match text {
            "none" => Ok(GroupPatchAnswer::Nothing),
            "resource" => Ok(GroupPatchAnswer::Resource),
            _ => Err("this must be \"none\" (204) or \"resource\" (200)".to_owned()),
        });
        let put_omitted = section.parsed("put_omitted", |text| match text {
            "clear" => Ok(Omitted::Clear),
            "keep" => Ok(Omitted::Keep),
            _ => Err("this must be \"clear\" or \"keep\"".to_owned()),
        });
        let derive_missing = section.flag("derive_missing", false);
        let rates = rates(&mut section, limits.client);
        if rates != limits.client {
            limits.clients.insert(name.as_str().into(), rates);
        }
        section.finish();
        let policy = ClientPolicy {
            tolerances,
            group_patch: group_patch.unwrap_or_default(),
            put_omitted: put_omitted.unwrap_or_default(),
            derive_missing,
        };
        (name.into(), policy)
    };
    sections.into_iter().map(&mut client).collect()
}

fn limits(mut section: Section<'_>, environment: &Environment) -> (LimitConfig, Budgets, usize) {
    let default = Budgets::default();
    let default_rates = Rates { requests: Rate { per_second: 100, burst: 200 }, writes: Rate { per_second: 0, burst: 200 } };
    let rates = LimitConfig {
        client: rates(&mut section, default_rates),
        clients: HashMap::new(),
        failures_per_minute: section.number("failures_per_minute", 60, 0),
        shared: shared_limits(section.section("shared"), environment),
    };
    let max_body = section.size("max_body", 8 << 20);
    let budgets = Budgets {
        filter_length: section.size("filter_length", default.filter_length),
        filter_depth: section.number("filter_depth", default.filter_depth, 1),
        filter_terms: section.number("filter_terms", default.filter_terms, 1),
        patch_operations: section.number("patch_operations", default.patch_operations, 1),
        json_depth: section.number("json_depth", default.json_depth, 4),
        max_results: section.number("max_results", default.max_results, 1),
        default_results: section.number("default_results", default.default_results, 1),
        bulk_operations: section.number("bulk_operations", default.bulk_operations, 1),
        bulk_payload: section.size("bulk_payload", default.bulk_payload),
    };
    section.finish();
    (rates, budgets, max_body)
}

/// The rates of a client; what is not said is as by default.
fn rates(section: &mut Section<'_>, default: Rates) -> Rates {
    Rates {
        requests: Rate {
            per_second: section.number("requests_per_second", default.requests.per_second, 0),
            burst: section.number("burst", default.requests.burst, 1),
        },
        writes: Rate {
            per_second: section.number("writes_per_second", default.writes.per_second, 0),
            burst: section.number("writes_burst", default.writes.burst, 1),
        },
    }
}

/// What is remembered, and for how long earlier answers may be given once more.
fn cache(mut section: Section<'_>) -> (CacheConfig, Option<Duration>) {
    let cache = CacheConfig {
        capacity: section.number("capacity", 300_000, 0),
        ttl: section.duration("ttl", 300 * SECOND),
        blind_ttl: section.duration("blind_ttl", 2 * SECOND),
        feed: section.flag("feed", true),
        entries: section.optional_flag("entries"),
    };
    let stale = section.duration("stale", Duration::ZERO);
    section.finish();
    (cache, (!stale.is_zero()).then_some(stale))
}

fn cursors(mut section: Section<'_>, environment: &Environment) -> CursorConfig {
    let key = section.secret(["key", "key_file", "key_env"], environment);
    if key.as_ref().is_some_and(|key| key.expose().len() < 16) {
        section.note(None, "key", "this must be 16 characters or more, the same on every replica");
    }
    let cursors = CursorConfig { key, lifetime: section.duration("lifetime", 600 * SECOND) };
    section.finish();
    cursors
}

fn log(mut section: Section<'_>) -> LogConfig {
    let format = section.parsed("format", |text| match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("this must be \"auto\", \"text\" or \"json\"".to_owned()),
    });
    let level = section.parsed("level", |text| {
        text.parse::<LevelFilter>().map_err(|_| "this must be \"error\", \"warn\", \"info\", \"debug\" or \"off\"".to_owned())
    });
    section.finish();
    LogConfig { format: format.unwrap_or(LogFormat::Auto), level: level.unwrap_or(LevelFilter::INFO) }
}

fn folder(mut section: Section<'_>) -> Option<std::path::PathBuf> {
    let folder = section.path("folder");
    section.finish();
    folder
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
