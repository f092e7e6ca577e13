//! A simulated repository as one application's source, and its renderer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use gitops_core::{
    Cx, Digest, Entry, Events, Fault, Manifest, PlainManifests, RefSpec, Render, RepoPath, Revision,
    Snapshot, Source, TreeId, async_trait,
};
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;

use crate::faults::{self, Call, Trouble};
use crate::mutants::Mutant;
use crate::shared::Shared;

#[derive(Debug, Clone)]
pub(crate) struct SimSource {
    pub(crate) shared: Arc<Shared>,
    pub(crate) app: String,
    pub(crate) repo: usize,
}

#[async_trait]
impl Source for SimSource {
    fn identity(&self) -> String {
        self.shared.repos[self.repo].source.identity()
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        tokio::task::yield_now().await;
        let trouble = self.shared.faults.roll(&self.shared, Call::Resolve);
        faults::before(&self.shared, Call::Resolve, trouble).await?;
        let revision = self.shared.repos[self.repo].source.resolve(cx, want).await?;
        self.shared.ledger().app(&self.app).hear(&revision.id);
        faults::after(&self.shared, trouble).await?;
        Ok(revision)
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        let trouble = self.shared.faults.roll(&self.shared, Call::Fetch);
        faults::before(&self.shared, Call::Fetch, trouble).await?;
        let turn = self.shared.rendering.clone().lock_owned().await;
        let inner = self.shared.repos[self.repo].source.fetch(cx, revision).await?;
        faults::after(&self.shared, trouble).await?;
        Ok(Arc::new(SimSnapshot { inner, shared: self.shared.clone(), turn: Some(turn) }))
    }

    fn hints(&self) -> Option<Events<()>> {
        let hints = self.shared.repos[self.repo].listen();
        let hints = stream::unfold(hints, |mut hints| async move { Some((hints.recv().await?, hints)) });
        Some(hints.boxed())
    }
}

struct SimSnapshot {
    inner: Arc<dyn Snapshot>,
    shared: Arc<Shared>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Drop for SimSnapshot {
    /// Lets the next one render a moment later. Time stands still while another thread works, so that is after what this
    /// rendering ends with, in every run.
    fn drop(&mut self) {
        if let (Some(turn), Ok(runtime)) = (self.turn.take(), Handle::try_current()) {
            runtime.spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(turn);
            });
        }
    }
}

impl Snapshot for SimSnapshot {
    fn revision(&self) -> &Revision {
        self.inner.revision()
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        self.shared.gate.pass();
        self.inner.id(path)
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        let mut entries = self.inner.list(dir)?;
        if self.shared.mutant == Some(Mutant::HalfATree) && entries.len() > 3 {
            entries.truncate(entries.len() / 2);
        }
        Ok(entries)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        match self.shared.faults.roll(&self.shared, Call::Read) {
            Some(Trouble::Fail(class)) => Err(Fault::new(class, "injected").at(file)),
            _ => self.inner.read(file, max_bytes),
        }
    }
}

/// Plain manifests, rendered when nothing else happens.
#[derive(Debug)]
pub(crate) struct SimRender(pub(crate) Arc<Shared>, pub(crate) PlainManifests);

impl Render for SimRender {
    fn key(&self) -> Digest {
        self.1.key()
    }

    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        self.0.gate.pass();
        self.1.render(cx, tree, path)
    }
}
