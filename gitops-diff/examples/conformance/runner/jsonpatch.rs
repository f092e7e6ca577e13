//! RFC 6902.

use gitops_diff::patch::{self, JsonPatch};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Outcome;
use super::compare::expect;
use super::vectors::Case;

pub(crate) fn run(case: &Case) -> Outcome {
    match (check(case), case.fields["test"]["disabled"].as_bool()) {
        (Err(_), Some(true)) => Outcome::Skipped,
        (result, _) => result.into(),
    }
}

fn check(case: &Case) -> Result<(), String> {
    // The patch as it is written: some name a member twice.
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        test: Record<'a>,
    }
    #[derive(Deserialize)]
    struct Record<'a> {
        #[serde(borrow)]
        patch: &'a RawValue,
    }
    let written: Written<'_> = serde_json::from_str(case.raw.get()).map_err(|error| error.to_string())?;
    let test = &case.fields["test"];

    let mut document = test["doc"].clone();
    let result = serde_json::from_str::<JsonPatch>(written.test.patch.get())
        .map_err(|error| error.to_string())
        .and_then(|patch| patch::apply(&patch, &mut document).map_err(|error| error.to_string()));
    match (result, test.get("error").and_then(Value::as_str)) {
        (Ok(()), None) => match test.get("expected") {
            Some(expected) => expect("the document", Some(expected), Some(&document)),
            None => Ok(()),
        },
        (Ok(()), Some(error)) => Err(format!("no error, expected: {error}")),
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(error),
    }
}
