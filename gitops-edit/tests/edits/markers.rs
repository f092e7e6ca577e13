//! By Flux's markers.

use gitops_edit::{EditError, Edited, PolicyName};

use crate::{file, image, text};

const DIGEST: &str = "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3";

fn policy(text: &str) -> PolicyName {
    text.parse().unwrap()
}

fn set(before: &str, new: &str) -> Result<Edited, EditError> {
    file(before).set_marked(&[(policy("ns:app"), image(new))])
}

#[test]
fn all_marked_values_are_set_in_every_style() {
    let before = r#"# {"$ref": "x"}, as others have it
image: ghcr.io/a/b:1.0 # {"$imagepolicy": "ns:app"}
other: c:1 # {"$imagepolicy": "ns:other"}
text: | # no marker {"$imagepolicy": "ns:app"}
  image: x # {"$imagepolicy": "ns:app"}
string: 'x # {"$imagepolicy": "ns:app"}'
flow: {repo: "r",  # {"$imagepolicy": "ns:app:name"}
  tag: '1.0'  , # {"$imagepolicy": "ns:app:tag"}
  digest: sha256:00 } 
list:
- a # {"$imagepolicy":"ns:app"}
- [x, y # {"$imagepolicy": "ns:app"}
  , z]
block: |- # {"$imagepolicy": "ns:app"}
  old
# image: x # {"$imagepolicy": "ns:app"}
tag: 1.10   #   {"$imagepolicy": "ns:app:tag"}  
empty: # {"$imagepolicy": "ns:app"}
---
again: ü:1	# {"$imagepolicy": "ns:app"}"#;
    let after = r#"# {"$ref": "x"}, as others have it
image: ghcr.io/a/b:1.20 # {"$imagepolicy": "ns:app"}
other: c:1 # {"$imagepolicy": "ns:other"}
text: | # no marker {"$imagepolicy": "ns:app"}
  image: x # {"$imagepolicy": "ns:app"}
string: 'x # {"$imagepolicy": "ns:app"}'
flow: {repo: "ghcr.io/a/b",  # {"$imagepolicy": "ns:app:name"}
  tag: '1.20'  , # {"$imagepolicy": "ns:app:tag"}
  digest: sha256:00 } 
list:
- ghcr.io/a/b:1.20 # {"$imagepolicy":"ns:app"}
- [x, ghcr.io/a/b:1.20 # {"$imagepolicy": "ns:app"}
  , z]
block: |- # {"$imagepolicy": "ns:app"}
  ghcr.io/a/b:1.20
# image: x # {"$imagepolicy": "ns:app"}
tag: "1.20"   #   {"$imagepolicy": "ns:app:tag"}  
empty: ghcr.io/a/b:1.20 # {"$imagepolicy": "ns:app"}
---
again: ghcr.io/a/b:1.20	# {"$imagepolicy": "ns:app"}"#;
    for (before, after) in
        [(before.to_owned(), after.to_owned()), (before.replace('\n', "\r\n"), after.replace('\n', "\r\n"))]
    {
        let edited = set(&before, "ghcr.io/a/b:1.20").unwrap();
        assert_eq!(text(&edited), after);
        assert_eq!((edited.changes.len(), edited.places), (9, 9));
        let again = set(&after, "ghcr.io/a/b:1.20").unwrap();
        assert!(again.is_unchanged() && again.bytes == after.as_bytes() && again.places == 9);
    }
}

#[test]
fn several_policies_are_set_in_one_pass() {
    let before = "a: x # {\"$imagepolicy\": \"ns:app\"}\nb: y # {\"$imagepolicy\": \"ns:db\"}\n";
    let both = [(policy("ns:app"), image("a:1")), (policy("ns:db"), image("b:2"))];
    let edited = file(before).set_marked(&both).unwrap();
    assert_eq!(text(&edited), before.replace("a: x", "a: a:1").replace("b: y", "b: b:2"));
    let none = file(before).set_marked(&[(policy("ns:none"), image("a:1"))]).unwrap();
    assert!(none.is_unchanged() && none.places == 0 && none.bytes == before.as_bytes());
}

#[test]
fn digests_are_written_as_flux_writes_them() {
    let marked = |part: &str| format!("a: x # {{\"$imagepolicy\": \"ns:app{part}\"}}\n");
    let new = format!("r.io/a:1@{DIGEST}");
    for (part, value) in [("", &*new), (":name", "r.io/a"), (":digest", DIGEST), (":tag", "\"1\"")] {
        let edited = set(&marked(part), &new).unwrap();
        assert_eq!(text(&edited), marked(part).replace("a: x", &format!("a: {value}")));
    }
    for (part, new, missing) in
        [(":digest", "a:1", "digest"), (":tag", &*format!("a@{DIGEST}"), "tag"), ("", "a", "tag or digest")]
    {
        let error = set(&marked(part), new).unwrap_err();
        assert!(matches!(&error, EditError::MissingPart { part, .. } if *part == missing), "{error}");
    }
}

#[test]
fn markers_that_cannot_be_read_are_told_with_their_place() {
    for marker in [
        "{\"$imagepolicy\": \"ns:app\"",
        "{\"$imagepolicy\": \"app\"}",
        "{\"$imagepolicy\": \"ns:app:x\"}",
        "{\"$imagepolicy\": \"ns:app\"} # x",
    ] {
        let error = set(&format!("b: 1\nü: 'é' # {marker}\n"), "a:1").unwrap_err();
        assert!(matches!(error, EditError::Marker { .. }), "{error}");
        assert!(error.to_string().starts_with("a.yaml:2:8 (document 1): this marker "), "{error}");
    }
}

#[test]
fn markers_that_mark_nothing_are_told_if_they_are_asked_for() {
    let marker = "# {\"$imagepolicy\": \"ns:app\"}";
    for before in [
        format!("a: x\n{marker}\nb: 1\n"),
        format!("a: {{b: x}} {marker}\n"),
        format!("a: {marker}\n  b: x\n"),
        format!("a: [ {marker}\n  x]\n"),
        format!("{marker}\n"),
        format!("a: |\n  x\n{marker}\n"),
        format!("{{a {marker}\n: b}}\n"),
    ] {
        let error = set(&before, "a:1").unwrap_err();
        assert!(matches!(error, EditError::MarksNothing { .. }), "{error}: {before}");
        let other = file(&before).set_marked(&[(policy("ns:other"), image("a:1"))]).unwrap();
        assert!(other.is_unchanged());
    }
}

#[test]
fn a_marked_value_that_others_use_is_refused() {
    let marker = "# {\"$imagepolicy\": \"ns:app\"}";
    let error = set(&format!("a: &x v {marker}\nb: *x\n"), "a:1").unwrap_err();
    assert!(matches!(error, EditError::Shared { .. }), "{error}");
    let edited = set(&format!("a: &x v\nb: *x {marker}\n"), "a:1").unwrap();
    assert_eq!(text(&edited), format!("a: &x v\nb: a:1 {marker}\n"));
}
