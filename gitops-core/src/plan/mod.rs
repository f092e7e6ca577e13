//! What would be done, and why: a pure function of the desired state, the observed state and a policy.

mod digest;
mod display;
mod guard;
mod order;
mod planner;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gitops_diff::Difference;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use display::OwnedBy;
pub use display::PlanDisplay;
pub use guard::Guard;
pub use planner::{Goal, Inputs, plan};

use crate::{Action, AppId, Assessment, Digest, Expect, Owner, Placed, ResourceId, Revision, Step, Unseen};

/// What would be done to each object of an application, in order, with reasons.
///
/// A plan serialises for people and programs to read; the objects themselves are not part of that.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The application.
    pub app: AppId,
    /// The revision that would be in force; none when the application is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Whether it is for all objects of the application, or only for those that some hint named.
    pub complete: bool,
    /// Whether it was made from a look at all members: one for all objects can be made from less, if the rest is known.
    #[serde(skip)]
    pub(crate) saw_all_members: bool,
    /// The objects: what is applied by rank, then what is pruned by falling rank, each by id.
    pub items: Vec<Item>,
    /// What could not be read of the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<Unseen>,
    /// Why this plan needs somebody's approval, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    digest: Digest,
}

/// What would be done to one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Item {
    /// The object.
    pub id: ResourceId,
    /// What would be done.
    pub decision: Decision,
    /// On which condition; none where nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// How the live object is doing.
    pub health: Assessment,
    /// Its place in the order.
    pub rank: i32,
    /// Objects of this plan that must be there first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ResourceId>,
    /// What is desired; none for what is no longer desired.
    #[serde(skip)]
    pub desired: Option<Arc<Placed>>,
    /// What is live, where the target had it at hand.
    #[serde(skip)]
    pub live: Option<Arc<Value>>,
    /// Whether the object is a member of the application now.
    pub member: bool,
}

/// What would be done to an object, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// It does not exist.
    Create,
    /// It differs; or only the target can tell whether it does (then the item has no differences).
    Update,
    /// It exists, is not ours, and the policy says to take it over.
    Adopt,
    /// It is ours and no longer desired.
    Prune,
    /// It is ours and is given up.
    Release,
    /// Nothing: it is as desired.
    InSync,
    /// Nothing: the target stores fields otherwise than stated, and would do so again.
    Overruled,
    /// Nothing for now: it differs, or is gone (then the item has no differences), and the policy says to report drift
    /// only.
    Drifted,
    /// Nothing: it exists and is not ours.
    Conflict {
        /// Whose it is.
        owner: Owner,
    },
    /// Nothing: it is no longer desired, and stays on purpose.
    Kept {
        /// Why.
        reason: KeepReason,
    },
    /// Nothing: something must happen elsewhere first.
    Blocked {
        /// What.
        cause: String,
    },
}

/// Why a member that is no longer desired stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeepReason {
    /// The policy does not prune.
    PruneIsOff,
    /// The object is marked to stay.
    Marked,
    /// Deleting it destroys more than itself, and the policy does not name its kind.
    Precious,
    /// The same object is desired under another id (a kind that moved to another group).
    SameObject,
    /// Deleting it deletes what is desired, or what stays.
    Holding,
    /// Not all of its kind could be read, or of what it holds.
    Unseen,
    /// Manifests of its kind could not be placed.
    Unresolved,
    /// It is being deleted already.
    Terminating,
}

impl Decision {
    /// The step to take; none where nothing is done.
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Create => Some(Action::Create),
            Self::Update => Some(Action::Update),
            Self::Adopt => Some(Action::Adopt),
            Self::Prune => Some(Action::Prune),
            Self::Release => Some(Action::Release),
            _ => None,
        }
    }
}

impl Item {
    /// The step to take; none where nothing is done.
    pub fn step(&self) -> Option<Step> {
        Some(Step::new(self.id.clone(), self.decision.action()?, self.expect.clone()?, self.desired.clone()))
    }
}

impl Plan {
    /// The digest over what would be done: the application, the revision, and for each object that would be changed its
    /// id, the change, the incarnation and the fields. Objects that stay as they are, those of which only the target can
    /// tell, and versions that move without changing any of this, do not count. Approval is given to this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.steps().next().is_none()
    }

    /// Whether everything is as desired, and known to be.
    pub fn in_sync(&self) -> bool {
        self.unseen.is_empty()
            && self.items.iter().all(|item| {
                matches!(item.decision, Decision::InSync | Decision::Overruled | Decision::Kept { .. })
            })
    }

    /// The items for which something would be done, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.decision.action().is_some())
    }

    /// How many items have a decision.
    pub fn count(&self, is: impl Fn(&Decision) -> bool) -> usize {
        self.items.iter().filter(|item| is(&item.decision)).count()
    }

    /// Approves this plan, and no other, in somebody's name.
    pub fn approve(&self, by: impl Into<String>) -> Approval {
        let steps = self
            .steps()
            .filter_map(|item| Some(format!("{} {}", item.decision.action()?, item.id)))
            .collect();
        Approval { app: self.app.clone(), digest: self.digest, by: by.into(), steps }
    }

    /// For people: one line for each change, or whole differences.
    pub fn display(&self) -> PlanDisplay<'_> {
        PlanDisplay::new(self)
    }
}

/// Somebody's word that one plan may be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Approval {
    /// The application.
    pub app: AppId,
    /// The plan.
    pub digest: Digest,
    /// Who approved it.
    pub by: String,
    /// The steps of the plan, to say what moved if it is stale; may be empty.
    #[serde(default)]
    pub steps: Vec<String>,
}

impl Approval {
    /// An approval of a digest that came from elsewhere.
    pub fn new(app: AppId, digest: Digest, by: impl Into<String>) -> Self {
        Self { app, digest, by: by.into(), steps: Vec::new() }
    }

    /// How a plan of now differs from the one that was approved.
    pub(crate) fn moved(&self, now: &Plan) -> String {
        let steps = now.approve("").steps;
        let mut moved: Vec<String> = Vec::new();
        if !self.steps.is_empty() {
            moved.extend(
                steps.iter().filter(|step| !self.steps.contains(step)).map(|step| format!("new: {step}")),
            );
            moved.extend(
                self.steps
                    .iter()
                    .filter(|step| !steps.contains(step))
                    .map(|step| format!("no longer: {step}")),
            );
        }
        if moved.is_empty() {
            moved.push("the revision, or the content of a change".to_owned());
        }
        format!("{}; the plan is now {}", moved.join("; "), now.digest)
    }
}
