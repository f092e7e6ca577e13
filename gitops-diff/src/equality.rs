//! When two values mean the same although they are written differently.

use serde_json::Value;

use crate::list_keys::{TypeRef, is_empty};
use crate::{FieldPath, PathElement, Quantity, canonical};

/// Whether two scalars at this path mean the same.
///
/// Numbers compare by value, quantities by amount. Text and numbers are different things (a port `80` and `"80"`), but
/// for quantities, which may be written either way.
pub(crate) fn equivalent(a: &Value, b: &Value, object: &TypeRef<'_>, path: &FieldPath) -> bool {
    canonical::same(a, b)
        || is_quantity(object, path)
            && Quantity::from_value(a).is_some_and(|a| Quantity::from_value(b).is_some_and(|b| a == b))
}

/// Whether a value says anything: an empty map or list, null, and maps of nothing but such do not.
///
/// The API server drops them where its types have no empty value, so absent and empty are the same to a reader.
pub(crate) fn says_something(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(says_something),
        other => !is_empty(other),
    }
}

/// Whether there is a quantity at this path, by what the fields are called in Kubernetes' own kinds.
#[expect(clippy::match_same_arms, reason = "a table: one place a line")]
pub(crate) fn is_quantity(object: &TypeRef<'_>, path: &FieldPath) -> bool {
    let names: Vec<&str> =
        path.elements().iter().map(|e| if let PathElement::Field(name) = e { name } else { "*" }).collect();
    match names[..] {
        // Resource requirements are used by custom kinds as well.
        [.., "resources", "limits" | "requests", _]
        | [.., "emptyDir", "sizeLimit"]
        | [.., "resourceFieldRef", "divisor"] => true,
        _ if !object.is_built_in() => false,
        [.., "overhead", _]
        | ["spec", "limits", "*", "max" | "min" | "default" | "defaultRequest" | "maxLimitRequestRatio", _] => {
            true
        }
        ["spec" | "status", "hard" | "used", _] => object.kind == "ResourceQuota",
        ["spec" | "status", "capacity" | "allocatable" | "allocatedResources", _]
        | ["capacity" | "maximumVolumeSize"] => true,
        ["spec", "metrics", "*", _, .., "averageValue" | "value" | "targetAverageValue" | "targetValue"] => {
            object.kind == "HorizontalPodAutoscaler"
        }
        ["overhead", "podFixed", _] => object.kind == "RuntimeClass",
        _ => false,
    }
}

/// What the API server writes into a field of an item of an atomic list, or of an atomic map, when it is not stated.
///
/// Other defaults need no table: what Git does not state is not compared. Inside an atomic value all counts, so what the
/// server adds must be known. The sources are the defaulting functions of Kubernetes 1.36.
#[expect(clippy::match_same_arms, reason = "a table: one place a line")]
pub(crate) fn is_default(object: &TypeRef<'_>, path: &FieldPath, value: &Value) -> bool {
    if !object.is_built_in() {
        return false;
    }
    let names: Vec<&str> =
        path.elements().iter().map(|e| if let PathElement::Field(name) = e { name } else { "*" }).collect();
    let text = value.as_str();
    match names[..] {
        [.., "fieldRef", "apiVersion"] => text == Some("v1"),
        [.., "resourceFieldRef", "divisor"] => text == Some("0"),
        ["spec", "volumeClaimTemplates", "*", "apiVersion"] => text == Some("v1"),
        ["spec", "volumeClaimTemplates", "*", "kind"] => text == Some("PersistentVolumeClaim"),
        ["spec", "volumeClaimTemplates", "*", "status"] => true,
        ["spec", "volumeClaimTemplates", "*", "spec", "volumeMode"] => text == Some("Filesystem"),
        ["spec", "ingress" | "egress", "*", "ports", "*", "protocol"]
        | ["subsets", "*", "ports", "*", "protocol"]
        | ["ports", "*", "protocol"] => text == Some("TCP"),
        ["ports", "*", "name"] => text == Some(""),
        ["webhooks", "*", "rules", "*", "scope"]
        | ["spec", "matchConstraints", "resourceRules" | "excludeResourceRules", "*", "scope"] => {
            text == Some("*")
        }
        ["spec", "matchConstraints" | "matchResources", "matchPolicy"] => text == Some("Equivalent"),
        ["subjects", "*", "apiGroup"] => matches!(text, Some("" | "rbac.authorization.k8s.io")),
        ["roleRef", "apiGroup"] => text == Some("rbac.authorization.k8s.io"),
        [.., "projected", "sources", "*", "serviceAccountToken", "expirationSeconds"] => value == 3600,
        [.., "podFailurePolicy", "rules", "*", "onPodConditions", "*", "status"] => text == Some("True"),
        [.., "httpHeaders", "*", "value"] => text == Some(""),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_only_where_they_are() {
        let deployment = TypeRef { group: "apps", version: "v1", kind: "Deployment" };
        let same = |path: &str, a: Value, b: Value| equivalent(&a, &b, &deployment, &path.parse().unwrap());
        let cpu = r#".spec.template.spec.containers[name="web"].resources.limits.cpu"#;
        assert!(same(cpu, json!("1000m"), json!(1)));
        assert!(same(cpu, json!("0.5Gi"), json!("512Mi")));
        assert!(!same(cpu, json!("1001m"), json!("1")));
        assert!(!same(".metadata.labels.memory", json!("0.5Gi"), json!("512Mi")));
        assert!(!same(".spec.port", json!(80), json!("80")));
        assert!(same(".spec.ratio", json!(1), json!(1.0)));
    }

    #[test]
    fn quantity_paths() {
        for (group, kind, path, expected) in [
            ("", "ResourceQuota", r#".spec.hard["limits.cpu"]"#, true),
            ("", "PersistentVolume", ".spec.capacity.storage", true),
            ("", "PersistentVolumeClaim", ".spec.resources.requests.storage", true),
            ("", "LimitRange", ".spec.limits[0].default.cpu", true),
            ("autoscaling", "HorizontalPodAutoscaler", ".spec.metrics[0].pods.target.averageValue", true),
            ("apps", "Deployment", r#".spec.template.spec.volumes[name="v"].emptyDir.sizeLimit"#, true),
            ("example.com", "Gadget", ".spec.resources.requests.cpu", true),
            ("example.com", "Gadget", ".spec.capacity.storage", false),
            ("apps", "Deployment", ".spec.replicas", false),
        ] {
            let object = TypeRef { group, version: "v1", kind };
            assert_eq!(is_quantity(&object, &path.parse().unwrap()), expected, "{kind} {path}");
        }
    }
}
