//! Histories in which each commit must be signed.

use gitops_core::Revision;
use gitops_git::{GitSource, Verification, VerifyMode};

use crate::hands::{Hand, Ssh, raw, write_object};
use crate::{World, allowed, follow, refusal, refusal_after};

fn every(world: &World, ssh: &Ssh, since: Option<&str>) -> GitSource {
    let mut verification = Verification::new(VerifyMode::EveryCommit, allowed(&ssh.allowed(&["ada"])));
    if let Some(since) = since {
        verification = verification.with_trusted_since(since).unwrap();
    }
    world.source(verification)
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn each_new_commit_must_be_signed() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    for n in 0..5 {
        hand.commit(&world.repo, &format!("{n}"));
    }
    let source = every(&world, &ssh, None);
    let good = follow(&source, None).await.unwrap();
    assert_eq!(good.signers()[0].key, ssh.fingerprint("ada"));
    let bad = world.repo.commit("plain", &[("v", "plain")]);
    hand.commit(&world.repo, "on top");
    for in_force in [None, Some(&good)] {
        let told = refusal_after(&source, in_force).await;
        assert!(told.contains(&format!("commit {bad} is refused: it is not signed")), "{told}");
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_merge_that_brings_in_an_unsigned_commit_is_refused() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    hand.commit(&world.repo, "base");
    let source = every(&world, &ssh, None);
    let base = follow(&source, None).await.unwrap();

    let merge = |by: &Hand, name: &str| {
        world.repo.git(&["checkout", "--quiet", "-b", name, &base.id]);
        std::fs::write(world.repo.work().join(name), name).unwrap();
        world.repo.git(&["add", "--all"]);
        let sign = if by.signs() { "-S" } else { "--no-gpg-sign" };
        by.git(&world.repo, &["commit", "--quiet", sign, "-m", name]);
        let id = world.repo.head();
        world.repo.git(&["checkout", "--quiet", "main"]);
        hand.git(&world.repo, &["merge", "--quiet", "--no-ff", "-S", "-m", "merge", name]);
        world.repo.push();
        id
    };
    merge(&hand, "signed");
    let good = follow(&source, Some(&base)).await.unwrap();
    let bad = merge(&Hand::unsigned(), "plain");
    let told = refusal_after(&source, Some(&good)).await;
    assert!(told.contains(&bad) && told.contains("not signed"), "{told}");
    // The merge itself is signed: who trusts its signer with all that it brings can say so.
    let head = world.head(allowed(&ssh.allowed(&["ada"])));
    assert_eq!(follow(&head, Some(&good)).await.unwrap().signers().len(), 1);
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn what_was_trusted_is_not_asked_again() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    world.repo.commit("old", &[("v", "old")]);
    let trusted = world.repo.commit("older habits", &[("v", "older")]);
    let told = refusal(&every(&world, &ssh, None)).await;
    assert!(told.contains("not signed"), "{told}");

    // The commit that was given by its id needs no signature; what comes after it does.
    let source = every(&world, &ssh, Some(&trusted));
    let first = follow(&source, None).await.unwrap();
    assert!(first.signers().is_empty(), "nobody signed it");
    hand.commit(&world.repo, "new");
    let good = follow(&source, Some(&first)).await.unwrap();
    assert_eq!(good.signers().len(), 1);
    // Without that id, what is in force counts, since it was verified; if it was not, it does not.
    hand.commit(&world.repo, "newer");
    let without = every(&world, &ssh, None);
    follow(&without, Some(&good)).await.unwrap();
    let unverified = Revision::new(good.id.clone());
    let told = refusal_after(&without, Some(&unverified)).await;
    assert!(told.contains("not signed"), "{told}");
    follow(&source, Some(&unverified)).await.unwrap();
}

/// Commits say themselves when they were made; what is old must stay old, and what is new new.
#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn wrong_times_in_commits_change_nothing() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    // Unsigned and trusted, with times that go back and forth; a signed branch leaves from the oldest.
    let mut ids = Vec::new();
    for n in 0..12 {
        let year = if n % 3 == 0 { 2090 - n } else { 1990 + n };
        Hand::unsigned().at(&format!("{year}-01-01T00:00:00Z")).plain_commit(&world.repo, &format!("{n}"));
        ids.push(world.repo.head());
    }
    let trusted = ids.last().unwrap().clone();
    world.repo.git(&["checkout", "--quiet", "-b", "side", &ids[1]]);
    hand.clone().at("1971-01-01T00:00:00Z").commit(&world.repo, "side");
    world.repo.git(&["checkout", "--quiet", "main"]);
    hand.clone()
        .at("2095-01-01T00:00:00Z")
        .git(&world.repo, &["merge", "--quiet", "--no-ff", "-S", "-s", "ours", "-m", "merge", "side"]);
    world.repo.push();
    let source = every(&world, &ssh, Some(&trusted));
    let good = follow(&source, None).await.unwrap();
    assert_eq!(good.signers().len(), 1);

    // A commit that says it is from long ago, with the old ones as its parents, is new all the same.
    world.repo.git(&["checkout", "--quiet", "-b", "sneaked", &ids[0]]);
    Hand::unsigned().at("1970-01-02T00:00:00Z").plain_commit(&world.repo, "sneaked");
    let bad = world.repo.head();
    world.repo.git(&["checkout", "--quiet", "main"]);
    hand.git(&world.repo, &["merge", "--quiet", "--no-ff", "-S", "-s", "ours", "-m", "merge", "sneaked"]);
    world.repo.push();
    for in_force in [None, Some(&good)] {
        let told = refusal_after(&source, in_force).await;
        assert!(told.contains(&bad), "{told}");
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_trusted_commit_must_be_in_the_history() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    hand.commit(&world.repo, "1");
    let elsewhere = "1234567890123456789012345678901234567890";
    let told = refusal(&every(&world, &ssh, Some(elsewhere))).await;
    assert!(told.contains(elsewhere) && told.contains("trusted from the start"), "{told}");
    // Nor is an object of another kind a commit.
    let tree = world.repo.git(&["rev-parse", "HEAD^{tree}"]);
    let told = refusal(&every(&world, &ssh, Some(&tree))).await;
    assert!(told.contains(&tree), "{told}");
    assert!(
        Verification::new(VerifyMode::Head, allowed(&ssh.allowed(&["ada"])))
            .with_trusted_since("main")
            .is_err()
    );
    // A commit that Git would not write, below a good one.
    let raw = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
    let strange = write_object(&world.repo.work(), "commit", raw.replace("author ", "autor ").as_bytes());
    let tree = world.repo.git(&["rev-parse", "HEAD^{tree}"]);
    let top = hand.git(&world.repo, &["commit-tree", "-S", "-p", &strange, "-m", "top", &tree]);
    world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{top}:refs/heads/main")]);
    let told = refusal(&every(&world, &ssh, None)).await;
    assert!(told.contains(&strange) && told.contains("not as Git writes it"), "{told}");
}
