//! A private OpenLDAP in a temporary folder, with the overlays a company's directory has.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{PATIENCE, Vendor, certificate};

pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=com";
pub(crate) const GROUPS: &str = "ou=groups,dc=example,dc=com";

/// The gateway's account.
pub(super) const ACCOUNT: &str = "cn=scimgate,ou=services,dc=example,dc=com";
pub(super) const PASSWORD: &str = "of the gateway";

pub(super) const ROOT: &str = "cn=root,dc=example,dc=com";
pub(super) const ROOT_PASSWORD: &str = "of the administrator";

const ORGANISATION: &str = include_str!("organisation.ldif");
const POLICY: &str = include_str!("policy.ldif");

/// What the directory is like.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a line of its configuration")]
pub(crate) struct SlapdOptions {
    /// Whether it has scimgate's schema.
    pub(crate) schema: bool,
    /// Whether it has a password policy, which locks accounts.
    pub(crate) ppolicy: bool,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// The certificate that every client must show, as PEM.
    pub(crate) clients: Option<String>,
    /// Entries beside the organisation's branches, as LDIF.
    pub(crate) entries: String,
    /// The server that it follows, from which it gets all entries.
    pub(crate) follows: Option<String>,
    /// Whether what was acknowledged survives a power cut.
    pub(crate) durable: bool,
    /// What stands in its configuration, and what is to stand there instead.
    pub(crate) otherwise: Vec<(&'static str, &'static str)>,
}

impl Default for SlapdOptions {
    fn default() -> Self {
        Self {
            schema: true,
            ppolicy: true,
            tls: false,
            clients: None,
            entries: String::new(),
            follows: None,
            durable: false,
            otherwise: Vec::new(),
        }
    }
}

impl SlapdOptions {
    /// With managed users of these names.
    pub(crate) fn with_users(names: impl IntoIterator<Item = String>) -> Self {
        let entry = |name: String| {
            let dn = user_dn(&name);
            format!(
                "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: scimgateResource\nuid: {name}@example.com\ncn: {name}\nsn: Ruiz\n\n"
            )
        };
        Self { entries: names.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// With what the server at this address has.
    pub(crate) fn following(url: &str) -> Self {
        Self { follows: Some(url.to_owned()), ..Self::default() }
    }
}

/// A managed group of users of these names.
pub(crate) fn group_ldif(name: &str, members: impl IntoIterator<Item = String>) -> String {
    let members: Vec<String> = members.into_iter().map(|member| format!("member: {}", user_dn(&member))).collect();
    let classes = "objectClass: groupOfNames\nobjectClass: scimgateResource";
    format!("dn: {}\n{classes}\ncn: {name}\n{}\n\n", group_dn(name), members.join("\n"))
}

/// A directory server, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Slapd {
    folder: TempDir,
    port: u16,
    tls_port: u16,
    tls: bool,
    child: Option<Child>,
}

/// The name of a user's entry. `name` must need no escapes.
pub(crate) fn user_dn(name: &str) -> String {
    format!("uid={name}@example.com,{PEOPLE}")
}

/// The name of a group's entry. `name` must need no escapes.
pub(crate) fn group_dn(name: &str) -> String {
    format!("cn={name},{GROUPS}")
}

impl Slapd {
    pub(crate) fn start(options: &SlapdOptions) -> Self {
        let mut slapd = Self::prepare(options);
        // Between the choice of a port and its use another program may take it.
        for _ in 0..5 {
            if slapd.launch() {
                return slapd;
            }
            (slapd.port, slapd.tls_port) = (free_port(), free_port());
        }
        panic!("slapd does not start: {}", slapd.log());
    }

    /// Two that follow each other and take writes both.
    pub(crate) fn pair(options: &SlapdOptions) -> (Self, Self) {
        let (mut one, mut other) = (Self::prepare(options), Self::prepare(&SlapdOptions::following("")));
        one.configure(&configuration(one.folder.path(), options, Some((1, &other.url()))));
        other.configure(&configuration(other.folder.path(), options, Some((2, &one.url()))));
        for slapd in [&mut one, &mut other] {
            assert!(slapd.launch(), "slapd does not start: {}", slapd.log());
        }
        (one, other)
    }

    /// Everything but the process.
    fn prepare(options: &SlapdOptions) -> Self {
        let vendor = Vendor::chosen();
        assert_eq!(vendor, Vendor::OpenLdap, "this test needs slapd: .config/nextest.toml leaves it out elsewhere");
        let folder = tempfile::tempdir().unwrap();
        // Under AppArmor the packaged program may use its own folders only; a copy elsewhere is not under that profile.
        std::fs::copy("/usr/sbin/slapd", folder.path().join("slapd")).expect("slapd is not installed");
        std::fs::create_dir(folder.path().join("data")).unwrap();
        if options.tls {
            certificate::make(folder.path());
        }
        if let Some(clients) = &options.clients {
            std::fs::write(folder.path().join("clients.crt"), clients).unwrap();
        }
        let slapd = Self { folder, port: free_port(), tls_port: free_port(), tls: options.tls, child: None };
        slapd.configure(&configuration(slapd.folder.path(), options, None));
        if options.follows.is_none() {
            let policy = if options.ppolicy { POLICY } else { "" };
            load(slapd.folder.path(), &format!("{ORGANISATION}{policy}\n{}", options.entries));
        }
        slapd
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("slapd.conf"), text).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// The address for TLS from the first byte.
    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The address for programs on the same machine.
    pub(crate) fn socket_url(&self) -> String {
        format!("ldapi://{}", self.folder.path().join("socket").display().to_string().replace('/', "%2F"))
    }

    /// The certificate by which it is known.
    pub(crate) fn certificate(&self) -> String {
        self.folder.path().join("tls.crt").display().to_string()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same port with the same data.
    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "slapd does not start again: {}", self.log());
    }

    fn launch(&mut self) -> bool {
        let at = |name: &str| self.folder.path().join(name);
        let mut urls = vec![self.url(), self.socket_url()];
        if self.tls {
            urls.push(self.tls_url());
        }
        // slapd makes a table of all the files it could open, which takes long where that is a million.
        let child = Command::new("sh")
            .args(["-c", "ulimit -n 4096; exec \"$@\"", "sh"])
            .arg(at("slapd"))
            .args(["-d", "0", "-h", &urls.join(" "), "-f"])
            .arg(at("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let child = self.child.insert(child);
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "slapd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = None;
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port below those the system gives out by itself, so that nobody gets it while the directory is stopped.
pub(super) fn free_port() -> u16 {
    loop {
        let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
        let port = 10_000 + u16::try_from(random % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What changes with every write, and the identifier of an entry that was put back.
const MARKS: [&str; 7] =
    ["entryUUID:", "entryCSN:", "contextCSN:", "createTimestamp:", "modifyTimestamp:", "creatorsName:", "modifiersName:"];

impl Slapd {
    /// The whole database as slapcat prints it, each entry's lines and the entries in order, without their marks.
    pub(super) fn dump(&self) -> Vec<Vec<String>> {
        let at = |name: &str| self.folder.path().join(name);
        let printed =
            Command::new(at("slapd")).arg("-Tcat").arg("-f").arg(at("slapd.conf")).args(["-o", "ldif-wrap=no"]).output();
        let printed = printed.unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        let text = String::from_utf8(printed.stdout).unwrap();
        let lines = |entry: &str| {
            let kept = entry.lines().filter(|line| !MARKS.iter().any(|mark| line.starts_with(mark)));
            let mut lines: Vec<String> = kept.map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let mut entries: Vec<Vec<String>> = text.split("\n\n").map(lines).filter(|lines| !lines.is_empty()).collect();
        entries.sort_unstable();
        entries
    }
}

fn load(folder: &Path, entries: &str) {
    std::fs::write(folder.join("entries.ldif"), entries).unwrap();
    let loaded = Command::new(folder.join("slapd"))
        .args(["-T", "add", "-q", "-f"])
        .arg(folder.join("slapd.conf"))
        .arg("-l")
        .arg(folder.join("entries.ldif"))
        .output()
        .unwrap();
    assert!(loaded.status.success(), "the entries were refused: {}", String::from_utf8_lossy(&loaded.stderr));
}

fn configuration(folder: &Path, options: &SlapdOptions, twin: Option<(u8, &str)>) -> String {
    let only = |wanted: bool, text: &str| if wanted { text.to_owned() } else { String::new() };
    let schema = format!("include \"{}/config/schema/scimgate.schema\"", env!("CARGO_MANIFEST_DIR"));
    let policy = "overlay ppolicy\nppolicy_default \"cn=default,ou=policies,dc=example,dc=com\"\nppolicy_use_lockout";
    let provider = options.follows.as_deref().or(twin.map(|(_, url)| url));
    let follow = |url: &str| {
        // Each server's own overlay keeps memberOf.
        let line = format!(
            "syncrepl rid=001 provider=\"{url}\" type=refreshAndPersist searchbase=\"dc=example,dc=com\" retry=\"1 +\" \
             exattrs=memberOf bindmethod=simple binddn=\"{ROOT}\" credentials=\"{ROOT_PASSWORD}\""
        );
        if twin.is_some() { format!("{line}\nmultiprovider on") } else { line }
    };
    let verify = format!("\nTLSCACertificateFile \"{}/clients.crt\"\nTLSVerifyClient demand", folder.display());
    let text = format!(
        include_str!("slapd.conf"),
        folder = folder.display(),
        schema = only(options.schema, &schema),
        external_id = only(options.schema, ",scimgateExternalId"),
        tls = only(
            options.tls,
            &format!("TLSCertificateFile \"{0}/tls.crt\"\nTLSCertificateKeyFile \"{0}/tls.key\"", folder.display())
        ) + &only(options.clients.is_some(), &verify),
        server_id = twin.map(|(number, _)| format!("serverID {number}")).unwrap_or_default(),
        replication = provider.map(follow).unwrap_or_default(),
        // A test that kills slapd does not cut the power of the machine.
        durability = only(!options.durable, "dbnosync"),
        ppolicy_module = only(options.ppolicy, "moduleload ppolicy"),
        ppolicy_overlay = only(options.ppolicy, policy),
        root = ROOT,
        root_password = ROOT_PASSWORD,
        account = ACCOUNT,
    );
    options.otherwise.iter().fold(text, |text, (one, other)| {
        assert!(text.contains(one), "the configuration has no `{one}`");
        text.replace(one, other)
    })
}
