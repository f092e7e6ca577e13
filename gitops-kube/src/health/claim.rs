//! `PersistentVolumeClaim`.

use gitops_core::{Assessment, Timestamp};
use serde_json::Value;

use super::read::{degraded, healthy, progressing, text};

pub(super) fn claim(object: &Value, _now: Timestamp) -> Assessment {
    match text(object, "/status/phase") {
        "Bound" => healthy("Bound", "it has its volume"),
        "Lost" => degraded("Lost", "its volume is gone"),
        // With the binding mode `WaitForFirstConsumer` this lasts until a Pod wants it; the claim does not say so.
        _ => progressing("NotBound", "it has no volume yet"),
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::Health;
    use serde_json::json;

    use crate::health::tests::check;

    #[test]
    fn a_claim_goes_by_its_phase() {
        for (status, health, reason) in [
            (json!({ "phase": "Bound" }), Health::Healthy, "Bound"),
            (json!({ "phase": "Pending" }), Health::Progressing, "NotBound"),
            (json!({ "phase": "Lost" }), Health::Degraded, "Lost"),
            (json!({}), Health::Progressing, "NotBound"),
        ] {
            let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": status });
            check(&claim, health, reason);
        }
    }
}
