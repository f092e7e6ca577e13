//! Types from JSON Schema objects as Kubernetes writes them: what OpenAPI documents and CRDs have in common.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::{SchemaError, SchemaProblem};
use super::graph::{TypeDef, TypeGraphBuilder, TypeId};
use super::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};
use super::{Format, KeyField, Patch, Scalar, deduced};

/// Schemas in schemas beyond this are refused: no document of Kubernetes comes near.
const MAX_DEPTH: usize = 256;

/// How the API server writes the pattern of a `resource.Quantity` in a CRD (controller-gen's known types).
const QUANTITY_PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// Turns schemas into types, by the rules of `kube-openapi`, `pkg/schemaconv/openapi.go`.
pub(super) struct Extractor<'d> {
    pub(super) builder: TypeGraphBuilder,
    /// The types that references may name.
    pub(super) named: HashMap<&'d str, TypeId>,
    /// Any value as one, and any value.
    atomic: TypeId,
    pub(super) deduced: TypeId,
    /// The `metadata` of embedded objects, where schemas do not say it themselves.
    embedded_metadata: Option<TypeId>,
    /// Types that are as another one, which may not be known yet, but for what is said beside a reference.
    overrides: Vec<(TypeId, TypeId, Override)>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Override {
    atomic: Option<bool>,
    nullable: bool,
}

/// A schema, and what it inherits.
#[derive(Clone, Copy)]
pub(super) struct At<'d> {
    schema: &'d Map<String, Value>,
    /// Whether a schema around it keeps unknown fields.
    preserve: bool,
    depth: usize,
}

impl<'d> At<'d> {
    pub(super) fn top(schema: &'d Value, preserve: bool) -> Result<Self, SchemaError> {
        At { schema: object(schema)?, preserve, depth: 0 }.marked()
    }

    fn below(&self, schema: &'d Value) -> Result<Self, SchemaError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(SchemaProblem::TooDeep.into());
        }
        At { schema: object(schema)?, preserve: self.preserve, depth }.marked()
    }

    fn marked(mut self) -> Result<Self, SchemaError> {
        self.preserve |= self.flag("x-kubernetes-preserve-unknown-fields")?;
        Ok(self)
    }

    fn get(&self, name: &str) -> Option<&'d Value> {
        self.schema.get(name).filter(|value| !value.is_null())
    }

    fn flag(&self, name: &'static str) -> Result<bool, SchemaError> {
        self.get(name).map_or(Ok(false), |value| {
            value.as_bool().ok_or_else(|| SchemaError::from(SchemaProblem::Not("a boolean")).within(name))
        })
    }

    fn text(&self, name: &'static str) -> Result<Option<&'d str>, SchemaError> {
        self.get(name).map(|value| text(value).map_err(|error| error.within(name))).transpose()
    }

    /// The one type; of several, the first that is no null.
    fn type_name(&self) -> Result<&'d str, SchemaError> {
        let found = match self.get("type") {
            Some(Value::Array(types)) => types.iter().find(|ty| *ty != "null"),
            other => other,
        };
        found.map_or(Ok(""), |value| text(value).map_err(|error| error.within("type")))
    }

    /// What it refers to, alone or as the only part of `allOf`.
    pub(super) fn reference(&self) -> Result<Option<&'d str>, SchemaError> {
        if let Some(reference) = self.text("$ref")? {
            return Ok(Some(reference));
        }
        let Some([only]) = self.get("allOf").and_then(Value::as_array).map(Vec::as_slice) else {
            return Ok(None);
        };
        only.get("$ref").map(|value| text(value).map_err(|error| error.within("allOf"))).transpose()
    }
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, SchemaError> {
    value.as_object().ok_or_else(|| SchemaProblem::Not("an object").into())
}

fn text(value: &Value) -> Result<&str, SchemaError> {
    value.as_str().ok_or_else(|| SchemaProblem::Not("a text").into())
}

/// The name at the end of a reference.
pub(super) fn target(reference: &str) -> &str {
    reference.rsplit_once('/').map_or(reference, |(_, name)| name)
}

impl<'d> Extractor<'d> {
    pub(super) fn new() -> Self {
        let mut builder = TypeGraphBuilder::default();
        let (atomic, deduced) = deduced::add_untyped(&mut builder);
        let (named, overrides) = (HashMap::new(), Vec::new());
        Self { builder, named, atomic, deduced, embedded_metadata: None, overrides }
    }

    /// From now on embedded objects have this `metadata`, whatever their schemas say.
    pub(super) fn embed_metadata(&mut self, metadata: TypeId) {
        self.embedded_metadata = Some(metadata);
    }

    pub(super) fn build(mut self) -> Result<super::TypeGraph, SchemaError> {
        for (id, other, change) in std::mem::take(&mut self.overrides) {
            let apply = |def: &mut TypeDef| {
                def.nullable |= change.nullable;
                if let (Some(map), Some(atomic)) = (&mut def.map, change.atomic) {
                    map.atomic = atomic;
                }
            };
            self.builder.define_like(id, other, apply).ok_or(SchemaProblem::ReferenceCycle)?;
        }
        self.builder.build().map_err(|_| SchemaProblem::ReferenceCycle.into())
    }

    /// Says that a type is `runtime.RawExtension`, which upstream takes for one value wherever it stands.
    pub(super) fn define_raw_extension(&mut self, id: TypeId) {
        self.builder.define_like(id, self.atomic, |def| def.format = Format::Embedded);
    }

    /// The type of a schema that stands under a key or in a list.
    fn member(&mut self, at: At<'d>) -> Result<TypeId, SchemaError> {
        let Some(reference) = at.reference()? else {
            let spec = self.spec(at)?;
            return Ok(self.builder.add(spec));
        };
        let named = *self
            .named
            .get(target(reference))
            .ok_or_else(|| SchemaProblem::DanglingReference(reference.to_owned()))?;
        let change = Override { atomic: map_type(&at)?, nullable: at.flag("nullable")? };
        if change == Override::default() {
            return Ok(named);
        }
        let id = self.builder.reserve();
        self.overrides.push((id, named, change));
        Ok(id)
    }

    /// What a schema says itself.
    pub(super) fn spec(&mut self, at: At<'d>) -> Result<TypeSpec, SchemaError> {
        let mut spec = TypeSpec::default();
        match at.type_name()? {
            // A text or a number, and nothing else, even though it has no type: `intstr.IntOrString` in OpenAPI.
            "" if at.text("format")? == Some("int-or-string") => spec.scalar = Some(Scalar::Untyped),
            "" => {
                spec.scalar = Some(Scalar::Untyped);
                spec.list = Some(self.list(at)?);
                spec.map = Some(self.map(at)?);
            }
            "object" => spec.map = Some(self.map(at)?),
            "array" => spec.list = Some(self.list(at)?),
            "boolean" => spec.scalar = Some(Scalar::Boolean),
            "integer" | "number" => spec.scalar = Some(Scalar::Number),
            "string" => {
                let plain = matches!(at.text("format")?, None | Some("" | "byte"));
                spec.scalar = Some(if plain { Scalar::String } else { Scalar::Untyped });
            }
            other => {
                return Err(SchemaError::from(SchemaProblem::UnknownType(other.to_owned())).within("type"));
            }
        }
        spec.format = format(&at)?;
        spec.nullable = at.flag("nullable")?;
        Ok(spec)
    }

    fn list(&mut self, at: At<'d>) -> Result<ListSpec, SchemaError> {
        let item = match at.get("items") {
            Some(items) => {
                at.below(items).and_then(|at| self.member(at)).map_err(|error| error.within("items"))?
            }
            None if at.type_name()?.is_empty() => self.atomic,
            None => return Err(SchemaProblem::NoItems.into()),
        };
        if let Some(list_type) = at.text("x-kubernetes-list-type")? {
            return match list_type {
                "atomic" => Ok(ListSpec::Atomic(item)),
                "set" => Ok(ListSpec::Set(item)),
                "map" => Ok(ListSpec::Map(item, map_keys(&at)?)),
                other => Err(SchemaProblem::UnknownListType(other.to_owned()).into()),
            };
        }
        // Types of old have only what strategic merge needs.
        if !patch(&at)?.merge {
            return Ok(ListSpec::Atomic(item));
        }
        Ok(match at.text("x-kubernetes-patch-merge-key")? {
            Some(key) => ListSpec::Map(item, vec![KeyField { name: key.into(), default: None }]),
            None => ListSpec::Set(item),
        })
    }

    fn map(&mut self, at: At<'d>) -> Result<MapSpec, SchemaError> {
        let mut fields = Vec::new();
        if let Some(properties) = at.get("properties") {
            let properties = object(properties).map_err(|error| error.within("properties"))?;
            for (name, schema) in properties {
                let field = at.below(schema).and_then(|at| self.field(name, at));
                fields.push(field.map_err(|error| error.within(name).within("properties"))?);
            }
        }
        let element = match at.get("additionalProperties") {
            Some(Value::Bool(allowed)) => allowed.then_some(self.deduced),
            Some(schema) => {
                let element = at.below(schema).and_then(|at| self.member(at));
                Some(element.map_err(|error| error.within("additionalProperties"))?)
            }
            // An object of which nothing is said may have any field.
            None => (at.preserve || fields.is_empty()).then_some(self.deduced),
        };
        if let Some(metadata) = self.embedded_metadata.filter(|_| is_embedded(&at)) {
            self.add_object_fields(&mut fields, metadata);
        }
        Ok(MapSpec { fields, element, atomic: map_type(&at)? == Some(true) })
    }

    fn field(&mut self, name: &'d str, at: At<'d>) -> Result<FieldSpec, SchemaError> {
        let mut field = FieldSpec::new(name, self.member(at)?);
        field.default = at.get("default").cloned();
        field.patch = patch(&at)?;
        Ok(field)
    }

    /// Adds the fields that every object has; what was said about them counts for nothing.
    pub(super) fn add_object_fields(&mut self, fields: &mut Vec<FieldSpec>, metadata: TypeId) {
        let text = self.builder.add(TypeSpec::scalar(Scalar::String));
        fields.retain(|field| !matches!(&*field.name, "apiVersion" | "kind" | "metadata"));
        fields.extend(
            [("apiVersion", text), ("kind", text), ("metadata", metadata)]
                .map(|(name, ty)| FieldSpec::new(name, ty)),
        );
    }
}

fn is_embedded(at: &At<'_>) -> bool {
    at.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true))
}

/// Whether maps are one value, if it is said.
fn map_type(at: &At<'_>) -> Result<Option<bool>, SchemaError> {
    match at.text("x-kubernetes-map-type")? {
        None => Ok(None),
        Some("atomic") => Ok(Some(true)),
        Some("granular") => Ok(Some(false)),
        Some(other) => Err(SchemaProblem::UnknownMapType(other.to_owned()).into()),
    }
}

fn map_keys(at: &At<'_>) -> Result<Vec<KeyField>, SchemaError> {
    const NAME: &str = "x-kubernetes-list-map-keys";
    let keys = at
        .get(NAME)
        .and_then(Value::as_array)
        .filter(|keys| !keys.is_empty())
        .ok_or(SchemaProblem::NoMapKeys)?;
    keys.iter()
        .map(|key| {
            Ok(KeyField { name: text(key).map_err(|error| error.within(NAME))?.into(), default: None })
        })
        .collect()
}

fn patch(at: &At<'_>) -> Result<Patch, SchemaError> {
    let mut patch = Patch::default();
    for strategy in at.text("x-kubernetes-patch-strategy")?.into_iter().flat_map(|all| all.split(',')) {
        match strategy {
            "merge" => patch.merge = true,
            "replace" => patch.replace = true,
            "retainKeys" => patch.retain_keys = true,
            other => return Err(SchemaProblem::UnknownPatchStrategy(other.to_owned()).into()),
        }
    }
    patch.merge_key = at.text("x-kubernetes-patch-merge-key")?.map(Into::into);
    Ok(patch)
}

fn format(at: &At<'_>) -> Result<Format, SchemaError> {
    if is_embedded(at) {
        return Ok(Format::Embedded);
    }
    let int_or_string = at.flag("x-kubernetes-int-or-string")?;
    Ok(match at.text("format")? {
        _ if int_or_string && at.text("pattern")? == Some(QUANTITY_PATTERN) => Format::Quantity,
        _ if int_or_string => Format::IntOrString,
        Some("int-or-string") => Format::IntOrString,
        Some("byte") => Format::Bytes,
        // Nothing says to how much it is exact: to the more that there is.
        Some("date-time") => Format::MicroTime,
        Some("duration") => Format::Duration,
        _ => Format::Plain,
    })
}
