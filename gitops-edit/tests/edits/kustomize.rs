//! By the images of a kustomization.

use gitops_edit::EditError;

use crate::{file, image, text};

const DIGEST: &str = "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3";

fn set(before: &str, name: &str, new: &str) -> Result<String, EditError> {
    let edited = file(before).set_kustomize_image(name, &image(new))?;
    let after = text(&edited).to_owned();
    let again = file(&after).set_kustomize_image(name, &image(new))?;
    assert!(again.is_unchanged() && again.bytes == after.as_bytes(), "{after}");
    assert_eq!(again.places, 1);
    Ok(after)
}

#[test]
fn keys_are_set_added_and_removed_as_kustomize_does() {
    let head = "# c\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n";
    let cases = [
        (
            "- name: app\n  newTag: '1' # t\n- name: b\n",
            "app:2",
            "- name: app\n  newTag: '2' # t\n- name: b\n",
        ),
        ("- name: app\n", "app:2", "- name: app\n  newTag: \"2\"\n"),
        ("- name: app # c", "app:v2", "- name: app # c\n  newTag: v2"),
        (
            "-   name: app\n    newName: x\n",
            "r/app:v2",
            "-   name: app\n    newName: r/app\n    newTag: v2\n",
        ),
        ("- name: 'app'\n", "r/app:1.0.0", "- name: 'app'\n  newName: 'r/app'\n  newTag: '1.0.0'\n"),
        ("- name: app\n  newTag: v1\n", "app@D", "- name: app\n  digest: D\n"),
        ("- digest: D # old\n  name: app\n", "app:v2", "- name: app\n  newTag: v2\n"),
        (
            "- name: app\n  digest: D\n  # c\n- name: b\n",
            "app:v2",
            "- name: app\n  newTag: v2\n  # c\n- name: b\n",
        ),
        ("- name: app\n  newTag: v1\n", "app:v2@D", "- name: app\n  newTag: v2\n  digest: D\n"),
        (
            "- newTag: v1\n  name: app\n",
            "r/app:v2@D",
            "- newTag: v2\n  digest: D\n  name: app\n  newName: r/app\n",
        ),
        ("- {name: app, newTag: v1}\n", "r/app:v2", "- {name: app, newName: r/app, newTag: v2}\n"),
        ("- {name: app, newTag: v1}\n", "app@D", "- {name: app, digest: D}\n"),
        ("- {newTag: v1 , name: app}\n", "app@D", "- {name: app, digest: D}\n"),
        (
            "- {\n    name: app, # c\n    newTag: v1 }\n",
            "r/app:v2",
            "- {\n    name: app,\n    newName: r/app, # c\n    newTag: v2 }\n",
        ),
        ("- name: app\n  newName: r/app\n  newTag: v1\n", "mariadb", "- name: app\n  newName: mariadb\n"),
        (
            "  - newName: x\n    name: app\n    newTag: |-\n      v1\n",
            "x:v2",
            "  - newName: x\n    name: app\n    newTag: |-\n      v2\n",
        ),
    ];
    for (before, new, after) in cases {
        for end in ["\n", "\r\n"] {
            let [before, new, after] = [before, new, after].map(|text| text.replace('D', DIGEST));
            let [head, before, after] = [head, &before, &after].map(|text| text.replace('\n', end));
            let edited = set(&format!("{head}{before}"), "app", &new)
                .unwrap_or_else(|error| panic!("{error}: {before}"));
            assert_eq!(edited, format!("{head}{after}"), "{new}");
        }
    }
}

#[test]
fn json_and_kustomizations_without_a_kind_are_edited_too() {
    let json =
        "{\n  \"images\": [\n    {\n      \"name\": \"app\",\n      \"digest\": \"x\"\n    }\n  ]\n}\n";
    let after =
        "{\n  \"images\": [\n    {\n      \"name\": \"app\",\n      \"newTag\": \"2\"\n    }\n  ]\n}\n";
    assert_eq!(set(json, "app", "app:2").unwrap(), after);
    assert_eq!(
        set("images:\n- {\"name\":\"app\"}\n", "app", "app:v2").unwrap(),
        "images:\n- {\"name\":\"app\", \"newTag\": \"v2\"}\n"
    );
}

#[test]
fn what_cannot_be_done_says_why() {
    let error = set("a: 1\n", "app", "app:1").unwrap_err();
    assert!(matches!(error, EditError::NoImages { .. }), "{error}");
    let error = set("kind: Deployment\nimages:\n- name: app\n", "app", "app:1").unwrap_err();
    assert!(matches!(error, EditError::NoImages { .. }), "{error}");
    let error = set("images: []\n", "app", "app:1").unwrap_err();
    assert!(matches!(error, EditError::NoImages { .. }), "{error}");
    for last in ["{name: b}", "name: b\n  x: |\n    y", "name: &x b\n  y: {a: b}", "&x\n  name: b", "*x"] {
        let error = set(&format!("x: &x {{}}\nimages:\n- {last}\n"), "app", "app:1").unwrap_err();
        assert!(matches!(error, EditError::Unwritable { .. }), "{error}: {last}");
    }
    let error = set("images:\n- name: app\n- name: app\n", "app", "app:1").unwrap_err();
    assert!(matches!(error, EditError::ImageTwice { .. }) && error.place().line == 3, "{error}");
    let error =
        set("images:\n- newTag: x\n  # c\n  name: app\n", "app", &format!("app@{DIGEST}")).unwrap_err();
    assert!(matches!(error, EditError::Unwritable { .. }), "{error}");
    let error = set("x: &x {name: app, newTag: v1}\nimages:\n- *x\n", "app", "app:v2").unwrap_err();
    assert!(matches!(error, EditError::Shared { .. }), "{error}");
}

#[test]
fn an_entry_that_is_not_there_is_added() {
    for (before, new, after) in [
        (
            "images:\n- name: b\n  newTag: v1 # c\n# end\n",
            "r/app:v2",
            "images:\n- name: b\n  newTag: v1 # c\n- name: app\n  newName: r/app\n  newTag: v2\n# end\n",
        ),
        (
            "images:\n  -   name: b",
            "app:1.20",
            "images:\n  -   name: b\n  -   name: app\n      newTag: \"1.20\"",
        ),
        (
            "images:\n- name: b\n\nresources: []\n",
            "app@D",
            "images:\n- name: b\n- digest: D\n  name: app\n\nresources: []\n",
        ),
    ] {
        for end in ["\n", "\r\n"] {
            let [before, new, after] =
                [before, new, after].map(|text| text.replace('D', DIGEST).replace('\n', end));
            assert_eq!(set(&before, "app", &new).unwrap(), after);
        }
    }
    let edited = file("images:\n- name: b\n").set_kustomize_image("app", &image("app:v1")).unwrap();
    assert_eq!(
        edited.changes[0].to_string(),
        "a.yaml:2:3 (document 1): .images[1]: absent → {\"name\":\"app\",\"newTag\":\"v1\"}"
    );
}

/// A key without a value can be the last thing in a file.
#[test]
fn a_key_at_the_very_end_is_no_trouble() {
    let head = "images:\n- name: app\n  newTag: v1\n";
    for (end, left) in [
        ("  ?\n    digest", None),
        ("  ? digest", None),
        ("  ?\n    digest\n", None),
        ("  ?\n    digest ", None),
        ("  digest:", Some("")),
        ("  \"digest\":", Some("")),
    ] {
        match (set(&format!("{head}{end}"), "app", "app:v2"), left) {
            (Err(EditError::Unwritable { .. }), None) => {}
            (Ok(after), Some(left)) => {
                assert_eq!(after, format!("{}{left}", head.replace("v1", "v2")), "{end:?}");
            }
            (other, _) => panic!("{end:?}: {other:?}"),
        }
    }
}
