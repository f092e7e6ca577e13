//! Whose an object is: the marks of membership and their proof.
//!
//! The label and the id are those of Kubernetes' `ApplySet` specification (KEP-3659), so that kubectl recognises a set
//! and leaves it alone. The label alone proves nothing, because controllers copy labels; see [`owner`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gitops_core::{AppId, Digest, Owner, ResourceId};
use gitops_diff::ManagedFields;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The label of a member; its value is the id of its set (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// The annotation of a member that says, under the key of the application's record, what was applied last.
pub const STATE_ANNOTATION: &str = "gitops.io/state";
/// An object with this annotation and the value `disabled` is never pruned.
pub const KEEP_ANNOTATION: &str = "gitops.io/prune";

/// The field manager of an application. Two applications never share one: they would erase each other's fields.
pub(crate) fn manager(app: &AppId) -> String {
    format!("{MANAGER_PREFIX}{app}")
}

const MANAGER_PREFIX: &str = "gitops/";

/// The name of an application's record.
pub(crate) fn record_name(app: &AppId) -> String {
    format!("{RECORD_PREFIX}{app}")
}

/// What the names of all records begin with.
pub(crate) const RECORD_PREFIX: &str = "gitops-app-";

/// The id of the set whose parent is the record of an application: the hash of the parent's name, namespace, kind and
/// group, joined with dots (KEP-3659).
pub(crate) fn set_id(app: &AppId, state_namespace: &str) -> String {
    let parent = format!("{}.{state_namespace}.Secret.", record_name(app));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(parent.as_bytes())))
}

/// A member's label value.
pub(crate) fn part_of(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("labels")?.get(PART_OF)?.as_str()
}

/// What a manager owns by applying: the `fieldsV1` of its entry in `metadata.managedFields`.
pub(crate) fn applied_fields<'a>(object: &'a Value, manager: &str) -> Option<&'a Value> {
    let (_, entry) = ManagedFields::apply_entry(object, manager)?;
    entry.get("fieldsV1")
}

/// Whether an entry of managedFields is what another application than that of `manager` owns by applying.
pub(crate) fn is_anothers(entry: &Value, manager: &str) -> bool {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let theirs = text("manager");
    let is_applied = text("operation") == "Apply" && text("subresource").is_empty();
    theirs.starts_with(MANAGER_PREFIX) && theirs != manager && is_applied
}

/// The entries of `metadata.managedFields`.
pub(crate) fn entries(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn owns_label(fields: &Value) -> bool {
    let labels = fields.get("f:metadata").and_then(|m| m.get("f:labels"));
    labels.and_then(|labels| labels.get(format!("f:{PART_OF}"))).is_some()
}

fn has_controller(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|all| all.iter().any(|o| o.get("controller") == Some(&Value::Bool(true))))
}

/// The application that an object says it belongs to, with proof: its label, the apply entry of that application's
/// manager that owns the label, and no controller.
pub(crate) fn proven_app(object: &Value, state_namespace: &str) -> Option<AppId> {
    let label = part_of(object)?;
    if has_controller(object) {
        return None;
    }
    managers(object).find(|app| {
        set_id(app, state_namespace) == label && applied_fields(object, &manager(app)).is_some_and(owns_label)
    })
}

/// The applications that have applied an object.
fn managers(object: &Value) -> impl Iterator<Item = AppId> + '_ {
    let name = |entry: &Value| AppId::new(entry.get("manager")?.as_str()?.strip_prefix(MANAGER_PREFIX)?).ok();
    entries(object).iter().filter_map(name)
}

/// The application that has applied an object, whether or not it still bears the label.
pub(crate) fn managing_app(object: &Value) -> Option<AppId> {
    managers(object).next()
}

/// Whose an object is, seen from an application. `key` is that of the application's record, if it is known: with it, a
/// member whose label or managedFields somebody took away is still recognised by its annotation, so that they are put
/// back. That counts only where `desired` says that Git has the object; for pruning it never does.
pub(crate) fn owner(
    object: &Value,
    id: &ResourceId,
    app: &AppId,
    state_namespace: &str,
    key: Option<&Key>,
    desired: bool,
) -> Owner {
    let signed = || desired && !has_controller(object) && key.is_some_and(|key| key.signed(object, id));
    let Some(label) = part_of(object) else { return if signed() { Owner::This } else { Owner::Nobody } };
    match proven_app(object, state_namespace) {
        Some(proven) if proven == *app => return Owner::This,
        Some(other) => return Owner::Other(other),
        None => {}
    }
    if label == set_id(app, state_namespace) && signed() { Owner::This } else { Owner::Unproven }
}

/// The key of an application's record: it turns digests into ones that only this application can make, so that the
/// annotation on a Secret is no oracle for guessing its values.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A new key; none if the machine has no randomness to give.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn tag(&self, parts: &[&[u8]]) -> Option<String> {
        // A key of any length is fine for an HMAC; the error is never seen.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        Some(URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16]))
    }

    /// The value of [`STATE_ANNOTATION`]: that we marked this object, and what was applied to it.
    pub(crate) fn state(&self, id: &ResourceId, desired: &Digest) -> String {
        let name = format!("{id:#}");
        let mark = self.tag(&[b"mark", name.as_bytes()]).unwrap_or_default();
        let state = self.tag(&[b"state", name.as_bytes(), desired.as_bytes()]).unwrap_or_default();
        format!("{mark}.{state}")
    }

    /// Whether the annotation is ours, for this object.
    fn signed(&self, object: &Value, id: &ResourceId) -> bool {
        let name = format!("{id:#}");
        let mark = state_annotation(object).and_then(|state| state.split_once('.')).map(|(mark, _)| mark);
        mark.is_some() && mark == self.tag(&[b"mark", name.as_bytes()]).as_deref()
    }

    /// Whether what was applied last is what is desired.
    pub(crate) fn applied_is(&self, object: &Value, id: &ResourceId, desired: &Digest) -> bool {
        state_annotation(object).is_some_and(|state| state == self.state(id, desired))
    }
}

fn state_annotation(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(STATE_ANNOTATION)?.as_str()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn app(name: &str) -> AppId {
        AppId::new(name).unwrap()
    }

    /// A member of `shop`, as the API server would store it.
    pub(crate) fn member() -> Value {
        let shop = app("shop");
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n", "uid": "u-1",
            "resourceVersion": "7", "labels": {PART_OF: set_id(&shop, "state")},
            "managedFields": [{"manager": "gitops/shop", "operation": "Apply", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:k": {}},
                    "f:metadata": {"f:labels": {format!("f:{PART_OF}"): {}}}}}]},
            "data": {"k": "v"}})
    }

    fn id() -> ResourceId {
        ResourceId::namespaced("", "ConfigMap", "n", "a")
    }

    #[test]
    fn the_id_of_a_set_is_that_of_the_specification() {
        // printf gitops-app-shop.state.Secret. | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d =
        assert_eq!(set_id(&app("shop"), "state"), "applyset-_oBnzfYg85ZQ3ZktDTrjDnpqcbPpsTtN7Tmd82bVNho-v1");
        assert!(set_id(&app(&"a".repeat(63)), "state").len() <= 63);
    }

    #[test]
    fn a_label_without_proof_proves_nothing() {
        let whose = |object: &Value| owner(object, &id(), &app("shop"), "state", None, false);
        assert_eq!(whose(&member()), Owner::This);
        assert_eq!(owner(&member(), &id(), &app("blog"), "state", None, false), Owner::Other(app("shop")));

        let mut copied = member();
        copied["metadata"]["managedFields"][0]["operation"] = "Update".into();
        assert_eq!(whose(&copied), Owner::Unproven);
        let mut copied = member();
        copied["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:data": {"f:k": {}}});
        assert_eq!(whose(&copied), Owner::Unproven);
        let mut controlled = member();
        controlled["metadata"]["ownerReferences"] = json!([{"kind": "Service", "controller": true}]);
        assert_eq!(whose(&controlled), Owner::Unproven);
        let mut unlabelled = member();
        unlabelled["metadata"]["labels"] = json!({});
        assert_eq!(whose(&unlabelled), Owner::Nobody);
        let mut claimed = member();
        claimed["metadata"]["labels"][PART_OF] = set_id(&app("blog"), "state").into();
        assert_eq!(whose(&claimed), Owner::Unproven);
    }

    #[test]
    fn cleared_managed_fields_do_not_lose_what_git_states() {
        let key = Key::random().unwrap();
        let mut object = member();
        object["metadata"]["managedFields"] = json!([]);
        let whose = |object: &Value, id: &ResourceId, desired| {
            owner(object, id, &app("shop"), "state", Some(&key), desired)
        };
        assert_eq!(whose(&object, &id(), true), Owner::Unproven);
        object["metadata"]["annotations"] = json!({STATE_ANNOTATION: key.state(&id(), &Digest::of(b"x"))});
        assert_eq!(whose(&object, &id(), true), Owner::This);
        object["metadata"]["labels"] = json!({});
        assert_eq!(whose(&object, &id(), true), Owner::This);
        assert_eq!(whose(&object, &id(), false), Owner::Nobody);
        object["metadata"]["labels"] = member()["metadata"]["labels"].clone();
        // Never enough to prune; and of no use on another object, or under another key.
        assert_eq!(whose(&object, &id(), false), Owner::Unproven);
        let other = ResourceId::namespaced("", "ConfigMap", "n", "b");
        assert_eq!(whose(&object, &other, true), Owner::Unproven);
        let stranger = Key::random().unwrap();
        assert_eq!(owner(&object, &id(), &app("shop"), "state", Some(&stranger), true), Owner::Unproven);
    }

    #[test]
    fn the_annotation_says_what_was_applied() {
        let key = Key::random().unwrap();
        let mut object = member();
        object["metadata"]["annotations"] = json!({STATE_ANNOTATION: key.state(&id(), &Digest::of(b"x"))});
        assert!(key.applied_is(&object, &id(), &Digest::of(b"x")));
        assert!(!key.applied_is(&object, &id(), &Digest::of(b"y")));
        assert!(!format!("{key:?}").contains(char::is_numeric));
    }
}
