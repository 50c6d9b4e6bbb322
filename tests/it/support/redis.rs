//! A Redis of Debian's on the loopback interface, which keeps nothing on the disk.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::certificate;
use super::slapd::free_port;

/// The server, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    /// Where it speaks TLS.
    tls: Option<u16>,
    password: Option<String>,
    folder: TempDir,
    child: Option<Child>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::with(None, false).await
    }

    pub(crate) async fn with_password(password: &str) -> Self {
        Self::with(Some(password), false).await
    }

    /// With a certificate too, in `tls.crt` of its folder.
    pub(crate) async fn with_tls() -> Self {
        Self::with(None, true).await
    }

    async fn with(password: Option<&str>, tls: bool) -> Self {
        // Between the choice of a port and its use another program may take it.
        for _ in 0..5 {
            let (port, tls) = (free_port(), tls.then(free_port));
            let folder = tempfile::tempdir().unwrap();
            if tls.is_some() {
                certificate::make(folder.path());
            }
            let mut redis = Self { port, tls, password: password.map(str::to_owned), folder, child: None };
            if redis.try_begin().await {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    async fn try_begin(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.folder.path());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        if let Some(tls) = self.tls {
            command.args(["--tls-port", &tls.to_string(), "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(self.folder.path().join("tls.crt"));
            command.arg("--tls-key-file").arg(self.folder.path().join("tls.key"));
            command.arg("--tls-ca-cert-file").arg(self.folder.path().join("tls.crt"));
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() && self.ask("PING").await.starts_with("+PONG") {
                self.child = Some(child);
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.tls.map_or_else(|| format!("redis://127.0.0.1:{}", self.port), |tls| format!("rediss://127.0.0.1:{tls}"))
    }

    /// A file in its folder.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What it says to a command.
    pub(crate) async fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let sign_in = self.password.as_ref().map(|password| format!("AUTH {password}\r\n")).unwrap_or_default();
        if stream.write_all(format!("{sign_in}{command}\r\nQUIT\r\n").as_bytes()).await.is_err() {
            return String::new();
        }
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.strip_prefix("+OK\r\n").filter(|_| self.password.is_some()).unwrap_or(&answer).to_owned()
    }

    /// How often it was asked whether a budget is used up.
    pub(crate) async fn questions(&self) -> u64 {
        let told = self.ask("INFO commandstats").await;
        let calls = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.map_or(0, |rest| rest.split(',').next().unwrap().parse::<u64>().unwrap())
        };
        calls("evalsha") + calls("eval")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Begins again, where it was, with nothing in it.
    pub(crate) async fn begin_again(&mut self) {
        assert!(self.try_begin().await, "redis-server does not start again");
    }

    /// Makes it silent, or no longer.
    pub(crate) fn hold(&self, held: bool) {
        let pid = Pid::from_raw(self.child.as_ref().unwrap().id().try_into().unwrap()).unwrap();
        kill_process(pid, if held { Signal::STOP } else { Signal::CONT }).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
