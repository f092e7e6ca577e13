//! From rules to the fields of a tree.

use serde_json::Value;

use super::{IgnoreRules, JqRunError, Subject};
use crate::compare::{Items, Naming, Step, Trail};
use crate::nodes::Nodes;
use crate::path_index::PathIndex;
use crate::schema::Type;
use crate::{FieldPath, FieldSet, ManagedFields, PathElement};

impl IgnoreRules {
    /// Finds the fields of a tree that are left alone. `live` says who owns what. Tells of an expression that was stopped.
    pub(crate) fn select<'v>(
        &self,
        subject: &Subject<'_>,
        ty: Type<'v>,
        tree: &'v Value,
        live: &Value,
        nodes: &mut Nodes<'v>,
    ) -> Option<JqRunError> {
        let mut managers: Vec<&str> = Vec::new();
        let mut index = PathIndex::new(tree);
        let mut stopped = None;
        for rule in self.of(subject) {
            rule.paths.iter().filter_map(|path| index.get(path)).for_each(|node| nodes.insert(node));
            rule.json_pointers
                .iter()
                .filter_map(|pointer| pointer.get(tree))
                .for_each(|node| nodes.insert(node));
            for expression in &rule.jq_path_expressions {
                // One that fails selects nothing: `check` says why.
                if let Err(why) = expression.select(tree, &self.budget, nodes) {
                    stopped = stopped.or_else(|| Some(why).filter(JqRunError::is_stopped));
                }
            }
            managers.extend(rule.managed_fields_managers.iter().map(String::as_str));
        }
        if managers.is_empty() {
            return stopped;
        }
        let managed = ManagedFields::of(live).unwrap_or_default();
        for entry in managed.entries().iter().filter(|entry| managers.contains(&entry.manager.as_str())) {
            leaves_of(&entry.fields, tree, ty, &mut FieldPath::root(), nodes);
        }
        stopped
    }
}

/// The values of the fields of a set that have no further members below them.
fn leaves_of<'v>(
    set: &FieldSet,
    value: &'v Value,
    ty: Type<'v>,
    path: &mut FieldPath,
    nodes: &mut Nodes<'v>,
) {
    if !path.is_root() {
        if !set.touches(path) {
            return;
        }
        // What lies within a leaf of the set is covered, whatever it is called.
        if set.contains(path) && set.contains_or_covers(&path.child(PathElement::Index(usize::MAX))) {
            nodes.insert(value);
            return;
        }
    }
    each_child(value, ty, false, |child, ty, step| {
        path.push(step.to_element());
        leaves_of(set, child, ty, path, nodes);
        path.pop();
    });
}

/// The nodes of a tree with their paths, without those below others.
pub(super) fn named<'v>(
    nodes: &Nodes<'_>,
    tree: &'v Value,
    ty: Type<'v>,
    deduce: bool,
) -> Vec<(FieldPath, &'v Value)> {
    fn walk<'v>(
        nodes: &Nodes<'_>,
        value: &'v Value,
        ty: Type<'v>,
        deduce: bool,
        way: Option<&Trail<'_>>,
        named: &mut Vec<(FieldPath, &'v Value)>,
    ) {
        if nodes.contains(value) {
            named.push((Trail::to_path(way), value));
            return;
        }
        each_child(value, ty, deduce, |child, ty, step| {
            walk(nodes, child, ty, deduce, Some(&Trail { up: way, step }), named);
        });
    }
    let mut named = Vec::new();
    if !nodes.is_empty() {
        walk(nodes, tree, ty, deduce, None, &mut named);
    }
    named
}

/// Visits what is in a value. Items without keys are named by position, or by what tells them apart if `deduce` says so.
fn each_child<'v>(
    value: &'v Value,
    ty: Type<'v>,
    deduce: bool,
    mut visit: impl FnMut(&'v Value, Type<'v>, Step<'v>),
) {
    match value {
        Value::Object(map) => {
            for (name, child) in map {
                visit(child, ty.child_or_deduced(name), Step::Field(name));
            }
        }
        Value::Array(items) => {
            let known = Naming::of(ty.list_kind());
            let naming = known.or_else(|| {
                let items = Items::All(items);
                if deduce { Naming::deduced(&items, &items) } else { None }
            });
            for (at, item) in items.iter().enumerate() {
                let name = naming.filter(|naming| naming.name(item).is_some());
                visit(item, ty.item_or_deduced(), name.map_or(Step::Index(at), |naming| naming.step(item)));
            }
        }
        _ => {}
    }
}
