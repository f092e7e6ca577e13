//! A real Git repository, and people who commit to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// A Git repository with a work tree.
#[derive(Debug)]
pub(crate) struct Repository {
    dir: PathBuf,
}

impl Repository {
    pub(crate) fn create(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir)?;
        let repository = Self { dir: dir.to_owned() };
        repository.git("Setup", &["init", "--quiet", "--initial-branch=main"])?;
        Ok(repository)
    }

    pub(crate) fn url(&self) -> String {
        self.dir.display().to_string()
    }

    /// Commits files; one without content is removed. Returns the commit's id.
    pub(crate) fn commit(
        &self,
        author: &str,
        message: &str,
        files: &[(&str, Option<String>)],
    ) -> anyhow::Result<String> {
        for (path, content) in files {
            let file = self.dir.join(path);
            match content {
                Some(content) => {
                    if let Some(dir) = file.parent() {
                        fs::create_dir_all(dir)?;
                    }
                    fs::write(&file, content)?;
                }
                None => fs::remove_file(&file)?,
            }
        }
        self.git(author, &["add", "--all"])?;
        self.git(author, &["commit", "--quiet", "--message", message])?;
        self.head()
    }

    /// `git revert`, the way back. Returns the new commit's id.
    pub(crate) fn revert(&self, author: &str, commit: &str) -> anyhow::Result<String> {
        self.git(author, &["revert", "--no-edit", commit])?;
        self.head()
    }

    fn head(&self) -> anyhow::Result<String> {
        self.git("Setup", &["rev-parse", "HEAD"])
    }

    fn git(&self, author: &str, args: &[&str]) -> anyhow::Result<String> {
        let email = format!("{}@shop.example", author.to_lowercase());
        let output = Command::new("git")
            .args(args)
            .current_dir(&self.dir)
            // The story is the same whatever this machine's own Git configuration says.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .envs([("GIT_AUTHOR_NAME", author), ("GIT_COMMITTER_NAME", author)])
            .envs([("GIT_AUTHOR_EMAIL", &email), ("GIT_COMMITTER_EMAIL", &email)])
            .output()
            .context("Git is needed, and cannot be run")?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {} failed: {}", args.join(" "), error.trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
