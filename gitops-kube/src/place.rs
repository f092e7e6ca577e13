//! Canonical ids, the order, and what an object waits for.

use std::collections::{HashMap, HashSet};

use gitops_core::{Class, FaultNote, GroupKind, Manifest, Placed, ResourceId};
use serde_json::Value;

use crate::discovery::Discovered;
use crate::membership::RECORD_PREFIX;
use crate::normalise::normalise;
use crate::order::rank;

/// What placing depends on, besides what is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The namespace of objects that name none, if that is allowed.
    pub(crate) default_namespace: Option<&'a str>,
    /// Where records are kept.
    pub(crate) state_namespace: &'a str,
}

/// A kind that a CustomResourceDefinition of the same set declares.
struct Declared {
    namespaced: bool,
    versions: Vec<String>,
    by: ResourceId,
}

/// Whether a kind of the set is neither served nor declared in it, so that it is worth asking again what is served.
pub(crate) fn needs_refresh(set: &[Manifest], discovered: &Discovered) -> bool {
    let declared = declared(set);
    set.iter().any(|manifest| {
        let kind = manifest.id.group_kind();
        discovered.find(&kind, &manifest.version).is_none() && !declared.contains_key(&kind)
    })
}

/// Places a set, in its order.
pub(crate) fn place(set: Vec<Manifest>, discovered: &Discovered, rules: Rules<'_>) -> Vec<Placed> {
    let declared = declared(&set);
    let namespaces: HashSet<String> =
        set.iter().filter(|m| is_namespace(&m.id)).map(|m| m.id.name.clone()).collect();
    set.into_iter().map(|manifest| place_one(manifest, discovered, &declared, &namespaces, rules)).collect()
}

fn place_one(
    manifest: Manifest,
    discovered: &Discovered,
    declared: &HashMap<GroupKind, Declared>,
    namespaces: &HashSet<String>,
    rules: Rules<'_>,
) -> Placed {
    let kind = manifest.id.group_kind();
    let invalid = |why: String| Some(FaultNote::new(Class::Invalid, why));
    let mut id = manifest.id.clone();
    let mut unresolved = None;
    match scope(&manifest, &kind, discovered, declared) {
        Ok(true) if id.namespace.is_none() => {
            id.namespace = rules.default_namespace.map(str::to_owned);
            if id.namespace.is_none() {
                unresolved = invalid(format!("{kind} has namespaces, but metadata.namespace is not given"));
            }
        }
        Ok(true) => {}
        Ok(false) => id.namespace = None,
        Err(why) => unresolved = Some(why),
    }
    if is_record(&id, rules.state_namespace) {
        unresolved =
            invalid(format!("the names {RECORD_PREFIX}… in this namespace are for records of applications"));
    } else if is_namespace(&id) && id.name == rules.state_namespace {
        unresolved =
            invalid("it holds the records of applications, and so belongs to none of them".to_owned());
    }
    let mut requires = Vec::new();
    if let Some(namespace) = id.namespace.as_ref().filter(|namespace| namespaces.contains(*namespace)) {
        requires.push(ResourceId::global("", "Namespace", namespace));
    }
    if let Some(declared) = declared.get(&kind) {
        requires.push(declared.by.clone());
    }
    let rank = rank(&kind.group, &kind.kind);
    let stated = manifest.object();
    let object = normalise(&stated, &id);
    let mut placed = Placed::new(manifest).with_id(id).with_rank(rank).with_requires(requires);
    // Most objects are written as they are applied: they are kept once.
    if object != stated {
        placed = placed.with_object(&object);
    }
    match unresolved {
        Some(why) => placed.with_unresolved(why),
        None => placed,
    }
}

/// Whether the kind has namespaces, or why that is not known.
fn scope(
    manifest: &Manifest,
    kind: &GroupKind,
    discovered: &Discovered,
    declared: &HashMap<GroupKind, Declared>,
) -> Result<bool, FaultNote> {
    if let Some(served) = discovered.find(kind, &manifest.version) {
        return Ok(served.namespaced);
    }
    if let Some(declared) = declared.get(kind) {
        if declared.versions.contains(&manifest.version) {
            return Ok(declared.namespaced);
        }
        let (by, versions) = (&declared.by.name, declared.versions.join(", "));
        return Err(FaultNote::new(
            Class::Invalid,
            format!(
                "the CustomResourceDefinition {by} in this set has {kind} in {versions}, but not in {}",
                manifest.version
            ),
        ));
    }
    let versions: Vec<_> = discovered.versions(kind).iter().map(|served| served.version.as_str()).collect();
    let (class, why) = if !versions.is_empty() {
        let versions = versions.join(", ");
        (Class::NotFound, format!("the cluster serves {kind} in {versions}, but not in {}", manifest.version))
    } else if discovered.has_gap(&kind.group) {
        let group = &kind.group;
        (
            Class::RETRY,
            format!("what the API group {group:?} serves is not known for now: its server does not answer"),
        )
    } else {
        let why = "and no CustomResourceDefinition in this set declares it";
        (Class::NotFound, format!("the cluster does not know the kind {kind}, {why}"))
    };
    Err(FaultNote::new(class, why))
}

fn declared(set: &[Manifest]) -> HashMap<GroupKind, Declared> {
    set.iter().filter_map(declaration).collect()
}

fn declaration(manifest: &Manifest) -> Option<(GroupKind, Declared)> {
    if !is_definition(&manifest.id) {
        return None;
    }
    let object = manifest.object();
    let spec = object.get("spec")?;
    let text = |at: &str| spec.pointer(at).and_then(Value::as_str);
    let served = |version: &Value| {
        let name = version.get("name")?.as_str()?;
        (version.get("served") != Some(&Value::Bool(false))).then(|| name.to_owned())
    };
    let versions = spec.get("versions")?.as_array()?.iter().filter_map(served).collect();
    let by = ResourceId { namespace: None, ..manifest.id.clone() };
    let namespaced = text("/scope")? == "Namespaced";
    Some((defined_kind(&object)?, Declared { namespaced, versions, by }))
}

/// The kind that a CustomResourceDefinition is about.
pub(crate) fn defined_kind(definition: &Value) -> Option<GroupKind> {
    let text = |at: &str| definition.pointer(at)?.as_str();
    Some(GroupKind::new(text("/spec/group")?, text("/spec/names/kind")?))
}

pub(crate) fn is_definition(id: &ResourceId) -> bool {
    id.group == "apiextensions.k8s.io" && id.kind == "CustomResourceDefinition"
}

pub(crate) fn is_namespace(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Namespace"
}

fn is_record(id: &ResourceId, state_namespace: &str) -> bool {
    id.group.is_empty()
        && id.kind == "Secret"
        && id.namespace.as_deref() == Some(state_namespace)
        && id.name.starts_with(RECORD_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::sample;
    use gitops_core::{Place, RepoPath};
    use serde_json::json;

    const RULES: Rules<'static> = Rules { default_namespace: None, state_namespace: "state" };

    fn manifest(object: &Value) -> Manifest {
        Manifest::new(object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap()
    }

    fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Manifest {
        manifest(
            &json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}),
        )
    }

    fn definition() -> Manifest {
        manifest(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "backups.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Backup", "plural": "backups"},
                "versions": [{"name": "v1", "served": true}, {"name": "v1alpha1", "served": false}]}}))
    }

    fn why(placed: &Placed) -> &str {
        placed.unresolved.as_ref().map_or("", |note| &note.message)
    }

    #[test]
    fn the_scope_is_that_of_the_kind() {
        let set = vec![
            object("v1", "Namespace", Some("typo"), "shop"),
            object("apps/v1", "Deployment", Some("shop"), "web"),
            object("apps/v1", "Deployment", None, "web"),
        ];
        let placed = place(set.clone(), &sample(), RULES);
        assert_eq!(placed[0].id, ResourceId::global("", "Namespace", "shop"));
        assert!(placed[0].manifest.object()["metadata"].get("namespace").is_none());
        assert_eq!(placed[1].requires, [ResourceId::global("", "Namespace", "shop")]);
        assert!(placed[0].rank < placed[1].rank);
        assert_eq!(why(&placed[2]), "Deployment.apps has namespaces, but metadata.namespace is not given");
        let placed = place(set, &sample(), Rules { default_namespace: Some("default"), ..RULES });
        assert_eq!(placed[2].id.namespace.as_deref(), Some("default"));
        assert_eq!(placed[2].manifest.object()["metadata"]["namespace"], "default");
        assert!(placed[2].unresolved.is_none());
    }

    #[test]
    fn kinds_may_be_declared_in_the_same_set() {
        let set = vec![
            object("example.com/v1", "Backup", Some("shop"), "daily"),
            definition(),
            object("example.com/v1alpha1", "Backup", Some("shop"), "old"),
        ];
        assert!(!needs_refresh(&set, &sample()));
        let placed = place(set, &sample(), RULES);
        assert_eq!(placed[0].requires, [placed[1].id.clone()]);
        assert!(placed[0].unresolved.is_none());
        assert!(why(&placed[2]).contains("in v1, but not in v1alpha1"), "{}", why(&placed[2]));
    }

    #[test]
    fn unknown_kinds_are_answers() {
        let set = vec![
            object("example.com/v1", "Backup", None, "daily"),
            object("autoscaling/v2beta2", "HorizontalPodAutoscaler", Some("shop"), "web"),
        ];
        assert!(needs_refresh(&set, &sample()));
        let placed = place(set, &sample(), RULES);
        assert!(why(&placed[0]).contains("does not know the kind Backup.example.com"), "{}", why(&placed[0]));
        assert!(why(&placed[1]).contains("in v2, v1, but not in v2beta2"), "{}", why(&placed[1]));
    }

    #[test]
    fn a_record_is_never_a_member() {
        let set = vec![
            object("v1", "Secret", Some("state"), "gitops-app-shop"),
            object("v1", "Secret", Some("x"), "gitops-app-shop"),
        ];
        let placed = place(set, &sample(), RULES);
        assert!(placed[0].unresolved.is_some() && placed[1].unresolved.is_none());
        let placed = place(vec![object("v1", "Namespace", None, "state")], &sample(), RULES);
        assert!(why(&placed[0]).contains("records"), "{}", why(&placed[0]));
    }
}
