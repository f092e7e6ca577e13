//! What two objects must have in common, and what is set aside.
//!
//! Set aside, besides what a kind's [`defaults`](crate::kinds::Kind::defaults) name, in the object and among the owned
//! fields: what the server makes up by itself (UIDs, versions, times), and the namespace.

use std::collections::{BTreeMap, BTreeSet};

use gitops_diff::{FieldPath, ManagedFields, PathElement};
use serde_json::Value;

use crate::kinds::Kind;

/// An object, in what must be equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) object: Value,
    /// Who owns what.
    pub(crate) owners: BTreeMap<String, BTreeSet<String>>,
}

/// An object without what is set aside.
pub(crate) fn seen(object: &Value, kind: &Kind) -> Seen {
    let mut owners = BTreeMap::<String, BTreeSet<String>>::new();
    for entry in ManagedFields::of(object).expect("managedFields can be read").entries() {
        let subresource = &entry.subresource;
        let owner =
            format!("{} {} {} {subresource}", entry.manager, entry.operation.as_str(), entry.api_version);
        let is_default = |path: &FieldPath, (pattern, default): &(&str, Option<Value>)| {
            let top = top(path, pattern);
            let value = top.as_ref().and_then(|top| top.get(object));
            value.is_some_and(|value| default.as_ref().is_none_or(|default| default == value))
        };
        let is_stated = |path: &FieldPath| !kind.defaults.iter().any(|default| is_default(path, default));
        let is_hollow =
            |path: &FieldPath| kind.hollow.iter().any(|part| top(path, part).as_ref() == Some(path));
        let fields = entry.fields.iter().filter(is_stated).filter(|path| !is_hollow(path));
        let fields = fields.map(|path| path.to_string());
        let fields: BTreeSet<_> = fields.collect();
        // Who owns nothing but defaults has no entry where there are none.
        if !fields.is_empty() {
            assert_eq!(owners.insert(owner, fields), None, "an owner has two entries");
        }
    }
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace"] {
            metadata.remove(field);
        }
        if let Some(time) = metadata.get_mut("deletionTimestamp") {
            *time = "some time".into();
        }
    }
    for (pattern, default) in &kind.defaults {
        let parts: Vec<&str> = pattern.split('.').collect();
        strip(&mut object, &parts, default.as_ref());
    }
    Seen { object, owners }
}

fn strip(value: &mut Value, pattern: &[&str], default: Option<&Value>) {
    match (pattern, value) {
        ([name], Value::Object(map))
            if map.get(*name).is_some_and(|value| default.is_none_or(|default| default == value)) =>
        {
            map.remove(*name);
        }
        (["*", rest @ ..], Value::Array(items)) => {
            for item in items {
                strip(item, rest, default);
            }
        }
        ([name, rest @ ..], Value::Object(map)) => {
            if let Some(child) = map.get_mut(*name) {
                strip(child, rest, default);
            }
        }
        _ => {}
    }
}

/// The beginning of a path that a pattern describes, if it describes one.
fn top(path: &FieldPath, pattern: &str) -> Option<FieldPath> {
    let mut elements = path.elements().iter();
    let is_described = |part: &str| match elements.next() {
        Some(PathElement::Field(name)) => **name == *part,
        Some(_) => part == "*",
        None => false,
    };
    if !pattern.split('.').all(is_described) {
        return None;
    }
    let mut top = path.clone();
    while top.len() > pattern.split('.').count() {
        top.pop();
    }
    Some(top)
}

/// In which lines two things differ.
pub(crate) fn difference(memory: Option<&Seen>, server: Option<&Seen>) -> Option<String> {
    match (memory, server) {
        (None, None) => None,
        (Some(_), None) => Some("it exists in memory alone".to_owned()),
        (None, Some(_)) => Some("it exists on the server alone".to_owned()),
        (Some(memory), Some(server)) => {
            let mut lines = Vec::new();
            if memory.object != server.object {
                lines.push(format!("memory: {}\nserver: {}", memory.object, server.object));
            }
            for owner in memory.owners.keys().chain(server.owners.keys()).collect::<BTreeSet<_>>() {
                let of = |seen: &Seen| seen.owners.get(owner).cloned();
                let (memory, server) = (of(memory), of(server));
                if memory != server {
                    let less = |a: &Option<BTreeSet<String>>, b: &Option<BTreeSet<String>>| {
                        let b = b.clone().unwrap_or_default();
                        a.iter().flatten().filter(|path| !b.contains(*path)).cloned().collect::<Vec<_>>()
                    };
                    lines.push(format!(
                        "{owner} owns in memory alone {:?}, on the server alone {:?}{}",
                        less(&memory, &server),
                        less(&server, &memory),
                        if memory.is_some() == server.is_some() { "" } else { "; one side has no entry" },
                    ));
                }
            }
            (!lines.is_empty()).then(|| lines.join("\n"))
        }
    }
}
