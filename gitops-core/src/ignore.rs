//! Fields that an application leaves to others although Git states them.

use gitops_diff::FieldPath;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ResourceId;

/// Rules that name fields to leave alone: they count for nothing in a comparison, and an update of an object that
/// exists does not write them. A creation does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IgnoreRules(Vec<IgnoreRule>);

/// One rule. A selector that is not given matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IgnoreRule {
    /// The API group.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The fields, each with everything below it.
    pub paths: Vec<FieldPath>,
}

impl IgnoreRule {
    /// A rule for these fields of every object.
    pub fn new(paths: impl IntoIterator<Item = FieldPath>) -> Self {
        Self { paths: paths.into_iter().collect(), ..Self::default() }
    }

    /// Limits the rule to one kind.
    #[must_use]
    pub fn with_kind(mut self, group: impl Into<String>, kind: impl Into<String>) -> Self {
        (self.group, self.kind) = (Some(group.into()), Some(kind.into()));
        self
    }

    /// Limits the rule to objects of one name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Limits the rule to one namespace.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    fn matches(&self, id: &ResourceId) -> bool {
        let is = |want: &Option<String>, have: &str| want.as_deref().is_none_or(|want| want == have);
        is(&self.group, &id.group)
            && is(&self.kind, &id.kind)
            && is(&self.namespace, id.namespace.as_deref().unwrap_or_default())
            && is(&self.name, &id.name)
    }
}

impl IgnoreRules {
    /// Puts rules together.
    pub fn new(rules: impl IntoIterator<Item = IgnoreRule>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields to leave alone in an object.
    pub fn paths<'a>(&'a self, id: &'a ResourceId) -> impl Iterator<Item = &'a FieldPath> {
        self.0.iter().filter(|rule| rule.matches(id)).flat_map(|rule| &rule.paths)
    }

    /// Whether a field of an object is to be left alone.
    pub fn covers(&self, id: &ResourceId, path: &FieldPath) -> bool {
        self.paths(id).any(|ignored| path.starts_with(ignored))
    }

    /// The object without the fields to leave alone; none if it has none of them.
    pub fn strip(&self, id: &ResourceId, object: &Value) -> Option<Value> {
        let mut stripped: Option<Value> = None;
        for path in self.paths(id) {
            if path.get(object).is_some() {
                path.remove(stripped.get_or_insert_with(|| object.clone()));
            }
        }
        stripped
    }
}
