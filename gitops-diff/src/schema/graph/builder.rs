//! Making a graph of types.

use std::cmp::Ordering;

use super::{
    FieldDef, KindKey, ListDef, ListKeysDef, MapDef, TypeDef, TypeGraph, TypeId, find_or_push, head, offset,
};
use crate::TypeRef;
use crate::schema::Patch;
use crate::schema::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};

/// A type graph that cannot be: a type refers to one that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type {0:?} is referred to, and was never defined")]
pub struct GraphError(pub(super) TypeId);

/// Makes a [`TypeGraph`], type by type. Types may refer to ones that are only reserved yet, and so to themselves.
#[derive(Debug, Default)]
pub struct TypeGraphBuilder {
    types: Vec<Option<TypeDef>>,
    /// With the fields and kinds; its types come when all are defined.
    graph: TypeGraph,
}

impl TypeGraphBuilder {
    /// With room for so many types and fields.
    pub(in crate::schema) fn with_capacity(types: usize, fields: usize) -> Self {
        let graph = TypeGraph {
            fields: Vec::with_capacity(fields),
            heads: Vec::with_capacity(fields),
            ..TypeGraph::default()
        };
        Self { types: Vec::with_capacity(types), graph }
    }

    /// Takes a number for a type that is [defined](Self::define) later.
    pub fn reserve(&mut self) -> TypeId {
        let id = TypeId(offset(self.types.len()));
        self.types.push(None);
        id
    }

    /// Says what a reserved type is; what was said before about it is forgotten.
    pub fn define(&mut self, id: TypeId, spec: TypeSpec) {
        let list = spec.list.map(|list| match list {
            ListSpec::Atomic(item) => ListDef { item, keys: ListKeysDef::Atomic },
            ListSpec::Set(item) => ListDef { item, keys: ListKeysDef::Set },
            ListSpec::Map(item, keys) => ListDef { item, keys: ListKeysDef::Map(keys.into()) },
        });
        let map = spec.map.map(|map| self.add_map(map));
        self.set(
            id,
            TypeDef { scalar: spec.scalar, format: spec.format, nullable: spec.nullable, list, map },
        );
    }

    /// Adds a type.
    pub fn add(&mut self, spec: TypeSpec) -> TypeId {
        let id = self.reserve();
        self.define(id, spec);
        id
    }

    /// Says that a reserved type is as one that is already defined, but for a change. `None` if that one is not defined.
    pub(in crate::schema) fn define_like(
        &mut self,
        id: TypeId,
        other: TypeId,
        change: impl FnOnce(&mut TypeDef),
    ) -> Option<()> {
        let mut def = self.types.get(other.0 as usize)?.clone()?;
        change(&mut def);
        self.set(id, def);
        Some(())
    }

    /// Says which type the objects of a kind have; the last word counts.
    pub fn kind(&mut self, kind: &TypeRef<'_>, id: TypeId) {
        let key = KindKey { group: kind.group.into(), version: kind.version.into(), kind: kind.kind.into() };
        self.graph.kinds.push((key, id));
    }

    /// The graph.
    pub fn build(self) -> Result<TypeGraph, GraphError> {
        let Self { types, mut graph } = self;
        graph.types =
            (0..).zip(types).map(|(at, def)| def.ok_or(GraphError(TypeId(at)))).collect::<Result<_, _>>()?;
        if let Some(unknown) = graph.references().find(|id| graph.get(*id).is_none()) {
            return Err(GraphError(unknown));
        }
        graph.fill_key_defaults();
        // Of two entries for one kind the later one is kept.
        let kinds = std::mem::take(&mut graph.kinds);
        let key = |at: usize| kinds.get(at).map(|(key, _)| key);
        let order = sorted(kinds.len(), &|a, b| key(a).cmp(&key(b)).then(b.cmp(&a)));
        graph.kinds = permuted(kinds, order);
        graph.kinds.dedup_by(|later, first| later.0 == first.0);
        Ok(graph)
    }

    fn set(&mut self, id: TypeId, def: TypeDef) {
        if let Some(slot) = self.types.get_mut(id.0 as usize) {
            *slot = Some(def);
        }
    }

    fn add_map(&mut self, map: MapSpec) -> MapDef {
        let start = self.begin_map();
        let key = |at: usize| map.fields.get(at).map(|field| (head(&field.name), &field.name));
        let order = sorted(map.fields.len(), &|a, b| key(a).cmp(&key(b)));
        for field in permuted(map.fields, order) {
            self.push_field(field);
        }
        MapDef { fields: start..self.begin_map(), element: map.element, atomic: map.atomic }
    }

    /// Where the next field will be. For a source that has its fields in order already.
    pub(in crate::schema) fn begin_map(&self) -> u32 {
        offset(self.graph.fields.len())
    }

    pub(in crate::schema) fn push_field(&mut self, field: FieldSpec) {
        let graph = &mut self.graph;
        let mut place = |value| find_or_push(&mut graph.defaults, value);
        let default = field.default.and_then(&mut place);
        let server_default = field.server_default.and_then(place);
        let patch = Some(field.patch).filter(|patch| *patch != *Patch::NONE);
        let patch = patch.and_then(|patch| find_or_push(&mut graph.patches, patch));
        graph.heads.push(head(&field.name));
        let FieldSpec { name, ty, zero_is_absent, .. } = field;
        graph.fields.push(FieldDef { name, ty, default, server_default, patch, zero_is_absent });
    }

    /// Says that a type is a map of the fields since `start`. `None` if they are not in order.
    pub(in crate::schema) fn end_map(&mut self, id: TypeId, start: u32, atomic: bool) -> Option<()> {
        let map = MapDef { fields: start..self.begin_map(), element: None, atomic };
        let fields = self.graph.fields.get(start as usize..)?.iter().map(|field| &field.name);
        let heads = self.graph.heads.get(start as usize..)?;
        if !heads.iter().zip(fields).is_sorted_by(|a, b| a.0 < b.0 || a.0 == b.0 && a.1 < b.1) {
            return None;
        }
        self.set(id, TypeDef { map: Some(map), ..TypeDef::default() });
        Some(())
    }
}

/// The order of so many things. One sort for all sorts of them is less code than one for each.
fn sorted(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<_> = (0..len).collect();
    order.sort_unstable_by(|a, b| compare(*a, *b));
    order
}

fn permuted<T>(things: Vec<T>, order: Vec<usize>) -> Vec<T> {
    let mut things: Vec<_> = things.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| things.get_mut(at)?.take()).collect()
}

impl TypeGraph {
    /// All types that types and kinds refer to.
    fn references(&self) -> impl Iterator<Item = TypeId> {
        let items = self.types.iter().filter_map(|def| def.list.as_ref()).map(|list| list.item);
        let elements = self.types.iter().filter_map(|def| def.map.as_ref()?.element);
        let fields = self.fields.iter().map(|field| field.ty);
        items.chain(elements).chain(fields).chain(self.kinds.iter().map(|(_, id)| *id))
    }

    /// A key field that an item does not have counts as the field's default (structured-merge-diff, `typed/helpers.go`,
    /// `getAssociativeKeyDefault`).
    fn fill_key_defaults(&mut self) {
        let mut types = std::mem::take(&mut self.types);
        for at in 0..types.len() {
            let Some(TypeDef { list: Some(ListDef { item, keys: ListKeysDef::Map(keys) }), .. }) =
                types.get_mut(at)
            else {
                continue;
            };
            let (item, mut keys) = (*item, std::mem::take(keys));
            if let Some(map) = types.get(item.0 as usize).and_then(|def| def.map.as_ref()) {
                for key in keys.iter_mut().filter(|key| key.default.is_none()) {
                    key.default =
                        self.field(map, &key.name).and_then(|field| self.default_of(field).cloned());
                }
            }
            if let Some(TypeDef { list: Some(list), .. }) = types.get_mut(at) {
                list.keys = ListKeysDef::Map(keys);
            }
        }
        self.types = types;
    }
}
