//! Types read from the schema files that lie beside vector files.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use gitops_diff::TypeRef;
use gitops_diff::schema::{
    FieldSpec, KeyField, ListSpec, MapSpec, Patch, Scalar, Schema, Type, TypeGraph, TypeGraphBuilder, TypeId,
    TypeSpec,
};
use serde_json::Value;

/// A graph of types that have names.
#[derive(Debug)]
pub(crate) struct Named {
    graph: TypeGraph,
    names: HashMap<String, TypeId>,
}

impl Named {
    /// The type of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Type<'_>> {
        self.graph.get(*self.names.get(name)?)
    }
}

impl Schema for Named {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        self.graph.type_of(kind)
    }
}

/// Reads a structured-merge-diff schema: `types`, each with a name and the shapes it allows.
pub(crate) fn merge_diff(yaml: &str) -> Result<Named> {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_nodes: 2_000_000 } };
    let document: Value = serde_saphyr::from_str_with_options(yaml, options)?;
    let types = document["types"].as_array().context("types: a list")?;
    let mut reader =
        MergeDiff { builder: TypeGraph::builder(), names: HashMap::new(), texts: HashMap::new() };
    for ty in types {
        let name = ty["name"].as_str().context("a type without a name")?;
        let id = reader.builder.reserve();
        reader.names.insert(name.to_owned(), id);
        reader.texts.insert(name, ty);
    }
    for ty in types {
        let spec = reader.spec(ty, None)?;
        let id = ty["name"].as_str().and_then(|name| reader.names.get(name)).context("a name")?;
        reader.builder.define(*id, spec);
    }
    Ok(Named { graph: reader.builder.build()?, names: reader.names })
}

struct MergeDiff<'a> {
    builder: TypeGraphBuilder,
    names: HashMap<String, TypeId>,
    texts: HashMap<&'a str, &'a Value>,
}

impl MergeDiff<'_> {
    /// A type; `relationship` overrides what it says itself about maps and lists.
    fn spec(&mut self, ty: &Value, relationship: Option<&str>) -> Result<TypeSpec> {
        let mut spec = TypeSpec::default();
        spec.scalar = match ty["scalar"].as_str() {
            None => None,
            Some("string") => Some(Scalar::String),
            Some("numeric") => Some(Scalar::Number),
            Some("boolean") => Some(Scalar::Boolean),
            Some("untyped") => Some(Scalar::Untyped),
            Some(other) => bail!("scalar {other}"),
        };
        if let Some(list) = ty.get("list") {
            let item = self.reference(&list["elementType"])?;
            let keys = list["keys"].as_array().cloned().unwrap_or_default();
            spec.list = Some(match relationship.or(list["elementRelationship"].as_str()) {
                Some("associative") if keys.is_empty() => ListSpec::Set(item),
                Some("associative") => ListSpec::Map(item, self.keys(&list["elementType"], &keys)?),
                _ => ListSpec::Atomic(item),
            });
        }
        if let Some(map) = ty.get("map") {
            let mut fields = Vec::new();
            for field in map["fields"].as_array().into_iter().flatten() {
                let name = field["name"].as_str().context("a field without a name")?;
                let mut spec = FieldSpec::new(name, self.reference(&field["type"])?);
                spec.default = field.get("default").cloned();
                fields.push(spec);
            }
            let element = map.get("elementType").map(|element| self.reference(element)).transpose()?;
            let atomic = relationship.or(map["elementRelationship"].as_str()) == Some("atomic");
            spec.map = Some(MapSpec { fields, element, atomic });
        }
        Ok(spec)
    }

    fn reference(&mut self, reference: &Value) -> Result<TypeId> {
        let relationship = reference["elementRelationship"].as_str();
        let Some(name) = reference["namedType"].as_str() else {
            let spec = self.spec(reference, relationship)?;
            return Ok(self.builder.add(spec));
        };
        let Some(relationship) = relationship else {
            return self.names.get(name).copied().with_context(|| format!("no type {name}"));
        };
        // The named type with another relationship is a type of its own.
        let key = format!("{name} {relationship}");
        if let Some(id) = self.names.get(&key) {
            return Ok(*id);
        }
        let id = self.builder.reserve();
        self.names.insert(key, id);
        let ty = *self.texts.get(name).with_context(|| format!("no type {name}"))?;
        let spec = self.spec(ty, Some(relationship))?;
        self.builder.define(id, spec);
        Ok(id)
    }

    /// The key fields of a list, with the defaults that they have in the items' type.
    fn keys(&self, item: &Value, keys: &[Value]) -> Result<Vec<KeyField>> {
        let named = item["namedType"].as_str();
        let item = named.and_then(|name| self.texts.get(name).copied()).unwrap_or(item);
        let fields = item["map"]["fields"].as_array();
        let key = |name: &Value| {
            let name = name.as_str().context("keys: names")?;
            let field = fields.into_iter().flatten().find(|field| field["name"] == name);
            Ok(KeyField { name: name.into(), default: field.and_then(|field| field.get("default").cloned()) })
        };
        keys.iter().map(key).collect()
    }
}

/// Reads the types of Kubernetes' Go structs, as far as strategic merge sees them: `kinds` and `types`.
pub(crate) fn strategic(json: &str) -> Result<Named> {
    let document: Value = serde_json::from_str(json)?;
    let types = document["types"].as_object().context("types: a map")?;
    let mut builder = TypeGraph::builder();
    let scalar = builder.add(TypeSpec::scalar(Scalar::Untyped));
    let mut names: HashMap<String, TypeId> =
        types.keys().map(|name| (name.clone(), builder.reserve())).collect();
    for (name, ty) in types {
        let mut fields = Vec::new();
        for (field, reference) in ty.as_object().with_context(|| format!("{name}: a map"))? {
            let ty = if reference.get("patchStrategy").is_some() { &reference["type"] } else { reference };
            let mut spec = FieldSpec::new(field.as_str(), go_type(&mut builder, &names, scalar, ty)?);
            spec.patch = go_patch(reference)?;
            fields.push(spec);
        }
        builder.define(names[name], TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
    }
    for (kind, name) in document["kinds"].as_object().context("kinds: a map")? {
        let (api, kind) = kind.rsplit_once('/').context("kinds: apiVersion/kind")?;
        let (group, version) = api.split_once('/').unwrap_or(("", api));
        let id = name.as_str().and_then(|name| names.get(name)).context("kinds: a type")?;
        builder.kind(&TypeRef { group, version, kind }, *id);
    }
    names.insert("scalar".to_owned(), scalar);
    Ok(Named { graph: builder.build()?, names })
}

fn go_type(
    builder: &mut TypeGraphBuilder,
    names: &HashMap<String, TypeId>,
    scalar: TypeId,
    reference: &Value,
) -> Result<TypeId> {
    if let Some(name) = reference.as_str() {
        return if name == "scalar" {
            Ok(scalar)
        } else {
            names.get(name).copied().with_context(|| format!("no type {name}"))
        };
    }
    if let Some(item) = reference.get("list") {
        let item = go_type(builder, names, scalar, item)?;
        return Ok(builder.add(TypeSpec::list(ListSpec::Atomic(item))));
    }
    let element = reference.get("map").with_context(|| format!("a type: {reference}"))?;
    let element = Some(go_type(builder, names, scalar, element)?);
    Ok(builder.add(TypeSpec::map(MapSpec { element, ..MapSpec::default() })))
}

fn go_patch(reference: &Value) -> Result<Patch> {
    let mut patch = Patch::default();
    for strategy in reference["patchStrategy"].as_str().into_iter().flat_map(|all| all.split(',')) {
        match strategy {
            "merge" => patch.merge = true,
            "replace" => patch.replace = true,
            "retainKeys" => patch.retain_keys = true,
            other => bail!("patch strategy {other}"),
        }
    }
    patch.merge_key = reference["patchMergeKey"].as_str().map(Into::into);
    Ok(patch)
}
