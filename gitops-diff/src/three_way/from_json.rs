//! From JSON texts to a patch.

use serde_json::Value;

use super::partial::parse_like;
use super::{PatchType, ThreeWayError, ThreeWayOptions, choose};
use crate::schema::Schema;
use crate::{merge_patch, strategic as strategic_merge};

/// The patch of [`as_kubectl`](super::as_kubectl) from JSON texts, without the account of the fields.
///
/// It takes a fraction of what parsing the texts takes: of the live object only those parts of the metadata and of the top
/// level are read that the other two have, and equal texts are read once. What is passed over is looked at only as far as
/// it takes to find its end.
///
/// ```
/// use gitops_diff::schema::BuiltIn;
/// use gitops_diff::three_way::{self, PatchType, ThreeWayOptions};
/// use serde_json::json;
///
/// let git = br#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}"#;
/// let live = br#"{"kind": "ConfigMap", "apiVersion": "v1",
///     "metadata": {"name": "a", "uid": "u-1", "resourceVersion": "7"}, "data": {"k": "2"}}"#;
/// let (patch, patch_type) =
///     three_way::patch_from_json(git, git, live, &BuiltIn, &ThreeWayOptions::default())?;
/// assert_eq!((patch, patch_type), (json!({"data": {"k": "1"}}), PatchType::Strategic));
/// # Ok::<(), three_way::ThreeWayError>(())
/// ```
pub fn patch_from_json(
    last_applied: &[u8],
    desired: &[u8],
    live: &[u8],
    schema: &dyn Schema,
    options: &ThreeWayOptions,
) -> Result<(Value, PatchType), ThreeWayError> {
    let unread = |document| {
        move |error: serde_json::Error| ThreeWayError::Unread { document, message: error.to_string() }
    };
    let before = if last_applied == desired {
        None
    } else {
        Some(serde_json::from_slice(last_applied).map_err(unread("the last applied object"))?)
    };
    let desired: Value = serde_json::from_slice(desired).map_err(unread("the desired object"))?;
    let last_applied = before.as_ref().unwrap_or(&desired);
    let live = parse_like(live, [last_applied, &desired]).map_err(unread("the live object"))?;
    let (ty, merge) = choose(&desired, schema, &options.merge);
    let hide = |error: ThreeWayError| error.redacted(&options.redact, [last_applied, &desired, &live]);
    if let Some(ty) = ty {
        let patch = strategic_merge::three_way(last_applied, &desired, &live, ty, &merge);
        return Ok((patch.map_err(|error| hide(error.into()))?, PatchType::Strategic));
    }
    let patch = merge_patch::three_way(last_applied, &desired, &live, &merge.preconditions)
        .map_err(|error| hide(error.into()))?;
    Ok((patch, PatchType::JsonMerge))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::BuiltIn;
    use crate::testing::{deployment, small_value};
    use crate::three_way::as_kubectl;

    fn both(trees: [&Value; 3], overwrite: bool) -> [Option<Value>; 2] {
        let options = ThreeWayOptions::default();
        let merge = options.merge.clone().with_overwrite(overwrite);
        let options = options.with_merge(merge);
        let [a, b, c] = trees.map(ToString::to_string);
        let patch = patch_from_json(a.as_bytes(), b.as_bytes(), c.as_bytes(), &BuiltIn, &options);
        let whole = as_kubectl(trees[0], trees[1], trees[2], &BuiltIn, &options);
        assert_eq!(
            patch.as_ref().ok().map(|(_, kind)| *kind),
            whole.as_ref().ok().map(|whole| whole.patch_type)
        );
        [patch.ok().map(|(patch, _)| patch), whole.ok().map(|whole| whole.patch)]
    }

    /// A live object with what servers add.
    fn stored(mut object: Value, extra: &Value) -> Value {
        object["status"] = extra.clone();
        object["metadata"]["uid"] = json!("u");
        object["metadata"]["annotations"] = json!({"kubectl": "{\"x\": 1}"});
        object["metadata"]["managedFields"] = json!([{"manager": "x"}]);
        object["spec"]["paused"] = json!(true);
        object
    }

    #[test]
    fn what_is_no_json_is_named() {
        let patch = |a: &str, b: &str, c: &str| {
            let options = ThreeWayOptions::default();
            patch_from_json(a.as_bytes(), b.as_bytes(), c.as_bytes(), &BuiltIn, &options)
                .unwrap_err()
                .to_string()
        };
        assert!(patch("{", "{}", "{}").starts_with("the last applied object is no JSON: EOF"));
        assert!(patch("{}", "", "{}").starts_with("the desired object is no JSON: EOF"));
        assert!(patch("{}", "{}", "{\"a\": tru}").starts_with("the live object is no JSON: "));
        assert!(patch("{}", "{}", "{} x").starts_with("the live object is no JSON: "));
    }

    proptest! {
        #[test]
        fn the_texts_give_what_the_trees_give(
            a in deployment(), b in deployment(), c in deployment(), extra in small_value(),
            same in any::<bool>(), known in any::<bool>(), overwrite in any::<bool>(),
        ) {
            let mut trees = [if same { b.clone() } else { a }, b, stored(c, &extra)];
            if !known {
                for tree in &mut trees {
                    tree["apiVersion"] = json!("example.com/v1");
                }
            }
            let [quick, whole] = both([&trees[0], &trees[1], &trees[2]], overwrite);
            prop_assert_eq!(quick, whole);
        }

        #[test]
        fn odd_texts_too(a in small_value(), b in small_value(), c in small_value(), inside in any::<bool>()) {
            let wrap = |v: &Value| if inside {
                json!({"metadata": {"labels": v, "annotations": {"x": v}}, "data": v})
            } else {
                json!({"metadata": v, "apiVersion": "v1", "kind": "ConfigMap"})
            };
            let [quick, whole] = both([&wrap(&a), &wrap(&b), &wrap(&c)], true);
            prop_assert_eq!(quick, whole);
            let [quick, whole] = both([&a, &b, &c], true);
            prop_assert_eq!(quick, whole);
        }
    }
}
