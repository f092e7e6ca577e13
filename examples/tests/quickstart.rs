//! The quickstart tells its whole story; with a promise of the engine switched off, it fails at the step that shows it.

#![allow(clippy::expect_used, reason = "this is a test")]

mod common;

use std::process::{Command, Output};

use common::{json_lines, program};

fn quickstart(args: &[&str]) -> Output {
    Command::new(program("quickstart")).args(args).output().expect("the quickstart can be run")
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    json_lines(&String::from_utf8(output.stdout.clone()).expect("the output is UTF-8"))
}

#[test]
fn the_whole_story_is_observed() {
    let output = quickstart(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("10 of 10 observed"), "{text}");
    for step in 1..=10 {
        assert!(text.lines().any(|line| line.starts_with(&format!("{step:>2} "))), "step {step}: {text}");
    }
    assert!(!text.contains("correct horse"), "a Secret's value is shown");
}

#[test]
fn json_is_the_engines_events() {
    let output = quickstart(&["--output", "json"]);
    assert!(output.status.success());
    let events = lines(&output);
    let of_type = |name: &str| events.iter().filter(|event| event["type"] == name).count();
    assert!(of_type("sync_finished") >= 6 && of_type("drift") == 2 && of_type("approval_needed") == 1);
    assert!(events.iter().all(|event| event["app"] == "shop" && event["seq"].is_u64()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        !text.contains("correct horse") && !text.contains("Y29ycmVjdCBob3Jz"),
        "a Secret's value is shown"
    );
}

#[test]
fn without_a_promise_the_story_fails_where_it_is_shown() {
    for (promise, step) in [("healing", 3), ("errors", 7), ("pruning", 9), ("guard", 10)] {
        let output = quickstart(&["--output", "json", "--patience", "2", "--without", promise]);
        assert_eq!(output.status.code(), Some(1), "without {promise}");
        let last = lines(&output).pop().expect("the last line says what was not observed");
        assert_eq!(
            (&last["type"], &last["step"]),
            (&"not_observed".into(), &step.into()),
            "without {promise}: {last}"
        );
    }
}
