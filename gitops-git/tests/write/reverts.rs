//! Reverts and restores, beside what Git makes of them.

use std::path::Path;

use gitops_core::{Fault, Revision};
use gitops_git::GitError;
use gitops_git::write::{CommitRequest, GitWriter, Outcome, Revert, Target, WriteError};

use crate::common::dice::{Dice, seeds};
use crate::common::repo::git_bytes;
use crate::common::{Repo, cx, git, path};
use crate::hand::Hand;
use crate::scene::{ada, error, fsck, git_error, local, on_main, rev, show, written};
use crate::world::{PATHS, World};

fn on_branch(nth: usize) -> CommitRequest {
    CommitRequest::new(Target::new_branch(format!("made/{nth}"), "main"))
}

/// Holds what ours made of main beside what Git made of it: the same tree, or a conflict in the same file. Says whether it is a tree.
fn is_as_git_has_it(
    place: &str,
    world: &World,
    ours: Result<Outcome, Fault>,
    theirs: Result<String, Vec<String>>,
) -> bool {
    match theirs {
        Ok(theirs) => {
            let ours = ours.unwrap_or_else(|fault| panic!("{place}: {fault}"));
            let is_unchanged = theirs == world.git(&["rev-parse", "main^{tree}"]);
            assert_eq!(matches!(ours, Outcome::Unchanged { .. }), is_unchanged, "{place}");
            assert_eq!(world.tree_of(ours), theirs, "{place}");
            true
        }
        Err(theirs) => {
            let ours = ours.err().unwrap_or_else(|| panic!("{place}: Git has conflicts in {theirs:?}"));
            let WriteError::Conflict { paths, .. } = error::<()>(Err(ours)) else {
                panic!("{place}: {theirs:?}")
            };
            // Of a file that both sides renamed, Git names all places, and we the one that is there.
            assert!(
                !paths.is_empty() && paths.iter().all(|path| theirs.contains(path)),
                "{place}: {paths:?} {theirs:?}"
            );
            false
        }
    }
}

async fn one_revert(world: &World, hand: &Hand, writer: &GitWriter, dice: &mut Dice, nth: usize) -> bool {
    let (revision, parents) = world.pick(dice);
    let mut revert = Revert::commit(&revision).unwrap();
    let mut args = vec![revision.id.as_str()];
    let mainline = (1 + dice.below(parents.max(1))).to_string();
    if parents > 1 {
        let merge = error(writer.revert(&cx(), &on_branch(nth), &revert).await);
        assert!(matches!(merge, WriteError::CannotRevert { .. }), "{merge}");
        revert = revert.with_mainline(mainline.parse().unwrap());
        args.splice(0..0, ["-m", &mainline]);
    }
    let place = format!("seed {}: {args:?}", world.seed);
    let ours = writer.revert(&cx(), &on_branch(nth), &revert).await;
    is_as_git_has_it(&place, world, ours, hand.revert("main", &args))
}

/// The same of some commits without a merge, one after the other.
async fn one_range(world: &World, hand: &Hand, writer: &GitWriter, dice: &mut Dice, nth: usize) {
    let (newest, _) = world.pick(dice);
    let after = format!("{}~{}", newest.id, 1 + dice.below(4));
    let has = |args: &[&str]| git_bytes(&world.bare(), &[], args, b"").is_ok_and(|out| !out.is_empty());
    if !has(&["rev-parse", "--verify", "--quiet", &after])
        || has(&["rev-list", "--merges", &format!("{after}..{}", newest.id)])
    {
        return;
    }
    let after = Revision::new(world.git(&["rev-parse", &after]));
    let range = format!("{}..{}", after.id, newest.id);
    let ours = writer.revert(&cx(), &on_branch(nth), &Revert::range(&after, &newest).unwrap()).await;
    let place = format!("seed {}: {range}", world.seed);
    is_as_git_has_it(&place, world, ours, hand.revert("main", &[&range]));
}

/// What a commit changed at a path is undone as by a commit that changes nothing else back.
async fn one_revert_within(world: &World, hand: &Hand, writer: &GitWriter, dice: &mut Dice, nth: usize) {
    let (revision, parents) = world.pick(dice);
    let within = *dice.pick(&PATHS);
    if parents != 1 {
        return;
    }
    let place = format!("seed {}: {} {within}", world.seed, revision.id);
    let revert = Revert::commit(&revision).unwrap().within(path(within));
    let ours = writer.revert(&cx(), &on_branch(nth), &revert).await;
    let before = format!("{}^", revision.id);
    if world.git(&["diff", "--name-only", &before, &revision.id, "--", within]).is_empty() {
        let nothing = error(ours);
        assert!(matches!(nothing, WriteError::CannotRevert { .. }), "{place}: {nothing}");
        return;
    }
    let theirs = hand.cherry_pick("main", &hand.with(&revision.id, within, &before));
    is_as_git_has_it(&place, world, ours, theirs);
}

async fn one_restore(world: &World, hand: &Hand, writer: &GitWriter, dice: &mut Dice, nth: usize) {
    let (Revision { id, .. }, _) = world.pick(dice);
    let file = *dice.pick(&PATHS);
    let ours = writer.restore(&cx(), &on_branch(nth), &path(file), &Revision::new(&id)).await;
    if git_bytes(&world.bare(), &[], &["cat-file", "-e", &format!("{id}:{file}")], b"").is_err() {
        assert!(matches!(git_error(ours), GitError::PathNotFound { .. }));
        return;
    }
    let place = format!("seed {}: {id} {file}", world.seed);
    let ours = ours.unwrap_or_else(|fault| panic!("{place}: {fault}"));
    assert_eq!(Some(world.tree_of(ours)), hand.restore("main", &id, file), "{place}");
}

#[tokio::test]
async fn reverts_and_restores_are_what_git_makes_of_random_histories() {
    let (mut clean, mut conflicts) = (0, 0);
    for seed in seeds("GITOPS_HISTORY", 12) {
        let world = World::new(seed);
        let (writer, hand) = (world.writer(), Hand::new(&world.bare()));
        let mut dice = Dice::new(seed ^ 0x5eed);
        for nth in 0..4 {
            one_revert_within(&world, &hand, &writer, &mut dice, nth + 100).await;
            one_range(&world, &hand, &writer, &mut dice, nth + 200).await;
            if one_revert(&world, &hand, &writer, &mut dice, nth * 2).await {
                clean += 1;
            } else {
                conflicts += 1;
            }
            one_restore(&world, &hand, &writer, &mut dice, nth * 2 + 1).await;
        }
        world.git(&["fsck", "--strict", "--no-dangling"]);
    }
    assert!(clean > 0 && conflicts > 0, "{clean} clean, {conflicts} conflicts");
}

#[tokio::test]
async fn a_revert_says_what_git_says() {
    let repo = Repo::with(&[("a", "1\n")]);
    let second = repo.commit("Raise a\n\nBody", &[("a", "2\n")]);
    repo.commit("b", &[("b", "1\n")]);
    let done =
        local(&repo).revert(&cx(), &on_main(), &Revert::commit(&Revision::new(&second)).unwrap()).await;
    let done = written(done);
    repo.git(&["revert", "--no-edit", &second]);
    assert_eq!(repo.git(&["rev-parse", "HEAD^{tree}"]), rev(&repo, "main^{tree}"));
    let said = |dir: &Path, at: &str| git(dir, &["log", "-1", "--format=%B", at]);
    assert_eq!(said(&repo.bare(), &done.commit.id), said(&repo.work(), "HEAD"));

    // And of a merge.
    let repo = Repo::with(&[("a", "1\n")]);
    repo.git(&["checkout", "--quiet", "-b", "side"]);
    repo.commit("side", &[("b", "1\n")]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "side"]);
    repo.push();
    let merge = Revert::commit(&Revision::new(repo.head())).unwrap();
    let done = written(local(&repo).revert(&cx(), &on_main(), &merge.clone().with_mainline(1)).await);
    repo.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(said(&repo.bare(), &done.commit.id), said(&repo.work(), "HEAD"));
    let none = error(local(&repo).revert(&cx(), &on_main(), &merge.with_mainline(3)).await);
    assert!(matches!(none, WriteError::CannotRevert { .. }), "{none}");
}

#[tokio::test]
async fn a_range_is_one_commit() {
    let repo = Repo::with(&[("a", "1\n")]);
    let first = repo.head();
    for n in 2..5 {
        repo.commit(&format!("to {n}"), &[("a", &format!("{n}\n"))]);
    }
    let newest = repo.head();
    repo.commit("beside", &[("b", "1\n")]);
    let range = Revert::range(&Revision::new(&first), &Revision::new(&newest)).unwrap();
    let done = written(local(&repo).revert(&cx(), &on_main(), &range).await);
    assert_eq!(
        (rev(&repo, "main^"), show(&repo, "main:a"), show(&repo, "main:b")),
        (repo.head(), "1".into(), "1".into())
    );
    let message = git(&repo.bare(), &["log", "-1", "--format=%B", &done.commit.id]);
    assert!(message.starts_with("Revert 3 commits\n\nThis reverts commit "), "{message}");
    let order: Vec<_> =
        ["to 4", "to 3", "to 2"].iter().map(|subject| message.find(subject).unwrap()).collect();
    assert!(order.is_sorted(), "{message}");
    let empty = Revert::range(&Revision::new(&newest), &Revision::new(&first)).unwrap();
    let empty = error(local(&repo).revert(&cx(), &on_main(), &empty).await);
    assert!(matches!(empty, WriteError::CannotRevert { .. }), "{empty}");
    let one = Revert::range(&Revision::new(&newest), &Revision::new(&newest)).unwrap();
    let none = error(local(&repo).revert(&cx(), &on_main(), &one).await);
    assert!(matches!(none, WriteError::CannotRevert { .. }), "{none}");
    fsck(&repo);
}

#[tokio::test]
async fn of_a_range_what_it_changed_elsewhere_stays() {
    let repo = Repo::with(&[("apps/shop/a", "1\n"), ("apps/blog/a", "1\n")]);
    let first = repo.head();
    repo.commit("both", &[("apps/shop/a", "2\n"), ("apps/blog/a", "2\n")]);
    repo.commit("the blog", &[("apps/blog/a", "3\n")]);
    let newest = repo.commit("the shop", &[("apps/shop/b", "1\n")]);
    let range = Revert::range(&Revision::new(&first), &Revision::new(&newest)).unwrap();
    let done = written(local(&repo).revert(&cx(), &on_main(), &range.within(path("apps/shop"))).await);
    let changed: Vec<_> = done.changed.iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["M apps/shop/a", "D apps/shop/b"]);
    assert!(done.message.starts_with("Revert 2 commits\n\n"), "{}", done.message);
    assert!(!done.message.contains("the blog") && done.message.contains("Only what is in apps/shop"));
}

#[tokio::test]
async fn an_application_is_rolled_back_and_the_rest_stays() {
    let repo = Repo::with(&[("apps/shop/a.yaml", "1\n"), ("apps/blog/a.yaml", "1\n")]);
    let good = Revision::new(repo.head());
    repo.git(&["mv", "apps/shop/a.yaml", "apps/shop/renamed.yaml"]);
    repo.commit("broken", &[("apps/shop/b.yaml", "2\n"), ("apps/blog/a.yaml", "2\n")]);
    for shallow in [false, true] {
        let source = crate::common::local(&repo.bare(), &repo.root().join(format!("mirrors-{shallow}")));
        let source = if shallow { source.shallow() } else { source };
        let writer = source.build().unwrap().writer(ada());
        let target = Target::new_branch(format!("back-{shallow}"), "main");
        let done = writer.rollback_to(&cx(), &CommitRequest::new(target), &path("apps/shop"), &good).await;
        let done = written(done);
        let changed: Vec<_> = done.changed.iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["A apps/shop/a.yaml", "D apps/shop/b.yaml", "D apps/shop/renamed.yaml"]);
        assert_eq!(
            rev(&repo, &format!("{}:apps/shop", done.commit.id)),
            rev(&repo, &format!("{}:apps/shop", good.id))
        );
        assert_eq!(show(&repo, &format!("{}:apps/blog/a.yaml", done.commit.id)), "2");
        let message = git(&repo.bare(), &["log", "-1", "--format=%s", &done.commit.id]);
        assert_eq!(message, format!("Roll back apps/shop to {}", &good.id[..7]));
    }
    fsck(&repo);
}

#[tokio::test]
async fn what_was_forced_away_is_sent_again() {
    let repo = Repo::with(&[("a", "1\n")]);
    let first = repo.head();
    let gone = repo.commit("gone", &[("a", "lost\n")]);
    let writer = local(&repo);
    // The mirror has it.
    let branch = |n: u32| CommitRequest::new(Target::new_branch(format!("b{n}"), "main"));
    written(writer.commit(&cx(), &branch(1), crate::scene::put("x", "y")).await);
    repo.git(&["reset", "--quiet", "--hard", &first]);
    repo.push();
    for branch in git(&repo.bare(), &["for-each-ref", "--format=%(refname)", "refs/heads/b*"]).lines() {
        git(&repo.bare(), &["update-ref", "-d", branch]);
    }
    git(&repo.bare(), &["reflog", "expire", "--expire=now", "--all"]);
    git(&repo.bare(), &["gc", "--quiet", "--prune=now"]);
    assert!(git_bytes(&repo.bare(), &[], &["cat-file", "-e", &gone], b"").is_err());
    written(writer.restore(&cx(), &on_main(), &path("a"), &Revision::new(&gone)).await);
    assert_eq!(show(&repo, "main:a"), "lost");
    fsck(&repo);
}

#[tokio::test]
async fn whether_a_commit_landed_can_be_asked_later() {
    let repo = Repo::with(&[("a", "1\n")]);
    let writer = local(&repo);
    let done = written(writer.commit(&cx(), &on_main(), crate::scene::put("a", "2\n")).await);
    assert!(writer.has_landed(&cx(), "main", &done.commit).await.unwrap());
    repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    repo.commit("after", &[("b", "1\n")]);
    assert!(writer.has_landed(&cx(), "main", &done.commit).await.unwrap());
    let rehearsed = written(writer.commit(&cx(), &on_main().dry_run(), crate::scene::put("a", "3\n")).await);
    assert!(!writer.has_landed(&cx(), "main", &rehearsed.commit).await.unwrap());
    assert!(!writer.has_landed(&cx(), "none", &done.commit).await.unwrap());
}
