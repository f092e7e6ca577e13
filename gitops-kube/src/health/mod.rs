//! Health of Kubernetes objects: pure functions of one object, as the API server returns it, and a time.
//!
//! [`BuiltInHealth`] knows kinds of Kubernetes itself, [`ConditionsHealth`] every other kind that reports by conditions.
//! [`rules`] gives both in the order in which to ask them; a rule of your own goes before them. An object that no rule
//! knows is healthy because it exists (see [`gitops_core::assess`]).
//!
//! # Where the rules come from
//!
//! Two systems of the field have written down what "done" means: Argo CD's engine, and kstatus, which Flux uses. Where
//! they disagree, the stricter reading holds here, because a rollout that goes on too early does harm and one that waits
//! is seen:
//!
//! | object | Argo CD | kstatus | here | why |
//! |---|---|---|---|---|
//! | running Job | Progressing | Current | Progressing | what waits for it needs its result |
//! | suspended Job | Suspended | Current | Suspended | it does nothing until somebody resumes it |
//! | failed Pod | Degraded | Current | Degraded | it ended, but not well |
//! | Pod that cannot be scheduled for 15 s | Progressing | Failed | Degraded | somebody has to act |
//! | Pod in `CrashLoopBackOff`, restart policy not `Always` | Progressing | Failed | Degraded | the policy changes nothing about the loop |
//! | Pod whose image cannot be pulled | Degraded | `InProgress` | Degraded | the name or the access is wrong |
//! | Pod that is ready and will end (restart policy not `Always`) | Progressing | Current | Progressing | it has still to end |
//! | `ReplicaSet` with `ReplicaFailure` | Degraded | `InProgress` | Degraded | Pods are refused: a quota, an admission policy |
//! | lost volume claim | Degraded | `InProgress` | Degraded | its volume is gone |
//! | Service of type `LoadBalancer` without an address | Progressing | Current | Progressing | nobody can reach it from outside |
//! | Ingress without an address, `APIService` not available | Progressing | Current | Progressing | nobody can reach it |
//! | `StatefulSet` with strategy `OnDelete` that lacks ready Pods | Progressing | Current | Progressing | the strategy concerns updates, not availability |
//! | Deployment whose condition `Available` is not True | not asked | `InProgress` | Progressing | its Pods are not available for long enough |
//!
//! Both are left where they are wrong or say less than the object does:
//! - An address list that holds an empty entry (`ingress: [{}]`) is no address: Argo CD calls it healthy.
//! - A Job with the condition `Suspended` = `False` was resumed and runs: Argo CD calls it healthy. A Job is suspended
//!   when both its spec and its condition say so; in between it is progressing.
//! - An autoscaler is healthy when it can scale; that its wish is limited (`ScalingLimited`) does not show that it can.
//! - A paused `Deployment` is Suspended also while it runs both old and new Pods, since nobody continues its rollout;
//!   but only after its controller has seen the pause.
//! - [`ConditionsHealth`] lets `Stalled` win over `Reconciling` wherever they stand in the list: kstatus takes the first.
//! - A `DaemonSet` without `metadata.generation` is judged by its numbers; kstatus waits for ever. The API server always
//!   sets it.
//!
//! Two reasons are read that neither reads: a Pod whose image has no valid name is degraded (`InvalidImageName`), and a
//! Job is degraded as soon as it is bound to fail (`FailureTarget`). The annotation
//! `argocd.argoproj.io/ignore-restart-policy` on a Pod is honoured for those who have it in their manifests.
//!
//! # What every rule does first
//!
//! An object with a `deletionTimestamp` is Progressing (`Terminating`), whatever its kind. One whose
//! `status.observedGeneration` differs from its `metadata.generation` is Progressing, because its status speaks of
//! another spec; for kinds whose controller always reports the generation, a missing report counts as a different one.
//!
//! # Time
//!
//! Only a Pod that cannot be scheduled changes its health by time alone, and says so in
//! [`recheck_after`](gitops_core::Assessment::recheck_after). A missed progress deadline is written into the
//! `Deployment` by its controller, and is believed when it is there.
//!
//! # Secrets
//!
//! No message quotes fields of a Secret, the output of a container (its termination message), or an error that may hold
//! its command line. Messages of conditions are quoted, at most 512 characters of them.

mod apis;
mod claim;
mod conditions;
mod deployment;
mod gate;
mod job;
mod network;
mod pod;
mod read;
mod scaling;
mod sets;

use std::sync::Arc;

use gitops_core::{Assessment, HealthRule, Timestamp};
use serde_json::Value;

pub use conditions::ConditionsHealth;

/// The rules of this module, in the order in which to ask them.
pub fn rules() -> Vec<Arc<dyn HealthRule>> {
    vec![Arc::new(BuiltInHealth), Arc::new(ConditionsHealth)]
}

/// The health of kinds of Kubernetes itself: Pod, Deployment, `ReplicaSet`, `StatefulSet`, `DaemonSet`, Job, `CronJob`,
/// Service, Ingress, `PersistentVolumeClaim`, Namespace, `CustomResourceDefinition`, `APIService`,
/// `HorizontalPodAutoscaler` and `PodDisruptionBudget`, in all their versions; and of every object that is being
/// deleted. No answer for any other kind.
///
/// ```
/// use gitops_core::{Health, HealthRule, Timestamp};
/// use gitops_kube::health::BuiltInHealth;
/// let claim = serde_json::json!({
///     "apiVersion": "v1", "kind": "PersistentVolumeClaim",
///     "metadata": { "name": "data" }, "status": { "phase": "Pending" },
/// });
/// let assessment = BuiltInHealth.assess(&claim, Timestamp::UNIX_EPOCH).unwrap();
/// assert_eq!(assessment.health, Health::Progressing);
/// assert_eq!(assessment.reason, "NotBound");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInHealth;

/// The rule of one kind, and whether its controller always reports the generation that it has seen.
type Rule = (fn(&Value, Timestamp) -> Assessment, gate::Reports);

impl HealthRule for BuiltInHealth {
    fn assess(&self, object: &Value, now: Timestamp) -> Option<Assessment> {
        if let Some(terminating) = gate::terminating(object) {
            return Some(terminating);
        }
        let (rule, reports) = rule_of(read::group(object), read::kind(object))?;
        Some(gate::not_observed(object, reports).unwrap_or_else(|| rule(object, now)))
    }
}

fn rule_of(group: &str, kind: &str) -> Option<Rule> {
    use gate::Reports::{Always, Maybe};
    Some(match (group, kind) {
        ("", "Pod") => (pod::pod, Maybe),
        ("", "Service") => (network::service, Maybe),
        ("", "PersistentVolumeClaim") => (claim::claim, Maybe),
        ("", "Namespace") => (apis::namespace, Maybe),
        ("apps", "Deployment") => (deployment::deployment, Always),
        ("apps", "ReplicaSet") => (deployment::replica_set, Always),
        ("apps", "StatefulSet") => (sets::stateful_set, Always),
        ("apps", "DaemonSet") => (sets::daemon_set, Always),
        ("batch", "Job") => (job::job, Maybe),
        ("batch", "CronJob") => (job::cron_job, Maybe),
        ("networking.k8s.io", "Ingress") => (network::ingress, Maybe),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => (apis::definition, Maybe),
        ("apiregistration.k8s.io", "APIService") => (apis::api_service, Maybe),
        ("autoscaling", "HorizontalPodAutoscaler") => (scaling::autoscaler, Maybe),
        ("policy", "PodDisruptionBudget") => (scaling::disruption_budget, Always),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
