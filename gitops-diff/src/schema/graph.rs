//! Types in one place, referring to each other by number: what every source of schemas is turned into.

use std::sync::Arc;

use serde_json::Value;

use super::{Format, KeyField, Patch, Scalar, Schema, Type};
use crate::TypeRef;

/// The number of a type in its [`TypeGraph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(u32);

/// Types that refer to each other, and the kinds whose objects have them.
///
/// Made by a [`TypeGraphBuilder`], or read from OpenAPI documents and CRDs.
#[derive(Debug, Default)]
pub struct TypeGraph {
    types: Vec<TypeDef>,
    fields: Vec<FieldDef>,
    /// The beginning of each field's name, for a search that seldom looks at a name.
    heads: Vec<Head>,
    /// Sorted, for a search without making a key.
    kinds: Vec<(KindKey, TypeId)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KindKey {
    group: Box<str>,
    version: Box<str>,
    kind: Box<str>,
}

impl KindKey {
    fn as_ref(&self) -> (&str, &str, &str) {
        (&self.group, &self.version, &self.kind)
    }
}

#[derive(Debug, Default)]
pub(super) struct TypeDef {
    pub(super) scalar: Option<Scalar>,
    pub(super) format: Format,
    pub(super) list: Option<ListDef>,
    pub(super) map: Option<MapDef>,
}

#[derive(Debug)]
pub(super) struct ListDef {
    pub(super) item: TypeId,
    pub(super) keys: ListKeysDef,
}

#[derive(Debug)]
pub(super) enum ListKeysDef {
    Atomic,
    Set,
    Map(Box<[KeyField]>),
}

#[derive(Debug)]
pub(super) struct MapDef {
    /// Where its fields are in the graph, sorted by name.
    fields: std::ops::Range<u32>,
    pub(super) element: Option<TypeId>,
    pub(super) atomic: bool,
}

#[derive(Debug)]
pub(super) struct FieldDef {
    pub(super) name: Arc<str>,
    pub(super) ty: TypeId,
    pub(super) default: Option<Box<Value>>,
    pub(super) patch: Option<Box<Patch>>,
}

/// The first eight bytes of a name as a number, so that numbers are in the order of the names.
type Head = u64;

fn head(name: &str) -> Head {
    let name = name.as_bytes();
    if let Some(eight) = name.first_chunk() {
        return Head::from_be_bytes(*eight);
    }
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = *from;
    }
    Head::from_be_bytes(bytes)
}

impl TypeGraph {
    /// Starts an empty one.
    pub fn builder() -> TypeGraphBuilder {
        TypeGraphBuilder::default()
    }

    /// The type with this number.
    ///
    /// `None` if it is the number of another graph's type and too large for this one.
    pub fn get(&self, id: TypeId) -> Option<Type<'_>> {
        ((id.0 as usize) < self.types.len()).then(|| Type::of_graph(self, id))
    }

    /// The kinds whose types are here, sorted by group, version and kind.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (TypeRef<'_>, Type<'_>)> {
        self.kinds.iter().map(|(key, id)| {
            let (group, version, kind) = key.as_ref();
            (TypeRef { group, version, kind }, Type::of_graph(self, *id))
        })
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are no types.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    pub(super) fn def(&self, id: TypeId) -> &TypeDef {
        static NOTHING: TypeDef = TypeDef { scalar: None, format: Format::Plain, list: None, map: None };
        // Ids are only made by the builder of this graph, which checks them.
        self.types.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    pub(super) fn fields(&self, map: &MapDef) -> &[FieldDef] {
        self.fields.get(map.fields.start as usize..map.fields.end as usize).unwrap_or_default()
    }

    pub(super) fn field(&self, map: &MapDef, name: &str) -> Option<&FieldDef> {
        let (start, end) = (map.fields.start as usize, map.fields.end as usize);
        let want = head(name);
        let first = start + self.heads.get(start..end)?.partition_point(|head| *head < want);
        // Names with one beginning are few: `reportingComponent`, `reportingInstance`.
        self.fields
            .get(first..end)?
            .iter()
            .zip(self.heads.get(first..end)?)
            .take_while(|(_, head)| **head == want)
            .find(|(field, _)| *field.name == *name)
            .map(|(field, _)| field)
    }
}

impl Schema for TypeGraph {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        let want = (kind.group, kind.version, kind.kind);
        let at = self.kinds.binary_search_by(|(key, _)| key.as_ref().cmp(&want)).ok()?;
        self.kinds.get(at).map(|(_, id)| Type::of_graph(self, *id))
    }
}

/// What a type is, for a [`TypeGraphBuilder`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TypeSpec {
    /// The scalars it allows.
    pub scalar: Option<Scalar>,
    /// What they mean.
    pub format: Format,
    /// The lists it allows.
    pub list: Option<ListSpec>,
    /// The maps it allows.
    pub map: Option<MapSpec>,
}

/// The lists of a type.
#[derive(Clone, Debug)]
pub enum ListSpec {
    /// One value.
    Atomic(TypeId),
    /// A set of scalars.
    Set(TypeId),
    /// Maps with these key fields. A key field without a default takes that of the items' field.
    Map(TypeId, Vec<KeyField>),
}

/// The maps of a type.
#[derive(Clone, Debug, Default)]
pub struct MapSpec {
    /// Named fields.
    pub fields: Vec<FieldSpec>,
    /// The type of the values under other keys, where such are allowed.
    pub element: Option<TypeId>,
    /// Whether a map is one value.
    pub atomic: bool,
}

/// A named field.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: TypeId,
    /// The value that it has when it is absent.
    pub default: Option<Value>,
    /// How strategic merge treats it.
    pub patch: Patch,
}

impl TypeSpec {
    /// A scalar.
    pub fn scalar(scalar: Scalar) -> Self {
        Self { scalar: Some(scalar), ..Self::default() }
    }

    /// A scalar that means something.
    pub fn formatted(scalar: Scalar, format: Format) -> Self {
        Self { scalar: Some(scalar), format, ..Self::default() }
    }

    /// A list.
    pub fn list(list: ListSpec) -> Self {
        Self { list: Some(list), ..Self::default() }
    }

    /// A map.
    pub fn map(map: MapSpec) -> Self {
        Self { map: Some(map), ..Self::default() }
    }
}

impl FieldSpec {
    /// A field without a default or a patch strategy.
    pub fn new(name: impl Into<Arc<str>>, ty: TypeId) -> Self {
        Self { name: name.into(), ty, default: None, patch: Patch::default() }
    }
}

/// A type graph that cannot be: a type refers to one that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type {0:?} is referred to, and was never defined")]
pub struct GraphError(TypeId);

/// Makes a [`TypeGraph`], type by type. Types may refer to ones that are only reserved yet, and so to themselves.
#[derive(Debug, Default)]
pub struct TypeGraphBuilder {
    types: Vec<Option<TypeSpec>>,
    kinds: Vec<(KindKey, TypeId)>,
}

impl TypeGraphBuilder {
    /// Takes a number for a type that is [defined](Self::define) later.
    pub fn reserve(&mut self) -> TypeId {
        // More than four thousand million types do not fit into memory.
        let id = TypeId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(None);
        id
    }

    /// Says what a reserved type is; what was said before about it is forgotten.
    pub fn define(&mut self, id: TypeId, spec: TypeSpec) {
        if let Some(slot) = self.types.get_mut(id.0 as usize) {
            *slot = Some(spec);
        }
    }

    /// Adds a type.
    pub fn add(&mut self, spec: TypeSpec) -> TypeId {
        let id = self.reserve();
        self.define(id, spec);
        id
    }

    /// What was said about a type.
    pub fn spec(&self, id: TypeId) -> Option<&TypeSpec> {
        self.types.get(id.0 as usize)?.as_ref()
    }

    /// Says which type the objects of a kind have; the last word counts.
    pub fn kind(&mut self, kind: &TypeRef<'_>, id: TypeId) {
        let key = KindKey { group: kind.group.into(), version: kind.version.into(), kind: kind.kind.into() };
        self.kinds.push((key, id));
    }

    /// The graph.
    pub fn build(mut self) -> Result<TypeGraph, GraphError> {
        self.fill_key_defaults();
        let known = self.types.len();
        let check = |id: TypeId| if (id.0 as usize) < known { Ok(id) } else { Err(GraphError(id)) };
        let mut graph = TypeGraph { types: Vec::with_capacity(known), ..TypeGraph::default() };
        for (at, spec) in (0_u32..).zip(self.types) {
            let spec = spec.ok_or(GraphError(TypeId(at)))?;
            let list = match spec.list {
                None => None,
                Some(ListSpec::Atomic(item)) => {
                    Some(ListDef { item: check(item)?, keys: ListKeysDef::Atomic })
                }
                Some(ListSpec::Set(item)) => Some(ListDef { item: check(item)?, keys: ListKeysDef::Set }),
                Some(ListSpec::Map(item, keys)) => {
                    Some(ListDef { item: check(item)?, keys: ListKeysDef::Map(keys.into()) })
                }
            };
            let map = match spec.map {
                None => None,
                Some(map) => Some(graph.add_map(map, check)?),
            };
            graph.types.push(TypeDef { scalar: spec.scalar, format: spec.format, list, map });
        }
        for (_, id) in &self.kinds {
            check(*id)?;
        }
        graph.kinds = self.kinds;
        // Of two entries for one kind the later one is kept.
        graph.kinds.reverse();
        graph.kinds.sort_by(|a, b| a.0.cmp(&b.0));
        graph.kinds.dedup_by(|later, first| later.0 == first.0);
        Ok(graph)
    }
}

impl TypeGraphBuilder {
    /// A key field that an item does not have counts as the field's default (structured-merge-diff, `typed/helpers.go`,
    /// `getAssociativeKeyDefault`).
    fn fill_key_defaults(&mut self) {
        for at in 0..self.types.len() {
            let Some(Some(TypeSpec { list: Some(ListSpec::Map(item, keys)), .. })) = self.types.get_mut(at)
            else {
                continue;
            };
            let (item, mut keys) = (*item, std::mem::take(keys));
            let fields = self.spec(item).and_then(|spec| spec.map.as_ref()).map(|map| &*map.fields);
            for key in &mut keys {
                let field = fields.unwrap_or_default().iter().find(|field| field.name == key.name);
                key.default = key.default.take().or_else(|| field.and_then(|field| field.default.clone()));
            }
            if let Some(Some(TypeSpec { list: Some(ListSpec::Map(_, slot)), .. })) = self.types.get_mut(at) {
                *slot = keys;
            }
        }
    }
}

impl TypeGraph {
    fn add_map(
        &mut self,
        mut map: MapSpec,
        check: impl Fn(TypeId) -> Result<TypeId, GraphError>,
    ) -> Result<MapDef, GraphError> {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = offset(self.fields.len());
        map.fields.sort_by(|a, b| a.name.cmp(&b.name));
        for FieldSpec { name, ty, default, patch } in map.fields {
            let patch = (patch != *Patch::NONE).then(|| Box::new(patch));
            self.heads.push(head(&name));
            self.fields.push(FieldDef { name, ty: check(ty)?, default: default.map(Box::new), patch });
        }
        let element = map.element.map(check).transpose()?;
        Ok(MapDef { fields: start..offset(self.fields.len()), element, atomic: map.atomic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ListKind;

    const GADGET: TypeRef<'_> = TypeRef { group: "example.com", version: "v1", kind: "Gadget" };

    #[test]
    fn types_may_refer_to_themselves() {
        let mut builder = TypeGraph::builder();
        let text = builder.add(TypeSpec::scalar(Scalar::String));
        let node = builder.reserve();
        let key = KeyField { name: "name".into(), default: None };
        let children = builder.add(TypeSpec::list(ListSpec::Map(node, vec![key])));
        let fields = vec![FieldSpec::new("name", text), FieldSpec::new("children", children)];
        builder.define(node, TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
        builder.kind(&GADGET, text);
        builder.kind(&GADGET, node);
        let graph = builder.build().unwrap();

        let object = graph.type_of(&GADGET).unwrap();
        let children = object.map().unwrap().field("children").unwrap();
        assert_eq!(&**children.name(), "children");
        assert_eq!(children.ty().list().unwrap().item(), object);
        assert!(matches!(children.ty().list_kind(), ListKind::Map(keys) if &*keys[0].name == "name"));
        assert!(object.map().unwrap().child("other").is_none());
        assert!(object.child_or_deduced("other").is_untyped());
        assert_eq!(graph.kinds().len(), 1);
        assert!(graph.type_of(&TypeRef { version: "v2", ..GADGET }).is_none());
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut builder = TypeGraph::builder();
        let nothing = builder.reserve();
        assert_eq!(builder.build().unwrap_err(), GraphError(nothing));
        let mut builder = TypeGraph::builder();
        builder.add(TypeSpec::list(ListSpec::Atomic(TypeId(9))));
        assert_eq!(builder.build().unwrap_err(), GraphError(TypeId(9)));
    }
}
