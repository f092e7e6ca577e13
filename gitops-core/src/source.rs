//! Where the desired state comes from.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;

use crate::{Cx, Fault, RefSpec, RepoPath, Revision};

/// A stream that a backend hands out.
pub type Events<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// A place that holds versioned desired state: a Git repository, a bucket, an artifact.
///
/// # Contract
/// The suite in `gitops_core::testing` (feature `testing`) holds a source to each of these sentences, and to those of the
/// methods and of [`Snapshot`].
/// - [`resolve`](Self::resolve) moves no content; [`fetch`](Self::fetch) moves what is missing.
/// - A revision's content never changes: two fetches of one id show the same tree, in all processes.
/// - Every wait ends by the context's deadline, with a fault that may pass, or soon after its cancellation, with
///   [`crate::Class::Cancelled`]. Both may be dropped at any await; nothing is left half done that a later call would
///   mistake for whole.
/// - A missing permission is [`crate::Class::Denied`], never an older or an empty tree.
/// - Identity, faults and `Debug` texts carry no credentials.
#[async_trait]
pub trait Source: Debug + Send + Sync + 'static {
    /// A name for the place, without credentials, stable across restarts: two places never share one. The target
    /// records it, so that an application cannot silently move to another repository.
    fn identity(&self) -> String;

    /// What [`RefSpec::Default`] stands for here, as far as that is known without asking. Whoever hears that a reference
    /// has moved leaves out needless polls by it; [`RefSpec::Default`] says that it may be any.
    fn default_ref(&self) -> RefSpec {
        RefSpec::Default
    }

    /// Which source this is: clones of one say the same, and no two that were made do. Applications that follow the same
    /// reference of one source share its answers, so that a thousand of them poll it once. By default nothing is shared.
    fn instance(&self) -> Option<Instance> {
        None
    }

    /// Asks what `want` points to now. A reference that does not exist is [`crate::Class::NotFound`], and so is that of a
    /// source without a revision.
    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault>;

    /// Makes a revision readable, whether or not it is the newest. One that does not exist is
    /// [`crate::Class::NotFound`].
    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault>;

    /// The same for a revision that is about to follow on the one in force, none where nothing is in force yet.
    ///
    /// A source that [verifies](Self::verifies) refuses here what may not follow, with a fault that lasts: it need not keep
    /// what it trusts, since the target's record does. Others have nothing to add to [`fetch`](Self::fetch).
    async fn fetch_after(
        &self,
        cx: &Cx,
        revision: &Revision,
        in_force: Option<&Revision>,
    ) -> Result<Arc<dyn Snapshot>, Fault> {
        let _ = in_force;
        self.fetch(cx, revision).await
    }

    /// Whether [`fetch_after`](Self::fetch_after) looks at what is in force. Only then is the target's record read before a
    /// revision is fetched.
    fn verifies(&self) -> bool {
        false
    }

    /// Hints that something may have changed. They may be lost or repeated: they only make polling earlier. Where nothing
    /// changes they are few, and the stream lives until it is dropped.
    fn hints(&self) -> Option<Events<()>> {
        None
    }
}

/// Tells sources apart that were made one by one: a source keeps one, and its clones a clone of it.
#[derive(Debug, Clone, Default)]
pub struct Instance(Arc<()>);

impl Instance {
    /// Another one than all others.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Instance {}

impl Hash for Instance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// One revision's tree, read lazily, for as long as it lives. Methods block: call them off the async threads, from as many
/// as you like.
///
/// Symbolic links are followed inside the tree; one that leads out of it, or in a circle, is
/// [`crate::Class::Invalid`]. The id of a link is the id of what it leads to.
pub trait Snapshot: Send + Sync {
    /// The revision, with all provenance that the source has.
    fn revision(&self) -> &Revision;

    /// The id of what is at a path: the same id means the same content, for a directory with all below it and all that its
    /// links lead to. What did not change keeps its id, in all revisions and processes. None where nothing is.
    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault>;

    /// The entries of a directory, sorted by name. Nothing there, or a file, is [`crate::Class::NotFound`]; the root is
    /// always there.
    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault>;

    /// A file's content. A larger file than `max_bytes` is [`crate::Class::Invalid`], and is not loaded; nothing there,
    /// or a directory, is [`crate::Class::NotFound`].
    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault>;
}

/// An opaque id of content, compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TreeId(Arc<str>);

impl TreeId {
    /// Takes the source's own spelling of the id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The source's own spelling of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the directory.
    pub name: String,
    /// What it is; for a symbolic link inside the tree, what it leads to.
    pub kind: EntryKind,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that leads out of the tree, in a circle, or to nothing.
    BrokenLink,
    /// Another repository, mounted here; its content is not part of the tree.
    Submodule,
}
