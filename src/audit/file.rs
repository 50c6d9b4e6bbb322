//! A file of lines: opened where its chain ended, put aside when it is large, and never left with half a line.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::chain::{Chain, Place};
use super::config::FileConfig;

/// Readable by whoever runs scimgate, and nobody else: it holds personal data.
const MODE: u32 = 0o600;
/// Room that is kept free for the lines of writes under way, so that a full disk is noticed before one of them is made.
const ROOM: u64 = 1 << 20;

/// The file that is written now.
#[derive(Debug)]
pub(super) struct File {
    config: FileConfig,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: fs::File,
    identity: (u64, u64),
    /// Up to the end of the last whole line.
    length: u64,
    /// The number of its first line.
    first: u64,
    /// Up to where there is room for sure.
    room: u64,
}

impl File {
    /// Opens it, with the end of its chain, and how many bytes of an unfinished line were cut off.
    pub(super) fn open(config: FileConfig) -> Result<(Self, Chain, u64), String> {
        let (mut open, chain, cut) = open(&config.path).map_err(|error| told(&config.path, &error))?;
        let chain = match chain {
            Some(chain) => chain,
            // It was put aside just before the end of the process.
            None => last_put_aside(&config.path).map_err(|error| told(&config.path, &error))?.unwrap_or_else(Chain::new),
        };
        if open.length == 0 {
            open.first = chain.seq + 1;
        }
        Ok((Self { config, open: Some(open) }, chain, cut))
    }

    /// Writes lines, all or none.
    pub(super) fn write(&mut self, lines: &[Vec<u8>], before: &Chain) -> Result<(), String> {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        let more = bytes.len() as u64;
        self.same(before).map_err(|error| told(&self.config.path, &error))?;
        if self.open.as_ref().is_some_and(|open| open.length > 0 && open.length + more > self.config.rotate_size) {
            self.put_aside(before).map_err(|error| told(&self.config.path, &error))?;
        }
        let sync = self.config.sync;
        let open = self.open.as_mut().ok_or_else(|| told(&self.config.path, &"it is not open"))?;
        let written = open.file.write_all(&bytes).and_then(|()| if sync { open.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                open.length += more;
                Ok(())
            }
            Err(error) => {
                // No half a line stays. Where that fails too, the file is opened anew, which cuts it.
                if open.file.set_len(open.length).is_err() {
                    self.open = None;
                }
                Err(told(&self.config.path, &error))
            }
        }
    }

    /// Whether it is still there, with room for some lines.
    pub(super) fn look(&mut self, chain: &Chain) -> Result<(), String> {
        let looked = self.same(chain).and_then(|()| self.open.as_mut().map_or(Ok(()), Open::make_room));
        looked.map_err(|error| told(&self.config.path, &error))
    }

    /// Opens it anew where somebody has moved it away.
    fn same(&mut self, chain: &Chain) -> io::Result<()> {
        let there = fs::metadata(&self.config.path).ok().map(|there| (there.dev(), there.ino()));
        if self.open.as_ref().is_some_and(|open| Some(open.identity) == there) {
            return Ok(());
        }
        self.open = None;
        let (mut fresh, end, _) = open(&self.config.path)?;
        match end {
            Some(end) if end != *chain => {
                return Err(io::Error::other("its lines do not go on where this process was; move it away"));
            }
            Some(_) => {}
            None => fresh.first = chain.seq + 1,
        }
        self.open = Some(fresh);
        Ok(())
    }

    /// Gives it the number of its first line as a name, and begins another one.
    fn put_aside(&mut self, chain: &Chain) -> io::Result<()> {
        let Some(old) = self.open.take() else { return Ok(()) };
        // Without the room that was kept.
        old.file.set_len(old.length)?;
        old.file.sync_all()?;
        fs::rename(&self.config.path, aside(&self.config.path, old.first))?;
        let (mut fresh, _, _) = open(&self.config.path)?;
        fresh.first = chain.seq + 1;
        self.open = Some(fresh);
        if let Some(folder) = folder(&self.config.path) {
            fs::File::open(folder)?.sync_all()?;
        }
        let all = put_aside(&self.config.path)?;
        let surplus = if self.config.keep == 0 { 0 } else { all.len().saturating_sub(self.config.keep) };
        for (_, path) in all.iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Open {
    fn make_room(&mut self) -> io::Result<()> {
        if self.length + ROOM / 2 <= self.room {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, ROOM) {
            // Not every file system can promise it.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.room = self.length + ROOM;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn told(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("audit.path: {}: {error}", path.display())
}

fn open(path: &Path) -> io::Result<(Open, Option<Chain>, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(io::Error::other("another scimgate writes there; each needs a file of its own"));
        }
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    let metadata = file.metadata()?;
    let (line, length) = last_line(&mut file, metadata.len())?;
    let cut = metadata.len() - length;
    if cut > 0 {
        file.set_len(length)?;
    }
    let foreign = || io::Error::other("its last line is none of the audit's; move it away");
    let chain = line.map(|line| Chain::after(&line).ok_or_else(foreign)).transpose()?;
    let first = if chain.is_some() { first_number(path)? } else { 0 };
    Ok((Open { file, identity: (metadata.dev(), metadata.ino()), length, first, room: 0 }, chain, cut))
}

/// The last whole line, and where it ends.
fn last_line(file: &mut fs::File, length: u64) -> io::Result<(Option<Vec<u8>>, u64)> {
    let mut back: u64 = 1 << 16;
    loop {
        let from = length.saturating_sub(back);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let start = end.and_then(|end| bytes.iter().take(end).rposition(|byte| *byte == b'\n'));
        match (start, end) {
            (Some(start), Some(end)) => {
                return Ok((bytes.get(start + 1..end).map(<[u8]>::to_vec), from + end as u64 + 1));
            }
            (None, Some(end)) if from == 0 => return Ok((bytes.get(..end).map(<[u8]>::to_vec), end as u64 + 1)),
            (None, None) if from == 0 => return Ok((None, 0)),
            _ => back = back.saturating_mul(8),
        }
    }
}

fn first_number(path: &Path) -> io::Result<u64> {
    let mut line = Vec::new();
    io::BufRead::read_until(&mut io::BufReader::new(fs::File::open(path)?), b'\n', &mut line)?;
    let place: Option<Place> = serde_json::from_slice(&line).ok();
    place.map(|place| place.seq).ok_or_else(|| io::Error::other("its first line is none of the audit's; move it away"))
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// What a file is called that was put aside: `audit.jsonl.000000000123`.
fn aside(path: &Path, first: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{first:012}"));
    name.into()
}

/// Those that were put aside, the oldest first, by the number of their first line.
pub(super) fn put_aside(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(folder), Some(name)) = (folder(path), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let number = other.to_str().and_then(|other| other.strip_prefix(name)?.strip_prefix('.'));
        let number = number.filter(|digits| digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit()));
        found.extend(number.and_then(|digits| digits.parse().ok()).map(|first: u64| (first, entry.path())));
    }
    found.sort();
    Ok(found)
}

fn last_put_aside(path: &Path) -> io::Result<Option<Chain>> {
    let Some((_, last)) = put_aside(path)?.pop() else { return Ok(None) };
    let mut file = fs::File::open(last)?;
    let length = file.metadata()?.len();
    let (line, _) = last_line(&mut file, length)?;
    Ok(line.and_then(|line| Chain::after(&line)))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
