//! Random histories of files that no two of are alike, so that which was renamed to which is certain.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use gitops_core::Revision;
use gitops_git::write::{GitWriter, Outcome};

use crate::common::dice::Dice;
use crate::common::local;
use crate::common::repo::{git, git_with};
use crate::scene::ada;

/// The lines of a file.
const LINES: usize = 24;

/// The one whose value is a tag, of the policy `world:f<number>`.
const MARKED: usize = 12;

const DIRS: [&str; 4] = ["", "apps/shop/", "apps/blog/", "clusters/"];

pub const PATHS: [&str; 5] = ["apps", "apps/shop", "apps/blog", "clusters", "nowhere/at/all"];

#[derive(Clone)]
struct File {
    /// What no other file has in its lines.
    number: usize,
    values: Vec<usize>,
    executable: bool,
}

impl File {
    fn text(&self) -> String {
        let mut text = String::new();
        for (at, value) in self.values.iter().enumerate() {
            let mark = (self.number * 31 + at).wrapping_mul(2_654_435_761) % 1_000_000_007;
            let number = self.number;
            write!(text, "key{number}-{mark}: {value}").unwrap();
            match at {
                MARKED => writeln!(text, " # {{\"$imagepolicy\": \"world:f{number}:tag\"}}").unwrap(),
                _ => text.push('\n'),
            }
        }
        text
    }
}

type Tree = BTreeMap<String, File>;

struct Commit {
    parents: Vec<usize>,
    tree: Tree,
}

/// A history, and the repository that has it.
pub struct World {
    pub seed: u64,
    commits: Vec<Commit>,
    ids: Vec<String>,
    dir: tempfile::TempDir,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut commits: Vec<Commit> = Vec::new();
        let (mut tips, mut files) = (vec![0], 0);
        let mut tree = Tree::new();
        for _ in 0..6 {
            add(&mut dice, &mut tree, &mut files);
        }
        commits.push(Commit { parents: Vec::new(), tree });
        for at in 1..6 + dice.below(20) {
            let branch = dice.below(tips.len());
            let tip = tips[branch];
            let mut commit = Commit { parents: vec![tip], tree: commits[tip].tree.clone() };
            let other = *dice.pick(&tips);
            if dice.chance(4) && other != tip {
                commit.parents.push(other);
                for (path, file) in &commits[other].tree {
                    if dice.chance(2) {
                        // A file has one place only.
                        commit.tree.retain(|_, there| there.number != file.number);
                        commit.tree.insert(path.clone(), file.clone());
                    }
                }
            }
            for _ in 0..=dice.below(2) {
                change(&mut dice, &mut commit.tree, &mut files);
            }
            commits.push(commit);
            if dice.chance(5) && tips.len() < 3 { tips.push(at) } else { tips[branch] = at }
        }
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
        Self { seed, commits, ids, dir }
    }

    pub fn bare(&self) -> PathBuf {
        self.dir.path().join("repo.git")
    }

    pub fn writer(&self) -> GitWriter {
        local(&self.bare(), &self.dir.path().join("mirrors")).build().unwrap().writer(ada())
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(&self.bare(), args)
    }

    /// What ours made, or left.
    pub fn tree_of(&self, outcome: Outcome) -> String {
        let at = match outcome {
            Outcome::Written(written) => written.commit.id,
            Outcome::Unchanged { tip } => tip.id,
            other => panic!("{other:?}"),
        };
        self.git(&["rev-parse", &format!("{at}^{{tree}}")])
    }

    /// A commit with files, one some steps after it, and the number of a file that the first one has.
    pub fn pick_race(&self, dice: &mut Dice) -> Option<(&str, &str, usize)> {
        let tip = dice.below(self.commits.len());
        let mut base = tip;
        for _ in 0..=dice.below(3) {
            base = self.commits[base].parents.first().copied().unwrap_or(base);
        }
        let files: Vec<_> = self.commits[base].tree.values().map(|file| file.number).collect();
        let is_race = base != tip && !files.is_empty();
        is_race.then(|| (&*self.ids[base], &*self.ids[tip], *dice.pick(&files)))
    }

    /// Some commit, and how many parents it has.
    pub fn pick(&self, dice: &mut Dice) -> (Revision, usize) {
        let at = dice.below(self.ids.len());
        (Revision::new(&self.ids[at]), self.commits[at].parents.len())
    }
}

fn place(dice: &mut Dice, number: usize) -> String {
    format!("{}f{number}-{}.yaml", dice.pick(&DIRS), dice.below(1000))
}

fn add(dice: &mut Dice, tree: &mut Tree, files: &mut usize) {
    *files += 1;
    let values = (0..LINES).map(|_| dice.below(3)).collect();
    tree.insert(place(dice, *files), File { number: *files, values, executable: dice.chance(8) });
}

fn change(dice: &mut Dice, tree: &mut Tree, files: &mut usize) {
    let names: Vec<String> = tree.keys().cloned().collect();
    if names.is_empty() || dice.chance(8) {
        return add(dice, tree, files);
    }
    let name = dice.pick(&names);
    match dice.below(8) {
        0 => drop(tree.remove(name)),
        1 | 2 => {
            let mut file = tree.remove(name).unwrap();
            if dice.chance(2) {
                file.values[dice.below(LINES)] += 1;
            }
            let to = place(dice, file.number);
            tree.insert(to, file);
        }
        3 => {
            let file = tree.get_mut(name).unwrap();
            file.executable = !file.executable;
        }
        _ => {
            // Of few values, so that they come back.
            let at = dice.below(LINES);
            tree.get_mut(name).unwrap().values[at] = dice.below(4);
        }
    }
}

/// The history as `git fast-import` reads it.
fn stream(commits: &[Commit]) -> String {
    let mut text = String::new();
    for (at, commit) in commits.iter().enumerate() {
        let (mark, time, message) = (at + 1, 1_700_000_000 + at * 60, format!("commit {at}\n"));
        text.push_str("reset refs/heads/main\n\n");
        writeln!(text, "commit refs/heads/main\nmark :{mark}").unwrap();
        writeln!(text, "committer Ben <ben@example.org> {time} +0000").unwrap();
        writeln!(text, "data {}\n{message}", message.len()).unwrap();
        for (nth, parent) in commit.parents.iter().enumerate() {
            writeln!(text, "{} :{}", if nth == 0 { "from" } else { "merge" }, parent + 1).unwrap();
        }
        text.push_str("deleteall\n");
        for (path, file) in &commit.tree {
            let content = file.text();
            let mode = if file.executable { "100755" } else { "100644" };
            writeln!(text, "M {mode} inline {path}\ndata {}\n{content}", content.len()).unwrap();
        }
        text.push('\n');
    }
    text
}
