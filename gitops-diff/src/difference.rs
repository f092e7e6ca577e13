//! One field that differs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::FieldPath;
use crate::redact::is_mask;
use crate::text::{json_text, short_text};

/// A field in which two trees differ.
///
/// Made from redacted trees: no value of a Secret is in it. Its `Display` is one line without control characters:
/// `.spec.replicas  Git 3, live 2, by "kubectl-scale"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// Where.
    pub path: FieldPath,
    /// What kind of difference it is.
    pub kind: DifferenceKind,
    /// The value on the desired side.
    pub desired: Shown,
    /// The value on the live side.
    pub live: Shown,
    /// Who wrote the live value, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
}

impl Difference {
    /// A difference that was found by other means than this crate's.
    pub fn new(path: FieldPath, kind: DifferenceKind, desired: Shown, live: Shown) -> Self {
        Self { path, kind, desired, live, writer: None }
    }

    /// Names who wrote the live value.
    #[must_use]
    pub fn with_writer(mut self, writer: impl Into<String>) -> Self {
        self.writer = Some(writer.into());
        self
    }
}

/// What happens to a field on the way from live to desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Only the desired side has it.
    Added,
    /// Only the live side has it.
    Removed,
    /// Both have it, with different values.
    Changed,
    /// Both have the list item, in another order; the values shown are its positions, counted from zero.
    Moved,
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        })
    }
}

/// A value that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// There is none.
    Absent,
    /// The value; what must not be shown inside it is masked.
    Value(Value),
    /// There is one that must not be shown.
    Redacted,
}

impl Shown {
    /// Of a value of a redacted tree.
    pub(crate) fn of(value: Option<&Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(value) if is_mask(value) => Self::Redacted,
            Some(value) => Self::Value(value.clone()),
        }
    }
}

/// Longest value that is shown in full, in characters.
const LONGEST: usize = 120;

/// Compact JSON; long values are cut in the middle.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Value(value) => f.write_str(&short_text(value, LONGEST)),
            Self::Redacted => f.write_str("<redacted>"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.kind == DifferenceKind::Moved { "position " } else { "" };
        write!(f, "{}  Git {place}{}, live {place}{}", self.path, self.desired, self.live)?;
        if self.desired == Shown::Redacted && self.live == Shown::Redacted {
            f.write_str(" (another value)")?;
        }
        if let Some(writer) = &self.writer {
            write!(f, ", by {}", json_text(&Value::from(writer.as_str())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_line_each() {
        let path: FieldPath = ".spec.replicas".parse().unwrap();
        let value = |v| Shown::Value(v);
        let changed =
            Difference::new(path.clone(), DifferenceKind::Changed, value(json!(3)), value(json!(2)))
                .with_writer("kubectl-scale");
        assert_eq!(changed.to_string(), r#".spec.replicas  Git 3, live 2, by "kubectl-scale""#);
        let added =
            Difference::new(path.clone(), DifferenceKind::Added, value(json!("a\n\u{202e}")), Shown::Absent)
                .with_writer("x\u{1b}[2J");
        assert_eq!(added.to_string(), r#".spec.replicas  Git "a\n\u202e", live absent, by "x\u001b[2J""#);
        let secret = Difference::new(path.clone(), DifferenceKind::Changed, Shown::Redacted, Shown::Redacted);
        assert_eq!(secret.to_string(), ".spec.replicas  Git <redacted>, live <redacted> (another value)");
        let moved = Difference::new(path, DifferenceKind::Moved, value(json!(1)), value(json!(0)));
        assert_eq!(moved.to_string(), ".spec.replicas  Git position 1, live position 0");
    }

    #[test]
    fn json_form() {
        let difference = Difference::new(
            ".a".parse().unwrap(),
            DifferenceKind::Changed,
            Shown::Value(json!(1)),
            Shown::Redacted,
        );
        let text = json!({"path": ".a", "kind": "changed", "desired": {"value": 1}, "live": "redacted"});
        assert_eq!(serde_json::to_value(&difference).unwrap(), text);
        assert_eq!(serde_json::from_value::<Difference>(text).unwrap(), difference);
    }
}
