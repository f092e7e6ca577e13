//! The kinds of Kubernetes itself.
//!
//! `builtin.txt` says what they are, one type per line; `hack/schema` writes it, and its first lines explain its grammar.

use std::collections::HashMap;
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

struct Table<'t> {
    builder: TypeGraphBuilder,
    named: HashMap<Key<'t>, TypeId>,
    /// Lists, maps and overrides that were met before.
    nameless: HashMap<Key<'t>, TypeId>,
    /// Types that are as another one, but for whether their maps are atomic.
    overrides: Vec<(TypeId, TypeId, bool)>,
    names: HashMap<&'t str, Arc<str>>,
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
        // Anything, as one value: `openapi.go` of `schemaconv` puts `__untyped_atomic_` in the place of RawExtension.
        let raw = TypeSpec {
            scalar: Some(Scalar::Untyped),
            format: Format::Embedded,
            list: Some(ListSpec::Atomic(atomic)),
            map: Some(MapSpec { element: Some(atomic), atomic: true, ..MapSpec::default() }),
        };
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
            raw: builder.add(raw),
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
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
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
        let mut builder = TypeGraph::builder();
        let words = Words::add(&mut builder);
        let mut this = Self {
            builder,
            named: HashMap::new(),
            nameless: HashMap::new(),
            overrides: Vec::new(),
            names: HashMap::new(),
            words,
        };
        // Types refer to ones that come later: all get their numbers first.
        let mut package = "";
        for line in lines(table) {
            match line {
                Line::Kinds(_) => {}
                Line::Package(name) => package = name,
                Line::Type(name, ..) => {
                    this.named.insert((package, name), this.builder.reserve());
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
            let mut spec = this.builder.spec(target).cloned().unwrap_or_default();
            if let Some(map) = &mut spec.map {
                map.atomic = atomic;
            }
            this.builder.define(id, spec);
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
            let id = self.named.get(&(package, kind)).ok_or(Malformed(word))?;
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
        let id = *self.named.get(&(package, name)).ok_or(Malformed(name))?;
        let spec = if let Some(expression) = text.strip_prefix("= ") {
            let same = self.expression(package, expression)?;
            self.builder.spec(same).cloned().ok_or(Malformed(text))?
        } else {
            let mut fields = Vec::with_capacity(text.bytes().filter(|byte| *byte == b' ').count() + 1);
            for field in text.split(' ') {
                fields.push(self.field(package, field)?);
            }
            TypeSpec::map(MapSpec { fields, element: None, atomic })
        };
        self.builder.define(id, spec);
        Ok(())
    }

    /// `containers:[name]Container~merge:name`
    fn field(&mut self, package: &'t str, text: &'t str) -> Result<FieldSpec, Malformed<'t>> {
        let (name, rest) = text.split_once(':').ok_or(Malformed(text))?;
        let (rest, default) =
            rest.split_once('=').map_or((rest, None), |(rest, default)| (rest, Some(default)));
        let (expression, patch) =
            rest.split_once('~').map_or((rest, None), |(rest, patch)| (rest, Some(patch)));
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
        let (strategies, key) = text.split_once(':').map_or((text, None), |(all, key)| (all, Some(key)));
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
            if let Some(id) = self.nameless.get(&(package, text)) {
                return Ok(*id);
            }
            let id = self.nameless(package, text)?;
            self.nameless.insert((package, text), id);
            return Ok(id);
        }
        let key = text.split_once('.').unwrap_or((package, text));
        self.named.get(&key).copied().ok_or(Malformed(text))
    }

    /// `[containerPort,protocol]ContainerPort`, `{}str`, `separable(ObjectReference)`
    fn nameless(&mut self, package: &'t str, text: &'t str) -> Result<TypeId, Malformed<'t>> {
        if let Some((keys, item)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
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
        if let Some((mark, element)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            let element = Some(self.expression(package, element)?);
            let map = MapSpec { element, atomic: mark == "!", ..MapSpec::default() };
            return Ok(self.builder.add(TypeSpec::map(map)));
        }
        let (word, target) =
            text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or(Malformed(text))?;
        let target = self.expression(package, target)?;
        let id = self.builder.reserve();
        self.overrides.push((id, target, word == "atomic"));
        Ok(id)
    }

    /// The name, shared by all fields that have it.
    fn name(&mut self, name: &'t str) -> Arc<str> {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
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
