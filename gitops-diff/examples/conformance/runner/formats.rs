//! The formats of vectors, told by the fields of a case.

use super::vectors::Case;
use super::{Folder, Outcome, defaults, jsonpatch, ownership, patches};

/// Runs one case of any format.
pub(crate) fn run(case: &Case, file: &str, folder: &Folder) -> Outcome {
    match format(case).or_else(|| NAMES.iter().find(|name| file.contains(*name)).copied()) {
        Some("jsonpatch") => jsonpatch::run(case),
        Some("json_merge_patch") => patches::json_merge_patch(case).into(),
        Some("strategic_merge") => patches::strategic_merge(case, folder).into(),
        Some("two_way") => patches::two_way(case, folder).into(),
        Some("three_way") => patches::three_way(case, folder).into(),
        Some("three_way_json") => patches::three_way_json(case).into(),
        Some("ssa") => ownership::apply(case, folder).into(),
        Some("ssa_update") => ownership::update(case, folder).into(),
        Some("smd_ops") => ownership::typed(case, folder).into(),
        Some("defaults") => defaults::run(case).into(),
        _ => Outcome::Failed("the case has the fields of no known format".to_owned()),
    }
}

/// Names of files; one that another begins with comes later.
const NAMES: [&str; 10] = [
    "jsonpatch",
    "json_merge_patch",
    "strategic_merge",
    "two_way",
    "three_way_json",
    "three_way",
    "ssa_update",
    "ssa",
    "smd_ops",
    "defaults",
];

fn format(case: &Case) -> Option<&'static str> {
    let has = |field| case.has(field);
    Some(if has("test") {
        "jsonpatch"
    } else if has("stored") {
        "defaults"
    } else if has("lhs") {
        "smd_ops"
    } else if has("applied") {
        "ssa"
    } else if has("updated") {
        "ssa_update"
    } else if has("patch") {
        if has("kind") { "strategic_merge" } else { "json_merge_patch" }
    } else if has("current") {
        if has("overwrite") { "three_way" } else { "three_way_json" }
    } else if has("modified") {
        "two_way"
    } else {
        return None;
    })
}
