//! Comparing, by subject.

mod defaults;
mod laws;
mod lists;
mod secrets;
mod stated;
mod values;

use serde_json::json;

use super::*;
use crate::schema::BuiltIn;

fn lines(found: &[Difference]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn exact() -> DiffOptions {
    DiffOptions::default().with_ignore_status(false)
}

fn drift(desired: &Value, live: &Value) -> Vec<String> {
    lines(&compare(desired, live, &BuiltIn, &DiffOptions::default()))
}

/// A Deployment whose one container has these fields besides its name.
fn web(container: &Value) -> Value {
    let mut item = json!({"name": "web"});
    if let (Some(item), Some(more)) = (item.as_object_mut(), container.as_object()) {
        item.extend(more.clone());
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [item]}}},
    })
}
