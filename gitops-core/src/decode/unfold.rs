//! From a document to manifests: lists unfolded, what only a server writes left out.

use gitops_diff::SERVER_METADATA;
use serde_json::{Map, Value};

use super::{DecodeError, DecodeProblem};
use crate::{Manifest, ManifestError, Place};

/// Nobody reads more errors of one file, and each takes memory.
const MAX_ERRORS: usize = 1_000;

pub(super) fn unfold(
    place: Place,
    value: Value,
    manifests: &mut Vec<Manifest>,
    errors: &mut Vec<DecodeError>,
) {
    let Value::Object(mut fields) = value else {
        errors.push(DecodeError { place, problem: ManifestError::NotAMapping.into() });
        return;
    };
    if let Some(items) = list_items(&mut fields) {
        // Lists of lists end: each level was nested in the file, whose depth is limited.
        for item in items {
            if errors.len() >= MAX_ERRORS {
                return;
            }
            unfold(place.clone(), item, manifests, errors);
        }
        return;
    }
    if let Some(tool) = foreign(&fields) {
        errors.push(DecodeError { place, problem: DecodeProblem::Foreign(tool) });
        return;
    }
    let stripped = strip(&mut fields);
    match Manifest::new(&Value::Object(fields), place.clone()) {
        Ok(manifest) => manifests.push(manifest.with_stripped(stripped)),
        Err(problem) => errors.push(DecodeError { place, problem: problem.into() }),
    }
}

/// The items of a list: a kind that ends in `List`, with `items`, and without a name of its own.
fn list_items(fields: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let is_list = fields.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    let named =
        fields.get("metadata").is_some_and(|metadata| metadata.get("name").is_some_and(|n| !n.is_null()));
    if !is_list || named {
        return None;
    }
    match fields.get_mut("items") {
        Some(Value::Array(items)) => Some(std::mem::take(items)),
        Some(Value::Null) => Some(Vec::new()),
        _ => None,
    }
}

fn foreign(fields: &Map<String, Value>) -> Option<&'static str> {
    let group = fields.get("apiVersion")?.as_str()?.split_once('/')?.0;
    (group == "kustomize.config.k8s.io").then_some(
        "this file is for kustomize, and this application is rendered as plain manifests: use a renderer for kustomize, \
         or move the file out of the application's path",
    )
}

fn strip(fields: &mut Map<String, Value>) -> Vec<String> {
    let mut stripped = Vec::new();
    if fields.remove("status").is_some_and(|status| !status.is_null()) {
        stripped.push("status".to_owned());
    }
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        for name in SERVER_METADATA {
            // Generators write `creationTimestamp: null`; that is not worth a word.
            if metadata.remove(name).is_some_and(|value| !value.is_null()) {
                stripped.push(format!("metadata.{name}"));
            }
        }
    }
    stripped
}
