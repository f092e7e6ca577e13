//! Every way to write a value, and what a new one looks like there.

use gitops_edit::{EditError, NewValue};
use serde_json::json;

use crate::set;

fn exact(value: serde_json::Value) -> NewValue {
    NewValue::Exact(value)
}

#[track_caller]
fn becomes(before: &str, new: &NewValue, after: &str) {
    let edited = set(before, ".a", new).unwrap_or_else(|error| panic!("{error}: {before:?}"));
    assert_eq!(edited, after, "{before:?}");
}

#[test]
fn quotes_and_comments_stay() {
    let new = NewValue::Text("y:2".into());
    for (before, after) in [
        ("a: x\n", "a: y:2\n"),
        ("a: x", "a: y:2"),
        ("a:    x   # c\n", "a:    y:2   # c\n"),
        ("a: 'x' # 'x'\n", "a: 'y:2' # 'x'\n"),
        ("a: \"x\"\t# c\r\nb: 1\r\n", "a: \"y:2\"\t# c\r\nb: 1\r\n"),
        ("a:\n    x\nb: 1\n", "a:\n    y:2\nb: 1\n"),
        ("a: x\n  z # c\nb: 1\n", "a: y:2 # c\nb: 1\n"),
        ("a: \"x\n\n  z\"\n", "a: \"y:2\"\n"),
        ("\"a\": x\n", "\"a\": y:2\n"),
        ("? a\n: x\n", "? a\n: y:2\n"),
        ("a: &x x\nb: 1\n", "a: &x y:2\nb: 1\n"),
        ("a: !!str x\n", "a: !!str y:2\n"),
        ("a: !!str &q 'x'\n", "a: !!str &q 'y:2'\n"),
        ("a: !mine x\n", "a: !mine y:2\n"),
        ("# ü€😀\na: 'ü€😀' # ü\n", "# ü€😀\na: 'y:2' # ü\n"),
        ("a: x\n...\n---\nb: 1\n", "a: y:2\n...\n---\nb: 1\n"),
        ("x: &x v\na: *x\n", "x: &x v\na: y:2\n"),
        ("x: [&x v, *x]\na: *x # c\n", "x: [&x v, *x]\na: y:2 # c\n"),
    ] {
        becomes(before, &new, after);
    }
}

#[test]
fn a_text_that_would_be_something_else_is_quoted() {
    for (new, after) in [
        ("1.20", "a: \"1.20\"\n"),
        ("yes", "a: \"yes\"\n"),
        ("", "a: \"\"\n"),
        ("a: b", "a: \"a: b\"\n"),
        ("a #b", "a: \"a #b\"\n"),
        ("a#b", "a: a#b\n"),
        ("*a", "a: \"*a\"\n"),
        ("two\nlines", "a: \"two\\nlines\"\n"),
        ("\u{1b}[31m", "a: \"\\u001b[31m\"\n"),
        ("ü €", "a: ü €\n"),
        ("\\", "a: \\\n"),
        (" a", "a: \" a\"\n"),
    ] {
        becomes("a: x\n", &NewValue::Text(new.into()), after);
    }
    becomes("a: 'x'\n", &NewValue::Text("1.20".into()), "a: '1.20'\n");
    becomes("a: 'x'\n", &NewValue::Text("it's".into()), "a: 'it''s'\n");
    becomes("a: 'x'\n", &NewValue::Text("a\tb".into()), "a: \"a\\tb\"\n");
}

#[test]
fn types_stay_unless_asked_otherwise() {
    becomes("a: 1\n", &NewValue::Text("2".into()), "a: 2\n");
    becomes("a: 0644\n", &NewValue::Text("0755".into()), "a: 0755\n");
    becomes("a: 0x10\n", &NewValue::Text("1e3".into()), "a: 1e3\n");
    becomes("a: true # c\n", &NewValue::Text("false".into()), "a: false # c\n");
    becomes("a: \"1\"\n", &NewValue::Text("2".into()), "a: \"2\"\n");
    becomes("a: \"1\"\n", &exact(json!(2)), "a: 2\n");
    becomes("a: 1\n", &exact(json!("2")), "a: \"2\"\n");
    becomes("a: x\n", &exact(json!(null)), "a: null\n");
    becomes("a: x\n", &exact(json!(true)), "a: true\n");
    becomes("a: |\n  x\n  y\nb: 1\n", &exact(json!(2)), "a: 2\nb: 1\n");
    for number in
        [json!(1e300), json!(0.1), json!(1.0), json!(u64::MAX), json!(i64::MIN), json!(-0.0), json!(5e-324)]
    {
        becomes("a: 1\n", &exact(number.clone()), &format!("a: {number}\n"));
    }
    for (before, new) in [
        ("a: 1\n", "x"),
        ("a: 1\n", "2 # c"),
        ("a: 1\n", "2\n"),
        ("a: 1\n", " 2"),
        ("a: 1\n", ""),
        ("a: true\n", "false #"),
        ("a: true\n", "1"),
        ("a:\n", "x"),
        ("a: ~\n", "x"),
    ] {
        let error = set(before, ".a", &NewValue::Text(new.into())).unwrap_err();
        assert!(matches!(error, EditError::TypeDiffers { .. }), "{error}");
    }
    let error = set("a: x\n", ".a", &exact(json!([1]))).unwrap_err();
    assert!(matches!(error, EditError::NotAScalar { .. }), "{error}");
}

#[test]
fn a_value_that_is_not_there_yet_is_filled_in() {
    let new = exact(json!("w"));
    for (before, after) in [
        ("a:\nb: 1\n", "a: w\nb: 1\n"),
        ("a: \nb: 1\n", "a: w \nb: 1\n"),
        ("a: # c\nb: 1\n", "a: w # c\nb: 1\n"),
        ("a:", "a: w"),
        ("a: &x\nb: 1\n", "a: &x w\nb: 1\n"),
        ("a: !!str\nb: 1\n", "a: !!str w\nb: 1\n"),
        ("a: ~\n", "a: w\n"),
    ] {
        becomes(before, &new, after);
    }
    assert_eq!(set("l:\n- \n- x\n", ".l[0]", &new).unwrap(), "l:\n- w\n- x\n");
    assert_eq!(set("l:\n-\n- x\n", ".l[0]", &new).unwrap(), "l:\n- w\n- x\n");
    assert_eq!(set("l:\n-  # c\n- x\n", ".l[0]", &new).unwrap(), "l:\n- w # c\n- x\n");
    assert_eq!(set("l:\n- -\n  # c\n\n  - x\n", ".l[0][0]", &new).unwrap(), "l:\n- - w\n  # c\n\n  - x\n");
    assert_eq!(set("l: {a: , b: 1}\n", ".l.a", &new).unwrap(), "l: {a: w , b: 1}\n");
    assert_eq!(set("l: {b: 1, a }\n", ".l.a", &new).unwrap(), "l: {b: 1, a: w }\n");
    let error = set("? a\nb: 1\n", ".a", &new).unwrap_err();
    assert!(matches!(error, EditError::Unwritable { .. }), "{error}");
}

#[test]
fn blocks_stay_blocks() {
    for (before, new, after) in [
        ("a: |\n  x\nb: 1\n", "y\n", "a: |\n  y\nb: 1\n"),
        ("a: |\n  x\nb: 1\n", "y", "a: |-\n  y\nb: 1\n"),
        ("a: |-\n    x\n     y\n\n# c\nb: 1\n", "1\n\n2", "a: |-\n    1\n\n    2\n\n# c\nb: 1\n"),
        ("a: |- # why\n  x\nb: 1\n", "y\n", "a: | # why\n  y\nb: 1\n"),
        ("a: |+\n  x\n\n\nb: 1\n", "y\n\n", "a: |+\n  y\n\nb: 1\n"),
        ("a: |+\n  x\n\n\nb: 1\n", "y", "a: |-\n  y\nb: 1\n"),
        ("a: |2-\n    x\nb: 1\n", "y\nz", "a: |2-\n  y\n  z\nb: 1\n"),
        ("a: >\n  x\n  y\nb: 1\n", "y\n", "a: >\n  y\nb: 1\n"),
        ("a: >-\n  x\n  y\nb: 1\n", "1\n2\n\n3", "a: >-\n  1\n\n  2\n\n\n  3\nb: 1\n"),
        ("a: >-\n  x\nb: 1\n", "1\n 2", "a: |-\n  1\n   2\nb: 1\n"),
        ("a: |\r\n  x\r\n  y\r\nb: 1\r\n", "1\n2\n", "a: |\r\n  1\r\n  2\r\nb: 1\r\n"),
        ("a: |\n  x", "y", "a: |-\n  y"),
        ("a: |-\n  x", "y\nz", "a: |-\n  y\n  z"),
        ("a: |\n  x\n", "y\n\n", "a: \"y\\n\\n\"\n"),
        ("a: |\n  x\n\nb: 1\n", " y\n", "a: \" y\\n\"\n\nb: 1\n"),
        ("a: | # c\n  x\n # less\nb: 1\n", "\u{1}", "a: \"\\u0001\" # c\n # less\nb: 1\n"),
        ("a: |-\n  x", "", "a: \"\""),
        ("a: |-\n\n\n  x\nb: 1\n", "y", "a: |-\n  y\nb: 1\n"),
        ("a: &x |\n  x\nb: 1\n", "y\n", "a: &x |\n  y\nb: 1\n"),
        ("a: !!str |\n  x\nb: 1\n", "y\n", "a: !!str |\n  y\nb: 1\n"),
        ("a: |\n  x\n  # no comment\n", "y\n", "a: |\n  y\n"),
        ("a: |\n  x\n---\nb: 1\n", "---\n...\n", "a: |\n  ---\n  ...\n---\nb: 1\n"),
        ("a: |\n", "y\n", "a: \"y\\n\"\n"),
        ("a: >\n\nb: 1\n", "y", "a: \"y\"\n\nb: 1\n"),
    ] {
        becomes(before, &NewValue::Text(new.into()), after);
    }
    let new = NewValue::Text("z\n".into());
    assert_eq!(set("l:\n- |\n  x\n- y\n", ".l[0]", &new).unwrap(), "l:\n- |\n  z\n- y\n");
    assert_eq!(set("l:\n- [x, y]\n- >\n  x\n- y\n", ".l[1]", &new).unwrap(), "l:\n- [x, y]\n- >\n  z\n- y\n");
    assert_eq!(set("l:\n- |+\n  x\n\n- |\n  y\n", ".l[1]", &new).unwrap(), "l:\n- |+\n  x\n\n- |\n  z\n");
    assert_eq!(set("l:\n  - - |\n        x\n", ".l[0][0]", &new).unwrap(), "l:\n  - - |\n        z\n");
}

#[test]
fn flow_style_stays() {
    let new = NewValue::Text("y:2".into());
    for (before, field, after) in [
        ("a: {b: x, c: 1}\n", ".a.b", "a: {b: y:2, c: 1}\n"),
        ("a: [x,x ,'x']\n", ".a[1]", "a: [x,y:2 ,'x']\n"),
        ("a: [x,\n  x, # c\n  {b: [x]} ]\n", ".a[2].b[0]", "a: [x,\n  x, # c\n  {b: [y:2]} ]\n"),
        ("a: {\"b\":\"x\"}\n", ".a.b", "a: {\"b\":\"y:2\"}\n"),
    ] {
        assert_eq!(set(before, field, &new).unwrap(), after);
    }
    assert_eq!(set("a: [x]\n", ".a[0]", &NewValue::Text("1, 2".into())).unwrap(), "a: [\"1, 2\"]\n");
}

#[test]
fn json_stays_json() {
    let head = "{\"apiVersion\": \"v1\", \"kind\": \"Config\", \"metadata\": {\"name\": \"a\"},\n\t\"a\": ";
    for (before, new, after) in [
        ("\"x\\/\"", NewValue::Text("y\n\u{1}\u{202e}".into()), "\"y\\n\\u0001\u{202e}\""),
        ("1", NewValue::Text("2".into()), "2"),
        ("1", exact(json!("2")), "\"2\""),
        ("\"x\"", exact(json!(2.5)), "2.5"),
        ("null", exact(json!("y")), "\"y\""),
        ("true", NewValue::Text("false".into()), "false"),
    ] {
        for end in ["}", " }\r\n"] {
            let before = format!("{head}{before}{end}");
            let edited = crate::file(&before).set_field(&crate::config(), &crate::path(".a"), &new).unwrap();
            assert_eq!(crate::text(&edited), format!("{head}{after}{end}"));
        }
    }
}

#[test]
fn marks_at_the_beginning_and_directives_stay() {
    let new = NewValue::Text("y".into());
    for head in [
        "\u{feff}",
        "%YAML 1.2\n---\n",
        "%YAML 1.1\n%TAG !e! tag:e.x,2000:\n--- # c\n",
        "--- !!map\n",
        "\n\n# c\n---\n---\n",
    ] {
        let before = format!("{head}{}", crate::with_head("a: 'x'\n"));
        let edited = crate::file(&before).set_field(&crate::config(), &crate::path(".a"), &new);
        let edited = edited.unwrap_or_else(|error| panic!("{error}: {head:?}"));
        assert_eq!(crate::text(&edited), before.replace("'x'", "'y'"));
    }
}

#[test]
fn many_comments_in_a_row_are_no_trouble() {
    let comments = "# c\n".repeat(2_000);
    let before =
        format!("{comments}l:\n{comments}- {comments}  {comments}  a: x # c\n{comments}m: 1\n{comments}");
    let edited = set(&before, ".l[0].a", &NewValue::Text("new".into())).unwrap();
    assert_eq!(edited, before.replace("a: x", "a: new"));
}
