//! From a registry to a commit.
#![cfg(all(feature = "git", feature = "registry", feature = "testing"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail so")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gitops_core::{Class, Cx, Fault, RepoPath, async_trait};
use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, Identity, Outcome, Target};
use gitops_image::{
    DigestPin, ImageDigest, ImagePolicy, ImageUpdates, MemoryTags, RegistryClient, Repository, Tag,
    TagSource, testing,
};
use tokio_util::sync::CancellationToken;

/// A configuration repository on this machine, with the images `web` and `db` marked.
struct Config(tempfile::TempDir);

impl Config {
    fn new(registry: &str) -> Self {
        let config = Self(tempfile::tempdir().unwrap());
        let work = config.0.path().join("work");
        std::fs::create_dir_all(work.join("apps")).unwrap();
        let file = format!(
            "web: {registry}/web:1.0.0 # {{\"$imagepolicy\": \"shop:web\"}}\ndb: {registry}/db:1 # {{\"$imagepolicy\": \"shop:db\"}}\n"
        );
        std::fs::write(work.join("apps/images.yaml"), file).unwrap();
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "-m", "first"]);
        git(config.0.path(), &["clone", "--quiet", "--bare", "work", "config.git"]);
        config
    }

    fn bare(&self) -> PathBuf {
        self.0.path().join("config.git")
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.bare(), args)
    }

    fn file(&self) -> String {
        self.git(&["show", "main:apps/images.yaml"])
    }

    fn updates(&self, tags: impl TagSource) -> ImageUpdates {
        let source = GitSource::builder(self.bare().to_str().unwrap()).allow_local();
        let source =
            source.with_branch("main").with_mirror_dir(self.0.path().join("mirror")).build().unwrap();
        let writer = source.writer(Identity::new("bot", "bot@acme.example").unwrap());
        let request = CommitRequest::new(Target::branch("main"));
        ImageUpdates::new(writer, request, RepoPath::new("apps").unwrap(), Arc::new(tags))
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_COMMITTER_NAME", "Ada")])
        .envs([("GIT_AUTHOR_EMAIL", "ada@acme.example"), ("GIT_COMMITTER_EMAIL", "ada@acme.example")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

fn repository(name: &str) -> Repository {
    Repository::parse(&format!("registry.example/{name}")).unwrap()
}

#[tokio::test]
async fn what_is_newest_gets_into_the_configuration_in_one_commit() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry = testing::Registry::start().await.unwrap();
    registry.push("web", "1.0.0", b"{}").unwrap();
    let digest = registry.push("web", "1.1.0", b"{ }").unwrap();
    registry.push("db", "1", b"{}").unwrap();
    registry.push("db", "2", b"{}").unwrap();
    let config = Config::new(&registry.host());
    let client = RegistryClient::builder().with_plain_http(registry.host()).allow_loopback().without_proxy();
    let pinned = ImagePolicy::semver("1.x").unwrap().with_digest_pin(DigestPin::Always);
    let updates = config
        .updates(client.build().unwrap())
        .follow("shop:web".parse().unwrap(), registry.repository("web").unwrap(), pinned)
        .follow(
            "shop:db".parse().unwrap(),
            registry.repository("db").unwrap(),
            ImagePolicy::numeric(gitops_image::Order::Ascending),
        );
    let done = updates.update(&cx()).await.unwrap();
    assert!(done.failed.is_empty(), "{done:?}");
    let written = done.outcome.unwrap().written().unwrap();
    assert_eq!(config.git(&["rev-parse", "main"]).trim(), written.commit.id);
    assert_eq!(config.git(&["rev-list", "--count", "main"]).trim(), "2");
    let host = registry.host();
    assert_eq!(
        config.file(),
        format!(
            "web: {host}/web:1.1.0@{digest} # {{\"$imagepolicy\": \"shop:web\"}}\ndb: {host}/db:2 # {{\"$imagepolicy\": \"shop:db\"}}\n"
        )
    );
    config.git(&["fsck", "--strict"]);
    let again = updates.update(&cx()).await.unwrap();
    assert!(matches!(again.outcome, Some(Outcome::Unchanged { .. })), "{again:?}");
}

#[tokio::test]
async fn a_digest_that_was_pinned_stays_with_its_tag() {
    let (config, tags) = (Config::new("registry.example"), MemoryTags::new());
    tags.push(&repository("web"), "1.1.0", b"one").unwrap();
    let policy = ImagePolicy::semver("1.x").unwrap().with_digest_pin(DigestPin::IfNotPresent);
    let updates = config.updates(tags.clone()).follow("shop:web".parse().unwrap(), repository("web"), policy);
    // In a task of its own, as programs do it.
    let first = updates.clone();
    tokio::spawn(async move { first.update(&cx()).await.unwrap() }).await.unwrap();
    let pinned = format!("web:1.1.0@{}", ImageDigest::of(b"one"));
    assert!(config.file().contains(&pinned), "{}", config.file());
    tags.push(&repository("web"), "1.1.0", b"moved").unwrap();
    let again = updates.update(&cx()).await.unwrap();
    assert!(matches!(again.outcome, Some(Outcome::Unchanged { .. })), "{again:?}");
    tags.push(&repository("web"), "1.2.0", b"two").unwrap();
    updates.update(&cx()).await.unwrap();
    assert!(config.file().contains(&format!("web:1.2.0@{}", ImageDigest::of(b"two"))), "{}", config.file());
}

#[tokio::test]
async fn one_image_in_trouble_keeps_none_of_the_others() {
    let (config, tags) = (Config::new("registry.example"), MemoryTags::new());
    tags.push(&repository("web"), "1.1.0", b"one").unwrap();
    let policy = || ImagePolicy::semver("*").unwrap();
    let updates = config.updates(tags).follow("shop:db".parse().unwrap(), repository("db"), policy()).follow(
        "shop:web".parse().unwrap(),
        repository("web"),
        policy(),
    );
    let done = updates.update(&cx()).await.unwrap();
    assert_eq!(done.failed.len(), 1);
    assert_eq!((done.failed[0].0.to_string().as_str(), done.failed[0].1.class), ("shop:db", Class::NotFound));
    assert!(done.outcome.unwrap().written().is_some() && config.file().contains("web:1.1.0"));
    // Nor does one that is marked nowhere, among others.
    let tags = MemoryTags::new();
    tags.push(&repository("web"), "1.2.0", b"one").unwrap();
    let updates = config.updates(tags).follow("shop:nobody".parse().unwrap(), repository("web"), policy());
    let among = updates.clone().follow("shop:web".parse().unwrap(), repository("web"), policy());
    let done = among.update(&cx()).await.unwrap();
    assert_eq!((done.failed.len(), done.failed[0].0.to_string().as_str()), (1, "shop:nobody"));
    assert!(done.outcome.unwrap().written().is_some() && config.file().contains("web:1.2.0"));
    let message = config.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("Update images\n\napps/images.yaml"), "{message}");
    // Nothing at all is a mistake of the configuration.
    let fault = updates.update(&cx()).await.unwrap_err();
    assert!(fault.class == Class::NotFound && fault.to_string().contains("shop:nobody"), "{fault}");
}

#[tokio::test]
async fn it_goes_on_until_it_is_cancelled() {
    let (config, tags) = (Config::new("registry.example"), MemoryTags::new());
    tags.push(&repository("web"), "1.1.0", b"one").unwrap();
    let policy = ImagePolicy::semver("1.x").unwrap();
    let updates = config.updates(tags.clone()).follow("shop:web".parse().unwrap(), repository("web"), policy);
    let cancel = CancellationToken::new();
    let mut commits = 0;
    let running = updates.run(&cancel, Duration::from_millis(10), |done| {
        if done.unwrap().outcome.and_then(Outcome::written).is_some() {
            commits += 1;
            match commits {
                1 => drop(tags.push(&repository("web"), "1.2.0", b"two").unwrap()),
                _ => cancel.cancel(),
            }
        }
    });
    tokio::time::timeout(Duration::from_secs(60), running).await.unwrap();
    assert_eq!(commits, 2);
    assert!(config.file().contains("web:1.2.0"), "{}", config.file());
}

/// Registries in trouble, by their names; the others work.
#[derive(Debug, Clone, Default)]
struct Troubled {
    tags: MemoryTags,
    limited: Arc<AtomicUsize>,
}

#[async_trait]
impl TagSource for Troubled {
    async fn tags(&self, cx: &Cx, repository: &Repository) -> Result<Vec<Tag>, Fault> {
        match repository.registry() {
            "silent.example" => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                Err(Fault::retry("it says nothing"))
            }
            "dripping.example" => cx.bound("dripping", std::future::pending()).await?,
            "hanging.example" => std::future::pending().await,
            "limited.example" => {
                self.limited.fetch_add(1, Ordering::SeqCst);
                Err(Fault::new(Class::Retry { after: Some(Duration::from_secs(3600)) }, "too many requests"))
            }
            _ => self.tags.tags(cx, repository).await,
        }
    }

    async fn digest(&self, cx: &Cx, repository: &Repository, tag: &Tag) -> Result<ImageDigest, Fault> {
        self.tags.digest(cx, repository, tag).await
    }
}

#[tokio::test(start_paused = true)]
async fn registries_that_do_not_answer_leave_time_for_the_others_and_the_commit() {
    let (config, source) = (Config::new("registry.example"), Troubled::default());
    source.tags.push(&repository("web"), "1.1.0", b"one").unwrap();
    let policy = || ImagePolicy::semver("*").unwrap();
    let mut updates = config.updates(source);
    let mut dead = Vec::new();
    for (host, images) in [("silent", 40), ("dripping", 20), ("hanging", 1)] {
        for number in 0..images {
            dead.push(format!("shop:{host}-{number}"));
            let image = Repository::parse(&format!("{host}.example/{number}")).unwrap();
            updates = updates.follow(dead.last().unwrap().parse().unwrap(), image, policy());
        }
    }
    let updates = updates.follow("shop:web".parse().unwrap(), repository("web"), policy());
    let cx = Cx::with_timeout(Duration::from_secs(600));
    let done = tokio::time::timeout(Duration::from_secs(700), updates.update(&cx)).await.unwrap().unwrap();
    assert!(cx.remaining() >= Duration::from_secs(250), "{:?}", cx.remaining());
    let failed: Vec<_> = done.failed.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(failed, dead, "in the order in which they were given");
    assert!(done.failed.iter().all(|(_, fault)| fault.is_transient()), "{:?}", done.failed);
    assert!(done.outcome.unwrap().written().is_some() && config.file().contains("web:1.1.0"));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_wants_to_be_left_alone_keeps_none_of_the_others() {
    let (config, source) = (Config::new("registry.example"), Troubled::default());
    source.tags.push(&repository("web"), "1.1.0", b"one").unwrap();
    let policy = || ImagePolicy::semver("*").unwrap();
    let limited = Repository::parse("limited.example/db").unwrap();
    let updates = config
        .updates(source.clone())
        .follow("shop:db".parse().unwrap(), limited, policy())
        .follow("shop:web".parse().unwrap(), repository("web"), policy());
    let cancel = CancellationToken::new();
    let begin = tokio::time::Instant::now();
    let mut asked = Vec::new();
    updates
        .run(&cancel, Duration::from_secs(1000), |done| {
            let failed = done.unwrap().failed;
            assert!(failed.len() == 1 && failed[0].1.class.retry_after().is_some(), "{failed:?}");
            asked.push((begin.elapsed().as_secs(), source.limited.load(Ordering::SeqCst)));
            match asked.len() {
                1 => drop(source.tags.push(&repository("web"), "1.2.0", b"two").unwrap()),
                2 => assert!(config.file().contains("web:1.2.0"), "{}", config.file()),
                5 => cancel.cancel(),
                _ => {}
            }
        })
        .await;
    assert_eq!(asked, [(0, 1), (1000, 1), (2000, 1), (3000, 1), (4000, 2)]);
}

#[tokio::test]
async fn an_image_is_written_as_it_was_given() {
    for registry in ["GHCR.io/acme", "acme", "index.docker.io/acme"] {
        let (config, tags) = (Config::new(registry), MemoryTags::new());
        let web = Repository::parse(&format!("{registry}/web")).unwrap();
        tags.push(&web, "1.0.0", b"one").unwrap();
        let policy = ImagePolicy::semver("*").unwrap();
        let updates = config.updates(tags.clone()).follow("shop:web".parse().unwrap(), web.clone(), policy);
        let done = updates.update(&cx()).await.unwrap();
        assert!(matches!(done.outcome, Some(Outcome::Unchanged { .. })), "{done:?}");
        tags.push(&web, "1.1.0", b"two").unwrap();
        updates.update(&cx()).await.unwrap();
        assert!(config.file().starts_with(&format!("web: {registry}/web:1.1.0 #")), "{}", config.file());
    }
}
