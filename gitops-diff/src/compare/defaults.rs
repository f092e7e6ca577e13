//! What the API server writes into objects of Kubernetes' own kinds by itself.
//!
//! Most defaults need no table: what Git does not state is not compared. Inside an atomic list or map all counts, so what
//! the server adds there must be known. The tables below are complete for the atomic lists and maps of Kubernetes 1.36:
//! they were found by going through every one of them (structured-merge-diff schema), with the defaulting functions of all
//! types that can be below it (`pkg/apis/*/v*/defaults.go` of `k8s.io/kubernetes`, `apiextensions/v1/defaults.go`, and the
//! `+default` markers of `k8s.io/api`).

use serde_json::{Map, Value};

use crate::{Quantity, TypeRef};

/// A field that only the live side has.
#[derive(Debug)]
pub(super) struct Extra<'a> {
    pub(super) object: &'a TypeRef<'a>,
    /// The way to it: field names, and `*` for an item of a list. The last one is the field's own.
    pub(super) names: &'a [&'a str],
    pub(super) value: &'a Value,
    /// The map that it is in.
    pub(super) parent: &'a Map<String, Value>,
}

impl Extra<'_> {
    /// Whether the API server writes this value where none is stated.
    pub(super) fn is_default(&self) -> bool {
        self.object.is_built_in() && (self.of_any_kind() || self.of_pods() || self.of_its_group())
    }

    fn text(&self) -> Option<&str> {
        self.value.as_str()
    }

    fn sibling(&self, name: &str) -> Option<&str> {
        self.parent.get(name)?.as_str()
    }

    /// Types that are used by several kinds.
    fn of_any_kind(&self) -> bool {
        match self.names {
            // core/v1, SetDefaults_ObjectFieldSelector
            [.., "fieldRef", "apiVersion"] => self.text() == Some("v1"),
            // core/v1, ResourceFieldSelector: a quantity that is held by value
            [.., "resourceFieldRef", "divisor"] => {
                Quantity::from_value(self.value).is_some_and(|quantity| quantity.is_zero())
            }
            _ => false,
        }
    }

    /// What is in pods and their templates.
    fn of_pods(&self) -> bool {
        match self.names {
            // core/v1, SetDefaults_ServiceAccountTokenProjection
            [.., "projected", "sources", "*", "serviceAccountToken", "expirationSeconds"] => {
                self.value == 3600
            }
            // core/v1, HTTPHeader: a text that is written when it is empty
            [.., "httpHeaders", "*", "value"] => self.text() == Some(""),
            // batch/v1, SetDefaults_PodFailurePolicyOnPodConditionsPattern
            [.., "podFailurePolicy", "rules", "*", "onPodConditions", "*", "status"] => {
                self.text() == Some("True")
            }
            _ => false,
        }
    }

    fn of_its_group(&self) -> bool {
        match self.object.group {
            "" => self.of_endpoints(),
            "apps" => self.of_claim_templates(),
            "networking.k8s.io" | "extensions" => self.of_networking(),
            "discovery.k8s.io" => match self.names {
                // discovery/v1, SetDefaults_EndpointPort
                ["ports", "*", "protocol"] => self.text() == Some("TCP"),
                ["ports", "*", "name"] => self.text() == Some(""),
                _ => false,
            },
            "rbac.authorization.k8s.io" => self.of_bindings(),
            "admissionregistration.k8s.io" => self.of_admission(),
            "resource.k8s.io" => self.of_devices(),
            _ => false,
        }
    }

    fn of_endpoints(&self) -> bool {
        // core/v1, SetDefaults_Endpoints
        matches!(self.names, ["subsets", "*", "ports", "*", "protocol"]) && self.text() == Some("TCP")
    }

    /// `apps/v1`: the claims of a `StatefulSet` are whole objects, with defaults of their own.
    fn of_claim_templates(&self) -> bool {
        let ["spec", "volumeClaimTemplates", "*", rest @ ..] = self.names else { return false };
        match rest {
            ["apiVersion"] => self.text() == Some("v1"),
            ["kind"] => self.text() == Some("PersistentVolumeClaim"),
            // core/v1, SetDefaults_PersistentVolumeClaim
            ["status", ..] => true,
            // core/v1, SetDefaults_PersistentVolumeClaimSpec
            ["spec", "volumeMode"] => self.text() == Some("Filesystem"),
            _ => false,
        }
    }

    fn of_networking(&self) -> bool {
        match self.names {
            // networking/v1, SetDefaults_NetworkPolicyPort
            ["spec", "ingress" | "egress", "*", "ports", "*", "protocol"] => self.text() == Some("TCP"),
            // extensions/v1beta1, SetDefaults_HTTPIngressPath; in networking/v1 the field must be stated
            ["spec", "rules", "*", "http", "paths", "*", "pathType"] => {
                self.object.version == "v1beta1" && self.text() == Some("ImplementationSpecific")
            }
            _ => false,
        }
    }

    fn of_bindings(&self) -> bool {
        const GROUP: &str = "rbac.authorization.k8s.io";
        match self.names {
            // rbac/v1, SetDefaults_Subject
            ["subjects", "*", "apiGroup"] => match self.sibling("kind") {
                Some("User" | "Group") => self.text() == Some(GROUP),
                Some("ServiceAccount") => self.text() == Some(""),
                _ => false,
            },
            // rbac/v1, SetDefaults_RoleBinding and SetDefaults_ClusterRoleBinding
            ["roleRef", "apiGroup"] => self.text() == Some(GROUP),
            _ => false,
        }
    }

    fn of_admission(&self) -> bool {
        match self.names {
            // admissionregistration/v1, SetDefaults_Rule
            ["webhooks", "*", "rules", "*", "scope"]
            | [
                "spec",
                "matchConstraints" | "matchResources",
                "resourceRules" | "excludeResourceRules",
                "*",
                "scope",
            ] => self.text() == Some("*"),
            // SetDefaults_MatchResources; its empty selectors say nothing
            ["spec", "matchConstraints" | "matchResources", "matchPolicy"] => {
                self.text() == Some("Equivalent")
            }
            // admissionregistration/v1alpha1, SetDefaults_ParamRef
            ["spec", "paramRef", "parameterNotFoundAction"] => {
                self.object.version == "v1alpha1" && self.text() == Some("Deny")
            }
            _ => false,
        }
    }

    fn of_devices(&self) -> bool {
        let names = match self.names {
            // A ResourceClaimTemplate holds the same one level further down.
            ["spec", "spec", ..] => self.names.get(1..).unwrap_or_default(),
            names => names,
        };
        match names {
            // resource/v1, SetDefaults_ExactDeviceRequest and SetDefaults_DeviceSubRequest; v1beta1, SetDefaults_DeviceRequest
            [
                "spec",
                "devices",
                "requests",
                "*",
                "allocationMode" | "count" | "exactly" | "firstAvailable" | "tolerations",
                ..,
            ] => match names.last() {
                Some(&"allocationMode") => self.text() == Some("ExactCount"),
                Some(&"count") => {
                    self.value == 1 && matches!(self.sibling("allocationMode"), None | Some("ExactCount"))
                }
                // resource/v1, DeviceToleration
                Some(&"operator") => self.text() == Some("Equal"),
                _ => false,
            },
            // resource/v1, SetDefaults_DeviceTaint: the time of the write
            ["spec", "devices", "*", .., "taints", "*", "timeAdded"] => self.value.is_string(),
            // resource/v1, SetDefaults_Device; v1beta1, SetDefaults_BasicDevice
            ["spec", "devices", "*", .., "nodeAllocatableResourceMappings", _, "allocationMultiplier"] => {
                Quantity::from_value(self.value).is_some_and(|q| Some(q) == "1".parse().ok())
            }
            _ => false,
        }
    }
}

/// An item of a `LimitRange` with the defaults that the API server computes from it (`SetDefaults_LimitRangeItem`): `default`
/// from `max`, `defaultRequest` from `default` and then from `min`. None where it computes nothing.
pub(super) fn limit_range_item(item: &Value) -> Option<Value> {
    if item.get("type")? != "Container" {
        return None;
    }
    let mut filled = item.as_object()?.clone();
    for (target, source) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let values = filled.get(source).and_then(Value::as_object).cloned().unwrap_or_default();
        let slot = filled.entry(target).or_insert(Value::Null);
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        let Value::Object(slot) = slot else { return None };
        for (name, value) in values {
            slot.entry(name).or_insert(value);
        }
    }
    Some(Value::Object(filled))
}

/// Tolerations that admission adds to a Pod (`DefaultTolerationSeconds`), by the key of the taint.
pub(super) fn is_added_toleration(item: &Value) -> bool {
    let text = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default();
    matches!(text("key"), "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
        && text("effect") == "NoExecute"
        && text("operator") == "Exists"
}

/// What the API server stores where a zero is stated that it takes for none, outside what the schema knows the defaults of.
pub(super) fn takes_place_of_zero(names: &[&str], value: &Value) -> bool {
    let Some((name, way)) = names.split_last() else { return false };
    match (*name, value) {
        ("dnsPolicy", value) => value == "ClusterFirst",
        ("schedulerName", value) => value == "default-scheduler",
        ("restartPolicy", value) => value == "Always",
        ("protocol", value) => value == "TCP",
        ("imagePullPolicy" | "pullPolicy", value) => value == "Always" || value == "IfNotPresent",
        ("terminationMessagePath", value) => value == "/dev/termination-log",
        ("terminationMessagePolicy", value) => value == "File",
        ("sessionAffinity", value) => value == "None",
        ("externalTrafficPolicy", value) => value == "Cluster",
        ("concurrencyPolicy", value) => value == "Allow",
        ("podManagementPolicy", value) => value == "OrderedReady",
        ("persistentVolumeReclaimPolicy" | "whenDeleted" | "whenScaled", value) => value == "Retain",
        ("scheme", value) => value == "HTTP",
        ("apiGroup", value) => matches!(way, ["roleRef"]) && value == "rbac.authorization.k8s.io",
        ("path", value) => matches!(way, [.., "httpGet"]) && value == "/",
        ("failureThreshold", value) => value == 3,
        ("successThreshold" | "timeoutSeconds", value) => value == 1,
        ("periodSeconds", value) => value == 10,
        ("type", value) if way.ends_with(&["strategy"]) || way.ends_with(&["updateStrategy"]) => {
            value == "RollingUpdate" || value == "OnDelete"
        }
        // core/v1, SetDefaults_Service
        ("type", value) if matches!(way, ["spec"]) => value == "ClusterIP",
        // core/v1, SetDefaults_Secret
        ("type", value) if way.is_empty() => value == "Opaque",
        ("matchingPrecedence", value) => value == 1000,
        ("assuredConcurrencyShares" | "nominalConcurrencyShares", value) => value == 30,
        ("queueLengthLimit", value) => value == 50,
        ("queues", value) => value == 64,
        ("handSize", value) => value == 8,
        // Computed from their neighbours: the port, and the kind.
        ("targetPort", _) => way.ends_with(&["ports", "*"]),
        ("count", value) => value == 1 && way.starts_with(&["spec"]) && way.contains(&"requests"),
        ("listKind" | "singular", _) => matches!(way, ["spec", "names"]),
        // Allocated by the API server.
        ("clusterIP" | "nodePort" | "healthCheckNodePort", _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_filled() {
        let item = json!({"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(
            limit_range_item(&item),
            Some(json!({
                "type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Gi"},
                "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Gi"},
            }))
        );
        assert_eq!(limit_range_item(&json!({"type": "Pod", "max": {"cpu": "2"}})), None);
        assert_eq!(limit_range_item(&json!({"type": "Container", "default": 3})), None);
    }
}
