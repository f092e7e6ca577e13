//! Security, where it shows in the programs; and that `docs/security.md` names tests that exist.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/security.md");

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

mod line_20_escaping {
    use std::process::{Command, Output};

    use super::common::{Repo, json_lines, program};

    const EVIL: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\u{7f}\u{9b}31m\u{85}\u{202e}\u{2066}\u{feff}y";

    fn is_harmful(c: char) -> bool {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    fn gitops(what: &str, repo: &Repo, more: &[&str]) -> Output {
        let (url, mirror) = (repo.url(), repo.mirror().display().to_string());
        Command::new(program("gitops"))
            .args([what, "--target", "memory", "--name", "shop", "--repo", &url, "--mirror", &mirror])
            .args(more)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn harmless(what: &str, output: &Output) -> String {
        let text =
            [&output.stdout[..], &output.stderr[..]].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        for part in &text {
            assert!(!part.contains(is_harmful), "{what}: {part:?}");
        }
        text.concat()
    }

    /// Messages of commits, names and values of fields, names of files, errors with parts of them, in every form.
    #[test]
    fn nothing_that_is_printed_steers_a_terminal() {
        let spelled: Vec<_> = EVIL.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let value = spelled.concat();
        let map = |name: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"{name}\", namespace: shop, labels: {{\"{value}\": \"{value}\"}}}}\ndata: {{\"{value}\": \"{value}\", lines: \"a\\n{value}\\n\"}}\n"
            )
        };
        let repo = Repo::with(&[
            ("namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"),
            ("map.yaml", &map("map")),
            ("other.yaml", &map(&value)),
        ]);
        repo.commit(&format!("{EVIL}\n\n{EVIL}"), &[("more.yaml", &map("more"))]);
        for (what, more) in [
            ("plan", &["--output", "json"][..]),
            ("plan", &[]),
            ("diff", &[]),
            ("sync", &[]),
            ("sync", &["--output", "json"]),
            ("sync", &["--wait"]),
        ] {
            let output = gitops(what, &repo, more);
            let text = harmless(&format!("{what} {more:?}"), &output);
            assert!(text.contains("map"), "{what} {more:?}: {text}");
            if more.contains(&"json") {
                assert!(!json_lines(&String::from_utf8(output.stdout).unwrap()).is_empty());
            }
        }
        // Files that cannot be used, by their names and by what they hold.
        let name = format!("{}.yaml", EVIL.replace('/', ""));
        repo.commit("broken", &[(&name, "kind: [\n"), ("b.yaml", &format!("? {EVIL}\n: *{EVIL}\n"))]);
        for more in [&[][..], &["--output", "json"]] {
            let text = harmless("an error", &gitops("sync", &repo, more));
            assert!(text.contains("document"), "{text}");
        }
        for wrong in [["--path", EVIL], ["--ref", EVIL]] {
            harmless("an argument", &gitops("plan", &repo, &wrong));
        }
    }
}

mod line_22_supply_chain {
    use super::*;

    /// What the rules say that CI has `cargo deny` check.
    #[test]
    fn sources_licences_and_advisories_are_checked() {
        let rules = std::fs::read_to_string(workspace().join("deny.toml")).unwrap();
        for rule in [
            "[advisories]",
            "yanked = \"deny\"",
            "[licenses]",
            "unknown-registry = \"deny\"",
            "unknown-git = \"deny\"",
        ] {
            assert!(rules.contains(rule), "{rule}");
        }
        assert!(!rules.contains("GPL") && !rules.contains("allow-git"), "{rules}");
        let ci = std::fs::read_to_string(workspace().join(".ci/run")).unwrap();
        assert!(ci.contains("cargo deny") && ci.contains("licenses bans sources"), "CI checks them");
        // Only the registry, and this workspace.
        let lock = std::fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
        let sources: BTreeSet<_> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
        assert_eq!(sources.len(), 1, "{sources:?}");
        assert!(sources.first().unwrap().starts_with("\"registry+"), "{sources:?}");
    }

    /// The programs that tests compare with are no part of a crate that is published, nor depended on by one.
    #[test]
    fn no_published_crate_brings_an_oracle() {
        for name in ["gitops-core", "gitops-diff", "gitops-git", "gitops-kube"] {
            let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap();
            let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
            for other in ["oracle", "gitops-benches", "gitops-examples", "kube-runtime", "go-"] {
                assert!(!dependencies.contains(other), "{name}: {other}");
            }
            assert!(!workspace().join(name).join("go.mod").exists(), "{name}");
        }
        for name in ["benches", "examples"] {
            let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap();
            assert!(manifest.contains("publish = false"), "{name}");
        }
        assert!(!workspace().join("hack/oracle/Cargo.toml").exists());
    }
}

/// A row of the table: the line, and the tests that it names as `path` and `function`.
struct Row {
    line: u32,
    due: bool,
    tests: Vec<(String, String)>,
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let number = heading.split('.').next().unwrap().parse().unwrap();
            rows.push(Row { line: number, due: true, tests: Vec::new() });
        } else if let Some(row) = rows.last_mut() {
            row.due &= !line.starts_with("Not due yet");
            if let Some((path, test)) =
                line.strip_prefix("- `").and_then(|rest| rest.strip_suffix('`')?.split_once("` `"))
            {
                row.tests.push((path.to_owned(), test.to_owned()));
            }
        }
    }
    rows
}

#[test]
fn every_line_that_is_due_names_tests_that_exist() {
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), (1..=22).collect::<Vec<_>>());
    for row in rows {
        assert_eq!(row.due, !row.tests.is_empty(), "line {}", row.line);
        let mut named = !row.due;
        for (path, test) in row.tests {
            let source = std::fs::read_to_string(workspace().join(&path))
                .unwrap_or_else(|error| panic!("line {}: {path}: {error}", row.line));
            let (module, function) = test.rsplit_once("::").unwrap_or(("", &test));
            let at = source.find(&format!("fn {function}("));
            let at = at.unwrap_or_else(|| panic!("line {}: {path} has no test {function}", row.line));
            let start = source[..at].rfind('\n').map_or(0, |end| end + 1);
            let mut before = source[..start].lines().rev().take_while(|line| !line.trim().is_empty());
            let is_test = before.any(|line| line.contains("#[test]") || line.contains("#[tokio::test"));
            assert!(is_test, "line {}: {path}: {function} is no test", row.line);
            let name = format!("line_{:02}_", row.line);
            let stem = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
            let inside = module.starts_with(&name) && source.contains(&format!("mod {module} {{"));
            assert!(
                module.is_empty() || inside || stem == module,
                "line {}: {path} has no {module}",
                row.line
            );
            named |= inside || stem.starts_with(&name);
        }
        assert!(named, "line {} has no test or module of its name", row.line);
    }
}
