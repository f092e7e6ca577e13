//! Whether a case is about one of the rules that ports of these merges get wrong.
//!
//! Each rule has a predicate over what went into a case and what the oracle made of it. They are counted, so that it is
//! known that random objects reach every rule.

use gitops_diff::Quantity;
use serde_json::Value;

/// A rule, and how to tell that a case is about it.
pub(crate) struct Rule {
    pub(crate) number: usize,
    pub(crate) about: &'static str,
    hit: fn(&Seen<'_>) -> bool,
}

/// A case and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) case: &'a Value,
    pub(crate) answer: &'a Value,
}

impl Rule {
    pub(crate) fn is_hit(&self, seen: &Seen<'_>) -> bool {
        (self.hit)(seen)
    }
}

/// The rules, numbered as in the guide to Kubernetes' merges that this crate follows.
pub(crate) const RULES: [Rule; 27] = [
    Rule { number: 1, about: "1 is not 1.0", hit: |s| s.any_pair(int_and_float) },
    Rule { number: 2, about: "quantities are texts", hit: |s| s.any_pair(same_quantity) },
    Rule {
        number: 3,
        about: "$patch in a map",
        hit: |s| s.merges() && has_map_directive(s.input("patch"), false),
    },
    Rule { number: 4, about: "null deletes", hit: |s| s.merges() && any(s.input("patch"), &Value::is_null) },
    Rule {
        number: 5,
        about: "directives left over",
        hit: |s| s.is("strategic_merge") && has_directive(s.output("expected")),
    },
    Rule {
        number: 6,
        about: "items deleted by key",
        hit: |s| s.merges() && has_map_directive(s.input("patch"), true),
    },
    Rule {
        number: 7,
        about: "unknown items come first",
        hit: |s| s.merges() && pairs(s.input("original"), s.output("expected"), &new_first),
    },
    Rule {
        number: 8,
        about: "$deleteFromPrimitiveList",
        hit: |s| s.merges() && has_key(s.input("patch"), "$deleteFromPrimitiveList/"),
    },
    Rule {
        number: 9,
        about: "$setElementOrder panics",
        hit: |s| s.class() == "panic" && has_key(s.input("patch"), "$setElementOrder/"),
    },
    Rule {
        number: 10,
        about: "three-way deletions",
        hit: |s| s.is("three_way") && any(s.output("expected_patch"), &Value::is_null),
    },
    Rule {
        number: 11,
        about: "equal merge keys",
        hit: |s| s.creates() && s.documents().any(|d| any(d, &has_equal_ports)),
    },
    Rule {
        number: 12,
        about: "order of finalizers",
        hit: |s| s.creates() && has_key(s.output("expected_patch"), "$setElementOrder/finalizers"),
    },
    Rule { number: 13, about: "a patch without effect", hit: |s| s.patch_without_effect() },
    Rule {
        number: 14,
        about: "$retainKeys made",
        hit: |s| s.creates() && has_key(s.output("expected_patch"), "$retainKeys"),
    },
    Rule {
        number: 15,
        about: "conflicts without overwrite",
        hit: |s| s.is("three_way") && s.class() == "conflict",
    },
    Rule { number: 16, about: "unknown fields", hit: |s| s.class() == "schema" },
    Rule {
        number: 17,
        about: "unchanged, or a precondition",
        hit: |s| s.class() == "precondition" || s.is("three_way") && is_empty(s.output("expected_patch")),
    },
    Rule {
        number: 18,
        about: "null and {} in JSON merges",
        hit: |s| s.is("three_way_json") && any(s.input("modified"), &is_nothing),
    },
    Rule {
        number: 19,
        about: "conflicts",
        hit: |s| s.is("ssa") && s.output("conflicts").as_array().is_some_and(|all| !all.is_empty()),
    },
    Rule {
        number: 20,
        about: "pruned",
        hit: |s| s.is("ssa") && s.writes() && pairs(s.input("live"), s.output("expected_object"), &lost_key),
    },
    Rule {
        number: 21,
        about: "null residue",
        hit: |s| s.is("ssa") && pairs(s.input("live"), s.output("expected_object"), &became_null),
    },
    Rule {
        number: 22,
        about: "null and {} applied",
        hit: |s| s.is("ssa") && s.writes() && any(s.input("applied"), &is_nothing),
    },
    Rule {
        number: 23,
        about: "order of merged lists",
        hit: |s| {
            pairs(s.input("live"), s.output("expected_object"), &reordered)
                || pairs(s.input("lhs"), s.output("merge"), &reordered)
        },
    },
    Rule { number: 24, about: "keys of several fields", hit: |s| has_composite_key(s.sets()) },
    Rule {
        number: 25,
        about: "other keys than strategic merge",
        hit: |s| {
            has_key(s.sets(), "k:{\"containerPort\"")
                || has_key(s.sets(), "k:{\"port\"")
                || has_key(s.sets(), "\"whenUnsatisfiable\"")
        },
    },
    Rule { number: 26, about: "updates join earlier ones", hit: |s| s.joins_update() },
    Rule {
        number: 27,
        about: "no defaulting",
        hit: |s| {
            s.writes()
                && has_key(s.sets(), "\"protocol\":\"TCP\"")
                && any(s.output("expected_object"), &has_no_protocol)
        },
    },
];

static NOTHING: Value = Value::Null;

impl<'a> Seen<'a> {
    fn input(&self, name: &str) -> &'a Value {
        self.case.get(name).unwrap_or(&NOTHING)
    }

    fn output(&self, name: &str) -> &'a Value {
        self.answer.get(name).unwrap_or(&NOTHING)
    }

    fn is(&self, op: &str) -> bool {
        self.case["op"] == op
    }

    fn class(&self) -> &'a str {
        self.answer["error"]["class"].as_str().unwrap_or_default()
    }

    /// A strategic merge that went well.
    fn merges(&self) -> bool {
        self.is("strategic_merge") && self.answer.get("expected").is_some()
    }

    fn creates(&self) -> bool {
        self.is("two_way") || self.is("three_way")
    }

    /// A write that went well.
    fn writes(&self) -> bool {
        self.answer.get("expected_managedFields").is_some()
    }

    fn documents(&self) -> impl Iterator<Item = &'a Value> {
        ["original", "modified", "current", "patch", "live", "applied", "updated", "lhs", "rhs"]
            .into_iter()
            .filter_map(|name| self.case.get(name))
    }

    /// The sets of fields of the answer.
    fn sets(&self) -> &'a Value {
        if self.is("smd_ops") { self.output("field_set") } else { self.output("expected_managedFields") }
    }

    fn any_pair(&self, found: fn(&Value, &Value) -> bool) -> bool {
        let documents: Vec<_> = self.documents().collect();
        documents.iter().enumerate().any(|(at, a)| documents[at + 1..].iter().any(|b| pairs(a, b, &found)))
    }

    fn patch_without_effect(&self) -> bool {
        self.is("three_way")
            && !is_empty(self.output("expected_patch"))
            && self.answer.get("expected_result") == self.case.get("current")
    }

    fn joins_update(&self) -> bool {
        let mine = |entry: &Value| entry["operation"] == "Update" && entry["manager"] == self.case["manager"];
        self.is("ssa_update")
            && self.input("live")["metadata"]["managedFields"].as_array().into_iter().flatten().any(mine)
    }

    /// Whether there is a result to speak of: an error or an empty patch is none, nor is an object as it was.
    pub(crate) fn is_fruitful(&self) -> bool {
        match self.case["op"].as_str().unwrap_or_default() {
            "strategic_merge" => self.merges() && self.output("expected") != self.input("original"),
            "two_way" | "three_way" | "three_way_json" => {
                self.answer.get("expected_patch").is_some_and(|patch| !is_empty(patch))
            }
            "json_merge_patch" => self
                .output("kubernetes")
                .get("expected")
                .is_some_and(|merged| merged != self.input("original")),
            "smd_ops" => ["added", "modified", "removed"]
                .iter()
                .any(|part| self.output("compare").get(part).is_some_and(|set| !is_empty(set))),
            _ => {
                self.output("conflicts").as_array().is_some_and(|all| !all.is_empty())
                    || self.writes()
                        && (self.output("expected_managedFields")
                            != &self.input("live")["metadata"]["managedFields"]
                            || self.output("expected_object") != self.input("live"))
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || is_empty(value)
}

/// Whether anything in a tree is so.
fn any(value: &Value, found: &dyn Fn(&Value) -> bool) -> bool {
    found(value)
        || match value {
            Value::Object(map) => map.values().any(|value| any(value, found)),
            Value::Array(items) => items.iter().any(|item| any(item, found)),
            _ => false,
        }
}

/// Whether anything is so that is in the same place of two trees.
fn pairs(a: &Value, b: &Value, found: &dyn Fn(&Value, &Value) -> bool) -> bool {
    found(a, b)
        || match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                a.iter().any(|(key, a)| b.get(key).is_some_and(|b| pairs(a, b, found)))
            }
            (Value::Array(a), Value::Array(b)) => a.iter().zip(b).any(|(a, b)| pairs(a, b, found)),
            _ => false,
        }
}

fn has_key(value: &Value, part: &str) -> bool {
    any(value, &|value| value.as_object().is_some_and(|map| map.keys().any(|key| key.contains(part))))
}

fn has_directive(value: &Value) -> bool {
    any(value, &|value| value.as_object().is_some_and(|map| map.keys().any(|key| key.starts_with('$'))))
}

/// Whether a map that is a list's item, or one that is none, has `$patch`.
fn has_map_directive(value: &Value, in_list: bool) -> bool {
    match value {
        Value::Object(map) => map
            .values()
            .any(|inner| !in_list && inner.get("$patch").is_some() || has_map_directive(inner, in_list)),
        Value::Array(items) => {
            items.iter().any(|item| in_list && item["$patch"] == "delete" || has_map_directive(item, in_list))
        }
        _ => false,
    }
}

fn int_and_float(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64(),
        _ => false,
    }
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    let quantity = |value: &Value| value.as_str().and_then(|text| text.parse::<Quantity>().ok());
    a != b && quantity(a).is_some_and(|a| quantity(b) == Some(a))
}

/// Whether a list got an item at its head that it did not have, and kept its own first item.
fn new_first(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_array(), after.as_array()) else { return false };
    matches!((before.first(), after.first()), (Some(old), Some(new)) if !before.contains(new) && after.contains(old))
}

fn reordered(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_array(), after.as_array()) else { return false };
    matches!((before.first(), after.first()), (Some(old), Some(new)) if old != new && after.contains(old))
}

fn has_equal_ports(value: &Value) -> bool {
    let Some(items) = value.as_array() else { return false };
    let port = |item: &Value| item.get("containerPort").or(item.get("port")).cloned();
    items
        .iter()
        .enumerate()
        .any(|(at, a)| port(a).is_some_and(|a| items[at + 1..].iter().any(|b| port(b).as_ref() == Some(&a))))
}

fn lost_key(before: &Value, after: &Value) -> bool {
    match (before.as_object(), after.as_object()) {
        (Some(before), Some(after)) => {
            before.keys().any(|key| key != "managedFields" && !after.contains_key(key))
        }
        _ => false,
    }
}

fn became_null(before: &Value, after: &Value) -> bool {
    after.is_null() && (before.is_object() || before.is_array())
}

fn has_composite_key(sets: &Value) -> bool {
    any(sets, &|value| {
        value.as_object().is_some_and(|map| {
            map.keys().any(|key| key.starts_with("k:") && key.contains("\",\"") || key.contains(",\""))
        })
    })
}

fn has_no_protocol(value: &Value) -> bool {
    (value.get("containerPort").is_some() || value.get("port").is_some()) && value.get("protocol").is_none()
}
