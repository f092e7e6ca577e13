//! The Git repository that the engine follows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workload::Object;

#[derive(Debug)]
pub(crate) struct Repository(PathBuf);

impl Repository {
    /// With one commit, which has a file for each object.
    pub(crate) fn create(directory: &Path, objects: &[Object]) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let repository = Self(directory.to_owned());
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        for object in objects {
            repository.write(object)?;
        }
        repository.commit()?;
        Ok(repository)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, object: &Object) -> Result<()> {
        let file = self.0.join(&object.file);
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        Ok(fs::write(file, object.yaml())?)
    }

    pub(crate) fn commit(&self) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", "Change"])
    }

    fn git(&self, args: &[&str]) -> Result<()> {
        let output = Command::new("git")
            .args(args)
            .current_dir(&self.0)
            // The same whatever this machine's own Git configuration says.
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@shop.example")])
            .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@shop.example")])
            .output()
            .context("Git is needed, and cannot be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {} failed: {}", args.join(" "), said.trim());
        Ok(())
    }
}
