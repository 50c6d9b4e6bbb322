//! Syslog messages (RFC 5424) to this machine, by datagrams (RFC 5426) or over TCP with counted octets (RFC 6587 section 3.4.1).
//!
//! Own code, for the crate that is there (`syslog`) ends messages over TCP by a line break, which no receiver can tell from one
//! in a message, and connects once.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::config::SyslogAddress;

/// Facility 13, log audit; severity 5, notice (RFC 5424 section 6.2.1).
const PRIORITY: u8 = 13 * 8 + 5;
/// For connecting, and for sending one message.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Socket {
    Local(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A way to syslog, made anew when it breaks.
#[derive(Debug)]
pub(super) struct Syslog {
    address: SyslogAddress,
    socket: Option<Socket>,
    host: String,
}

/// Whether syslog can be reached there.
///
/// # Errors
/// It cannot.
pub fn reach(address: &SyslogAddress) -> io::Result<()> {
    connect(address).map(|_| ())
}

impl Syslog {
    pub(super) fn connect(address: SyslogAddress) -> io::Result<Self> {
        let socket = Some(connect(&address)?);
        Ok(Self { address, socket, host: host() })
    }

    /// Sends one message; once more over a new connection if the old one is broken.
    pub(super) fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let message = message(&self.host, text);
        let fresh = self.socket.is_none();
        let sent = self.try_send(&message);
        if sent.is_err() && !fresh { self.try_send(&message) } else { sent }
    }

    /// Whether it can still be reached.
    pub(super) fn look(&mut self) -> io::Result<()> {
        // A peer that has gone away shows by the end of what it sends, which is nothing else.
        if let Some(Socket::Tcp(stream)) = &self.socket {
            stream.set_nonblocking(true)?;
            let mut nothing = [0];
            let gone = match stream.peek(&mut nothing) {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            stream.set_nonblocking(false)?;
            if gone {
                self.socket = None;
            }
        }
        if self.socket.is_none() {
            self.socket = Some(connect(&self.address)?);
        }
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<()> {
        self.look()?;
        let sent = match &mut self.socket {
            Some(Socket::Local(socket)) => socket.send(message).map(|_| ()),
            Some(Socket::Udp(socket)) => socket.send(message).map(|_| ()),
            Some(Socket::Tcp(stream)) => {
                let mut frame = format!("{} ", message.len()).into_bytes();
                frame.extend_from_slice(message);
                stream.write_all(&frame)
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if sent.is_err() {
            self.socket = None;
        }
        sent
    }
}

fn connect(address: &SyslogAddress) -> io::Result<Socket> {
    match address {
        SyslogAddress::Local(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Socket::Local(socket))
        }
        SyslogAddress::Udp(to) => {
            let to = resolve(to)?;
            let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(to)?;
            Ok(Socket::Udp(socket))
        }
        SyslogAddress::Tcp(to) => {
            let to = resolve(to)?;
            let stream = TcpStream::connect_timeout(&to, PATIENCE)
                .map_err(|error| io::Error::new(error.kind(), format!("tcp://{to}: {error}")))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(Socket::Tcp(stream))
        }
    }
}

fn resolve(to: &str) -> io::Result<std::net::SocketAddr> {
    let mut found = to.to_socket_addrs().map_err(|error| io::Error::new(error.kind(), format!("{to}: {error}")))?;
    found.next().ok_or_else(|| io::Error::other(format!("{to}: there is no such host")))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// RFC 5424 section 6: the time in the header is that of sending, the line has its own.
fn message(host: &str, text: &[u8]) -> Vec<u8> {
    let (now, process) = (jiff::Timestamp::now(), std::process::id());
    let mut message = format!("<{PRIORITY}>1 {now:.3} {host} scimgate {process} audit - ").into_bytes();
    message.extend_from_slice(text);
    message
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    fn is_message(bytes: &[u8], text: &str) -> bool {
        let message = String::from_utf8(bytes.to_vec()).unwrap();
        let parts: Vec<&str> = message.splitn(8, ' ').collect();
        let [head, time, _, "scimgate", process, "audit", "-", rest] = parts.as_slice() else { panic!("{message}") };
        *head == "<109>1" && time.parse::<jiff::Timestamp>().is_ok() && process.parse::<u32>().is_ok() && *rest == text
    }

    #[test]
    fn a_message_reaches_a_socket_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::connect(SyslogAddress::Local(path.clone())).unwrap();
        syslog.send(b"{\"seq\":1}").unwrap();
        let mut buffer = [0; 1000];
        let n = receiver.recv(&mut buffer).unwrap();
        assert!(is_message(&buffer[..n], "{\"seq\":1}"));
        // The daemon goes away, and another comes.
        drop(receiver);
        std::fs::remove_file(&path).unwrap();
        assert!(syslog.send(b"x").is_err());
        let receiver = UnixDatagram::bind(&path).unwrap();
        syslog.send(b"y").unwrap();
        let n = receiver.recv(&mut buffer).unwrap();
        assert!(is_message(&buffer[..n], "y"));
    }

    #[test]
    fn a_message_over_udp_is_one_datagram() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::connect(SyslogAddress::Udp(receiver.local_addr().unwrap().to_string())).unwrap();
        syslog.send(b"a b").unwrap();
        let mut buffer = [0; 1000];
        let n = receiver.recv(&mut buffer).unwrap();
        assert!(is_message(&buffer[..n], "a b"));
    }

    #[test]
    fn messages_over_tcp_are_counted_and_the_connection_is_made_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::connect(SyslogAddress::Tcp(listener.local_addr().unwrap().to_string())).unwrap();
        drop(listener.accept().unwrap());
        // The end of the first connection arrives when it does; a look then makes the second.
        listener.set_nonblocking(true).unwrap();
        let mut stream = loop {
            syslog.look().unwrap();
            if let Ok((stream, _)) = listener.accept() {
                break stream;
            }
        };
        stream.set_nonblocking(false).unwrap();
        syslog.send(b"first").unwrap();
        syslog.send(b"second\nline").unwrap();
        drop(syslog);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let mut rest = all.as_slice();
        for text in ["first", "second\nline"] {
            let space = rest.iter().position(|byte| *byte == b' ').unwrap();
            let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
            assert!(is_message(&rest[space + 1..space + 1 + length], text));
            rest = &rest[space + 1 + length..];
        }
        assert!(rest.is_empty());
    }
}
