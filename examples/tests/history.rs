//! `history`, `changes` and `blame` on the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::process::{Command, Output};

use common::{Repo, json_lines, program};
use serde_json::json;

fn web(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec: {{replicas: {replicas}}}\n"
    )
}

fn secret(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{password: {password}}}\n"
    )
}

fn gitops(repo: &Repo, args: &[&str]) -> Output {
    let (url, mirror) = (repo.url(), repo.mirror().display().to_string());
    let mut command = Command::new(program("gitops"));
    command.env("KUBECONFIG", "/nonexistent/kubeconfig").env_remove("RUST_LOG").args(args);
    command.args(["--repo", &url, "--mirror", &mirror, "--path", "apps/shop"]).output().unwrap()
}

#[track_caller]
fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Four commits, of which the third is elsewhere.
fn repo() -> (Repo, Vec<String>) {
    let repo = Repo::new();
    let ids = vec![
        repo.commit("first", &[("apps/shop/web.yaml", &web(2)), ("apps/shop/db.yaml", &secret("hunter2"))]),
        repo.commit("scale \u{1b}[31mup\n\nIssue: 7\n", &[("apps/shop/web.yaml", &web(3))]),
        repo.commit("elsewhere", &[("readme", "x\n")]),
        repo.commit(
            "rotate",
            &[("apps/shop/db.yaml", &secret("swordfish")), ("apps/shop/bad.yaml", "kind: [\n")],
        ),
    ];
    (repo, ids)
}

#[test]
fn history_says_who_when_and_why() {
    let (repo, ids) = repo();
    let text = out(&gitops(&repo, &["history"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with(&ids[3][..7]) && lines[0].contains("  Ada  rotate"), "{text}");
    assert!(lines[1].contains("scale \\u{1b}[31mup"), "{text}");

    let lines =
        json_lines(&out(&gitops(&repo, &["history", "--output", "json", "--object", "Deployment/shop/web"])));
    let commits: Vec<&str> = lines.iter().map(|line| line["commit"].as_str().unwrap()).collect();
    assert_eq!(commits, [&ids[1], &ids[0]]);
    assert_eq!(lines[0]["author"]["name"], "Ada");
    assert!(lines[0]["author"]["time"].as_str().unwrap().ends_with('Z'), "{lines:?}");
    assert!(lines[0]["message"].as_str().unwrap().starts_with("scale \u{1b}[31mup\n"), "{lines:?}");
    assert_eq!(lines[0]["trailers"], json!([{"key": "Issue", "value": "7"}]));
    assert_eq!(lines[0]["parents"], json!([ids[0]]));

    assert_eq!(out(&gitops(&repo, &["history", "--since", "2999-01-01T00:00:00Z"])), "");
    assert_eq!(out(&gitops(&repo, &["history", "--since", "24h", "--first-parent"])).lines().count(), 3);
}

#[test]
fn changes_are_told_object_by_object() {
    let (repo, ids) = repo();
    let range = format!("{}..", &ids[0][..8]);
    let text = out(&gitops(&repo, &["changes", &range]));
    assert!(text.contains("~ Deployment/shop/web  apps/shop/web.yaml"), "{text}");
    assert!(text.contains("    .spec.replicas  2 → 3"), "{text}");
    assert!(text.contains("~ Secret/shop/db"), "{text}");
    assert!(text.contains("? apps/shop/bad.yaml cannot be read (to): apps/shop/bad.yaml:1"), "{text}");
    let lines = json_lines(&out(&gitops(&repo, &["changes", &range, "--output", "json"])));
    let web = lines.iter().find(|line| line["object"]["name"] == "web").unwrap();
    assert_eq!(
        (&web["change"], &web["from"], &web["to"]),
        (&json!("changed"), &json!(ids[0]), &json!(ids[3]))
    );
    assert_eq!(web["differences"][0]["path"], ".spec.replicas");
    let bad = lines.iter().find(|line| line.get("unreadable").is_some()).unwrap();
    assert_eq!((&bad["unreadable"], &bad["side"]), (&json!("apps/shop/bad.yaml"), &json!("to")));
    for told in [text, format!("{lines:?}")] {
        assert!(!told.contains("hunter2") && !told.contains("swordfish"), "{told}");
    }
    let unknown = gitops(&repo, &["changes", "nothing..main"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn blame_names_the_commit() {
    let (repo, ids) = repo();
    let text = out(&gitops(&repo, &["blame", "Deployment/shop/web", ".spec.replicas"]));
    assert!(text.starts_with("Deployment/shop/web .spec.replicas  3  (apps/shop/web.yaml"), "{text}");
    assert!(text.contains(&ids[1][..7]), "{text}");
    let args = ["blame", "Secret/shop/db", ".stringData.password", "--output", "json"];
    let line = json_lines(&out(&gitops(&repo, &args))).remove(0);
    assert_eq!((&line["commit"], &line["field"]), (&json!(ids[3]), &json!(".stringData.password")));
    assert!(!line.to_string().contains("swordfish"), "{line}");
    let never = gitops(&repo, &["blame", "Deployment/shop/web", ".spec.paused"]);
    assert_eq!(never.status.code(), Some(1), "{never:?}");
    let unknown = gitops(&repo, &["blame", "Deployment/shop/api", ".spec.replicas"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no Deployment api"), "{unknown:?}");
}
