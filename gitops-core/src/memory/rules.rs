//! What an API server does to an object, and insists on, before it stores it.

use gitops_diff::schema::{BuiltIn, Schema, Type};
use gitops_diff::{TypeRef, is_zero};
use serde_json::{Map, Value};

use crate::{Class, Fault, ResourceId};

/// The kinds whose objects have no generation, by group.
const UNCOUNTED: [(&str, &[&str]); 4] = [
    (
        "",
        &[
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("storage.k8s.io", &["StorageClass"]),
];

/// The generation of an object that is about to be stored; none for kinds that have none.
///
/// It counts changes of everything but metadata and status, and the beginning of the object's end. A Deployment's counts
/// its annotations too, which its rollout copies.
pub(super) fn generation(id: &ResourceId, before: Option<&Value>, after: &Value) -> Option<u64> {
    let is_uncounted =
        UNCOUNTED.iter().any(|(group, kinds)| *group == id.group && kinds.contains(&id.kind.as_str()));
    if is_uncounted {
        return None;
    }
    let Some(before) = before else { return Some(1) };
    let annotations = |object: &Value| object["metadata"]["annotations"].clone();
    let is_changed = content(before) != content(after)
        || (is_dying(after) && !is_dying(before))
        || (id.group == "apps" && id.kind == "Deployment" && annotations(before) != annotations(after));
    Some(before["metadata"]["generation"].as_u64().unwrap_or_default() + u64::from(is_changed))
}

/// What counts for the generation: everything but metadata and status.
fn content(object: &Value) -> Map<String, Value> {
    let mut fields = object.as_object().cloned().unwrap_or_default();
    fields.remove("metadata");
    fields.remove("status");
    fields
}

/// Whether somebody has asked for an object's end.
pub(super) fn is_dying(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

/// Whether an object's end waits for somebody.
pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// The end of an object is not put off by those who had no finalizer on it when it began.
pub(super) fn check_finalizers(id: &ResourceId, before: &Value, after: &Value) -> Result<(), Fault> {
    let of = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let known = of(before);
    if is_dying(before) && of(after).iter().any(|finalizer| !known.contains(finalizer)) {
        return Err(Fault::invalid("it is being deleted: no finalizers can be added").at(id));
    }
    Ok(())
}

/// What a request says about the incarnation and the state that it is meant for must be so. What it does not say does not
/// count.
pub(super) fn check_stated(id: &ResourceId, live: Option<&Value>, stated: &Value) -> Result<(), Fault> {
    let fail = |text: &str| Err(Fault::new(Class::Precondition, text.to_owned()).at(id));
    let of = |object: &Value, field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let is_other = |live: &Value, field: &str| {
        let stated = of(stated, field);
        !stated.is_empty() && stated != of(live, field)
    };
    match live {
        None if !of(stated, "uid").is_empty() => fail("it is gone by now"),
        Some(live) if is_other(live, "uid") || is_other(live, "resourceVersion") => {
            fail("it changed meanwhile")
        }
        _ => Ok(()),
    }
}

/// What an update can neither change nor leave out: which object it is, and whether its end has begun.
pub(super) fn keep_identity(live: &Value, object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        match live["metadata"].get(field) {
            Some(known) => metadata.insert(field.to_owned(), known.clone()),
            None => metadata.remove(field),
        };
    }
}

/// What a write of the object itself says about its status does not count: only its controller writes that.
pub(super) fn keep_status(live: Option<&Value>, object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    match live.and_then(|live| live.get("status")) {
        Some(status) => fields.insert("status".to_owned(), status.clone()),
        None => fields.remove("status"),
    };
}

/// Takes out what an API server does not tell from what is absent: the zero values and nulls of fields of its own types,
/// which every object's metadata is.
pub(super) fn drop_zeros(object: &mut Value, schema: &impl Schema) {
    let ty = schema.type_or_deduced(&TypeRef::of(object));
    drop_within(object, ty);
    let any = TypeRef { group: "", version: "v1", kind: "ConfigMap" };
    if let Some(metadata) = object.get_mut("metadata") {
        drop_within(metadata, BuiltIn.type_or_deduced(&any).child_or_deduced("metadata"));
    }
}

/// An object as an API server compares another with it: the parts of its own kinds that no pointer leads to exist even
/// without content. So nobody owns them by putting the first content there.
pub(super) fn with_blanks(live: Option<&Value>, kind: &TypeRef<'_>) -> Option<Value> {
    let Some(parts) = BuiltIn.type_of(kind).and_then(blank_parts) else { return live.cloned() };
    let mut object = live.cloned().unwrap_or_else(|| Value::Object(Map::new()));
    fill(&mut object, Value::Object(parts));
    Some(object)
}

fn fill(object: &mut Value, parts: Value) {
    let (Value::Object(fields), Value::Object(parts)) = (object, parts) else { return };
    for (name, part) in parts {
        fill(fields.entry(name).or_insert_with(|| Value::Object(Map::new())), part);
    }
}

fn blank_parts(ty: Type<'_>) -> Option<Map<String, Value>> {
    let map = ty.map().filter(|map| map.fields().len() > 0)?;
    let part = |field: gitops_diff::schema::Field<'_>| {
        let parts = field.zero_is_absent().then(|| blank_parts(field.ty()))??;
        Some((field.name().to_string(), Value::Object(parts)))
    };
    Some(map.fields().filter_map(part).collect())
}

fn drop_within(value: &mut Value, ty: Type<'_>) {
    match value {
        Value::Object(fields) => {
            let Some(map) = ty.map() else { return };
            for (name, child) in fields.iter_mut() {
                if let Some(ty) = map.child(name) {
                    drop_within(child, ty);
                }
            }
            let is_kept = |name: &str, value: &Value| {
                let field = map.field(name);
                !(is_zero(value) && field.is_some_and(|field| field.zero_is_absent()))
            };
            fields.retain(|name, value| is_kept(name, value));
        }
        Value::Array(items) => {
            let Some(list) = ty.list() else { return };
            for item in items {
                drop_within(item, list.item());
            }
        }
        _ => {}
    }
}
