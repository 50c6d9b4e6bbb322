//! The configuration is read again, and the program ends and begins, while clients go on asking.

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SerialNumber};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Client, Fixture, GatewayOptions, KEY, Tls, until};

/// Requests that are made one after the other until it is over, on several connections side by side.
struct Load {
    over: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<String>>,
}

impl Load {
    fn begin(clients: Vec<Client>, user: &str) -> Self {
        let (over, made, mut tasks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), JoinSet::new());
        for (n, client) in clients.into_iter().enumerate() {
            let (over, made, path) = (over.clone(), made.clone(), format!("/Users/{user}"));
            tasks.spawn(async move {
                let mut failed = Vec::new();
                let mut turn = n;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    let request = if turn % 8 == 0 {
                        let change = json!([{ "op": "replace", "path": "title", "value": format!("{n}-{turn}") }]);
                        client.try_send(client.request(reqwest::Method::PATCH, &path).json(&crate::support::patch_body(&change)))
                    } else {
                        client.try_send(client.request(reqwest::Method::GET, &path))
                    };
                    match request.await {
                        Ok(answer) if answer.status == 200 => {}
                        Ok(answer) => failed.push(format!("{}: {}", answer.status, answer.body)),
                        Err(error) => failed.push(format!("{error:?}")),
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
                failed
            });
        }
        Self { over, made, tasks }
    }

    /// Waits until so many more requests were made.
    async fn go_on(&self, more: usize) {
        let goal = self.made.load(Ordering::Relaxed) + more;
        until("requests are answered", async || self.made.load(Ordering::Relaxed) >= goal).await;
    }

    async fn end(mut self, what: &str) {
        self.over.store(true, Ordering::Relaxed);
        let mut failed = Vec::new();
        while let Some(of_one) = self.tasks.join_next().await {
            failed.extend(of_one.unwrap());
        }
        println!("{what}: {} requests, {} failed", self.made.load(Ordering::Relaxed), failed.len());
        assert_eq!(failed, Vec::<String>::new(), "{what}");
    }
}

/// A certificate of the same key, and so trusted by whoever trusts the first one, that ends on another day.
fn renew(folder: &Path, year: i32) {
    let key = KeyPair::from_pem(&std::fs::read_to_string(folder.join("tls.key")).unwrap()).unwrap();
    let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    parameters.serial_number = Some(SerialNumber::from(u64::try_from(year).unwrap()));
    let certificate = parameters.self_signed(&key).unwrap().pem();
    // As certbot and kubelet do: the file is replaced, not written to.
    std::fs::write(folder.join("new.crt"), certificate).unwrap();
    std::fs::rename(folder.join("new.crt"), folder.join("tls.crt")).unwrap();
}

fn hang_up(fixture: &Fixture) {
    kill_process(Pid::from_raw(fixture.gateway.pid().try_into().unwrap()).unwrap(), Signal::HUP).unwrap();
}

pub(crate) async fn loaded(fixture: &Fixture, times: usize) {
    let line = format!("scimgate_config_loads_total{{result=\"success\"}} {times}");
    until("it is read again", async || fixture.gateway.measures(&line).await).await;
}

/// Whether so many connections to the directory were made since the start.
async fn connected(fixture: &Fixture, times: usize) {
    let made = || fixture.gateway.log().into_iter().filter(|line| line["message"] == "connected to the directory").count();
    until("every connection is made", async || made() >= times).await;
    assert_eq!(made(), times);
}

/// Puts another text in the place of the configuration.
pub(crate) fn rewrite(fixture: &Fixture, change: impl Fn(String) -> String) {
    let file = fixture.gateway.file();
    let text = change(std::fs::read_to_string(&file).unwrap());
    let new = fixture.gateway.beside("new.toml");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_certificates_and_configuration_are_replaced() {
    let options = GatewayOptions::default().tls().set("server.watch_files", "false");
    let fixture = Fixture::with_gateway(options).await;
    let user = fixture.scim.new_user("ana").await;
    let client = |http1| fixture.gateway.client_over(KEY, Tls { http1, ..Tls::default() });
    let load = Load::begin(vec![client(true), client(true), client(true), client(false), client(false)], &user);

    for turn in 1..=20 {
        renew(fixture.gateway.beside("").as_path(), 2100 + i32::try_from(turn).unwrap());
        rewrite(&fixture, |text| format!("{text}# {turn}\n"));
        hang_up(&fixture);
        loaded(&fixture, turn + 1).await;
        load.go_on(20).await;
        // A connection that is made now is made with the new certificate.
        client(turn % 2 == 0).get(&format!("/Users/{user}")).await.expect(200);
    }

    load.end("20 reloads").await;
    let end = "scimgate_certificate_expiry_timestamp_seconds{certificate=\"server\"} 4733510400";
    let (_, metrics) = fixture.gateway.admin("/metrics").await;
    assert!(metrics.lines().any(|line| line.starts_with(end)), "{metrics}");
}

#[tokio::test]
async fn a_file_that_is_changed_is_read_by_itself_and_a_bad_one_changes_nothing() {
    let fixture = Fixture::start().await;
    let former = |text: String| text.replace("name = \"ping\"", "name = \"ping-of-old\"");

    rewrite(&fixture, |text| format!("{text}\n[servr]\nlisten = 1\n"));
    let told = fixture.gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("not reloaded"))).await;
    assert!(told["message"].as_str().unwrap().contains("servr"), "{told}");
    assert!(fixture.gateway.measures("scimgate_config_last_load_successful 0").await);
    fixture.scim.get("/Users").await.expect(200);

    rewrite(&fixture, |text| former(text.replace("\n[servr]\nlisten = 1\n", "\n")));
    loaded(&fixture, 2).await;
    assert!(fixture.gateway.measures("scimgate_config_last_load_successful 1").await);
    fixture.scim.get("/Users").await.expect(200);
    let (_, metrics) = fixture.gateway.admin("/metrics").await;
    assert!(metrics.contains("client=\"ping-of-old\""), "{metrics}");
}

#[tokio::test]
async fn a_key_that_is_taken_out_opens_nothing_any_more() {
    let fixture = Fixture::start().await;
    let other = "scimgate_another-key";
    let digest = |key: &str| {
        use sha2::Digest as _;
        sha2::Sha256::digest(key.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    fixture.gateway.client(other).get("/Users").await.error(401, "");

    rewrite(&fixture, |text| text.replace(&digest(KEY), &digest(other)));
    loaded(&fixture, 2).await;

    fixture.scim.get("/Users").await.error(401, "");
    fixture.gateway.client(other).get("/Users").await.expect(200);
}

#[tokio::test]
async fn a_cursor_outlives_a_reload_and_an_address_is_changed_at_the_next_start() {
    let fixture = Fixture::start().await;
    for name in ["ana", "bo", "cy"] {
        fixture.scim.new_user(name).await;
    }
    let first = fixture.scim.get("/Users?cursor&count=2").await.expect(200);

    rewrite(&fixture, |text| text.replacen("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"", 1));
    loaded(&fixture, 2).await;

    fixture.gateway.logged(|line| line["message"] == "server.listen takes effect at the next start").await;
    assert!(fixture.gateway.measures("scimgate_config_restart_wanted 1").await);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = fixture.scim.get(&format!("/Users?cursor={cursor}&count=2")).await.expect(200);
    assert_eq!(second["Resources"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_reload_does_not_change_is_kept() {
    let fixture = Fixture::start().await;
    let ana = fixture.scim.new_user("ana").await;
    fixture.scim.new_group("staff", &[&ana]).await;
    let path = format!("/Users/{ana}?attributes=groups");
    let with_groups = fixture.scim.get(&path).await.expect(200);
    connected(&fixture, 4).await;
    let before = fixture.gateway.operations("search", "success").await;
    fixture.scim.get(&path).await.expect(200);
    let each = fixture.gateway.operations("search", "success").await - before;

    rewrite(&fixture, |text| text.replace("name = \"ping\"", "name = \"ping-of-old\""));
    loaded(&fixture, 2).await;
    connected(&fixture, 4).await;
    let before = fixture.gateway.operations("search", "success").await;
    assert_eq!(fixture.scim.get(&path).await.expect(200), with_groups);
    assert_eq!(fixture.gateway.operations("search", "success").await - before, each, "what was known is known");

    rewrite(&fixture, |text| format!("{text}\n[cache]\ncapacity = 1000\n"));
    loaded(&fixture, 3).await;
    connected(&fixture, 8).await;
    assert_eq!(fixture.scim.get(&path).await.expect(200), with_groups);
}

#[tokio::test]
async fn a_mapping_that_does_not_fit_the_directory_changes_nothing() {
    let fixture = Fixture::start().await;
    connected(&fixture, 4).await;

    rewrite(&fixture, |text| format!("{text}\n[users.attributes]\nnickName = \"noSuchAttribute\"\n"));
    let told = fixture.gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("not reloaded"))).await;

    assert!(told["message"].as_str().unwrap().contains("the directory has no attribute `noSuchAttribute`"), "{told}");
    connected(&fixture, 4).await;
    fixture.scim.new_user("ana").await;
}

#[tokio::test]
async fn a_signal_during_a_reload_leads_to_another_one() {
    let options = GatewayOptions::default().set("server.watch_files", "false");
    let fixture = Fixture::with_gateway(options).await;
    // Nothing listens there, for which the reload waits a while.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (here, elsewhere) = (fixture.directory.url(), format!("ldap://{nobody}"));
    rewrite(&fixture, |text| text.replace(&here, &elsewhere));
    hang_up(&fixture);
    fixture.gateway.logged(|line| line["message"].as_str().is_some_and(|text| text.contains("SIGHUP"))).await;
    until("it looks for the other directory", async || fixture.gateway.admin("/metrics").await.1.contains(&elsewhere)).await;

    rewrite(&fixture, |text| text.replace(&elsewhere, &here).replace("name = \"ping\"", "name = \"ping-of-old\""));
    hang_up(&fixture);

    loaded(&fixture, 2).await;
    fixture.scim.get("/Users").await.expect(200);
    assert!(fixture.gateway.admin("/metrics").await.1.contains("client=\"ping-of-old\""));
    assert!(fixture.gateway.measures("scimgate_config_loads_total{result=\"failure\"} 1").await);
}

#[tokio::test]
async fn two_sockets_for_one_purpose_are_refused() {
    let fixture = Fixture::start().await;
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    for socket in &sockets {
        fcntl_setfd(socket, FdFlags::empty()).unwrap();
    }
    let [first, second] = sockets.each_ref().map(std::os::fd::AsRawFd::as_raw_fd);
    let script = format!("exec 3<&{first} 4<&{second}; export LISTEN_PID=$$; exec \"$0\" serve --config \"$1\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_scimgate")]).arg(fixture.gateway.file());
    let ended = command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "scim:scim").stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("two sockets for scim") && told.contains("FileDescriptorName"), "{told}");
}

/// Asks again and again until a connection is refused; what else goes wrong is returned. An HTTP/1.1 connection is used once: when one
/// that is idle is closed, a request may be on its way already, which no server can help.
async fn until_refused(client: Client, http1: bool, path: String, made: Arc<AtomicUsize>) -> Vec<String> {
    let mut cut = Vec::new();
    loop {
        let request = client.request(reqwest::Method::GET, &path);
        let request = if http1 { request.header("connection", "close") } else { request };
        match client.try_send(request).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => cut.push(format!("{}: {}", answer.status, answer.body)),
            Err(error) if error.is_connect() => return cut,
            Err(error) => cut.push(format!("{error:?}")),
        }
        made.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_cut_when_the_program_is_asked_to_end() {
    let options = GatewayOptions::default().tls().set("server.linger", "500ms").set("server.drain", "20s");
    let mut fixture = Fixture::with_gateway(options).await;
    let user = fixture.scim.new_user("ana").await;
    let client = |http1| fixture.gateway.client_over(KEY, Tls { http1, ..Tls::default() });
    let made = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for http1 in [true, true, false, false] {
        tasks.spawn(until_refused(client(http1), http1, format!("/Users/{user}"), made.clone()));
    }
    let goes_on = async |more: usize| {
        let goal = made.load(Ordering::Relaxed) + more;
        until("requests are answered", async || made.load(Ordering::Relaxed) >= goal).await;
    };
    goes_on(50).await;

    fixture.gateway.ask_to_end();
    until("it says that it is leaving", async || fixture.gateway.admin("/readyz").await == (503, "closing\n".to_owned())).await;
    goes_on(20).await;

    // They go on until nobody listens any more, through the moment at which those in flight are all that is left.
    let cut: Vec<String> = tasks.join_all().await.concat();
    println!("SIGTERM: {} requests, {} cut", made.load(Ordering::Relaxed), cut.len());
    assert_eq!(cut, Vec::<String>::new());
    assert!(fixture.gateway.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_refused_while_the_program_is_started_again_at_an_open_socket() {
    let fixture = Fixture::start().await;
    let user = fixture.scim.new_user("ana").await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    let mut running = Activated::start(&socket, &fixture.gateway.file());
    let base = format!("http://{}/scim/v2", socket.local_addr().unwrap());
    let client = || Client::new(&base, KEY, None, Tls { http1: true, ..Tls::default() });
    client().get(&format!("/Users/{user}")).await.expect(200);
    let load = Load::begin(vec![client(), client(), client()], &user);

    for _ in 0..5 {
        load.go_on(20).await;
        running.end().await;
        running = Activated::start(&socket, &fixture.gateway.file());
    }

    load.go_on(20).await;
    load.end("5 restarts").await;
    running.end().await;
}

/// The program as systemd starts it, with a socket that is open already.
struct Activated(Child);

impl Activated {
    fn start(socket: &TcpListener, file: &Path) -> Self {
        // The process that was started is the one that the sockets are for, so the shell becomes the program. (Other shells know no
        // descriptors above 9.)
        let script = format!("exec 3<&{}; export LISTEN_PID=$$; exec \"$0\" serve --config \"$1\"", socket.as_raw_fd());
        let program = env!("CARGO_BIN_EXE_scimgate");
        let mut command = Command::new("bash");
        command.args(["-c", &script, program]).arg(file);
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "scim").env("SCIMGATE__SERVER__DRAIN", "20s");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn end(&mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        while self.0.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
