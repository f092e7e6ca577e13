//! History is what `git log` prints.

use gitops_core::{RepoPath, Timestamp};
use gitops_git::HistoryOptions;

use crate::common::dice::Dice;
use crate::common::path;
use crate::seeds;
use crate::world::{Commit, File, PATHS, Sort, Tree, World};

/// One question to both.
#[derive(Debug, Clone)]
struct Question {
    to: usize,
    from: Option<usize>,
    since: Option<i64>,
    until: Option<i64>,
    first_parent: bool,
    paths: Vec<&'static str>,
}

impl Question {
    /// About the last commit, or another one.
    fn random(dice: &mut Dice, world: &World, other: usize) -> Self {
        let some = |dice: &mut Dice| dice.below(world.commits.len());
        let last = world.commits.len() - 1;
        let time = |dice: &mut Dice| {
            let at = some(dice);
            world.commits[at].date + i64::try_from(dice.below(3)).unwrap() - 1
        };
        Self {
            to: if dice.chance(3) { other } else { last },
            from: dice.chance(3).then(|| some(dice)),
            since: dice.chance(4).then(|| time(dice)),
            until: dice.chance(4).then(|| time(dice)),
            first_parent: dice.chance(3),
            paths: (0..[0, 1, 1, 1, 2, 3][dice.below(6)]).map(|_| *dice.pick(&PATHS)).collect(),
        }
    }

    fn options(&self, world: &World) -> HistoryOptions {
        let time = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let mut options = HistoryOptions::new().with_first_parent(self.first_parent);
        for text in &self.paths {
            options = options.with_path(path(text));
        }
        if let Some(from) = self.from {
            options = options.with_from(&world.ids[from]);
        }
        if let Some(since) = self.since {
            options = options.with_since(time(since));
        }
        if let Some(until) = self.until {
            options = options.with_until(time(until));
        }
        options
    }

    fn git(&self, world: &World) -> Vec<String> {
        let to = &world.ids[self.to];
        let range = self.from.map_or_else(|| to.clone(), |from| format!("{}..{to}", world.ids[from]));
        let since = self.since.map(|since| format!("--max-age={since}"));
        let until = self.until.map(|until| format!("--min-age={until}"));
        let mut args = vec!["--literal-pathspecs", "log", "--format=%H"];
        args.extend(self.first_parent.then_some("--first-parent"));
        args.extend(since.as_deref());
        args.extend(until.as_deref());
        args.extend([&*range, "--"]);
        args.extend(&self.paths);
        world.git(&args).lines().map(str::to_owned).collect()
    }
}

fn names(world: &World, ids: &[String]) -> Vec<usize> {
    ids.iter().map(|id| world.ids.iter().position(|known| known == id).unwrap()).collect()
}

async fn agree(world: &World, question: &Question) -> usize {
    let ours = world.history(question.to, question.options(world)).await;
    let ours: Vec<String> = ours.into_iter().map(|commit| commit.id).collect();
    let git = question.git(world);
    let parents: Vec<_> = world.commits.iter().enumerate().map(|(at, c)| (at, &c.parents, c.date)).collect();
    assert_eq!(
        names(world, &ours),
        names(world, &git),
        "ours, Git's; GITOPS_HISTORY_SEED={} {question:?}\n{parents:?}",
        world.seed
    );
    git.len()
}

#[tokio::test]
async fn history_is_that_of_git_log() {
    let (mut shown, mut asked) = (0, 0);
    let seeds = seeds(40);
    println!("seeds {seeds:?}");
    for seed in seeds {
        let world = World::new(seed, Sort { broken: seed % 3 == 0, skew: seed % 2 == 0, most: 40 });
        let mut dice = Dice::new(seed ^ 0xabcd);
        let (last, other) = (world.commits.len() - 1, dice.below(world.commits.len()));
        // What people ask.
        for first_parent in [false, true] {
            for paths in [vec![], vec!["apps"], vec!["apps/shop/web.yaml"], vec!["apps/blog", "clusters"]] {
                let question =
                    Question { to: last, from: None, since: None, until: None, first_parent, paths };
                shown += agree(&world, &question).await;
            }
        }
        for _ in 0..8 {
            shown += agree(&world, &Question::random(&mut dice, &world, other)).await;
        }
        asked += 16;
    }
    println!("{asked} questions, {shown} commits");
    assert!(shown > asked, "the histories are empty: {shown} commits in {asked} answers");
}

#[tokio::test]
async fn commits_far_from_each_other_in_time() {
    // Longer histories with skew in which Git's few more steps at the end of an exclusion decide.
    for seed in seeds(30).map(|seed| seed + 50_000) {
        let world = World::new(seed, Sort { broken: false, skew: true, most: 150 });
        let mut dice = Dice::new(seed);
        let other = dice.below(world.commits.len());
        for _ in 0..20 {
            let mut question = Question::random(&mut dice, &world, other);
            question.from = Some(dice.below(world.commits.len()));
            agree(&world, &question).await;
        }
    }
}

/// A line of commits that all is about; and beside it, excluded, some commits of a clock that was wrong, which lead into
/// the middle of it. How many of them there are decides whether Git sees that.
#[tokio::test]
async fn a_wrong_clock_behind_an_exclusion() {
    const LINE: usize = 6;
    let mut shown = std::collections::BTreeSet::new();
    for wrong in 1..10 {
        for date in [500, 1000, 1001, 1003] {
            let mut dice = Dice::new(3);
            let line = (0..LINE).map(|at: usize| (at.checked_sub(1), 1000 + i64::try_from(at).unwrap()));
            let beside = (0..wrong).map(|at| (Some(if at == 0 { 3 } else { LINE + at - 1 }), date));
            let last = std::iter::once((Some(LINE + wrong - 1), 2000));
            let commits = line.chain(beside).chain(last).map(|(parent, date)| {
                let file = File::Object { name: "web".into(), a: dice.below(2), b: None };
                let tree = Tree::from([("apps/web.yaml".to_owned(), (file, false))]);
                Commit { parents: parent.into_iter().collect(), tree, date }
            });
            let world = World::of(u64::try_from(wrong).unwrap(), commits.collect());
            for paths in [vec![], vec!["apps"]] {
                let all = paths.is_empty();
                let (to, from) = (LINE - 1, Some(LINE + wrong));
                let question = Question { to, from, since: None, until: None, first_parent: false, paths };
                let count = agree(&world, &question).await;
                if all {
                    shown.insert(count);
                }
            }
        }
    }
    assert_eq!(shown.len(), 2, "Git is wrong about some of them: {shown:?}");
}

#[tokio::test]
async fn the_root_is_every_commit() {
    let world = World::new(7, Sort { broken: false, skew: false, most: 40 });
    let last = world.commits.len() - 1;
    let root = world.history(last, HistoryOptions::new().with_path(RepoPath::root())).await;
    assert_eq!(root, world.history(last, HistoryOptions::new()).await);
    assert_eq!(root.len(), world.git(&["rev-list", &world.ids[last]]).lines().count());
}
