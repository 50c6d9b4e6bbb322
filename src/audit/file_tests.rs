use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::audit::chain::{Entry, Event, Own};
use crate::audit::{Broken, verify};

fn config(folder: &tempfile::TempDir) -> FileConfig {
    FileConfig { path: folder.path().join("audit.jsonl"), rotate_size: 1000, keep: 3, sync: true }
}

/// Writes so many lines, each by itself.
fn write(file: &mut File, chain: &mut Chain, lines: u64) {
    for count in 0..lines {
        let before = chain.clone();
        let line = chain.append(&Entry::now(Event::Own(Own { event: "lost", count })));
        file.write(&[line], &before).unwrap();
    }
}

#[test]
fn the_chain_goes_on_over_restarts_and_files_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    for round in 0..4 {
        let (mut file, mut chain, cut) = File::open(config.clone()).unwrap();
        assert_eq!((chain.seq, cut), (round * 7, 0));
        file.look(&chain).unwrap();
        write(&mut file, &mut chain, 7);
    }
    let verified = verify(&config.path).unwrap();
    assert_eq!((verified.last, verified.files, verified.unfinished), (28, 4, false));
    assert!(verified.first > 1, "the oldest are gone");
    assert_eq!(fs::metadata(&config.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::metadata(&config.path).unwrap().len() <= 1000);
}

#[test]
fn half_a_line_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let (mut file, mut chain, _) = File::open(config.clone()).unwrap();
    write(&mut file, &mut chain, 2);
    drop(file);
    let mut bytes = fs::read(&config.path).unwrap();
    bytes.extend_from_slice(b"{\"seq\":3,\"ti");
    fs::write(&config.path, bytes).unwrap();
    assert!(verify(&config.path).unwrap().unfinished);
    let (_, again, cut) = File::open(config.clone()).unwrap();
    assert_eq!((again, cut), (chain, 12));
    assert!(!verify(&config.path).unwrap().unfinished);
}

#[test]
fn each_process_needs_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let _one = File::open(config(&folder)).unwrap();
    let error = File::open(config(&folder)).unwrap_err();
    assert!(error.contains("audit.path") && error.contains("another scimgate"), "{error}");
}

#[test]
fn a_file_of_others_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    fs::write(&config.path, "root:x:0:0\n").unwrap();
    assert!(File::open(config.clone()).unwrap_err().contains("none of the audit's"));
    assert_eq!(fs::read_to_string(&config.path).unwrap(), "root:x:0:0\n");
}

#[test]
fn a_file_that_is_moved_away_is_made_anew_and_a_folder_that_is_gone_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let config = FileConfig { path: inner.join("audit.jsonl"), rotate_size: 1 << 20, keep: 0, sync: false };
    let (mut file, mut chain, _) = File::open(config.clone()).unwrap();
    write(&mut file, &mut chain, 1);
    fs::rename(&config.path, inner.join("moved")).unwrap();
    write(&mut file, &mut chain, 1);
    let verified = verify(&config.path).unwrap();
    assert_eq!((verified.first, verified.last), (2, 2));
    fs::rename(&inner, folder.path().join("away")).unwrap();
    assert!(file.look(&chain).is_err());
    fs::rename(folder.path().join("away"), &inner).unwrap();
    file.look(&chain).unwrap();
    write(&mut file, &mut chain, 1);
    assert_eq!(verify(&config.path).unwrap().last, 3);
}

#[test]
fn what_is_changed_taken_out_or_put_in_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let config = FileConfig { rotate_size: 1 << 20, ..config(&folder) };
    let (mut file, mut chain, _) = File::open(config.clone()).unwrap();
    write(&mut file, &mut chain, 5);
    drop(file);
    let text = fs::read_to_string(&config.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let broken_at = |lines: &[&str]| {
        fs::write(&config.path, lines.join("\n") + "\n").unwrap();
        match verify(&config.path) {
            Ok(_) => None,
            Err(Broken::Line { line, .. }) => Some(line),
            Err(Broken::Unreadable { .. }) => panic!("it is there"),
        }
    };
    assert_eq!(broken_at(&lines), None);
    let changed = lines[1].replace("\"count\":1", "\"count\":7");
    assert_eq!(broken_at(&[lines[0], &changed, lines[2], lines[3]]), Some(3));
    assert_eq!(broken_at(&[lines[0], lines[2], lines[3]]), Some(2));
    assert_eq!(broken_at(&[lines[0], lines[1], lines[1], lines[2]]), Some(3));
    assert_eq!(broken_at(&[lines[0], lines[2], lines[1]]), Some(2));
    assert_eq!(broken_at(&[lines[0], "{}", lines[1]]), Some(2));
}
