//! Types in one place, referring to each other by number: what every source of schemas is turned into.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;

use super::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};
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
    /// What fields have in common, so that a field is small.
    defaults: Vec<Value>,
    patches: Vec<Patch>,
    /// Sorted, for a search without making a key.
    kinds: Vec<(KindKey, TypeId)>,
}

/// What tells kinds apart, the kind's name first: few have the same one, so that a search seldom looks further.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KindKey {
    head: Head,
    kind: Box<str>,
    group: Box<str>,
    version: Box<str>,
}

impl KindKey {
    fn new(kind: &TypeRef<'_>) -> Self {
        let TypeRef { group, version, kind } = *kind;
        Self { head: head(kind), kind: kind.into(), group: group.into(), version: version.into() }
    }

    fn as_ref(&self) -> TypeRef<'_> {
        TypeRef { group: &self.group, version: &self.version, kind: &self.kind }
    }

    fn compare(&self, head: Head, kind: &TypeRef<'_>) -> Ordering {
        let rest = || (&*self.kind, &*self.group, &*self.version).cmp(&(kind.kind, kind.group, kind.version));
        self.head.cmp(&head).then_with(rest)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct TypeDef {
    pub(super) scalar: Option<Scalar>,
    pub(super) format: Format,
    pub(super) nullable: bool,
    pub(super) list: Option<ListDef>,
    pub(super) map: Option<MapDef>,
}

#[derive(Clone, Debug)]
pub(super) struct ListDef {
    pub(super) item: TypeId,
    pub(super) keys: ListKeysDef,
}

#[derive(Clone, Debug)]
pub(super) enum ListKeysDef {
    Atomic,
    Set,
    Map(Box<[KeyField]>),
}

#[derive(Clone, Debug)]
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
    /// Where they are in the graph.
    default: Option<NonZeroU32>,
    server_default: Option<NonZeroU32>,
    patch: Option<NonZeroU32>,
    pub(super) zero_is_absent: bool,
}

/// Where a value is among others: the number after its index.
fn find_or_push<T: PartialEq>(all: &mut Vec<T>, value: T) -> Option<NonZeroU32> {
    // Most fields with a default have one of a few; a long search would not pay.
    let known = all.iter().take(32).position(|known| *known == value);
    let at = known.unwrap_or_else(|| {
        all.push(value);
        all.len() - 1
    });
    NonZeroU32::new(offset(at + 1))
}

fn at<T>(all: &[T], number: Option<NonZeroU32>) -> Option<&T> {
    all.get(number?.get() as usize - 1)
}

/// The first eight bytes of a name as a number, so that numbers are in the order of the names.
type Head = u64;

fn head(name: &str) -> Head {
    let name = name.as_bytes();
    if let Some(eight) = name.first_chunk() {
        return u64::from_be_bytes(*eight);
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        // What both have is shifted out of the last four.
        let last = u64::from(u32::from_be_bytes(*last)) << (8 * (8 - name.len()));
        return u64::from(u32::from_be_bytes(*first)) << 32 | (last & u64::from(u32::MAX));
    }
    let byte = |at: usize| u64::from(name.get(at).copied().unwrap_or_default());
    byte(0) << 56 | byte(1) << 48 | byte(2) << 40
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

    /// The kinds whose types are here, sorted by kind, group and version.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (TypeRef<'_>, Type<'_>)> {
        self.kinds.iter().map(|(key, id)| (key.as_ref(), Type::of_graph(self, *id)))
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
        static NOTHING: TypeDef =
            TypeDef { scalar: None, format: Format::Plain, nullable: false, list: None, map: None };
        // Ids are only made by the builder of this graph, which checks them.
        self.types.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    pub(super) fn fields(&self, map: &MapDef) -> &[FieldDef] {
        self.fields.get(map.fields.start as usize..map.fields.end as usize).unwrap_or_default()
    }

    pub(super) fn default_of(&self, field: &FieldDef) -> Option<&Value> {
        at(&self.defaults, field.default)
    }

    pub(super) fn server_default_of(&self, field: &FieldDef) -> Option<&Value> {
        at(&self.defaults, field.server_default)
    }

    pub(super) fn patch_of(&self, field: &FieldDef) -> &Patch {
        at(&self.patches, field.patch).unwrap_or(Patch::NONE)
    }

    pub(super) fn field(&self, map: &MapDef, name: &str) -> Option<&FieldDef> {
        let (start, end) = (map.fields.start as usize, map.fields.end as usize);
        let (fields, heads) = (self.fields.get(start..end)?, self.heads.get(start..end)?);
        let want = head(name);
        let mut at = heads.partition_point(|head| *head < want);
        // Names with one beginning are few: `reportingComponent`, `reportingInstance`.
        while *heads.get(at)? == want {
            let field = fields.get(at)?;
            // Of two names of one length up to eight the head is all.
            if field.name.len() == name.len() && (name.len() <= 8 || *field.name == *name) {
                return Some(field);
            }
            at += 1;
        }
        None
    }
}

impl Schema for TypeGraph {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        let want = head(kind.kind);
        let at = self.kinds.binary_search_by(|(key, _)| key.compare(want, kind)).ok()?;
        self.kinds.get(at).map(|(_, id)| Type::of_graph(self, *id))
    }
}

/// A type graph that cannot be: a type refers to one that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type {0:?} is referred to, and was never defined")]
pub struct GraphError(TypeId);

/// Makes a [`TypeGraph`], type by type. Types may refer to ones that are only reserved yet, and so to themselves.
#[derive(Debug, Default)]
pub struct TypeGraphBuilder {
    types: Vec<Option<TypeDef>>,
    /// With the fields and kinds; its types come when all are defined.
    graph: TypeGraph,
}

impl TypeGraphBuilder {
    /// With room for so many types and fields.
    pub(super) fn with_capacity(types: usize, fields: usize) -> Self {
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
    pub(super) fn define_like(
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
        self.graph.kinds.push((KindKey::new(kind), id));
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
    pub(super) fn begin_map(&self) -> u32 {
        offset(self.graph.fields.len())
    }

    pub(super) fn push_field(&mut self, field: FieldSpec) {
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
    pub(super) fn end_map(&mut self, id: TypeId, start: u32, atomic: bool) -> Option<()> {
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

/// More than four thousand million types or fields do not fit into memory.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
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
    fn heads_are_in_the_order_of_names() {
        let mut names =
            ["", "a", "aa", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh", "abd", "b", "é"];
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| head(a) < head(b)));
        assert_eq!(head("abcdefgh"), head("abcdefghi"));
        assert_eq!(head("abcdefg"), u64::from_be_bytes(*b"abcdefg\0"));
    }

    #[test]
    fn every_field_is_found() {
        let names = ["a", "a\0", "abcdefgh", "abcdefgh\0", "abcdefghi", "abcdefghj", "", "spec"];
        let mut builder = TypeGraph::builder();
        let text = builder.add(TypeSpec::scalar(Scalar::String));
        let fields = names.iter().map(|name| FieldSpec::new(*name, text)).collect();
        let map = builder.add(TypeSpec::map(MapSpec { fields, ..MapSpec::default() }));
        let graph = builder.build().unwrap();
        let map = graph.get(map).unwrap().map().unwrap();
        for name in names {
            assert_eq!(&**map.field(name).unwrap().name(), name);
        }
        for name in ["abcdefg", "abcdefghk", "abcdefghii", "zzz", "\0", "spe", "specs"] {
            assert!(map.field(name).is_none(), "{name}");
        }
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
