//! Types in one place, referring to each other by number: what every source of schemas is turned into.

mod builder;

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;

pub use self::builder::{GraphError, TypeGraphBuilder};
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

/// More than four thousand million types or fields do not fit into memory.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
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
        let want = (kind.group, kind.version, kind.kind);
        let at = self.kinds.binary_search_by(|(key, _)| key.as_ref().cmp(&want)).ok()?;
        self.kinds.get(at).map(|(_, id)| Type::of_graph(self, *id))
    }
}

#[cfg(test)]
mod tests;
