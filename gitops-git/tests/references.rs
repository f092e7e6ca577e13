//! What can be followed, asked of a real server.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::{Repo, Server, cx, fault, http, sync, text};
use gitops_core::{Class, RefSpec, Source};

fn semver(range: &str, pre_releases: bool) -> RefSpec {
    RefSpec::SemVer { range: range.into(), pre_releases }
}

#[tokio::test]
async fn any_reference_is_followed_by_its_full_name() {
    let repo = Repo::with(&[("a", "1")]);
    let server = Server::start(repo.root());
    repo.commit("of a pull request", &[("a", "2")]);
    repo.git(&["push", "--quiet", "origin", "HEAD:refs/pull/1/head"]);
    let source = http(&server.url(), &repo.mirrors()).with_reference("refs/pull/1/head").build().unwrap();
    let snapshot = sync(&source).await.unwrap();
    assert_eq!(text(&*snapshot, "a"), "2");
    let provenance = snapshot.revision().provenance.as_ref().unwrap();
    assert_eq!(provenance.reference.as_deref(), Some("refs/pull/1/head"));
    let missing = source.resolve(&cx(), &RefSpec::Reference("refs/pull/2/head".into())).await;
    assert_eq!(fault(missing).class, Class::NotFound);
}

#[tokio::test]
async fn the_newest_version_in_a_range_is_followed_and_the_next_one_when_it_comes() {
    let repo = Repo::with(&[("a", "0")]);
    let server = Server::start(repo.root());
    for tag in ["v1.0.0", "v1.9.0", "v1.10.0", "2.0.0-rc.1", "latest"] {
        repo.commit(tag, &[("a", tag)]);
        // One of them is annotated.
        if tag == "v1.10.0" {
            repo.git(&["tag", "-a", "-m", tag, tag])
        } else {
            repo.git(&["tag", tag])
        };
    }
    repo.git(&["push", "--quiet", "--tags", "origin"]);
    let source = http(&server.url(), &repo.mirrors()).with_semver("1.x").build().unwrap();
    let snapshot = sync(&source).await.unwrap();
    assert_eq!(text(&*snapshot, "a"), "v1.10.0");
    let provenance = snapshot.revision().provenance.as_ref().unwrap();
    assert_eq!(provenance.reference.as_deref(), Some("refs/tags/v1.10.0"));

    repo.commit("next", &[("a", "v1.11.0")]);
    repo.git(&["tag", "v1.11.0"]);
    repo.git(&["push", "--quiet", "--tags", "origin"]);
    assert_eq!(text(&*sync(&source).await.unwrap(), "a"), "v1.11.0");

    // A pre-release only where it is wanted.
    let none = fault(source.resolve(&cx(), &semver(">=2.0.0", false)).await);
    assert_eq!(none.class, Class::NotFound);
    assert!(none.to_string().contains("none of the repository's 6 tags"), "{none}");
    let rc = source.resolve(&cx(), &semver("2.x", true)).await.unwrap();
    assert_eq!(rc.provenance.unwrap().reference.as_deref(), Some("refs/tags/2.0.0-rc.1"));
}

/// Git's own order of versions is that of Semantic Versioning as long as there are no pre-releases.
#[tokio::test]
async fn the_choice_is_the_one_that_git_sorts_last() {
    let repo = Repo::with(&[("a", "0")]);
    let server = Server::start(repo.root());
    let mut roll = 12_345_u64;
    let mut next = |below: u64| {
        roll = roll.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (roll >> 33) % below
    };
    for _ in 0..150 {
        let tag = format!("v{}.{}.{}", next(4), next(15), next(30));
        repo.git(&["tag", "--force", &tag]);
    }
    repo.git(&["push", "--quiet", "--tags", "origin"]);
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    for (range, pattern) in
        [("*", "v*"), ("1.x", "v1.*"), ("2", "v2.*"), ("0.3.x", "v0.3.*"), ("3.1", "v3.1.*")]
    {
        let sorted = repo.git(&["tag", "--list", "--sort=-version:refname", pattern]);
        let expected = sorted.lines().next().map(|tag| format!("refs/tags/{tag}"));
        let chosen = source.resolve(&cx(), &semver(range, false)).await.ok();
        let chosen = chosen.and_then(|revision| revision.provenance.unwrap().reference);
        assert_eq!(chosen, expected, "{range}");
    }
}
