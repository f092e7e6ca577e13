//! One field that differs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{Brush, Style, json_text, short_text};
use crate::{FieldPath, Redacted};

/// A field in which two trees differ.
///
/// Made from redacted trees: no value of a Secret is in it. Its `Display` is one line without control characters:
/// `.spec.replicas  Git 3, live 2, by "kubectl-scale"`. [`Difference::display`] writes it in colour.
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
    /// Why it differs, where that is known.
    #[serde(default, skip_serializing_if = "Cause::is_unknown")]
    pub cause: Cause,
}

/// Why a field differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Nothing tells: the live object names no owner of the field, or two trees of no cluster are compared.
    #[default]
    Unknown,
    /// It is stated, and not live.
    Missing,
    /// Another field manager wrote the live value.
    Written,
    /// The live value is owned by our own last apply: since then the desired one changed, or the server overruled it.
    Applied,
    /// It is no longer stated, and still owned by our last apply.
    GivenUp,
    /// The value is right, but the field is not ours any more.
    Taken,
    /// What is desired was applied as it is, and the server stores it otherwise: admission, or a conversion.
    Overruled,
}

impl Cause {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl Difference {
    /// A difference that was found by other means than this crate's.
    pub fn new(path: FieldPath, kind: DifferenceKind, desired: Shown, live: Shown) -> Self {
        Self { path, kind, desired, live, writer: None, cause: Cause::Unknown }
    }

    /// The loss of the entry in managedFields.
    pub(crate) fn of_entries(path: FieldPath) -> Self {
        Self::new(path, DifferenceKind::Changed, Shown::Redacted, Shown::Absent)
    }

    /// The one line, in colour if that is asked for.
    ///
    /// ```
    /// use gitops_diff::{DiffOptions, diff, schema::Deduced};
    /// use serde_json::json;
    ///
    /// let all = diff(&json!({"size": 1}), &json!({"size": 2}), &Deduced, &DiffOptions::default());
    /// assert_eq!(all[0].display().to_string(), ".size  Git 2, live 1");
    /// assert_eq!(
    ///     all[0].display().with_colour(true).to_string(),
    ///     "\x1b[1m.size\x1b[0m  Git \x1b[32m2\x1b[0m, live \x1b[31m1\x1b[0m"
    /// );
    /// ```
    pub fn display(&self) -> DifferenceDisplay<'_> {
        DifferenceDisplay { difference: self, brush: Brush { colour: false } }
    }

    /// Names who wrote the live value.
    #[must_use]
    pub fn with_writer(mut self, writer: impl Into<String>) -> Self {
        self.writer = Some(writer.into());
        self
    }

    /// Says why it differs.
    #[must_use]
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
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
    Value(Redacted),
    /// There is one that must not be shown.
    Redacted,
}

impl Shown {
    pub(crate) fn position(at: usize) -> Self {
        Self::Value(Redacted::position(at))
    }

    /// The value, as far as it may be shown.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value.as_value()),
            Self::Absent | Self::Redacted => None,
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
            Self::Value(value) => f.write_str(&short_text(value.as_value(), LONGEST)),
            Self::Redacted => f.write_str("<redacted>"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display().fmt(f)
    }
}

/// A [`Difference`] as one line.
#[derive(Clone, Copy, Debug)]
pub struct DifferenceDisplay<'a> {
    difference: &'a Difference,
    brush: Brush,
}

impl DifferenceDisplay<'_> {
    /// Writes ANSI colour sequences, as in a unified difference: what Git states is green, what is live is red.
    #[must_use]
    pub fn with_colour(mut self, colour: bool) -> Self {
        self.brush.colour = colour;
        self
    }
}

impl fmt::Display for DifferenceDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { difference: Difference { path, kind, desired, live, writer, cause }, brush } = self;
        let place = if *kind == DifferenceKind::Moved { "position " } else { "" };
        let path = brush.paint(Style::Heading, path);
        let (git, now) = (brush.paint(Style::Git, desired), brush.paint(Style::Live, live));
        write!(f, "{path}  Git {place}{git}, live {place}{now}")?;
        match (desired, live, cause) {
            (Shown::Redacted, Shown::Redacted, Cause::Taken) => f.write_str(" (the same value)")?,
            (Shown::Redacted, Shown::Redacted, _) => f.write_str(" (another value)")?,
            _ => {}
        }
        if let Some(writer) = writer {
            write!(f, ", by {}", json_text(&Value::from(writer.as_str())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Redaction;

    #[test]
    fn one_line_each() {
        let path: FieldPath = ".spec.replicas".parse().unwrap();
        let value = |v: Value| Shown::Value(Redaction::reveal_everything().redact(&v));
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
    fn colours_are_ours_alone() {
        let evil = Shown::Value(Redaction::reveal_everything().redact(&json!("\u{1b}[2J")));
        let path = ".a".parse().unwrap();
        let difference =
            Difference::new(path, DifferenceKind::Added, evil, Shown::Absent).with_writer("\u{1b}[31m");
        let line = difference.display().with_colour(true).to_string();
        let expected =
            "\u{1b}[1m.a\u{1b}[0m  Git \u{1b}[32m\"\\u001b[2J\"\u{1b}[0m, live \u{1b}[31mabsent\u{1b}[0m";
        assert_eq!(line, format!("{expected}, by \"\\u001b[31m\""));
        let plain = line.replace("\u{1b}[0m", "").replace("\u{1b}[1m", "").replace("\u{1b}[31m", "");
        assert_eq!(plain.replace("\u{1b}[32m", ""), difference.to_string());
        assert_eq!(difference.display().with_colour(false).to_string(), difference.to_string());
    }

    #[test]
    fn json_form() {
        let difference = Difference::new(
            ".a".parse().unwrap(),
            DifferenceKind::Changed,
            Shown::Value(Redaction::reveal_everything().redact(&json!(1))),
            Shown::Redacted,
        );
        let text = json!({"path": ".a", "kind": "changed", "desired": {"value": 1}, "live": "redacted"});
        assert_eq!(serde_json::to_value(&difference).unwrap(), text);
        assert_eq!(serde_json::from_value::<Difference>(text).unwrap(), difference);
    }
}
