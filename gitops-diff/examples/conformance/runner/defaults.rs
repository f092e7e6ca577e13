//! What the API server stores for an object.

use gitops_diff::schema::BuiltIn;
use gitops_diff::{DiffOptions, compare};

use super::vectors::Case;

/// There is no difference between an object and what is stored for it.
pub(crate) fn run(case: &Case) -> Result<(), String> {
    let [Some(object), Some(stored)] = ["object", "stored"].map(|field| case.get(field)) else {
        return Err("the case has no object".to_owned());
    };
    let found = compare(object, stored, &BuiltIn, &DiffOptions::default());
    found.first().map_or(Ok(()), |difference| Err(difference.to_string()))
}
