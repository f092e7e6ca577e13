//! A simulated Git repository: what it holds at each revision, and what each application's part of it states.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gitops_core::{MemorySource, ResourceId};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::objects;

/// What an application states, by id; none if that cannot be rendered.
pub(crate) type Stated = Option<Arc<BTreeMap<ResourceId, Value>>>;

/// A file of an application.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Objects(Vec<Value>),
    /// No YAML.
    Broken(String),
    /// Not a manifest by its name.
    Other(String),
}

/// The files of an application by their names.
pub(crate) type Files = BTreeMap<String, Content>;
/// The files of all applications of a repository.
pub(crate) type Tree = BTreeMap<String, Files>;

#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) source: MemorySource,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    commits: BTreeMap<String, Arc<Tree>>,
    order: Vec<String>,
    tree: Arc<Tree>,
    hints: Vec<mpsc::UnboundedSender<()>>,
    number: usize,
}

impl Repo {
    pub(crate) fn new(source: MemorySource) -> Self {
        Self { source, inner: Mutex::default() }
    }

    /// What the branch holds.
    pub(crate) fn tree(&self) -> Tree {
        (*self.inner().tree).clone()
    }

    /// The revisions, oldest first.
    pub(crate) fn order(&self) -> Vec<String> {
        self.inner().order.clone()
    }

    pub(crate) fn head(&self) -> Option<String> {
        self.source.head().map(|revision| revision.id)
    }

    /// Commits what differs from the branch.
    pub(crate) fn commit(&self, message: &str, tree: Tree) -> String {
        let mut inner = self.inner();
        // A branch that was deleted begins with nothing.
        let before = if self.source.head().is_some() { texts(&inner.tree) } else { BTreeMap::new() };
        let after = texts(&tree);
        let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.as_str(), None));
        let new = after
            .iter()
            .filter(|(path, text)| before.get(*path) != Some(text))
            .map(|(path, text)| (path.as_str(), Some(text.as_str())));
        inner.number += 1;
        let note = format!("commit {}", inner.number);
        let revision = self
            .source
            .commit("Ada", message, gone.chain(new).chain([("README", Some(note.as_str()))]))
            .unwrap();
        inner.note(&revision.id, Arc::new(tree));
        revision.id
    }

    /// Commits the tree of an older revision.
    pub(crate) fn revert_to(&self, revision: &str) {
        let mut inner = self.inner();
        let tree = inner.commits[revision].clone();
        let made = self.source.revert_to("Ben", "revert", revision).unwrap();
        inner.note(&made.id, tree);
    }

    /// Moves the branch to an older revision, or away.
    pub(crate) fn reset(&self, revision: Option<&str>) {
        self.source.reset(revision);
        if let Some(revision) = revision {
            let mut inner = self.inner();
            inner.tree = inner.commits[revision].clone();
        }
    }

    /// Forgets all but the newest revisions.
    pub(crate) fn forget(&self, keep: usize) {
        self.source.forget(keep);
        let mut inner = self.inner();
        let old = inner.order.len().saturating_sub(keep);
        for revision in inner.order.drain(..old).collect::<Vec<_>>() {
            inner.commits.remove(&revision);
        }
    }

    /// What an application states at a revision.
    pub(crate) fn stated(&self, revision: &str, app: &str) -> Stated {
        let tree = self.inner().commits.get(revision).cloned()?;
        stated(&tree, app)
    }

    pub(crate) fn listen(&self) -> mpsc::UnboundedReceiver<()> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut inner = self.inner();
        inner.hints.retain(|hint| !hint.is_closed());
        inner.hints.push(sender);
        receiver
    }

    /// Hints that something changed.
    pub(crate) fn hint(&self) {
        for hint in &self.inner().hints {
            let _ = hint.send(());
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn note(&mut self, revision: &str, tree: Arc<Tree>) {
        self.commits.insert(revision.to_owned(), tree.clone());
        self.order.push(revision.to_owned());
        self.tree = tree;
    }
}

fn texts(tree: &Tree) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (app, files) in tree {
        for (name, content) in files {
            let text = match content {
                Content::Objects(objects) => objects::file(objects),
                Content::Broken(text) | Content::Other(text) => text.clone(),
            };
            texts.insert(format!("apps/{app}/{name}"), text);
        }
    }
    texts
}

/// What an application states in a tree.
pub(crate) fn stated(tree: &Tree, app: &str) -> Stated {
    let files = tree.get(app).filter(|files| !files.is_empty())?;
    let mut stated = BTreeMap::new();
    for content in files.values() {
        match content {
            Content::Broken(_) => return None,
            Content::Other(_) => {}
            Content::Objects(objects) => {
                for object in objects {
                    // Two of one name cannot be rendered.
                    if stated.insert(objects::id_of(object), object.clone()).is_some() {
                        return None;
                    }
                }
            }
        }
    }
    Some(Arc::new(stated))
}
