//! Why a strategic merge is not possible.

use std::sync::Arc;

use serde_json::Value;

use crate::{FieldPath, PathElement};

/// A strategic merge that is not possible: where, and why.
///
/// It holds names of fields and the merge keys of list items, no other values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
#[non_exhaustive]
pub struct StrategicError {
    /// Where: the field, or the map or list whose field it is.
    pub path: FieldPath,
    /// Why.
    pub reason: StrategicErrorReason,
}

pub(super) use self::StrategicErrorReason as Reason;

/// Why a strategic merge is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrategicErrorReason {
    /// An object or a patch is no map.
    #[error("the objects and the patch must be maps")]
    NotAnObject,
    /// The schema has no such field, and [`UnknownFields::Refuse`](crate::schema::UnknownFields::Refuse) was asked for.
    #[error("the schema has no field {0:?}: correct the name, or allow unknown fields")]
    UnknownField(String),
    /// Maps are to be merged where the schema has no named fields, and
    /// [`UnknownFields::Refuse`](crate::schema::UnknownFields::Refuse) was asked for.
    #[error("the schema has no named fields here, so the value under {0:?} cannot be merged: replace it")]
    NoNamedFields(String),
    /// Lists are to be merged where the schema has none, and
    /// [`UnknownFields::Refuse`](crate::schema::UnknownFields::Refuse) was asked for.
    #[error("the schema has no list here: correct the value")]
    NotAList,
    /// An item of a keyed list lacks the field that tells the items apart.
    #[error("an item has no {0:?}, which tells the items apart: give every item one")]
    NoMergeKey(Arc<str>),
    /// Lists of maps are to be merged, and the schema does not say what tells the items apart.
    #[error("nothing tells the items of this list apart: replace the list as a whole")]
    NoDeclaredMergeKey,
    /// A value, or the value of a directive, has another type than its use asks for.
    #[error("expected a {expected}, found another type: correct the value")]
    WrongType {
        /// What it should be: `list` or `map`.
        expected: &'static str,
    },
    /// The items of a merged list have different types.
    #[error("the items of a merged list must have one type")]
    MixedItems,
    /// The items of a merged list are lists.
    #[error("lists of lists cannot be merged")]
    ListOfLists,
    /// A merged list begins with null.
    #[error("a merged list cannot hold null: take it out")]
    NullItem,
    /// A list that is to be ordered or compared has no items on either side.
    #[error("both lists are empty")]
    NoItems,
    /// Maps or lists are compared where only scalars can be.
    #[error("only scalars can be compared here: correct the merge key or the directive")]
    Uncomparable,
    /// The items of the patch do not come in the order that `$setElementOrder` states.
    #[error("the patch's items are not in the order of \"$setElementOrder\": put both in the same order")]
    OrderMismatch,
    /// `$patch` is none of the values that are allowed where it stands.
    #[error("\"$patch\" must be \"replace\" or \"delete\" here")]
    BadDirective,
    /// `$retainKeys` is no list, or lacks a key of the patch.
    #[error("\"$retainKeys\" must be the list of all keys that the patch sets")]
    BadRetainKeys,
    /// The `$retainKeys` of two patches that are combined differ.
    #[error("the two patches have different \"$retainKeys\"")]
    DifferentRetainKeys,
    /// `$setElementOrder` names no list, or the orders of two patches that are combined differ.
    #[error("\"$setElementOrder/FIELD\" must be the one order of the list")]
    BadSetElementOrder,
    /// `$deleteFromPrimitiveList` names no list.
    #[error("\"$deleteFromPrimitiveList/FIELD\" must name a list")]
    BadDeleteFromPrimitiveList,
    /// The patch changes a field that was to stay as it is.
    #[error("the patch would change this field, which must not change: delete the object and create it anew")]
    Precondition,
    /// The live object was changed in another way than the desired one.
    #[error("the live object was changed otherwise here: overwrite it, or state the live value")]
    Conflict,
}

impl StrategicErrorReason {
    /// A word for the class of the error, as conformance vectors have it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotAnObject => "bad_json",
            Self::UnknownField(_) | Self::NoNamedFields(_) | Self::NotAList => "schema",
            Self::NoMergeKey(_) | Self::NoDeclaredMergeKey => "no_merge_key",
            Self::WrongType { .. } | Self::MixedItems | Self::ListOfLists | Self::NoItems => "type",
            Self::NullItem | Self::Uncomparable => "panic",
            Self::OrderMismatch => "order_mismatch",
            Self::BadDirective => "bad_directive",
            Self::BadRetainKeys => "bad_retain_keys",
            Self::DifferentRetainKeys => "other",
            Self::BadSetElementOrder => "bad_set_element_order",
            Self::BadDeleteFromPrimitiveList => "bad_delete_from_primitive_list",
            Self::Precondition => "precondition",
            Self::Conflict => "conflict",
        }
    }
}

/// The reason alone: the path is added on the way back up, so that walking down costs nothing.
impl From<StrategicErrorReason> for StrategicError {
    fn from(reason: StrategicErrorReason) -> Self {
        Self { path: FieldPath::root(), reason }
    }
}

impl StrategicError {
    /// The same error, seen from the map whose field it is in.
    pub(super) fn under(self, field: &str) -> Self {
        self.below(PathElement::field(field))
    }

    /// The same error, seen from the list in whose item it is.
    pub(super) fn under_item(self, key: &str, value: &Value) -> Self {
        self.below(PathElement::key(key, value.clone()))
    }

    fn below(mut self, element: PathElement) -> Self {
        let path = std::iter::once(element).chain(self.path.elements().iter().cloned()).collect();
        self.path = path;
        self
    }
}
