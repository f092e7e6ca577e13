//! A mirror's directory, looked at from outside.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{dirs, git};

/// The repositories in use below a directory of mirrors.
pub(crate) fn repositories(mirrors: &Path) -> Vec<PathBuf> {
    let in_use = |dir: PathBuf| {
        let current = fs::read_to_string(dir.join("current")).ok()?;
        Some(dir.join(current))
    };
    dirs(mirrors).into_iter().filter_map(in_use).collect()
}

/// The one repository in use.
pub(crate) fn repository(mirrors: &Path) -> PathBuf {
    let mut found = repositories(mirrors);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// All files below a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let of = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    dirs(dir).into_iter().flat_map(of).collect()
}

/// The bytes of all files below a directory.
pub(crate) fn size(dir: &Path) -> u64 {
    files(dir).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Git finds nothing wrong with the mirror.
pub(crate) fn assert_sound(mirrors: &Path) {
    git(&repository(mirrors), &["fsck", "--full", "--no-dangling"]);
}

/// What is there is what a mirror is made of: one repository, no temporary files, no locks but the one that is held.
pub(crate) fn assert_clean(mirrors: &Path, case: &str) {
    let repository = repository(mirrors);
    let dir = repository.parent().unwrap();
    for path in dirs(dir) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = ["lock", "current", "notes"].contains(&name) || path == repository;
        assert!(expected, "{case}: {}", path.display());
    }
    for path in files(&repository) {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_pack = matches!(extension, Some("pack" | "idx"));
        let in_packs = path.parent().unwrap().ends_with("objects/pack");
        assert!(is_pack == in_packs && extension != Some("lock"), "{case}: {}", path.display());
    }
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for path in dirs(from) {
        let there = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &there);
        } else {
            fs::copy(&path, &there).unwrap();
        }
    }
}
