//! A repository of a mirror on disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the lock of a mirror is waited for. A program that is being started holds all that we hold until it runs,
/// and who has just ended may not have let go yet; neither is worth another mirror.
const PATIENCE: Duration = Duration::from_millis(100);

/// Locks it, if nobody holds it for long.
pub(super) fn patient_lock(file: &File) -> Result<(), TryLockError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

pub(super) fn number(name: &str) -> Option<u32> {
    name.strip_prefix("repo-")?.strip_suffix(".git")?.parse().ok()
}

/// Whether a crash left something that Git would not take for a repository.
pub(super) fn looks_whole(repo: &Path) -> bool {
    SETTINGS.iter().all(|(name, _)| repo.join(name).is_file()) && has_content(repo)
}

pub(super) fn has_content(repo: &Path) -> bool {
    repo.join("objects/pack").is_dir() && repo.join("refs").is_dir()
}

/// What is the same in each repository of ours.
const SETTINGS: [(&str, &str); 2] = [
    ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
    ("HEAD", "ref: refs/heads/none\n"),
];

/// Writes the files that are the same in each repository where they are not.
pub(super) fn write_settings(repo: &Path) -> std::io::Result<()> {
    for (name, content) in SETTINGS {
        let path = repo.join(name);
        if fs::read(&path).ok().as_deref() != Some(content.as_bytes()) {
            fs::write(path, content)?;
        }
    }
    Ok(())
}

/// Makes an empty bare repository, without the hooks and templates of the machine's Git.
pub(super) fn make_repository(dir: &Path, name: &str) -> std::io::Result<PathBuf> {
    let path = dir.join(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    make_private_dir(&path)?;
    fs::create_dir_all(path.join("objects/pack"))?;
    fs::create_dir_all(path.join("refs"))?;
    write_settings(&path)?;
    Ok(path)
}

pub(super) fn put_in_use(dir: &Path, name: &str) -> std::io::Result<()> {
    let staged = dir.join("current.new");
    let mut file = File::create(&staged)?;
    file.write_all(name.as_bytes())?;
    file.sync_all()?;
    fs::rename(staged, dir.join("current"))
}

/// Opens a repository with nothing of the machine's configuration.
pub(super) fn open(path: &Path) -> gix::Result<gix::Repository> {
    open_with(path, None::<String>)
}

pub(super) fn open_with(
    path: &Path,
    config: impl IntoIterator<Item = String>,
) -> gix::Result<gix::Repository> {
    let options = gix::open::Options::isolated().open_path_as_is(true).config_overrides(config);
    options.open(path).map(|repo| repo.to_thread_local())
}

/// Packs that a killed process did not finish, and locks that it held.
pub(super) fn remove_leftovers(repo: &Path) {
    remove_files(&repo.join("objects/pack"), |path| {
        let is_ours = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"pack-"));
        match path.extension().and_then(|extension| extension.to_str()) {
            // The index is what comes last.
            Some("pack") => !(is_ours && path.with_extension("idx").exists()),
            Some("idx") => !is_ours,
            _ => true,
        }
    });
    for dir in ["", "refs/gitops/tips", "refs/gitops/commits", "refs/gitops/tags"] {
        remove_files(&repo.join(dir), |path| path.extension().is_some_and(|ext| ext == "lock"));
    }
}

fn remove_files(dir: &Path, which: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if which(&entry.path()) {
            // If it stays, the operation that it stands in the way of says so.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a directory that only its owner can enter, or closes it to others.
pub(crate) fn private_dir(path: &Path) -> std::io::Result<()> {
    make_private_dir(path).and_then(|()| shut(path))
}

/// Makes a directory that only its owner can enter.
pub(super) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes everybody else's access to a directory of ours that was made before, by whomever: where it is not ours, that is
/// an error.
#[cfg(unix)]
fn shut(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path)?.permissions().mode() & 0o777 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn shut(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
