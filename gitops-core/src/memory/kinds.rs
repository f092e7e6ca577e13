//! Which kinds a cluster serves.

use std::collections::{BTreeMap, BTreeSet};

use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema, SchemaError, Type, TypeGraph};
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
#[derive(Debug)]
pub(super) struct Kinds {
    scopes: BTreeMap<GroupKind, Scope>,
    /// What is known about those that are defined in the cluster.
    schemas: BTreeMap<GroupKind, TypeGraph>,
    /// Those of them whose status is written by itself.
    with_status: BTreeSet<GroupKind>,
}

impl Kinds {
    /// The kinds that nearly every cluster has.
    pub(super) fn common() -> Self {
        let all = |table: &[(&str, &[&str])], scope| -> Vec<(GroupKind, Scope)> {
            table
                .iter()
                .flat_map(|(group, kinds)| kinds.iter().map(|kind| (GroupKind::new(*group, *kind), scope)))
                .collect()
        };
        let scopes =
            all(&NAMESPACED, Scope::Namespaced).into_iter().chain(all(&CLUSTER, Scope::Cluster)).collect();
        Self { scopes, schemas: BTreeMap::new(), with_status: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, kind: GroupKind, scope: Scope) {
        self.scopes.insert(kind, scope);
    }

    /// Serves what an object defines, if it defines a kind.
    pub(super) fn define(&mut self, object: &Value) -> Result<(), SchemaError> {
        let Some((kind, scope)) = defined_by(object) else { return Ok(()) };
        self.schemas.insert(kind.clone(), TypeGraph::from_crds([object])?);
        let versions = object["spec"]["versions"].as_array();
        let has_status = |version: &Value| version.pointer("/subresources/status").is_some();
        if versions.is_some_and(|versions| versions.iter().any(has_status)) {
            self.with_status.insert(kind.clone());
        } else {
            self.with_status.remove(&kind);
        }
        self.add(kind, scope);
        Ok(())
    }

    pub(super) fn remove(&mut self, kind: &GroupKind) {
        self.scopes.remove(kind);
        self.schemas.remove(kind);
        self.with_status.remove(kind);
    }

    pub(super) fn scope(&self, kind: &GroupKind) -> Option<Scope> {
        self.scopes.get(kind).copied()
    }

    /// Whether the status of such objects is written by itself, and not with the object.
    pub(super) fn has_status(&self, object: &Value) -> bool {
        let of = TypeRef::of(object);
        let is_built_in = |ty: Type<'_>| ty.map().is_some_and(|fields| fields.field("status").is_some());
        self.with_status.contains(&GroupKind::new(of.group, of.kind))
            || BuiltIn.type_of(&of).is_some_and(is_built_in)
    }
}

impl Schema for Kinds {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        let defined = self.schemas.get(&GroupKind::new(kind.group, kind.kind));
        defined.and_then(|schema| schema.type_of(kind)).or_else(|| BuiltIn.type_of(kind))
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
