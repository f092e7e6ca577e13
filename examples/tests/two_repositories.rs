//! The example `two_repositories`, as people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::process::Command;

use common::{json_lines, program};

#[test]
fn a_commit_becomes_a_deployment_and_a_revert_undoes_it() {
    let output = Command::new(program("two_repositories")).args(["--output", "json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let of = |who: &str| lines.iter().filter(|line| line["who"] == who).cloned().collect::<Vec<_>>();
    let versions: Vec<_> = of("reconciler").iter().map(|line| line["version"].clone()).collect();
    assert_eq!(versions, [serde_json::Value::Null, "1.0.0".into(), "1.1.0".into(), "1.0.0".into()]);
    // What CI says of the source is what the developer committed.
    let sources: Vec<_> = of("ci").iter().filter_map(|line| line.get("source").cloned()).collect();
    let commits: Vec<_> = of("developer").iter().map(|line| line["commit"].clone()).collect();
    assert_eq!(sources, commits);

    let text = Command::new(program("two_repositories")).output().unwrap();
    assert!(text.status.success() && String::from_utf8(text.stdout).unwrap().contains("1.0.0 runs again"));
}
