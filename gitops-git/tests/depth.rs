//! How much of a history is fetched.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Repo, Server, cx, git, http, local, sync, text};
use gitops_core::{RefSpec, Source};
#[cfg(feature = "verify")]
use gitops_git::GitSource;
use gitops_git::HistoryOptions;

const FILES: usize = 100;

/// A repository with a long history: each of so many commits changes a file of its own to a thousand random characters.
fn long(commits: usize) -> Repo {
    let repo = Repo::new();
    let all: Vec<(String, String)> = (0..FILES).map(|n| (format!("d{}/f{n}", n % 10), noise(n))).collect();
    repo.commit("all", &all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    for n in 0..commits {
        let path = format!("d{}/f{}", n % 10, n % FILES);
        repo.commit(&format!("change {n}"), &[(&path, &noise(1000 + n))]);
    }
    repo
}

/// A thousand characters that do not compress to less than half.
fn noise(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + ((state >> 59) as u8) % 26)
    };
    (0..1000).map(|_| next()).collect()
}

/// The repositories of the mirrors below a directory.
fn repositories(mirrors: &Path) -> Vec<PathBuf> {
    let slots = fs::read_dir(mirrors).unwrap().map(|slot| slot.unwrap().path());
    let inside = slots.flat_map(|slot| fs::read_dir(slot).unwrap().map(|entry| entry.unwrap().path()));
    inside.filter(|path| path.extension().is_some_and(|extension| extension == "git")).collect()
}

fn only(mirrors: &Path) -> PathBuf {
    let found = repositories(mirrors);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

/// How many commits a mirror knows, by what its references lead to; and that it is whole as far as it goes.
fn commits(mirror: &Path) -> usize {
    git(mirror, &["fsck", "--full", "--strict"]);
    git(mirror, &["rev-list", "--all", "--count"]).parse().unwrap()
}

#[tokio::test]
async fn a_pinned_commit_comes_without_its_history() {
    let repo = long(40);
    let server = Server::start(repo.root());
    let url = server.url();
    let (pinned, next) = (repo.git(&["rev-parse", "HEAD~1"]), repo.head());

    let whole = http(&url, &repo.root().join("whole")).with_branch("main").build().unwrap();
    sync(&whole).await.unwrap();
    let by_branch = server.sent();
    let source = http(&url, &repo.mirrors()).with_commit(&pinned).build().unwrap();
    let first = sync(&source).await.unwrap();
    let by_commit = server.sent() - by_branch;
    assert!(by_commit * 10 < by_branch * 8, "{by_commit} bytes without the history, {by_branch} with it");
    assert_eq!(first.revision().id, pinned);
    assert_eq!(text(&*first, "d9/f39"), noise(39), "as it was before the last change");
    assert_eq!(commits(&only(&repo.mirrors())), 1);

    // The next one brings what is new in it: a file, and the directories on the way.
    let before = server.sent();
    let second = source.resolve(&cx(), &RefSpec::Commit(next.clone())).await.unwrap();
    let tree = source.fetch(&cx(), &second).await.unwrap();
    let bytes = server.sent() - before;
    assert!(bytes < 8_000, "{bytes} bytes for a file of 1,000");
    assert_eq!(text(&*tree, "d9/f39"), noise(1039));
    assert_eq!(text(&*tree, "d0/f0"), noise(1000), "what came with the first one");
    // What is there costs nothing, for the next process neither.
    server.take_requests();
    let again = http(&url, &repo.root().join("mirrors")).with_commit(&next).build().unwrap();
    drop((source, first, tree));
    assert_eq!(text(&*sync(&again).await.unwrap(), "d9/f39"), noise(1039));
    assert!(server.take_requests().is_empty());
}

#[tokio::test]
async fn a_pinned_commit_that_is_in_the_history_already_costs_nothing() {
    let repo = long(3);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).with_branch("main").build().unwrap();
    sync(&source).await.unwrap();
    server.take_requests();
    let older = source.resolve(&cx(), &RefSpec::Commit(repo.git(&["rev-parse", "HEAD~2"]))).await.unwrap();
    let tree = source.fetch(&cx(), &older).await.unwrap();
    assert_eq!(text(&*tree, "d2/f2"), noise(2));
    assert!(server.take_requests().is_empty());
    assert_eq!(commits(&only(&repo.mirrors())), 4);
}

#[tokio::test]
async fn a_shallow_source_follows_a_branch_without_its_history() {
    let repo = long(20);
    let build =
        || local(&repo.bare(), &repo.mirrors()).with_branch("main").with_max_packs(5).shallow().build();
    let source = build().unwrap();
    assert_eq!(text(&*sync(&source).await.unwrap(), "d9/f19"), noise(1019));
    assert_eq!(commits(&only(&repo.mirrors())), 1);
    // Over several rounds of packing.
    for n in 20..40 {
        let path = format!("d{}/f{n}", n % 10);
        let id = repo.commit(&format!("change {n}"), &[(&path, &noise(1000 + n))]);
        let tree = sync(&source).await.unwrap();
        assert_eq!((tree.revision().id.as_str(), text(&*tree, &path)), (id.as_str(), noise(1000 + n)));
        assert_eq!(text(&*tree, "d0/f0"), noise(1000));
        assert!(tree.revision().provenance.as_ref().unwrap().rewrote.is_none());
    }
    let mirror = only(&repo.mirrors());
    assert!(commits(&mirror) <= 7, "as many as were fetched since it was packed last");
    let ends = fs::read_to_string(mirror.join("shallow")).unwrap().lines().count();
    assert!(ends <= 7, "{ends} ends of histories are told to the server with each fetch");

    // To another history, and by another process.
    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.git(&["branch", "--quiet", "--delete", "--force", "main"]);
    repo.git(&["branch", "--move", "main"]);
    let forced = repo.commit("all anew", &[("d0/f0", "forced")]);
    drop(source);
    let source = build().unwrap();
    let tree = sync(&source).await.unwrap();
    assert_eq!((tree.revision().id.as_str(), text(&*tree, "d0/f0")), (forced.as_str(), "forced".to_owned()));
    commits(&only(&repo.mirrors()));
}

#[tokio::test]
async fn a_shallow_source_still_explains() {
    let repo = long(10);
    let source = local(&repo.bare(), &repo.mirrors()).with_branch("main").shallow().build().unwrap();
    let tree = sync(&source).await.unwrap();
    let mut history = source.history(&cx(), tree.revision(), HistoryOptions::new()).await.unwrap();
    let mut commits = 0;
    while history.next(&cx()).await.unwrap().is_some() {
        commits += 1;
    }
    assert_eq!(commits, 11);
}

/// What was forced away stays in a mirror until it has grown too large; then what is wanted takes its place, and not before
/// it is there.
#[tokio::test]
async fn a_mirror_that_has_grown_too_large_is_made_anew() {
    let repo = long(1);
    let build = || {
        local(&repo.bare(), &repo.mirrors())
            .with_branch("main")
            .with_max_received_bytes(200_000)
            .build()
            .unwrap()
    };
    let size = |mirror: &Path| -> u64 {
        let packs = fs::read_dir(mirror.join("objects/pack")).unwrap();
        packs.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    let source = build();
    sync(&source).await.unwrap();
    let mut sizes = Vec::new();
    let (mut last, mut older) = (String::new(), None);
    for round in 0..12 {
        repo.git(&["checkout", "--quiet", "--orphan", &format!("round-{round}")]);
        let all: Vec<(String, String)> =
            (0..FILES).map(|n| (format!("f{n}"), noise(10_000 * (round + 1) + n))).collect();
        let all: Vec<_> = all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        last = repo.commit("all other", &all);
        repo.git(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
        if sizes.last().is_some_and(|size| *size > 400_000) {
            // It is due, and the server is away: the old one stays.
            let newest = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
            let away = repo.root().join("away");
            fs::rename(repo.bare(), &away).unwrap();
            source.fetch(&cx(), &newest).await.map(drop).unwrap_err();
            let older = source.fetch(&cx(), older.as_ref().unwrap()).await.unwrap();
            assert_eq!(text(&*older, "f0"), noise(10_000 * round));
            fs::rename(away, repo.bare()).unwrap();
        }
        let tree = sync(&source).await.unwrap();
        assert_eq!(text(&*tree, "f0"), noise(10_000 * (round + 1)));
        older = Some(tree.revision().clone());
        sizes.push(size(&only(&repo.mirrors())));
    }
    assert!(sizes.iter().all(|size| *size < 700_000), "{sizes:?}");
    assert!(sizes.windows(2).any(|pair| pair[1] < pair[0]), "{sizes:?}");
    drop(source);
    assert_eq!(sync(&build()).await.unwrap().revision().id, last);
}

#[cfg(feature = "verify")]
#[test]
fn a_shallow_source_verifies_nothing() {
    use gitops_git::{TrustedKeys, Verification, VerifyMode};
    let key = "* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMKjCGCUGT9r2qJjpXnRkk9ZzYBuhDWGGBpDEPZUC0Jv";
    let keys = TrustedKeys::new().with_allowed_signers(key).unwrap();
    let built = GitSource::builder("https://git.example/config.git")
        .with_verification(Verification::new(VerifyMode::Head, keys))
        .shallow()
        .build();
    assert!(built.unwrap_err().to_string().contains("shallow()"));
}
