//! The way from the root to the node that is looked at: made into a path only where there is something to say.

use serde_json::Value;

use super::items::key_of;
use crate::schema::KeyField;
use crate::{FieldPath, PathElement};

/// One step down.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'t> {
    Field(&'t str),
    Item(&'t Value, &'t [KeyField]),
    /// An item named by a field that was found by looking.
    Named(&'t Value, &'t str),
    Value(&'t Value),
    Index(usize),
}

/// A step, and how it was come to it; `None` stands for the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trail<'t> {
    pub(crate) up: Option<&'t Trail<'t>>,
    pub(crate) step: Step<'t>,
}

impl<'t> Trail<'t> {
    pub(crate) fn to_path(trail: Option<&Self>) -> FieldPath {
        let mut elements = Vec::new();
        let mut at = trail;
        while let Some(Trail { up, step }) = at {
            elements.push(step.to_element());
            at = *up;
        }
        elements.reverse();
        FieldPath::from(elements)
    }

    /// The names of the fields on the way, with `*` for an item of a list, from the root down.
    pub(crate) fn names(trail: Option<&Self>) -> Vec<&'t str> {
        let mut names = Vec::new();
        let mut at = trail.copied();
        while let Some(Trail { up, step }) = at {
            names.push(if let Step::Field(name) = step { name } else { "*" });
            at = up.copied();
        }
        names.reverse();
        names
    }
}

impl Step<'_> {
    pub(crate) fn to_element(self) -> PathElement {
        match self {
            Self::Field(name) => PathElement::field(name),
            Self::Item(item, keys) => {
                let key = key_of(item, keys).map(|(field, value)| (field.name.clone(), value.clone()));
                PathElement::Key(key.collect())
            }
            Self::Named(item, field) => PathElement::key(field, item.get(field).cloned().unwrap_or_default()),
            Self::Value(value) => PathElement::Value(value.clone()),
            Self::Index(at) => PathElement::Index(at),
        }
    }
}
