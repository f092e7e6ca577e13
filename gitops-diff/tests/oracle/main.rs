//! Compares the engines with the reference implementations on random objects.
//!
//! ```text
//! GITOPS_ORACLE=$(hack/oracle/build) cargo test -p gitops-diff --features oracle -- --ignored
//! ```
//!
//! `GITOPS_ORACLE_SEED` repeats a run, `GITOPS_ORACLE_CASES` says how many comparisons there are, and `GITOPS_ORACLE_KEEP`
//! names a directory into which some of them are written as vectors.
#![allow(clippy::print_stdout, reason = "the counts are to be read")]
#![allow(clippy::expect_used, clippy::panic, reason = "it is a test")]

mod defaults;
mod keep;
mod oracle;
mod random;
mod rules;
#[path = "../../examples/conformance/runner/mod.rs"]
#[allow(dead_code, reason = "here nothing is read from files of vectors")]
mod runner;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::Rng;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use keep::Keeper;
use oracle::Oracle;
use random::{CaseTree, Cases, Dice, Session, World};
use rules::{RULES, Seen};
use runner::{Case, Folder, Outcome};

/// How many cases are asked at once.
const BATCH: usize = 1_000;

/// How many differences, of different sorts, are made smaller and printed.
const SHOWN: usize = 12;

/// How many writes the life of one object has.
const WRITES: usize = 10;

struct Run {
    oracle: Oracle,
    world: World,
    folder: Folder,
    seed: u64,
    counts: Counts,
    /// The operations and the beginnings of what was said about differences that were printed.
    shown: BTreeSet<(String, String)>,
    keeper: Keeper,
}

#[derive(Debug, Default)]
struct Counts {
    compared: usize,
    fruitful: usize,
    different: usize,
    /// What depends on the order in which Go walks its maps, and is no reference.
    unstable: usize,
    outcomes: BTreeMap<String, usize>,
    rules: [usize; RULES.len()],
}

#[test]
#[ignore = "needs the oracle: GITOPS_ORACLE=$(hack/oracle/build)"]
fn our_results_are_those_of_the_reference() {
    let cases = number("GITOPS_ORACLE_CASES").map_or(24_000, |n| usize::try_from(n).expect("a count"));
    let seed = number("GITOPS_ORACLE_SEED").unwrap_or_else(rand_seed);
    println!("seed {seed}");
    let mut oracle = Oracle::start();
    let kinds = oracle.ask(&[&World::introduction(), &json!({"op": "kinds"})]).remove(1);
    let world = World::new(&kinds);
    let mut run = Run {
        oracle,
        world,
        folder: Folder::beside(&vectors().join("any.json")),
        seed,
        counts: Counts::default(),
        shown: BTreeSet::new(),
        keeper: Keeper::default(),
    };

    let mut dice = Dice::new(seed);
    let (patches, typed, writes) = (cases * 50 / 100, cases * 15 / 100, cases * 35 / 100);
    run.each(&mut dice, patches, random::patch_case);
    run.each(&mut dice, typed, random::typed_case);
    run.sessions(&mut dice, writes);
    run.counts.report(cases);
    if let Some(directory) = std::env::var_os("GITOPS_ORACLE_KEEP") {
        run.keeper.write(Path::new(&directory)).expect("the vectors can be written");
    }
}

/// The crate's own vectors, and the schemas beside them.
fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn rand_seed() -> u64 {
    TestRunner::default().new_rng().next_u64()
}

impl Run {
    /// Compares independent cases.
    fn each(&mut self, dice: &mut Dice, count: usize, make: fn(&mut Dice, &World) -> Value) {
        let mut left = count;
        while left > 0 {
            let trees: Vec<CaseTree> = {
                let world = &self.world;
                let strategy = Cases(|dice: &mut Dice| make(dice, world));
                let mut runner = runner_of(dice.roll());
                (0..left.min(BATCH)).map(|_| strategy.new_tree(&mut runner).expect("a case")).collect()
            };
            left -= trees.len();
            let cases: Vec<Value> = trees.iter().map(ValueTree::current).collect();
            let answers = self.oracle.ask(&cases.iter().collect::<Vec<_>>());
            for (tree, (case, answer)) in trees.into_iter().zip(cases.iter().zip(&answers)) {
                self.check(tree, case, answer);
            }
        }
    }

    /// Compares writes that build on each other, of many objects at a time.
    fn sessions(&mut self, dice: &mut Dice, count: usize) {
        let world = &self.world;
        let mut found = Vec::new();
        let mut left = count;
        while left > 0 {
            let objects = left.div_ceil(WRITES).min(BATCH);
            let mut sessions: Vec<_> =
                (0..objects).map(|_| Session::new(Dice::new(dice.roll()), world)).collect();
            for _ in 0..WRITES {
                let cases: Vec<Value> = sessions.iter_mut().map(Session::next).collect();
                let answers = self.oracle.ask(&cases.iter().collect::<Vec<_>>());
                for (session, answer) in sessions.iter_mut().zip(&answers) {
                    session.absorb(answer);
                }
                found.extend(cases.into_iter().zip(answers));
            }
            left = left.saturating_sub(objects * WRITES);
        }
        for (case, answer) in found {
            self.check(CaseTree::new(case.clone()), &case, &answer);
        }
    }

    fn check(&mut self, tree: CaseTree, case: &Value, answer: &Value) {
        if answer.get("unstable").is_some() {
            self.counts.unstable += 1;
            return;
        }
        self.counts.add(&Seen { case, answer });
        self.keeper.look_at(&Seen { case, answer });
        if let Outcome::Failed(why) = self.outcome(case, answer) {
            self.counts.different += 1;
            let sort = (
                case["op"].to_string(),
                why.split(' ').filter(|word| !word.starts_with('.')).take(6).collect(),
            );
            if self.shown.len() < SHOWN && self.shown.insert(sort) {
                let first = why.clone();
                let (case, why) = self.smallest(tree, why);
                println!("{first}");
                println!("GITOPS_ORACLE_SEED={}: {why}\n{case}", self.seed);
            }
        }
    }

    fn outcome(&self, case: &Value, answer: &Value) -> Outcome {
        runner::run(&Case::joined(case, answer), "oracle", &self.folder)
    }

    /// The smallest case that still differs, and how.
    fn smallest(&mut self, mut tree: CaseTree, mut why: String) -> (Value, String) {
        let mut tries = 0;
        while tries < 3_000 && tree.simplify() {
            tries += 1;
            let case = tree.current();
            let answer = self.oracle.ask(&[&case]).remove(0);
            match self.outcome(&case, &answer) {
                Outcome::Failed(now) if answer.get("unstable").is_none() => why = now,
                _ => _ = tree.complicate(),
            }
        }
        (tree.current(), why)
    }
}

fn runner_of(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

impl Counts {
    fn add(&mut self, seen: &Seen<'_>) {
        self.compared += 1;
        self.fruitful += usize::from(seen.is_fruitful());
        let op = seen.case["op"].as_str().unwrap_or_default();
        let class = seen.answer["error"]["class"].as_str().unwrap_or("result");
        *self.outcomes.entry(format!("{op}: {class}")).or_default() += 1;
        for (count, rule) in self.rules.iter_mut().zip(&RULES) {
            *count += usize::from(rule.is_hit(seen));
        }
    }

    /// Prints what was compared, and fails if that was too little.
    fn report(&self, cases: usize) {
        println!(
            "{} compared, {} differ; {} with a result to speak of; {} left out",
            self.compared, self.different, self.fruitful, self.unstable
        );
        for (outcome, count) in &self.outcomes {
            println!("  {outcome}: {count}");
        }
        for (count, rule) in self.rules.iter().zip(&RULES) {
            println!("rule {:2}: {count:5} ({})", rule.number, rule.about);
        }
        assert!(self.different == 0, "{} results differ from those of the reference", self.different);
        assert!(self.compared >= cases * 98 / 100, "too many cases are no reference");
        assert!(self.fruitful * 10 >= self.compared * 8, "too many cases have no result to speak of");
        for (count, rule) in self.rules.iter().zip(&RULES) {
            assert!(*count * 800 >= self.compared, "rule {} is hit too seldom", rule.number);
        }
    }
}
