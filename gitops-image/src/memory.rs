//! Tags in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gitops_core::{Class, Cx, Fault, async_trait};

use crate::{ImageDigest, InvalidTag, Repository, Tag, TagSource};

/// A source of tags in memory, for tests. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryTags {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<Repository, BTreeMap<Tag, ImageDigest>>,
    trouble: Option<Fault>,
    questions: u64,
}

impl MemoryTags {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a tag to a manifest; the repository is made, and a tag that exists is moved. Tells the manifest's digest.
    pub fn push(
        &self,
        repository: &Repository,
        tag: &str,
        manifest: &[u8],
    ) -> Result<ImageDigest, InvalidTag> {
        let (tag, digest) = (Tag::new(tag)?, ImageDigest::of(manifest));
        self.state().repositories.entry(repository.clone()).or_default().insert(tag, digest.clone());
        Ok(digest)
    }

    /// Removes a tag. Tells whether it was there.
    pub fn remove(&self, repository: &Repository, tag: &str) -> bool {
        let mut state = self.state();
        state.repositories.get_mut(repository).is_some_and(|tags| tags.remove(tag).is_some())
    }

    /// Makes every call fail with a copy of this fault; none makes them work again.
    pub fn fail_with(&self, trouble: Option<Fault>) {
        self.state().trouble = trouble;
    }

    /// How often it was asked anything.
    pub fn questions(&self) -> u64 {
        self.state().questions
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(
        &self,
        cx: &Cx,
        repository: &Repository,
        answer: impl FnOnce(&BTreeMap<Tag, ImageDigest>) -> Option<T>,
    ) -> Result<T, Fault> {
        cx.check()?;
        let mut state = self.state();
        state.questions += 1;
        if let Some(trouble) = &state.trouble {
            return Err(trouble.note().to_fault());
        }
        let found = state.repositories.get(repository).and_then(answer);
        found.ok_or_else(|| Fault::new(Class::NotFound, "there is no such repository or tag").at(repository))
    }
}

#[async_trait]
impl TagSource for MemoryTags {
    async fn tags(&self, cx: &Cx, repository: &Repository) -> Result<Vec<Tag>, Fault> {
        self.ask(cx, repository, |tags| Some(tags.keys().cloned().collect()))
    }

    async fn digest(&self, cx: &Cx, repository: &Repository, tag: &Tag) -> Result<ImageDigest, Fault> {
        self.ask(cx, repository, |tags| tags.get(tag).cloned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Choice, DigestPin, ImagePolicy, newest};

    fn cx() -> Cx {
        Cx::with_timeout(Duration::from_secs(60))
    }

    #[tokio::test]
    async fn what_is_pinned_follows_the_policy() {
        let (source, web) = (MemoryTags::new(), Repository::parse("ghcr.io/shop/web").unwrap());
        let old = source.push(&web, "1.0.0", b"first").unwrap();
        let with = |pin| ImagePolicy::semver("1.x").unwrap().with_digest_pin(pin);
        let ask = async |pin, in_use: Option<Choice>| {
            newest(&cx(), &source, &web, &with(pin), in_use.as_ref()).await.unwrap()
        };
        let in_use = Some(ask(DigestPin::IfNotPresent, None).await);
        let unpinned = Choice { tag: Tag::new("1.0.0").unwrap(), digest: None };
        assert_eq!(in_use, Some(Choice { digest: Some(old.clone()), ..unpinned.clone() }));

        let moved = source.push(&web, "1.0.0", b"second").unwrap();
        assert_eq!(ask(DigestPin::Never, in_use.clone()).await.digest, None);
        let questions = source.questions();
        assert_eq!(ask(DigestPin::IfNotPresent, in_use.clone()).await.digest, Some(old));
        assert_eq!(source.questions(), questions + 1, "the digest is not asked for");
        assert_eq!(ask(DigestPin::Always, in_use.clone()).await.digest, Some(moved.clone()));
        assert_eq!(ask(DigestPin::IfNotPresent, Some(unpinned)).await.digest, Some(moved));

        let newer = source.push(&web, "1.1.0", b"third").unwrap();
        assert_eq!(ask(DigestPin::IfNotPresent, in_use).await.digest, Some(newer));
    }

    #[tokio::test]
    async fn what_is_missing_is_not_found() {
        let (source, web) = (MemoryTags::new(), Repository::parse("ghcr.io/shop/web").unwrap());
        let policy = ImagePolicy::semver("2.x").unwrap();
        let class = async || newest(&cx(), &source, &web, &policy, None).await.unwrap_err();
        assert_eq!(class().await.class, Class::NotFound);
        source.push(&web, "1.0.0", b"first").unwrap();
        let fault = class().await;
        assert_eq!(fault.class, Class::NotFound);
        assert!(fault.to_string().contains("1 tags") && fault.to_string().contains("2.x"), "{fault}");
        source.fail_with(Some(Fault::retry("trouble")));
        assert_eq!(class().await.class, Class::RETRY);
        source.fail_with(None);
        assert!(source.remove(&web, "1.0.0") && !source.remove(&web, "1.0.0"));
        let cancelled = cx();
        cancelled.cancel.cancel();
        assert_eq!(source.tags(&cancelled, &web).await.unwrap_err().class, Class::Cancelled);
    }
}
