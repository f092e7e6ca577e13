//! The kinds of Kubernetes itself.
//!
//! `builtin.txt` says what they are, one type per line; `hack/schema` writes it, and its first lines explain its grammar.

use std::sync::LazyLock;

use super::{Schema, Type, TypeGraph, table};
use crate::TypeRef;

/// The kinds of Kubernetes 1.36, with the deprecated versions that its client libraries still know.
///
/// It comes from the OpenAPI definitions that `kube-apiserver` is built with (`k8s.io/kubernetes`,
/// `pkg/generated/openapi`), as `kube-openapi`'s `schemaconv` reads them. The table is read when the first kind is asked
/// for.
///
/// ```
/// use gitops_diff::TypeRef;
/// use gitops_diff::schema::{BuiltIn, Format, Schema};
///
/// let deployment = TypeRef { group: "apps", version: "v1", kind: "Deployment" };
/// let pod = BuiltIn.type_of(&deployment).unwrap().child_or_deduced("spec").child_or_deduced("template");
/// let containers = pod.child_or_deduced("spec").map().unwrap().field("containers").unwrap();
/// assert_eq!(containers.patch().merge_key.as_deref(), Some("name"));
/// let resources = containers.ty().item_or_deduced().child_or_deduced("resources");
/// let limits = resources.child_or_deduced("limits");
/// assert_eq!(limits.child_or_deduced("memory").format(), Format::Quantity);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BuiltIn;

const TABLE: &str = include_str!("builtin.txt");

static GRAPH: LazyLock<TypeGraph> =
    // A test reads the table, and so there is no error.
    LazyLock::new(|| table::graph(TABLE).unwrap_or_default());

impl BuiltIn {
    /// All kinds that it knows, sorted by kind, group and version.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (TypeRef<'static>, Type<'static>)> + use<> {
        GRAPH.kinds()
    }
}

impl Schema for BuiltIn {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        GRAPH.type_of(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{KeyField, ListKind};

    fn kind(group: &'static str, kind: &'static str) -> Type<'static> {
        BuiltIn.type_of(&TypeRef { group, version: "v1", kind }).unwrap()
    }

    #[test]
    fn the_table_is_understood() {
        let graph = table::graph(TABLE).unwrap();
        assert_eq!(graph.kinds().len(), 163);
        assert!(graph.kinds().all(|(_, ty)| {
            ty.map().is_some_and(|map| {
                ["apiVersion", "kind", "metadata"].iter().all(|name| map.field(name).is_some())
            })
        }));
    }

    #[test]
    fn both_merges_are_known() {
        let ports = kind("", "Pod").child_or_deduced("spec").child_or_deduced("containers").item_or_deduced();
        let ports = ports.map().unwrap().field("ports").unwrap();
        assert_eq!(ports.patch().merge_key.as_deref(), Some("containerPort"));
        let ListKind::Map(keys) = ports.ty().list_kind() else { panic!("{ports:?}") };
        assert_eq!(keys[1], KeyField { name: "protocol".into(), default: Some("TCP".into()) });
    }

    #[test]
    fn a_reference_may_be_merged_otherwise_than_its_type() {
        let volume = kind("", "PersistentVolume").child_or_deduced("spec");
        assert!(!volume.child_or_deduced("claimRef").is_atomic_map());
        assert!(volume.child_or_deduced("claimRef").map().unwrap().field("uid").is_some());
        assert!(kind("", "Binding").child_or_deduced("target").is_atomic_map());
    }

    #[test]
    fn what_the_api_server_puts_into_absent_fields_is_known() {
        let stateful =
            BuiltIn.type_of(&TypeRef { group: "apps", version: "v1", kind: "StatefulSet" }).unwrap();
        let stored = |path: &[&str], field: &str| {
            let step = |ty: Type<'static>, name: &&str| match *name {
                "[]" => ty.item_or_deduced(),
                name => ty.child_or_deduced(name),
            };
            let field = path.iter().fold(stateful, step).map().unwrap().field(field).unwrap();
            field.server_default().cloned()
        };
        let pod = ["spec", "template", "spec"];
        let within = |rest: &[&'static str]| [&pod, rest].concat();
        let source = within(&["volumes", "[]", "projected", "sources", "[]", "serviceAccountToken"]);
        assert_eq!(stored(&source, "expirationSeconds"), Some(3600.into()));
        let from = within(&["containers", "[]", "env", "[]", "valueFrom"]);
        assert_eq!(stored(&[&*from, &["fieldRef"]].concat(), "apiVersion"), Some("v1".into()));
        assert_eq!(stored(&[&*from, &["resourceFieldRef"]].concat(), "divisor"), Some("0".into()));
        let claims = ["spec", "volumeClaimTemplates", "[]"];
        assert_eq!(stored(&claims, "kind"), Some("PersistentVolumeClaim".into()));
        assert_eq!(stored(&[&claims[..], &["spec"]].concat(), "volumeMode"), Some("Filesystem".into()));
        // What OpenAPI says, it is.
        assert_eq!(stored(&within(&["containers", "[]", "ports", "[]"]), "protocol"), Some("TCP".into()));
        assert_eq!(stored(&["spec"], "replicas"), None);
    }
}
