//! The kinds of Kubernetes itself.
//!
//! `builtin.txt` says what they are, one type per line; `hack/schema` writes it, and its first lines explain its grammar.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::{
    FieldSpec, Format, KeyField, ListSpec, MapSpec, Patch, Scalar, Schema, Type, TypeGraph, TypeGraphBuilder,
    TypeId, TypeSpec, deduced,
};
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

static GRAPH: LazyLock<TypeGraph> =
    // A test reads the table, and so there is no error.
    LazyLock::new(|| Table::read(include_str!("builtin.txt")).unwrap_or_default());

impl BuiltIn {
    /// All kinds that it knows, sorted by group, version and kind.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (TypeRef<'static>, Type<'static>)> + use<> {
        GRAPH.kinds()
    }
}

impl Schema for BuiltIn {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        GRAPH.type_of(kind)
    }
}

/// What in the table is not understood.
#[derive(Debug)]
struct Malformed<'t>(#[allow(dead_code, reason = "shown by the test that reads the table")] &'t str);

/// A package and the name of a type in it, or an expression as it is written in it.
type Key<'t> = (&'t str, &'t str);

/// A quick hash for names of our own, which nobody chooses to collide.
#[derive(Default)]
struct FastHasher(u64);

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.write_u64(u64::from_le_bytes(*chunk));
        }
        self.write_u64(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// The text before and after the first such byte, an ASCII one. Quicker than `split_once` where texts are short.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// What stands between spaces.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left?;
        let (word, rest) = cut(text, b' ').map_or((text, None), |(word, rest)| (word, Some(rest)));
        left = rest;
        Some(word)
    })
}

struct Table<'t> {
    builder: TypeGraphBuilder,
    /// The named types, and the lists, maps and overrides that were met before.
    known: HashMap<Key<'t>, TypeId, BuildHasherDefault<FastHasher>>,
    /// Types that are as another one, but for whether their maps are atomic.
    overrides: Vec<(TypeId, TypeId, bool)>,
    names: HashSet<Arc<str>, BuildHasherDefault<FastHasher>>,
    words: Words,
}

/// The types that have a word of their own.
struct Words {
    string: TypeId,
    number: TypeId,
    boolean: TypeId,
    quantity: TypeId,
    int_or_string: TypeId,
    time: TypeId,
    micro_time: TypeId,
    duration: TypeId,
    bytes: TypeId,
    raw: TypeId,
    any: TypeId,
}

impl Words {
    fn add(builder: &mut TypeGraphBuilder) -> Self {
        let (atomic, any) = deduced::add_untyped(builder);
        // Upstream takes a `RawExtension` for one value wherever it stands.
        let raw = builder.reserve();
        builder.define_like(raw, atomic, |def| def.format = Format::Embedded);
        Self {
            string: builder.add(TypeSpec::scalar(Scalar::String)),
            number: builder.add(TypeSpec::scalar(Scalar::Number)),
            boolean: builder.add(TypeSpec::scalar(Scalar::Boolean)),
            quantity: builder.add(TypeSpec::formatted(Scalar::Untyped, Format::Quantity)),
            int_or_string: builder.add(TypeSpec::formatted(Scalar::Untyped, Format::IntOrString)),
            time: builder.add(TypeSpec::formatted(Scalar::Untyped, Format::Time)),
            micro_time: builder.add(TypeSpec::formatted(Scalar::Untyped, Format::MicroTime)),
            duration: builder.add(TypeSpec::formatted(Scalar::String, Format::Duration)),
            bytes: builder.add(TypeSpec::formatted(Scalar::String, Format::Bytes)),
            raw,
            any,
        }
    }

    fn find(&self, word: &str) -> Option<TypeId> {
        Some(match word {
            "str" => self.string,
            "num" => self.number,
            "bool" => self.boolean,
            "quantity" => self.quantity,
            "intstr" => self.int_or_string,
            "time" => self.time,
            "microtime" => self.micro_time,
            "duration" => self.duration,
            "bytes" => self.bytes,
            "raw" => self.raw,
            "any" => self.any,
            _ => return None,
        })
    }
}

/// A line of the table.
enum Line<'t> {
    Kinds(&'t str),
    Package(&'t str),
    /// The name, whether it is an atomic map, and what it is.
    Type(&'t str, bool, &'t str),
}

fn lines(table: &str) -> impl Iterator<Item = Line<'_>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (word, rest) = cut(line, b' ').unwrap_or((line, ""));
        match word {
            "kinds" => Line::Kinds(rest),
            "package" => Line::Package(rest),
            _ => word
                .strip_prefix('!')
                .map_or(Line::Type(word, false, rest), |name| Line::Type(name, true, rest)),
        }
    })
}

impl<'t> Table<'t> {
    fn read(table: &'t str) -> Result<TypeGraph, Malformed<'t>> {
        let fields = table.bytes().filter(|byte| *byte == b':').count();
        let mut builder = TypeGraphBuilder::with_capacity(1024, fields);
        let words = Words::add(&mut builder);
        let mut this = Self {
            builder,
            known: HashMap::with_capacity_and_hasher(1536, BuildHasherDefault::default()),
            overrides: Vec::new(),
            names: HashSet::with_capacity_and_hasher(1024, BuildHasherDefault::default()),
            words,
        };
        // Types refer to ones that come later: all get their numbers first.
        let mut package = "";
        for line in lines(table) {
            match line {
                Line::Kinds(_) => {}
                Line::Package(name) => package = name,
                Line::Type(name, ..) => {
                    this.known.insert((package, name), this.builder.reserve());
                }
            }
        }
        for line in lines(table) {
            match line {
                Line::Kinds(text) => this.kinds(text)?,
                Line::Package(name) => package = name,
                Line::Type(name, atomic, text) => this.define(package, name, atomic, text)?,
            }
        }
        for (id, target, atomic) in std::mem::take(&mut this.overrides) {
            this.builder.define_like(id, target, |def| {
                if let Some(map) = &mut def.map {
                    map.atomic = atomic;
                }
            });
        }
        this.builder.build().map_err(|_| Malformed("a type that nothing defines"))
    }

    /// `apps/v1 apps/v1 Deployment Scale@autoscaling/v1`
    fn kinds(&mut self, text: &'t str) -> Result<(), Malformed<'t>> {
        let mut words = text.split(' ');
        let (Some(version), Some(package)) = (words.next(), words.next()) else {
            return Err(Malformed(text));
        };
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        for word in words {
            let (kind, package) = word.split_once('@').unwrap_or((word, package));
            let id = self.known.get(&(package, kind)).ok_or(Malformed(word))?;
            self.builder.kind(&TypeRef { group, version, kind }, *id);
        }
        Ok(())
    }

    fn define(
        &mut self,
        package: &'t str,
        name: &'t str,
        atomic: bool,
        text: &'t str,
    ) -> Result<(), Malformed<'t>> {
        let id = *self.known.get(&(package, name)).ok_or(Malformed(name))?;
        if let Some(expression) = text.strip_prefix("= ") {
            let other = self.expression(package, expression)?;
            return self.builder.define_like(id, other, |_| {}).ok_or(Malformed(text));
        }
        let mut fields = Vec::with_capacity(text.bytes().filter(|byte| *byte == b' ').count() + 1);
        for field in words(text) {
            fields.push(self.field(package, field)?);
        }
        self.builder.define(id, TypeSpec::map(MapSpec { fields, element: None, atomic }));
        Ok(())
    }

    /// `containers:[name]Container~merge:name`
    fn field(&mut self, package: &'t str, text: &'t str) -> Result<FieldSpec, Malformed<'t>> {
        let (name, rest) = cut(text, b':').ok_or(Malformed(text))?;
        let (rest, default) = cut(rest, b'=').map_or((rest, None), |(rest, default)| (rest, Some(default)));
        let (expression, patch) = cut(rest, b'~').map_or((rest, None), |(rest, patch)| (rest, Some(patch)));
        let default = match default {
            None => None,
            Some("\"\"") => Some(Value::from("")),
            Some(json) => Some(serde_json::from_str(json).map_err(|_| Malformed(text))?),
        };
        let patch = patch.map(|patch| self.patch(patch)).transpose()?.unwrap_or_default();
        Ok(FieldSpec { name: self.name(name), ty: self.expression(package, expression)?, default, patch })
    }

    /// `merge,retainKeys:name`
    fn patch(&mut self, text: &'t str) -> Result<Patch, Malformed<'t>> {
        let (strategies, key) = cut(text, b':').map_or((text, None), |(all, key)| (all, Some(key)));
        let mut patch = Patch { merge_key: key.map(|key| self.name(key)), ..Patch::default() };
        for strategy in strategies.split(',') {
            match strategy {
                "merge" => patch.merge = true,
                "replace" => patch.replace = true,
                "retainKeys" => patch.retain_keys = true,
                _ => return Err(Malformed(text)),
            }
        }
        Ok(patch)
    }

    fn expression(&mut self, package: &'t str, text: &'t str) -> Result<TypeId, Malformed<'t>> {
        if let Some(id) = self.words.find(text) {
            return Ok(id);
        }
        if text.starts_with(['[', '{']) || text.ends_with(')') {
            if let Some(id) = self.known.get(&(package, text)) {
                return Ok(*id);
            }
            let id = self.nameless(package, text)?;
            self.known.insert((package, text), id);
            return Ok(id);
        }
        let key = cut(text, b'.').unwrap_or((package, text));
        self.known.get(&key).copied().ok_or(Malformed(text))
    }

    /// `[containerPort,protocol]ContainerPort`, `{}str`, `separable(ObjectReference)`
    fn nameless(&mut self, package: &'t str, text: &'t str) -> Result<TypeId, Malformed<'t>> {
        if let Some((keys, item)) = text.strip_prefix('[').and_then(|rest| cut(rest, b']')) {
            let item = self.expression(package, item)?;
            let list = match keys {
                "" => ListSpec::Atomic(item),
                "*" => ListSpec::Set(item),
                _ => {
                    let keys = keys.split(',').map(|key| KeyField { name: self.name(key), default: None });
                    ListSpec::Map(item, keys.collect())
                }
            };
            return Ok(self.builder.add(TypeSpec::list(list)));
        }
        if let Some((mark, element)) = text.strip_prefix('{').and_then(|rest| cut(rest, b'}')) {
            let element = Some(self.expression(package, element)?);
            let map = MapSpec { element, atomic: mark == "!", ..MapSpec::default() };
            return Ok(self.builder.add(TypeSpec::map(map)));
        }
        let (word, target) =
            text.strip_suffix(')').and_then(|text| cut(text, b'(')).ok_or(Malformed(text))?;
        let target = self.expression(package, target)?;
        let id = self.builder.reserve();
        self.overrides.push((id, target, word == "atomic"));
        Ok(id)
    }

    /// The name, shared by all fields that have it.
    fn name(&mut self, name: &'t str) -> Arc<str> {
        if let Some(name) = self.names.get(name) {
            return name.clone();
        }
        let name = Arc::from(name);
        self.names.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ListKind;

    fn kind(group: &'static str, kind: &'static str) -> Type<'static> {
        BuiltIn.type_of(&TypeRef { group, version: "v1", kind }).unwrap()
    }

    #[test]
    fn the_table_is_understood() {
        let graph = Table::read(include_str!("builtin.txt")).unwrap();
        assert_eq!(graph.kinds().len(), 163);
        assert!(graph.kinds().all(|(_, ty)| {
            ty.map().is_some_and(|map| {
                ["apiVersion", "kind", "metadata"].iter().all(|name| map.field(name).is_some())
            })
        }));
    }

    #[test]
    fn what_is_malformed_is_told() {
        for bad in [
            "kinds v1",
            "kinds v1 core/v1 Pod",
            "package p\nA b",
            "package p\nA b:B",
            "package p\nA b:[]q.B",
            "package p\nA b:(str",
            "package p\nA b:str~often",
            "package p\nA b:str={",
            "package p\nA = A)",
        ] {
            assert!(Table::read(bad).is_err(), "{bad}");
        }
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
}
