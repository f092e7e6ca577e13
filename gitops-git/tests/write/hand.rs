//! What Git makes of the same, in a work tree.

use std::path::{Path, PathBuf};

use crate::common::git;
use crate::common::repo::git_bytes;

/// A work tree of Git's, beside the bare repository of a world.
pub struct Hand {
    dir: tempfile::TempDir,
}

impl Hand {
    pub fn new(bare: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(
            bare,
            &["worktree", "add", "--quiet", "--detach", dir.path().join("work").to_str().unwrap(), "main"],
        );
        Self { dir }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn git(&self, args: &[&str]) -> Result<String, String> {
        git_bytes(&self.work(), &[], args, b"")
            .map(|out| String::from_utf8(out).unwrap().trim_end().to_owned())
    }

    /// Goes to a commit, and leaves nothing of what was before.
    fn go(&self, to: &str) {
        self.git(&["reset", "--quiet", "--hard", to]).unwrap();
        self.git(&["clean", "-dfxq"]).unwrap();
    }

    /// The tree that reverting makes of a commit, or the files in which it conflicts.
    pub fn revert(&self, of: &str, args: &[&str]) -> Result<String, Vec<String>> {
        self.merge(of, "revert", args)
    }

    /// The tree that a commit's change makes of another commit, or the files in which it conflicts.
    pub fn cherry_pick(&self, of: &str, commit: &str) -> Result<String, Vec<String>> {
        self.merge(of, "cherry-pick", &[commit])
    }

    fn merge(&self, of: &str, command: &str, args: &[&str]) -> Result<String, Vec<String>> {
        self.go(of);
        let done =
            self.git(&[&["-c", "merge.directoryRenames=false", command, "--no-commit"], args].concat());
        let made = match done {
            Ok(_) => Ok(self.git(&["write-tree"]).unwrap()),
            Err(said) => {
                let conflicts = self.git(&["diff", "--name-only", "--diff-filter=U"]).unwrap();
                assert!(!conflicts.is_empty(), "{args:?}: {said}");
                Err(conflicts.lines().map(str::to_owned).collect())
            }
        };
        let _ = self.git(&[command, "--quit"]);
        made
    }

    /// A commit after another one that has what a third one had at a path, and else what that has.
    pub fn with(&self, of: &str, path: &str, from: &str) -> String {
        let tree = self.restore(of, from, path).unwrap_or_else(|| {
            self.git(&["rm", "-r", "--quiet", "--ignore-unmatch", "--", path]).unwrap();
            self.git(&["write-tree"]).unwrap()
        });
        self.git(&["commit-tree", "-p", of, "-m", "with", &tree]).unwrap()
    }

    /// The tree that restoring makes of a commit.
    pub fn restore(&self, of: &str, from: &str, path: &str) -> Option<String> {
        self.go(of);
        let done = self.git(&["restore", &format!("--source={from}"), "--staged", "--worktree", "--", path]);
        done.ok().map(|_| self.git(&["write-tree"]).unwrap())
    }
}
