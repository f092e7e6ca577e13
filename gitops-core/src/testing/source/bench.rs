//! What the clauses do again and again.

use std::sync::Arc;

use super::SourceHarness;
pub(super) use crate::testing::clause::refused;
use crate::testing::{Checked, Failure, cx};
use crate::{RefSpec, RepoPath, Revision, Snapshot, Source};

/// More than any file of the suite holds, unless it says so.
pub(super) const LARGE: u64 = 1 << 24;

/// A source, and the harness behind it.
pub(super) struct Bench<'h> {
    pub(super) harness: &'h dyn SourceHarness,
    pub(super) source: Arc<dyn Source>,
}

pub(super) type Tree = Arc<dyn Snapshot>;

impl<'h> Bench<'h> {
    pub(super) async fn new(harness: &'h dyn SourceHarness) -> Self {
        Self { harness, source: harness.open().await }
    }

    /// The same place, read by a process that was started after.
    pub(super) async fn restarted(&self) -> Self {
        Self::new(self.harness).await
    }

    pub(super) async fn resolve(&self) -> Result<Revision, Failure> {
        Ok(self.source.resolve(&cx(), &RefSpec::Default).await?)
    }

    pub(super) async fn fetch(&self, id: &str) -> Result<Tree, Failure> {
        Ok(self.source.fetch(&cx(), &Revision::new(id)).await?)
    }

    /// The newest revision's tree.
    pub(super) async fn newest(&self) -> Result<Tree, Failure> {
        let revision = self.resolve().await?;
        Ok(self.source.fetch(&cx(), &revision).await?)
    }

    /// Commits one state and fetches it.
    pub(super) async fn commit(&self, files: &[(&str, Option<&str>)]) -> Result<Tree, Failure> {
        let id = self.harness.commit("a change", files).await;
        self.fetch(&id).await
    }
}

/// A path that is one.
pub(super) fn path(text: &str) -> Result<RepoPath, Failure> {
    RepoPath::new(text).map_err(|error| Failure::violated(error.to_string()))
}

/// Reads off the async threads, as the contract asks for.
pub(super) async fn off<T: Send + 'static>(
    tree: &Tree,
    read: impl FnOnce(&dyn Snapshot) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let tree = tree.clone();
    let done = tokio::task::spawn_blocking(move || read(&*tree)).await;
    done.map_err(|_| Failure::violated("the source panicked"))?
}

/// A file's content as text.
pub(super) async fn text(tree: &Tree, file: &str) -> Result<String, Failure> {
    let file = path(file)?;
    off(tree, move |tree| {
        let bytes = tree.read(&file, LARGE)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Failure::violated(format!("{file} is no text")))
    })
    .await
}

/// The id of what is at a path, where something is.
pub(super) async fn id(tree: &Tree, at: &str) -> Result<Option<String>, Failure> {
    let at = path(at)?;
    off(tree, move |tree| Ok(tree.id(&at)?.map(|id| id.as_str().to_owned()))).await
}

/// Fails unless a file has a content.
pub(super) async fn holds(tree: &Tree, file: &str, content: &str, when: &str) -> Checked {
    let seen = text(tree, file).await?;
    ensure!(seen == content, "{when}: {file} holds {seen:?}, and not {content:?}");
    Ok(())
}
