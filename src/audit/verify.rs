//! Whether the lines are those that were written.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::chain::{Chain, Place, hash};
use super::file::put_aside;

/// A chain without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The number of the first line that is kept; 1 where all are.
    pub first: u64,
    /// The number of the last line; less than `first` where there is none.
    pub last: u64,
    /// The last line's hash, to be compared with one that was kept elsewhere.
    pub hash: String,
    /// Files that were read.
    pub files: usize,
    /// The last line has no end: it is being written, or a crash cut it off.
    pub unfinished: bool,
}

/// The first place where the chain is broken.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's place in it, from one.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// Reads all lines, those that were put aside first.
///
/// # Errors
/// The first place where the chain is broken.
pub fn verify(path: &Path) -> Result<Verified, Broken> {
    verify_each(path, |_| {})
}

/// The same, and each line that is in its place is told.
///
/// # Errors
/// The first place where the chain is broken; what was told by then is in order.
pub(super) fn verify_each(path: &Path, mut tell: impl FnMut(&[u8])) -> Result<Verified, Broken> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| Broken::Unreadable { path, error }
    };
    let mut files: Vec<PathBuf> = put_aside(path).map_err(unreadable(path))?.into_iter().map(|(_, path)| path).collect();
    // Just after it was put aside, there is none.
    if path.exists() || files.is_empty() {
        files.push(path.to_owned());
    }
    let mut chain: Option<Chain> = None;
    let (mut first, mut unfinished) = (1, false);
    let last_file = files.len() - 1;
    for (n, path) in files.iter().enumerate() {
        let file = fs::File::open(path).map_err(unreadable(path))?;
        let mut lines = BufReader::new(file);
        for number in 1.. {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line).map_err(unreadable(path))? == 0 {
                break;
            }
            let broken = |what: String| Broken::Line { path: path.clone(), line: number, what };
            if line.pop_if(|byte| *byte == b'\n').is_none() {
                if n < last_file {
                    return Err(broken("the line has no end".to_owned()));
                }
                unfinished = true;
                break;
            }
            let place: Place = serde_json::from_slice(&line).map_err(|_| broken("this is no line of the audit".to_owned()))?;
            match &chain {
                Some(before) if place.seq != before.seq + 1 => {
                    return Err(broken(format!(
                        "line {} of the audit follows line {}: lines are missing or moved",
                        place.seq, before.seq
                    )));
                }
                Some(before) if place.prev != before.hash => {
                    return Err(broken(format!("line {} of the audit is not as it was when this one was written", before.seq)));
                }
                None if place.seq == 1 && place.prev != Chain::new().hash => {
                    return Err(broken("the first line of the audit follows another".to_owned()));
                }
                None => first = place.seq,
                Some(_) => {}
            }
            tell(&line);
            chain = Some(Chain { seq: place.seq, hash: hash(&line) });
        }
    }
    let Chain { seq: last, hash } = chain.unwrap_or_else(Chain::new);
    Ok(Verified { first, last, hash, files: files.len(), unfinished })
}
