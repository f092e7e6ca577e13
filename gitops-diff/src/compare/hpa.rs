//! A `HorizontalPodAutoscaler` of autoscaling/v1 as v2 has it.

use serde_json::{Value, json};

use crate::TypeRef;

/// The v1 object of two that are of different versions, in the words of v2, as far as its fields say it: the CPU target is a
/// metric (`pkg/apis/autoscaling/v1/conversion.go`). None where there is nothing to convert.
pub(super) fn converted(object: &Value, other: &Value) -> Option<Value> {
    let (ty, other) = (TypeRef::of(object), TypeRef::of(other));
    let is_hpa = |ty: &TypeRef<'_>| ty.group == "autoscaling" && ty.kind == "HorizontalPodAutoscaler";
    if !is_hpa(&ty) || !is_hpa(&other) || ty.version != "v1" || other.version != "v2" {
        return None;
    }
    let mut converted = object.clone();
    *converted.get_mut("apiVersion")? = "autoscaling/v2".into();
    if let Some(spec) = converted.get_mut("spec").and_then(Value::as_object_mut)
        && let Some(percent) =
            spec.remove("targetCPUUtilizationPercentage").filter(|percent| !percent.is_null())
    {
        let target = json!({"type": "Utilization", "averageUtilization": percent});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".to_owned(), json!([metric]));
    }
    Some(converted)
}
