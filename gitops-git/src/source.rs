//! [`GitSource`]: a repository as a source of desired state.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gitops_core::{Cx, Fault, Provenance, RefSpec, Revision, Signer, Snapshot, Source};

use crate::builder::GitSourceBuilder;
use crate::error::GitError;
use crate::mirror::{self, Mirror};
use crate::reference::{Want, commit_id};
use crate::remote::Remote;
use crate::sieve::{Sieve, Sifted};
use crate::snapshot::{GitSnapshot, LinkIndex};
use crate::stop::{self, Stop, lock};
#[cfg(feature = "verify")]
use crate::verify::{Candidate, InForce};
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

/// What a source is made of.
pub(crate) struct Settings {
    pub(crate) remote: Remote,
    pub(crate) want: Want,
    /// What `want` was read from.
    pub(crate) followed: RefSpec,
    pub(crate) sieve: Sieve,
    pub(crate) root: PathBuf,
    pub(crate) max_packs: usize,
    #[cfg(feature = "verify")]
    pub(crate) verification: Option<crate::Verification>,
}

struct Inner {
    settings: Settings,
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
            .field("remote", &self.inner.settings.remote)
            .field("want", &self.inner.settings.want.shown())
            .finish_non_exhaustive()
    }
}

impl GitSource {
    /// Starts with a URL: `https://…`, or what the builder is told to allow.
    pub fn builder(url: impl Into<String>) -> GitSourceBuilder {
        GitSourceBuilder::new(url.into())
    }

    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                mirror: Arc::default(),
                tips: Mutex::default(),
                links: Arc::default(),
            }),
        }
    }

    /// Where errors happened: the URL and what was wanted.
    pub(crate) fn place(&self, what: &str) -> String {
        format!("{} ({what})", self.inner.settings.remote.identity)
    }

    /// Makes a commit readable with its history, to explain it. It is not verified, for nothing is put in force by that.
    pub(crate) async fn open(&self, cx: &Cx, revision: &Revision) -> Result<GitSnapshot, Fault> {
        let mut wanted = Wanted::new(revision, None).map_err(|error| error.at(self.place(&revision.id)))?;
        if self.verifies() {
            wanted.only_read();
        }
        self.read(cx, wanted).await
    }

    async fn obtain(
        &self,
        cx: &Cx,
        revision: &Revision,
        in_force: Option<&Revision>,
    ) -> Result<Arc<dyn Snapshot>, Fault> {
        let wanted = Wanted::new(revision, in_force).map_err(|error| error.at(self.place(&revision.id)))?;
        let snapshot = self.read(cx, wanted).await?;
        Ok(Arc::new(Sifted::new(snapshot, &self.inner.settings.sieve)))
    }

    async fn read(&self, cx: &Cx, wanted: Wanted) -> Result<GitSnapshot, Fault> {
        let place = self.place(&wanted.shown());
        let mut mirror = cx.bound(&place, self.inner.mirror.clone().lock_owned()).await?;
        let inner = self.inner.clone();
        stop::run(cx, move |stop| {
            let Settings { remote, root, max_packs, .. } = &inner.settings;
            let mirror = match &mut *mirror {
                Some(mirror) => mirror,
                none => none.insert(Mirror::open(root, remote, *max_packs)?),
            };
            let done = inner.whole_snapshot(mirror, &wanted, stop);
            mirror.settle(&done)?;
            done
        })
        .await
        .map_err(|error| error.at(&place))
    }
}

#[async_trait]
impl Source for GitSource {
    /// The URL in its normal form, without user information.
    fn identity(&self) -> String {
        self.inner.settings.remote.identity.clone()
    }

    /// What the builder was told to follow; [`RefSpec::Default`] where the repository's HEAD decides.
    fn default_ref(&self) -> RefSpec {
        self.inner.settings.followed.clone()
    }

    /// Asks the server for one reference (`ls-refs`); no object is sent. A commit needs no question: whether it exists
    /// shows when it is fetched.
    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        let want = match Want::from_spec(want) {
            Ok(want) => want.unwrap_or_else(|| self.inner.settings.want.clone()),
            Err(error) => return Err(error.at(self.place(&want.to_string()))),
        };
        if let Want::Commit(id) = want {
            return Ok(Revision::new(id.to_string()));
        }
        let place = self.place(&want.shown());
        let inner = self.inner.clone();
        let tip = stop::run(cx, move |stop| {
            let tip = refs::tip(&inner.settings.remote, &want, stop)?;
            lock(&inner.tips).insert(tip.reference.clone(), tip.id);
            Ok(tip)
        })
        .await
        .map_err(|error| error.at(place))?;
        let mut provenance = Provenance::default();
        provenance.reference = Some(tip.reference);
        provenance.tag = tip.tag.map(|tag| tag.to_string());
        Ok(Revision::new(tip.id.to_string()).with_provenance(provenance))
    }

    /// Fetches the commit and its history, less what the mirror has; a commit that is there costs no request. A source that
    /// verifies does so as if nothing were in force.
    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        self.obtain(cx, revision, None).await
    }

    async fn fetch_after(
        &self,
        cx: &Cx,
        revision: &Revision,
        in_force: Option<&Revision>,
    ) -> Result<Arc<dyn Snapshot>, Fault> {
        self.obtain(cx, revision, in_force).await
    }

    #[cfg(feature = "verify")]
    fn verifies(&self) -> bool {
        self.inner.settings.verification.is_some()
    }
}

/// What is to be fetched.
struct Wanted {
    id: gix::ObjectId,
    reference: Option<String>,
    /// The annotated tag that the reference points to.
    tag: Option<gix::ObjectId>,
    #[cfg(feature = "verify")]
    in_force: Option<InForce>,
    /// Whether it is only read, and not put in force: then nobody need have signed it.
    #[cfg(feature = "verify")]
    is_only_read: bool,
}

impl Wanted {
    fn new(revision: &Revision, in_force: Option<&Revision>) -> Result<Self, GitError> {
        let provenance = revision.provenance.as_deref();
        #[cfg(not(feature = "verify"))]
        let _ = in_force;
        Ok(Self {
            id: commit_id(&revision.id)?,
            reference: provenance.and_then(|provenance| provenance.reference.clone()),
            tag: provenance.and_then(|provenance| provenance.tag.as_deref()).map(commit_id).transpose()?,
            #[cfg(feature = "verify")]
            in_force: in_force.map(InForce::new).transpose()?,
            #[cfg(feature = "verify")]
            is_only_read: false,
        })
    }

    /// It is only read. Nothing is noted then of where its reference points to, which nobody has verified.
    fn only_read(&mut self) {
        (self.reference, self.tag) = (None, None);
        #[cfg(feature = "verify")]
        {
            self.is_only_read = true;
        }
    }

    /// How errors name it.
    fn shown(&self) -> String {
        self.reference.clone().unwrap_or_else(|| self.id.to_string())
    }
}

impl Inner {
    /// A snapshot; tried once more from nothing where the mirror is damaged: if it is ours that is, the server has it all.
    fn whole_snapshot(
        &self,
        mirror: &mut Mirror,
        wanted: &Wanted,
        stop: &Stop,
    ) -> Result<GitSnapshot, GitError> {
        // What was stopped in the middle may look damaged.
        let stopped = |error| match stop.check() {
            Err(stopped) if matches!(error, GitError::Damaged { .. }) => stopped,
            _ => error,
        };
        match self.snapshot(mirror, wanted, stop).map_err(stopped) {
            Err(GitError::Damaged { detail }) => mirror.renew_for(wanted.id, &detail)?,
            done => return done,
        }
        self.snapshot(mirror, wanted, stop).map_err(stopped).map_err(|error| match error {
            GitError::Damaged { detail } => mirror::malformed(wanted.id, &detail),
            other => other,
        })
    }

    fn snapshot(&self, mirror: &mut Mirror, wanted: &Wanted, stop: &Stop) -> Result<GitSnapshot, GitError> {
        let Settings { remote, .. } = &self.settings;
        let (id, limits) = (wanted.id, remote.limits);
        let repository = mirror.repository(id, stop)?;
        let mut repo = repository.open(limits.object_bytes)?;
        for object in self.tag_to_verify(wanted).into_iter().chain([id]) {
            if repo.has_object(object) {
                continue;
            }
            tracing::debug!(url = %remote.identity, %object, "fetching");
            fetch::fetch(remote, &repo, object, stop)?;
            // A new handle: the old one has no room for the indices of many fetches.
            repo = repository.open(limits.object_bytes)?;
            if !repo.has_object(object) {
                return Err(GitError::RevisionNotFound { id: object.to_string() });
            }
        }
        let kind = repo.find_header(id).map_err(|error| crate::mirror::damaged(&error))?.kind();
        if kind != gix::objs::Kind::Commit {
            return Err(GitError::NotACommit { id: id.to_string() });
        }
        stop.check()?;
        // Before anything is noted or read of what somebody else may have made.
        let signers = self.verify(&repo, wanted, stop)?;
        let mut provenance = history::provenance(&repo, id)?;
        provenance.tag = wanted.tag.map(|tag| tag.to_string());
        provenance.verified = signers;
        if let Some(name) = &wanted.reference {
            provenance.reference = Some(name.to_owned());
            self.note_tip(mirror, &repo, name, id, stop)?;
            provenance.rewrote = mirror.notes.rewrote(name, id).map(|previous| previous.to_string());
        } else {
            mirror::try_to_keep(&repo, &mirror::commit_name(id), id)?;
        }
        let revision = Revision::new(id.to_string()).with_provenance(provenance);
        let (place, links) = (remote.identity.clone(), self.links.clone());
        GitSnapshot::new(repo, repository, revision, id, place, links, limits)
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
            return mirror::try_to_keep(repo, &mirror::commit_name(id), id);
        }
        mirror::try_to_keep(repo, &mirror::tip_name(reference), id)?;
        let previous = mirror.notes.tip(reference);
        if previous == Some(id) {
            return Ok(());
        }
        let rewrote = history::rewritten(repo, previous, id, stop)?;
        mirror.notes.record(reference, id, rewrote).map_err(|error| GitError::MirrorDir {
            path: self.settings.root.clone(),
            reason: error.to_string(),
        })
    }
}

#[cfg(feature = "verify")]
impl Inner {
    /// The annotated tag, if it is needed: what was verified before it came in force is not verified again.
    fn tag_to_verify(&self, wanted: &Wanted) -> Option<gix::ObjectId> {
        let needs_tag =
            self.settings.verification.as_ref().is_some_and(|verification| verification.mode.needs_tag());
        let vouched = wanted.in_force.as_ref().is_some_and(|in_force| in_force.vouches_for(wanted.id));
        wanted.tag.filter(|_| needs_tag && !vouched)
    }

    /// Who signed what is wanted, where that has to be known.
    fn verify(&self, repo: &gix::Repository, wanted: &Wanted, stop: &Stop) -> Result<Vec<Signer>, GitError> {
        let Some(verification) = self.settings.verification.as_ref().filter(|_| !wanted.is_only_read) else {
            return Ok(Vec::new());
        };
        let candidate = Candidate {
            commit: wanted.id,
            tag: wanted.tag,
            reference: wanted.reference.as_deref(),
            in_force: wanted.in_force.as_ref(),
        };
        let signers = verification.check(repo, candidate, stop)?;
        if let (Some(tag), Some(reference)) = (self.tag_to_verify(wanted), &wanted.reference) {
            mirror::try_to_keep(repo, &mirror::tag_name(reference), tag)?;
        }
        Ok(signers)
    }
}

#[cfg(not(feature = "verify"))]
#[expect(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    reason = "with the feature, there is something to do"
)]
impl Inner {
    fn tag_to_verify(&self, _wanted: &Wanted) -> Option<gix::ObjectId> {
        None
    }

    fn verify(
        &self,
        _repo: &gix::Repository,
        _wanted: &Wanted,
        _stop: &Stop,
    ) -> Result<Vec<Signer>, GitError> {
        Ok(Vec::new())
    }
}
