//! An edit that is made again after a lost race, beside a cherry-pick of what it made before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gitops_core::{Backoff, Class, Fault, RepoPath};
use gitops_git::write::{CommitRequest, Edit, Files, GitWriter, SetImage, Target};

use crate::common::dice::{Dice, seeds};
use crate::common::{cx, git};
use crate::hand::Hand;
use crate::scene::{on_main, written};
use crate::world::World;

/// No value of a world is this.
const TAG: &str = "9";

/// An edit during which somebody else is faster, once.
struct Raced<F> {
    edit: SetImage,
    push: F,
    has_pushed: AtomicBool,
}

impl<F: Fn() + Send + Sync> Edit for Raced<F> {
    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        let done = self.edit.apply(files);
        if !self.has_pushed.swap(true, Ordering::Relaxed) {
            (self.push)();
        }
        done
    }
}

/// What came of a race.
#[derive(Debug, Default)]
struct Seen {
    same: usize,
    /// Git has conflicts, and the edit is made where the value is now.
    beyond: usize,
    /// There is no such value any more.
    gone: usize,
}

async fn one_race(
    world: &World,
    hand: &Hand,
    writer: &GitWriter,
    dice: &mut Dice,
    nth: usize,
    seen: &mut Seen,
) {
    let Some((base, tip, file)) = world.pick_race(dice) else { return };
    let place = format!("seed {}: {base} {tip} f{file}", world.seed);
    let edit = || {
        let (policy, image) = (format!("world:f{file}"), format!("web:{TAG}"));
        SetImage::new(RepoPath::root(), policy.parse().unwrap(), image.parse().unwrap())
    };
    // What it makes where nobody is faster, which is what a person would have committed.
    world.git(&["update-ref", "refs/heads/main", base]);
    let alone = CommitRequest::new(Target::new_branch(format!("alone/{nth}"), "main"));
    let alone = written(writer.commit(&cx(), &alone, edit()).await).commit.id;
    let theirs = hand.cherry_pick(tip, &alone);

    let (repo, faster) = (world.bare(), tip.to_owned());
    let push = move || drop(git(&repo, &["update-ref", "refs/heads/main", &faster]));
    let raced = Raced { edit: edit(), push, has_pushed: AtomicBool::new(false) };
    let ours = writer.commit(&cx(), &on_main(), raced).await;
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(world.git(&["rev-parse", "main^"]), tip, "{place}");
            assert_eq!(world.tree_of(ours), theirs, "{place}");
            seen.same += 1;
        }
        // A line beside it, or the value itself, was changed.
        (Ok(ours), Err(conflicts)) => {
            let ours = written(Ok(ours));
            assert_eq!(ours.parent.id, tip, "{place}");
            assert_eq!(conflicts.len(), 1, "{place}: {conflicts:?}");
            let changed = world.git(&["diff", "--numstat", "--no-renames", tip, &ours.commit.id]);
            assert_eq!(changed, format!("1\t1\t{}", conflicts[0]), "{place}");
            let line = format!(": \"{TAG}\" # {{\"$imagepolicy\": \"world:f{file}:tag\"}}");
            let made = world.git(&["show", &format!("main:{}", conflicts[0])]);
            assert!(made.contains(&line), "{place}: {made}");
            seen.beyond += 1;
        }
        (Err(fault), theirs) => {
            let conflicts = theirs.expect_err(&place);
            assert_eq!(world.git(&["rev-parse", "main"]), tip, "{place}");
            assert_eq!(fault.class, Class::NotFound, "{place}: {fault} {conflicts:?}");
            let there = world.git(&["ls-tree", "-r", "--name-only", tip]);
            assert!(!there.lines().any(|path| path.contains(&format!("f{file}-"))), "{place}: {there}");
            seen.gone += 1;
        }
    }
}

#[tokio::test]
async fn an_edit_made_again_is_what_a_cherry_pick_makes_of_it() {
    let mut seen = Seen::default();
    for seed in seeds("GITOPS_HISTORY", 12) {
        let world = World::new(seed);
        let mut backoff = Backoff::default();
        backoff.base = Duration::from_millis(1);
        let (writer, hand) = (world.writer().with_backoff(backoff), Hand::new(&world.bare()));
        let mut dice = Dice::new(seed ^ 0x9ace);
        for nth in 0..2 {
            one_race(&world, &hand, &writer, &mut dice, nth, &mut seen).await;
        }
        world.git(&["fsck", "--strict", "--no-dangling"]);
    }
    assert!(seen.same > 0 && seen.beyond + seen.gone > 0, "{seen:?}");
    println!("{seen:?}");
}
