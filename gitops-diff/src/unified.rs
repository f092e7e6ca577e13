//! Trees as YAML, and two of them as a unified difference.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::text::{Brush, Style, is_unsafe};
use crate::{FieldPath, Redacted, Redaction};

/// How to write a unified difference.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnifiedOptions {
    /// What the first tree is called in the heading; `live` by default.
    pub from_name: String,
    /// What the second tree is called in the heading; `Git` by default.
    pub to_name: String,
    /// How many equal lines stand around each change; 3 by default.
    pub context: usize,
    /// What not to show; the values of Secrets by default.
    pub redact: Redaction,
    /// Whether ANSI colour sequences are written; they are not by default.
    pub colour: bool,
    /// Whether `status` and `metadata.managedFields` are left out; they are by default.
    pub hide_server_fields: bool,
}

impl Default for UnifiedOptions {
    fn default() -> Self {
        Self {
            from_name: "live".to_owned(),
            to_name: "Git".to_owned(),
            context: 3,
            redact: Redaction::default(),
            colour: false,
            hide_server_fields: true,
        }
    }
}

impl UnifiedOptions {
    /// Names the two sides.
    #[must_use]
    pub fn with_names(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        (self.from_name, self.to_name) = (from.into(), to.into());
        self
    }

    /// Writes another number of equal lines around each change.
    #[must_use]
    pub fn with_context(mut self, lines: usize) -> Self {
        self.context = lines;
        self
    }

    /// Redacts otherwise.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redaction) -> Self {
        self.redact = redact;
        self
    }

    /// Writes ANSI colour sequences.
    #[must_use]
    pub fn with_colour(mut self, colour: bool) -> Self {
        self.colour = colour;
        self
    }

    /// Leaves `status` and `metadata.managedFields` out, or shows them.
    #[must_use]
    pub fn with_server_fields_hidden(mut self, hide: bool) -> Self {
        self.hide_server_fields = hide;
        self
    }
}

/// The unified difference of two trees as YAML: what changes on the way `from` one (live) `to` the other (Git). Empty where
/// the YAML is the same.
///
/// The keys are in one order on both sides: `apiVersion`, `kind`, `metadata` first, `name` before the rest, `status` last.
/// A null tree stands for an object that is not there. Characters that could steer a terminal are written as `\uXXXX`.
///
/// ```
/// use gitops_diff::{UnifiedOptions, unified};
/// use serde_json::json;
///
/// let live = json!({"kind": "Deployment", "spec": {"replicas": 2}});
/// let git = json!({"kind": "Deployment", "spec": {"replicas": 3}});
/// assert_eq!(unified(&live, &git, &UnifiedOptions::default()), "\
/// --- live
/// +++ Git
/// @@ -1,3 +1,3 @@
///  kind: Deployment
///  spec:
/// -  replicas: 2
/// +  replicas: 3
/// ");
/// ```
pub fn unified(from: &Value, to: &Value, options: &UnifiedOptions) -> String {
    let (mut from, mut to) = options.redact.redact_pair(from, to);
    if options.hide_server_fields {
        let fields = [FieldPath::of_fields(["status"]), FieldPath::of_fields(["metadata", "managedFields"])];
        (from, to) = (from.without(&fields), to.without(&fields));
    }
    let text = |tree: &Redacted| if tree.as_value().is_null() { String::new() } else { yaml(tree) };
    let (from, to) = (text(&from), text(&to));
    let diff = TextDiff::from_lines(&from, &to);
    let brush = Brush { colour: options.colour };
    let paint = |style: Style, line: &str| format!("{}\n", brush.paint(style, line));
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(options.context).iter_hunks() {
        if out.is_empty() {
            out.push_str(&paint(Style::Heading, &format!("--- {}", safe(&options.from_name))));
            out.push_str(&paint(Style::Heading, &format!("+++ {}", safe(&options.to_name))));
        }
        out.push_str(&paint(Style::Place, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = safe(change.value().trim_end_matches('\n'));
            match change.tag() {
                ChangeTag::Delete => out.push_str(&paint(Style::Live, &format!("-{line}"))),
                ChangeTag::Insert => out.push_str(&paint(Style::Git, &format!("+{line}"))),
                ChangeTag::Equal => {
                    out.push(' ');
                    out.push_str(&line);
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// A tree as YAML, with the keys in the order that people write them in.
///
/// A tree that the YAML writer refuses is written as JSON, which is YAML too.
///
/// ```
/// use gitops_diff::{Redaction, yaml};
/// use serde_json::json;
///
/// let secret = json!({"data": {"password": "aHVudGVyMg=="}, "kind": "Secret"});
/// assert_eq!(yaml(&Redaction::default().redact(&secret)), "kind: Secret\ndata:\n  password: <redacted>\n");
/// ```
pub fn yaml(tree: &Redacted) -> String {
    let tree = tree.as_value();
    let written = serde_saphyr::to_string(&Ordered { value: tree, root: true });
    let mut text = written.unwrap_or_else(|_| format!("{tree:#}"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn safe(line: &str) -> String {
    if !line.contains(is_unsafe) {
        return line.to_owned();
    }
    let escape = |c: char| {
        if is_unsafe(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
    };
    line.chars().map(escape).collect()
}

/// A tree that serialises in the order for people.
struct Ordered<'a> {
    value: &'a Value,
    root: bool,
}

impl Ordered<'_> {
    fn rank(&self, key: &str) -> usize {
        match key {
            "apiVersion" => 0,
            "kind" => 1,
            "metadata" => 2,
            "name" => 3,
            "namespace" => 4,
            "status" if self.root => 6,
            _ => 5,
        }
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Object(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|a, b| self.rank(a.0).cmp(&self.rank(b.0)).then_with(|| a.0.cmp(b.0)));
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(key, &Ordered { value, root: false })?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Ordered { value, root: false })?;
                }
                list.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{any_value, deployment, small_value};

    #[test]
    fn keys_are_in_the_order_for_people() {
        let object = json!({
            "status": {"a": 1}, "spec": {"status": 1, "a": [{"image": "i", "name": "web"}]}, "kind": "K",
            "metadata": {"labels": {}, "namespace": "ns", "name": "x"}, "apiVersion": "v1", "data": {"k": "l1\nl2\n"},
        });
        assert_eq!(
            yaml(&Redaction::reveal_everything().redact(&object)),
            "\
apiVersion: v1
kind: K
metadata:
  name: x
  namespace: ns
  labels: {}
data:
  k: |
    l1
    l2
spec:
  a:
  - name: web
    image: i
  status: 1
status:
  a: 1
"
        );
    }

    #[test]
    fn a_changed_line_with_its_context() {
        let object = |image: &str| {
            json!({
                "kind": "Pod", "metadata": {"name": "p", "managedFields": [image]}, "status": image,
                "spec": {"containers": [{"name": "a", "image": image}], "x1": 1, "x2": 2, "x3": 3, "x4": 4},
            })
        };
        let options = UnifiedOptions::default().with_names("cluster", "apps/p.yaml").with_context(1);
        assert_eq!(
            unified(&object("i:1"), &object("i:2"), &options),
            "\
--- cluster
+++ apps/p.yaml
@@ -6,3 +6,3 @@
   - name: a
-    image: i:1
+    image: i:2
   x1: 1
"
        );
        assert_eq!(unified(&object("i:1"), &object("i:1"), &options), "");
        let colour = unified(&object("i:1"), &object("i:2"), &options.with_colour(true));
        assert!(colour.contains("\u{1b}[31m-    image: i:1\u{1b}[0m\n"), "{colour}");
    }

    #[test]
    fn objects_come_and_go() {
        let text = unified(&Value::Null, &json!({"a": 1}), &UnifiedOptions::default());
        assert_eq!(text, "--- live\n+++ Git\n@@ -0,0 +1 @@\n+a: 1\n");
    }

    #[test]
    fn secrets_show_that_they_changed() {
        let secret = |v: &str| json!({"kind": "Secret", "data": {"p": v, "same": "c2FtZQ=="}});
        let text = unified(&secret("aHVudGVyMg=="), &secret("b3RoZXI="), &UnifiedOptions::default());
        assert!(text.contains("-  p: <redacted>\n+  p: <redacted 3>\n   same: <redacted 2>\n"), "{text}");
        let open = UnifiedOptions::default().with_redaction(Redaction::reveal_everything());
        assert!(unified(&secret("aHVudGVyMg=="), &secret("x"), &open).contains("aHVudGVyMg=="));
    }

    #[test]
    fn terminals_are_safe() {
        let options = UnifiedOptions::default().with_names("a\nb\u{1b}[0m", "c");
        let text = unified(&json!({"a": "\u{202e}x\u{1b}[2J\u{9b}1m"}), &json!({"a": "y"}), &options);
        assert!(!text.replace('\n', "").contains(is_unsafe), "{text:?}");
        assert_eq!(text.lines().count(), 5, "{text:?}");
    }

    proptest! {
        #[test]
        fn yaml_says_what_the_tree_says(tree in prop_oneof![any_value(), small_value(), deployment()]) {
            let text = yaml(&Redaction::reveal_everything().redact(&tree));
            let back: Value = serde_saphyr::from_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert!(crate::canonical::same(&back, &tree), "{text}");
        }

        #[test]
        fn equal_trees_have_no_lines(a in small_value(), b in small_value()) {
            let options = UnifiedOptions::default().with_server_fields_hidden(false);
            prop_assert_eq!(unified(&a, &a, &options), "");
            if a != b && !a.is_null() && !b.is_null() {
                prop_assert_ne!(unified(&a, &b, &options), "");
            }
        }
    }
}
