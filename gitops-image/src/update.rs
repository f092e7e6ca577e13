//! Keeping the images of a configuration repository up to date.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use gitops_core::{Class, Cx, Fault, RepoPath};
use gitops_edit::{ImageRef, PolicyName};
use gitops_git::write::{CommitRequest, Edit, Files, GitWriter, Outcome, SetImage};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pauses::Pauses;
use crate::{DigestPin, ImagePolicy, Repository, TagSource, newest};

/// An update that takes longer is given up, and tried again the next time.
const UPDATING: Duration = Duration::from_secs(600);

/// An image of which nobody knows more by then has failed.
const ASKING: Duration = Duration::from_secs(60);

/// So many registries are asked at once, and so many images of each: a registry that does not answer holds up its own images only.
const REGISTRIES_AT_ONCE: usize = 8;
const IMAGES_AT_ONCE: usize = 4;

/// Images that follow their policies: the newest ones are committed to the configuration repository, where it is marked for
/// them (`# {"$imagepolicy": "namespace:name"}`). All that is new gets there in one commit.
///
/// ```no_run
/// use std::{sync::Arc, time::Duration};
/// use gitops_core::RepoPath;
/// use gitops_git::{GitSource, TokenFile};
/// use gitops_git::write::{CommitRequest, Identity, Target};
/// use gitops_image::{ImagePolicy, ImageUpdates, RegistryClient, Repository};
/// use tokio_util::sync::CancellationToken;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = GitSource::builder("https://git.example/platform/config")
///     .with_credentials(TokenFile::new("/run/secrets/git-token"))
///     .build()?;
/// let writer = config.writer(Identity::new("image updates", "bot@acme.example")?);
/// let updates = ImageUpdates::new(
///     writer,
///     CommitRequest::new(Target::branch("main")),
///     RepoPath::new("apps")?,
///     Arc::new(RegistryClient::builder().build()?),
/// )
/// .follow("shop:web".parse()?, Repository::parse("ghcr.io/acme/web")?, ImagePolicy::semver("1.x")?);
///
/// let cancel = CancellationToken::new();
/// updates.run(&cancel, Duration::from_secs(300), |updated| println!("{updated:?}")).await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ImageUpdates {
    writer: GitWriter,
    request: CommitRequest,
    path: RepoPath,
    tags: Arc<dyn TagSource>,
    images: Vec<Followed>,
}

#[derive(Debug, Clone)]
struct Followed {
    name: PolicyName,
    repository: Repository,
    policy: ImagePolicy,
}

/// What came of an update.
#[derive(Debug)]
#[non_exhaustive]
pub struct Updated {
    /// The commit, if anything was new; none if no image is known.
    pub outcome: Option<Outcome>,
    /// The images of which nobody knows which is the newest, and those that nothing is marked for; and why. The others are up to
    /// date.
    pub failed: Vec<(PolicyName, Fault)>,
}

impl ImageUpdates {
    /// Commits as `request` says, in the files at and below `path`.
    pub fn new(writer: GitWriter, request: CommitRequest, path: RepoPath, tags: Arc<dyn TagSource>) -> Self {
        Self { writer, request, path, tags, images: Vec::new() }
    }

    /// Follows one more image: what is marked with this name is set to what the policy chooses.
    #[must_use]
    pub fn follow(mut self, name: PolicyName, repository: Repository, policy: ImagePolicy) -> Self {
        self.images.push(Followed { name, repository, policy });
        self
    }

    /// Brings all images up to date, once.
    ///
    /// Several images are asked for at once, each for a minute at most, and all of them for half of the time that there is: the rest
    /// is for the commit.
    ///
    /// # Errors
    /// That a registry cannot be asked keeps only its images from being updated, and so it is with an image that nothing is marked
    /// for, among others; they are in [`Updated::failed`]. An error is what keeps the commit from being made: that nothing is marked
    /// for any image, a file that cannot be read, or what [`GitWriter::commit`] says. It is safe to call again.
    pub async fn update(&self, cx: &Cx) -> Result<Updated, Fault> {
        self.update_but(cx, &Pauses::default()).await
    }

    /// The same, without the registries that want to be left alone, and noting which want it now.
    async fn update_but(&self, cx: &Cx, pauses: &Pauses) -> Result<Updated, Fault> {
        let answers = self.ask(&cx.within(cx.remaining() / 2), pauses).await;
        if cx.cancel.is_cancelled() {
            return Err(Fault::cancelled());
        }
        let (mut edits, mut failed) = (Vec::new(), Vec::new());
        for (followed, answer) in self.images.iter().zip(answers) {
            match answer {
                Ok(edit) => edits.push((followed.name.clone(), edit)),
                Err(fault) => failed.push((followed.name.clone(), fault)),
            }
        }
        let outcome = if edits.is_empty() {
            None
        } else {
            let unmarked = Arc::<Unmarked>::default();
            let all = All { edits, unmarked: unmarked.clone() };
            let outcome = self.writer.commit(cx, &self.request, all).await?;
            failed.append(&mut unmarked.lock().unwrap_or_else(PoisonError::into_inner));
            Some(outcome)
        };
        Ok(Updated { outcome, failed })
    }

    /// What is newest of each image, in their order.
    async fn ask(&self, cx: &Cx, pauses: &Pauses) -> Vec<Result<SetImage, Fault>> {
        // By their positions: futures that are made of references could not be sent to another thread.
        let mut registries: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, followed) in self.images.iter().enumerate() {
            registries.entry(followed.repository.registry()).or_default().push(index);
        }
        let answers = registries.into_values().map(|images| self.ask_registry(cx, images, pauses));
        let answers = stream::iter(answers).buffer_unordered(REGISTRIES_AT_ONCE);
        let mut answers: Vec<_> = answers.concat().await;
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn ask_registry(
        &self,
        cx: &Cx,
        images: Vec<usize>,
        pauses: &Pauses,
    ) -> Vec<(usize, Result<SetImage, Fault>)> {
        let ask = |index: usize| async move { (index, self.ask_one(cx, &self.images[index], pauses).await) };
        stream::iter(images.into_iter().map(ask)).buffer_unordered(IMAGES_AT_ONCE).collect().await
    }

    async fn ask_one(&self, cx: &Cx, followed: &Followed, pauses: &Pauses) -> Result<SetImage, Fault> {
        let repository = &followed.repository;
        let may_ask = cx.check().and_then(|()| pauses.check(repository.registry(), Instant::now()));
        may_ask.map_err(|fault| fault.at(repository))?;
        let cx = cx.within(ASKING);
        // Whoever implements a source may forget its deadline.
        let answer = cx.bound(&repository.to_string(), self.newest(&cx, followed)).await.flatten();
        if let Some(wait) = answer.as_ref().err().and_then(|fault| fault.class.retry_after()) {
            pauses.note(repository.registry(), Instant::now(), wait);
        }
        answer
    }

    async fn newest(&self, cx: &Cx, followed: &Followed) -> Result<SetImage, Fault> {
        let Followed { name, repository, policy } = followed;
        let choice = newest(cx, &*self.tags, repository, policy, None).await?;
        let image: ImageRef = format!("{}:{choice}", repository.as_given())
            .parse()
            .map_err(|error| Fault::invalid(error).at(repository))?;
        let edit = SetImage::new(self.path.clone(), name.clone(), image);
        Ok(if policy.digest_pin() == DigestPin::IfNotPresent { edit.keep_digest() } else { edit })
    }

    /// Updates now, and then again and again, until it is cancelled, with `interval` between the end of one update and the
    /// beginning of the next; longer where the Git server asks for that. A registry that asks for it is left alone until then, and
    /// its images are among the failed ones. `tell` hears what came of each update.
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        interval: Duration,
        mut tell: impl FnMut(Result<Updated, Fault>),
    ) {
        let pauses = Pauses::default();
        loop {
            let updated = self.update_but(&Cx::new(cancel.child_token(), UPDATING), &pauses).await;
            if cancel.is_cancelled() {
                return;
            }
            let of_git = updated.as_ref().err().and_then(|fault| fault.class.retry_after());
            let wait = interval.max(of_git.unwrap_or_default());
            tell(updated);
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// The images that nothing is marked for.
type Unmarked = Mutex<Vec<(PolicyName, Fault)>>;

/// Several images in one commit.
struct All {
    edits: Vec<(PolicyName, SetImage)>,
    unmarked: Arc<Unmarked>,
}

impl Edit for All {
    /// What changes follows in the message.
    fn subject(&self) -> Option<String> {
        match &*self.edits {
            [(_, one)] => one.subject(),
            _ => Some("Update images".into()),
        }
    }

    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        let mut unmarked = Vec::new();
        for (name, edit) in &self.edits {
            match edit.apply(files) {
                Err(fault) if fault.class == Class::NotFound => unmarked.push((name.clone(), fault)),
                done => done?,
            }
        }
        // Where nothing at all is marked, somebody meant another place.
        if unmarked.len() == self.edits.len()
            && let Some((_, fault)) = unmarked.pop()
        {
            return Err(fault);
        }
        // Of the last time that it was made.
        *self.unmarked.lock().unwrap_or_else(PoisonError::into_inner) = unmarked;
        Ok(())
    }
}
