//! Kinds as the manifests of custom resource definitions tell them.

use serde_json::Value;

use super::deduced;
use super::error::SchemaError;
use super::extract::{At, Extractor};
use super::graph::{TypeGraph, TypeId};
use crate::TypeRef;

const GROUP: &str = "apiextensions.k8s.io";

impl TypeGraph {
    /// Reads the kinds of custom resource definitions (CRDs): all their versions, served or not. Manifests of other kinds are
    /// passed over, so that it can be given all of a commit.
    ///
    /// The types are the ones that the API server makes of them for server-side apply (`apiextensions-apiserver`,
    /// `pkg/controller/openapi/builder`): `metadata` is that of all objects, embedded resources have the fields that
    /// every object has, and fields that the schema does not name are unknown, unless it keeps them
    /// (`x-kubernetes-preserve-unknown-fields`). A version without a schema is not read: its objects are
    /// [deduced](super::Type::unknown_object).
    ///
    /// ```
    /// use gitops_diff::TypeRef;
    /// use gitops_diff::schema::{BuiltIn, Schema, TypeGraph};
    /// use serde_json::json;
    ///
    /// let crd = json!({
    ///     "apiVersion": "apiextensions.k8s.io/v1",
    ///     "kind": "CustomResourceDefinition",
    ///     "metadata": {"name": "gadgets.example.com"},
    ///     "spec": {
    ///         "group": "example.com",
    ///         "names": {"kind": "Gadget"},
    ///         "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
    ///             "type": "object",
    ///             "properties": {"size": {"type": "integer", "default": 1}},
    ///         }}}],
    ///     },
    /// });
    /// let schema = (TypeGraph::from_crds([&crd])?, BuiltIn);
    /// let gadget = schema.type_of(&TypeRef { group: "example.com", version: "v1", kind: "Gadget" }).unwrap();
    /// assert_eq!(gadget.map().unwrap().field("size").unwrap().default(), Some(&json!(1)));
    /// assert!(schema.type_of(&TypeRef { group: "", version: "v1", kind: "Pod" }).is_some());
    /// # Ok::<(), gitops_diff::schema::SchemaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the API server would refuse. The place begins with the name of the definition.
    pub fn from_crds<'d>(manifests: impl IntoIterator<Item = &'d Value>) -> Result<Self, SchemaError> {
        let mut extractor = Extractor::new();
        let metadata = deduced::add_metadata(&mut extractor.builder, extractor.deduced);
        extractor.embed_metadata(metadata);
        for manifest in manifests {
            let kind = TypeRef::of(manifest);
            if kind.group != GROUP || kind.kind != "CustomResourceDefinition" {
                continue;
            }
            let name = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            Definition::of(manifest, metadata).read(&mut extractor).map_err(|error| error.within(name))?;
        }
        extractor.build()
    }
}

/// What all versions of a definition have in common.
struct Definition<'d> {
    spec: &'d Value,
    group: &'d str,
    kind: &'d str,
    /// Whether fields that no schema names are kept: by default they were, in v1beta1.
    preserve: bool,
    metadata: TypeId,
}

impl<'d> Definition<'d> {
    fn of(manifest: &'d Value, metadata: TypeId) -> Self {
        let text = |pointer| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let preserve = manifest.pointer("/spec/preserveUnknownFields").and_then(Value::as_bool);
        Self {
            spec: manifest.get("spec").unwrap_or(&Value::Null),
            group: text("/spec/group"),
            kind: text("/spec/names/kind"),
            preserve: preserve.unwrap_or(TypeRef::of(manifest).version == "v1beta1"),
            metadata,
        }
    }

    fn read(&self, extractor: &mut Extractor<'d>) -> Result<(), SchemaError> {
        const SCHEMA: &str = "openAPIV3Schema";
        // In v1beta1 all versions may have one schema, and a definition one version.
        let common = self.spec.get("validation").and_then(|validation| validation.get(SCHEMA));
        let within = |error: SchemaError| error.within(SCHEMA).within("validation").within("spec");
        if let (Some(version), Some(schema)) = (self.spec.get("version").and_then(Value::as_str), common) {
            self.version(extractor, version, schema).map_err(within)?;
        }
        let versions = self.spec.get("versions").and_then(Value::as_array);
        for (at, version) in versions.into_iter().flatten().enumerate() {
            let Some(name) = version.get("name").and_then(Value::as_str) else { continue };
            let own = version.get("schema").and_then(|schema| schema.get(SCHEMA));
            if let Some(schema) = own {
                let within = |error: SchemaError| {
                    let error = error.within(SCHEMA).within("schema");
                    error.within(at.to_string()).within("versions").within("spec")
                };
                self.version(extractor, name, schema).map_err(within)?;
            } else if let Some(schema) = common {
                self.version(extractor, name, schema).map_err(within)?;
            }
        }
        Ok(())
    }

    fn version(
        &self,
        extractor: &mut Extractor<'d>,
        version: &str,
        schema: &'d Value,
    ) -> Result<(), SchemaError> {
        let mut spec = extractor.spec(At::top(schema, self.preserve)?)?;
        // It is an object, whatever the schema says.
        let mut map = spec.map.take().unwrap_or_default();
        extractor.add_object_fields(&mut map.fields, self.metadata);
        spec.map = Some(map);
        let id = extractor.builder.add(spec);
        extractor.builder.kind(&TypeRef { group: self.group, version, kind: self.kind }, id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{BuiltIn, Deduced, Format, ListKind, Schema, Type};

    const GADGET: TypeRef<'_> = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };

    fn definition(version: &str, spec: &Value) -> Value {
        let mut manifest = json!({
            "apiVersion": format!("{GROUP}/{version}"), "kind": "CustomResourceDefinition",
            "metadata": {"name": "gadgets.example.com"},
            "spec": {"group": "example.com", "names": {"kind": "Gadget"}},
        });
        for (name, value) in spec.as_object().unwrap() {
            manifest["spec"][name] = value.clone();
        }
        manifest
    }

    fn v1(schema: &Value) -> TypeGraph {
        let spec = json!({"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]});
        TypeGraph::from_crds([&definition("v1", &spec)]).unwrap()
    }

    fn knows(ty: Type<'_>, name: &str) -> bool {
        ty.map().is_some_and(|map| map.child(name).is_some())
    }

    #[test]
    fn objects_have_what_all_objects_have() {
        let graph =
            v1(&json!({"type": "object", "properties": {"metadata": {"type": "string"}, "spec": {}}}));
        let gadget = graph.type_of(&GADGET).unwrap();
        let finalizers = gadget.child_or_deduced("metadata").map().unwrap().field("finalizers").unwrap();
        assert_eq!(finalizers.ty().list_kind(), ListKind::Set);
        assert!(finalizers.patch().merge);
        assert!(knows(gadget, "kind") && knows(gadget, "apiVersion") && !knows(gadget, "status"));
    }

    #[test]
    fn embedded_resources_are_objects() {
        let graph = v1(&json!({"type": "object", "properties": {
            "closed": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {}}},
            "open": {
                "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
            },
        }}));
        let gadget = graph.type_of(&GADGET).unwrap();
        let (closed, open) = (gadget.child_or_deduced("closed"), gadget.child_or_deduced("open"));
        for embedded in [closed, open] {
            assert_eq!(embedded.format(), Format::Embedded);
            assert_eq!(embedded.child_or_deduced("metadata"), gadget.child_or_deduced("metadata"));
        }
        assert!(!knows(closed, "status") && knows(open, "status"));
    }

    #[test]
    fn unknown_fields_are_kept_where_it_is_said() {
        let graph = v1(&json!({"type": "object", "properties": {
            "kept": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"below": {"type": "object", "properties": {"a": {"type": "string"}}}},
            },
            "pruned": {"type": "object", "properties": {"a": {"type": "string"}}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        }}));
        let gadget = graph.type_of(&GADGET).unwrap();
        assert!(knows(gadget.child_or_deduced("kept"), "b"));
        assert!(knows(gadget.child_or_deduced("kept").child_or_deduced("below"), "b"));
        assert!(!knows(gadget.child_or_deduced("pruned"), "b"));
        assert!(knows(gadget.child_or_deduced("map"), "b"));
    }

    #[test]
    fn scalars_mean_something() {
        let quantity = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";
        let one_or_the_other = json!([{"type": "integer"}, {"type": "string"}]);
        let graph = v1(&json!({"type": "object", "properties": {
            "port": {"anyOf": one_or_the_other, "x-kubernetes-int-or-string": true},
            "memory": {"anyOf": one_or_the_other, "x-kubernetes-int-or-string": true, "pattern": quantity},
            "data": {"type": "string", "format": "byte"},
            "timeout": {"type": "string", "format": "duration"},
            "since": {"type": "string", "format": "date-time", "nullable": true},
            "email": {"type": "string", "format": "email"},
        }}));
        let gadget = graph.type_of(&GADGET).unwrap();
        for (name, format) in [
            ("port", Format::IntOrString),
            ("memory", Format::Quantity),
            ("data", Format::Bytes),
            ("timeout", Format::Duration),
            ("since", Format::MicroTime),
            ("email", Format::Plain),
        ] {
            assert_eq!(gadget.child_or_deduced(name).format(), format, "{name}");
            assert_eq!(gadget.child_or_deduced(name).is_nullable(), name == "since");
        }
    }

    #[test]
    fn old_definitions_are_read() {
        let schema =
            json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {}}}}});
        let validation = json!({"openAPIV3Schema": schema});
        let spec =
            json!({"version": "v1", "versions": [{"name": "v2"}, {"name": "v3"}], "validation": validation});
        let graph = TypeGraph::from_crds([&definition("v1beta1", &spec)]).unwrap();
        assert_eq!(graph.kinds().len(), 3);
        // Unless they say otherwise, they keep all fields.
        assert!(knows(graph.type_of(&GADGET).unwrap().child_or_deduced("spec"), "b"));
        let strict = json!({"version": "v1", "preserveUnknownFields": false, "validation": validation});
        let graph = TypeGraph::from_crds([&definition("v1beta1", &strict)]).unwrap();
        assert!(!knows(graph.type_of(&GADGET).unwrap().child_or_deduced("spec"), "b"));
    }

    #[test]
    fn what_has_no_schema_is_passed_over() {
        let bare = definition("v1", &json!({"versions": [{"name": "v1"}]}));
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        assert_eq!(TypeGraph::from_crds([&bare, &other, &Value::Null]).unwrap().kinds().len(), 0);
    }

    #[test]
    fn several_schemas_are_looked_at_in_order() {
        let ours = v1(&json!({"type": "object", "properties": {"a": {"type": "string"}}}));
        let mine: Vec<Box<dyn Schema>> = vec![Box::new(Deduced), Box::new(ours), Box::new(BuiltIn)];
        let schema = (mine, Deduced);
        assert!(schema.type_of(&GADGET).is_some());
        assert!(schema.type_of(&TypeRef { group: "apps", version: "v1", kind: "Deployment" }).is_some());
        assert!(schema.type_of(&TypeRef { version: "v2", ..GADGET }).is_none());
        assert_eq!(schema.type_or_deduced(&TypeRef { version: "v2", ..GADGET }), Type::unknown_object());
    }

    #[test]
    fn a_stated_default_is_as_good_as_none() {
        let graph = v1(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "default": 1},
            "list": {"type": "array", "items": {"type": "string"}, "default": []},
            "options": {"type": "object", "properties": {"a": {"type": "string"}}, "default": {}},
            "keyed": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "default": [],
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "on": {"type": "boolean", "default": true}}},
            },
            "atomic": {"type": "array", "items": {"type": "object", "properties": {
                "name": {"type": "string"}, "l": {"type": "array", "items": {"type": "string"}, "default": []},
                "m": {"type": "string", "default": "x"},
            }}},
        }}}}));
        let gadget = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Gadget", "spec": spec});
        let count = |git: Value, live: Value| {
            crate::compare(&gadget(git), &gadget(live), &graph, &crate::DiffOptions::default()).len()
        };
        let stated = json!({
            "size": 1, "list": [], "options": {}, "keyed": [{"name": "a", "on": true}],
            "atomic": [{"name": "a", "l": [], "m": "x"}],
        });
        let bare = json!({"keyed": [{"name": "a"}], "atomic": [{"name": "a"}]});
        assert_eq!(count(stated.clone(), bare.clone()), 0);
        assert_eq!(count(bare, stated), 0);
        assert_eq!(count(json!({"keyed": []}), json!({})), 0);
        for other in [
            json!({"size": 2}),
            json!({"list": ["a"]}),
            json!({"options": {"a": "b"}}),
            json!({"keyed": [{"name": "b"}]}),
        ] {
            assert_eq!(count(other.clone(), json!({})), 1, "{other}");
        }
    }
}
