//! A plan for people.

use std::fmt;

use gitops_diff::{Difference, UnifiedOptions, unified};
use serde_json::Value;

use super::{Decision, Item, KeepReason, Plan};

/// Prints a plan: a line for each object that is not simply in sync, with a line for each field that differs.
#[derive(Debug, Clone, Copy)]
pub struct PlanDisplay<'a> {
    plan: &'a Plan,
    unified: bool,
    color: bool,
}

impl<'a> PlanDisplay<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, unified: false, color: false }
    }

    /// Shows differences as unified YAML, where both sides are at hand.
    #[must_use]
    pub fn unified(mut self) -> Self {
        self.unified = true;
        self
    }

    /// Colours the lines of fields, and the unified differences, for a terminal.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    fn body(&self, item: &Item, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unified
            && let (Some(desired), Some(live)) = (&item.desired, &item.live)
            && !item.differences.is_empty()
        {
            let (live_name, git_name) = (format!("live {}", item.id), desired.manifest.place.to_string());
            let options = UnifiedOptions::default().with_names(live_name, git_name).with_colour(self.color);
            let wanted = put_right(live, &desired.manifest.object(), &item.differences);
            return write!(f, "{}", unified(live, &wanted, &options));
        }
        let mut lines =
            item.differences.iter().map(|difference| difference.display().with_colour(self.color));
        lines.try_for_each(|line| writeln!(f, "    {line}"))
    }
}

impl fmt::Display for PlanDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut quiet = 0;
        for item in &self.plan.items {
            if item.decision == Decision::InSync {
                quiet += 1;
                continue;
            }
            writeln!(f, "{} {}{}", sign(&item.decision), item.id, Why(&item.decision))?;
            self.body(item, f)?;
        }
        for unseen in &self.plan.unseen {
            let namespace = unseen.namespace.as_deref().map(|n| format!(" in {n}")).unwrap_or_default();
            writeln!(f, "? {}{namespace} cannot be read: {}", unseen.kind, unseen.fault)?;
        }
        let steps = self.plan.steps().count();
        write!(f, "{steps} to change, {quiet} in sync")?;
        match &self.plan.guard {
            Some(guard) => write!(f, "; needs approval: {guard}"),
            None => Ok(()),
        }
    }
}

/// The live object as it would be after an apply.
fn put_right(live: &Value, desired: &Value, differences: &[Difference]) -> Value {
    let mut wanted = live.clone();
    for difference in differences {
        match difference.path.get(desired) {
            Some(value) => difference.path.set(&mut wanted, value.clone()),
            None => difference.path.remove(&mut wanted),
        };
    }
    wanted
}

fn sign(decision: &Decision) -> char {
    match decision {
        Decision::Create => '+',
        Decision::Update => '~',
        Decision::Adopt => '>',
        Decision::Prune => '-',
        Decision::Release => '<',
        Decision::InSync | Decision::Kept { .. } => '=',
        Decision::Overruled | Decision::Drifted | Decision::Conflict { .. } | Decision::Blocked { .. } => '!',
    }
}

/// What the sign does not say.
struct Why<'a>(&'a Decision);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Decision::Adopt => f.write_str("  taken over"),
            Decision::Overruled => f.write_str("  the target stores these fields otherwise"),
            Decision::Drifted => f.write_str("  drift, reported only"),
            Decision::Conflict { owner } => write!(f, "  conflict: it exists, and {}", OwnedBy(owner)),
            Decision::Kept { reason } => write!(f, "  stays: {reason}"),
            Decision::Blocked { cause } => write!(f, "  blocked: {cause}"),
            _ => Ok(()),
        }
    }
}

/// "belongs to ..." for a conflict.
pub(crate) struct OwnedBy<'a>(pub(crate) &'a crate::Owner);

impl fmt::Display for OwnedBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            crate::Owner::This => f.write_str("is ours"),
            crate::Owner::Other(app) => write!(f, "belongs to application {app}"),
            crate::Owner::Nobody => f.write_str("belongs to nobody: allow adoption, or remove it"),
            crate::Owner::Unproven => {
                f.write_str("bears a membership label that its application did not set")
            }
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PruneIsOff => "pruning is off",
            Self::Marked => "it is marked to stay",
            Self::Precious => "deleting it destroys more than itself, and the policy does not name its kind",
            Self::SameObject => "it is desired under another id",
            Self::Holding => "deleting it would delete what is desired or stays",
            Self::Unseen => "not all of its kind could be read, or of what it holds",
            Self::Unresolved => "manifests of its kind could not be placed",
            Self::Terminating => "it is being deleted already",
        })
    }
}
