//! Random histories: what Git is given, and what is known of it without Git.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use gitops_core::Revision;
use gitops_git::{GitSource, History, HistoryOptions};

use crate::common::dice::Dice;
use crate::common::repo::{git, git_with};
use crate::common::{cx, local};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum File {
    /// An object with two fields.
    Object { name: String, a: usize, b: Option<usize> },
    /// No YAML.
    Broken(usize),
}

impl File {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Object { name, a, b } => {
                let b = b.map_or(String::new(), |b| format!("  b: v{b}\n"));
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: v{a}\n{b}")
            }
            Self::Broken(n) => format!("kind: [{n}\n"),
        }
    }
}

/// Whether a file is one of manifests, below the directory that is asked about.
pub(crate) fn is_manifest(path: &str) -> bool {
    path.starts_with("apps/") && path.rsplit_once('.').is_some_and(|(_, end)| end == "yaml")
}

pub(crate) type Tree = BTreeMap<String, (File, bool)>;

#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) parents: Vec<usize>,
    pub(crate) tree: Tree,
    pub(crate) date: i64,
}

/// A history, and the repository that has it.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) commits: Vec<Commit>,
    /// The ids of the commits.
    pub(crate) ids: Vec<String>,
    dir: tempfile::TempDir,
    source: GitSource,
}

const FILES: [&str; 9] = [
    "apps/shop/web.yaml",
    "apps/shop/db.yaml",
    "apps/shop/jobs/nightly.yaml",
    "apps/blog/web.yaml",
    "apps/blog",
    "apps/shopping.yaml",
    "clusters/a.yaml",
    "readme",
    "apps/shop/jobs",
];

pub(crate) const PATHS: [&str; 8] = [
    "apps",
    "apps/shop",
    "apps/shop/web.yaml",
    "apps/blog",
    "apps/shop/jobs",
    "clusters",
    "nowhere/at/all",
    "apps/shop/jobs/nightly.yaml",
];

/// Puts a file somewhere, in the place of what cannot be beside it.
fn put(tree: &mut Tree, path: &str, file: File, executable: bool) {
    let is_beside =
        |other: &str| !other.starts_with(&format!("{path}/")) && !path.starts_with(&format!("{other}/"));
    // An object is in one file only.
    let name = |file: &File| match file {
        File::Object { name, .. } => Some(name.clone()),
        File::Broken(_) => None,
    };
    let own = name(&file);
    tree.retain(|other, (there, _)| is_beside(other) && (own.is_none() || name(there) != own));
    tree.insert(path.to_owned(), (file, executable));
}

/// How histories are made.
#[derive(Clone, Copy)]
pub(crate) struct Sort {
    /// Some files are no YAML.
    pub(crate) broken: bool,
    /// Clocks may be wrong.
    pub(crate) skew: bool,
    pub(crate) most: usize,
}

impl World {
    pub(crate) fn new(seed: u64, sort: Sort) -> Self {
        let mut dice = Dice::new(seed);
        let count = 3 + dice.below(sort.most);
        let mut commits: Vec<Commit> = Vec::new();
        let mut tips: Vec<usize> = Vec::new();
        let mut now = 1_700_000_000;
        for at in 0..count {
            let commit = next(&mut dice, &commits, &tips, &mut now, sort);
            // A branch goes on, a new one begins, and sometimes one is forced to something else.
            match commit.parents.first().and_then(|first| tips.iter().position(|tip| tip == first)) {
                Some(branch) if !dice.chance(5) => tips[branch] = at,
                _ if tips.len() >= 4 => tips[at % 4] = at,
                _ => tips.push(at),
            }
            commits.push(commit);
        }
        Self::of(seed, commits)
    }

    /// Gives commits to Git.
    pub(crate) fn of(seed: u64, commits: Vec<Commit>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "repo.git"]);
        let bare = dir.path().join("repo.git");
        git_with(&bare, &["fast-import", "--quiet", "--export-marks=marks"], stream(&commits).as_bytes());
        let marks = std::fs::read_to_string(bare.join("marks")).unwrap();
        let mut ids = vec![String::new(); commits.len()];
        for line in marks.lines() {
            let (mark, id) = line.strip_prefix(':').unwrap().split_once(' ').unwrap();
            id.clone_into(&mut ids[mark.parse::<usize>().unwrap() - 1]);
        }
        let source = local(&bare, &dir.path().join("mirrors")).build().unwrap();
        Self { seed, commits, ids, dir, source }
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.dir.path().join("repo.git")
    }

    pub(crate) fn source(&self) -> &GitSource {
        &self.source
    }

    pub(crate) fn revision(&self, commit: usize) -> Revision {
        Revision::new(&self.ids[commit])
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.bare(), args)
    }

    pub(crate) async fn history(&self, commit: usize, options: HistoryOptions) -> Vec<gitops_git::Commit> {
        let history = self.source.history(&cx(), &self.revision(commit), options).await;
        all(&mut history.unwrap_or_else(|fault| panic!("seed {}: {fault}", self.seed))).await
    }
}

/// Everything that a history has.
pub(crate) async fn all(history: &mut History) -> Vec<gitops_git::Commit> {
    let mut commits = Vec::new();
    while let Some(commit) = history.next(&cx()).await.unwrap() {
        commits.push(commit);
    }
    commits
}

fn next(dice: &mut Dice, commits: &[Commit], tips: &[usize], now: &mut i64, sort: Sort) -> Commit {
    *now += i64::try_from(dice.below(4)).unwrap() * 100;
    let skew = i64::try_from(dice.below(4000)).unwrap() - 2000;
    let date = if sort.skew && dice.chance(6) { *now + skew } else { *now };
    if tips.is_empty() || dice.chance(18) {
        // Another beginning.
        let mut tree = Tree::new();
        for _ in 0..dice.below(8) {
            change(dice, &mut tree, sort);
        }
        return Commit { parents: Vec::new(), tree, date };
    }
    let tip = *dice.pick(tips);
    let mut parents = vec![tip];
    if dice.chance(3) {
        for _ in 0..=usize::from(dice.chance(5)) {
            // Mostly another branch; sometimes anything, an ancestor too.
            let other = if dice.chance(5) { dice.below(commits.len()) } else { *dice.pick(tips) };
            if !parents.contains(&other) {
                parents.push(other);
            }
        }
    }
    let mut tree = commits[tip].tree.clone();
    if parents.len() > 1 {
        tree = merged(dice, commits, &parents, sort);
    } else {
        match dice.below(12) {
            // Nothing changes.
            0 => {}
            // All is as it was once.
            1 => tree = dice.pick(commits).tree.clone(),
            2 => rename(dice, &mut tree),
            _ => {
                for _ in 0..=dice.below(2) {
                    change(dice, &mut tree, sort);
                }
            }
        }
    }
    Commit { parents, tree, date }
}

/// A merge: one side as it is, each file from some side, or something that no side has.
fn merged(dice: &mut Dice, commits: &[Commit], parents: &[usize], sort: Sort) -> Tree {
    let mut tree = commits[*dice.pick(parents)].tree.clone();
    if dice.chance(2) {
        for parent in parents {
            for (path, (file, executable)) in &commits[*parent].tree {
                if dice.chance(2) {
                    put(&mut tree, path, file.clone(), *executable);
                }
            }
        }
    }
    if dice.chance(5) {
        change(dice, &mut tree, sort);
    }
    tree
}

fn change(dice: &mut Dice, tree: &mut Tree, sort: Sort) {
    let path = *dice.pick(&FILES);
    match dice.below(10) {
        0 => drop(tree.remove(path)),
        1 => {
            if let Some((_, executable)) = tree.get_mut(path) {
                *executable = !*executable;
            }
        }
        2 if sort.broken => put(tree, path, File::Broken(dice.below(2)), false),
        _ => {
            // Of few values, so that they come back.
            let name = match tree.get(path) {
                Some((File::Object { name, .. }, _)) => name.clone(),
                _ => path.replace(['/', '.'], "-"),
            };
            let b = (!dice.chance(3)).then(|| dice.below(3));
            let a = dice.below(3);
            put(tree, path, File::Object { name, a, b }, false);
        }
    }
}

fn rename(dice: &mut Dice, tree: &mut Tree) {
    let names: Vec<String> = tree.keys().cloned().collect();
    if let Some(from) = (!names.is_empty()).then(|| dice.pick(&names)) {
        let (file, executable) = tree.remove(from).unwrap();
        let to = *dice.pick(&FILES);
        put(tree, to, file, executable);
    }
}

/// The history as `git fast-import` reads it.
fn stream(commits: &[Commit]) -> String {
    let mut text = String::new();
    for (at, commit) in commits.iter().enumerate() {
        let message = format!("commit {at}\n");
        // Without this, a commit without parents would follow the one before.
        text.push_str("reset refs/heads/main\n\n");
        writeln!(text, "commit refs/heads/main\nmark :{}", at + 1).unwrap();
        writeln!(text, "author Ada <ada@example.org> {} +0100", commit.date - 7).unwrap();
        writeln!(text, "committer Ben <ben@example.org> {} +0000", commit.date).unwrap();
        writeln!(text, "data {}\n{message}", message.len()).unwrap();
        for (nth, parent) in commit.parents.iter().enumerate() {
            writeln!(text, "{} :{}", if nth == 0 { "from" } else { "merge" }, parent + 1).unwrap();
        }
        text.push_str("deleteall\n");
        for (path, (file, executable)) in &commit.tree {
            let content = file.text();
            let mode = if *executable { "100755" } else { "100644" };
            writeln!(text, "M {mode} inline {path}\ndata {}\n{content}", content.len()).unwrap();
        }
        text.push('\n');
    }
    text
}
