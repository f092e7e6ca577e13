//! The digest that an approval names.

use serde::Serialize;
use serde_json::Value;

use super::{Decision, Item, Plan};
use crate::{Digest, Expect};
use gitops_diff::Redaction;

/// What of an item is approved.
#[derive(Serialize)]
struct Approved<'a> {
    id: &'a crate::ResourceId,
    decision: &'a Decision,
    incarnation: Option<&'a str>,
    fields: Vec<String>,
    desired: Option<Digest>,
}

pub(super) fn digest(plan: &Plan) -> Digest {
    let items: Vec<Approved<'_>> = plan.steps().filter(|item| !is_unsure(item)).map(approved).collect();
    let revision = plan.revision.as_ref().map(|revision| &revision.id);
    let contents = serde_json::to_value((&plan.app, revision, items)).unwrap_or(Value::Null);
    Digest::of_value(&contents)
}

/// Whether nobody knows that anything differs: an update that only the target can judge. One process may remember what
/// another cannot tell, and the digest must be the same in both.
fn is_unsure(item: &Item) -> bool {
    item.decision == Decision::Update && item.differences.is_empty()
}

fn approved(item: &Item) -> Approved<'_> {
    let incarnation = match &item.expect {
        Some(Expect::Same(incarnation)) => Some(&**incarnation),
        Some(Expect::Exactly(token)) => Some(&*token.incarnation),
        _ => None,
    };
    // The values of Secrets are left out: a digest that people see would let them try guesses. The revision stands for
    // them.
    let desired = item
        .desired
        .as_ref()
        .map(|placed| Digest::of_value(Redaction::default().redact(&placed.manifest.object()).as_value()));
    let fields = item.differences.iter().map(|difference| difference.path.to_string()).collect();
    Approved { id: &item.id, decision: &item.decision, incarnation, fields, desired }
}
