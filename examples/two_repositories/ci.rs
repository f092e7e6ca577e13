//! What CI does for the application's repository: builds an image, and ends with a commit to the configuration's.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use gitops_core::{Cx, RepoPath, Revision};
use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, GitWriter, Identity, Message, Revert, SetImage, Target, Written};
use gitops_image::{DigestPin, ImageDigest, ImagePolicy, RegistryClient, Repository, newest};
use reqwest::{Method, StatusCode, Url};
use serde_json::json;

use crate::config::{PATH, POLICY};

const NAME: &str = "shop/web";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// CI of the shop.
#[derive(Debug)]
pub(crate) struct Ci {
    registry: Url,
    http: reqwest::Client,
    tags: RegistryClient,
    image: Repository,
    policy: ImagePolicy,
    writer: GitWriter,
}

impl Ci {
    pub(crate) fn new(registry: &str, config: &GitSource) -> anyhow::Result<Self> {
        // The registry is on this machine, and speaks plain HTTP: each takes a word.
        let tags =
            RegistryClient::builder().with_plain_http(registry).allow_loopback().without_proxy().build()?;
        Ok(Self {
            registry: format!("http://{registry}/v2/{NAME}/").parse()?,
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?,
            tags,
            image: Repository::parse(&format!("{registry}/{NAME}"))?,
            policy: ImagePolicy::semver("*")?.with_digest_pin(DigestPin::Always),
            writer: config.writer(Identity::new("CI", "ci@shop.example")?),
        })
    }

    /// Builds an image of what a commit has, and pushes it with a version.
    pub(crate) async fn build(&self, commit: &str, version: &str, what: &str) -> anyhow::Result<String> {
        let labels =
            json!({"org.opencontainers.image.revision": commit, "org.opencontainers.image.version": version});
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": labels}, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = self.push_blob("application/vnd.oci.image.config.v1+json", config.to_string()).await?;
        let layer =
            self.push_blob("application/vnd.oci.image.layer.v1.tar", format!("{version}: {what}")).await?;
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let url = self.registry.join(&format!("manifests/{version}"))?;
        self.send(Method::PUT, url, MANIFEST, manifest.to_string()).await?;
        Ok(format!("{}:{version}", self.image))
    }

    /// The step that CI ends with: the newest image, with its digest, gets where the configuration is marked for it.
    pub(crate) async fn release(&self, commit: &str) -> anyhow::Result<Written> {
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let choice = newest(&cx, &self.tags, &self.image, &self.policy, None).await?;
        let image = format!("{}:{choice}", self.image).parse()?;
        let edit = SetImage::new(RepoPath::new(PATH)?, POLICY.parse()?, image);
        let request = CommitRequest::new(Target::branch("main"))
            .with_message(Message::new("shop: web {version}\n\n{changes}")?)
            .with_value("version", choice.tag.to_string())
            .with_trailer("Source-Commit", commit)?;
        self.writer.commit(&cx, &request, edit).await?.written().context("there is nothing to release")
    }

    /// Takes a release back.
    pub(crate) async fn undo(&self, commit: &Revision) -> anyhow::Result<Written> {
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let request = CommitRequest::new(Target::branch("main"));
        let reverted = self.writer.revert(&cx, &request, &Revert::commit(commit)?).await?;
        reverted.written().context("there is nothing to take back")
    }

    /// Pushes a blob, in one piece. Tells its descriptor.
    async fn push_blob(&self, media_type: &str, content: String) -> anyhow::Result<serde_json::Value> {
        let (digest, size) = (ImageDigest::of(content.as_bytes()).to_string(), content.len());
        let begun = self.send(Method::POST, self.registry.join("blobs/uploads/")?, "", String::new()).await?;
        let mut place = begun;
        place.query_pairs_mut().append_pair("digest", &digest);
        self.send(Method::PUT, place, "application/octet-stream", content).await?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": size}))
    }

    /// Sends something to the registry. Tells where it says that it is.
    async fn send(&self, method: Method, url: Url, kind: &str, body: String) -> anyhow::Result<Url> {
        let request = self.http.request(method, url.clone()).body(body);
        let request = if kind.is_empty() { request } else { request.header("Content-Type", kind) };
        let answer = request.send().await?;
        let is_taken = matches!(answer.status(), StatusCode::CREATED | StatusCode::ACCEPTED);
        ensure!(is_taken, "{url}: the registry answered with {}", answer.status());
        let place = answer.headers().get("Location").context("the registry names no place")?;
        Ok(url.join(place.to_str()?)?)
    }
}
