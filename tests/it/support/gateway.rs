//! The program itself, as an administrator would run it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{Client, Directory, PATIENCE, Site, Tls, certificate, until};

/// The key of the client `ping`, which may do everything.
pub(crate) const KEY: &str = "scimgate_the-key-of-ping";

/// The program.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_scimgate"))
}

/// What differs from the configuration an administrator would begin with.
#[derive(Debug, Default)]
pub(crate) struct GatewayOptions {
    variables: Vec<(String, String)>,
    keys: String,
    tls: bool,
    external: bool,
}

impl GatewayOptions {
    /// Sets a key such as `server.drain`.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("SCIMGATE__{}", key.replace('.', "__").to_uppercase());
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Adds an API key. `rest` is further lines of TOML.
    pub(crate) fn key(mut self, client: &str, key: &str, rest: &str) -> Self {
        self.keys.push_str(&key_lines(client, key, rest));
        self
    }

    /// Adds lines of TOML as they are, as the command line prints them for a new key.
    pub(crate) fn lines(mut self, lines: &str) -> Self {
        self.keys.push_str(lines);
        self
    }

    /// Signs in to the directory as the user of the operating system it runs as.
    pub(crate) fn external(mut self) -> Self {
        self.external = true;
        self
    }

    /// Serves over TLS to clients that show this certificate.
    pub(crate) fn mutual_tls(self, certificate: &std::path::Path) -> Self {
        self.tls().set("server.tls.client_ca", &certificate.display().to_string())
    }

    /// Serves over TLS with a certificate of its own.
    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// A running gateway. It is asked to end when it is dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    scim: String,
    admin: String,
    certificate: Option<String>,
    site: Site,
    log: Log,
    folder: TempDir,
}

impl Gateway {
    /// Starts it before a directory, and returns as soon as it listens.
    pub(crate) async fn before(directory: &Directory, options: GatewayOptions) -> Self {
        Self::start(options, directory.site()).await
    }

    /// The same with the address of a slapd.
    pub(crate) async fn start(options: GatewayOptions, site: impl Into<Site>) -> Self {
        let site = site.into();
        let folder = tempfile::tempdir().unwrap();
        let mut text = configuration(&site, options.external);
        let certificate = options.tls.then(|| certificate::make(folder.path()));
        if certificate.is_some() {
            text.push_str("[server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n");
        }
        text.push_str(&key_lines("ping", KEY, ""));
        text.push_str(&options.keys);
        let file = folder.path().join("scimgate.toml");
        std::fs::write(&file, text).unwrap();
        certificate::keep_secret(&file);
        let mut child = program()
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .envs(options.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::collect(child.stderr.take().unwrap());
        let Some(line) = log.line(|line| line["message"] == "serving").await else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the gateway does not start:\n{log}");
        };
        let address = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
        let scheme = if certificate.is_some() { "https" } else { "http" };
        Self {
            scim: format!("{scheme}://{}/scim/v2", address("scim")),
            admin: format!("http://{}", address("admin")),
            child,
            certificate,
            site,
            log,
            folder,
        }
    }

    /// Waits until it has the directory's answer, as a load balancer would.
    pub(crate) async fn ready(&self) {
        until("the gateway is ready", async || self.admin("/readyz").await.0 == 200).await;
    }

    /// A client that signs in with this key.
    pub(crate) fn client(&self, key: &str) -> Client {
        self.client_over(key, Tls::default())
    }

    /// The same, with a choice of protocols.
    pub(crate) fn client_over(&self, key: &str, tls: Tls<'_>) -> Client {
        Client::new(&self.scim, key, self.certificate.as_deref(), tls).within(self.site.domain.clone())
    }

    /// The address of the SCIM listener.
    pub(crate) fn address(&self) -> &str {
        self.scim.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap()
    }

    /// A file in the folder of the configuration.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("scimgate.toml")
    }

    /// Where the administrator's listener is.
    pub(crate) fn admin_address(&self) -> &str {
        self.admin.trim_start_matches("http://")
    }

    /// Status and body of a page for the administrator.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        Client::new(&self.admin, "", None, Tls::default()).page(path).await
    }

    /// Status and JSON of a request to the administrator's listener, with a key or without.
    pub(crate) async fn administrate(&self, method: Method, path: &str, key: &str) -> (u16, Value) {
        let request = Client::new(&self.admin, key, None, Tls::default()).request(method, path);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Whether the metrics have this line.
    pub(crate) async fn measures(&self, line: &str) -> bool {
        self.admin("/metrics").await.1.lines().any(|found| found == line)
    }

    /// How many LDAP operations ended so, at all servers together.
    pub(crate) async fn operations(&self, operation: &str, result: &str) -> u64 {
        let (_, text) = self.admin("/metrics").await;
        let wanted = format!("operation=\"{operation}\",result=\"{result}\"}} ");
        let counted = text.lines().filter(|line| line.starts_with("scimgate_directory_operations_total{"));
        counted.filter_map(|line| line.split_once(&wanted)).map(|(_, count)| count.parse::<u64>().unwrap()).sum()
    }

    /// The first such line of the log, which comes after what it tells of.
    pub(crate) async fn logged(&self, is: impl Fn(&Value) -> bool) -> Value {
        self.log.line(is).await.unwrap_or_else(|| panic!("no such line:\n{}", self.log))
    }

    /// The log so far, one value a line.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.parsed()
    }

    /// The process, for what the operating system counts of it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway does not end:\n{}", self.log);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log);
        }
        // A process that has ended may have given its number to another.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.ask_to_end();
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What the process wrote to standard error.
#[derive(Debug, Default)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn collect(stderr: ChildStderr) -> Self {
        let log = Self::default();
        let lines = log.lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        log
    }

    fn parsed(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"))).collect()
    }

    /// The first such line, once it is there; `None` if it does not come.
    async fn line(&self, is: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Looked at first, so that nothing can come after the lines are read.
            let ended = self.is_complete() || Instant::now() > deadline;
            let lines = self.lines.lock().unwrap().clone();
            let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = parsed.into_iter().find(&is);
            if found.is_some() || ended {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the process has closed it. The thread that reads it holds the other reference until then.
    fn is_complete(&self) -> bool {
        Arc::strong_count(&self.lines) == 1
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lines.lock().unwrap().join("\n"))
    }
}

fn configuration(site: &Site, external: bool) -> String {
    let Site { vendor, url, ca, account, password, people, groups, .. } = site;
    let account = if external { String::new() } else { format!("bind_dn = \"{account}\"\nbind_password = \"{password}\"") };
    let ca = ca.as_ref().map(|ca| format!("ca = \"{ca}\"")).unwrap_or_default();
    let more = vendor.configuration();
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
drain = "200ms"
[admin]
listen = "127.0.0.1:0"
[directory]
urls = ["{url}"]
{ca}
{account}
[users]
base = "{people}"
[groups]
base = "{groups}"
{more}
[limits]
requests_per_second = 0
"#
    )
}

fn key_lines(client: &str, key: &str, rest: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let hex = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("[[auth.api_keys]]\nname = \"{client}\"\nhash = \"sha256:{hex}\"\n{rest}\n")
}
