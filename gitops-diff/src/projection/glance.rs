//! Whether anything of ours changed, from the bytes of an object.

use serde_json::Value;

use super::compiled::{Compiled, Read};
use super::entry::apply_entry;
use super::tape::Tape;
use super::tree::{Tree, field, text};
use super::{Fingerprint, hash};
use crate::schema::Schema;
use crate::{FieldSetError, TypeRef};

/// What can be told of an object at a glance: which object it is, and whether what a manager applied is still as it was.
///
/// [`of_json`](Self::of_json) takes it from the text of a watch event, for a fraction of what it takes to parse it: the
/// managed fields of other managers and the status are passed over, and no tree is made. Remember the
/// [`fingerprint`](Self::fingerprint) of each apply's answer; as long as a watch shows the same, there is nothing to do
/// for the fields that were applied.
///
/// ```
/// use gitops_diff::Glance;
/// use gitops_diff::schema::BuiltIn;
///
/// let event = |image: &str, replicas: u32| format!(r#"{{
///     "kind": "Deployment", "apiVersion": "apps/v1",
///     "metadata": {{"name": "web", "uid": "u-1", "resourceVersion": "7", "managedFields": [
///         {{"manager": "gitops", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
///          "fieldsV1": {{"f:spec": {{"f:template": {{"f:spec": {{"f:containers":
///              {{"k:{{\"name\":\"web\"}}": {{".": {{}}, "f:name": {{}}, "f:image": {{}}}}}}}}}}}}}}}},
///         {{"manager": "autoscaler", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
///          "fieldsV1": {{"f:spec": {{"f:replicas": {{}}}}}}}}
///     ]}},
///     "spec": {{"replicas": {replicas}, "template": {{"spec": {{"containers": [{{"name": "web", "image": "{image}"}}]}}}}}},
///     "status": {{"readyReplicas": {replicas}}}
/// }}"#);
///
/// let applied = event("web:1", 2);
/// let applied = Glance::of_json(applied.as_bytes(), "gitops", &BuiltIn)?.fingerprint;
/// let scaled = event("web:1", 9);
/// let glance = Glance::of_json(scaled.as_bytes(), "gitops", &BuiltIn)?;
/// assert!(glance.fingerprint == applied && glance.resource_version == "7", "somebody else's business");
/// let drifted = event("web:hacked", 9);
/// assert_ne!(Glance::of_json(drifted.as_bytes(), "gitops", &BuiltIn)?.fingerprint, applied);
/// # Ok::<(), gitops_diff::GlanceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Glance {
    /// `metadata.uid`; empty if there is none.
    pub uid: String,
    /// `metadata.resourceVersion`; empty if there is none.
    pub resource_version: String,
    /// The hash of the fields that the manager applied, as they are in this object. None if it has applied nothing, or at
    /// another API version than the object is in.
    pub fingerprint: Option<Fingerprint>,
}

/// An object that cannot be judged at a glance. Whoever meets this had better look closer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GlanceError {
    /// It is no JSON.
    #[error("an object that is no JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// What the manager owns cannot be read.
    #[error("metadata.managedFields, manager {manager:?}: {source}")]
    Fields {
        /// The manager.
        manager: String,
        /// What is wrong.
        source: FieldSetError,
    },
}

impl Glance {
    /// From the text of an object.
    ///
    /// The outcome is that of [`of`](Self::of) on the parsed text. Only what is passed over may hold what a parser would
    /// refuse: a number beyond every float, half of a surrogate pair, or more than 128 levels.
    pub fn of_json(json: &[u8], manager: &str, schema: &dyn Schema) -> Result<Self, GlanceError> {
        let json =
            str::from_utf8(json).map_err(|error| GlanceError::Json(serde::de::Error::custom(error)))?;
        let tape = Tape::of_object(json, manager).map_err(GlanceError::Json)?;
        glance(tape.root(), manager, schema)
    }

    /// From an object that was parsed already.
    pub fn of(object: &Value, manager: &str, schema: &dyn Schema) -> Result<Self, GlanceError> {
        glance(object, manager, schema)
    }
}

fn glance<'t, T: Tree<'t>>(object: T, manager: &str, schema: &dyn Schema) -> Result<Glance, GlanceError> {
    let metadata = field(object, "metadata");
    let of_metadata = |name| metadata.and_then(|m| text(m, name)).unwrap_or_default().to_owned();
    Ok(Glance {
        uid: of_metadata("uid"),
        resource_version: of_metadata("resourceVersion"),
        fingerprint: fingerprint(object, manager, schema)
            .map_err(|source| GlanceError::Fields { manager: manager.to_owned(), source })?,
    })
}

fn fingerprint<'t, T: Tree<'t>>(
    object: T,
    manager: &str,
    schema: &dyn Schema,
) -> Result<Option<Fingerprint>, FieldSetError> {
    let Some((_, entry)) = apply_entry(object, manager) else { return Ok(None) };
    let api_version = text(object, "apiVersion").unwrap_or_default();
    if text(entry, "apiVersion") != Some(api_version) {
        return Ok(None);
    }
    let Some(fields) = field(entry, "fieldsV1") else { return Ok(None) };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = text(object, "kind").unwrap_or_default();
    let ty = schema.type_or_deduced(&TypeRef { group, version, kind });
    Ok(Some(match Compiled::of_fields_v1(fields)? {
        Read::Compiled(set) => hash::fingerprint(&set, object, ty),
        Read::Set(set) => hash::fingerprint(&Compiled::of(&set), object, ty),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::FieldSet;
    use crate::schema::BuiltIn;
    use crate::testing::{deployment, small_value};

    const OURS: &str = "gitops/shop";

    fn fast(text: &str) -> Result<Glance, GlanceError> {
        Glance::of_json(text.as_bytes(), OURS, &BuiltIn)
    }

    fn slow(text: &str) -> Result<Glance, GlanceError> {
        let object: Value = serde_json::from_str(text).map_err(GlanceError::Json)?;
        Glance::of(&object, OURS, &BuiltIn)
    }

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    /// An object that we applied, and others filled.
    fn stored(applied: &Value, foreign: &Value) -> Value {
        let mut object = applied.clone();
        let fields = FieldSet::of(applied, &BuiltIn).to_fields_v1();
        let theirs = json!({"f:status": {".": {}}, "f:spec": {"f:paused": {}}});
        let mut status = entry("kubelet", "Update", &theirs);
        status["subresource"] = json!("status");
        object["metadata"]["managedFields"] =
            json!([entry(OURS, "Apply", &fields), status, entry(OURS, "Update", &theirs)]);
        object["metadata"]["resourceVersion"] = json!("7");
        object["metadata"]["uid"] = json!("u-\"1\"");
        object["metadata"]["annotations"] = json!({"note": "a\nb"});
        object["spec"]["paused"] = foreign.clone();
        object["status"] = json!({"conditions": [foreign]});
        object
    }

    /// JSON text with the fields of maps in another order for every seed, and some letters escaped.
    fn shuffled(value: &Value, seed: u64) -> String {
        match value {
            Value::Object(map) => {
                let mut fields: Vec<_> = map.iter().collect();
                let rank = |name: &str| {
                    name.bytes().fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
                };
                fields.sort_by_key(|(name, _)| rank(name));
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, child)| format!("{} : {}", json!(name), shuffled(child, seed)))
                    .collect();
                format!("{{ {} }}", fields.join(" , "))
            }
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| shuffled(item, seed)).collect();
                format!("[{}]", items.join(","))
            }
            Value::String(text) if seed.is_multiple_of(3) => format!(
                "\"{}\"",
                text.replace('e', "\\u0065").replace('\n', "\\n").replace("-\"1\"", "-\\\"1\\\"")
            ),
            other => other.to_string(),
        }
    }

    /// Lists in which order does not count, the other way round.
    fn reversed(object: &mut Value) {
        for list in ["/spec/template/spec/containers", "/metadata/finalizers", "/metadata/managedFields"] {
            if let Some(list) = object.pointer_mut(list).and_then(Value::as_array_mut) {
                list.reverse();
            }
        }
    }

    /// Puts `value` at one of the places of a tree, or takes away what is there.
    fn change(tree: &mut Value, mut at: usize, value: Option<&Value>) -> bool {
        fn walk(tree: &mut Value, at: &mut usize, value: Option<&Value>) -> bool {
            let change = |children: &mut Map<String, Value>, name: &String| match value {
                Some(value) => children.insert(name.clone(), value.clone()),
                None => children.remove(name),
            };
            match tree {
                Value::Object(map) => {
                    for name in map.keys().cloned().collect::<Vec<_>>() {
                        if *at == 0 {
                            return change(map, &name).as_ref() != value;
                        }
                        *at -= 1;
                        if let Some(child) = map.get_mut(&name)
                            && walk(child, at, value)
                        {
                            return true;
                        }
                    }
                    false
                }
                Value::Array(items) => items.iter_mut().any(|item| walk(item, at, value)),
                _ => false,
            }
        }
        walk(tree, &mut at, value)
    }

    #[test]
    fn ownership_counts() {
        let applied = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3},
        });
        let object = stored(&applied, &json!(true));
        let before = fast(&object.to_string()).unwrap();
        assert!(before.fingerprint.is_some() && before.resource_version == "7" && before.uid == "u-\"1\"");
        let after = |change: fn(&mut Value)| {
            let mut object = object.clone();
            change(&mut object);
            let (fast, slow) = (fast(&object.to_string()), slow(&object.to_string()));
            assert_eq!(fast.as_ref().ok(), slow.as_ref().ok());
            fast.map(|glance| glance.fingerprint)
        };
        let nothing = |change| assert_eq!(after(change).unwrap(), None);
        nothing(|o| o["metadata"]["managedFields"] = json!([]));
        nothing(|o| o["metadata"]["managedFields"][0]["manager"] = json!("other"));
        nothing(|o| o["metadata"]["managedFields"][0]["operation"] = json!("Update"));
        nothing(|o| o["metadata"]["managedFields"][0]["subresource"] = json!("scale"));
        nothing(|o| o["apiVersion"] = json!("apps/v2"));
        let other = |change| assert_ne!(after(change).unwrap(), before.fingerprint);
        other(|o| o["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] = json!({"f:paused": {}}));
        other(|o| o["metadata"]["managedFields"][0]["fieldsV1"]["f:status"] = json!({"f:conditions": {}}));
        other(|o| o["spec"]["replicas"] = json!(4));
        other(|o| o["spec"]["replicas"] = json!(3.0));
        other(|o| o["spec"]["replicas"] = json!(null));
        assert!(after(|o| o["metadata"]["managedFields"][0]["fieldsV1"]["k:x"] = json!({})).is_err());
        assert_eq!(after(|o| o["status"] = json!(1)).unwrap(), before.fingerprint);
    }

    #[test]
    fn the_status_counts_where_it_was_applied() {
        let own = json!({"f:status": {"f:phase": {}}});
        let gadget = |phase: &str| {
            let metadata = json!({"managedFields": [entry(OURS, "Apply", &own)]});
            json!({"apiVersion": "apps/v1", "kind": "X", "metadata": metadata, "status": {"phase": phase, "seen": 1}})
        };
        let print = |object: &Value| fast(&object.to_string()).unwrap().fingerprint;
        assert_ne!(print(&gadget("on")), print(&gadget("off")));
        assert_eq!(print(&gadget("on")), slow(&gadget("on").to_string()).unwrap().fingerprint);
    }

    #[test]
    fn what_is_there_twice_is_never_passed_over() {
        let owned = |fields: &str| {
            format!(
                r#""managedFields":[{{"operation":"Apply","apiVersion":"v1","fieldsV1":{fields},"manager":"gitops/shop"}}]"#
            )
        };
        let (a, b) = (owned(r#"{"f:x":{}}"#), owned(r#"{"f:status":{}}"#));
        let twice =
            format!(r#"{{"apiVersion":"v1","metadata":{{{a}}},"status":{{"x":1}},"metadata":{{{b}}}}}"#);
        assert!(fast(&twice).is_err());
        let twice =
            r#"{"metadata":{"managedFields":[{"manager":"x","fieldsV1":{},"manager":"gitops/shop"}]}}"#;
        assert!(fast(twice).is_err());
        // Elsewhere the last one counts, as for a parser.
        let object =
            format!(r#"{{"apiVersion":"v1","metadata":{{{a}}},"x":1,"x":{{"y":1,"y":2}},"z":0,"x":2}}"#);
        assert_eq!(fast(&object).unwrap(), slow(&object).unwrap());
        let last = object.replacen(r#""x":1,"x":{"y":1,"y":2},"#, "", 1);
        assert_eq!(fast(&object).unwrap(), fast(&last).unwrap());
    }

    #[test]
    fn items_that_share_a_key_all_count() {
        let fields = json!({"f:l": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:value": {}}}});
        let object = |list: Value| {
            let metadata = json!({"managedFields": [entry(OURS, "Apply", &fields)]});
            json!({"apiVersion": "apps/v1", "kind": "X", "metadata": metadata, "l": list}).to_string()
        };
        let one = object(json!([{"name": "a", "value": 1}]));
        let two = object(json!([{"name": "a", "value": 1}, {"name": "a", "value": 2}]));
        assert_ne!(fast(&one).unwrap(), fast(&two).unwrap());
        assert_eq!(fast(&two).unwrap(), slow(&two).unwrap());
    }

    proptest! {
        #[test]
        fn the_quick_way_says_what_the_slow_one_says(
            applied in deployment(), foreign in small_value(), seed in any::<u64>(),
            at in 0_usize..60, value in proptest::option::of(small_value()),
        ) {
            let object = stored(&applied, &foreign);
            let before = slow(&object.to_string()).unwrap();
            prop_assert!(before.fingerprint.is_some());
            prop_assert_eq!(&fast(&shuffled(&object, seed)).unwrap(), &before);
            let mut same = stored(&applied, &json!("else"));
            reversed(&mut same);
            prop_assert_eq!(&fast(&shuffled(&same, seed)).unwrap(), &before);

            let mut changed = object;
            if change(&mut changed, at, value.as_ref()) {
                let text = shuffled(&changed, seed);
                match (fast(&text), slow(&text)) {
                    (Ok(fast), Ok(slow)) => prop_assert_eq!(fast, slow),
                    (fast, slow) => prop_assert_eq!(fast.map_err(|e| e.to_string()), slow.map_err(|e| e.to_string())),
                }
            }
        }

        #[test]
        fn an_owned_value_that_changes_is_seen(applied in deployment(), image in "i[3-9]") {
            let mut object = stored(&applied, &json!(1));
            let before = fast(&object.to_string()).unwrap();
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            prop_assert_ne!(fast(&object.to_string()).unwrap(), before);
        }

        #[test]
        fn no_bytes_are_too_strange(
            applied in deployment(), cuts in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            noise in vec(any::<u8>(), 0..40),
        ) {
            let _ = Glance::of_json(&noise, OURS, &BuiltIn);
            let mut bytes = stored(&applied, &json!(1)).to_string().into_bytes();
            for (at, byte) in cuts {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let fast = Glance::of_json(&bytes, OURS, &BuiltIn);
            // What a parser refuses may be among what is passed over; what it takes is judged alike.
            if let (Ok(fast), Ok(object)) = (fast, serde_json::from_slice::<Value>(&bytes)) {
                prop_assert_eq!(fast, Glance::of(&object, OURS, &BuiltIn).unwrap());
            }
        }

        #[test]
        fn any_text_is_judged_alike(value in small_value()) {
            let object = json!({"apiVersion": "apps/v1", "metadata": {"managedFields": value}, "kind": value, "a": value});
            let text = object.to_string();
            prop_assert_eq!(fast(&text).ok(), slow(&text).ok());
            let fields = json!({"apiVersion": "apps/v1", "metadata": {"managedFields": [entry(OURS, "Apply", &value)]}});
            let text = fields.to_string();
            prop_assert_eq!(fast(&text).ok(), slow(&text).ok());
        }
    }
}
