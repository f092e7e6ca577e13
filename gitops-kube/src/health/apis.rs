//! What makes other objects possible: `CustomResourceDefinition`, `APIService`, Namespace.

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

use super::read::{condition, healthy, progressing, text};

pub(super) fn definition(object: &Value, _now: Timestamp) -> Assessment {
    if let Some(refused) = condition(object, "NamesAccepted").filter(|it| it.is("False")) {
        return refused.assess(Health::Degraded, "NamesNotAccepted");
    }
    match condition(object, "Established") {
        Some(it) if it.is("True") => healthy("Established", "its kind is served"),
        Some(it) if it.is("False") && it.reason() != "Installing" => {
            it.assess(Health::Degraded, "NotEstablished")
        }
        _ => progressing("Installing", "its kind is not served yet"),
    }
}

pub(super) fn api_service(object: &Value, _now: Timestamp) -> Assessment {
    match condition(object, "Available") {
        Some(it) if it.is("True") => it.assess(Health::Healthy, "Available"),
        // The server behind it may come up at any time, and Kubernetes keeps asking.
        Some(it) => it.assess(Health::Progressing, "NotAvailable"),
        None => progressing("NotAvailable", "nobody has asked its server yet"),
    }
}

pub(super) fn namespace(object: &Value, _now: Timestamp) -> Assessment {
    if text(object, "/status/phase") == "Terminating" {
        return progressing("Terminating", "it is being deleted");
    }
    healthy("Active", "it can hold objects")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::check;

    #[test]
    fn a_definition_is_healthy_when_its_kind_is_served() {
        let definition = |conditions: Value| {
            json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": { "generation": 2 }, "status": { "conditions": conditions } })
        };
        let accepted = json!({ "type": "NamesAccepted", "status": "True" });
        let established = |status: &str, reason: &str| {
            definition(json!([accepted, { "type": "Established", "status": status, "reason": reason }]))
        };
        check(&definition(json!([])), Health::Progressing, "Installing");
        check(&established("False", "Installing"), Health::Progressing, "Installing");
        check(&established("Unknown", "Whatever"), Health::Progressing, "Installing");
        check(&established("True", "InitialNamesAccepted"), Health::Healthy, "Established");
        check(&established("False", "NotAccepted"), Health::Degraded, "NotAccepted");
        let taken = json!([{ "type": "NamesAccepted", "status": "False", "reason": "PluralConflict" },
            { "type": "Established", "status": "True" }]);
        check(&definition(taken), Health::Degraded, "PluralConflict");
        let stale = json!([{ "type": "Established", "status": "True", "observedGeneration": 1 }]);
        check(&definition(stale), Health::Progressing, "Installing");
    }

    #[test]
    fn an_api_service_needs_its_server() {
        let service = |conditions: Value| json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "status": { "conditions": conditions } });
        check(
            &service(json!([{ "type": "Available", "status": "True", "reason": "Passed" }])),
            Health::Healthy,
            "Passed",
        );
        check(
            &service(json!([{ "type": "Available", "status": "False" }])),
            Health::Progressing,
            "NotAvailable",
        );
        check(&service(json!([])), Health::Progressing, "NotAvailable");
    }

    #[test]
    fn a_namespace_goes_by_its_phase() {
        let namespace =
            |phase: &str| json!({ "apiVersion": "v1", "kind": "Namespace", "status": { "phase": phase } });
        check(&namespace("Active"), Health::Healthy, "Active");
        check(&namespace("Terminating"), Health::Progressing, "Terminating");
    }
}
