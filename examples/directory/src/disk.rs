//! Files as they are, and changing one of them in one step.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use gitops_core::{Class, Digest, Fault, RepoPath};

use crate::file::OWN;

/// A file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnDisk {
    pub(crate) content: Vec<u8>,
    pub(crate) executable: bool,
    /// Which file it is.
    pub(crate) key: String,
    /// In which state.
    pub(crate) version: String,
}

/// A new file that is complete, and not yet in its place.
#[derive(Debug)]
pub(crate) struct Ready {
    at: PathBuf,
    /// Which file it will be.
    pub(crate) key: String,
}

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
}

impl Disk {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the target's own.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.root.join(OWN).join(name)
    }

    /// Makes the target's own directory.
    pub(crate) fn prepare(&self) -> Result<(), Fault> {
        let own = self.root.join(OWN);
        fs::create_dir_all(&own).map_err(|error| io_fault(&error).at(own.display()))
    }

    /// A file; none where there is none.
    pub(crate) fn look(&self, path: &RepoPath) -> Result<Option<OnDisk>, Fault> {
        let at = self.root.join(path.as_str());
        let fault = |error: &io::Error| io_fault(error).at(path);
        if !self.is_inside(path)? {
            return Ok(None);
        }
        let Some(found) = absent(fs::symlink_metadata(&at)).map_err(|e| fault(&e))? else { return Ok(None) };
        if !found.is_file() {
            return Err(Fault::invalid("it is no file, but a directory, a link or a device").at(path));
        }
        let Some(content) = absent(fs::read(&at)).map_err(|e| fault(&e))? else { return Ok(None) };
        // What was read is of before, or of after, this.
        let Some(found) = absent(fs::symlink_metadata(&at)).map_err(|e| fault(&e))? else { return Ok(None) };
        let executable = found.permissions().mode() & 0o111 != 0;
        let modified = format!("{}.{}", found.mtime(), found.mtime_nsec());
        let version = Digest::of_parts([content.as_slice(), &[u8::from(executable)], modified.as_bytes()]);
        Ok(Some(OnDisk { content, executable, key: key(&found), version: format!("{version:.32}") }))
    }

    /// Whether the directories on the way to a file are directories. False where one is not there.
    fn is_inside(&self, path: &RepoPath) -> Result<bool, Fault> {
        let mut at = self.root.clone();
        let parts: Vec<&str> = path.parts().collect();
        for part in &parts[..parts.len().saturating_sub(1)] {
            at.push(part);
            match absent(fs::symlink_metadata(&at)).map_err(|error| io_fault(&error).at(path))? {
                Some(found) if found.is_dir() => {}
                Some(found) if found.is_symlink() => {
                    return Err(Fault::invalid(format!("{part} is a link: links are not followed")).at(path));
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Writes a new file to the disk, beside its place.
    pub(crate) fn write(&self, content: &[u8], executable: bool) -> Result<Ready, Fault> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("new-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let at = self.own(&name);
        let written = || -> io::Result<String> {
            // What a process that had our number left behind is in nobody's way.
            absent(fs::remove_file(&at))?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(&at)?;
            file.write_all(content)?;
            file.set_permissions(Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
            file.sync_all()?;
            Ok(key(&file.metadata()?))
        };
        let key = written().map_err(|error| io_fault(&error).at(at.display()))?;
        Ok(Ready { at, key })
    }

    /// Puts a new file where none is; fails with `Precondition` where one is.
    pub(crate) fn create(&self, new: &Ready, path: &RepoPath) -> Result<(), Fault> {
        let at = self.make_way(path)?;
        match fs::hard_link(&new.at, &at) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(Fault::new(Class::Precondition, "it exists by now").at(path))
            }
            Err(error) => Err(io_fault(&error).at(path)),
            Ok(()) => {
                let _ = fs::remove_file(&new.at);
                flush(&at).map_err(|error| unknown(&error).at(path))
            }
        }
    }

    /// Puts a new file in the place of another.
    pub(crate) fn replace(&self, new: &Ready, path: &RepoPath) -> Result<(), Fault> {
        let at = self.make_way(path)?;
        fs::rename(&new.at, &at).map_err(|error| io_fault(&error).at(path))?;
        flush(&at).map_err(|error| unknown(&error).at(path))
    }

    /// Deletes a file; false if it was gone.
    pub(crate) fn remove(&self, path: &RepoPath) -> Result<bool, Fault> {
        let at = self.root.join(path.as_str());
        let gone = absent(fs::remove_file(&at)).map_err(|error| io_fault(&error).at(path))?;
        if gone.is_some() {
            flush(&at).map_err(|error| unknown(&error).at(path))?;
        }
        Ok(gone.is_some())
    }

    /// Throws a new file away that was not needed.
    pub(crate) fn discard(new: &Ready) {
        let _ = fs::remove_file(&new.at);
    }

    /// Makes the directories on the way to a file.
    fn make_way(&self, path: &RepoPath) -> Result<PathBuf, Fault> {
        self.is_inside(path)?;
        let at = self.root.join(path.as_str());
        if let Some(parent) = at.parent()
            && !parent.is_dir()
        {
            fs::create_dir_all(parent).map_err(|error| io_fault(&error).at(path))?;
            for made in parent.ancestors().take_while(|made| made.starts_with(&self.root)) {
                flush(made).map_err(|error| io_fault(&error).at(path))?;
            }
        }
        Ok(at)
    }
}

/// Makes what happened to a name survive a power failure.
pub(crate) fn flush(at: &Path) -> io::Result<()> {
    at.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Which file it is.
fn key(found: &Metadata) -> String {
    let born = found.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{}-{}-{}", found.dev(), found.ino(), born.map_or(0, |born| born.as_nanos()))
}

/// None for what is not there: below a file there is nothing either.
pub(crate) fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn io_fault(error: &io::Error) -> Fault {
    let class = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Class::Denied,
        // A file stands where a directory is needed, or the other way round.
        ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::InvalidFilename => Class::Invalid,
        _ => Class::RETRY,
    };
    Fault::new(class, error.to_string())
}

/// It happened, and may not survive a power failure.
fn unknown(error: &io::Error) -> Fault {
    Fault::new(Class::OutcomeUnknown, error.to_string())
}
