//! Repositories made with the `git` program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The `git` program: the tests' own repositories and servers need it, also where `PATH` is empty.
pub fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from);
    let given = std::env::var_os("GITOPS_TEST_GIT").map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(usual).map(|dir| dir.join("git"));
    given.into_iter().chain(found).find(|program| program.is_absolute() && program.is_file()).expect("git")
}

/// Runs `git` with nothing of the machine's configuration, and the author that all commits have.
pub fn git(dir: &Path, args: &[&str]) -> String {
    git_with(dir, args, b"")
}

/// The same, with something to read for it.
pub fn git_with(dir: &Path, args: &[&str], input: &[u8]) -> String {
    let output = git_bytes(dir, &[], args, input).unwrap_or_else(|error| panic!("git {args:?}: {error}"));
    String::from_utf8_lossy(&output).trim_end().to_owned()
}

/// The same, with more in its environment, and its output as it is; what it complains about if it fails.
pub fn git_bytes(dir: &Path, env: &[(&str, &str)], args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Ben")
        .env("GIT_COMMITTER_EMAIL", "ben@example.org")
        .env("GIT_AUTHOR_DATE", "2026-11-21T10:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-11-21T11:00:00Z")
        .envs(env.iter().copied())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    let done = child.wait_with_output().unwrap();
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// A bare repository, as a server has it, and a clone to work in.
pub struct Repo {
    dir: TempDir,
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}

impl Repo {
    /// An empty repository named `repo.git`, whose HEAD is `main`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "repo.git"]);
        git(dir.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
        git(&dir.path().join("work"), &["remote", "add", "origin", "../repo.git"]);
        Self { dir }
    }

    /// A repository with one commit.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit("first", files);
        repo
    }

    /// What contains `repo.git`.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn bare(&self) -> PathBuf {
        self.dir.path().join("repo.git")
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// A place for mirrors.
    pub fn mirrors(&self) -> PathBuf {
        self.dir.path().join("mirrors")
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.work(), args)
    }

    /// Writes files, commits them to what is checked out, and pushes it. Returns the commit's id.
    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            let path = self.work().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        self.commit_all(message)
    }

    /// Commits what is in the work tree, and pushes it.
    pub fn commit_all(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.push();
        self.head()
    }

    pub fn push(&self) {
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes a symbolic link.
    pub fn link(&self, name: &str, target: &str) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }
}
