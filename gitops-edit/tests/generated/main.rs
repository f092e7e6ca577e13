//! Edits of files that chance wrote, in all the styles that YAML has: outside of the value, every byte is the same, and the file
//! says the same but for that value. What the file says is known from who wrote it, and is read by the engine's own decoding, and by
//! libyaml.
//!
//! `GITOPS_EDIT_SEEDS=20000 cargo test --release -p gitops-edit --test generated` tries more, `GITOPS_EDIT_SEED=17` one again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod dice;
mod model;
mod writer;

use std::ops::{Range, RangeInclusive};

use dice::Dice;
use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::diff::{FieldPath, PathElement};
use gitops_core::{RepoPath, ResourceId};
use gitops_edit::{EditError, NewValue, YamlFile};
use serde::Deserialize as _;
use serde_json::Value;
use writer::{Leaf, Writer};

struct Case {
    text: String,
    objects: Vec<(ResourceId, Value)>,
    leaves: Vec<Leaf>,
    /// libyaml reads it as we do, and so it must read what becomes of it. It is older, and does not know all of YAML 1.2.
    is_read_alike: bool,
}

fn seeds(usual: u64) -> RangeInclusive<u64> {
    let read =
        |end: &str| std::env::var(format!("GITOPS_EDIT_{end}")).ok().map(|text| text.parse::<u64>().unwrap());
    match read("SEED") {
        Some(seed) => seed..=seed,
        None => 1..=read("SEEDS").unwrap_or(usual),
    }
}

fn name() -> RepoPath {
    RepoPath::new("a.yaml").unwrap()
}

fn generate(dice: &mut Dice) -> Case {
    let objects: Vec<_> = (0..=dice.below(3)).map(|number| model::object(dice, number)).collect();
    let mut writer = Writer::new(dice);
    writer.stream(&objects.iter().map(|(_, object)| object.clone()).collect::<Vec<_>>());
    let said = libyaml_says(&writer.text);
    let is_read_alike = said.is_some_and(|said| said.iter().eq(objects.iter().map(|(_, object)| object)));
    Case { text: writer.text, leaves: writer.leaves, objects, is_read_alike }
}

/// What the engine reads.
fn says(text: &[u8]) -> Result<Vec<Value>, String> {
    let manifests = decode(&name(), text, &DecodeLimits::default()).map_err(|errors| errors.to_string())?;
    Ok(manifests.iter().map(gitops_core::Manifest::object).collect())
}

/// What a reader says that has nothing in common with ours: its parser is libyaml's. None if it takes the file for no YAML.
fn libyaml_says(text: &str) -> Option<Vec<Value>> {
    let documents = serde_norway::Deserializer::from_str(text).map(Value::deserialize);
    let documents = documents.collect::<Result<Vec<_>, _>>().ok()?;
    Some(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// That outside of these spans, which are in order, the bytes are the same.
fn same_outside(before: &str, after: &str, spans: &[Range<usize>]) -> bool {
    let mut outside = Vec::new();
    let mut at = 0;
    for span in spans {
        outside.push(&before[at..span.start]);
        at = span.end;
    }
    let (Some(first), last) = (outside.first(), &before[at..]) else { return before == after };
    if !after.starts_with(first) || !after[first.len()..].ends_with(last) {
        return false;
    }
    let mut rest = &after[first.len()..after.len() - last.len()];
    outside[1..].iter().all(|part| match rest.find(part) {
        Some(found) => {
            rest = &rest[found + part.len()..];
            true
        }
        None => false,
    })
}

fn field(case: &Case, dice: &mut Dice, seed: u64) -> bool {
    let leaf = &case.leaves[dice.below(case.leaves.len())];
    let (id, object) = &case.objects[leaf.object];
    let is_identity = [".apiVersion", ".kind", ".metadata.name"].contains(&&*leaf.path.to_string());
    if is_identity {
        return false;
    }
    let old = leaf.path.get(object).unwrap();
    let value = if dice.chance(8) { old.clone() } else { model::scalar(dice) };
    let new = match &value {
        Value::String(text) if old.is_string() && dice.chance(2) => NewValue::Text(text.clone()),
        value => NewValue::Exact(value.clone()),
    };
    let told = || format!("seed {seed}, {id} {} = {value}\n{}\n{:?}", leaf.path, case.text, case.text);
    let file =
        YamlFile::parse(&name(), case.text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let edited = match file.set_field(id, &leaf.path, &new) {
        Err(EditError::Shared { .. }) if leaf.is_shared => return false,
        Err(EditError::Unwritable { .. }) if leaf.is_tagged && !value.is_string() => return false,
        other => other.unwrap_or_else(|error| panic!("{error}\n{}", told())),
    };
    assert_eq!(edited.is_unchanged(), *old == value, "{}", told());
    assert!(!leaf.is_shared || edited.is_unchanged(), "{}", told());
    let after = String::from_utf8(edited.bytes).unwrap();
    if edited.changes.is_empty() {
        assert_eq!(after, case.text);
        return false;
    }
    assert_eq!(edited.changes.len(), 1);
    assert!(same_outside(&case.text, &after, std::slice::from_ref(&leaf.span)), "{}\n{after}", told());
    let mut expected: Vec<Value> = case.objects.iter().map(|(_, object)| object.clone()).collect();
    *leaf.path.get_mut(&mut expected[leaf.object]).unwrap() = value.clone();
    assert_eq!(says(after.as_bytes()), Ok(expected.clone()), "{}\n{after}", told());
    assert!(!case.is_read_alike || libyaml_says(&after) == Some(expected), "{}\n{after}", told());
    let again = YamlFile::parse(&name(), after.as_bytes()).unwrap().set_field(id, &leaf.path, &new).unwrap();
    assert!(again.is_unchanged() && again.bytes == after.as_bytes(), "{}", told());
    true
}

fn markers(case: &Case, seed: u64) -> bool {
    let marked: Vec<&Leaf> = case.leaves.iter().filter(|leaf| leaf.is_marked).collect();
    let told = || format!("seed {seed}\n{}", case.text);
    let file =
        YamlFile::parse(&name(), case.text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let image = "registry.example:5000/team/app:2.0.1";
    let edited = match file.set_marked(&[("ns:app".parse().unwrap(), image.parse().unwrap())]) {
        Err(EditError::Shared { .. }) if marked.iter().any(|leaf| leaf.is_shared) => return false,
        other => other.unwrap_or_else(|error| panic!("{error}\n{}", told())),
    };
    assert_eq!(edited.places, marked.len(), "{}", told());
    let after = String::from_utf8(edited.bytes).unwrap();
    let spans: Vec<_> = marked.iter().map(|leaf| leaf.span.clone()).collect();
    assert!(same_outside(&case.text, &after, &spans), "{}\n{after}", told());
    let mut expected: Vec<Value> = case.objects.iter().map(|(_, object)| object.clone()).collect();
    for leaf in marked {
        *leaf.path.get_mut(&mut expected[leaf.object]).unwrap() = Value::from(image);
    }
    let is_read_alike = !case.is_read_alike || libyaml_says(&after).as_ref() == Some(&expected);
    assert!(is_read_alike, "{}\n{after}", told());
    // Where an identity was marked, it is no manifest's any more; the file is the same otherwise.
    if let Ok(said) = says(after.as_bytes()) {
        assert_eq!(said, expected, "{}\n{after}", told());
    }
    !edited.changes.is_empty()
}

/// Every leaf of a tree.
fn leaves(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves(value, &path.field(key), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &path.child(PathElement::Index(index)), found);
            }
        }
        _ => found.push(path.clone()),
    }
}

/// A file of JSON as `serde_json` writes it: with a value set, it is as `serde_json` writes that.
fn json(dice: &mut Dice, seed: u64) -> bool {
    let (id, object) = model::object(dice, 0);
    let write = match dice.below(3) {
        0 => |value: &Value| value.to_string(),
        1 => |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n",
        _ => |value: &Value| {
            let mut text = Vec::new();
            let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
            let mut to = serde_json::Serializer::with_formatter(&mut text, format);
            serde::Serialize::serialize(value, &mut to).unwrap();
            String::from_utf8(text).unwrap().replace('\n', "\r\n")
        },
    };
    let mut paths = Vec::new();
    leaves(&object, &FieldPath::root(), &mut paths);
    let path = &paths[dice.below(paths.len())];
    let value = model::scalar(dice);
    let before = write(&object);
    let told = || format!("seed {seed}, {path} = {value}\n{before}");
    let file =
        YamlFile::parse(&name(), before.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let edited = file
        .set_field(&id, path, &NewValue::Exact(value.clone()))
        .unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let mut expected = object.clone();
    *path.get_mut(&mut expected).unwrap() = value.clone();
    assert_eq!(String::from_utf8(edited.bytes).unwrap(), write(&expected), "{}", told());
    !edited.changes.is_empty()
}

/// How many fields of a file were set, whether its markers were, and whether libyaml reads it as we do.
fn try_one(seed: u64) -> (usize, usize, usize) {
    let mut dice = Dice::new(seed);
    let case = generate(&mut dice);
    let objects: Vec<Value> = case.objects.iter().map(|(_, object)| object.clone()).collect();
    let said = says(case.text.as_bytes());
    assert_eq!(
        said,
        Ok(objects),
        "seed {seed}: the file is not what was meant\n{}\n{:?}",
        case.text,
        case.text
    );
    let fields = (0..5).filter(|_| field(&case, &mut dice, seed)).count();
    let fields = fields + usize::from(json(&mut dice, seed));
    (fields, usize::from(markers(&case, seed)), usize::from(case.is_read_alike))
}

#[test]
fn only_what_was_asked_for_changes() {
    const THREADS: usize = 4;
    let seeds: Vec<u64> = seeds(2_200).collect();
    let add = |sum: (usize, usize, usize), one: (usize, usize, usize)| {
        (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2)
    };
    let (fields, marks, read_alike) = std::thread::scope(|scope| {
        let run = |first: usize| {
            let mine: Vec<u64> = seeds.iter().copied().skip(first).step_by(THREADS).collect();
            scope.spawn(move || mine.into_iter().map(try_one).fold((0, 0, 0), add))
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("see above")).fold((0, 0, 0), add)
    });
    println!("{} files, {fields} fields and the markers of {marks} files set", seeds.len());
    println!("libyaml reads {read_alike} of them alike, and all that became of these");
    let is_much = fields > seeds.len() * 2 && marks > seeds.len() / 5 && read_alike > seeds.len() * 4 / 5;
    assert!(seeds.len() == 1 || is_much);
}
