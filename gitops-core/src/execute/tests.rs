use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Comparison, Desired, End, Goal, Inputs, Live, Manifest, Observation, Owner, Place, Placed, Policy, Prune,
    RepoPath, Revision, Step, Token,
};

fn id(name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", name)
}

fn placed(name: &str, rank: i32, requires: &[&str]) -> Placed {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
    Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap())
        .with_rank(rank)
        .with_requires(requires.iter().map(|name| id(name)).collect())
}

fn member(name: &str, rank: i32) -> Live {
    let token = Token { incarnation: format!("uid-{name}").into(), version: "7".into() };
    let mut live = Live::new(id(name), token);
    (live.owner, live.rank) = (Owner::This, rank);
    live
}

fn plan_of(desired: Vec<Placed>, live: Vec<Live>) -> Plan {
    let desired = Desired::new(Revision::new("1111111"), desired).unwrap();
    let policy = Policy { prune: Prune::Unguarded, ..Policy::default() };
    let observed = Observation { live, ..Observation::default() };
    let app = "shop".parse().unwrap();
    let inputs = Inputs { app: &app, goal: Goal::Sync(&desired), observed: &observed, policy: &policy };
    crate::plan(inputs, &|_, _| Comparison::Unsure)
}

/// Notes what runs when, and does what is ordered for some names.
#[derive(Default)]
struct Fake {
    log: Mutex<Vec<(String, Action)>>,
    running: AtomicUsize,
    most: AtomicUsize,
    fails: Vec<String>,
    stops_at: Option<(String, CancellationToken)>,
    hangs: Option<String>,
}

#[async_trait]
impl Session for Fake {
    async fn run(&self, _cx: &Cx, step: &Step) -> Result<Done, Fault> {
        let name = &step.id.name;
        let now = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        self.log.lock().unwrap().push((name.clone(), step.action));
        if let Some((at, stop)) = &self.stops_at
            && at == name
        {
            stop.cancel();
        }
        if self.hangs.as_ref() == Some(name) {
            std::future::pending::<()>().await;
        }
        // Others get their turn, as with a real server.
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        if self.fails.contains(name) {
            return Err(Fault::new(Class::Denied, "forbidden"));
        }
        Ok(Done::new(None, true))
    }

    async fn finish(self: Box<Self>, _cx: &Cx, _end: &End) -> Result<(), Fault> {
        Ok(())
    }
}

fn carry_out(plan: &Plan, fake: &Fake, how: &Execution) -> (Vec<Outcome>, Vec<ResourceId>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let told = Mutex::new(Vec::new());
    let outcomes = runtime.block_on(async {
        let cx = Cx::with_timeout(Duration::from_secs(60));
        execute(plan, fake, &cx, how, &|item, _, _| told.lock().unwrap().push(item.id.clone())).await
    });
    (outcomes, told.into_inner().unwrap())
}

fn verdict_of<'a>(outcomes: &'a [Outcome], name: &str) -> &'a Verdict {
    &outcomes.iter().find(|outcome| outcome.id.name == name).unwrap().verdict
}

#[test]
fn what_requires_a_failure_is_blocked_by_name_and_nothing_else_is() {
    let desired =
        vec![placed("a", 0, &[]), placed("b", 1, &["a"]), placed("c", 1, &["b"]), placed("d", 1, &[])];
    let plan = plan_of(desired, vec![member("old", 1)]);
    let fake = Fake { fails: vec!["a".into()], ..Fake::default() };
    let (outcomes, _) = carry_out(&plan, &fake, &Execution::default());
    let blocked = |name| match verdict_of(&outcomes, name) {
        Verdict::Blocked { cause } => cause.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert!(
        matches!(verdict_of(&outcomes, "a"), Verdict::Failed { fault } if fault.at.as_deref() == Some("ConfigMap/shop/a"))
    );
    assert!(blocked("b").contains("ConfigMap/shop/a is not there: forbidden"), "{}", blocked("b"));
    assert!(blocked("c").contains("ConfigMap/shop/b is not there"), "{}", blocked("c"));
    assert_eq!(verdict_of(&outcomes, "d"), &Verdict::Changed);
    assert!(blocked("old").contains("nothing is pruned"));
}

#[test]
fn circles_end_as_blocked() {
    let plan = plan_of(vec![placed("a", 0, &["b"]), placed("b", 0, &["a"]), placed("c", 0, &["c"])], vec![]);
    let (outcomes, _) = carry_out(&plan, &Fake::default(), &Execution::default());
    assert!(matches!(verdict_of(&outcomes, "a"), Verdict::Blocked { cause } if cause.contains("itself")));
    assert_eq!(verdict_of(&outcomes, "c"), &Verdict::Changed, "to require itself is no circle");
}

#[test]
fn a_step_that_never_answers_is_of_unknown_outcome_and_holds_nothing_up() {
    let plan = plan_of(vec![placed("a", 0, &[]), placed("b", 0, &[])], vec![]);
    let fake = Fake { hangs: Some("a".into()), ..Fake::default() };
    let (outcomes, _) = carry_out(&plan, &fake, &Execution::default());
    assert!(
        matches!(verdict_of(&outcomes, "a"), Verdict::Failed { fault } if fault.class == Class::OutcomeUnknown)
    );
    assert_eq!(verdict_of(&outcomes, "b"), &Verdict::Changed);
}

#[test]
fn an_apply_that_wrote_nothing_is_no_change_even_if_it_is_overruled() {
    struct Insists;
    #[async_trait]
    impl Session for Insists {
        async fn run(&self, _cx: &Cx, _step: &Step) -> Result<Done, Fault> {
            let path = ".data.a".parse().unwrap();
            let shown = gitops_diff::Shown::Absent;
            let difference = gitops_diff::Difference::new(
                path,
                gitops_diff::DifferenceKind::Changed,
                shown.clone(),
                shown,
            );
            Ok(Done { overruled: vec![difference], ..Done::new(None, false) })
        }

        async fn finish(self: Box<Self>, _cx: &Cx, _end: &End) -> Result<(), Fault> {
            Ok(())
        }
    }
    let plan = plan_of(vec![placed("a", 0, &[])], vec![member("a", 0)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let outcomes = runtime.block_on(execute(&plan, &Insists, &cx, &Execution::default(), &|_, _, _| ()));
    assert!(matches!(outcomes[0].verdict, Verdict::Overruled { .. }));
    assert_eq!((crate::Counts::of(&outcomes).changed, crate::Counts::of(&outcomes).unchanged), (0, 1));
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is planned, fails and is stopped: one outcome for each item in the order of the plan, told once; no more
    /// steps at once than allowed; no rank before the one below it has ended; nothing begins after a stop.
    #[test]
    fn the_laws_of_execution(
        ranks in prop::collection::vec(0_i32..3, NAMES.len()),
        requires in prop::collection::vec(prop::option::of(0_usize..NAMES.len()), NAMES.len()),
        is_desired in prop::collection::vec(prop::bool::weighted(0.7), NAMES.len()),
        fails in prop::collection::vec(prop::bool::weighted(0.2), NAMES.len()),
        stop in prop::option::weighted(0.4, 0_usize..NAMES.len()),
        concurrency in 0_usize..5,
    ) {
        let (mut desired, mut live) = (Vec::new(), Vec::new());
        for (n, name) in NAMES.into_iter().enumerate() {
            if is_desired[n] {
                let needs: Vec<&str> = requires[n].iter().map(|other| NAMES[*other]).collect();
                desired.push(placed(name, ranks[n], &needs));
            } else {
                live.push(member(name, ranks[n]));
            }
        }
        let plan = plan_of(desired, live);
        let how = Execution { concurrency, ..Execution::default() };
        let failing = |n: &usize| fails[*n];
        let fake = Fake {
            fails: (0..NAMES.len()).filter(failing).map(|n| NAMES[n].to_owned()).collect(),
            stops_at: stop.map(|n| (NAMES[n].to_owned(), how.stop.clone())),
            ..Fake::default()
        };
        let (outcomes, mut told) = carry_out(&plan, &fake, &how);
        let planned: Vec<ResourceId> = plan.items.iter().map(|item| item.id.clone()).collect();
        prop_assert_eq!(outcomes.iter().map(|outcome| outcome.id.clone()).collect::<Vec<_>>(), planned.clone());
        told.sort();
        let mut sorted = planned;
        sorted.sort();
        prop_assert_eq!(told, sorted);
        prop_assert!(fake.most.load(Ordering::Relaxed) <= concurrency.max(1));

        let log = fake.log.into_inner().unwrap();
        let place = |name: &str| log.iter().position(|(ran, _)| ran == name);
        let rank = |name: &str| ranks[NAMES.iter().position(|known| *known == name).unwrap()];
        for pair in log.windows(2) {
            let ((a, first), (b, second)) = (&pair[0], &pair[1]);
            match (first, second) {
                (Action::Prune, Action::Prune) => prop_assert!(rank(a) >= rank(b)),
                (Action::Prune, _) => prop_assert!(false, "{b} was applied after {a} was pruned"),
                (_, Action::Prune) => {}
                _ => prop_assert!(rank(a) <= rank(b)),
            }
        }
        for item in &plan.items {
            let name = item.id.name.as_str();
            let outcome = outcomes.iter().find(|outcome| outcome.id == item.id).unwrap();
            let (ran, is_good) = (place(name), outcome.verdict.is_good());
            prop_assert!(ran.is_some() || !is_good);
            for needed in item.requires.iter().filter(|needed| **needed != item.id) {
                if let (Some(at), Some(before)) = (ran, place(&needed.name))
                    && rank(&needed.name) <= item.rank
                    && is_desired[NAMES.iter().position(|known| *known == needed.name).unwrap()]
                {
                    prop_assert!(before < at);
                }
            }
            if outcome.action == Some(Action::Prune) && ran.is_some() {
                prop_assert!(outcomes.iter().all(|other| other.action == Some(Action::Prune) || other.verdict.is_good()));
            }
        }
        // Those that ran beside the one that stopped may end; none begins.
        if let Some(at) = stop.and_then(|n| place(NAMES[n])) {
            prop_assert!(log.len() - at <= concurrency.max(1));
        }
    }
}

#[test]
fn progress_is_told_to_the_end() {
    #[derive(Default)]
    struct Last(Mutex<(u64, Option<u64>)>);
    impl crate::Progress for Last {
        fn report(&self, _step: &str, done: u64, total: Option<u64>) {
            *self.0.lock().unwrap() = (done, total);
        }
    }
    let last = Arc::new(Last::default());
    let plan = plan_of(vec![placed("a", 0, &[]), placed("b", 0, &[])], vec![member("x", 0)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cx = Cx::with_timeout(Duration::from_secs(60)).with_progress(last.clone());
    runtime.block_on(execute(&plan, &Fake::default(), &cx, &Execution::default(), &|_, _, _| ()));
    assert_eq!(*last.0.lock().unwrap(), (3, Some(3)));
}
