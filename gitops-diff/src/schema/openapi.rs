//! Kinds as an API server's OpenAPI documents tell them.

use std::collections::HashMap;

use serde_json::Value;

use super::error::{SchemaError, SchemaProblem};
use super::extract::{At, Extractor, object, target};
use super::graph::{TypeGraph, TypeId};
use super::spec::TypeSpec;
use super::{Format, Scalar};
use crate::TypeRef;

/// How many definitions may only refer to the next one before there is a type.
const MAX_ALIASES: usize = 16;

const GROUP_VERSION_KIND: &str = "x-kubernetes-group-version-kind";

impl TypeGraph {
    /// Reads the kinds of OpenAPI v3 documents, as an API server has them under `/openapi/v3/apis/GROUP/VERSION`.
    ///
    /// Every document has its schemas in `components.schemas`; documents may refer to each other's. Of two schemas of one
    /// name the first counts: an API server says the same in all. Kinds are the schemas that have
    /// `x-kubernetes-group-version-kind`.
    ///
    /// The rules are those by which the API server itself reads them for server-side apply (`kube-openapi`,
    /// `pkg/schemaconv/openapi.go`); what strategic merge needs is kept beside.
    ///
    /// ```
    /// use gitops_diff::TypeRef;
    /// use gitops_diff::schema::{ListKind, Schema, TypeGraph};
    /// use serde_json::json;
    ///
    /// let document = json!({"components": {"schemas": {
    ///     "com.example.v1.Gadget": {
    ///         "type": "object",
    ///         "properties": {"tags": {
    ///             "type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set",
    ///         }},
    ///         "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Gadget"}],
    ///     },
    /// }}});
    /// let schema = TypeGraph::from_openapi([&document])?;
    /// let gadget = schema.type_of(&TypeRef { group: "example.com", version: "v1", kind: "Gadget" }).unwrap();
    /// assert_eq!(gadget.child_or_deduced("tags").list_kind(), ListKind::Set);
    /// # Ok::<(), gitops_diff::schema::SchemaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the API server would not understand either, with its place: nothing is guessed.
    pub fn from_openapi<'d>(documents: impl IntoIterator<Item = &'d Value>) -> Result<Self, SchemaError> {
        let mut schemas = HashMap::new();
        let mut order = Vec::new();
        for document in documents {
            let Some(all) = document.pointer("/components/schemas") else { continue };
            for (name, schema) in object(all).map_err(in_schemas)? {
                schemas.entry(name.as_str()).or_insert_with(|| {
                    order.push(name.as_str());
                    schema
                });
            }
        }
        let mut extractor = Extractor::new();
        let ids: HashMap<&str, TypeId> =
            order.iter().map(|name| (*name, extractor.builder.reserve())).collect();
        for name in &order {
            let id = alias(name, &schemas)
                .map_err(|error| in_schemas(error.within(*name)))?
                .and_then(|name| ids.get(name));
            extractor.named.insert(name, id.copied().unwrap_or(extractor.deduced));
        }
        for name in order {
            let (Some(schema), Some(id)) = (schemas.get(name), ids.get(name)) else { continue };
            define(&mut extractor, name, schema, *id).map_err(|error| in_schemas(error.within(name)))?;
        }
        extractor.build()
    }
}

fn in_schemas(error: SchemaError) -> SchemaError {
    error.within("schemas").within("components")
}

/// The definition that a definition stands for, in the end.
fn alias<'d>(name: &'d str, schemas: &HashMap<&'d str, &'d Value>) -> Result<Option<&'d str>, SchemaError> {
    let mut name = name;
    for _ in 0..MAX_ALIASES {
        let Some(schema) = schemas.get(name) else {
            return Err(SchemaProblem::DanglingReference(name.to_owned()).into());
        };
        match At::top(schema, false)?.reference()? {
            None => return Ok(Some(name)),
            Some(reference) => name = target(reference),
        }
    }
    Err(SchemaProblem::ReferenceCycle.into())
}

fn define<'d>(
    extractor: &mut Extractor<'d>,
    name: &'d str,
    schema: &'d Value,
    id: TypeId,
) -> Result<(), SchemaError> {
    let spec = match well_known(name) {
        Some(spec) => spec,
        None => extractor.spec(At::top(schema, false)?)?,
    };
    extractor.builder.define(id, spec);
    if name == "io.k8s.apimachinery.pkg.runtime.RawExtension" {
        extractor.define_raw_extension(id);
    }
    let id = extractor.named.get(name).copied().unwrap_or(id);
    for kind in schema.get(GROUP_VERSION_KIND).and_then(Value::as_array).into_iter().flatten() {
        let text = |name| {
            let text = kind.get(name).and_then(Value::as_str);
            text.ok_or_else(|| SchemaError::from(SchemaProblem::Not("a kind")).within(GROUP_VERSION_KIND))
        };
        let kind = TypeRef { group: text("group")?, version: text("version")?, kind: text("kind")? };
        extractor.builder.kind(&kind, id);
    }
    Ok(())
}

/// Types whose schemas do not tell what they are; the API server knows the first by name, too.
fn well_known(name: &str) -> Option<TypeSpec> {
    let (scalar, format) = match name {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => (Scalar::Untyped, Format::Quantity),
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => (Scalar::Untyped, Format::Time),
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => (Scalar::Untyped, Format::MicroTime),
        "io.k8s.apimachinery.pkg.apis.meta.v1.Duration" => (Scalar::String, Format::Duration),
        _ => return None,
    };
    Some(TypeSpec::formatted(scalar, format))
}
