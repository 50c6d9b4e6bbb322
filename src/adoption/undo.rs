//! The file that undoes an adoption, as LDIF for ldapmodify. A record is on the disk before the change that it undoes.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const HEAD: &str =
    "# Undoes an adoption by scimgate: ldapmodify -c -f FILE. What was changed since is refused there, and stays.\n\n";

/// The file, and which records it has.
#[derive(Debug)]
pub struct UndoFile {
    path: PathBuf,
    file: File,
    records: HashSet<String>,
}

impl UndoFile {
    /// Opens it, and goes on after the records that it has. One that a crash left unfinished is cut off: its change was not made.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        // It tells who is in the directory.
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let records = text.get(..whole).unwrap_or_default().split("\n\n").filter(|record| record.starts_with("dn:"));
        let records = records.map(|record| format!("{record}\n")).collect();
        if whole == 0 {
            file.write_all(HEAD.as_bytes())?;
        }
        file.sync_data()?;
        // The name of a new file is in its folder, which is written by itself.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(Self { path: path.to_owned(), file, records })
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds records that it does not have yet, and waits until they are on the disk.
    ///
    /// # Errors
    /// They could not be written.
    pub fn add(&mut self, records: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut text = String::new();
        for record in records {
            if !self.records.contains(&record) {
                text.push_str(&record);
                text.push('\n');
                self.records.insert(record);
            }
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }

    /// Takes out records whose changes were refused.
    ///
    /// # Errors
    /// The file could not be written anew; it has them still.
    pub fn withdraw(&mut self, refused: &HashSet<String>) -> io::Result<()> {
        if refused.is_empty() {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        self.file.read_to_string(&mut text)?;
        let kept: Vec<&str> =
            text.split("\n\n").filter(|record| !record.is_empty() && !refused.contains(&format!("{record}\n"))).collect();
        let text: String = kept.iter().flat_map(|record| [*record, "\n\n"]).collect();
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        self.file = file;
        self.records.retain(|record| !refused.contains(record));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_after_a_crash_and_has_each_record_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo.ldif");
        let record = |n: usize| format!("dn: uid={n}\nchangetype: modify\ndelete: a\na: {n}\n-\n");
        let mut file = UndoFile::open(&path).unwrap();
        file.add([record(1), record(2)]).unwrap();
        drop(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}dn: uid=3\nchangetype: mo")).unwrap();
        let mut file = UndoFile::open(&path).unwrap();
        assert_eq!(file.len(), 2);
        file.add([record(2), record(3)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(crate::directory::ldif::parse(&text).unwrap().len(), 3, "{text}");
        file.withdraw(&HashSet::from([record(2)])).unwrap();
        file.add([record(4)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('#') && !text.contains("uid=2") && text.contains("uid=4"), "{text}");
        assert_eq!(UndoFile::open(&path).unwrap().len(), 3);
    }
}
