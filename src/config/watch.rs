//! Whether the files that the configuration was made of are still the same.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};

/// What tells one state of a file from another. A link is followed: Kubernetes changes where one leads to.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

/// The files, as they were before they were read: what is changed while they are read is read again.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    read: Vec<Stamp>,
    last: Vec<Stamp>,
}

impl Watched {
    /// Notes how the file of the configuration is, and all that it names, and then reads it. What there is to note is only known
    /// from the configuration, as it was found just before.
    ///
    /// # Errors
    /// Every mistake.
    pub fn read(file: &Path, found: &Config) -> Result<(Self, Config), ConfigError> {
        let watched = Self::of(file, found);
        Ok((watched, Config::load(file)?))
    }

    fn of(file: &Path, config: &Config) -> Self {
        let paths: Vec<PathBuf> = std::iter::once(file.to_owned()).chain(files(config)).collect();
        let read = stamps(&paths);
        Self { paths, last: read.clone(), read }
    }

    /// Whether any of them was changed and has been left alone since the last look: whoever writes several files is let finish.
    pub fn changed(&mut self) -> bool {
        let now = stamps(&self.paths);
        let settled = now == self.last;
        self.last = now;
        settled && self.last != self.read
    }

    /// Takes them, as they are now, for read: they are about to be, whatever comes of it.
    pub fn seen(&mut self) {
        self.read = stamps(&self.paths);
        self.last.clone_from(&self.read);
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
    };
    paths.iter().map(stamp).collect()
}

/// What is read besides the file itself. What the program writes, the audit and what was revoked, is not part of it.
fn files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = config.secret_files.iter().map(|secret| secret.path.clone()).collect();
    if let Some(tls) = &config.server.tls {
        files.extend([tls.certificate.clone(), tls.private_key.clone()]);
        files.extend(tls.client_ca.clone());
    }
    files.extend(config.admin.kept.as_ref().map(|kept| kept.path.clone()));
    files.extend(config.directory.ca.clone());
    if let Some(shown) = &config.directory.client_certificate {
        files.extend([shown.certificate.clone(), shown.private_key.clone()]);
    }
    if let Some(oauth) = &config.auth.oauth {
        files.push(oauth.signing_key.clone());
        files.extend(oauth.former_keys.iter().cloned());
    }
    files.extend(config.auth.issuers.iter().filter_map(|issuer| issuer.ca.clone()));
    files.extend(config.data.user_extensions.iter().chain(&config.data.group_extensions).cloned());
    for part in config.data.folder.iter().flat_map(|folder| [folder.join("mapping"), folder.join("schemas")]) {
        let inside = std::fs::read_dir(&part).into_iter().flatten().flatten().map(|entry| entry.path());
        files.extend(inside);
        files.push(part);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watching(path: &Path) -> Watched {
        let paths = vec![path.to_owned()];
        let read = stamps(&paths);
        Watched { paths, last: read.clone(), read }
    }

    #[test]
    fn a_change_counts_once_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scimgate.toml");
        std::fs::write(&file, "a").unwrap();
        let mut watched = watching(&file);
        assert!(!watched.changed());
        std::fs::write(&file, "ab").unwrap();
        assert!(!watched.changed(), "it may be written still");
        assert!(watched.changed());
        watched.seen();
        assert!(!watched.changed());
        std::fs::remove_file(&file).unwrap();
        assert!(!watched.changed());
        assert!(watched.changed(), "a file that is gone has changed");
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["1", "2"] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("key"), "same").unwrap();
        }
        std::os::unix::fs::symlink("1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/key", at("key")).unwrap();
        let mut watched = watching(&at("key"));
        std::os::unix::fs::symlink("2", at("..new")).unwrap();
        std::fs::rename(at("..new"), at("..data")).unwrap();
        assert!(!watched.changed());
        assert!(watched.changed());
    }
}
