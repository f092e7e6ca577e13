//! Tags from a registry: the part of the OCI distribution API that reads them.

mod answer;
mod authority;
mod builder;
mod challenge;
mod credentials;
mod docker_config;
mod error;
mod exchange;
mod pages;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use gitops_core::{Cx, Fault, async_trait};
use reqwest::{Client, Method, Url};

use self::answer::Answer;
use self::authority::Authority;
pub use self::builder::RegistryClientBuilder;
pub use self::credentials::RegistryCredentials;
pub use self::error::RegistryError;
use self::pages::Pages;
use crate::{ImageDigest, Repository, Tag, TagSource};

/// What a manifest may be: an image, or an index of its platforms, by OCI's names and Docker's.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// Asks registries for tags and digests (OCI distribution specification 1.1). Cheap to clone; clones share connections and tokens.
///
/// It answers for every registry; credentials are those that were given for each. Make one for a program, in its runtime.
#[derive(Clone)]
pub struct RegistryClient {
    client: Client,
    settings: Arc<Settings>,
    authority: Arc<Authority>,
}

/// What a builder was told.
#[derive(Debug, Clone)]
struct Settings {
    reach: gitops_net::Reach,
    /// The registries and token services, as `host:port`, that are spoken to in the clear.
    plain: BTreeSet<String>,
    silence: std::time::Duration,
    page_size: u32,
    max_tags: usize,
    max_pages: usize,
    max_bytes: usize,
}

impl RegistryClient {
    /// Begins to build one.
    pub fn builder() -> RegistryClientBuilder {
        RegistryClientBuilder::default()
    }

    /// Where a registry answers.
    fn base(&self, repository: &Repository) -> Result<Url, RegistryError> {
        let scheme = if self.settings.plain.contains(repository.endpoint()) { "http" } else { "https" };
        let text = format!("{scheme}://{}/v2/{}/", repository.endpoint(), repository.name());
        let invalid = || RegistryError::InvalidUrl { text: text.clone() };
        let url = Url::parse(&text).map_err(|_| invalid())?;
        // What a URL makes of the host is what counts: `0x7f000001` is an address.
        self.settings.reach.check_host(url.host_str().ok_or_else(invalid)?)?;
        Ok(url)
    }

    async fn list(&self, cx: &Cx, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let mut url =
            self.base(repository)?.join("tags/list").map_err(|_| RegistryError::bug("tags/list"))?;
        url.query_pairs_mut().append_pair("n", &self.settings.page_size.to_string());
        let mut pages = Pages::new(url.clone(), self.settings.max_pages);
        let mut tags = BTreeSet::new();
        let mut next = Some(url);
        while let Some(url) = next {
            let answer = self.ask(cx, repository, Method::GET, &url, "application/json").await?.accept()?;
            for tag in answer.tags()? {
                tags.insert(tag);
                if tags.len() > self.settings.max_tags {
                    return Err(RegistryError::TooManyTags { limit: self.settings.max_tags });
                }
            }
            next = pages.after(&answer)?;
        }
        Ok(tags.into_iter().collect())
    }

    async fn resolve(
        &self,
        cx: &Cx,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<ImageDigest, RegistryError> {
        let path = format!("manifests/{tag}");
        let url = self.base(repository)?.join(&path).map_err(|_| RegistryError::bug("manifests"))?;
        let answer = self.ask(cx, repository, Method::HEAD, &url, MANIFESTS).await?;
        // Not every registry answers to HEAD, or says the digest then.
        if answer.status != 405
            && let Some(digest) = answer.accepted()?.digest()?
        {
            return Ok(digest);
        }
        let answer = self.ask(cx, repository, Method::GET, &url, MANIFESTS).await?.accept()?;
        let digest = answer.digest()?.unwrap_or_else(|| ImageDigest::of(&answer.body));
        if digest.is_of(&answer.body) {
            Ok(digest)
        } else {
            Err(RegistryError::not_a_registry("a manifest is not what its digest says"))
        }
    }

    /// One question, with a credential if the registry wants one.
    async fn ask(
        &self,
        cx: &Cx,
        repository: &Repository,
        method: Method,
        url: &Url,
        accept: &'static str,
    ) -> Result<Answer, RegistryError> {
        let origin = self.base(repository)?;
        let exchange = exchange::Exchange {
            client: &self.client,
            settings: &self.settings,
            origin: &origin,
            may_leave: !self.authority.has_credentials(repository),
        };
        let known = self.authority.known(repository)?;
        let asked = exchange::Asked { method, url, accept };
        let answer = exchange.send(cx, &asked, known.as_ref()).await?;
        if answer.status != 401 || !answer.is_of_origin {
            return Ok(answer);
        }
        let refused = known.is_some();
        let header = self.authority.answer(cx, &exchange, repository, &answer, refused).await?;
        exchange.send(cx, &asked, Some(&header)).await
    }
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryClient")
            .field("settings", &self.settings)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TagSource for RegistryClient {
    async fn tags(&self, cx: &Cx, repository: &Repository) -> Result<Vec<Tag>, Fault> {
        self.list(cx, repository).await.map_err(|error| error.at(repository))
    }

    async fn digest(&self, cx: &Cx, repository: &Repository, tag: &Tag) -> Result<ImageDigest, Fault> {
        let place = || format!("{repository}:{tag}");
        self.resolve(cx, repository, tag).await.map_err(|error| error.at(place()))
    }
}
