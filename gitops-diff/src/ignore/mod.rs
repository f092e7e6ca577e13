//! Fields that are left to others although Git states them.

mod budget;
mod glob;
mod jq;
mod left;
#[cfg(feature = "jq")]
mod meter;
mod pointer;
#[cfg(feature = "jq")]
mod run;
mod select;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::budget::Budget;
pub use self::jq::{JqError, JqPath, JqRunError};
pub(crate) use self::left::Left;
pub use self::pointer::JsonPointer;
use crate::nodes::Nodes;
use crate::schema::Schema;
use crate::{FieldPath, TypeRef, stored_secret};

/// Rules that name fields to leave alone: they count for nothing in a [comparison](crate::compare), and an update of an
/// object does not write them.
///
/// A field is left alone with everything below it. Whether a rule that looks at values, such as a jq expression, selects a
/// field is asked of both the desired and the live object: either is enough.
///
/// ```
/// use gitops_diff::schema::Deduced;
/// use gitops_diff::{DiffOptions, IgnoreRule, IgnoreRules, compare};
/// use serde_json::json;
///
/// let rule = IgnoreRule::default().with_kind("apps", "Deployment").with_pointer("/spec/replicas".parse()?);
/// let rules = IgnoreRules::new([rule]);
/// let object = |replicas| json!({
///     "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas},
/// });
/// let options = DiffOptions::default().with_rules(rules.clone());
/// assert!(compare(&object(3), &object(5), &Deduced, &options).is_empty());
///
/// // What is applied does not state the field, or states it as it is.
/// let (git, live) = (object(3), object(5));
/// assert_eq!(rules.strip(&git, Some(&live), &Deduced), Some(json!({
///     "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {},
/// })));
/// assert_eq!(rules.adopt(&git, &live, &Deduced), Some(object(5)));
/// # Ok::<(), gitops_diff::PathError>(())
/// ```
///
/// Rules are data; how much their jq expressions may do is not part of it: [`IgnoreRules::with_budget`] says so wherever
/// they are applied, and two sets of rules are equal whatever they may do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IgnoreRules {
    rules: Vec<IgnoreRule>,
    #[serde(skip)]
    budget: Budget,
}

impl PartialEq for IgnoreRules {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for IgnoreRules {}

/// One rule. A selector that is not given matches everything; in one that is, `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IgnoreRule {
    /// The API group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The fields, as paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<FieldPath>,
    /// The fields, as JSON Pointers (RFC 6901).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json_pointers: Vec<JsonPointer>,
    /// The fields, as jq path expressions (feature `jq`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jq_path_expressions: Vec<JqPath>,
    /// The fields that these field managers own in the live object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_fields_managers: Vec<String>,
}

/// Which object a rule is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace; empty where there is none.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
}

impl<'a> Subject<'a> {
    /// An object of a kind, with no name yet.
    pub const fn new(group: &'a str, kind: &'a str) -> Self {
        Self { group, kind, namespace: "", name: "" }
    }

    /// In this namespace.
    #[must_use]
    pub const fn in_namespace(mut self, namespace: &'a str) -> Self {
        self.namespace = namespace;
        self
    }

    /// Of this name.
    #[must_use]
    pub const fn named(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// What an object says of itself.
    pub fn of(object: &'a Value) -> Self {
        let TypeRef { group, kind, .. } = TypeRef::of(object);
        let text = |field: &str| {
            object.get("metadata").and_then(|metadata| metadata.get(field)?.as_str()).unwrap_or_default()
        };
        Self { group, kind, namespace: text("namespace"), name: text("name") }
    }
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

    /// Also leaves the field alone that a JSON Pointer leads to.
    #[must_use]
    pub fn with_pointer(mut self, pointer: JsonPointer) -> Self {
        self.json_pointers.push(pointer);
        self
    }

    /// Also leaves the fields alone that a jq expression leads to.
    #[must_use]
    pub fn with_jq(mut self, expression: JqPath) -> Self {
        self.jq_path_expressions.push(expression);
        self
    }

    /// Also leaves the fields alone that this field manager owns in the live object.
    #[must_use]
    pub fn with_manager(mut self, manager: impl Into<String>) -> Self {
        self.managed_fields_managers.push(manager.into());
        self
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        let is = |want: &Option<String>, have| want.as_deref().is_none_or(|want| glob::matches(want, have));
        is(&self.group, subject.group)
            && is(&self.kind, subject.kind)
            && is(&self.namespace, subject.namespace)
            && is(&self.name, subject.name)
    }
}

impl IgnoreRules {
    /// Puts rules together.
    pub fn new(rules: impl IntoIterator<Item = IgnoreRule>) -> Self {
        Self { rules: rules.into_iter().collect(), budget: Budget::default() }
    }

    /// Lets the jq expressions of the rules do more, or less.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How much each jq expression may do in each object.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules for an object.
    pub fn of<'r>(&'r self, subject: &Subject<'_>) -> impl Iterator<Item = &'r IgnoreRule> {
        let subject = *subject;
        self.rules.iter().filter(move |rule| rule.matches(&subject))
    }

    /// The rules for one object, to be asked about no other: what is known of it, such as its namespace, may not be in the
    /// tree.
    #[must_use]
    pub fn bound_to(&self, subject: &Subject<'_>) -> Self {
        let free = |rule: &IgnoreRule| IgnoreRule {
            group: None,
            kind: None,
            namespace: None,
            name: None,
            ..rule.clone()
        };
        Self { rules: self.of(subject).map(free).collect(), budget: self.budget.clone() }
    }

    /// Whether a field is left alone by a rule that does not depend on values: one with a path or a pointer.
    pub fn covers(&self, subject: &Subject<'_>, path: &FieldPath) -> bool {
        self.of(subject).any(|rule| {
            rule.paths.iter().any(|ignored| path.starts_with(ignored))
                || rule.json_pointers.iter().any(|pointer| path.starts_with(pointer.to_path()))
        })
    }

    /// The fields of an object to leave alone. `live` is the live object of it, if there is one.
    ///
    /// What is in keyed lists and sets is named by its key. A Secret counts as it is [stored](stored_secret), here and in
    /// [`strip`](Self::strip) and [`adopt`](Self::adopt): a rule for `/data/password` holds for a `password` that is stated
    /// in `stringData`, and what they make is in that form.
    pub fn paths(&self, object: &Value, live: Option<&Value>, schema: &dyn Schema) -> Vec<FieldPath> {
        let stored = stored_secret(object);
        self.left_of(object, stored.as_ref(), live, schema).paths()
    }

    /// An object without the fields to leave alone; none if it states none of them.
    pub fn strip(&self, object: &Value, live: Option<&Value>, schema: &dyn Schema) -> Option<Value> {
        let stored = stored_secret(object);
        self.left_of(object, stored.as_ref(), live, schema).strip()
    }

    /// The same with what [`paths`](Self::paths) tells, for those who are about to write the object.
    ///
    /// # Errors
    ///
    /// If an expression was [stopped](JqRunError::is_stopped): who knows which fields it would have left to others.
    pub fn try_strip(
        &self,
        object: &Value,
        live: Option<&Value>,
        schema: &dyn Schema,
    ) -> Result<Option<(Value, Vec<FieldPath>)>, JqRunError> {
        let stored = stored_secret(object);
        let mut left = self.left_of(object, stored.as_ref(), live, schema);
        left.stopped.take().map_or_else(|| Ok(left.strip().map(|stripped| (stripped, left.paths()))), Err)
    }

    /// An object with the fields to leave alone as they are live, or without them where they are not; none if it states
    /// none of them.
    pub fn adopt(&self, object: &Value, live: &Value, schema: &dyn Schema) -> Option<Value> {
        let stored = stored_secret(object);
        self.left_of(object, stored.as_ref(), Some(live), schema).adopt(live)
    }

    fn left_of<'v>(
        &self,
        object: &'v Value,
        stored: Option<&'v Value>,
        live: Option<&'v Value>,
        schema: &'v dyn Schema,
    ) -> Left<'v> {
        let ty = schema.type_or_deduced(&TypeRef::of(object));
        self.left(stored.unwrap_or(object), stored.map(|_| object), live, ty)
    }

    /// Why rules could not be followed in an object. A jq expression that fails selects nothing there; this says so.
    pub fn check(&self, object: &Value) -> Vec<JqRunError> {
        let subject = Subject::of(object);
        let rules = self.of(&subject);
        let expressions = rules.flat_map(|rule| &rule.jq_path_expressions);
        expressions.filter_map(|jq| jq.select(object, &self.budget, &mut Nodes::default()).err()).collect()
    }
}

#[cfg(test)]
mod tests;
