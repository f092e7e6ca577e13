//! The host keys that are trusted.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::GitError;
use crate::mirror::{hex, private_dir};

/// A file is a list of hosts, not a database.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where the keys are from.
#[derive(Debug, Clone)]
pub(crate) enum KnownHosts {
    File(PathBuf),
    Text(String),
}

impl KnownHosts {
    /// Fails where a text names nobody. A file is looked at when it is used.
    pub(crate) fn check(&self) -> Result<(), GitError> {
        match self {
            Self::Text(text) if !names_somebody(text) => Err(fail("the text names no host")),
            _ => Ok(()),
        }
    }

    /// Writes what is known now into a directory of ours, so that `ssh` reads what we have read, by a name that no option
    /// needs to quote. Returns the name in that directory.
    pub(super) fn put(&self, dir: &Path) -> Result<String, GitError> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => read(path)?,
        };
        let name = format!("known_hosts-{}", &hex(&Sha256::digest(text.as_bytes()))[..32]);
        let written = private_dir(dir).and_then(|()| write(dir, &name, &text));
        written
            .map_err(|error| GitError::MirrorDir { path: dir.to_owned(), reason: error.to_string() })
            .map(|()| name)
    }
}

fn fail(reason: impl Into<String>) -> GitError {
    GitError::KnownHosts { reason: reason.into() }
}

fn read(path: &Path) -> Result<String, GitError> {
    let at = |reason: &str| fail(format!("{}: {reason}", path.display()));
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    let bytes = read.map_err(|error| at(&error.kind().to_string()))?;
    if bytes as u64 == MAX_BYTES {
        return Err(at("the file is too large"));
    }
    if names_somebody(&text) { Ok(text) } else { Err(at("the file names no host")) }
}

fn names_somebody(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}

fn write(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = dir.join(name);
    if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = dir.join(format!("{name}.{}.{next}", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&beside, &path)).inspect_err(|_| {
        // What failed to be written is of no use.
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nobody_is_refused_and_a_changed_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        for empty in ["", "\n# nobody\n"] {
            let error = KnownHosts::Text(empty.into()).check().unwrap_err();
            assert!(matches!(error, GitError::KnownHosts { .. }), "{error:?}");
        }
        let (file, ours) = (dir.path().join("known hosts"), dir.path().join("ours"));
        let known = KnownHosts::File(file.clone());
        known.check().unwrap();
        assert!(matches!(known.put(&ours), Err(GitError::KnownHosts { .. })));
        for text in ["h ssh-ed25519 AAAA\n", "h ssh-ed25519 BBBB\n"] {
            fs::write(&file, text).unwrap();
            let name = known.put(&ours).unwrap();
            assert_eq!(fs::read_to_string(ours.join(&name)).unwrap(), text);
            // What somebody has changed is written again.
            fs::write(ours.join(&name), "x").unwrap();
            assert_eq!(known.put(&ours).unwrap(), name);
            assert_eq!(fs::read_to_string(ours.join(&name)).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 2);
    }
}
