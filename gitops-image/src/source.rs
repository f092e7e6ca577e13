//! Where the tags of an image come from, and the newest one of them.

use std::fmt::{self, Debug};

use gitops_core::{Class, Cx, Fault, async_trait};

use crate::{DigestPin, ImageDigest, ImagePolicy, Repository, Tag, choose};

/// Tells which tags an image has.
///
/// Calls end at the deadline of their context and when it is cancelled, and can be dropped at any time. Errors say by their class
/// what passes ([`Class::Retry`]), and hold no credentials.
#[async_trait]
pub trait TagSource: Debug + Send + Sync + 'static {
    /// All tags of a repository, each once, in no particular order. A repository that does not exist is [`Class::NotFound`].
    async fn tags(&self, cx: &Cx, repository: &Repository) -> Result<Vec<Tag>, Fault>;

    /// The digest of what a tag names now: of the index of platforms, where there is one. A tag that does not exist is
    /// [`Class::NotFound`].
    async fn digest(&self, cx: &Cx, repository: &Repository, tag: &Tag) -> Result<ImageDigest, Fault>;
}

/// A tag that was chosen, with the digest where the policy wants one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The tag.
    pub tag: Tag,
    /// The digest that it is pinned to.
    pub digest: Option<ImageDigest>,
}

/// As after the name in a reference to an image: `1.2.3`, `1.2.3@sha256:…`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            None => write!(f, "{}", self.tag),
            Some(digest) => write!(f, "{}@{digest}", self.tag),
        }
    }
}

/// The newest tag of an image by a policy, with its digest if the policy pins it. That there is none is [`Class::NotFound`].
///
/// `in_use` is what the configuration names now, if that is known: with [`DigestPin::IfNotPresent`] its digest stays as long as its
/// tag is the newest. So what was pinned is remembered in the configuration, and nowhere else.
///
/// ```
/// use std::time::Duration;
/// use gitops_core::Cx;
/// use gitops_image::{DigestPin, ImagePolicy, MemoryTags, Repository, newest};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let registry = MemoryTags::new();
/// let web = Repository::parse("registry.example/shop/web")?;
/// registry.push(&web, "1.0.0", b"the manifest")?;
/// registry.push(&web, "1.1.0", b"another one")?;
///
/// let policy = ImagePolicy::semver("1.x")?.with_digest_pin(DigestPin::IfNotPresent);
/// let cx = Cx::with_timeout(Duration::from_secs(30));
/// let choice = newest(&cx, &registry, &web, &policy, None).await?;
/// assert!(choice.to_string().starts_with("1.1.0@sha256:"));
///
/// // Somebody moves the tag. What was pinned stays.
/// registry.push(&web, "1.1.0", b"a third one")?;
/// assert_eq!(newest(&cx, &registry, &web, &policy, Some(&choice)).await?, choice);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn newest(
    cx: &Cx,
    source: &dyn TagSource,
    repository: &Repository,
    policy: &ImagePolicy,
    in_use: Option<&Choice>,
) -> Result<Choice, Fault> {
    let tags = source.tags(cx, repository).await?;
    let Some(tag) = choose(&tags, policy) else {
        let message = format!("none of its {} tags is what is wanted: {policy}", tags.len());
        return Err(Fault::new(Class::NotFound, message).at(repository));
    };
    let tag = tag.clone();
    let pinned = in_use.filter(|choice| choice.tag == tag).and_then(|choice| choice.digest.clone());
    let digest = match (policy.digest_pin(), pinned) {
        (DigestPin::Never, _) => None,
        (DigestPin::IfNotPresent, Some(pinned)) => Some(pinned),
        (DigestPin::IfNotPresent, None) | (DigestPin::Always, _) => {
            Some(source.digest(cx, repository, &tag).await?)
        }
    };
    Ok(Choice { tag, digest })
}
