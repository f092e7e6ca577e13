//! Writing one object: apply, delete, release.

use std::sync::Arc;
use std::time::Duration;

use gitops_core::{AppId, Class, Cx, Expect, Fault, Placed, ResourceId};
use gitops_diff::ManagedFields;
use http::Method;
use serde_json::{Map, Value, json};

use crate::discovery::{Discovery, Served};
use crate::error::Telling;
use crate::membership::{
    KEEP_ANNOTATION, Key, PART_OF, STATE_ANNOTATION, entries, is_anothers, manager, set_id,
};
use crate::rest::{Answer, Call, Rest, escape};
use crate::view::is_terminating;

/// How long a new definition may take until its kind is served. Usually it takes less than a tenth of a second.
const ESTABLISH: Duration = Duration::from_secs(30);

/// What may be told of the API server's words about an object.
pub(crate) fn telling(id: &ResourceId) -> Telling {
    if id.group.is_empty() && id.kind == "Secret" { Telling::Secret } else { Telling::All }
}

/// The object with the marks of membership and the precondition, as it is sent.
///
/// Server-side apply creates what is absent unless told otherwise. Observed with Kubernetes 1.36 and kept under a
/// test: with `resourceVersion: "1"` an apply creates what is absent, and is a conflict for what exists; with a `uid`
/// it changes only that incarnation.
pub(crate) fn apply_body(
    desired: &Placed,
    app: &AppId,
    state_namespace: &str,
    key: &Key,
    expect: &Expect,
) -> Value {
    let mut object = desired.manifest.object();
    // What is no map here is an error that the API server names.
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return object };
    mark(metadata, "labels", PART_OF, set_id(app, state_namespace));
    mark(metadata, "annotations", STATE_ANNOTATION, key.state(&desired.id, &desired.digest));
    match expect {
        Expect::Same(uid) => {
            metadata.insert("uid".into(), uid.as_ref().into());
        }
        Expect::Exactly(token) => {
            metadata.insert("uid".into(), token.incarnation.as_ref().into());
            metadata.insert("resourceVersion".into(), token.version.as_ref().into());
        }
        // Absent; and whatever a later version of the contract adds is taken for the strictest.
        _ => {
            metadata.insert("resourceVersion".into(), "1".into());
        }
    }
    object
}

/// Puts a text into a map of an object's metadata.
fn mark(metadata: &mut Map<String, Value>, map: &str, name: &str, value: String) {
    if let Value::Object(fields) = metadata.entry(map).or_insert_with(|| Value::Object(Map::new())) {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Applies an object by the application's field manager, taking over the fields that it states.
pub(crate) async fn apply(
    cx: &Cx,
    rest: &Rest,
    served: &Served,
    id: &ResourceId,
    app: &AppId,
    body: &Value,
) -> Result<Answer, Fault> {
    let query = format!("fieldManager={}&force=true&fieldValidation=Strict", escape(&manager(app)));
    let uri = format!("{}?{query}", served.object(id));
    let call = Call::write(Method::PATCH, uri, "application/apply-patch+yaml", body, format!("{id:#}"));
    rest.send(cx, call.telling(telling(id))).await
}

/// Deletes an object, if it is still the one that was seen. Answers with the object if it waits for finalizers.
pub(crate) async fn delete(
    cx: &Cx,
    rest: &Rest,
    served: &Served,
    id: &ResourceId,
    uid: &str,
    version: &str,
    foreground: bool,
) -> Result<Option<Value>, Fault> {
    let policy = if foreground { "Foreground" } else { "Background" };
    let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy,
        "preconditions": {"uid": uid, "resourceVersion": version}});
    let call = Call::write(Method::DELETE, served.object(id), "application/json", &body, format!("{id:#}"));
    let answer = rest.send(cx, call.telling(telling(id))).await?.body;
    // Of some kinds (Services, service accounts) the answer is the object as it was, although it is gone; one that is still
    // there has the time of its deletion.
    Ok(is_terminating(&answer).then_some(answer))
}

/// The patch that gives an object up: our label, our annotation and our entry in managedFields go, everything else
/// stays as it is. Applying an empty object instead would delete the fields that only we own.
pub(crate) fn release_patch(object: &Value, app: &AppId) -> Value {
    let mut patch = as_it_was(object);
    let metadata = |field: &str| object.get("metadata").and_then(|m| m.get(field));
    for (field, name) in [("labels", PART_OF), ("annotations", STATE_ANNOTATION)] {
        if metadata(field).and_then(|map| map.get(name)).is_some() {
            let name = name.replace('~', "~0").replace('/', "~1");
            patch.push(json!({"op": "remove", "path": format!("/metadata/{field}/{name}")}));
        }
    }
    if let Some((index, _)) = ManagedFields::apply_entry(object, &manager(app)) {
        if entries(object).len() == 1 {
            // An empty list would be taken for "unchanged"; one empty entry clears them.
            patch.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": [{}]}));
        } else {
            patch.push(json!({"op": "remove", "path": format!("/metadata/managedFields/{index}")}));
        }
    }
    patch.into()
}

/// The patch that takes an object over from other applications: their entries in managedFields go, and all values stay. A
/// stale entry would keep alive what its application once stated, whatever ours says. None if there is no such entry.
pub(crate) fn take_over_patch(object: &Value, app: &AppId) -> Option<Value> {
    let all = entries(object);
    let ours = manager(app);
    let others: Vec<usize> = (0..all.len()).filter(|&index| is_anothers(&all[index], &ours)).collect();
    let (&first, rest) = others.split_first()?;
    let mut patch = as_it_was(object);
    // From the end, so that the places of the others stay what they are.
    for index in rest.iter().rev() {
        patch.push(json!({"op": "remove", "path": format!("/metadata/managedFields/{index}")}));
    }
    if others.len() < all.len() {
        patch.push(json!({"op": "remove", "path": format!("/metadata/managedFields/{first}")}));
    } else {
        // Without any entry the API server would make one that owns everything. Ours owns the label, until it applies.
        let fields = json!({"f:metadata": {"f:labels": {format!("f:{PART_OF}"): {}}}});
        for (field, value) in [("manager", ours.into()), ("fieldsV1", fields)] {
            let place = format!("/metadata/managedFields/{first}/{field}");
            patch.push(json!({"op": "replace", "path": place, "value": value}));
        }
    }
    Some(patch.into())
}

/// Tests that refuse a whole patch when the object is not the one that was read.
fn as_it_was(object: &Value) -> Vec<Value> {
    let metadata = |field: &str| object.get("metadata").and_then(|m| m.get(field));
    let test = |field| json!({"op": "test", "path": format!("/metadata/{field}"), "value": metadata(field)});
    ["uid", "resourceVersion"].map(test).into()
}

/// Sends a [`release_patch`] or a [`take_over_patch`].
pub(crate) async fn release(
    cx: &Cx,
    rest: &Rest,
    served: &Served,
    id: &ResourceId,
    app: &AppId,
    patch: &Value,
) -> Result<Value, Fault> {
    let uri = format!("{}?fieldManager={}", served.object(id), escape(&manager(app)));
    let call = Call::write(Method::PATCH, uri, "application/json-patch+json", patch, format!("{id:#}"));
    match rest.send(cx, call.telling(telling(id))).await {
        Ok(answer) => Ok(answer.body),
        // A test of the patch that does not hold is an invalid request to the API server.
        Err(fault) if matches!(fault.class, Class::Invalid) && fault.to_string().contains("testing path") => {
            Err(Fault { class: Class::Precondition, ..fault })
        }
        Err(fault) => Err(fault),
    }
}

/// Waits until a definition is established and its kind is served, so that objects of it can follow.
pub(crate) async fn wait_established(
    cx: &Cx,
    rest: &Rest,
    discovery: &Discovery,
    served: &Served,
    stored: Value,
    id: &ResourceId,
) -> Result<Value, Fault> {
    let cx = cx.within(ESTABLISH);
    let mut object = stored;
    let mut pause = Duration::from_millis(20);
    loop {
        if established(&object) {
            let found = discovery.renew(&cx, rest).await?;
            if declared(&object).all(|(kind, version)| found.find(&kind, version).is_some()) {
                return Ok(object);
            }
        }
        if let Some(why) = names_refused(&object) {
            return Err(Fault::invalid(format!("the definition's names are not accepted: {why}"))
                .at(format!("{id:#}")));
        }
        cx.bound("a definition that is not served yet", tokio::time::sleep(pause))
            .await
            .map_err(|fault| fault.at(format!("{id:#} (stored, but not established yet)")))?;
        pause = (pause * 2).min(Duration::from_secs(1));
        object = rest.send(&cx, Call::get(served.object(id), format!("{id:#}"))).await?.body;
    }
}

fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = definition.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

fn established(definition: &Value) -> bool {
    condition(definition, "Established").and_then(|c| c.get("status")).and_then(Value::as_str) == Some("True")
}

fn names_refused(definition: &Value) -> Option<String> {
    let condition = condition(definition, "NamesAccepted")?;
    (condition.get("status")?.as_str()? == "False")
        .then(|| condition.get("message")?.as_str().map(str::to_owned))?
}

fn declared(definition: &Value) -> impl Iterator<Item = (gitops_core::GroupKind, &str)> {
    let text = |at: &str| definition.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let kind = gitops_core::GroupKind::new(text("/spec/group"), text("/spec/names/kind"));
    let versions =
        definition.pointer("/spec/versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    versions.iter().filter_map(move |version| {
        let served = version.get("served") != Some(&Value::Bool(false));
        Some((kind.clone(), version.get("name")?.as_str().filter(|_| served)?))
    })
}

/// Whether somebody marked an object to stay.
pub(crate) fn keeps(object: &Value) -> bool {
    let annotations = object.get("metadata").and_then(|m| m.get("annotations"));
    annotations.and_then(|a| a.get(KEEP_ANNOTATION)).and_then(Value::as_str) == Some("disabled")
}

/// A text of an object's metadata.
pub(crate) fn meta(object: &Value, field: &str) -> Arc<str> {
    object.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::{app, member};
    use gitops_core::{Manifest, Place, RepoPath, Token};

    fn desired() -> Placed {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": "v"}});
        Placed::new(Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap())
    }

    #[test]
    fn marks_and_precondition_travel_with_the_object() {
        let key = Key::random().unwrap();
        let body = |expect: &Expect| apply_body(&desired(), &app("shop"), "state", &key, expect);
        let create = body(&Expect::Absent);
        assert_eq!(create["metadata"]["resourceVersion"], "1");
        assert_eq!(create["metadata"]["labels"][PART_OF], set_id(&app("shop"), "state").as_str());
        assert!(key.applied_is(&create, &desired().id, &desired().digest));
        let same = body(&Expect::Same("u".into()));
        assert_eq!((&same["metadata"]["uid"], same["metadata"].get("resourceVersion")), (&json!("u"), None));
        let exactly = body(&Expect::Exactly(Token { incarnation: "u".into(), version: "9".into() }));
        assert_eq!(
            (&exactly["metadata"]["uid"], &exactly["metadata"]["resourceVersion"]),
            (&json!("u"), &json!("9"))
        );
    }

    #[test]
    fn taking_over_drops_the_entries_of_other_applications() {
        let mut object = member();
        assert_eq!(take_over_patch(&object, &app("shop")), None);
        // The only entry is replaced, not removed.
        let patch = take_over_patch(&object, &app("blog")).unwrap();
        assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/uid", "value": "u-1"}));
        assert_eq!(patch[1], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
        let replaced = |at: usize| (patch[at]["path"].as_str().unwrap(), &patch[at]["value"]);
        assert_eq!(replaced(2), ("/metadata/managedFields/0/manager", &json!("gitops/blog")));
        let label = json!({"f:metadata": {"f:labels": {format!("f:{PART_OF}"): {}}}});
        assert_eq!(replaced(3), ("/metadata/managedFields/0/fieldsV1", &label));
        // Those of everybody else stay.
        let hand = json!({"manager": "kubectl", "operation": "Apply"});
        let third = json!({"manager": "gitops/third", "operation": "Apply"});
        object["metadata"]["managedFields"].as_array_mut().unwrap().extend([hand, third]);
        let patch = take_over_patch(&object, &app("blog")).unwrap();
        let steps: Vec<_> = patch.as_array().unwrap()[2..].iter().map(ToString::to_string).collect();
        let remove =
            |index| json!({"op": "remove", "path": format!("/metadata/managedFields/{index}")}).to_string();
        assert_eq!(steps, [remove(2), remove(0)]);
    }

    #[test]
    fn releasing_touches_nothing_of_others() {
        let mut object = member();
        let patch = release_patch(&object, &app("shop"));
        assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/uid", "value": "u-1"}));
        assert_eq!(patch[1], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
        assert_eq!(
            patch[2],
            json!({"op": "remove", "path": "/metadata/labels/applyset.kubernetes.io~1part-of"})
        );
        assert_eq!(patch[3]["value"], json!([{}]));
        let other = json!({"manager": "hpa", "operation": "Update"});
        object["metadata"]["managedFields"].as_array_mut().unwrap().insert(0, other);
        assert_eq!(
            release_patch(&object, &app("shop"))[3],
            json!({"op": "remove", "path": "/metadata/managedFields/1"})
        );
    }
}
