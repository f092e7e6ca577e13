//! What is known about the kinds: which lists have keys, which maps are one value, what a text means.
//!
//! One [`Schema`] serves every merge of this crate: it holds what Kubernetes' OpenAPI documents say for server-side apply
//! (`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`) and for strategic merge (`x-kubernetes-patch-strategy`,
//! `-patch-merge-key`), besides the [formats](Format) that decide when two spellings are one value. Where the two merges
//! disagree, as over the ports of a container, both facts are there.
//!
//! # Which schema
//!
//! - [`BuiltIn`] knows Kubernetes' own kinds, without a cluster.
//! - [`TypeGraph::from_crds`] reads the custom kinds of the definitions that are at hand, say in the same commit.
//! - [`TypeGraph::from_openapi`] reads what an API server serves: exactly its kinds, in its versions. Put it behind
//!   [`BuiltIn`], which knows what OpenAPI does not say: what the server's code [puts](Field::server_default) into absent
//!   fields, and where a [zero value](Field::zero_is_absent) is none.
//! - [`Deduced`] knows only `metadata`.
//! - [`TypeGraph::builder`] makes one by hand.
//!
//! Pairs and vectors of schemas are schemas, too: the first that knows a kind answers. What none knows is
//! [deduced](Type::unknown_object), and never an error.
//!
//! ```
//! use gitops_diff::TypeRef;
//! use gitops_diff::schema::{BuiltIn, ListKind, Schema};
//!
//! let service = BuiltIn.type_or_deduced(&TypeRef { group: "", version: "v1", kind: "Service" });
//! let ports = service.child_or_deduced("spec").map().unwrap().field("ports").unwrap();
//! // Server-side apply tells ports apart by two fields, strategic merge by one.
//! let ListKind::Map(keys) = ports.ty().list_kind() else { unreachable!() };
//! assert_eq!(keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["port", "protocol"]);
//! assert_eq!(ports.patch().merge_key.as_deref(), Some("port"));
//! ```

mod builtin;
mod crd;
mod deduced;
mod error;
mod extract;
mod graph;
mod openapi;
mod spec;
mod table;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

pub use self::builtin::BuiltIn;
pub use self::deduced::Deduced;
pub use self::error::{SchemaError, SchemaProblem};
pub use self::graph::{GraphError, TypeGraph, TypeGraphBuilder, TypeId};
pub use self::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};
use crate::TypeRef;

/// Knowledge about kinds.
///
/// A [`TypeGraph`] is the one implementation that most need; implement it to load types lazily.
pub trait Schema: fmt::Debug + Send + Sync {
    /// The type of the objects of a kind, if the kind is known.
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>>;

    /// The type of the objects of a kind; for an unknown kind the [deduced](Type::unknown_object) one.
    fn type_or_deduced(&self, kind: &TypeRef<'_>) -> Type<'_> {
        self.type_of(kind).unwrap_or_else(Type::unknown_object)
    }
}

impl<T: Schema + ?Sized> Schema for Arc<T> {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        (**self).type_of(kind)
    }
}

impl<T: Schema + ?Sized> Schema for Box<T> {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        (**self).type_of(kind)
    }
}

/// Looks in the first, then in the second: `(crds, BuiltIn)`.
impl<A: Schema, B: Schema> Schema for (A, B) {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        self.0.type_of(kind).or_else(|| self.1.type_of(kind))
    }
}

/// Looks in one after the other.
impl<S: Schema> Schema for Vec<S> {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        self.iter().find_map(|schema| schema.type_of(kind))
    }
}

impl<T: Schema + ?Sized> Schema for &T {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        (**self).type_of(kind)
    }
}

/// A type: what values may be, and how they are merged. Cheap to copy.
///
/// A type may allow several shapes at once: an untyped value is a scalar, a list or a map.
#[must_use]
#[derive(Clone, Copy)]
pub struct Type<'s> {
    graph: &'s TypeGraph,
    id: TypeId,
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A text.
    String,
    /// A number, whole or not.
    Number,
    /// True or false.
    Boolean,
    /// Any of them: quantities, times, int-or-string, and what nothing is known about.
    Untyped,
}

/// What a scalar means, where that decides which spellings are one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Nothing special.
    #[default]
    Plain,
    /// A `resource.Quantity`: `1000m` is `1`.
    Quantity,
    /// An integer or a text: `80` and `"80"` are different ports.
    IntOrString,
    /// A `metav1.Time`, RFC 3339 in seconds.
    Time,
    /// A `metav1.MicroTime`, RFC 3339 in microseconds.
    MicroTime,
    /// A `metav1.Duration` as Go writes it: `60s` is `1m0s`.
    Duration,
    /// Bytes in base64.
    Bytes,
    /// A whole object inside another (`x-kubernetes-embedded-resource`, `runtime.RawExtension`).
    Embedded,
}

/// What to do about fields that a schema does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownFields {
    /// Treat them as what they look like: their types are [deduced](Type::deduced).
    #[default]
    Deduce,
    /// Refuse them wherever the reference implementations do.
    Refuse,
}

/// How a list is merged, owned and compared: Kubernetes' `x-kubernetes-list-type`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListKind<'s> {
    /// One value; its order counts, and one manager owns all of it.
    Atomic,
    /// A set of scalars; each is owned by itself.
    Set,
    /// Maps with keys; fields are owned one by one.
    Map(&'s [KeyField]),
}

/// One field of the key of a list's items.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyField {
    /// The field's name.
    pub name: Arc<str>,
    /// The value that an item without the field has (`protocol: TCP`).
    pub default: Option<Value>,
}

/// The strategic merge of a field: its `patchStrategy` and `patchMergeKey`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Patch {
    /// `merge`: list items are merged, by key or, without a key, as a set.
    pub merge: bool,
    /// `replace`: the value is replaced as a whole.
    pub replace: bool,
    /// `retainKeys`: only the keys that the patch lists are kept.
    pub retain_keys: bool,
    /// The field that tells list items apart.
    pub merge_key: Option<Arc<str>>,
}

impl Patch {
    /// No strategy: maps are merged, lists replaced.
    pub const NONE: &'static Self =
        &Self { merge: false, replace: false, retain_keys: false, merge_key: None };
}

/// The list shape of a type.
#[derive(Clone, Copy, Debug)]
pub struct ListType<'s> {
    graph: &'s TypeGraph,
    list: &'s graph::ListDef,
}

/// The map shape of a type: named fields, any keys of one type, or both.
#[derive(Clone, Copy, Debug)]
pub struct MapType<'s> {
    graph: &'s TypeGraph,
    map: &'s graph::MapDef,
}

/// A named field of a map.
#[derive(Clone, Copy, Debug)]
pub struct Field<'s> {
    graph: &'s TypeGraph,
    field: &'s graph::FieldDef,
}

impl<'s> Type<'s> {
    /// The scalars it allows, if any.
    pub fn scalar(&self) -> Option<Scalar> {
        self.def().scalar
    }

    /// What its scalars mean.
    pub fn format(&self) -> Format {
        self.def().format
    }

    /// Whether null is a value of its own (`nullable` in a CRD), and not the same as no value.
    pub fn is_nullable(&self) -> bool {
        self.def().nullable
    }

    /// The lists it allows, if any.
    pub fn list(&self) -> Option<ListType<'s>> {
        let graph = self.graph;
        self.def().list.as_ref().map(|list| ListType { graph, list })
    }

    /// The maps it allows, if any.
    pub fn map(&self) -> Option<MapType<'s>> {
        let graph = self.graph;
        self.def().map.as_ref().map(|map| MapType { graph, map })
    }

    /// Whether nothing is known about its values: scalars, lists and maps are all allowed.
    pub fn is_untyped(&self) -> bool {
        let def = self.def();
        def.scalar.is_some() && def.list.is_some() && def.map.is_some()
    }

    /// The type of the child `name`: that of the named field or of any key; for an unknown one the
    /// [deduced](Type::deduced) type.
    pub fn child_or_deduced(&self, name: &str) -> Type<'s> {
        self.map().and_then(|map| map.child(name)).unwrap_or_else(Type::deduced)
    }

    /// The type of the items; the [atomic](Type::untyped_atomic) one where the type allows no list.
    pub fn item_or_deduced(&self) -> Type<'s> {
        self.list().map_or_else(Type::untyped_atomic, |list| list.item())
    }

    /// How lists of this type are merged; [`ListKind::Atomic`] where the type allows no list.
    pub fn list_kind(&self) -> ListKind<'s> {
        self.list().map_or(ListKind::Atomic, |list| list.kind())
    }

    /// Whether maps of this type are one value.
    pub fn is_atomic_map(&self) -> bool {
        self.map().is_some_and(|map| map.is_atomic())
    }

    pub(crate) fn of_graph(graph: &'s TypeGraph, id: TypeId) -> Self {
        Self { graph, id }
    }

    fn def(&self) -> &'s graph::TypeDef {
        self.graph.def(self.id)
    }
}

impl PartialEq for Type<'_> {
    /// Whether it is the same type of the same graph.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.graph, other.graph) && self.id == other.id
    }
}

impl Eq for Type<'_> {}

impl Hash for Type<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.graph).hash(state);
        self.id.hash(state);
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Type").field(self.def()).finish()
    }
}

impl<'s> ListType<'s> {
    /// The type of the items.
    pub fn item(&self) -> Type<'s> {
        Type { graph: self.graph, id: self.list.item }
    }

    /// How lists are merged.
    pub fn kind(&self) -> ListKind<'s> {
        match &self.list.keys {
            graph::ListKeysDef::Atomic => ListKind::Atomic,
            graph::ListKeysDef::Set => ListKind::Set,
            graph::ListKeysDef::Map(keys) => ListKind::Map(keys),
        }
    }
}

impl<'s> MapType<'s> {
    /// Whether maps of this type are one value, owned as a whole.
    pub fn is_atomic(&self) -> bool {
        self.map.atomic
    }

    /// The named field.
    pub fn field(&self, name: &str) -> Option<Field<'s>> {
        let graph = self.graph;
        graph.field(self.map, name).map(|field| Field { graph, field })
    }

    /// All named fields, by name.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'s>> + use<'s> {
        let graph = self.graph;
        graph.fields(self.map).iter().map(move |field| Field { graph, field })
    }

    /// The type of the values under keys that are no named fields, where such are allowed.
    pub fn element(&self) -> Option<Type<'s>> {
        let graph = self.graph;
        self.map.element.map(|id| Type { graph, id })
    }

    /// The type of the value under `name`, if such a key is allowed.
    pub fn child(&self, name: &str) -> Option<Type<'s>> {
        self.field(name).map(|field| field.ty()).or_else(|| self.element())
    }
}

impl<'s> Field<'s> {
    /// Its name, shared with the schema: cloning it allocates nothing.
    pub fn name(&self) -> &'s Arc<str> {
        &self.field.name
    }

    /// The type of its values.
    pub fn ty(&self) -> Type<'s> {
        Type { graph: self.graph, id: self.field.ty }
    }

    /// The value that it has when it is absent, as far as OpenAPI's `default` says. Keys of lists have it, too.
    pub fn default(&self) -> Option<&'s Value> {
        self.graph.default_of(self.field)
    }

    /// The value that the API server stores where the field is absent, as far as it is known.
    ///
    /// That is the [default](Self::default), or what the server's code puts there instead. The latter is known of
    /// [built-in](BuiltIn) kinds, for fields of types that occur below atomic lists and maps: elsewhere nobody asks what a
    /// field is that is not stated. It is left out where it depends on other fields: the `apiGroup` of an RBAC subject
    /// depends on its `kind`, the defaults of a `LimitRange`'s limits on each other. An object with fields of its own may have the default `{}`: then the fields' defaults count.
    ///
    /// ```
    /// # use gitops_diff::{TypeRef, schema::{BuiltIn, Schema}};
    /// let policy = TypeRef { group: "networking.k8s.io", version: "v1", kind: "NetworkPolicy" };
    /// let rule = BuiltIn.type_or_deduced(&policy).child_or_deduced("spec").child_or_deduced("ingress").item_or_deduced();
    /// let protocol = rule.child_or_deduced("ports").item_or_deduced().map().unwrap().field("protocol").unwrap();
    /// assert_eq!(protocol.default(), None);
    /// assert_eq!(protocol.server_default().unwrap(), "TCP");
    /// ```
    pub fn server_default(&self) -> Option<&'s Value> {
        self.graph.server_default_of(self.field).or_else(|| self.default())
    }

    /// Whether the API server does not tell a zero value from an absent one, and may drop it: `""`, `0`, `false`, an empty
    /// list or map. So it is in [built-in](BuiltIn) kinds, but for fields that are pointers in Go; custom resources keep
    /// what is written.
    ///
    /// ```
    /// # use gitops_diff::{TypeRef, schema::{BuiltIn, Schema}};
    /// let spec = BuiltIn.type_or_deduced(&TypeRef { group: "", version: "v1", kind: "Pod" }).child_or_deduced("spec");
    /// let field = |name| spec.map().unwrap().field(name).unwrap();
    /// assert!(field("hostNetwork").zero_is_absent());
    /// assert!(!field("hostUsers").zero_is_absent());
    /// ```
    pub fn zero_is_absent(&self) -> bool {
        self.field.zero_is_absent
    }

    /// How strategic merge treats it.
    pub fn patch(&self) -> &'s Patch {
        self.graph.patch_of(self.field)
    }
}
