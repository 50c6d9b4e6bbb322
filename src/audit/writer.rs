//! The one thread that writes: it numbers the entries that have come meanwhile and writes them at once, so that many requests
//! share a write to the disk, and no request holds anything while that goes on.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::chain::{Chain, Entry, Event, Own};
use super::config::{AuditConfig, Destination, OnFailure};
use super::file::File;
use super::syslog::Syslog;
use crate::telemetry::Metrics;

/// Entries that are written at once, at most.
const BATCH: usize = 256;
/// How often the destination is looked at while nothing comes, and tried again while it does not work.
const LOOK: Duration = Duration::from_secs(1);
/// Entries that are kept until they can be written, at most.
const KEPT: usize = 10_000;

/// The line could not be written; it will be as soon as that works again, if this process lives as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotWritten;

type Written = oneshot::Sender<Result<(), NotWritten>>;
/// An entry, and who waits for it.
type Waiting = (Entry, Option<Written>);

/// The way to the audit.
#[derive(Debug)]
pub struct Audit {
    config: Arc<AuditConfig>,
    entries: Mutex<Option<Sender<Waiting>>>,
    works: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Audit {
    /// Opens the destination and goes on where the chain ended.
    ///
    /// # Errors
    /// It cannot be opened: a line that names the key and says why.
    pub fn start(config: AuditConfig, metrics: Arc<Metrics>) -> Result<Self, String> {
        let (sink, chain, first) = Sink::open(&config.destination)?;
        let (sender, receiver) = mpsc::channel();
        let works = Arc::new(AtomicBool::new(true));
        let writer = Writer {
            sink,
            chain,
            waiting: first.into_iter().map(|entry| (entry, None)).collect(),
            lost: 0,
            works: works.clone(),
            metrics,
        };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&receiver));
        let thread = thread.map_err(|error| format!("the audit's thread cannot be started: {error}"))?;
        Ok(Self { config: Arc::new(config), entries: Mutex::new(Some(sender)), works, thread: Mutex::new(Some(thread)) })
    }

    /// What was configured.
    pub fn config(&self) -> &Arc<AuditConfig> {
        &self.config
    }

    /// Whether a write may go on to the directory: its line can be written, or need not be.
    pub fn admits(&self) -> bool {
        self.works.load(Ordering::Acquire) || self.config.on_failure == OnFailure::Warn
    }

    /// Waits until an entry is written.
    ///
    /// # Errors
    /// It is not, and that matters: `on_failure` is `refuse`.
    pub async fn write(&self, entry: Entry) -> Result<(), NotWritten> {
        let (sender, written) = oneshot::channel();
        self.send(entry, Some(sender));
        let written = written.await.unwrap_or(Err(NotWritten));
        if self.config.on_failure == OnFailure::Warn { Ok(()) } else { written }
    }

    /// Writes an entry that nobody waits for.
    pub fn note(&self, entry: Entry) {
        self.send(entry, None);
    }

    fn send(&self, entry: Entry, written: Option<Written>) {
        if let Some(sender) = &*self.entries.lock().unwrap_or_else(PoisonError::into_inner) {
            // The thread ends when this end is dropped, not before.
            let _ = sender.send((entry, written));
        }
    }

    /// Writes what has come so far, and ends the thread.
    pub async fn close(&self) {
        drop(self.entries.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let joined = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await;
        if !matches!(joined, Ok(None | Some(Ok(())))) {
            tracing::error!("the audit's thread ended by a defect of this program");
        }
    }
}

/// Where lines go.
#[derive(Debug)]
enum Sink {
    File(File),
    Stdout,
    Syslog(Syslog),
}

impl Sink {
    /// With the end of its chain, and what is to be said of its opening.
    fn open(destination: &Destination) -> Result<(Self, Chain, Option<Entry>), String> {
        match destination {
            Destination::File(config) => {
                let (file, chain, cut) = File::open(config.clone())?;
                let cut = (cut > 0).then(|| Entry::now(Event::Own(Own { event: "truncated", count: cut })));
                Ok((Self::File(file), chain, cut))
            }
            Destination::Stdout => Ok((Self::Stdout, Chain::new(), None)),
            Destination::Syslog(address) => {
                let syslog = Syslog::connect(address.clone()).map_err(|error| format!("audit.syslog: {error}"))?;
                Ok((Self::Syslog(syslog), Chain::new(), None))
            }
        }
    }

    /// Writes lines; with an error, how many of them are written.
    fn write(&mut self, lines: &[Vec<u8>], before: &Chain) -> Result<(), (usize, String)> {
        match self {
            Self::File(file) => file.write(lines, before).map_err(|error| (0, error)),
            Self::Stdout => {
                let mut out = std::io::stdout().lock();
                for (n, line) in lines.iter().enumerate() {
                    let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
                    written.and_then(|()| out.flush()).map_err(|error| (n, format!("standard output: {error}")))?;
                }
                Ok(())
            }
            Self::Syslog(syslog) => {
                for (n, line) in lines.iter().enumerate() {
                    syslog.send(line).map_err(|error| (n, format!("audit.syslog: {error}")))?;
                }
                Ok(())
            }
        }
    }

    /// Whether a line could be written now, as far as that can be told without one.
    fn look(&mut self, chain: &Chain) -> Result<(), String> {
        match self {
            Self::File(file) => file.look(chain),
            Self::Stdout => Ok(()),
            Self::Syslog(syslog) => syslog.look().map_err(|error| format!("audit.syslog: {error}")),
        }
    }
}

#[derive(Debug)]
struct Writer {
    sink: Sink,
    chain: Chain,
    waiting: VecDeque<Waiting>,
    lost: u64,
    works: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Waiting>) {
        loop {
            let open = match entries.recv_timeout(LOOK) {
                Ok(entry) => {
                    self.waiting.push_back(entry);
                    self.waiting.extend(entries.try_iter().take(BATCH));
                    true
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            self.write();
            self.metrics.audit_waiting(self.waiting.len());
            if !open {
                if !self.waiting.is_empty() {
                    tracing::error!(lines = self.waiting.len(), "the audit ends without lines that could not be written");
                }
                return;
            }
        }
    }

    /// Writes all that waits, or what of it can be.
    fn write(&mut self) {
        let outcome = self.write_waiting();
        let worked = self.works.load(Ordering::Acquire);
        match &outcome {
            Ok(()) if !worked => tracing::info!("the audit can be written again"),
            Err(error) if worked => tracing::error!("the audit cannot be written: {error}"),
            Ok(()) | Err(_) => {}
        }
        if outcome.is_err() {
            self.metrics.audit_failed();
        }
        self.works.store(outcome.is_ok(), Ordering::Release);
        // Who waits is told; the entry stays.
        for written in self.waiting.iter_mut().filter_map(|(_, written)| written.take()) {
            let _ = written.send(Err(NotWritten));
        }
        while self.waiting.len() > KEPT {
            self.waiting.pop_front();
            self.lost += 1;
        }
    }

    fn write_waiting(&mut self) -> Result<(), String> {
        if self.waiting.is_empty() {
            return self.sink.look(&self.chain);
        }
        if self.lost > 0 {
            self.waiting.push_front((Entry::now(Event::Own(Own { event: "lost", count: self.lost })), None));
            self.lost = 0;
        }
        while !self.waiting.is_empty() {
            let mut chain = self.chain.clone();
            let mut ends = Vec::new();
            let mut lines = Vec::new();
            for (entry, _) in self.waiting.iter().take(BATCH) {
                lines.push(chain.append(entry));
                ends.push(chain.clone());
            }
            let (done, error) = match self.sink.write(&lines, &self.chain) {
                Ok(()) => (lines.len(), None),
                Err((done, error)) => (done, Some(error)),
            };
            if let Some(end) = done.checked_sub(1).and_then(|last| ends.get(last)) {
                self.chain = end.clone();
            }
            for written in self.waiting.drain(..done).filter_map(|(_, written)| written) {
                let _ = written.send(Ok(()));
            }
            self.metrics.audit_written(done);
            if let Some(error) = error {
                return Err(error);
            }
        }
        // Room for the next ones.
        self.sink.look(&self.chain)
    }
}
