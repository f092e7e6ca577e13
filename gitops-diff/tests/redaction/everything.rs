//! Whatever is printed of random objects, nothing that must not be shown is in it.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_diff::schema::{BuiltIn, Deduced, Schema};
use gitops_diff::three_way::{self, ThreeWayOptions};
use gitops_diff::typed::{ValidateOptions, validate};
use gitops_diff::{
    Applier, DiffOptions, Difference, FieldPath, LastApply, ManagedFields, Operation, Redaction, TypeRef,
    UnifiedOptions, Verdict, WriteOptions, apply, compare, diff, extract, judge, unified, update, yaml,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// All that was printed.
#[derive(Default)]
struct Page(String);

impl Page {
    fn both(&mut self, printed: &(impl Display + Debug)) {
        writeln!(self.0, "{printed} {printed:?} {printed:#?}").unwrap();
    }

    fn debug(&mut self, printed: &impl Debug) {
        writeln!(self.0, "{printed:?} {printed:#?}").unwrap();
    }

    fn json(&mut self, printed: &impl Serialize) {
        writeln!(self.0, "{}", serde_json::to_string(printed).unwrap()).unwrap();
    }

    fn differences(&mut self, differences: &[Difference]) {
        for difference in differences {
            self.both(difference);
        }
        self.json(&differences);
    }

    fn merge(&mut self, merge: &three_way::ThreeWay) {
        self.debug(merge);
        for conflict in &merge.conflicts {
            self.both(conflict);
        }
        for field in &merge.fields {
            self.both(field);
        }
        self.json(&merge.fields);
        self.json(&merge.conflicts);
    }
}

/// Everything that this crate has to say about two versions of an object.
fn everything(git: &Value, live: &Value, redaction: &Redaction) -> String {
    let mut page = Page::default();
    let options =
        DiffOptions::default().with_redaction(redaction.clone()).with_last_applied(true).with_manager("us");
    let bare = {
        let mut git = git.clone();
        FieldPath::of_fields(["metadata", "managedFields"]).remove(&mut git);
        git
    };
    for schema in [&BuiltIn as &dyn Schema, &Deduced] {
        for (git, live) in [(git, live), (live, git), (&bare, live)] {
            page.differences(&compare(git, live, schema, &options));
            page.differences(&diff(live, git, schema, &options));
            for last in [LastApply::Same, LastApply::Other, LastApply::Unknown] {
                let applier = Applier::new("us").with_last_apply(last).with_taken_reported(true);
                let verdict = judge(git, live, applier, schema, &options);
                page.debug(&verdict);
                if let Verdict::Differs(fields) | Verdict::Overruled(fields) = &verdict {
                    page.differences(fields);
                }
            }
            let merging = ThreeWayOptions::default().with_redaction(redaction.clone());
            let refusing = merging.clone().with_merge(merging.merge.clone().with_overwrite(false));
            for options in [&merging, &refusing] {
                for last in [git, live, &Value::Null] {
                    match three_way::as_kubectl(last, git, live, schema, options) {
                        Ok(merge) => page.merge(&merge),
                        Err(error) => page.both(&error),
                    }
                }
            }
        }
        let us = WriteOptions::new("us").with_redaction(redaction.clone());
        for writer in [
            us.clone(),
            us.clone().with_force(true),
            WriteOptions::new("new").with_redaction(redaction.clone()),
        ] {
            for object in [git, &bare, live] {
                match apply(Some(live), object, schema, &writer) {
                    Ok(applied) => page.debug(&applied),
                    Err(error) => page.both(&error),
                }
            }
            match update(Some(live), &bare, schema, &writer) {
                Ok(applied) => page.debug(&applied),
                Err(error) => page.both(&error),
            }
            match three_way::structured(&bare, live, schema, &writer, redaction) {
                Ok(merge) => page.merge(&merge),
                Err(error) => page.both(&error),
            }
        }
    }
    let (from, to) = redaction.redact_pair(live, git);
    page.both(&from);
    page.both(&to);
    let options =
        UnifiedOptions::default().with_redaction(redaction.clone()).with_server_fields_hidden(false);
    page.0 += &unified(live, git, &options);
    page.0 += &unified(git, live, &options.with_context(100).with_colour(true));
    page.0
}

/// What it has to say about an object alone.
fn alone(object: &Value, redaction: &Redaction) -> String {
    let mut page = Page::default();
    for schema in [&BuiltIn as &dyn Schema, &Deduced] {
        let ty = schema.type_or_deduced(&TypeRef::of(object));
        if let Err(invalid) = validate(object, ty, ValidateOptions::default()) {
            page.both(&invalid.redacted(redaction, object));
        }
        if let Err(error) = extract(object, "us", Operation::Apply, "", schema) {
            page.both(&error);
        }
    }
    let redacted = redaction.redact(object);
    page.both(&redacted);
    page.json(&redacted);
    page.0 += &yaml(&redacted);
    if let Err(error) = ManagedFields::of(object) {
        page.both(&error);
    }
    page.0
}

/// Fails if one of the words is there, as it is or in base64.
fn check(page: &str, words: &[&String]) -> Result<(), TestCaseError> {
    for word in words {
        for form in [(*word).clone(), STANDARD.encode(word)] {
            let form = form.trim_end_matches('=');
            if let Some(at) = page.find(form) {
                let from = page[..at].rfind('\n').map_or(0, |end| end + 1);
                let line = page[from..].lines().next().unwrap_or_default();
                return Err(TestCaseError::fail(format!("{form} is in: {line}")));
            }
        }
    }
    Ok(())
}

fn words() -> impl Strategy<Value = Vec<String>> {
    // Long enough that none is in anything else.
    vec("x[a-zA-Z0-9]{14,20}", 6)
}

/// A value of a Secret, well-formed or not, made of one of the words.
fn value(words: &[String]) -> impl Strategy<Value = Value> + use<> {
    let words = words.to_vec();
    (0..words.len(), 0..12_u8).prop_map(move |(word, form)| {
        let word = &words[word];
        match form {
            0..=3 => json!(STANDARD.encode(word)),
            4 | 5 => json!(word),
            6 => json!([word, {"name": word}]),
            7 => json!({"name": word, word.as_str(): 1}),
            8 => json!(format!("{word}\n")),
            9 => json!(1),
            10 => json!(""),
            _ => Value::Null,
        }
    })
}

/// A Secret, or something like it.
fn secret(words: &[String]) -> impl Strategy<Value = Value> + use<> {
    let values = || btree_map("[abc]", value(words), 0..4);
    // The names in a map are shown.
    let odd = value(words).prop_map(|odd| if odd.is_object() { json!([odd]) } else { odd });
    let managed = fields(words);
    (values(), values(), odd, managed, 0..10_u8, any::<bool>(), any::<bool>()).prop_map(
        |(data, plain, odd, managed, form, with_data, with_plain)| {
            let kind = ["Secret", "Secret", "Secret", "secret", "SECRET "][usize::from(form) % 5];
            let version = ["v1", "v1", "v2", "example.com/v1"][usize::from(form) % 4];
            let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "s"}});
            if with_data {
                object["data"] = json!(data);
            }
            if with_plain {
                object["stringData"] = json!(plain);
            }
            match form {
                7 => object["data"] = odd,
                8 => object["stringdata"] = odd,
                9 => object["metadata"]["annotations"] = odd,
                _ => {}
            }
            object["metadata"]["managedFields"] = managed;
            object
        },
    )
}

/// The managedFields of a Secret, which may be broken.
fn fields(words: &[String]) -> impl Strategy<Value = Value> + use<> {
    let words = words.to_vec();
    let set = (btree_map("[abc]", Just(json!({})), 0..4), 0..words.len(), 0..10_u8);
    let entry =
        (set, "us|them", "Apply|Update").prop_map(move |((names, word, form), manager, operation)| {
            let word = &words[word];
            let mut data: BTreeMap<_, _> =
                names.into_iter().map(|(name, leaf)| (format!("f:{name}"), leaf)).collect();
            match form {
                0 => drop(data.insert(format!("v:\"{word}\""), json!({}))),
                1 => drop(data.insert(format!("k:{{\"name\":\"{word}\"}}"), json!({".": {}, "f:name": {}}))),
                2 => drop(data.insert(format!("v:\"{word}"), json!({}))),
                3 => drop(data.insert("f:a".to_owned(), json!({format!("f:{word}"): {}}))),
                4 => drop(data.insert("f:a".to_owned(), json!(word))),
                _ => {}
            }
            json!({
                "manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": data, "f:stringData": {"f:a": {}}},
            })
        });
    vec(entry, 0..3).prop_map(Value::from)
}

/// Two versions of a Secret with copies of each other, alone or in a list.
fn pair(words: &[String]) -> impl Strategy<Value = (Value, Value)> + use<> {
    let one = || secret(words);
    (one(), one(), one(), 0..9_u8).prop_map(|(mut git, mut live, last, form)| {
        if form % 3 != 0 && !live["metadata"]["annotations"].is_array() {
            live["metadata"]["annotations"] =
                json!({LAST_APPLIED: last.to_string(), "team": "a", "example.com/copy": last.to_string()});
        }
        let list = |items: Vec<Value>, kind: &str| json!({"apiVersion": "v1", "kind": kind, "items": items});
        let without_kind = |object: &mut Value| drop(object.as_object_mut().unwrap().remove("kind"));
        match form {
            0 => without_kind(&mut git),
            1 => without_kind(&mut live),
            2 => (git, live) = (list(vec![git], "List"), list(vec![live, last], "List")),
            3 => {
                without_kind(&mut git);
                (git, live) =
                    (list(vec![git, json!({"kind": "ConfigMap"})], "List"), list(vec![live], "List"));
            }
            4 => {
                without_kind(&mut live);
                (git, live) = (list(vec![git], "List"), list(vec![live], "List"));
                without_kind(&mut live);
            }
            _ => {}
        }
        (git, live)
    })
}

/// Whether an object, with those that it lists, can be seen to be a Secret without another version of it.
fn says_what_it_is(object: &Value) -> bool {
    let items = object["items"].as_array();
    object["kind"].is_string() && items.into_iter().flatten().all(|item| item["kind"].is_string())
}

/// Marked paths, and an object that has words at them only.
fn marked() -> impl Strategy<Value = (Redaction, Vec<String>, Value, Value)> {
    let paths = prop_oneof![
        Just(".metadata.finalizers"),
        Just(".metadata.finalizers[0]"),
        Just(".spec.containers[0].name"),
        Just(".spec.containers[0]"),
        Just(".spec.containers"),
        Just(".spec"),
        Just(".spec.containers[0].args"),
        Just(".metadata.annotations.token"),
    ];
    (paths, words(), vec("i[12]", 4), any::<[bool; 4]>()).prop_map(|(path, words, images, flags)| {
        let mut at = 0;
        let mut word = || {
            at += 1;
            words[at % 3].clone()
        };
        let mut object = |image: &str, other: bool, with: bool| {
            let mut object = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "finalizers": ["plain"], "annotations": {"team": "a"}},
                "spec": {"containers": [{"name": "main", "image": image, "args": ["x"]}, {"name": "side", "image": image}]},
            });
            if other {
                object["metadata"]["finalizers"] = json!(["plain", "more"]);
            }
            if with {
                match path {
                    ".metadata.finalizers" | ".metadata.finalizers[0]" => {
                        object["metadata"]["finalizers"][0] = json!(word());
                    }
                    ".spec.containers[0].args" => object["spec"]["containers"][0]["args"] = json!([word(), word()]),
                    ".metadata.annotations.token" => object["metadata"]["annotations"]["token"] = json!(word()),
                    _ => object["spec"]["containers"][0]["name"] = json!(word()),
                }
            }
            object
        };
        let options = WriteOptions::new("us");
        let last = object(&images[0], flags[0], true);
        let git = object(&images[1], flags[1], flags[2]);
        let edited = object(&images[2], flags[3], true);
        let applied = apply(None, &last, &BuiltIn, &options).unwrap().object.into_owned();
        let mut live = if flags[0] {
            // Somebody else wrote over it.
            update(Some(&applied), &edited, &BuiltIn, &WriteOptions::new("them")).unwrap().object.into_owned()
        } else {
            applied
        };
        live["metadata"]["annotations"][LAST_APPLIED] = json!(last.to_string());
        let redaction = Redaction::reveal_everything().with_path(path.parse().unwrap());
        (redaction, words, git, live)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_value_of_a_secret((words, (git, live)) in words().prop_flat_map(|words| (Just(words.clone()), pair(&words)))) {
        let mut page = everything(&git, &live, &Redaction::default());
        if says_what_it_is(&git) && says_what_it_is(&live) {
            page += &alone(&git, &Redaction::default());
            page += &alone(&live, &Redaction::default());
        }
        check(&page, &words.iter().collect::<Vec<_>>())?;
    }

    #[test]
    fn no_value_at_a_marked_path((redaction, words, git, live) in marked()) {
        let page = everything(&git, &live, &redaction) + &alone(&git, &redaction) + &alone(&live, &redaction);
        check(&page, &words.iter().collect::<Vec<_>>())?;
    }

    #[test]
    fn a_mask_hides_no_difference((redaction, _, git, live) in marked()) {
        let count = |redaction: Redaction| {
            let options = DiffOptions::default().with_redaction(redaction);
            (
                compare(&git, &live, &BuiltIn, &options).is_empty(),
                diff(&live, &git, &BuiltIn, &options).is_empty(),
                std::mem::discriminant(&judge(&git, &live, Applier::new("us"), &BuiltIn, &options)),
                unified(&live, &git, &UnifiedOptions::default().with_redaction(options.redact.clone())).is_empty(),
            )
        };
        prop_assert_eq!(count(redaction), count(Redaction::reveal_everything()));
    }
}
