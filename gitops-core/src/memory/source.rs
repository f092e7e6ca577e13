//! A source in memory: a line of commits on branches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use super::snapshot::{MemorySnapshot, Tree};
use crate::{
    Class, Clock, Cx, Digest, Events, Fault, Instance, InvalidPath, Person, Provenance, RefSpec, RepoPath,
    Revision, Snapshot, Source, SystemClock,
};

/// A source in memory: commits on a branch, each with the whole tree. Clones share it.
///
/// ```
/// use gitops_core::MemorySource;
/// let source = MemorySource::new("config");
/// let revision = source.commit("Ada", "first", [("apps/shop/ns.yaml", Some("kind: Namespace"))])?;
/// assert_eq!(source.head(), Some(revision));
/// # Ok::<(), gitops_core::InvalidPath>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemorySource {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    instance: Instance,
    history: Mutex<History>,
    changed: watch::Sender<()>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct History {
    commits: BTreeMap<String, Commit>,
    /// How many commits were ever made.
    made: u64,
    head: Option<String>,
    trouble: Option<Fault>,
    polls: u64,
    fetches: u64,
    /// What the branch pointed to when it was last fetched.
    seen: Option<String>,
    /// Heads that do not descend from the one that was fetched before, with that one.
    rewrites: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Commit {
    number: u64,
    parent: Option<String>,
    provenance: Provenance,
    tree: Arc<Tree>,
}

const BRANCH: &str = "main";

impl MemorySource {
    /// An empty source: it has no commit, and its branch `main` does not exist yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_clock(name, SystemClock)
    }

    /// An empty source whose commits are dated by a clock.
    pub fn with_clock(name: impl Into<String>, clock: impl Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                instance: Instance::new(),
                history: Mutex::default(),
                changed: watch::Sender::new(()),
                clock: Arc::new(clock),
            }),
        }
    }

    /// Adds a commit to the branch, dated now: each file gets a new content, or is removed.
    pub fn commit<'a>(
        &self,
        author: &str,
        message: &str,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Revision, InvalidPath> {
        let mut history = self.history();
        let parent = history.head.clone();
        let mut tree = parent
            .as_ref()
            .and_then(|id| history.commits.get(id))
            .map(|c| (*c.tree).clone())
            .unwrap_or_default();
        for (path, content) in changes {
            let path = RepoPath::new(path)?;
            match content {
                Some(content) => tree.files.insert(path, content.as_bytes().into()),
                None => tree.files.remove(&path),
            };
        }
        Ok(history.add((author, message), parent, tree, &self.inner))
    }

    /// Adds a commit whose tree is that of an older one: what `git revert` of all since then does. None if there is no
    /// such commit.
    pub fn revert_to(&self, author: &str, message: &str, revision: &str) -> Option<Revision> {
        let mut history = self.history();
        let tree = (*history.commits.get(revision)?.tree).clone();
        let parent = history.head.clone();
        Some(history.add((author, message), parent, tree, &self.inner))
    }

    /// Moves the branch to an older commit, so that a next one rewrites the history; to nothing deletes the branch.
    pub fn reset(&self, revision: Option<&str>) {
        self.history().head = revision.map(str::to_owned);
        self.inner.changed.send_replace(());
    }

    /// Forgets all but the newest commits, and what the branch points to: what a shallow mirror does.
    pub fn forget(&self, keep: usize) {
        let mut history = self.history();
        let History { commits, head, made, rewrites, .. } = &mut *history;
        let oldest = made.saturating_sub(keep as u64);
        commits.retain(|id, commit| commit.number >= oldest || head.as_ref() == Some(id));
        rewrites.retain(|id, _| commits.contains_key(id));
    }

    /// What the branch points to.
    pub fn head(&self) -> Option<Revision> {
        let history = self.history();
        history.head.as_ref().map(|id| history.revision(id))
    }

    /// Makes every call fail with a copy of this fault; none makes them work again.
    pub fn fail_with(&self, trouble: Option<Fault>) {
        self.history().trouble = trouble;
    }

    /// How often the source was asked what the branch points to.
    pub fn polls(&self) -> u64 {
        self.history().polls
    }

    /// How often a revision was fetched.
    pub fn fetches(&self) -> u64 {
        self.history().fetches
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.inner.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, what: &str) -> String {
        format!("memory:{} {what}", self.inner.name)
    }
}

impl History {
    fn add(
        &mut self,
        (author, message): (&str, &str),
        parent: Option<String>,
        tree: Tree,
        inner: &Inner,
    ) -> Revision {
        let person = Person { name: author.to_owned(), email: String::new() };
        let provenance = Provenance {
            reference: Some(format!("refs/heads/{BRANCH}")),
            author: Some(person.clone()),
            committer: Some(person),
            time: Some(inner.clock.now()),
            message: message.to_owned(),
            ..Provenance::default()
        };
        let number = self.made;
        self.made += 1;
        let counted = number.to_le_bytes();
        let parts =
            [counted.as_slice(), parent.as_deref().unwrap_or_default().as_bytes(), message.as_bytes()];
        let id = format!("{:.40}", Digest::of_parts(parts));
        self.commits.insert(id.clone(), Commit { number, parent, provenance, tree: Arc::new(tree) });
        self.head = Some(id.clone());
        inner.changed.send_replace(());
        self.revision(&id)
    }

    fn revision(&self, id: &str) -> Revision {
        let revision = Revision::new(id);
        match self.commits.get(id) {
            Some(commit) => revision.with_provenance(commit.provenance.clone()),
            None => revision,
        }
    }

    fn descends(&self, from: &str, ancestor: &str) -> bool {
        let mut at = Some(from);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.commits.get(id).and_then(|commit| commit.parent.as_deref());
        }
        false
    }

    fn trouble(&self) -> Result<(), Fault> {
        self.trouble.as_ref().map_or(Ok(()), |fault| Err(fault.note().to_fault()))
    }
}

#[async_trait]
impl Source for MemorySource {
    fn identity(&self) -> String {
        format!("memory:{}", self.inner.name)
    }

    fn instance(&self) -> Option<Instance> {
        Some(self.inner.instance.clone())
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        cx.check()?;
        let mut history = self.history();
        history.polls += 1;
        history.trouble()?;
        let missing =
            |what: &str| Fault::new(Class::NotFound, format!("there is no {what}")).at(self.at(BRANCH));
        match want {
            RefSpec::Default => history.head.clone().map(Revision::new).ok_or_else(|| missing("commit yet")),
            RefSpec::Branch(name) if name == BRANCH => {
                history.head.clone().map(Revision::new).ok_or_else(|| missing("commit yet"))
            }
            RefSpec::Commit(id) if history.commits.contains_key(id) => Ok(Revision::new(id)),
            other => Err(missing(&other.to_string())),
        }
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        cx.check()?;
        let mut history = self.history();
        history.fetches += 1;
        history.trouble()?;
        let Some(commit) = history.commits.get(&revision.id).cloned() else {
            return Err(Fault::new(Class::NotFound, "there is no such commit").at(self.at(revision.short())));
        };
        let mut provenance = commit.provenance;
        if history.head.as_ref() == Some(&revision.id) {
            let seen = history.seen.replace(revision.id.clone());
            if let Some(seen) = seen.filter(|seen| !history.descends(&revision.id, seen)) {
                history.rewrites.insert(revision.id.clone(), seen);
            }
        }
        provenance.rewrote = history.rewrites.get(&revision.id).cloned();
        let revision = Revision::new(&revision.id).with_provenance(provenance);
        Ok(Arc::new(MemorySnapshot::new(revision, commit.tree)))
    }

    fn hints(&self) -> Option<Events<()>> {
        Some(Box::pin(WatchStream::from_changes(self.inner.changed.subscribe())))
    }
}
