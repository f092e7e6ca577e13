//! The server's defaults inside atomic values.

use serde_json::json;

use super::*;

#[test]
fn atomic_values_compare_whole_but_for_defaults() {
    let policy = |rules: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"ingress": rules}});
    let git = policy(json!([{"ports": [{"port": 80}]}]));
    assert_eq!(
        drift(&git, &policy(json!([{"ports": [{"port": 80, "protocol": "TCP"}]}]))),
        Vec::<String>::new()
    );
    assert_eq!(drift(&git, &policy(json!([{"ports": [{"port": 80, "protocol": "UDP"}]}]))).len(), 1);
    assert_eq!(drift(&git, &policy(json!([{"ports": [{"port": 80}]}, {}]))).len(), 1);
    let selector =
        |labels: Value| json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": labels}});
    assert_eq!(
        drift(&selector(json!({"a": "1"})), &selector(json!({"a": "1", "b": "2"}))),
        [r#".spec.selector.b  Git absent, live "2""#]
    );
    // Of an unknown kind, the item that was added to the list is named, and its order counts.
    let gadget =
        |items: Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": {"items": items}});
    let (a, b) = (json!({"name": "a"}), json!({"name": "b"}));
    assert_eq!(
        drift(&gadget(json!([a])), &gadget(json!([a, b]))),
        [r#".spec.items[name="b"]  Git absent, live {"name":"b"}"#]
    );
    assert_eq!(drift(&gadget(json!([a, b])), &gadget(json!([b, a]))).len(), 1);
}

/// What the API server stores for each of these is no difference.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one place a row")]
fn defaults_inside_atomic_values() {
    let pod = |volume: Value, container: Value| {
        let mut volumes = volume;
        volumes["name"] = json!("v");
        let mut containers = container;
        containers["name"] = json!("c");
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [volumes], "containers": [containers]}})
    };
    let of = |api: &str, kind: &str, mut fields: Value| {
        fields["apiVersion"] = json!(api);
        fields["kind"] = json!(kind);
        fields
    };
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let mut stored = claim.clone();
    stored["apiVersion"] = json!("v1");
    stored["kind"] = json!("PersistentVolumeClaim");
    stored["metadata"]["creationTimestamp"] = json!(null);
    stored["spec"]["volumeMode"] = json!("Filesystem");
    stored["spec"]["resources"]["requests"]["storage"] = json!("1024Mi");
    stored["status"] = json!({"phase": "Pending"});
    let devices = |request: Value| {
        of("resource.k8s.io/v1", "ResourceClaim", json!({"spec": {"devices": {"requests": [request]}}}))
    };
    let webhook = |rule: Value| {
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            json!({"webhooks": [{"name": "w", "rules": [rule]}]}),
        )
    };
    let rule =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let with = |value: &Value, field: &str, more: Value| {
        let mut value = value.clone();
        value[field] = more;
        value
    };
    let policy = |rules: Value| {
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            json!({"spec": {"matchConstraints": rules}}),
        )
    };
    let subject = |subject: Value| {
        of(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"subjects": [subject], "roleRef": {"kind": "Role", "name": "r"}}),
        )
    };
    let role_ref = |group: Option<&str>| {
        let mut reference = json!({"kind": "Role", "name": "r"});
        if let Some(group) = group {
            reference["apiGroup"] = json!(group);
        }
        of("rbac.authorization.k8s.io/v1", "RoleBinding", json!({"roleRef": reference}))
    };
    for (git, live) in [
        (
            pod(
                json!({"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}, {"path": "c", "resourceFieldRef": {"resource": "limits.cpu", "containerName": "c"}}]}}),
                json!({}),
            ),
            pod(
                json!({"downwardAPI": {"defaultMode": 420, "items": [{"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}, {"path": "c", "resourceFieldRef": {"resource": "limits.cpu", "containerName": "c", "divisor": "0"}}]}}),
                json!({}),
            ),
        ),
        (
            pod(
                json!({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}}),
                json!({}),
            ),
            pod(
                json!({"projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}, {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}]}}]}}),
                json!({}),
            ),
        ),
        (
            pod(
                json!({"emptyDir": {}}),
                json!({"livenessProbe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "Host"}]}}}),
            ),
            pod(
                json!({"emptyDir": {}}),
                json!({"livenessProbe": {"periodSeconds": 10, "httpGet": {"port": 80, "path": "/", "scheme": "HTTP", "httpHeaders": [{"name": "Host", "value": ""}]}}}),
            ),
        ),
        (
            of("apps/v1", "StatefulSet", json!({"spec": {"volumeClaimTemplates": [claim]}})),
            of("apps/v1", "StatefulSet", json!({"spec": {"volumeClaimTemplates": [stored]}})),
        ),
        (
            of(
                "batch/v1",
                "Job",
                json!({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}}}),
            ),
            of(
                "batch/v1",
                "Job",
                json!({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}}}),
            ),
        ),
        (
            of(
                "v1",
                "Endpoints",
                json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
            ),
            of(
                "v1",
                "Endpoints",
                json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80, "protocol": "TCP"}]}]}),
            ),
        ),
        (
            of(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({"ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}),
            ),
            of(
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({"ports": [{"port": 80, "name": "", "protocol": "TCP"}], "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]}),
            ),
        ),
        (webhook(rule.clone()), webhook(with(&rule, "scope", json!("*")))),
        (
            policy(json!({"resourceRules": [rule]})),
            policy(
                json!({"resourceRules": [with(&rule, "scope", json!("*"))], "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}),
            ),
        ),
        (
            subject(json!({"kind": "User", "name": "ada"})),
            subject(json!({"kind": "User", "name": "ada", "apiGroup": "rbac.authorization.k8s.io"})),
        ),
        (
            subject(json!({"kind": "ServiceAccount", "name": "a", "namespace": "n", "apiGroup": ""})),
            subject(json!({"kind": "ServiceAccount", "name": "a", "namespace": "n"})),
        ),
        (role_ref(None), role_ref(Some("rbac.authorization.k8s.io"))),
        (
            devices(
                json!({"name": "gpu", "exactly": {"deviceClassName": "g", "tolerations": [{"key": "k"}]}}),
            ),
            devices(
                json!({"name": "gpu", "exactly": {"deviceClassName": "g", "allocationMode": "ExactCount", "count": 1, "tolerations": [{"key": "k", "operator": "Equal"}]}}),
            ),
        ),
        (
            of(
                "resource.k8s.io/v1",
                "ResourceClaimTemplate",
                json!({"spec": {"spec": {"devices": {"requests": [{"name": "g", "firstAvailable": [{"name": "a", "deviceClassName": "g"}]}]}}}}),
            ),
            of(
                "resource.k8s.io/v1",
                "ResourceClaimTemplate",
                json!({"spec": {"spec": {"devices": {"requests": [{"name": "g", "firstAvailable": [{"name": "a", "deviceClassName": "g", "allocationMode": "ExactCount", "count": 1}]}]}}}}),
            ),
        ),
        (
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1000m"}, "min": {"memory": "1Gi"}}]}}),
            ),
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Gi"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1", "memory": "1Gi"}}]}}),
            ),
        ),
        (
            of("v1", "Pod", json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}})),
            of(
                "v1",
                "Pod",
                json!({"spec": {"tolerations": [
                    {"key": "a", "operator": "Exists"},
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                ]}}),
            ),
        ),
        (
            of(
                "networking.k8s.io/v1beta1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}}),
            ),
            of(
                "networking.k8s.io/v1beta1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific"}]}}]}}),
            ),
        ),
    ] {
        assert_eq!(drift(&git, &live), Vec::<String>::new(), "{git}");
    }
    // Another value in the same place is one, and so is the same value where it is no default.
    for (git, live) in [
        (webhook(rule.clone()), webhook(with(&rule, "scope", json!("Namespaced")))),
        (
            subject(json!({"kind": "User", "name": "ada"})),
            subject(json!({"kind": "User", "name": "ada", "apiGroup": "x"})),
        ),
        (
            of("v1", "LimitRange", json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}})),
            of(
                "v1",
                "LimitRange",
                json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}}]}}),
            ),
        ),
        (
            of(
                "networking.k8s.io/v1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}}),
            ),
            of(
                "networking.k8s.io/v1",
                "Ingress",
                json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific"}]}}]}}),
            ),
        ),
        (
            of("example.com/v1", "Gadget", json!({"spec": {"ports": [{"port": 1}]}})),
            of("example.com/v1", "Gadget", json!({"spec": {"ports": [{"port": 1, "protocol": "TCP"}]}})),
        ),
        (
            of(
                "apps/v1",
                "Deployment",
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "a"}]}}}}),
            ),
            of(
                "apps/v1",
                "Deployment",
                json!({"spec": {"template": {"spec": {"tolerations": [{"key": "a"}, {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]}}}}),
            ),
        ),
    ] {
        assert_ne!(drift(&git, &live), Vec::<String>::new(), "{git} {live}");
    }
}
