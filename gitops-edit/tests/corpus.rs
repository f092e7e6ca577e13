//! Edits of every manifest that people wrote for other tests: in this repository, in files and in the texts of its programs and
//! tests, and those of the reference, beside it.
//!
//! `GITOPS_REFERENCE=… cargo test -p gitops-edit --test corpus -- --ignored`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::diff::{FieldPath, PathElement};
use gitops_core::{Manifest, RepoPath};
use gitops_edit::{EditError, NewValue, YamlFile};
use serde_json::{Value, json};

/// Fields of one object that are set; of larger ones, some here and there.
const FIELDS: usize = 30;

#[derive(Debug, Default)]
struct Counts {
    files: usize,
    manifests: usize,
    fields: usize,
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                files_below(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn read(name: &RepoPath, text: &str) -> Option<Vec<Manifest>> {
    decode(name, text.as_bytes(), &DecodeLimits::default()).ok().filter(|manifests| !manifests.is_empty())
}

fn leaves(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| leaves(value, &path.field(key), found));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &path.child(PathElement::Index(index)), found);
            }
        }
        _ => found.push(path.clone()),
    }
}

/// Sets fields of all manifests of a file, each by itself.
fn edit_all(label: &str, name: &RepoPath, text: &str, counts: &mut Counts) {
    let Some(manifests) = read(name, text) else { return };
    let file =
        YamlFile::parse(name, text.as_bytes()).unwrap_or_else(|error| panic!("{label}: {error}\n{text}"));
    counts.files += 1;
    let mut times = BTreeMap::new();
    for manifest in &manifests {
        *times.entry(manifest.id.clone()).or_insert(0) += 1;
    }
    let objects: Vec<Value> = manifests.iter().map(Manifest::object).collect();
    for (index, manifest) in manifests.iter().enumerate().filter(|(_, manifest)| times[&manifest.id] == 1) {
        counts.manifests += 1;
        let mut paths = Vec::new();
        leaves(&objects[index], &FieldPath::root(), &mut paths);
        paths.retain(|path| {
            ![".apiVersion", ".kind", ".metadata.name", ".metadata.namespace"].contains(&&*path.to_string())
        });
        for (turn, path) in paths.iter().step_by(paths.len().div_ceil(FIELDS).max(1)).enumerate() {
            let old = path.get(&objects[index]).unwrap();
            let new = match (old, turn % 4) {
                (Value::Number(_), 0..3) => json!(7423),
                (_, 0) => json!("registry.example:5000/team/app:1.2.3"),
                (_, 1) => json!("1.20"),
                (_, 2) => json!("ü: \"it's\" # two\nlines\n"),
                _ => json!(true),
            };
            let told = || format!("{label}: {} {path} = {new}\n{text}", manifest.id);
            let edited = match file.set_field(&manifest.id, path, &NewValue::Exact(new.clone())) {
                // Where there are aliases, there may be values with two places.
                Err(EditError::Shared { .. }) if text.contains('&') && text.contains('*') => continue,
                other => other.unwrap_or_else(|error| panic!("{error}\n{}", told())),
            };
            assert_eq!(edited.changes.len(), usize::from(*old != new), "{}", told());
            let after = String::from_utf8(edited.bytes).unwrap();
            let mut expected = objects.clone();
            *path.get_mut(&mut expected[index]).unwrap() = new.clone();
            let said: Vec<Value> = read(name, &after).unwrap().iter().map(Manifest::object).collect();
            assert_eq!(said, expected, "{}\n{after}", told());
            if let Some(change) = edited.changes.first() {
                assert!(is_at(text, &after, change.place.line as usize, old), "{}\n{after}", told());
            }
            counts.fields += 1;
        }
    }
}

/// Whether the lines before a value are the same, and those behind it.
fn is_at(before: &str, after: &str, line: usize, old: &Value) -> bool {
    let same = before.lines().zip(after.lines()).take_while(|(a, b)| a == b).count();
    let same_behind = before.lines().rev().zip(after.lines().rev()).take_while(|(a, b)| a == b).count();
    // The header of a block scalar is on the line above its content; a text may go over several lines.
    let longest = old.as_str().map_or(1, |text| text.lines().count() * 2 + text.len() / 20 + 2);
    same + 2 >= line && same_behind + line + longest >= before.lines().count()
}

/// The texts of a Rust program, without escapes, and with the braces of formats as they are printed.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find('"') {
        let hashes = rest[..at].bytes().rev().take_while(|b| *b == b'#').count();
        let is_raw = rest[..at - hashes].ends_with('r');
        rest = &rest[at + 1..];
        if is_raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let Some(end_at) = rest.find(&end) else { break };
            found.push(rest[..end_at].to_owned());
            rest = &rest[end_at + end.len()..];
            continue;
        }
        let mut text = String::new();
        let mut chars = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    end = index + 1;
                    break;
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('\n') => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                    Some(c) => text.push(c),
                    None => {}
                },
                c => text.push(c),
            }
        }
        rest = &rest[end..];
        found.push(text.replace("{{", "{").replace("}}", "}"));
        found.push(text);
    }
    found
}

/// Every object in a tree of JSON that could be a manifest.
fn embedded(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            if ["apiVersion", "kind", "metadata"].iter().all(|key| fields.contains_key(*key)) {
                found.push(value.clone());
            }
            fields.values().for_each(|value| embedded(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| embedded(value, found)),
        _ => {}
    }
}

fn edit_files_below(directory: &Path) -> Counts {
    let mut files = Vec::new();
    files_below(directory, &mut files);
    let mut counts = Counts::default();
    let (yaml, json) = (RepoPath::new("a.yaml").unwrap(), RepoPath::new("a.json").unwrap());
    for path in files {
        let label = path.display().to_string();
        let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if !matches!(&*end, "yaml" | "yml" | "json" | "rs" | "md") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match &*end {
            "json" => {
                edit_all(&label, &json, &text, &mut counts);
                let mut objects = Vec::new();
                embedded(&serde_json::from_str(&text).unwrap_or_default(), &mut objects);
                for (index, object) in objects.iter().enumerate() {
                    let label = format!("{label}, object {index}");
                    // Compact, on many lines, and as YAML, in turn.
                    match index % 3 {
                        0 => edit_all(&label, &json, &object.to_string(), &mut counts),
                        1 => edit_all(
                            &label,
                            &json,
                            &serde_json::to_string_pretty(object).unwrap(),
                            &mut counts,
                        ),
                        _ => {
                            let shown = gitops_core::diff::Redaction::reveal_everything().redact(object);
                            edit_all(&label, &yaml, &gitops_core::diff::yaml(&shown), &mut counts);
                        }
                    }
                }
            }
            "rs" => literals(&text).iter().for_each(|text| edit_all(&label, &yaml, text, &mut counts)),
            "md" => text.split("```").for_each(|text| {
                let text = text.strip_prefix("yaml\n").unwrap_or(text);
                edit_all(&label, &yaml, text, &mut counts);
            }),
            _ => edit_all(&label, &yaml, &text, &mut counts),
        }
    }
    counts
}

#[test]
fn manifests_of_this_repository() {
    let counts = edit_files_below(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")));
    println!("{counts:?}");
    assert!(counts.manifests > 300 && counts.fields > 3_000, "{counts:?}");
}

#[test]
#[ignore = "needs GITOPS_REFERENCE: see CONTRIBUTING.md"]
fn manifests_of_the_reference() {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference"));
    let directory = std::env::var_os("GITOPS_REFERENCE").map_or_else(beside, PathBuf::from);
    let counts = edit_files_below(&directory);
    println!("{counts:?}");
    assert!(counts.manifests > 80 && counts.fields > 800, "{counts:?}");
}
