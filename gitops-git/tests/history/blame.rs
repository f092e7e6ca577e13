//! Blame agrees with its definition, worked out the slow way, and with `git blame`.

use gitops_core::ResourceId;
use gitops_core::diff::FieldPath;
use gitops_git::BlameOptions;

use crate::common::dice::Dice;
use crate::common::{cx, path};
use crate::seeds;
use crate::world::{Commit, File, Sort, Tree, World, is_manifest};

const NAMES: [&str; 4] =
    ["apps-shop-web-yaml", "apps-shop-db-yaml", "apps-blog-web-yaml", "apps-shopping-yaml"];

fn id(name: &str) -> ResourceId {
    ResourceId::global("", "ConfigMap", name)
}

/// What a tree has of a field in files that the other does not have with the same content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Has {
    Known(Option<String>),
    Unknown,
}

fn has(tree: &Tree, other: Option<&Tree>, name: &str, field: &str) -> (bool, Has) {
    let (mut broken, mut found) = (false, None);
    for (path, file) in tree.iter().filter(|(path, _)| is_manifest(path)) {
        if other.is_some_and(|other| other.get(path) == Some(file)) {
            continue;
        }
        match &file.0 {
            File::Broken(_) => broken = true,
            File::Object { name: own, a, b } if own == name => {
                let value = match field {
                    ".data.a" => Some(format!("v{a}")),
                    ".data.b" => b.map(|b| format!("v{b}")),
                    _ => Some(file.0.text()),
                };
                found = Some(value);
            }
            File::Object { .. } => {}
        }
    }
    match found {
        Some(value) => (true, Has::Known(value)),
        None if broken => (false, Has::Unknown),
        None => (false, Has::Known(None)),
    }
}

/// Whether a commit has the same value as one that it follows, by the definition.
pub(crate) fn same(commits: &[Commit], parent: usize, commit: usize, name: &str, field: &str) -> bool {
    let mut parent = parent;
    loop {
        let (old, new) = (&commits[parent].tree, &commits[commit].tree);
        match (has(old, Some(new), name, field).1, has(new, Some(old), name, field).1) {
            (_, Has::Unknown) => return true,
            (Has::Unknown, new) => match commits[parent].parents.first() {
                Some(before) => parent = *before,
                None => return new == Has::Known(None),
            },
            (old, new) => return old == new,
        }
    }
}

pub(crate) fn absent(commits: &[Commit], commit: usize, name: &str, field: &str) -> bool {
    matches!(has(&commits[commit].tree, None, name, field).1, Has::Unknown | Has::Known(None))
}

/// The commit that set a field, by the definition.
fn model(commits: &[Commit], mut at: usize, name: &str, field: &str, first_parent: bool) -> Option<usize> {
    loop {
        let parents = &commits[at].parents;
        if parents.is_empty() {
            return (!absent(commits, at, name, field)).then_some(at);
        }
        let most = if first_parent { 1 } else { usize::MAX };
        match parents.iter().take(most).find(|parent| same(commits, **parent, at, name, field)) {
            Some(parent) => at = *parent,
            None => return Some(at),
        }
    }
}

#[tokio::test]
async fn blame_is_as_it_is_defined() {
    let (mut found, mut never, mut merges) = (0, 0, 0);
    let seeds = seeds(40);
    println!("seeds {seeds:?}");
    let count = usize::try_from(seeds.end - seeds.start).unwrap();
    for seed in seeds {
        let world = World::new(seed, Sort { broken: seed % 3 == 0, skew: seed % 2 == 0, most: 40 });
        let mut dice = Dice::new(seed ^ 0x31);
        let other = dice.below(world.commits.len());
        for _ in 0..10 {
            let at = if dice.chance(3) { other } else { world.commits.len() - 1 };
            let (name, field) = (*dice.pick(&NAMES), *dice.pick(&[".data.a", ".data.b", "."]));
            let first_parent = dice.chance(3);
            let options = BlameOptions::new().with_first_parent(first_parent);
            let path_of: FieldPath = field.parse().unwrap();
            let blame = world
                .source()
                .blame(&cx(), &world.revision(at), &path("apps"), &id(name), &path_of, options)
                .await
                .unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
            let ours =
                blame.as_ref().map(|blame| world.ids.iter().position(|id| *id == blame.commit.id).unwrap());
            let wanted = model(&world.commits, at, name, field, first_parent);
            let context = format!("GITOPS_HISTORY_SEED={seed} {at} {name} {field} {first_parent}");
            assert_eq!(ours, wanted, "{context}");
            if let (Some(blame), Some(commit)) = (blame, wanted) {
                let tree = &world.commits[commit].tree;
                if let Has::Known(value) = has(tree, None, name, field).1
                    && field != "."
                {
                    let shown = blame.value().map(|value| value.as_str().unwrap().to_owned());
                    assert_eq!(shown, value, "{context}");
                }
                found += 1;
                merges += usize::from(world.commits[commit].parents.len() > 1);
            } else {
                never += 1;
            }
        }
    }
    println!("{found} found, {merges} of them merges, {never} never there");
    // One seed alone may have less of something.
    assert!(count < 20 || (found > 3 * count && merges > count / 4 && never > 0), "{found} {merges} {never}");
}

/// The line on which a field is.
fn line(file: &File, field: &str) -> Option<usize> {
    file.text().lines().position(|line| line.starts_with(&format!("  {}:", &field[6..]))).map(|at| at + 1)
}

fn git_blame(world: &World, at: usize, line: usize, first_parent: bool) -> String {
    let range = format!("-L{line},{line}");
    let mut args = vec!["blame", "--porcelain", &range];
    args.extend(first_parent.then_some("--first-parent"));
    args.extend([&*world.ids[at], "--", "apps/web.yaml"]);
    world.git(&args).split(' ').next().unwrap().to_owned()
}

async fn agree(world: &World, at: usize, first_parent: bool) -> usize {
    let mut asked = 0;
    let Some((file, _)) = world.commits[at].tree.get("apps/web.yaml") else { return 0 };
    for field in [".data.a", ".data.b"] {
        let Some(line) = line(file, field) else { continue };
        let options = BlameOptions::new().with_first_parent(first_parent);
        let blame = world
            .source()
            .blame(&cx(), &world.revision(at), &path("apps"), &id("web"), &field.parse().unwrap(), options)
            .await
            .unwrap()
            .unwrap();
        let git = git_blame(world, at, line, first_parent);
        assert_eq!(blame.commit.id, git, "GITOPS_HISTORY_SEED={} {at} {field}", world.seed);
        asked += 1;
    }
    asked
}

fn one_file(a: usize, b: Option<usize>) -> Tree {
    let file = File::Object { name: "web".into(), a, b };
    Tree::from([("apps/web.yaml".to_owned(), (file, false))])
}

/// One file, one line of commits; values come back.
#[tokio::test]
async fn blame_is_that_of_git_blame_on_a_line_of_commits() {
    let mut asked = 0;
    let seeds = seeds(60);
    let wanted = usize::try_from(seeds.end - seeds.start).unwrap();
    for seed in seeds {
        let mut dice = Dice::new(seed ^ 0x51);
        let commits = (0..25).map(|at: usize| {
            let b = (!dice.chance(4)).then(|| dice.below(3));
            let date = 1_700_000_000 + i64::try_from(dice.below(3000)).unwrap();
            Commit {
                parents: at.checked_sub(1).into_iter().collect(),
                tree: one_file(dice.below(3), b),
                date,
            }
        });
        let world = World::of(seed, commits.collect());
        for at in [24, 12, dice.below(25)] {
            asked += agree(&world, at, false).await;
        }
    }
    assert!(asked >= 2 * wanted, "{asked}");
}

/// One file, branches and merges; each value is set once.
#[tokio::test]
async fn blame_is_that_of_git_blame_with_merges() {
    let mut asked = 0;
    let seeds = seeds(60);
    let wanted = usize::try_from(seeds.end - seeds.start).unwrap();
    for seed in seeds {
        let mut dice = Dice::new(seed ^ 0x52);
        let mut commits: Vec<Commit> = Vec::new();
        let fields = |tree: &Tree| match &tree["apps/web.yaml"].0 {
            File::Object { a, b, .. } => (*a, b.unwrap()),
            File::Broken(_) => unreachable!(),
        };
        for at in 0..30_usize {
            let date = 1_700_000_000 + i64::try_from(at).unwrap();
            let Some(first) = at.checked_sub(1 + dice.below(at.min(3) + 1)) else {
                let parents: Vec<usize> = at.checked_sub(1).into_iter().collect();
                commits.push(Commit { parents, tree: one_file(at, Some(at)), date });
                continue;
            };
            let (mut a, mut b) = fields(&commits[first].tree);
            let mut parents = vec![first];
            if dice.chance(3) {
                let other = dice.below(at);
                if other != first {
                    parents.push(other);
                    let (c, d) = fields(&commits[other].tree);
                    (a, b) = if dice.chance(2) { (c, b) } else { (a, d) };
                }
            } else if dice.chance(2) {
                a = at;
            } else {
                b = at;
            }
            commits.push(Commit { parents, tree: one_file(a, Some(b)), date });
        }
        let world = World::of(seed, commits);
        for at in [29, 20] {
            for first_parent in [false, true] {
                asked += agree(&world, at, first_parent).await;
            }
        }
    }
    assert!(asked >= 2 * wanted, "{asked}");
}
