//! Desired and live objects of many kinds, as an engine meets them: the same in every run.
//!
//! Most pairs are in sync. Of the drifted ones every other was changed by hand (the live object differs from Git, and
//! the field changed hands), and in the rest Git went on (the desired object differs from what was last applied).

mod fields;
mod kinds;
mod random;

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::kinds::{KINDS, Kind, Names, Reported};
use self::random::Random;

/// The field manager that applied the objects.
pub const MANAGER: &str = "gitops/shop";

/// One object in three states, as JSON text.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pair {
    /// What was applied last.
    pub last_applied: String,
    /// What Git says now.
    pub desired: String,
    /// What the API server has.
    pub live: String,
    /// Whether the live object differs from what Git says.
    pub drifted: bool,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("desired", &self.desired)
            .field("drifted", &self.drifted)
            .finish_non_exhaustive()
    }
}

/// So many pairs; the same number gives the same pairs.
pub fn pairs(count: usize) -> Vec<Pair> {
    let mut random = Random::seeded(4);
    (0..count).map(|number| pair(number, &mut random)).collect()
}

/// As lines of JSON, for programs in other languages.
pub fn to_lines(pairs: &[Pair]) -> serde_json::Result<String> {
    let mut lines = String::new();
    for pair in pairs {
        lines.push_str(&serde_json::to_string(pair)?);
        lines.push('\n');
    }
    Ok(lines)
}

fn pair(number: usize, random: &mut Random) -> Pair {
    let kind = kind(random);
    let names = Names {
        name: format!("{}-{number}", random.pick(&["orders", "payments", "catalogue", "search", "mail"])),
        namespace: format!("shop-{}", random.pick(&["blue", "green", "test", "eu", "us"])),
        app: format!("{}-{}", random.pick(&["backend", "frontend", "gateway"]), random.below(1_000)),
    };
    let applied = manifest(kind, &names, random);
    let mut live = applied.clone();
    (kind.defaulted)(&mut live, random);
    let reported = (kind.status)(&live, random);

    let mut ours = fields::of(&applied, kind.known);
    let mut desired = applied.clone();
    let mut changed = None;
    let drifted = number % 10 == 3;
    let (path, by_hand) = kind.by_hand;
    let pointer: String = path.iter().fold(String::new(), |mut text, step| {
        let _ = write!(text, "/{step}");
        text
    });
    if drifted && number % 20 == 3 {
        put(&mut live, path, by_hand(random));
        let elements: Vec<_> = path.iter().map(|step| format!("f:{step}")).collect();
        let elements: Vec<_> = elements.iter().map(String::as_str).collect();
        fields::without(&mut ours, &elements);
        changed = live.pointer(&pointer).map(|value| (path, value.clone()));
    } else if drifted {
        put(&mut desired, path, by_hand(random));
        put(&mut desired, &["metadata", "labels", "app.kubernetes.io/version"], json!("2.0.0"));
        if let Some(annotations) = desired.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
        {
            annotations.remove("example.com/runbook");
        }
    }
    let last_applied = applied.to_string();
    stored(&mut live, &last_applied, ours, changed, reported, kind, random);
    Pair { desired: desired.to_string(), live: in_server_order(&live), last_applied, drifted }
}

fn kind(random: &mut Random) -> &'static Kind {
    let mut at = random.below(KINDS.iter().map(|kind| kind.share).sum());
    for kind in &KINDS {
        if at < kind.share {
            return kind;
        }
        at -= kind.share;
    }
    &KINDS[0]
}

/// What Git has.
fn manifest(kind: &Kind, names: &Names, random: &mut Random) -> Value {
    let mut object = json!({
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": names.name,
            "namespace": names.namespace,
            "labels": {
                "app.kubernetes.io/name": names.app,
                "app.kubernetes.io/part-of": names.namespace,
                "app.kubernetes.io/version": format!("1.{}.0", random.below(60)),
            },
            "annotations": {
                "example.com/owner": random.pick(&["team-orders", "team-payments", "team-search"]),
                "example.com/runbook": format!("https://runbooks.example.com/{}", names.app),
            },
        },
    });
    let below = (kind.desired)(random, names);
    if let (Some(object), Value::Object(below)) = (object.as_object_mut(), below) {
        object.extend(below);
    }
    object
}

/// What the API server adds to an object that it stores.
fn stored(
    live: &mut Value,
    last_applied: &str,
    ours: Value,
    by_hand: Option<(&[&str], Value)>,
    reported: Reported,
    kind: &Kind,
    random: &mut Random,
) {
    let entry = |manager: &str, operation: &str, subresource: Option<&str>, time: &str, fields: Value| {
        let mut entry = json!({
            "manager": manager, "operation": operation, "apiVersion": kind.api_version, "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        });
        if let Some(subresource) = subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    };
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let kubectl = json!({"metadata": {"annotations": {annotation: last_applied}}});
    let mut entries = vec![
        entry(MANAGER, "Apply", None, "2026-08-20T01:00:00Z", ours),
        entry(
            "kubectl-client-side-apply",
            "Update",
            None,
            "2026-03-01T09:30:00Z",
            fields::of(&kubectl, true),
        ),
    ];
    put(live, &["metadata", "annotations", annotation], json!(last_applied));
    if !reported.annotations.is_empty() {
        let tree = json!({"metadata": {"annotations": reported.annotations}});
        entries.push(entry(
            reported.manager,
            "Update",
            None,
            "2026-08-20T01:00:05Z",
            fields::of(&tree, true),
        ));
        for (name, value) in reported.annotations {
            put(live, &["metadata", "annotations", &name], value);
        }
    }
    if let Some(status) = reported.status {
        let tree = json!({"status": status});
        let fields = fields::of(&tree, kind.known);
        entries.push(entry(reported.manager, "Update", Some("status"), "2026-08-20T01:00:09Z", fields));
        put(live, &["status"], status);
    }
    if let Some((path, value)) = by_hand {
        let mut tree = json!({});
        put(&mut tree, path, value);
        entries.push(entry(
            "kubectl-edit",
            "Update",
            None,
            "2026-08-20T08:15:00Z",
            fields::of(&tree, kind.known),
        ));
    }
    put(live, &["metadata", "creationTimestamp"], json!("2026-03-01T09:30:00Z"));
    put(live, &["metadata", "generation"], json!(1 + random.below(40)));
    put(live, &["metadata", "resourceVersion"], json!((100_000_000 + random.below(900_000_000)).to_string()));
    let uid = [8, 4, 4, 4, 12].map(|digits| random.hex(digits)).join("-");
    put(live, &["metadata", "uid"], json!(uid));
    put(live, &["metadata", "managedFields"], Value::Array(entries));
}

fn put(tree: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = tree;
    for step in way {
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry((*step).to_owned()).or_insert_with(|| json!({}));
    }
    if let Some(map) = at.as_object_mut() {
        map.insert((*last).to_owned(), value);
    }
}

/// The JSON text of an object with its parts in the order in which API servers write them: the metadata before the
/// specification, and the status last.
fn in_server_order(object: &Value) -> String {
    const FIRST: [&str; 4] = ["kind", "apiVersion", "metadata", "spec"];
    let Value::Object(map) = object else { return object.to_string() };
    let rank = |name: &str| match FIRST.iter().position(|first| *first == name) {
        Some(at) => at,
        None if name == "status" => FIRST.len() + 1,
        None => FIRST.len(),
    };
    let mut parts: Vec<_> = map.iter().collect();
    parts.sort_by_key(|(name, _)| rank(name));
    let parts: Vec<_> = parts.iter().map(|(name, part)| format!("{}:{part}", json!(name))).collect();
    format!("{{{}}}", parts.join(","))
}

/// A tree as JSON text that does not depend on the order of its maps.
pub fn canonical(tree: &Value) -> String {
    fn sorted(tree: &Value) -> Value {
        match tree {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(name, _)| *name);
                let entries = entries.into_iter().map(|(name, child)| (name.clone(), sorted(child)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            scalar => scalar.clone(),
        }
    }
    sorted(tree).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_is_as_announced_and_always_the_same() {
        let all = pairs(2_000);
        let mean = |size: fn(&Pair) -> usize| all.iter().map(size).sum::<usize>() / all.len();
        let (desired, live) = (mean(|pair| pair.desired.len()), mean(|pair| pair.live.len()));
        assert!((900..1_300).contains(&desired), "desired objects have {desired} bytes, live ones {live}");
        assert!((3_800..5_000).contains(&live), "live objects have {live} bytes");
        assert_eq!(all.iter().filter(|pair| pair.drifted).count(), 200);
        for pair in &all {
            let live: Value = serde_json::from_str(&pair.live).unwrap();
            let desired: Value = serde_json::from_str(&pair.desired).unwrap();
            assert_eq!(live["metadata"]["name"], desired["metadata"]["name"]);
            assert_eq!(pair.drifted, !stated(&desired, &live), "{}", pair.desired);
        }
        assert_eq!(to_lines(&all[..50]).unwrap(), to_lines(&pairs(50)).unwrap());
    }

    /// Whether the live object has all that the desired one states.
    fn stated(desired: &Value, live: &Value) -> bool {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => {
                desired.iter().all(|(name, child)| live.get(name).is_some_and(|live| stated(child, live)))
            }
            (Value::Array(desired), Value::Array(live)) => {
                desired.len() == live.len() && desired.iter().zip(live).all(|(d, l)| stated(d, l))
            }
            _ => desired == live,
        }
    }
}
