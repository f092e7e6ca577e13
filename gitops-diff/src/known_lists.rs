//! The lists of Kubernetes' own kinds, as far as the everyday kinds go.
//!
//! Checked by hand against the structured-merge-diff schema of Kubernetes 1.36. What is not named here is atomic.

use crate::list_keys::{ListKey, ListKeys, ListKind, TypeRef};
use crate::{FieldPath, PathElement};

/// [`ListKeys`] for the built-in kinds that people deploy; the lists of all other kinds are atomic, except for
/// `metadata.finalizers` and `metadata.ownerReferences`.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownLists;

static NAME: [ListKey; 1] = [ListKey::new("name")];
static TYPE: [ListKey; 1] = [ListKey::new("type")];
static UID: [ListKey; 1] = [ListKey::new("uid")];
static IP: [ListKey; 1] = [ListKey::new("ip")];
static MOUNT_PATH: [ListKey; 1] = [ListKey::new("mountPath")];
static DEVICE_PATH: [ListKey; 1] = [ListKey::new("devicePath")];
static CONTAINER_PORT: [ListKey; 2] =
    [ListKey::new("containerPort"), ListKey::with_default("protocol", "TCP")];
static PORT: [ListKey; 2] = [ListKey::new("port"), ListKey::with_default("protocol", "TCP")];
static SPREAD: [ListKey; 2] = [ListKey::new("topologyKey"), ListKey::new("whenUnsatisfiable")];

/// A path as its field names, with `*` for an item of a list.
fn names(path: &FieldPath) -> Vec<&str> {
    path.elements().iter().map(|e| if let PathElement::Field(name) = e { name } else { "*" }).collect()
}

/// The part of a path below the pod specification, where it is in one.
fn in_pod_spec<'p, 'a>(object: &TypeRef<'_>, path: &'p [&'a str]) -> Option<&'p [&'a str]> {
    let prefix: &[&str] = match (object.group, object.kind) {
        ("", "Pod") => &["spec"],
        ("", "PodTemplate") => &["template", "spec"],
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("", "ReplicationController")
        | ("batch", "Job") => &["spec", "template", "spec"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    };
    path.strip_prefix(prefix)
}

#[expect(clippy::match_same_arms, reason = "a table: one place a line")]
fn of_pod_spec(path: &[&str]) -> ListKind<'static> {
    match path {
        [
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "imagePullSecrets"
            | "resourceClaims"
            | "schedulingGates"
            | "volumes",
        ] => ListKind::Map(&NAME),
        ["hostAliases"] => ListKind::Map(&IP),
        ["topologySpreadConstraints"] => ListKind::Map(&SPREAD),
        ["containers" | "initContainers" | "ephemeralContainers", "*", rest @ ..] => match rest {
            ["env"] | ["resources", "claims"] => ListKind::Map(&NAME),
            ["ports"] => ListKind::Map(&CONTAINER_PORT),
            ["volumeMounts"] => ListKind::Map(&MOUNT_PATH),
            ["volumeDevices"] => ListKind::Map(&DEVICE_PATH),
            _ => ListKind::Atomic,
        },
        ["resources", "claims"] => ListKind::Map(&NAME),
        _ => ListKind::Atomic,
    }
}

impl ListKeys for KnownLists {
    #[expect(clippy::match_same_arms, reason = "a table: one place a line")]
    fn keys_of(&self, object: &TypeRef<'_>, path: &FieldPath) -> ListKind<'_> {
        let path = names(path);
        match path[..] {
            ["metadata", .., "finalizers"] if path.len() == 2 => return ListKind::Set,
            ["metadata", .., "ownerReferences"] if path.len() == 2 => return ListKind::Map(&UID),
            _ => {}
        }
        if !object.is_built_in() {
            return ListKind::Atomic;
        }
        if let Some(rest) = in_pod_spec(object, &path) {
            return of_pod_spec(rest);
        }
        match (object.group, object.kind, &path[..]) {
            ("", "Service", ["spec", "ports"]) => ListKind::Map(&PORT),
            ("", "ServiceAccount", ["secrets"]) => ListKind::Map(&NAME),
            ("", "Node", ["spec", "podCIDRs"]) => ListKind::Set,
            ("", "Node", ["status", "addresses"]) => ListKind::Map(&TYPE),
            ("", "Pod", ["status", "podIPs"]) => ListKind::Map(&IP),
            // A Job's conditions are atomic.
            ("batch", ..) => ListKind::Atomic,
            (_, _, ["status", "conditions"]) => ListKind::Map(&TYPE),
            ("admissionregistration.k8s.io", kind, path) => of_admission(kind, path),
            ("storage.k8s.io", "CSINode", ["spec", "drivers"]) => ListKind::Map(&NAME),
            ("storage.k8s.io", "CSIDriver", ["spec", "volumeLifecycleModes"]) => ListKind::Set,
            ("resource.k8s.io", "ResourceClaim", ["status", "reservedFor"]) => ListKind::Map(&UID),
            _ => ListKind::Atomic,
        }
    }

    fn is_atomic_map(&self, object: &TypeRef<'_>, path: &FieldPath) -> bool {
        let path = names(path);
        if matches!(path[..], ["metadata", "ownerReferences", "*"]) {
            return true;
        }
        if !object.is_built_in() {
            return false;
        }
        match path[..] {
            // References and selectors: types that are atomic wherever they are used.
            [
                ..,
                "configMapKeyRef"
                | "secretKeyRef"
                | "fieldRef"
                | "resourceFieldRef"
                | "fileKeyRef"
                | "labelSelector"
                | "podSelector"
                | "namespaceSelector"
                | "objectSelector"
                | "nodeSelector"
                | "scopeSelector"
                | "roleRef"
                | "paramKind"
                | "paramRef"
                | "matchConstraints"
                | "matchResources"
                | "secretRef"
                | "nodePublishSecretRef"
                | "dataSource",
            ]
            | ["spec", .., "selector"]
            | [.., "imagePullSecrets", "*"]
            | [.., "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution" | "required"]
            | [.., "backend" | "defaultBackend", "service", "port"] => true,
            ["secrets", "*"] => object.kind == "ServiceAccount",
            ["spec", "scaleTargetRef"] => object.group == "autoscaling" && object.version == "v1",
            _ => false,
        }
    }
}

fn of_admission(kind: &str, path: &[&str]) -> ListKind<'static> {
    match (kind, path) {
        (_, ["webhooks"] | ["webhooks", "*", "matchConditions"] | ["spec", "matchConditions"])
        | ("ValidatingAdmissionPolicy", ["spec", "variables"]) => ListKind::Map(&NAME),
        ("ValidatingAdmissionPolicyBinding", ["spec", "validationActions"]) => ListKind::Set,
        _ => ListKind::Atomic,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind_of(api_version: &str, kind: &str, path: &str) -> String {
        let object = json!({"apiVersion": api_version, "kind": kind});
        match KnownLists.keys_of(&TypeRef::of(&object), &path.parse().unwrap()) {
            ListKind::Atomic => "atomic".to_owned(),
            ListKind::Set => "set".to_owned(),
            ListKind::Map(keys) => keys.iter().map(|k| k.name.as_ref()).collect::<Vec<_>>().join("+"),
        }
    }

    #[test]
    fn lists_of_the_everyday_kinds() {
        for (api, kind, path, expected) in [
            ("apps/v1", "Deployment", ".spec.template.spec.containers", "name"),
            (
                "apps/v1",
                "Deployment",
                r#".spec.template.spec.containers[name="a"].ports"#,
                "containerPort+protocol",
            ),
            ("apps/v1", "Deployment", r#".spec.template.spec.containers[name="a"].args"#, "atomic"),
            ("apps/v1", "Deployment", r#".spec.template.spec.initContainers[name="a"].env"#, "name"),
            ("apps/v1", "Deployment", ".spec.template.spec.tolerations", "atomic"),
            ("apps/v1", "Deployment", ".spec.containers", "atomic"),
            ("apps/v1", "Deployment", ".status.conditions", "type"),
            ("batch/v1", "CronJob", ".spec.jobTemplate.spec.template.spec.volumes", "name"),
            ("batch/v1", "Job", ".status.conditions", "atomic"),
            ("v1", "Pod", ".spec.topologySpreadConstraints", "topologyKey+whenUnsatisfiable"),
            ("v1", "Service", ".spec.ports", "port+protocol"),
            ("networking.k8s.io/v1", "Ingress", ".spec.rules", "atomic"),
            ("v1", "ServiceAccount", ".imagePullSecrets", "atomic"),
            ("example.com/v1", "Gadget", ".spec.containers", "atomic"),
            ("example.com/v1", "Gadget", ".metadata.finalizers", "set"),
            ("example.com/v1", "Gadget", ".metadata.ownerReferences", "uid"),
            ("v1", "Namespace", ".spec.finalizers", "atomic"),
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ".webhooks", "name"),
        ] {
            assert_eq!(kind_of(api, kind, path), expected, "{kind} {path}");
        }
    }

    #[test]
    fn atomic_maps() {
        let deployment = TypeRef { group: "apps", version: "v1", kind: "Deployment" };
        let gadget = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };
        let path = |text: &str| text.parse::<FieldPath>().unwrap();
        assert!(KnownLists.is_atomic_map(&deployment, &path(".spec.selector")));
        assert!(KnownLists.is_atomic_map(&deployment, &path(".spec.template.spec.nodeSelector")));
        assert!(!KnownLists.is_atomic_map(&deployment, &path(".metadata.labels")));
        assert!(!KnownLists.is_atomic_map(&gadget, &path(".spec.selector")));
        assert!(KnownLists.is_atomic_map(&gadget, &path(r#".metadata.ownerReferences[uid="1"]"#)));
    }
}
