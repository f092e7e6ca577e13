//! What the tests of the programs share.
#![allow(dead_code, reason = "each test program uses another part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is for tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The quickstart's people and their Git repository.
#[path = "../../quickstart/repository.rs"]
mod repository;

/// One of the examples, which `cargo test` builds too.
pub(crate) fn program(name: &str) -> PathBuf {
    // Beside the directory of the test programs is that of the examples.
    let test = std::env::current_exe().expect("a running test has a path");
    let example =
        test.ancestors().nth(2).expect("it lies in target/PROFILE/deps").join("examples").join(name);
    assert!(example.exists(), "{} is not built: run `cargo test -p gitops-examples`", example.display());
    example
}

/// The lines of a program's output, each one JSON value.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    let value = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(value).collect()
}

/// Runs `git` with nothing of the machine's configuration. Returns what it says, with the line break at the end.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A Git repository that goes with the test.
#[derive(Debug)]
pub(crate) struct Repo {
    repository: repository::Repository,
    dir: tempfile::TempDir,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { repository: repository::Repository::create(&dir.path().join("config")).unwrap(), dir }
    }

    /// A repository with one commit.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit("first", files);
        repo
    }

    pub(crate) fn url(&self) -> String {
        self.repository.url()
    }

    /// Where the engine may keep its copy.
    pub(crate) fn mirror(&self) -> PathBuf {
        self.dir.path().join("mirror")
    }

    /// Commits files. Returns the commit's id.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some((*text).to_owned()))).collect();
        self.repository.commit("Ada", message, &files).unwrap()
    }

    /// Commits that files are gone.
    pub(crate) fn remove(&self, message: &str, files: &[&str]) -> String {
        let files: Vec<_> = files.iter().map(|path| (*path, None)).collect();
        self.repository.commit("Ada", message, &files).unwrap()
    }

    /// `git revert`.
    pub(crate) fn revert(&self, commit: &str) -> String {
        self.repository.revert("Ada", commit).unwrap()
    }
}
