//! A repository that something is asked about.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use gitops_core::{Class, Cx, RefSpec, RepoPath, Revision, Snapshot, Source as _, one_line};
use gitops_git::{GitSource, HistoryOptions};

use crate::args::Asked;
use crate::object::{Looked, ObjectName};
use crate::{parts, progress};

/// A repository at the revision that was asked about.
pub(crate) struct Place {
    pub(crate) source: GitSource,
    pub(crate) cx: Cx,
    pub(crate) revision: Revision,
    pub(crate) path: RepoPath,
}

impl Place {
    /// With the permissions that a GitHub App needs beside that to read.
    pub(crate) async fn of(asked: &Asked, permissions: &[&str]) -> anyhow::Result<Self> {
        let source = parts::source(&asked.repository, None, permissions)?;
        let cx = Cx::with_timeout(asked.timeout).with_progress(progress::on_terminal());
        let revision = source.resolve(&cx, &parts::reference(&asked.repository.reference)).await?;
        Ok(Self { source, cx, revision, path: RepoPath::new(&asked.repository.path)? })
    }

    /// Looks for an object here.
    pub(crate) async fn look(&self, name: &ObjectName) -> anyhow::Result<Looked> {
        let tree: Arc<dyn Snapshot> = self.source.fetch(&self.cx, &self.revision).await?;
        let (name, cx, path) = (name.clone(), self.cx.clone(), self.path.clone());
        tokio::task::spawn_blocking(move || name.look(&cx, &*tree, path)).await?
    }

    /// Fails if there is nothing at the path.
    pub(crate) async fn expect_path(&self) -> anyhow::Result<()> {
        let tree: Arc<dyn Snapshot> = self.source.fetch(&self.cx, &self.revision).await?;
        let path = self.path.clone();
        if tokio::task::spawn_blocking(move || tree.id(&path)).await??.is_none() {
            bail!("there is no {} at {}: --path names what is there", self.path, self.revision.short());
        }
        Ok(())
    }

    /// A revision by its name, of a branch before a tag; a commit by the beginning of its id too, if it is in the history.
    pub(crate) async fn named(&self, name: &str) -> anyhow::Result<Revision> {
        let hex = name.bytes().all(|c| c.is_ascii_hexdigit());
        if hex && (7..40).contains(&name.len()) {
            let prefix = name.to_ascii_lowercase();
            let mut found = self.beginning_with(&prefix).await?;
            match found.len() {
                0 => {}
                1 => return Ok(Revision::new(found.remove(0))),
                _ => bail!("several commits begin with {name}: give more of the id"),
            }
        }
        match parts::reference(name) {
            RefSpec::Commit(id) => Ok(Revision::new(id)),
            reference => {
                let mut found = self.source.resolve(&self.cx, &reference).await;
                let is_missing = matches!(&found, Err(fault) if fault.class == Class::NotFound);
                if is_missing && let RefSpec::Branch(name) = reference {
                    let tag = self.source.resolve(&self.cx, &RefSpec::Tag(name)).await;
                    found = tag.or(found);
                }
                found
                    .with_context(|| format!("{} is no branch, tag or commit of the history", one_line(name)))
            }
        }
    }

    async fn beginning_with(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let mut history = self.source.history(&self.cx, &self.revision, HistoryOptions::new()).await?;
        let mut found = Vec::new();
        while let Some(commit) = history.next(&self.cx).await? {
            if commit.id.starts_with(prefix) {
                found.push(commit.id);
            }
        }
        Ok(found)
    }
}
