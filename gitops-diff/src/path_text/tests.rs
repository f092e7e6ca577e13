//! Every spelling is read as it was written.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::PathElement;
use crate::testing::any_value;

fn element() -> impl Strategy<Value = PathElement> {
    prop_oneof![
        any::<String>().prop_map(PathElement::field),
        "[a-z]{1,3}".prop_map(PathElement::field),
        btree_map(any::<String>().prop_map(Arc::from), any_value(), 0..3)
            .prop_map(|fields| PathElement::Key(fields.into_iter().collect())),
        any_value().prop_map(PathElement::Value),
        any::<usize>().prop_map(PathElement::Index),
    ]
}

#[test]
fn reads_and_prints_the_readable_form() {
    for text in [
        ".",
        ".spec.replicas",
        r#".spec.containers[name="web"].image"#,
        r#".spec.ports[containerPort=80,protocol="TCP"]"#,
        r#".metadata.labels["app.kubernetes.io/name"]"#,
        r#".metadata.finalizers[="a]b"]"#,
        ".spec.rules[3]",
        ".values[=-1.5]",
        r#"["a b"=null]"#,
        "[{}]",
    ] {
        assert_eq!(text.parse::<FieldPath>().unwrap().to_string(), text);
    }
}

#[test]
fn says_where_a_path_is_wrong() {
    for (text, at) in
        [("spec", 0), (".spec.", 6), (".a[", 3), (".a[b", 4), (".a[b=]", 5), (".a[1", 4), ("..a", 1)]
    {
        match text.parse::<FieldPath>() {
            Err(PathError::Syntax { at: found, .. }) => assert_eq!(found, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn control_and_bidi_characters_are_escaped() {
    let path = FieldPath::of_fields(["a\u{202e}b\u{1b}[0m\u{9b}"]);
    assert_eq!(path.to_string(), r#"["a\u202eb\u001b[0m\u009b"]"#);
    assert_eq!(path.to_string().parse(), Ok(path));
}

#[test]
fn pointers_escape_and_resolve() {
    let tree = json!({"a/b": {"~": [10, 20]}, "0": 1});
    let path = FieldPath::from_json_pointer_in("/a~1b/~0/1", &tree).unwrap();
    assert_eq!(path.get(&tree), Some(&json!(20)));
    assert_eq!(path.to_json_pointer(&tree).as_deref(), Some("/a~1b/~0/1"));
    assert_eq!(FieldPath::from_json_pointer("/0").unwrap().get(&tree), Some(&json!(1)));
    assert_eq!(FieldPath::from_json_pointer("").unwrap(), FieldPath::root());
    for bad in ["a", "/~", "/~2", "/a~"] {
        assert_eq!(FieldPath::from_json_pointer(bad), Err(PathError::Pointer(bad.to_owned())));
    }
    assert!(matches!(FieldPath::from_json_pointer_in("/a~1b/~0/2", &tree), Err(PathError::Nowhere(_))));
}

#[test]
fn managed_elements() {
    for text in ["f:a:b", r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"v:"x""#, "i:3", "f:"] {
        assert_eq!(PathElement::from_managed(text).unwrap().to_managed(), text);
    }
    for bad in ["", "x", "x:1", "k:1", "k:{", "v:", "i:-1", "i:x"] {
        assert!(PathElement::from_managed(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn readable_form_round_trips(path in vec(element(), 0..4).prop_map(FieldPath::from)) {
        let text = path.to_string();
        let steers = text.contains(crate::text::is_unsafe);
        prop_assert!(!steers);
        prop_assert_eq!(text.parse::<FieldPath>().unwrap(), path);
    }

    #[test]
    fn managed_form_round_trips(element in element()) {
        // A large float is spelled as an integer, as Go does, and is read as one.
        let text = element.to_managed();
        prop_assert_eq!(PathElement::from_managed(&text).unwrap().to_managed(), text);
    }

    #[test]
    fn reading_never_panics(text in "[.\\[\\]=\"a1{},~/:-]{0,12}", any in any::<String>()) {
        for text in [text, any] {
            let _ = text.parse::<FieldPath>();
            let _ = FieldPath::from_json_pointer(&text);
            let _ = PathElement::from_managed(&text);
        }
    }
}
