//! [`GitSource`]: a repository as a source of desired state.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gitops_core::{Cx, Fault, Instance, Provenance, RefSpec, Revision, Signer, Snapshot, Source};

use crate::builder::GitSourceBuilder;
use crate::error::GitError;
use crate::mirror::{self, Depth, Mirror};
use crate::reference::Want;
use crate::remote::Remote;
use crate::sieve::{Sieve, Sifted};
use crate::snapshot::{GitSnapshot, LinkIndex};
use crate::stop::{self, Stop, lock};
use crate::submodules::{Mounted, Submodules};
#[cfg(feature = "verify")]
use crate::verify::Candidate;
use crate::wanted::Wanted;
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
    pub(crate) inner: Arc<Inner>,
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
    /// Whether commits are fetched without what came before them, also those that a reference leads to.
    pub(crate) shallow: bool,
    pub(crate) submodules: Option<Submodules>,
    #[cfg(feature = "verify")]
    pub(crate) verification: Option<crate::Verification>,
}

/// Commits of which it is remembered that they are followed by their ids.
const MAX_PINNED: usize = 1000;

/// One fetch at a time. Who comes second for the same commit finds it there.
pub(crate) type MirrorSlot = Arc<tokio::sync::Mutex<Option<Mirror>>>;

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    instance: Instance,
    whole: MirrorSlot,
    /// Commits without what came before them.
    cut: MirrorSlot,
    /// Where references were seen to point to last. Only these moves are noted in the mirror: fetching an old revision
    /// again is no force-push.
    tips: Mutex<HashMap<String, gix::ObjectId>>,
    /// Commits that are followed by their ids, the latest last.
    pinned: Mutex<VecDeque<gix::ObjectId>>,
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
                instance: Instance::new(),
                whole: Arc::default(),
                cut: Arc::default(),
                tips: Mutex::default(),
                pinned: Mutex::default(),
                links: Arc::default(),
            }),
        }
    }

    /// Where errors happened: the URL and what was wanted.
    pub(crate) fn place(&self, what: &str) -> String {
        format!("{} ({what})", self.inner.settings.remote.identity)
    }

    /// Which mirror to look in, and to fetch into: one that has the commit already, if it will do.
    async fn depth(&self, cx: &Cx, wanted: &Wanted) -> Result<Depth, Fault> {
        let is_shallow = self.inner.settings.shallow;
        // A reference is followed in one mirror: there, its last tip is known.
        let is_followed = wanted.reference.is_some() && !is_shallow;
        // What may follow on what, only the history can tell.
        if wanted.needs_history || is_followed || self.verifies() {
            return Ok(Depth::Whole);
        }
        for depth in [Depth::Whole, Depth::Commit] {
            let mut mirror = cx.bound("the mirror", self.inner.slot(depth).clone().lock_owned()).await?;
            let (inner, id) = (self.inner.clone(), wanted.id);
            let is_there = stop::run(cx, move |_| {
                let Settings { remote, root, .. } = &inner.settings;
                if mirror.is_none() && Mirror::is_there(root, remote, depth) {
                    inner.mirror(&mut mirror, depth)?;
                }
                Ok(mirror.as_ref().is_some_and(|mirror| mirror.has(id)))
            });
            if is_there.await.map_err(|error| error.at("the mirror"))? {
                return Ok(depth);
            }
        }
        Ok(if is_shallow || self.inner.is_pinned(wanted.id) { Depth::Commit } else { Depth::Whole })
    }

    /// Makes a commit readable with its history, to explain it. It is not verified, for nothing is put in force by that.
    pub(crate) async fn open(&self, cx: &Cx, revision: &Revision) -> Result<GitSnapshot, Fault> {
        let mut wanted = Wanted::new(revision, None).map_err(|error| error.at(self.place(&revision.id)))?;
        wanted.needs_history = true;
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
        let mounted = match &self.inner.settings.submodules {
            Some(submodules) => submodules.mount(cx, snapshot).await?,
            None => Mounted::new(snapshot, BTreeMap::new()),
        };
        Ok(Arc::new(Sifted::new(mounted, &self.inner.settings.sieve)))
    }

    async fn read(&self, cx: &Cx, mut wanted: Wanted) -> Result<GitSnapshot, Fault> {
        wanted.depth =
            self.depth(cx, &wanted).await.map_err(|fault| fault.at(self.place(&wanted.shown())))?;
        self.read_in(cx, wanted).await
    }

    /// The same from the mirror of the depth that is wanted.
    pub(crate) async fn read_in(&self, cx: &Cx, wanted: Wanted) -> Result<GitSnapshot, Fault> {
        let place = self.place(&wanted.shown());
        let mut mirror = cx.bound(&place, self.inner.slot(wanted.depth).clone().lock_owned()).await?;
        let inner = self.inner.clone();
        stop::run(cx, move |stop| {
            let mirror = inner.mirror(&mut mirror, wanted.depth)?;
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

    /// Clones are one source. Those that were built apart are not, even with the same settings: each has a mirror of its own.
    fn instance(&self) -> Option<Instance> {
        Some(self.inner.instance.clone())
    }

    /// Asks the server for one reference (`ls-refs`); no object is sent. A commit needs no question: whether it exists
    /// shows when it is fetched.
    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        let want = match Want::from_spec(want) {
            Ok(want) => want.unwrap_or_else(|| self.inner.settings.want.clone()),
            Err(error) => return Err(error.at(self.place(&want.to_string()))),
        };
        if let Want::Commit(id) = want {
            self.inner.pin(id);
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

    /// Fetches the commit and its history, less what the mirror has; a commit that is there costs no request. Where no
    /// reference leads to the commit ([`RefSpec::Commit`]), or the source is [shallow](GitSourceBuilder::shallow), its history stays
    /// where it is, if the server is able to do that. A source that verifies needs the history, and does so as if nothing were in
    /// force.
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

impl Inner {
    pub(crate) fn slot(&self, depth: Depth) -> &MirrorSlot {
        match depth {
            Depth::Whole => &self.whole,
            Depth::Commit => &self.cut,
        }
    }

    /// The mirror of a slot, which is opened, or made, if need be.
    pub(crate) fn mirror<'a>(
        &self,
        slot: &'a mut Option<Mirror>,
        depth: Depth,
    ) -> Result<&'a mut Mirror, GitError> {
        let Settings { remote, root, max_packs, .. } = &self.settings;
        Ok(match slot {
            Some(mirror) => mirror,
            none => none.insert(Mirror::open(root, remote, depth, *max_packs)?),
        })
    }

    /// Notes that a commit is followed by its id. With very many, the first are fetched with their histories.
    fn pin(&self, id: gix::ObjectId) {
        let mut pinned = lock(&self.pinned);
        if !pinned.contains(&id) {
            pinned.push_back(id);
        }
        if pinned.len() > MAX_PINNED {
            pinned.pop_front();
        }
    }

    fn is_pinned(&self, id: gix::ObjectId) -> bool {
        self.settings.want == Want::Commit(id) || lock(&self.pinned).contains(&id)
    }

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
        let mut repository = mirror.repository(id, stop)?;
        let mut repo = repository.open(limits.object_bytes)?;
        for object in self.tag_to_verify(wanted).into_iter().chain([id]) {
            if repo.has_object(object) {
                continue;
            }
            tracing::debug!(url = %remote.identity, %object, "fetching");
            if mirror.is_outgrown() {
                repository = mirror.outgrow()?;
                repo = repository.open(limits.object_bytes)?;
            }
            fetch::fetch(remote, &repo, object, wanted.depth, stop)?;
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
            if wanted.is_built_upon {
                mirror::try_to_keep(&repo, &mirror::tip_name(name), id)?;
            } else {
                self.note_tip(mirror, &repo, name, wanted, stop)?;
            }
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
        wanted: &Wanted,
        stop: &Stop,
    ) -> Result<(), GitError> {
        let id = wanted.id;
        if lock(&self.tips).get(reference) != Some(&id) {
            return mirror::try_to_keep(repo, &mirror::commit_name(id), id);
        }
        mirror::try_to_keep(repo, &mirror::tip_name(reference), id)?;
        let previous = mirror.notes.tip(reference);
        if previous == Some(id) {
            return Ok(());
        }
        let rewrote = match wanted.depth {
            Depth::Whole => history::rewritten(repo, previous, id, stop)?,
            Depth::Commit => None,
        };
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
