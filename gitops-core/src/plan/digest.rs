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
    let items: Vec<Approved<'_>> = plan.steps().map(approved).collect();
    let revision = plan.revision.as_ref().map(|revision| &revision.id);
    let contents = serde_json::to_value((&plan.app, revision, items)).unwrap_or(Value::Null);
    Digest::of_value(&contents)
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
        .map(|placed| Digest::of_value(&Redaction::default().redact(&placed.manifest.object)));
    let fields = item.differences.iter().map(|difference| difference.path.to_string()).collect();
    Approved { id: &item.id, decision: &item.decision, incarnation, fields, desired }
}
