//! What an edit changed.

use std::collections::HashMap;
use std::fmt;

use gitops_core::diff::{FieldPath, PathElement, Redacted, Redaction, Shown};
use gitops_core::{Place, ResourceId};
use serde_json::{Map, Value};

use crate::locate::{self, Found};
use crate::steps::{Step, key_text, steps};
use crate::tree::{Id, Kind, Tree};

/// One value that an edit changed. What a Secret holds is not shown, neither in fields nor by `Debug` or `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Where the value is in the file as it was; where the entry in front of it is, if it was added.
    pub place: Place,
    /// The object that it is in, as the file names it; none in a file that holds no manifests.
    pub object: Option<ResourceId>,
    /// Where it is in the document, list items by their positions.
    pub path: FieldPath,
    /// What there was; [`Shown::Absent`] if it was added.
    pub old: Shown,
    /// What there is now; [`Shown::Absent`] if it was removed.
    pub new: Shown,
}

impl fmt::Display for Change {
    /// `apps/web.yaml:12:16 (document 1): .spec.replicas: 2 → 3`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {} → {}", self.place, self.path, self.old, self.new)
    }
}

/// Masks values of Secrets among those of a file.
pub(crate) struct Masks<'t, 'a> {
    tree: &'t Tree<'a>,
    source: &'t str,
    redaction: Redaction,
    /// What says of a mapping which kind of object it is.
    kinds: HashMap<Id, Map<String, Value>>,
}

impl<'t, 'a> Masks<'t, 'a> {
    pub(crate) fn new(tree: &'t Tree<'a>, source: &'t str) -> Self {
        Self { tree, source, redaction: Redaction::default(), kinds: HashMap::new() }
    }

    /// The old and the new value of a node, or of a key beside it, as they may be shown.
    pub(crate) fn show(
        &mut self,
        beside: Id,
        key: Option<&str>,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> (Shown, Shown) {
        let (from, path) = self.outline(beside, key, old);
        let (to, _) = self.outline(beside, key, new);
        let (from, to) = self.redaction.redact_pair(&from, &to);
        let shown = |masked: &Redacted, value: Option<&Value>| {
            let Some(value) = value else { return Shown::Absent };
            if path.get(masked.as_value()) == Some(value) {
                Shown::Value(self.redaction.redact(value))
            } else {
                Shown::Redacted
            }
        };
        (shown(&from, old), shown(&to, new))
    }

    /// The value with as much around it as tells whether it is a Secret's, and where it is there.
    fn outline(&mut self, beside: Id, key: Option<&str>, value: Option<&Value>) -> (Value, FieldPath) {
        let (mut inner, mut path) = (value.cloned().unwrap_or(Value::Null), Vec::new());
        let mut at = beside;
        let mut name = key;
        while let Some(parent) = self.tree.parent(at) {
            if let Kind::Mapping { .. } = self.tree.node(parent).kind {
                let own = self.tree.key_of(at).map_or("", |key| key_text(self.tree, key));
                let field = name.take().unwrap_or(own);
                let mut around = self.kind(parent).clone();
                around.insert(field.to_owned(), inner);
                path.push(PathElement::field(field));
                inner = Value::Object(around);
            } else {
                path.push(PathElement::Index(0));
                inner = Value::Array(vec![inner]);
            }
            at = parent;
        }
        path.reverse();
        (inner, path.into_iter().collect())
    }

    fn kind(&mut self, mapping: Id) -> &Map<String, Value> {
        let (tree, source) = (self.tree, self.source);
        self.kinds.entry(mapping).or_insert_with(|| {
            let field = |key: &str| {
                let found = Found { id: mapping, is_shared: false };
                Some((key.to_owned(), locate::text(tree, source, found, key)?))
            };
            ["apiVersion", "kind"].into_iter().filter_map(field).collect()
        })
    }
}

/// The path of a node, or of a key beside it.
pub(crate) fn steps_beside<'t>(tree: &'t Tree<'_>, beside: Id, key: Option<&'t str>) -> Vec<Step<'t>> {
    let mut steps = steps(tree, beside);
    if let Some(key) = key {
        steps.pop();
        steps.push(Step::Key(key));
    }
    steps
}
