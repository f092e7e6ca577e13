//! From a registry to a commit.
#![cfg(all(feature = "git", feature = "registry", feature = "testing"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail so")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Class, Cx, RepoPath};
use gitops_git::GitSource;
use gitops_git::write::{CommitRequest, Identity, Outcome, Target};
use gitops_image::{
    DigestPin, ImageDigest, ImagePolicy, ImageUpdates, MemoryTags, RegistryClient, Repository, TagSource,
    testing,
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
    updates.update(&cx()).await.unwrap();
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
    // What is marked nowhere is a mistake of the configuration.
    let tags = MemoryTags::new();
    tags.push(&repository("web"), "1.2.0", b"one").unwrap();
    let updates = config.updates(tags).follow("shop:nobody".parse().unwrap(), repository("web"), policy());
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
