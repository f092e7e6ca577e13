//! Keeping the images of a configuration repository up to date.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Cx, Fault, RepoPath};
use gitops_edit::{ImageRef, PolicyName};
use gitops_git::write::{CommitRequest, Edit, Files, GitWriter, Outcome, SetImage};
use tokio_util::sync::CancellationToken;

use crate::{DigestPin, ImagePolicy, Repository, TagSource, newest};

/// An update that takes longer is given up, and tried again the next time.
const UPDATING: Duration = Duration::from_secs(600);

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
    /// The images of which nobody knows which is the newest, and why. The others are up to date.
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
    /// # Errors
    /// That a registry cannot be asked keeps only its images from being updated; they are in [`Updated::failed`]. An error is what
    /// keeps the commit from being made: something that is marked for no image, a file that cannot be read, or what
    /// [`GitWriter::commit`] says. It is safe to call again.
    pub async fn update(&self, cx: &Cx) -> Result<Updated, Fault> {
        let (mut edits, mut failed) = (Vec::new(), Vec::new());
        for followed in &self.images {
            match self.newest(cx, followed).await {
                Ok(edit) => edits.push(edit),
                Err(fault) => failed.push((followed.name.clone(), fault)),
            }
        }
        let outcome = if edits.is_empty() {
            None
        } else {
            Some(self.writer.commit(cx, &self.request, All(edits)).await?)
        };
        Ok(Updated { outcome, failed })
    }

    async fn newest(&self, cx: &Cx, followed: &Followed) -> Result<SetImage, Fault> {
        let Followed { name, repository, policy } = followed;
        let choice = newest(cx, &*self.tags, repository, policy, None).await?;
        let image: ImageRef =
            format!("{repository}:{choice}").parse().map_err(|error| Fault::invalid(error).at(repository))?;
        let edit = SetImage::new(self.path.clone(), name.clone(), image);
        Ok(if policy.digest_pin() == DigestPin::IfNotPresent { edit.keep_digest() } else { edit })
    }

    /// Updates now, and then again and again, until it is cancelled, with `interval` between the end of one update and the
    /// beginning of the next; longer where a registry or a Git server asks for that. `tell` hears what came of each.
    pub async fn run(
        &self,
        cancel: &CancellationToken,
        interval: Duration,
        mut tell: impl FnMut(Result<Updated, Fault>),
    ) {
        loop {
            let updated = self.update(&Cx::new(cancel.child_token(), UPDATING)).await;
            if cancel.is_cancelled() {
                return;
            }
            let wait = interval.max(asked_to_wait(&updated).unwrap_or_default());
            tell(updated);
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// How long the servers want to be left alone.
fn asked_to_wait(updated: &Result<Updated, Fault>) -> Option<Duration> {
    match updated {
        Ok(updated) => updated.failed.iter().filter_map(|(_, fault)| fault.class.retry_after()).max(),
        Err(fault) => fault.class.retry_after(),
    }
}

/// Several images in one commit.
struct All(Vec<SetImage>);

impl Edit for All {
    fn subject(&self) -> Option<String> {
        match &*self.0 {
            [one] => one.subject(),
            all => Some(format!("Update {} images", all.len())),
        }
    }

    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        self.0.iter().try_for_each(|edit| edit.apply(files))
    }
}
