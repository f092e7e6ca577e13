//! Which values of trees are masked.

use std::collections::HashMap;

use serde_json::Value;

use super::{LAST_APPLIED, Redaction};
use crate::FieldPath;
use crate::nodes::{Nodes, place};

/// What is masked in trees that are read together: versions of one object.
#[derive(Debug, Default)]
pub(super) struct Marked<'v> {
    /// Values, as they are.
    plain: Nodes<'v>,
    /// Values in base64: the `data` of Secrets.
    encoded: Nodes<'v>,
    /// The field sets in managedFields whose elements tell something masked, by where they are in memory.
    owned: HashMap<usize, Object<'v>>,
    /// The paths of the user.
    pub(super) paths: Vec<FieldPath>,
    /// Whether the trees are versions of a Secret whose values are masked.
    pub(super) secret: bool,
}

/// An object in one of the trees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'v> {
    pub(super) root: &'v Value,
    pub(super) secret: bool,
}

impl<'v> Marked<'v> {
    /// Whether a value is masked as a whole.
    pub(super) fn contains(&self, node: &Value) -> bool {
        self.plain.contains(node) || self.encoded.contains(node)
    }

    pub(super) fn is_encoded(&self, node: &Value) -> bool {
        self.encoded.contains(node)
    }

    /// The object that a field set is of, if its elements tell something masked.
    pub(super) fn owner_of(&self, fields: &Value) -> Option<Object<'v>> {
        if self.owned.is_empty() { None } else { self.owned.get(&place(fields)).copied() }
    }

    /// Whether there is no value to mask in the trees.
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.encoded.is_empty() && self.owned.is_empty()
    }

    /// The values that are masked.
    pub(super) fn values(&self) -> impl Iterator<Item = &'v Value> + '_ {
        self.plain.iter().chain(self.encoded.iter())
    }

    /// A version that has lost its kind, or changed it, is still one of a Secret.
    pub(super) fn new(redaction: &Redaction, versions: &[&'v Value]) -> Self {
        let secret = redaction.secrets && versions.iter().any(|version| is_secret(version));
        let nothing = Self { paths: redaction.paths.clone(), secret, ..Self::default() };
        let mut finder = Finder { marked: nothing, objects: Vec::new() };
        // Most objects have nothing that is masked without being asked for.
        if redaction.secrets && versions.iter().any(|version| may_hold_secrets(version)) {
            finder.secrets(versions, secret);
        }
        if !redaction.paths.is_empty() {
            finder.paths(versions);
        }
        let Finder { mut marked, objects } = finder;
        for object in objects {
            for fields in field_sets(object.root) {
                if marked.tells(fields, object) {
                    marked.owned.insert(place(fields), object);
                }
            }
        }
        marked
    }
}

/// The field sets of an object's managedFields.
fn field_sets(object: &Value) -> impl Iterator<Item = &Value> {
    let entries = object.get("metadata").and_then(|metadata| metadata.get("managedFields"));
    entries.and_then(Value::as_array).into_iter().flatten().filter_map(|entry| entry.get("fieldsV1"))
}

/// Looks for what is to be masked.
struct Finder<'v> {
    marked: Marked<'v>,
    /// Objects with managedFields that may tell something.
    objects: Vec<Object<'v>>,
}

impl<'v> Finder<'v> {
    /// Marks the values of Secrets, wherever they are. The nodes are versions of one; `secret` says that it is known to be a
    /// Secret, whatever the nodes say themselves.
    fn secrets(&mut self, nodes: &[&'v Value], secret: bool) {
        if secret {
            self.objects.extend(nodes.iter().map(|root| Object { root, secret }));
        }
        // As a server lists them, the items have no kind of their own.
        let of_secrets = nodes.iter().any(|node| is_kind(node, "SecretList"));
        let maps: Vec<_> = nodes.iter().filter_map(|node| node.as_object()).collect();
        for (at, map) in maps.iter().enumerate() {
            let (before, after) = maps.split_at(at);
            for (name, child) in *map {
                if before.iter().any(|map| map.contains_key(name)) {
                    continue;
                }
                let mut versions = vec![child];
                versions.extend(after.iter().skip(1).filter_map(|map| map.get(name)));
                self.field(name, &versions, secret, of_secrets);
            }
        }
        let lists: Vec<_> = nodes.iter().filter_map(|node| node.as_array()).collect();
        if !lists.is_empty() {
            self.items(&lists, false);
        }
    }

    fn field(&mut self, name: &str, versions: &[&'v Value], secret: bool, of_secrets: bool) {
        let known = ["data", "stringData", "metadata"];
        let name = known.into_iter().find(|known| name.eq_ignore_ascii_case(known)).unwrap_or(name);
        match name {
            LAST_APPLIED => versions.iter().for_each(|version| self.marked.plain.insert(version)),
            "data" | "stringData" if secret => {
                for version in versions {
                    self.values(name, version);
                }
            }
            "metadata" if secret => {
                for version in versions {
                    self.metadata(version);
                }
                self.secrets(versions, false);
            }
            "items" if of_secrets => {
                let lists: Vec<_> = versions.iter().filter_map(|version| version.as_array()).collect();
                self.items(&lists, true);
            }
            // Most fields are no trees.
            _ if versions.iter().all(|version| !version.is_object() && !version.is_array()) => {}
            _ => self.secrets(versions, versions.iter().any(|version| is_secret(version))),
        }
    }

    /// The `data` or `stringData` of a Secret.
    fn values(&mut self, name: &str, version: &'v Value) {
        match version {
            Value::Object(entries) if name == "data" => {
                entries.values().for_each(|entry| self.marked.encoded.insert(entry));
            }
            Value::Object(entries) => entries.values().for_each(|entry| self.marked.plain.insert(entry)),
            odd => self.marked.plain.insert(odd),
        }
    }

    /// What may be a copy of a Secret's values in its metadata, or may be anything because it is not what it should be.
    fn metadata(&mut self, version: &'v Value) {
        let Value::Object(metadata) = version else { return self.marked.plain.insert(version) };
        match metadata.get("annotations") {
            Some(Value::Object(annotations)) => {
                let copies = annotations.values().filter(|value| is_copy(value));
                copies.for_each(|copy| self.marked.plain.insert(copy));
            }
            Some(odd) => self.marked.plain.insert(odd),
            None => {}
        }
        match metadata.get("managedFields") {
            Some(Value::Array(entries)) => {
                let odd = entries.iter().filter(|entry| !entry.is_object());
                odd.for_each(|odd| self.marked.plain.insert(odd));
            }
            Some(odd) => self.marked.plain.insert(odd),
            None => {}
        }
    }

    /// Items of lists, by position. One without a kind is a Secret if any may be meant to be.
    fn items(&mut self, lists: &[&'v Vec<Value>], secret: bool) {
        let is_bare = |item: &Value| item.is_object() && kind(item).is_empty();
        let any = secret || lists.iter().any(|list| list.iter().any(is_secret));
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or_default();
        for at in 0..longest {
            let versions: Vec<_> = lists.iter().filter_map(|list| list.get(at)).collect();
            let is_one = |item: &&Value| is_secret(item) || any && is_bare(item);
            self.secrets(&versions, secret || versions.iter().any(is_one));
        }
    }

    /// Marks what is at the paths of the user, in versions of an object and in those that they list.
    fn paths(&mut self, versions: &[&'v Value]) {
        let mut found = false;
        for path in &self.marked.paths {
            for value in versions.iter().filter_map(|version| path.get(version)) {
                self.marked.plain.insert(value);
                found = true;
            }
        }
        for version in versions {
            if let Some(copy) = last_applied(version)
                && (found || may_hold(copy, &self.marked.paths))
            {
                self.marked.plain.insert(copy);
            }
            self.objects.push(Object { root: version, secret: false });
        }
        // The objects of a `List`; other kinds have no such field at their root.
        let lists: Vec<_> = versions.iter().filter_map(|version| version.get("items")?.as_array()).collect();
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or_default();
        for at in 0..longest {
            let items: Vec<_> = lists.iter().filter_map(|list| list.get(at)).collect();
            self.paths(&items);
        }
    }
}

/// Whether there is a Secret or a copy of an object anywhere in a tree.
fn may_hold_secrets(node: &Value) -> bool {
    match node {
        Value::Object(map) => map.iter().any(|(name, child)| match &**name {
            LAST_APPLIED => true,
            "kind" => is_secret(node) || is_kind(node, "SecretList") || may_hold_secrets(child),
            _ => may_hold_secrets(child),
        }),
        Value::Array(items) => items.iter().any(may_hold_secrets),
        _ => false,
    }
}

/// Whether something is at one of the paths in the copy of an object that a text is. One that cannot be read may hold anything.
fn may_hold(copy: &Value, paths: &[FieldPath]) -> bool {
    let Value::String(text) = copy else { return true };
    serde_json::from_str(text).map_or(true, |object: Value| holds(&object, paths))
}

fn holds(object: &Value, paths: &[FieldPath]) -> bool {
    paths.iter().any(|path| path.get(object).is_some())
        || last_applied(object).is_some_and(|copy| may_hold(copy, paths))
        || object.get("items").and_then(Value::as_array).into_iter().flatten().any(|item| holds(item, paths))
}

/// Whatever the group, and misspelled too: what calls itself a Secret is treated as one.
fn is_secret(value: &Value) -> bool {
    is_kind(value, "Secret")
}

fn is_kind(value: &Value, name: &str) -> bool {
    kind(value).eq_ignore_ascii_case(name)
}

fn kind(value: &Value) -> &str {
    value.get("kind").and_then(Value::as_str).unwrap_or_default().trim()
}

/// Whether an annotation may be a copy of the object: a JSON text, something that was compressed, or no text at all.
fn is_copy(value: &Value) -> bool {
    // How gzip begins, in base64.
    const COMPRESSED: &str = "H4sI";
    value
        .as_str()
        .map(str::trim_start)
        .is_none_or(|text| text.starts_with(['{', '[']) || text.starts_with(COMPRESSED))
}

fn last_applied(object: &Value) -> Option<&Value> {
    let annotations = object.get("metadata")?.get("annotations")?;
    match annotations {
        Value::Object(annotations) => annotations.get(LAST_APPLIED),
        Value::Null => None,
        odd => Some(odd),
    }
}
