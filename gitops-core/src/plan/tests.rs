use std::collections::BTreeSet;
use std::sync::Arc;

use gitops_diff::{Difference, DifferenceKind, Shown};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Adoption, Class, Comparison, Desired, DriftPolicy, FaultNote, GroupKind, Holds, Live, Manifest,
    Observation, Place, Policy, Prune, RepoPath, Token, Unseen,
};

fn id(name: &str) -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", name)
}

fn placed(name: &str) -> Placed {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
    Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap())
}

fn desired(objects: Vec<Placed>) -> Desired {
    Desired::new(Revision::new("1111111"), objects).unwrap()
}

fn live(name: &str, owner: Owner) -> Live {
    let token = Token { incarnation: format!("uid-{name}").into(), version: "7".into() };
    let mut live = Live::new(id(name), token);
    live.owner = owner;
    live
}

fn mine(name: &str) -> Live {
    live(name, Owner::This)
}

fn observed(live: Vec<Live>) -> Observation {
    Observation { live, ..Observation::default() }
}

fn in_sync(_: &Placed, _: &Live) -> Comparison {
    Comparison::InSync
}

fn unsure(_: &Placed, _: &Live) -> Comparison {
    Comparison::Unsure
}

fn make(goal: Goal<'_>, observed: &Observation, policy: &Policy) -> Plan {
    let app = "shop".parse().unwrap();
    plan(Inputs { app: &app, goal, observed, policy }, &in_sync)
}

fn pruning() -> Policy {
    Policy { prune: Prune::GUARDED, ..Policy::default() }
}

fn decisions(plan: &Plan) -> Vec<(String, Decision)> {
    plan.items.iter().map(|item| (item.id.name.clone(), item.decision.clone())).collect()
}

#[test]
fn what_is_missing_is_created_and_what_is_right_is_left() {
    let desired = desired(vec![placed("a"), placed("b")]);
    let plan = make(Goal::Sync(&desired), &observed(vec![mine("a")]), &Policy::default());
    assert_eq!(decisions(&plan), [("a".into(), Decision::InSync), ("b".into(), Decision::Create)]);
    let step = plan.steps().next().unwrap().step().unwrap();
    assert_eq!((step.action, step.expect), (Action::Create, Expect::Absent));
    assert!(!plan.in_sync() && !plan.is_empty());
}

#[test]
fn strangers_are_conflicts_unless_the_policy_adopts() {
    let desired = desired(vec![placed("a"), placed("b"), placed("c")]);
    let other: AppId = "other".parse().unwrap();
    let live = vec![live("a", Owner::Nobody), live("b", Owner::Other(other)), live("c", Owner::Unproven)];
    let count = |adoption| {
        let policy = Policy { adoption, ..Policy::default() };
        make(Goal::Sync(&desired), &observed(live.clone()), &policy)
            .count(|decision| *decision == Decision::Adopt)
    };
    assert_eq!([count(Adoption::Never), count(Adoption::Unowned), count(Adoption::Any)], [0, 1, 3]);
}

#[test]
fn members_that_are_not_desired_are_pruned_in_reverse_order() {
    let mut namespace = mine("z");
    namespace.rank = -1;
    let policy = Policy { prune: Prune::Unguarded, ..Policy::default() };
    let desired = desired(vec![placed("a")]);
    let plan =
        make(Goal::Sync(&desired), &observed(vec![namespace, mine("a"), mine("b"), mine("c")]), &policy);
    let order: Vec<&str> = plan.items.iter().map(|item| item.id.name.as_str()).collect();
    assert_eq!(order, ["a", "c", "b", "z"]);
    assert!(matches!(plan.items[1].expect, Some(Expect::Exactly(_))));
}

#[test]
fn there_are_reasons_not_to_prune() {
    let reason = |policy: &Policy, desired: Vec<Placed>, change: &dyn Fn(&mut Observation)| {
        let mut seen = observed(vec![mine("keep-a"), mine("keep-b"), mine("x")]);
        change(&mut seen);
        let desired = self::desired([vec![placed("keep-a"), placed("keep-b")], desired].concat());
        let plan = make(Goal::Sync(&desired), &seen, policy);
        plan.items.iter().find(|item| item.id.name == "x").map(|item| item.decision.clone())
    };
    let kept = |reason| Some(Decision::Kept { reason });
    let x = |seen: &mut Observation| seen.live.len() - 1;
    assert_eq!(reason(&pruning(), vec![], &|_| ()), Some(Decision::Prune));
    assert_eq!(reason(&Policy::default(), vec![], &|_| ()), kept(KeepReason::PruneIsOff));
    assert_eq!(
        reason(&pruning(), vec![], &|s| {
            let n = x(s);
            s.live[n].keep = true;
        }),
        kept(KeepReason::Marked)
    );
    assert_eq!(
        reason(&pruning(), vec![], &|s| {
            let n = x(s);
            s.live[n].terminating = true;
        }),
        kept(KeepReason::Terminating)
    );
    assert_eq!(
        reason(&pruning(), vec![], &|s| {
            let n = x(s);
            s.live[n].precious = true;
        }),
        kept(KeepReason::Precious)
    );
    let mut names_it = pruning();
    names_it.prune_kinds.insert(GroupKind::new("", "ConfigMap"));
    assert_eq!(
        reason(&names_it, vec![], &|s| {
            let n = x(s);
            s.live[n].precious = true;
        }),
        Some(Decision::Prune)
    );
    let fault = FaultNote::new(Class::Denied, "forbidden");
    let unseen = Unseen {
        kind: GroupKind::new("", "ConfigMap"),
        namespace: Some("other".into()),
        fault: fault.clone(),
    };
    assert_eq!(reason(&pruning(), vec![], &|s| s.unseen.push(unseen.clone())), kept(KeepReason::Unseen));
    assert_eq!(
        reason(&pruning(), vec![placed("u").with_unresolved(fault)], &|_| ()),
        kept(KeepReason::Unresolved)
    );
    assert_eq!(
        reason(&pruning(), vec![], &|s| s.live[2].token.incarnation = s.live[0].token.incarnation.clone()),
        kept(KeepReason::SameObject)
    );
    // What merely bears our mark is not ours.
    assert_eq!(
        reason(&pruning(), vec![], &|s| {
            let n = x(s);
            s.live[n].owner = Owner::Unproven;
        }),
        None
    );
}

#[test]
fn what_holds_something_that_stays_is_not_pruned() {
    let namespace = || {
        let id = ResourceId::global("", "Namespace", "shop");
        Live { id, holds: Some(Holds::Namespace("shop".into())), ..mine("space") }
    };
    let definition = || {
        let id = ResourceId::global("apiextensions.k8s.io", "CustomResourceDefinition", "configmaps");
        Live { id, holds: Some(Holds::Kind(GroupKind::new("", "ConfigMap"))), ..mine("definition") }
    };
    let holders = |others: Vec<Live>, goal: Goal<'_>| {
        let seen = observed([vec![namespace(), definition()], others].concat());
        let plan = make(goal, &seen, &pruning());
        let mut holders = plan.items.into_iter().filter(|item| item.id.namespace.is_none());
        let (one, other) = (holders.next().unwrap(), holders.next().unwrap());
        assert_eq!(one.decision, other.decision);
        one.decision
    };
    let kept = Decision::Kept { reason: KeepReason::Holding };
    let stated = desired(vec![placed("a")]);
    assert_eq!(holders(vec![mine("a")], Goal::Sync(&stated)), kept);
    // It is still to be created there.
    assert_eq!(holders(vec![], Goal::Sync(&stated)), kept);
    let marked = Live { keep: true, ..mine("a") };
    assert_eq!(holders(vec![marked.clone()], Goal::Sync(&desired(vec![]))), kept);
    assert_eq!(holders(vec![marked], Goal::Destroy), kept);
    // What goes does not hold it back, and what is being deleted will be gone.
    assert_eq!(holders(vec![mine("a")], Goal::Sync(&desired(vec![]))), Decision::Prune);
    let going = Live { terminating: true, ..mine("a") };
    assert_eq!(holders(vec![going], Goal::Sync(&desired(vec![]))), Decision::Prune);
}

#[test]
fn what_may_hold_something_that_was_not_seen_is_not_pruned() {
    let holder = |holds: Holds, unseen: Unseen| {
        let id = ResourceId::global("", "Namespace", "shop");
        let mut seen = observed(vec![Live { id, holds: Some(holds), ..mine("space") }]);
        seen.unseen.push(unseen);
        make(Goal::Destroy, &seen, &pruning()).items[0].decision.clone()
    };
    let unseen = |kind: &str, namespace: Option<&str>| Unseen {
        kind: GroupKind::new("", kind),
        namespace: namespace.map(str::to_owned),
        fault: FaultNote::new(Class::RETRY, "no answer"),
    };
    let kept = Decision::Kept { reason: KeepReason::Unseen };
    let shop = || Holds::Namespace("shop".into());
    assert_eq!(holder(shop(), unseen("ConfigMap", None)), kept);
    assert_eq!(holder(shop(), unseen("ConfigMap", Some("shop"))), kept);
    assert_eq!(holder(shop(), unseen("ConfigMap", Some("other"))), Decision::Prune);
    let configs = || Holds::Kind(GroupKind::new("", "ConfigMap"));
    assert_eq!(holder(configs(), unseen("ConfigMap", Some("other"))), kept);
    assert_eq!(holder(configs(), unseen("Secret", None)), Decision::Prune);
}

#[test]
fn what_cannot_be_read_is_not_created() {
    let desired = desired(vec![placed("a")]);
    let unseen = Unseen {
        kind: GroupKind::new("", "ConfigMap"),
        namespace: None,
        fault: FaultNote::new(Class::Denied, "forbidden"),
    };
    let plan = make(
        Goal::Sync(&desired),
        &Observation { unseen: vec![unseen], ..Observation::default() },
        &pruning(),
    );
    assert!(plan.is_empty() && !plan.in_sync());
    assert!(matches!(&plan.items[0].decision, Decision::Blocked { cause } if cause.contains("forbidden")));
}

#[test]
fn healing_looks_at_the_named_objects_only_and_prunes_nothing() {
    let desired = desired(vec![placed("a"), placed("b")]);
    let only: BTreeSet<ResourceId> = [id("a")].into();
    let plan = make(Goal::Heal(&desired, &only), &observed(vec![mine("x")]), &pruning());
    assert_eq!(decisions(&plan), [("a".into(), Decision::Create)]);
    assert!(plan.guard.is_none() && !plan.complete);
}

#[test]
fn drift_can_be_reported_only() {
    let app = "shop".parse().unwrap();
    let desired = desired(vec![placed("a")]);
    let only: BTreeSet<ResourceId> = [id("a")].into();
    let policy = Policy { drift: DriftPolicy::Report, ..Policy::default() };
    let seen = observed(vec![mine("a")]);
    let differs = |_: &Placed, _: &Live| Comparison::Differs(Vec::new());
    let decision = |goal| {
        plan(Inputs { app: &app, goal, observed: &seen, policy: &policy }, &differs).items[0].decision.clone()
    };
    assert_eq!(decision(Goal::Heal(&desired, &only)), Decision::Drifted);
    assert_eq!(decision(Goal::Sync(&desired)), Decision::Update);
}

#[test]
fn removal_releases_or_destroys_every_member() {
    let seen = observed(vec![mine("a"), mine("b"), live("c", Owner::Nobody)]);
    let released = make(Goal::Release, &seen, &Policy::default());
    assert_eq!(released.count(|d| *d == Decision::Release), 2);
    assert!(released.guard.is_none());
    let destroyed = make(Goal::Destroy, &seen, &Policy::default());
    assert_eq!(destroyed.count(|d| *d == Decision::Prune), 2);
    assert!(destroyed.guard.is_some());
}

#[test]
fn the_digest_stands_for_what_would_be_done() {
    let digest = |objects: Vec<Placed>, live: Vec<Live>| {
        make(Goal::Sync(&desired(objects)), &observed(live), &pruning()).digest()
    };
    let base = digest(vec![placed("a")], vec![mine("a"), mine("x")]);
    let mut touched = mine("x");
    touched.token.version = "8".into();
    assert_eq!(digest(vec![placed("a")], vec![mine("a"), touched]), base, "a version that moves");
    assert_eq!(
        digest(vec![placed("a"), placed("b")], vec![mine("a"), mine("b"), mine("x")]),
        base,
        "what is in sync"
    );
    let mut again = mine("x");
    again.token.incarnation = "uid-other".into();
    assert_ne!(digest(vec![placed("a")], vec![mine("a"), again]), base, "another incarnation");
    assert_ne!(digest(vec![placed("a")], vec![mine("a"), mine("x"), mine("y")]), base, "another deletion");
    assert_ne!(digest(vec![placed("a"), placed("b")], vec![mine("a"), mine("x")]), base, "another creation");

    let (app, policy) = ("shop".parse().unwrap(), pruning());
    let (wanted, seen) = (desired(vec![placed("a")]), observed(vec![mine("a"), mine("x")]));
    let inputs = Inputs { app: &app, goal: Goal::Sync(&wanted), observed: &seen, policy: &policy };
    let forgetful = plan(inputs, &unsure);
    assert_eq!((forgetful.steps().count(), forgetful.digest()), (2, base), "what only the target can tell");
}

#[test]
fn a_plan_serialises_without_the_objects() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
        "data": {"password": "aHVudGVyMg=="}});
    let manifest = Manifest::new(&secret, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap();
    let desired = desired(vec![Placed::new(manifest)]);
    let plan = make(Goal::Sync(&desired), &observed(vec![]), &pruning());
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("aHVudGVyMg"), "{text}");
    assert!(!format!("{plan:?} {}", plan.display().unified()).contains("aHVudGVyMg"));
    let back: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(back.digest(), plan.digest());
}

#[test]
fn fields_are_in_colour_where_that_is_wanted() {
    let app = "shop".parse().unwrap();
    let (desired, seen) = (desired(vec![placed("a")]), observed(vec![mine("a")]));
    let differs = |_: &Placed, _: &Live| {
        let (path, kind) = (".data.a".parse().unwrap(), DifferenceKind::Changed);
        Comparison::Differs(vec![Difference::new(path, kind, Shown::Redacted, Shown::Absent)])
    };
    let policy = Policy::default();
    let plan =
        plan(Inputs { app: &app, goal: Goal::Sync(&desired), observed: &seen, policy: &policy }, &differs);
    let text = plan.display().color(true).to_string();
    let line =
        "    \u{1b}[1m.data.a\u{1b}[0m  Git \u{1b}[32m<redacted>\u{1b}[0m, live \u{1b}[31mabsent\u{1b}[0m\n";
    assert!(text.contains(line), "{text}");
    assert!(plan.display().to_string().contains("    .data.a  Git <redacted>, live absent\n"));
    assert!(!plan.display().to_string().contains('\u{1b}'));
}

fn any_owner() -> impl Strategy<Value = Owner> {
    prop_oneof![
        4 => Just(Owner::This),
        1 => Just(Owner::Nobody),
        1 => Just(Owner::Unproven),
        1 => Just(Owner::Other("other".parse().unwrap())),
    ]
}

prop_compose! {
    fn any_live()(name in "[a-f]", owner in any_owner(), keep in prop::bool::weighted(0.2), precious in prop::bool::weighted(0.2), terminating in prop::bool::weighted(0.2)) -> Live {
        let mut live = live(&name, owner);
        (live.keep, live.precious, live.terminating) = (keep, precious, terminating);
        live
    }
}

proptest! {
    /// The promises about what a plan touches, for any desired and observed state.
    #[test]
    fn the_laws_of_planning(
        names in prop::collection::btree_set("[a-f]", 0..6),
        lives in prop::collection::vec(any_live(), 0..6),
        blind: bool,
        compare_unsure: bool,
    ) {
        let desired = desired(names.iter().map(|name| placed(name)).collect());
        let mut by_id = std::collections::BTreeMap::new();
        for live in lives {
            by_id.insert(live.id.clone(), live);
        }
        let space = Live { id: ResourceId::global("", "Namespace", "shop"), holds: Some(Holds::Namespace("shop".into())), ..mine("space") };
        by_id.insert(space.id.clone(), space);
        let mut seen = observed(by_id.values().cloned().collect());
        if blind {
            seen.unseen.push(Unseen { kind: GroupKind::new("", "ConfigMap"), namespace: None, fault: FaultNote::new(Class::RETRY, "no answer") });
        }
        let app = "shop".parse().unwrap();
        let policy = pruning();
        let inputs = Inputs { app: &app, goal: Goal::Sync(&desired), observed: &seen, policy: &policy };
        let compare: fn(&Placed, &Live) -> Comparison = if compare_unsure { unsure } else { in_sync };
        let plan = super::plan(inputs, &compare);
        let again = super::plan(inputs, &compare);
        prop_assert_eq!(plan.digest(), again.digest());
        for item in plan.steps() {
            let step = item.step().unwrap();
            let live = by_id.get(&item.id);
            match step.action {
                Action::Create => prop_assert!(live.is_none() && !blind && step.expect == Expect::Absent),
                Action::Update => prop_assert!(live.is_some_and(|live| live.owner == Owner::This)),
                Action::Prune => {
                    let live = live.unwrap();
                    prop_assert!(live.owner == Owner::This && !names.contains(&item.id.name) && !blind);
                    prop_assert!(!live.keep && !live.precious && !live.terminating);
                    prop_assert_eq!(step.expect, Expect::Exactly(live.token.clone()));
                    // Nothing goes along with the namespace that would stay, or come.
                    let stays = |live: &Live| live.owner == Owner::This && (live.keep || live.precious) && !live.terminating;
                    prop_assert!(live.holds.is_none() || (names.is_empty() && !by_id.values().any(stays)));
                }
                other => prop_assert!(false, "{other} was not asked for"),
            }
        }
        for name in &names {
            prop_assert_eq!(plan.items.iter().filter(|item| item.id.name == *name).count(), 1);
        }
    }
}

#[test]
fn ignored_fields_are_written_on_creation_only() {
    let path: gitops_diff::FieldPath = ".data.a".parse().unwrap();
    let policy =
        Policy { ignore: crate::IgnoreRules::new([crate::IgnoreRule::new([path])]), ..Policy::default() };
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": {"a": "1", "b": "2"}});
    let one = Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap());
    let desired = desired(vec![one]);
    let app = "shop".parse().unwrap();
    let data = |live: Vec<Live>| {
        let seen = observed(live);
        let plan = super::plan(
            Inputs { app: &app, goal: Goal::Sync(&desired), observed: &seen, policy: &policy },
            &unsure,
        );
        let placed: Arc<Placed> = plan.items[0].desired.clone().unwrap();
        placed.manifest.object()["data"].clone()
    };
    assert_eq!(data(vec![]), json!({"a": "1", "b": "2"}));
    assert_eq!(data(vec![mine("a")]), json!({"b": "2"}));
}

#[test]
fn what_is_left_of_a_secret_is_not_written_however_it_is_stated() {
    let path: gitops_diff::FieldPath = ".data.a".parse().unwrap();
    let policy =
        Policy { ignore: crate::IgnoreRules::new([crate::IgnoreRule::new([path])]), ..Policy::default() };
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "shop"}, "stringData": {"a": "one", "b": "two"}});
    let one = Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap());
    let member = Live { id: one.id.clone(), ..mine("a") };
    let (desired, seen) = (desired(vec![one]), observed(vec![member]));
    let app = "shop".parse().unwrap();
    let inputs = Inputs { app: &app, goal: Goal::Sync(&desired), observed: &seen, policy: &policy };
    let plan = super::plan(inputs, &unsure);
    let written = &plan.items[0].desired.as_ref().unwrap().manifest.object();
    assert_eq!((written.get("stringData"), &written["data"]), (None, &json!({"b": "dHdv"})));
}
