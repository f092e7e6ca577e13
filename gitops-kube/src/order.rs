//! In which order kinds are applied; they are deleted in reverse.
//!
//! The table is our own. It follows what the field's tools agree on (Helm's install order, cli-utils, Flux, kapp):
//! what others live in or are described by comes first, then what grants and limits, then what is read by workloads,
//! then workloads, then what routes to them and scales them, then kinds that nobody knows, and admission webhooks at the end, because a
//! webhook whose backend is not running yet would refuse everything that comes after it.

use gitops_core::{Holds, ResourceId};
use serde_json::Value;

use crate::place::{defined_kind, is_definition, is_namespace};

/// Ranks with gaps, so that a kind can be put between two others.
const TABLE: &[(i32, &str, &[&str])] = &[
    (0, "", &["Namespace"]),
    (10, "apiextensions.k8s.io", &["CustomResourceDefinition"]),
    (20, "scheduling.k8s.io", &["PriorityClass"]),
    (20, "node.k8s.io", &["RuntimeClass"]),
    (20, "storage.k8s.io", &["StorageClass", "CSIDriver", "VolumeAttributesClass"]),
    (20, "networking.k8s.io", &["IngressClass"]),
    (20, "gateway.networking.k8s.io", &["GatewayClass"]),
    (20, "snapshot.storage.k8s.io", &["VolumeSnapshotClass"]),
    (20, "resource.k8s.io", &["DeviceClass"]),
    (30, "", &["ResourceQuota", "LimitRange"]),
    (30, "networking.k8s.io", &["NetworkPolicy"]),
    (30, "policy", &["PodDisruptionBudget"]),
    (40, "", &["ServiceAccount"]),
    (50, "rbac.authorization.k8s.io", &["ClusterRole", "Role"]),
    (60, "rbac.authorization.k8s.io", &["ClusterRoleBinding", "RoleBinding"]),
    (70, "", &["ConfigMap", "Secret"]),
    (80, "", &["PersistentVolume"]),
    (90, "", &["PersistentVolumeClaim"]),
    (100, "", &["Service"]),
    (110, "apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    (110, "", &["Pod", "ReplicationController"]),
    (110, "batch", &["Job", "CronJob"]),
    (120, "autoscaling", &["HorizontalPodAutoscaler"]),
    (120, "networking.k8s.io", &["Ingress"]),
    (130, "apiregistration.k8s.io", &["APIService"]),
    (
        150,
        "admissionregistration.k8s.io",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    ),
];
/// Kinds that are in no row: mostly custom ones, whose controllers are workloads.
const OTHERS: i32 = 140;

/// The place of a kind in the order; lower goes first.
pub(crate) fn rank(group: &str, kind: &str) -> i32 {
    TABLE
        .iter()
        .find(|(_, of, kinds)| *of == group && kinds.contains(&kind))
        .map_or(OTHERS, |(rank, _, _)| *rank)
}

/// Whether deleting an object of this kind destroys more than itself.
pub(crate) fn is_precious(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// What the API server deletes with an object.
pub(crate) fn holds(id: &ResourceId, object: &Value) -> Option<Holds> {
    if is_namespace(id) {
        return Some(Holds::Namespace(id.name.clone()));
    }
    if is_definition(id) { defined_kind(object).map(Holds::Kind) } else { None }
}

#[cfg(test)]
mod tests {
    use gitops_core::GroupKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_and_a_definition_take_others_along() {
        let namespace = ResourceId::global("", "Namespace", "shop");
        assert_eq!(holds(&namespace, &json!({})), Some(Holds::Namespace("shop".into())));
        let crd =
            ResourceId::global("apiextensions.k8s.io", "CustomResourceDefinition", "backups.example.com");
        let object =
            json!({"spec": {"group": "example.com", "names": {"kind": "Backup", "plural": "backups"}}});
        assert_eq!(holds(&crd, &object), Some(Holds::Kind(GroupKind::new("example.com", "Backup"))));
        let claim = ResourceId::namespaced("", "PersistentVolumeClaim", "shop", "data");
        assert_eq!(holds(&claim, &json!({})), None);
    }

    #[test]
    fn what_others_need_goes_first() {
        let order = [
            ("", "Namespace"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("", "ServiceAccount"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
            ("", "ConfigMap"),
            ("", "Service"),
            ("apps", "Deployment"),
            ("networking.k8s.io", "Ingress"),
            ("example.com", "Backup"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ];
        assert!(order.is_sorted_by(|a, b| rank(a.0, a.1) < rank(b.0, b.1)));
    }

    #[test]
    fn the_group_counts() {
        assert_eq!(rank("serving.knative.dev", "Service"), OTHERS);
        assert!(is_precious("", "Namespace") && !is_precious("example.com", "Namespace"));
    }
}
