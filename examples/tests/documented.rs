//! The events are as `docs/events.md` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use common::{json_lines, program};
use gitops_core::{Event, EventKind};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/events.md");

/// What is documented of a type.
#[derive(Default)]
struct Section {
    fields: BTreeSet<String>,
    examples: Vec<String>,
}

/// The first column of a table's row, if it is code.
fn row(line: &str) -> Option<String> {
    Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())
}

/// The fields of every event, and the types with theirs.
fn documented() -> (BTreeSet<String>, BTreeMap<String, Section>) {
    let (mut common, mut types) = (BTreeSet::new(), BTreeMap::<String, Section>::new());
    let mut heading = "";
    for line in PAGE.lines() {
        if line.starts_with('#') {
            heading = line;
        }
        let of = heading.strip_prefix("### `").and_then(|heading| heading.strip_suffix('`'));
        if heading == "## Fields of every event" {
            common.extend(row(line));
        } else if let Some(name) = of {
            let section = types.entry(name.to_owned()).or_default();
            section.fields.extend(row(line));
            section.examples.extend(line.starts_with('{').then(|| line.to_owned()));
        }
    }
    (common, types)
}

/// Every field of an event is documented for its type.
#[track_caller]
fn check(event: &Value, common: &BTreeSet<String>, types: &BTreeMap<String, Section>) {
    let name = event["type"].as_str().unwrap();
    let section = types.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
    for field in event.as_object().unwrap().keys() {
        assert!(
            common.contains(field) || section.fields.contains(field),
            "{name}: {field} is not documented"
        );
    }
}

#[test]
fn every_type_is_documented_and_no_other() {
    // There is no list of all types but the one that serde tells.
    let error = serde_json::from_str::<EventKind>(r#"{"type": "?"}"#).unwrap_err().to_string();
    let expected = error.split_once("expected one of ").expect(&error).1;
    let names: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 15, "{error}");
    let (_, types) = documented();
    assert_eq!(types.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
}

#[test]
fn the_examples_are_events() {
    let (common, types) = documented();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, section) in &types {
        assert!(!section.examples.is_empty(), "{name} has no example");
        for text in &section.examples {
            let example: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(example["type"], name.as_str());
            let event: Event = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let again: Value = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
            assert_eq!(again, example, "it is written as it is read");
            check(&example, &common, &types);
            seen.entry(name).or_default().extend(example.as_object().unwrap().keys().cloned());
        }
    }
    // What is documented exists: each field is in an example, but for those that are rare.
    let rare = [("object", "differences"), ("object", "notes")];
    for (name, section) in &types {
        for field in &section.fields {
            let is_rare = rare.contains(&(name.as_str(), field.as_str()));
            assert!(is_rare || seen[name.as_str()].contains(field), "{name}: {field} is in no example");
        }
    }
}

#[test]
fn what_the_quickstart_tells_is_documented() {
    let output = Command::new(program("quickstart")).args(["--output", "json"]).output().unwrap();
    assert!(output.status.success());
    let events = json_lines(&String::from_utf8(output.stdout).unwrap());
    let (common, types) = documented();
    let told: BTreeSet<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert!(told.len() >= 8, "{told:?}");
    for event in &events {
        check(event, &common, &types);
        for field in &common {
            assert!(event.get(field).is_some(), "{field} is missing: {event}");
        }
    }
}
