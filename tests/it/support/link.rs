//! A line to a directory that fails on command: a relay on the loopback interface which knows LDAP's messages.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is wrong with the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every connection is reset, and so is every new one.
    Reset,
    /// Nothing gets through, and nobody is told.
    Silent,
    /// What is asked gets through, what is answered does not.
    Mute,
    /// Every message takes so long.
    Slow(Duration),
    /// The next such answer is cut in its middle, and the connection with it. Then the line is well again.
    Cut(Message),
}

/// Messages, by what they are answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    /// A request to sign in.
    Bind,
    /// Part of an answer to a search.
    Found,
    /// The answer to a write.
    Written,
    /// All others.
    Other,
}

impl Message {
    /// By the tag of the operation (RFC 4511 section 4.2 and following).
    fn of(message: &[u8]) -> Self {
        let header = 2 + message.get(1).filter(|length| **length >= 0x80).map_or(0, |length| usize::from(length & 0x7f));
        // The message's number, then the operation.
        let number = message.get(header + 1).copied().unwrap_or_default();
        match message.get(header + 2 + usize::from(number)) {
            Some(0x60) => Self::Bind,
            Some(0x64) => Self::Found,
            Some(0x67 | 0x69 | 0x6b | 0x6d) => Self::Written,
            Some(_) | None => Self::Other,
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    counts: HashMap<Message, usize>,
    /// All that the client sent.
    sent: Vec<u8>,
}

/// The line, closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    seen: Arc<Mutex<Seen>>,
    listening: JoinHandle<()>,
}

impl Link {
    /// A line to the server at this address, which need not listen yet.
    pub(crate) async fn to(url: &str) -> Self {
        let server: SocketAddr = url.split("://").nth(1).unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listening = tokio::spawn({
            let (fault, seen) = (fault.clone(), seen.clone());
            async move {
                let mut lines = tokio::task::JoinSet::new();
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    lines.spawn(carry(client, server, fault.clone(), seen.clone()));
                }
            }
        });
        Self { address, fault, seen, listening }
    }

    /// Its address, for the gateway.
    pub(crate) fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }

    /// Breaks it, or mends it.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Whether it is well; after a cut it is by itself.
    pub(crate) fn is_well(&self) -> bool {
        *self.fault.borrow() == Fault::None
    }

    /// How many such messages went by.
    pub(crate) fn count(&self, message: Message) -> usize {
        self.seen.lock().unwrap().counts.get(&message).copied().unwrap_or_default()
    }

    /// Whether the client sent this in clear.
    pub(crate) fn overheard(&self, text: &str) -> bool {
        self.seen.lock().unwrap().sent.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(client: TcpStream, server: SocketAddr, fault: Arc<watch::Sender<Fault>>, seen: Arc<Mutex<Seen>>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    for end in [&client, &server] {
        // Whatever ends the connection resets it.
        SockRef::from(end).set_linger(Some(Duration::ZERO)).unwrap();
        end.set_nodelay(true).unwrap();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut faults = fault.subscribe();
    tokio::select! {
        () = pass(from_client, to_server, Direction::Asked, &fault, &seen) => {}
        () = pass(from_server, to_client, Direction::Answered, &fault, &seen) => {}
        _ = faults.wait_for(|fault| *fault == Fault::Reset) => {}
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Asked,
    Answered,
}

/// Passes messages on until either end closes or the line breaks.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    fault: &watch::Sender<Fault>,
    seen: &Mutex<Seen>,
) {
    let mut buffer = Vec::new();
    let mut faults = fault.subscribe();
    loop {
        let mut chunk = [0; 16384];
        let Ok(length @ 1..) = from.read(&mut chunk).await else { return };
        buffer.extend_from_slice(&chunk[..length]);
        if direction == Direction::Asked {
            seen.lock().unwrap().sent.extend_from_slice(&chunk[..length]);
        }
        while let Some(length) = message_length(&buffer) {
            let message: Vec<u8> = buffer.drain(..length).collect();
            let kind = Message::of(&message);
            *seen.lock().unwrap().counts.entry(kind).or_default() += 1;
            let now = *faults.borrow();
            match now {
                Fault::Silent => {
                    let _ = faults.wait_for(|fault| *fault != Fault::Silent).await;
                }
                Fault::Mute if direction == Direction::Answered => continue,
                Fault::Slow(time) => tokio::time::sleep(time).await,
                Fault::Cut(which) if direction == Direction::Answered && which == kind => {
                    let _ = to.write_all(&message[..message.len() / 2]).await;
                    fault.send_replace(Fault::None);
                    return;
                }
                Fault::None | Fault::Reset | Fault::Mute | Fault::Cut(_) => {}
            }
            if to.write_all(&message).await.is_err() {
                return;
            }
        }
    }
}

/// The length of the first message, if all of it is there. What is no message is passed on as it is.
fn message_length(buffer: &[u8]) -> Option<usize> {
    let (first, rest) = buffer.split_first()?;
    if *first != 0x30 {
        return Some(buffer.len());
    }
    let (length, rest) = rest.split_first()?;
    let total = if *length < 0x80 {
        2 + usize::from(*length)
    } else {
        let count = usize::from(length & 0x7f);
        let bytes = rest.get(..count)?;
        2 + count + bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
    };
    (buffer.len() >= total).then_some(total)
}
