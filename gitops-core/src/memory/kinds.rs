//! Which kinds a cluster serves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::GroupKind;

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They belong to the whole cluster.
    Cluster,
}

const NAMESPACED: [(&str, &[&str]); 7] = [
    (
        "",
        &[
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("batch", &["CronJob", "Job"]),
    ("networking.k8s.io", &["Ingress", "NetworkPolicy"]),
    ("policy", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", &["Role", "RoleBinding"]),
];

const CLUSTER: [(&str, &[&str]); 5] = [
    ("", &["Namespace", "Node", "PersistentVolume"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["StorageClass"]),
];

/// The kinds a cluster serves, by group and kind.
#[derive(Debug, Clone)]
pub(super) struct Kinds(BTreeMap<GroupKind, Scope>);

impl Kinds {
    /// The kinds that nearly every cluster has.
    pub(super) fn common() -> Self {
        let all = |table: &[(&str, &[&str])], scope| -> Vec<(GroupKind, Scope)> {
            table
                .iter()
                .flat_map(|(group, kinds)| kinds.iter().map(|kind| (GroupKind::new(*group, *kind), scope)))
                .collect()
        };
        Self(all(&NAMESPACED, Scope::Namespaced).into_iter().chain(all(&CLUSTER, Scope::Cluster)).collect())
    }

    pub(super) fn add(&mut self, kind: GroupKind, scope: Scope) {
        self.0.insert(kind, scope);
    }

    pub(super) fn remove(&mut self, kind: &GroupKind) {
        self.0.remove(kind);
    }

    pub(super) fn scope(&self, kind: &GroupKind) -> Option<Scope> {
        self.0.get(kind).copied()
    }
}

/// The kind that a `CustomResourceDefinition` defines.
pub(super) fn defined_by(object: &Value) -> Option<(GroupKind, Scope)> {
    if object.get("kind")?.as_str()? != "CustomResourceDefinition" {
        return None;
    }
    let spec = object.get("spec")?;
    let kind = GroupKind::new(spec.get("group")?.as_str()?, spec.get("names")?.get("kind")?.as_str()?);
    let scope = if spec.get("scope")?.as_str()? == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
    Some((kind, scope))
}
