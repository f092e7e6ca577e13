//! Kinds that report by conditions.

use gitops_core::{Assessment, Health, HealthRule, Timestamp};
use serde_json::Value;

use super::gate;
use super::read::{condition, group, kind};

/// The health of any kind that reports by the conditions of kstatus: `Stalled` (Degraded), `Reconciling` (Progressing),
/// and `Ready` (Healthy when True, otherwise Progressing). Most custom kinds have them, and Nodes.
///
/// An object that is being deleted, or whose status speaks of another generation, is Progressing. No answer for an
/// object that has none of this: it is healthy because it exists, unless another rule knows better. A custom object
/// whose controller has not yet written anything cannot be told from one that has nothing to report, and gets no answer
/// either.
///
/// No answer for Secrets, except that they are being deleted.
///
/// ```
/// use gitops_core::{Health, HealthRule, Timestamp};
/// use gitops_kube::health::ConditionsHealth;
/// let certificate = serde_json::json!({
///     "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": { "generation": 1 },
///     "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "DoesNotExist" }] },
/// });
/// let assessment = ConditionsHealth.assess(&certificate, Timestamp::UNIX_EPOCH).unwrap();
/// assert_eq!((assessment.health, assessment.reason.as_str()), (Health::Progressing, "DoesNotExist"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ConditionsHealth;

impl HealthRule for ConditionsHealth {
    fn assess(&self, object: &Value, _now: Timestamp) -> Option<Assessment> {
        if let Some(terminating) = gate::terminating(object) {
            return Some(terminating);
        }
        if group(object).is_empty() && kind(object) == "Secret" {
            return None;
        }
        if let Some(stale) = gate::not_observed(object, gate::Reports::Maybe) {
            return Some(stale);
        }
        let holds = |name: &str| condition(object, name).filter(|it| it.is("True"));
        if let Some(stalled) = holds("Stalled") {
            return Some(stalled.assess(Health::Degraded, "Stalled"));
        }
        if let Some(reconciling) = holds("Reconciling") {
            return Some(reconciling.assess(Health::Progressing, "Reconciling"));
        }
        let ready = condition(object, "Ready")?;
        Some(if ready.is("True") {
            ready.assess(Health::Healthy, "Ready")
        } else {
            ready.assess(Health::Progressing, "NotReady")
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assess(status: &Value) -> Option<(Health, String)> {
        let object = json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "generation": 2 }, "status": status });
        ConditionsHealth.assess(&object, Timestamp::UNIX_EPOCH).map(|it| (it.health, it.reason))
    }

    fn says(name: &str, status: &str) -> Value {
        json!({ "type": name, "status": status })
    }

    #[test]
    fn the_worst_condition_wins_wherever_it_stands() {
        let all = [says("Ready", "True"), says("Reconciling", "True"), says("Stalled", "True")];
        assert_eq!(assess(&json!({ "conditions": all })), Some((Health::Degraded, "Stalled".to_owned())));
        assert_eq!(
            assess(&json!({ "conditions": all[..2] })),
            Some((Health::Progressing, "Reconciling".to_owned()))
        );
        assert_eq!(assess(&json!({ "conditions": all[..1] })), Some((Health::Healthy, "Ready".to_owned())));
        for status in ["False", "Unknown", ""] {
            let ready = json!({ "conditions": [says("Ready", status), says("Stalled", "False")] });
            assert_eq!(assess(&ready), Some((Health::Progressing, "NotReady".to_owned())));
        }
    }

    #[test]
    fn an_object_that_does_not_report_gets_no_answer() {
        assert_eq!(assess(&Value::Null), None);
        assert_eq!(assess(&json!({ "conditions": [says("Colourful", "False")] })), None);
        let stale = assess(&json!({ "observedGeneration": 1, "conditions": [says("Ready", "True")] }));
        assert_eq!(stale, Some((Health::Progressing, "LatestGenerationNotObserved".to_owned())));
    }
}
