//! Keeping some of what was compared as the crate's own vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::rules::{RULES, Seen};

/// Cases are kept that are no longer than this.
const LENGTH: usize = 1_300;

/// How many cases are kept of each operation for each rule and each kind of outcome.
const EACH: usize = 5;

/// Cases worth keeping: small ones, some for every rule and every kind of outcome.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    counts: BTreeMap<(String, String), usize>,
    cases: BTreeMap<String, Vec<Value>>,
    seen: BTreeSet<String>,
}

impl Keeper {
    pub(crate) fn look_at(&mut self, seen: &Seen<'_>) {
        let op = seen.case["op"].as_str().unwrap_or_default().to_owned();
        let case = joined(seen);
        let text = case.to_string();
        if text.len() > LENGTH {
            return;
        }
        let class = seen.answer["error"]["class"].as_str().unwrap_or("result").to_owned();
        let rules = RULES.iter().filter(|rule| rule.is_hit(seen)).map(|rule| rule.number.to_string());
        let labels: Vec<_> = rules.chain([class]).map(|label| (op.clone(), label)).collect();
        let is_wanted = labels.iter().any(|label| self.counts.get(label).copied().unwrap_or_default() < EACH);
        if is_wanted && self.seen.insert(text) {
            for label in labels {
                *self.counts.entry(label).or_default() += 1;
            }
            self.cases.entry(op).or_default().push(case);
        }
    }

    /// Writes a file for each operation.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        for (op, cases) in &self.cases {
            let mut file = fs::File::create(directory.join(format!("{op}.json")))?;
            let meta = json!({
                "count": cases.len(),
                "description": "Made by tests/oracle from random objects; what is expected was computed by hack/oracle.",
            });
            write!(file, "{{\"meta\": {meta}, \"cases\": [")?;
            for (at, case) in cases.iter().enumerate() {
                let mut case = case.clone();
                case["name"] = json!(format!("{op}/{at:03}"));
                write!(file, "{}\n{case}", if at == 0 { "" } else { "," })?;
            }
            writeln!(file, "\n]}}")?;
        }
        Ok(())
    }
}

/// A case as vector files have it.
fn joined(seen: &Seen<'_>) -> Value {
    let mut case = crate::runner::Case::joined(seen.case, seen.answer).fields;
    case.remove("op");
    case.remove("field_manager");
    if let Some(error) = case.get_mut("error").and_then(Value::as_object_mut) {
        // It is in Go's words.
        error.remove("message");
    }
    Value::Object(case)
}
