//! Types in the grammar of `builtin.txt`, whose first lines explain it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::graph::{TypeGraph, TypeGraphBuilder, TypeId};
use super::spec::{FieldSpec, ListSpec, MapSpec, TypeSpec};
use super::{Format, KeyField, Patch, Scalar, deduced};
use crate::TypeRef;

/// The numbers of types, by their package and name.
pub(super) type Known<'t> = HashMap<Key<'t>, TypeId, BuildHasherDefault<FastHasher>>;

/// Reads a table, all of it.
pub(super) fn graph(text: &str) -> Result<TypeGraph, Malformed<'_>> {
    let fields = text.bytes().filter(|byte| *byte == b':').count();
    let mut builder = TypeGraphBuilder::with_capacity(1024, fields);
    add(&mut builder, text)?;
    builder.build().map_err(|_| Malformed("a type that nothing defines"))
}

/// Adds the types and kinds of a table.
pub(super) fn add<'t>(builder: &mut TypeGraphBuilder, text: &'t str) -> Result<Known<'t>, Malformed<'t>> {
    let words = Words::add(builder);
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    let mut table = Table {
        builder,
        // Half as many types again have no name.
        known: HashMap::with_capacity_and_hasher(lines * 2, BuildHasherDefault::default()),
        overrides: Vec::new(),
        names: HashSet::with_capacity_and_hasher(lines + lines / 2, BuildHasherDefault::default()),
        words,
    };
    table.read(text)?;
    Ok(table.known)
}

/// What in the table is not understood.
#[derive(Debug)]
pub(super) struct Malformed<'t>(#[allow(dead_code, reason = "shown by tests")] &'t str);

/// A package and the name of a type in it, or an expression as it is written in it.
pub(super) type Key<'t> = (&'t str, &'t str);

/// A quick hash for names of our own, which nobody chooses to collide.
#[derive(Default)]
pub(super) struct FastHasher(u64);

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

fn value(json: &str) -> Result<Value, Malformed<'_>> {
    match json {
        // By far the most.
        "\"\"" => Ok(Value::from("")),
        _ => serde_json::from_str(json).map_err(|_| Malformed(json)),
    }
}

/// What a field is made of.
struct Parts<'t> {
    name: &'t str,
    expression: &'t str,
    patch: Option<&'t str>,
    default: Option<&'t str>,
    server_default: Option<&'t str>,
}

/// Takes a field from the beginning, such as `containers:[name]Container~merge:name` or `paused:*bool=false?true`, and gives
/// what comes after the space behind it.
///
/// One walk over the bytes: most of the time that reading a table takes is spent here.
fn parts(text: &str) -> Option<(Parts<'_>, Option<&str>)> {
    let (mut colon, mut tilde, mut equals, mut question, mut space) = (None, None, None, None, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' => {
                space = Some(at);
                break;
            }
            b':' if colon.is_none() => colon = Some(at),
            b'~' if tilde.or(equals).or(question).is_none() => tilde = Some(at),
            b'=' if equals.or(question).is_none() => equals = Some(at),
            b'?' if question.is_none() => question = Some(at),
            _ => {}
        }
    }
    let (colon, end) = (colon?, space.unwrap_or(text.len()));
    let part = |from: Option<usize>, to: Option<usize>| text.get(from? + 1..to.unwrap_or(end));
    let parts = Parts {
        name: text.get(..colon)?,
        expression: part(Some(colon), tilde.or(equals).or(question))?,
        patch: part(tilde, equals.or(question)),
        default: part(equals, question),
        server_default: part(question, None),
    };
    Some((parts, space.and_then(|space| text.get(space + 1..))))
}

struct Table<'t, 'b> {
    builder: &'b mut TypeGraphBuilder,
    /// The named types, and the lists, maps and overrides that were met before.
    known: Known<'t>,
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

impl<'t> Table<'t, '_> {
    fn read(&mut self, text: &'t str) -> Result<(), Malformed<'t>> {
        // Types refer to ones that come later: all get their numbers first.
        let mut package = "";
        for line in lines(text) {
            match line {
                Line::Kinds(_) => {}
                Line::Package(name) => package = name,
                Line::Type(name, ..) => {
                    self.known.insert((package, name), self.builder.reserve());
                }
            }
        }
        for line in lines(text) {
            match line {
                Line::Kinds(text) => self.kinds(text)?,
                Line::Package(name) => package = name,
                Line::Type(name, atomic, text) => self.define(package, name, atomic, text)?,
            }
        }
        for (id, target, atomic) in std::mem::take(&mut self.overrides) {
            self.builder.define_like(id, target, |def| {
                if let Some(map) = &mut def.map {
                    map.atomic = atomic;
                }
            });
        }
        Ok(())
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
        let start = self.builder.begin_map();
        let mut left = Some(text);
        while let Some(text) = left {
            let (parts, rest) = parts(text).ok_or(Malformed(text))?;
            let field = self.field(package, &parts)?;
            self.builder.push_field(field);
            left = rest;
        }
        self.builder.end_map(id, start, atomic).ok_or(Malformed(text))
    }

    fn field(&mut self, package: &'t str, parts: &Parts<'t>) -> Result<FieldSpec, Malformed<'t>> {
        let pointed = parts.expression.strip_prefix('*');
        let ty = self.expression(package, pointed.unwrap_or(parts.expression))?;
        Ok(FieldSpec {
            default: parts.default.map(value).transpose()?,
            server_default: parts.server_default.map(value).transpose()?,
            zero_is_absent: pointed.is_none(),
            patch: parts.patch.map(|patch| self.patch(patch)).transpose()?.unwrap_or_default(),
            ..FieldSpec::new(self.name(parts.name), ty)
        })
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
            "package p\nA b:str?{",
            "package p\nA b:**str",
            "package p\nA b:str a:str",
            "package p\nA = A)",
        ] {
            assert!(graph(bad).is_err(), "{bad}");
        }
    }
}
