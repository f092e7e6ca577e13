//! The decision for each object.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gitops_diff::Difference;
use gitops_diff::schema::BuiltIn;

use super::guard::Deletions;
use super::{Decision, Guard, Item, KeepReason, Plan, digest, order};
use crate::{
    Adoption, AppId, Assessment, Comparison, Desired, Digest, DriftPolicy, Expect, GroupKind, Health, Holds,
    Live, Observation, Owner, Placed, Policy, Prune, ResourceId, Token,
};

/// What a plan is for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Goal<'a> {
    /// Bring the target to a revision: create, update, adopt, prune.
    Sync(&'a Desired),
    /// The same for the revision that is in force already: what differs is drift, and [`DriftPolicy`] says what becomes of
    /// it.
    Check(&'a Desired),
    /// Look at some objects of the revision in force, and put back what drifted. Nothing is pruned.
    Heal(&'a Desired, &'a BTreeSet<ResourceId>),
    /// Give all members up, and leave the objects as they are.
    Release,
    /// Delete all members.
    Destroy,
}

impl<'a> Goal<'a> {
    fn desired(self) -> Option<&'a Desired> {
        match self {
            Self::Sync(desired) | Self::Check(desired) | Self::Heal(desired, _) => Some(desired),
            Self::Release | Self::Destroy => None,
        }
    }
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The application.
    pub app: &'a AppId,
    /// What the plan is for.
    pub goal: Goal<'a>,
    /// What is live. For [`Goal::Heal`], the named objects; otherwise all members and all desired objects.
    pub observed: &'a Observation,
    /// What the application may do.
    pub policy: &'a Policy,
}

/// Makes a plan: pure. `compare` is [`crate::Target::compare`].
///
/// The laws that tests hold it to: what is in sync gets no step; nothing is created, pruned or given up where the target
/// could not be read; only proven members are pruned, each under a condition on its incarnation and version; an object
/// of somebody else is touched only if the policy adopts.
pub fn plan(inputs: Inputs<'_>, compare: &dyn Fn(&Placed, &Live) -> Comparison) -> Plan {
    let Inputs { app, goal, observed, policy } = inputs;
    let live: BTreeMap<&ResourceId, &Live> = observed.live.iter().map(|live| (&live.id, live)).collect();
    let mut items = Vec::new();
    if let Some(desired) = goal.desired() {
        for (id, placed) in desired.objects() {
            if matches!(goal, Goal::Heal(_, only) if !only.contains(id)) {
                continue;
            }
            items.push(apply_item(id, placed, live.get(id).copied(), &inputs, compare));
        }
    }
    let complete = !matches!(goal, Goal::Heal(..));
    if complete {
        items.extend(Leftover::new(&inputs, &live).items());
    }
    order::sort(&mut items);
    let pruned = || items.iter().filter(|item| item.decision == Decision::Prune);
    let is_precious = |item: &&Item| live.get(&item.id).is_some_and(|live| live.precious);
    let deletions = Deletions {
        prune: pruned().count(),
        precious: pruned().filter(is_precious).count(),
        leftover: items.iter().filter(|item| item.member && item.desired.is_none()).count(),
    };
    let members = observed.live.iter().filter(|live| live.owner == Owner::This).count();
    let guard = if complete { Guard::check(prune_policy(goal, policy), deletions, members) } else { None };
    let mut plan = Plan {
        app: app.clone(),
        revision: goal.desired().map(|desired| desired.revision().clone()),
        complete,
        saw_all_members: complete,
        items,
        unseen: observed.unseen.clone(),
        guard,
        digest: Digest::of(b""),
    };
    plan.digest = digest::digest(&plan);
    plan
}

/// Destroying is pruning that somebody asked for: it happens whatever the policy, but under its guard.
fn prune_policy(goal: Goal<'_>, policy: &Policy) -> Prune {
    match (goal, policy.prune) {
        (Goal::Destroy, Prune::Never) => Prune::GUARDED,
        (_, prune) => prune,
    }
}

fn apply_item(
    id: &ResourceId,
    placed: &Arc<Placed>,
    live: Option<&Live>,
    inputs: &Inputs<'_>,
    compare: &dyn Fn(&Placed, &Live) -> Comparison,
) -> Item {
    let (mut decision, mut differences, mut expect) = decide(id, placed, live, inputs, compare);
    let is_known =
        placed.unresolved.is_none() && !inputs.observed.unseen.iter().any(|unseen| unseen.covers(id));
    let health = match live {
        // Somebody else's object says nothing about ours, which is not there.
        Some(_) if matches!(decision, Decision::Conflict { .. }) => {
            Assessment::new(Health::Missing).because("Conflict", "an object of this name is not ours")
        }
        Some(live) => live.health.clone(),
        None if is_known => Assessment::new(Health::Missing),
        None => Assessment::new(Health::Unknown),
    };
    let rules = live.map(|live| (live, inputs.policy.ignore.bound_to(&id.subject())));
    let desired = match rules.filter(|(_, rules)| !rules.is_empty()) {
        // A creation states everything; an update leaves alone what the rules name.
        Some((live, rules)) => {
            match rules.try_strip(&placed.manifest.object(), live.object.as_deref(), &BuiltIn) {
                Ok(None) => placed.clone(),
                Ok(Some((stripped, left))) => {
                    Arc::new((**placed).clone().with_object(&stripped).with_left(left))
                }
                Err(stopped) => {
                    // A rule that was stopped selects nothing: what it leaves to others would be written, or seen as drift.
                    if decision.action().is_some() || decision == Decision::Drifted {
                        let cause = stopped.to_string();
                        (decision, differences, expect) = (Decision::Blocked { cause }, Vec::new(), None);
                    }
                    placed.clone()
                }
            }
        }
        None => placed.clone(),
    };
    Item {
        id: id.clone(),
        decision,
        expect,
        differences,
        health,
        rank: placed.rank,
        requires: placed.requires.clone(),
        desired: Some(desired),
        live: live.and_then(|live| live.object.clone()),
        member: live.is_some_and(|live| live.owner == Owner::This),
    }
}

type Decided = (Decision, Vec<Difference>, Option<Expect>);

fn decide(
    id: &ResourceId,
    placed: &Placed,
    live: Option<&Live>,
    inputs: &Inputs<'_>,
    compare: &dyn Fn(&Placed, &Live) -> Comparison,
) -> Decided {
    let blocked = |cause: String| (Decision::Blocked { cause }, Vec::new(), None);
    if let Some(why) = &placed.unresolved {
        return blocked(why.message.clone());
    }
    let leaves_drift =
        matches!(inputs.goal, Goal::Heal(..) | Goal::Check(_)) && inputs.policy.drift == DriftPolicy::Report;
    let Some(live) = live else {
        return match inputs.observed.unseen.iter().find(|unseen| unseen.covers(id)) {
            Some(unseen) => blocked(format!("it cannot be read: {}", unseen.fault)),
            None if leaves_drift => (Decision::Drifted, Vec::new(), None),
            None => (Decision::Create, Vec::new(), Some(Expect::Absent)),
        };
    };
    if live.terminating {
        return blocked("it is being deleted, and will be created again when it is gone".to_owned());
    }
    let same = || Some(Expect::Same(live.token.incarnation.clone()));
    let comparison = compare(placed, live);
    if live.owner != Owner::This {
        let differences = match comparison {
            Comparison::Differs(differences) | Comparison::Overruled(differences) => differences,
            _ => Vec::new(),
        };
        return match (inputs.policy.adoption, &live.owner) {
            (Adoption::Any, _) | (Adoption::Unowned, Owner::Nobody) => {
                (Decision::Adopt, differences, Some(exactly(&live.token)))
            }
            (_, owner) => (Decision::Conflict { owner: owner.clone() }, differences, None),
        };
    }
    match comparison {
        Comparison::InSync => (Decision::InSync, Vec::new(), None),
        Comparison::Overruled(differences) => (Decision::Overruled, differences, None),
        Comparison::Differs(differences) if leaves_drift => (Decision::Drifted, differences, None),
        Comparison::Differs(differences) => (Decision::Update, differences, same()),
        Comparison::Unsure => (Decision::Update, Vec::new(), same()),
    }
}

fn exactly(token: &Token) -> Expect {
    Expect::Exactly(token.clone())
}

/// What happens to members that are no longer desired.
struct Leftover<'a> {
    inputs: &'a Inputs<'a>,
    desired: BTreeSet<&'a ResourceId>,
    desired_incarnations: BTreeSet<&'a str>,
    unresolved: BTreeSet<GroupKind>,
}

impl<'a> Leftover<'a> {
    fn new(inputs: &'a Inputs<'a>, live: &BTreeMap<&ResourceId, &'a Live>) -> Self {
        let objects = inputs.goal.desired().map(Desired::objects);
        let placed = || objects.into_iter().flatten();
        Self {
            inputs,
            desired: placed().map(|(id, _)| id).collect(),
            desired_incarnations: placed()
                .filter_map(|(id, _)| live.get(id))
                .map(|live| &*live.token.incarnation)
                .collect(),
            unresolved: placed()
                .filter(|(_, p)| p.unresolved.is_some())
                .map(|(id, _)| id.group_kind())
                .collect(),
        }
    }

    fn items(&self) -> Vec<Item> {
        let members = self.inputs.observed.live.iter().filter(|live| live.owner == Owner::This);
        let leftover = members.filter(|member| !self.desired.contains(&member.id));
        // Whether a holder may go follows from what becomes of the others. None of the holders is held by another one.
        let (holders, others): (Vec<&Live>, Vec<&Live>) = leftover.partition(|member| member.holds.is_some());
        let mut items: Vec<Item> = others.into_iter().map(|member| self.item(member, &[])).collect();
        let staying: Vec<ResourceId> =
            items.iter().filter(|item| stays(item)).map(|item| item.id.clone()).collect();
        items.extend(holders.into_iter().map(|holder| self.item(holder, &staying)));
        items
    }

    fn item(&self, member: &Live, staying: &[ResourceId]) -> Item {
        let decision = match self.inputs.goal {
            Goal::Release => Decision::Release,
            _ => self
                .reason_to_keep(member)
                .or_else(|| self.reason_to_keep_holder(member.holds.as_ref()?, staying))
                .map_or(Decision::Prune, |reason| Decision::Kept { reason }),
        };
        let expect = decision.action().map(|_| exactly(&member.token));
        Item {
            id: member.id.clone(),
            decision,
            expect,
            differences: Vec::new(),
            health: member.health.clone(),
            rank: member.rank,
            requires: Vec::new(),
            desired: None,
            live: member.object.clone(),
            member: true,
        }
    }

    fn reason_to_keep_holder(&self, holds: &Holds, staying: &[ResourceId]) -> Option<KeepReason> {
        let is_held = |id: &ResourceId| holds.includes(id);
        if self.desired.iter().copied().chain(staying).any(is_held) {
            Some(KeepReason::Holding)
        } else if self.inputs.observed.unseen.iter().any(|unseen| holds.may_include(unseen)) {
            Some(KeepReason::Unseen)
        } else {
            None
        }
    }

    fn reason_to_keep(&self, member: &Live) -> Option<KeepReason> {
        let Inputs { goal, observed, policy, .. } = self.inputs;
        let kind = member.id.group_kind();
        // First what makes deleting wrong, then what makes it unwanted.
        if self.desired_incarnations.contains(&*member.token.incarnation) {
            Some(KeepReason::SameObject)
        } else if observed.unseen.iter().any(|unseen| unseen.kind == kind) {
            Some(KeepReason::Unseen)
        } else if self.unresolved.contains(&kind) {
            Some(KeepReason::Unresolved)
        } else if member.terminating {
            Some(KeepReason::Terminating)
        } else if member.keep {
            Some(KeepReason::Marked)
        } else if prune_policy(*goal, policy) == Prune::Never {
            Some(KeepReason::PruneIsOff)
        } else if member.precious && !policy.prune_kinds.contains(&kind) {
            Some(KeepReason::Precious)
        } else {
            None
        }
    }
}

/// Whether a member that is not desired will still be there. What is being deleted will not.
fn stays(item: &Item) -> bool {
    matches!(item.decision, Decision::Kept { reason } if reason != KeepReason::Terminating)
}
