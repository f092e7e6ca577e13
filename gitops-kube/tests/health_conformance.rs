//! The health rules against cases with results of other systems. The cases are not part of this project; the directory
//! that holds them is named by `GITOPS_REFERENCE`, and these tests fail without it.
//!
//! Every case must agree, except for those listed here with their reason: there the stricter reading holds (see the
//! documentation of `gitops_kube::health`). A listed case that agrees is a failure too, so that the lists stay true.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gitops_core::{Health, HealthRule, Timestamp, assess};
use gitops_kube::health::{BuiltInHealth, rules};
use serde_json::Value;

/// File, what it is here, and why.
const NOT_AS_ARGO: [(&str, Health, &str); 3] = [
    ("svc-loadbalancer-nonemptylist.yaml", Health::Progressing, "an empty entry is no address"),
    ("ingress-nonemptylist.yaml", Health::Progressing, "an empty entry is no address"),
    (
        "pod-running-restart-onfailure.yaml",
        Health::Degraded,
        "a crash loop is one under every restart policy",
    ),
];

/// Name, what it is here, and why.
const NOT_AS_KSTATUS: [(&str, Health, &str); 5] = [
    ("podCompletedFailed", Health::Degraded, "it ended, but not well"),
    ("rsReplicaFailure", Health::Degraded, "its Pods are refused"),
    ("jobInProgress", Health::Progressing, "it has still to end"),
    ("serviceLBok", Health::Progressing, "it has no address outside"),
    ("SuspendedJobConditions", Health::Suspended, "there is a word for it"),
];

fn directory() -> PathBuf {
    let root = std::env::var_os("GITOPS_REFERENCE")
        .expect("GITOPS_REFERENCE names the directory of the reference cases");
    PathBuf::from(root).join("health")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(name: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(&read(&directory().join(name))).unwrap();
    assert!(!cases.is_empty(), "{name} holds no cases");
    cases
}

fn yaml(text: &str) -> Value {
    // Some cases state a field twice.
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Compares each case with its expectation, and the list of differences with the differences.
fn compare(seen: &[(String, Option<Health>, Option<Health>)], listed: &[(&str, Health, &str)]) {
    let mut listed: BTreeMap<&str, Health> =
        listed.iter().map(|(name, health, _)| (*name, *health)).collect();
    let mut wrong = Vec::new();
    for (name, expected, is) in seen {
        let want = match listed.remove(name.as_str()) {
            Some(other) if Some(other) == *expected => {
                wrong.push(format!("{name} is listed as a difference, and is none"));
                continue;
            }
            Some(other) => Some(other),
            None => *expected,
        };
        if want != *is {
            wrong.push(format!("{name}: expected {want:?}, is {is:?}"));
        }
    }
    wrong.extend(listed.keys().map(|name| format!("{name} is listed and is no case")));
    assert!(wrong.is_empty(), "of {} cases:\n{}", seen.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs the reference cases: set GITOPS_REFERENCE"]
fn agrees_with_argo_except_where_it_says_why() {
    let seen = cases("argo_health_cases.json").into_iter().map(|case| {
        let file = case["file"].as_str().expect("a file").to_owned();
        let expected = match &case["expected_status"] {
            Value::Null => None,
            word => Some(serde_json::from_value(word.clone()).unwrap()),
        };
        let object = yaml(&read(&directory().join("testdata").join(&file)));
        let is = BuiltInHealth.assess(&object, Timestamp::now()).map(|it| it.health);
        (file, expected, is)
    });
    compare(&seen.collect::<Vec<_>>(), &NOT_AS_ARGO);
}

#[test]
#[ignore = "needs the reference cases: set GITOPS_REFERENCE"]
fn agrees_with_kstatus_except_where_it_says_why() {
    let now = Timestamp::now();
    let seen = cases("kstatus_cases.json").into_iter().map(|case| {
        let name = case["name"].as_str().expect("a name").to_owned();
        let expected = match case["expected_status"].as_str() {
            Some("Current") => Health::Healthy,
            Some("InProgress" | "Terminating") => Health::Progressing,
            Some("Failed") => Health::Degraded,
            other => panic!("{name}: unknown status {other:?}"),
        };
        let text = case["yaml"].as_str().expect("a manifest").replace("__NOW__", &now.to_string());
        (name, Some(expected), Some(assess(&rules(), &yaml(&text), now).health))
    });
    compare(&seen.collect::<Vec<_>>(), &NOT_AS_KSTATUS);
}
