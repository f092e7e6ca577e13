//! [`GitSource`]: a repository as a source of desired state.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gitops_core::{Cx, Fault, Provenance, RefSpec, Revision, Snapshot, Source};

use crate::builder::GitSourceBuilder;
use crate::error::GitError;
use crate::mirror::{self, Mirror};
use crate::reference::{Want, commit_id};
use crate::remote::Remote;
use crate::snapshot::{GitSnapshot, LinkIndex};
use crate::stop::{self, Stop, lock};
use crate::{fetch, history, refs};

/// A Git repository as a [`Source`].
///
/// Clones share one mirror; share a source between applications that follow the same repository.
///
/// # Cancellation
/// Both operations end with the context's deadline or cancellation, or when their future is dropped. The work on other
/// threads then ends soon after; what it has done so far is either complete or invisible.
#[derive(Clone)]
pub struct GitSource {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    want: Want,
    /// What `want` was read from.
    followed: RefSpec,
    root: PathBuf,
    max_packs: usize,
    /// One fetch at a time. Who comes second for the same commit finds it there.
    mirror: Arc<tokio::sync::Mutex<Option<Mirror>>>,
    /// Where references were seen to point to last. Only these moves are noted in the mirror: fetching an old revision
    /// again is no force-push.
    tips: Mutex<HashMap<String, gix::ObjectId>>,
    links: Arc<LinkIndex>,
}

impl fmt::Debug for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitSource")
            .field("remote", &self.inner.remote)
            .field("want", &self.inner.want.shown())
            .finish_non_exhaustive()
    }
}

impl GitSource {
    /// Starts with a URL: `https://…`, or what the builder is told to allow.
    pub fn builder(url: impl Into<String>) -> GitSourceBuilder {
        GitSourceBuilder::new(url.into())
    }

    pub(crate) fn new(
        remote: Remote,
        want: Want,
        followed: RefSpec,
        root: PathBuf,
        max_packs: usize,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                remote,
                want,
                followed,
                root,
                max_packs,
                mirror: Arc::default(),
                tips: Mutex::default(),
                links: Arc::default(),
            }),
        }
    }

    /// Where errors happened: the URL and what was wanted.
    fn place(&self, what: &str) -> String {
        format!("{} ({what})", self.inner.remote.identity)
    }
}

#[async_trait]
impl Source for GitSource {
    /// The URL in its normal form, without user information.
    fn identity(&self) -> String {
        self.inner.remote.identity.clone()
    }

    /// What the builder was told to follow; [`RefSpec::Default`] where the repository's HEAD decides.
    fn default_ref(&self) -> RefSpec {
        self.inner.followed.clone()
    }

    /// Asks the server for one reference (`ls-refs`); no object is sent. A commit needs no question: whether it exists
    /// shows when it is fetched.
    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        let want = match Want::from_spec(want) {
            Ok(want) => want.unwrap_or_else(|| self.inner.want.clone()),
            Err(error) => return Err(error.at(self.place(&want.to_string()))),
        };
        if let Want::Commit(id) = want {
            return Ok(Revision::new(id.to_string()));
        }
        let place = self.place(&want.shown());
        let inner = self.inner.clone();
        let tip = stop::run(cx, move |stop| {
            let tip = refs::tip(&inner.remote, &want, stop)?;
            lock(&inner.tips).insert(tip.reference.clone(), tip.id);
            Ok(tip)
        })
        .await
        .map_err(|error| error.at(place))?;
        let mut provenance = Provenance::default();
        provenance.reference = Some(tip.reference);
        Ok(Revision::new(tip.id.to_string()).with_provenance(provenance))
    }

    /// Fetches the commit and its history, less what the mirror has; a commit that is there costs no request.
    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        let reference = revision.provenance.as_ref().and_then(|provenance| provenance.reference.clone());
        let place = self.place(reference.as_deref().unwrap_or(&revision.id));
        let id = commit_id(&revision.id).map_err(|error| error.at(&place))?;
        let mut mirror = cx.bound(&place, self.inner.mirror.clone().lock_owned()).await?;
        let inner = self.inner.clone();
        let snapshot = stop::run(cx, move |stop| {
            let mirror = match &mut *mirror {
                Some(mirror) => mirror,
                none => none.insert(Mirror::open(&inner.root, &inner.remote, inner.max_packs)?),
            };
            match inner.snapshot(mirror, id, reference.as_deref(), stop) {
                // Once more from nothing: what was damaged is ours, and the server has it all.
                Err(GitError::Damaged { detail }) => {
                    tracing::warn!(url = %inner.remote.identity, %detail, "the mirror is damaged and is made anew");
                    mirror.renew()?;
                    inner.snapshot(mirror, id, reference.as_deref(), stop)
                }
                done => done,
            }
        })
        .await
        .map_err(|error| error.at(&place))?;
        Ok(Arc::new(snapshot))
    }
}

impl Inner {
    fn snapshot(
        &self,
        mirror: &mut Mirror,
        id: gix::ObjectId,
        reference: Option<&str>,
        stop: &Stop,
    ) -> Result<GitSnapshot, GitError> {
        let limits = self.remote.limits;
        let repository = mirror.repository(stop)?;
        let mut repo = repository.open(limits.object_bytes)?;
        if !repo.has_object(id) {
            tracing::debug!(url = %self.remote.identity, commit = %id, "fetching");
            fetch::fetch(&self.remote, &repo, id, stop)?;
            // A new handle: the old one has no room for the indices of many fetches.
            repo = repository.open(limits.object_bytes)?;
            if !repo.has_object(id) {
                return Err(GitError::RevisionNotFound { id: id.to_string() });
            }
        }
        let kind = repo.find_header(id).map_err(|error| crate::mirror::damaged(&error))?.kind();
        if kind != gix::objs::Kind::Commit {
            return Err(GitError::NotACommit { id: id.to_string() });
        }
        stop.check()?;
        let mut provenance = history::provenance(&repo, id)?;
        if let Some(name) = reference {
            provenance.reference = Some(name.to_owned());
            self.note_tip(mirror, &repo, name, id, stop)?;
            provenance.rewrote = mirror.notes.rewrote(name, id).map(|previous| previous.to_string());
        } else {
            mirror::keep(&repo, &mirror::commit_name(id), id)?;
        }
        let revision = Revision::new(id.to_string()).with_provenance(provenance);
        GitSnapshot::new(
            repo,
            repository,
            revision,
            id,
            self.remote.identity.clone(),
            self.links.clone(),
            limits,
        )
    }

    /// Notes that a reference points to a commit, if that is what the server said last.
    fn note_tip(
        &self,
        mirror: &mut Mirror,
        repo: &gix::Repository,
        reference: &str,
        id: gix::ObjectId,
        stop: &Stop,
    ) -> Result<(), GitError> {
        if lock(&self.tips).get(reference) != Some(&id) {
            return mirror::keep(repo, &mirror::commit_name(id), id);
        }
        mirror::keep(repo, &mirror::tip_name(reference), id)?;
        let previous = mirror.notes.tip(reference);
        if previous == Some(id) {
            return Ok(());
        }
        let rewrote = history::rewritten(repo, previous, id, stop)?;
        mirror
            .notes
            .record(reference, id, rewrote)
            .map_err(|error| GitError::MirrorDir { path: self.root.clone(), reason: error.to_string() })
    }
}
