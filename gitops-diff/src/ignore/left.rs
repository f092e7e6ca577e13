//! What rules leave alone of an object: told, taken out of it, or put in as it is live.

use std::collections::HashMap;

use serde_json::Value;

use super::{IgnoreRules, JqRunError, Subject, select};
use crate::nodes::Nodes;
use crate::path_index::PathIndex;
use crate::schema::Type;
use crate::{FieldPath, PathElement};

/// The fields of an object, and of the live object of it, that are left alone.
#[derive(Debug)]
pub(crate) struct Left<'v> {
    object: &'v Value,
    ty: Type<'v>,
    /// In the object: what was selected there, and what is there of what was selected in the live object.
    pub(crate) here: Nodes<'v>,
    /// In the live object.
    pub(crate) there: Nodes<'v>,
    /// An expression that did more than it may.
    pub(super) stopped: Option<JqRunError>,
}

impl IgnoreRules {
    /// Finds the fields to leave alone, in both objects once.
    ///
    /// The object is as it is stored; `plain` is the Secret that it was made of, if it is one, so that rules for `stringData`
    /// hold too.
    pub(crate) fn left<'v>(
        &self,
        object: &'v Value,
        plain: Option<&Value>,
        live: Option<&'v Value>,
        ty: Type<'v>,
    ) -> Left<'v> {
        let mut left = Left { object, ty, here: Nodes::default(), there: Nodes::default(), stopped: None };
        let subject = Subject::of(object);
        if self.of(&subject).next().is_none() {
            return left;
        }
        left.stopped = self.select(&subject, ty, object, live.unwrap_or(&Value::Null), &mut left.here);
        if let Some(live) = live {
            left.stopped = self.select(&subject, ty, live, live, &mut left.there).or(left.stopped);
        }
        if let Some(plain) = plain {
            let mut nodes = Nodes::default();
            left.stopped = self.select(&subject, ty, plain, &Value::Null, &mut nodes).or(left.stopped);
            left.add_plain(plain, &nodes, live);
        }
        if let Some(live) = live {
            left.add_live(live);
        }
        left
    }
}

impl<'v> Left<'v> {
    /// Adds the data of a Secret whose plain texts are left alone.
    fn add_plain(&mut self, plain: &Value, nodes: &Nodes<'_>, live: Option<&'v Value>) {
        let Some(whole) = plain.get("stringData") else { return };
        let data = |object: &'v Value, name: &str| object.get("data")?.get(name);
        for (name, text) in whole.as_object().into_iter().flatten() {
            if nodes.contains(whole) || nodes.contains(text) {
                if let Some(stored) = data(self.object, name) {
                    self.here.insert(stored);
                }
                if let Some(stored) = live.and_then(|live| data(live, name)) {
                    self.there.insert(stored);
                }
            }
        }
    }

    /// Adds what is left alone in the live object.
    fn add_live(&mut self, live: &Value) {
        let (mut here, mut there) = (PathIndex::new(self.object), PathIndex::new(live));
        // What stands at a position there may stand at another one here.
        let is_item = |path: &FieldPath| matches!(path.last(), Some(PathElement::Index(_)));
        for (path, _) in select::named(&self.there, live, self.ty, true) {
            if !is_item(&path)
                && is_aligned(&path, &mut here, &mut there)
                && let Some(node) = here.get(&path)
            {
                self.here.insert(node);
            }
        }
    }

    /// The ways to the fields, without those below others. Items of keyed lists and sets are named by their keys.
    pub(super) fn paths(&self) -> Vec<FieldPath> {
        let mut paths: Vec<_> = select::named(&self.here, self.object, self.ty, false)
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        paths.sort();
        paths.dedup_by(|below, above| below.starts_with(above));
        paths
    }

    /// The object without the fields; none if it has none of them.
    pub(crate) fn strip(&self) -> Option<Value> {
        if self.here.is_empty() {
            return None;
        }
        Some(edited(self.object, &|node| if self.here.contains(node) { Edit::Remove } else { Edit::Keep }))
    }

    /// The object with the fields as they are live; none if it has none of them.
    pub(super) fn adopt(&self, live: &Value) -> Option<Value> {
        let (mut here, mut there) = (PathIndex::new(self.object), PathIndex::new(live));
        let mut edits: HashMap<*const Value, Edit<'_>> = HashMap::new();
        for (path, node) in select::named(&self.here, self.object, self.ty, true) {
            let edit = match there.get(&path) {
                // Who knows which live item it is: what Git states stays.
                Some(_) if !is_aligned(&path, &mut here, &mut there) => Edit::Keep,
                Some(value) => Edit::Replace(value),
                None => Edit::Remove,
            };
            edits.insert(node, edit);
        }
        if edits.is_empty() {
            return None;
        }
        Some(edited(self.object, &|node| edits.get(&std::ptr::from_ref(node)).copied().unwrap_or(Edit::Keep)))
    }
}

/// Whether a path to a field of one tree, as far as it goes by positions, leads to the same field of the other: to one
/// within an item of a list that is as long there.
fn is_aligned(path: &FieldPath, one: &mut PathIndex<'_>, other: &mut PathIndex<'_>) -> bool {
    if !path.elements().iter().any(|element| matches!(element, PathElement::Index(_))) {
        return true;
    }
    let (one, other) = (one.way(path), other.way(path));
    let length = |way: &[&Value], depth: usize| way.get(depth).and_then(|list| list.as_array()).map(Vec::len);
    let mut steps = path.elements().iter().enumerate();
    steps.all(|(depth, element)| {
        !matches!(element, PathElement::Index(_)) || length(&one, depth) == length(&other, depth)
    })
}

/// What happens to a node of a tree.
#[derive(Clone, Copy, Debug)]
enum Edit<'v> {
    Keep,
    Replace(&'v Value),
    Remove,
}

/// A copy of a tree with edits. Its root stays, whatever is said of it.
fn edited<'e>(tree: &Value, edit: &impl Fn(&Value) -> Edit<'e>) -> Value {
    fn child<'e>(node: &Value, edit: &impl Fn(&Value) -> Edit<'e>) -> Option<Value> {
        match edit(node) {
            Edit::Keep => Some(inside(node, edit)),
            Edit::Replace(value) => Some(value.clone()),
            Edit::Remove => None,
        }
    }
    fn inside<'e>(node: &Value, edit: &impl Fn(&Value) -> Edit<'e>) -> Value {
        match node {
            Value::Object(map) => Value::Object(
                map.iter().filter_map(|(name, node)| Some((name.clone(), child(node, edit)?))).collect(),
            ),
            Value::Array(items) => items.iter().filter_map(|item| child(item, edit)).collect(),
            scalar => scalar.clone(),
        }
    }
    match edit(tree) {
        Edit::Remove => tree.clone(),
        _ => child(tree, edit).unwrap_or_default(),
    }
}
