//! What was revoked before its end (RFC 7009): in memory, and in a file where the configuration names one, so that it outlives
//! this process and is seen by others that share the file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::UnusableKey;

/// Entries at once. One more is refused: an entry that was dropped would bring a token back to life.
const MOST: usize = 50_000;
/// How often the file is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// The first line of the file. Another layout gets another number.
const TITLE: &str = "scimgate revocations 1";

/// Identifiers of tokens and grants, each with the second after which nothing is lost by forgetting it.
type Entries = HashMap<Uuid, i64>;

/// It could not be kept, so nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRevoked {
    #[error("{MOST} tokens and grants are revoked already; the first of them have to end")]
    TooMany,
    #[error("{0}")]
    File(#[from] io::Error),
}

/// The revocations.
#[derive(Debug)]
pub(super) struct Revocations {
    known: ArcSwap<Entries>,
    file: Option<PathBuf>,
    /// What the file was like when it was last read. Whoever changes anything holds it.
    seen: Mutex<Option<Seen>>,
}

/// What tells one state of the file from another: it is replaced, never written to.
type Seen = (u64, i64, i64, u64);

impl Revocations {
    /// Reads the file, or makes it.
    ///
    /// # Errors
    /// It cannot be read, made or understood.
    pub(super) fn load(file: Option<PathBuf>) -> Result<Self, UnusableKey> {
        let revocations = Self { known: ArcSwap::default(), file, seen: Mutex::new(None) };
        if let Some(path) = &revocations.file {
            // Another one may make it at the same time.
            let made = locked(path).and_then(|_lock| if path.exists() { Ok(()) } else { write(path, &Entries::new()) });
            made.and_then(|()| revocations.refresh(path)).map_err(|error| {
                let remedy = "name a file in a folder that scimgate may write to, or remove what is there";
                UnusableKey::new("auth.oauth.revocations", path, format!("{error}; {remedy}"))
            })?;
        }
        Ok(revocations)
    }

    /// The file.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Looks at the file again and again, as long as somebody else has the revocations.
    pub(super) fn follow_file(self: &Arc<Self>) {
        if self.file.is_none() {
            return;
        }
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut told = false;
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(revocations) = weak.upgrade() else { return };
                let looked = tokio::task::spawn_blocking(move || match &revocations.file {
                    Some(path) => revocations.refresh(path).map_err(|error| (path.clone(), error)),
                    None => Ok(()),
                });
                match looked.await {
                    // What was known is still held to.
                    Ok(Err((path, error))) if !told => {
                        tracing::error!("auth.oauth.revocations: {}: {error}", path.display());
                        told = true;
                    }
                    Ok(Err(_)) | Err(_) => {}
                    Ok(Ok(())) => told = false,
                }
            }
        });
    }

    /// Whether a token or a grant was revoked.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.known.load().contains_key(&id)
    }

    /// Revokes until that second. When it returns well, it will not be forgotten.
    pub(super) async fn revoke(self: &Arc<Self>, id: Uuid, end: i64, now: i64) -> Result<(), NotRevoked> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || this.add(id, end, now)).await;
        done.unwrap_or_else(|error| Err(NotRevoked::File(io::Error::other(error))))
    }

    fn add(&self, id: Uuid, end: i64, now: i64) -> Result<(), NotRevoked> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Entries::clone(&self.known.load());
        // Others may be at it too, and what they wrote must stay.
        let _lock = self.file.as_deref().map(locked).transpose()?;
        if let Some(path) = &self.file {
            join(&mut entries, read(path)?);
        }
        entries.retain(|_, end| *end > now);
        if entries.len() >= MOST && !entries.contains_key(&id) {
            return Err(NotRevoked::TooMany);
        }
        join(&mut entries, Entries::from([(id, end)]));
        if let Some(path) = &self.file {
            write(path, &entries)?;
            *seen = Some(state(path)?);
        }
        self.known.store(Arc::new(entries));
        Ok(())
    }

    /// Takes in what others wrote.
    fn refresh(&self, path: &Path) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state(path)?;
        if *seen != Some(now) {
            let mut entries = Entries::clone(&self.known.load());
            join(&mut entries, read(path)?);
            self.known.store(Arc::new(entries));
            *seen = Some(now);
        }
        Ok(())
    }
}

/// The later end counts.
fn join(entries: &mut Entries, others: Entries) {
    for (id, end) in others {
        entries.entry(id).and_modify(|present| *present = end.max(*present)).or_insert(end);
    }
}

fn state(path: &Path) -> io::Result<Seen> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
}

/// Waits for whoever else is writing; until what is returned is dropped, nobody else does. The file itself cannot be the lock, for
/// it is replaced.
fn locked(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(beside(path, "lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A file that is gone is no file without entries: nobody but the administrator removes it.
fn read(path: &Path) -> io::Result<Entries> {
    let text = fs::read_to_string(path)?;
    let mut lines = text.lines();
    let wrong = |n: usize| io::Error::new(io::ErrorKind::InvalidData, format!("line {n} is not as scimgate writes it"));
    if lines.next() != Some(TITLE) {
        return Err(wrong(1));
    }
    let entry = |(n, line): (usize, &str)| {
        let (id, end) = line.split_once(' ').ok_or_else(|| wrong(n))?;
        Ok((id.parse().map_err(|_| wrong(n))?, end.parse().map_err(|_| wrong(n))?))
    };
    (2..).zip(lines).map(entry).collect()
}

/// Replaces the file at once, whatever happens meanwhile.
fn write(path: &Path, entries: &Entries) -> io::Result<()> {
    let temporary = beside(path, "new");
    let mut text = format!("{TITLE}\n");
    for (id, end) in entries {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{id} {end}");
    }
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[tokio::test]
    async fn what_is_revoked_stays_so_until_its_end_and_is_seen_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        let load = || Arc::new(Revocations::load(Some(path.clone())).unwrap());
        let (one, other) = (load(), load());
        other.follow_file();
        one.revoke(id(1), 100, 0).await.unwrap();
        other.revoke(id(2), 50, 0).await.unwrap();
        assert!(other.contains(id(1)) && other.contains(id(2)) && !other.contains(id(3)));
        one.revoke(id(3), 100, 60).await.unwrap();
        while !other.contains(id(3)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let later = load();
        assert!(later.contains(id(1)) && !later.contains(id(2)) && later.contains(id(3)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn none_is_lost_when_many_are_revoked_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        let all = [0, 1].map(|_| Arc::new(Revocations::load(Some(path.clone())).unwrap()));
        let revoked = (0..40u128).map(|n| {
            let one = all[usize::from(n % 2 == 0)].clone();
            tokio::spawn(async move { one.revoke(id(n), 100, 0).await.unwrap() })
        });
        for done in revoked.collect::<Vec<_>>() {
            done.await.unwrap();
        }
        let kept = Revocations::load(Some(path)).unwrap();
        assert!((0..40).all(|n| kept.contains(id(n))));
    }

    #[tokio::test]
    async fn a_file_that_is_not_ours_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        for text in ["", "secret\n", "scimgate revocations 1\nx 1\n", "scimgate revocations 1\n\n"] {
            fs::write(&path, text).unwrap();
            assert!(Revocations::load(Some(path.clone())).unwrap_err().to_string().contains("auth.oauth.revocations"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let nowhere = folder.path().join("no folder").join("revoked");
        assert!(Revocations::load(Some(nowhere)).is_err());
    }
}
