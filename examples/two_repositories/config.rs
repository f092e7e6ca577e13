//! The configuration repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use gitops_core::Revision;
use gitops_git::GitSource;

use crate::repository::Repository;

/// Where the application's manifests are.
pub(crate) const PATH: &str = "apps/shop";
/// Who decides on the image, as the marker names it.
pub(crate) const POLICY: &str = "shop:web";

/// The marker says which value CI may change. Until there is a release, nothing runs.
const DEPLOYMENT: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2 # enough for the shop
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: REGISTRY/shop/web:0.0.0 # {\"$imagepolicy\": \"shop:web\"}
";

/// A bare repository, as a Git host has it.
#[derive(Debug)]
pub(crate) struct Configuration {
    dir: PathBuf,
    bare: PathBuf,
}

impl Configuration {
    pub(crate) fn create(dir: &Path, registry: &str) -> anyhow::Result<Self> {
        let work = Repository::create(&dir.join("config"))?;
        let manifest = DEPLOYMENT.replace("REGISTRY", registry);
        work.commit("Grace", "shop", &[("apps/shop/web.yaml", Some(manifest))])?;
        let config = Self { dir: dir.to_owned(), bare: dir.join("config.git") };
        git(dir, &["clone", "--quiet", "--bare", &work.url(), "config.git"])?;
        Ok(config)
    }

    /// The repository as one of its users has it: each has a copy of its own, which only it writes.
    pub(crate) fn source(&self, user: &str) -> anyhow::Result<GitSource> {
        let source = GitSource::builder(self.bare.display().to_string()).allow_local();
        Ok(source.with_branch("main").with_mirror_dir(self.dir.join(user)).build()?)
    }

    pub(crate) fn head(&self) -> anyhow::Result<Revision> {
        Ok(Revision::new(git(&self.bare, &["rev-parse", "main"])?))
    }

    /// The first line of a commit's message.
    pub(crate) fn subject(&self, commit: &Revision) -> anyhow::Result<String> {
        git(&self.bare, &["log", "-1", "--format=%s", &commit.id])
    }
}

fn git(dir: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .context("Git is needed, and cannot be run")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {} failed: {}", args.join(" "), error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
