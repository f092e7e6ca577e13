//! What can go wrong with an edit, and where.

use gitops_core::{Class, Place};

/// Why a file was not edited. There is no output then.
///
/// All of these are permanent: they come from what is in the file, or from what was asked for. No value of the file is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is not UTF-8.
    #[error("{place}: the file is not UTF-8 text")]
    NotUtf8 {
        /// The file.
        place: Place,
    },
    /// The YAML or JSON cannot be read.
    #[error("{place}: {problem}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong there.
        problem: String,
    },
    /// The file holds more than [`EditLimits`](crate::EditLimits) allow.
    #[error("{place}: more than {limit} {what} in one file: split it")]
    TooMuch {
        /// Where, as far as that is known.
        place: Place,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A comment begins as a marker, and is none.
    #[error(
        "{place}: this marker {problem}: write # {{\"$imagepolicy\": \"namespace:name\"}}, with :name, :tag or :digest after it for a part"
    )]
    Marker {
        /// Where the comment begins.
        place: Place,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A marker of the policy does not follow a value.
    #[error("{place}: this marker of {policy} marks no value: put it behind the value, on the same line")]
    MarksNothing {
        /// Where the comment begins.
        place: Place,
        /// The policy, as `namespace:name`.
        policy: String,
    },
    /// A marker wants a part of the image that was not given.
    #[error("{place}: the marker wants the {part} of the image, and {image} has none: give an image with it")]
    MissingPart {
        /// Where the comment begins.
        place: Place,
        /// `tag`, `digest` or `tag or digest`.
        part: &'static str,
        /// The image.
        image: String,
    },
    /// The file has no such object.
    #[error("{place}: there is no {object} in this file")]
    ObjectNotFound {
        /// The file.
        place: Place,
        /// The object.
        object: String,
    },
    /// The file has the object twice.
    #[error("{place}: {object} is written here, and at {first}: remove one of them")]
    ObjectTwice {
        /// Where it is written again.
        place: Place,
        /// Where it is written first.
        first: Box<Place>,
        /// The object.
        object: String,
    },
    /// The object has no such field.
    #[error("{place}: {path} is not there: of it there is {found}")]
    FieldNotFound {
        /// Where what was found of the path is.
        place: Place,
        /// The path.
        path: String,
        /// How far it leads.
        found: String,
    },
    /// The list has several items that the path could mean.
    #[error("{place}: {item} can be {first} or {second}: say which is meant by its index")]
    SeveralItems {
        /// Where the second one is.
        place: Place,
        /// The path to them.
        item: String,
        /// The path to the first one by its index.
        first: String,
        /// The path to the second one by its index.
        second: String,
    },
    /// There is a list or a mapping in the file, or in the new value.
    #[error("{place}: {path} is no single value: only a text, a number, true, false or null can be set")]
    NotAScalar {
        /// Where it is.
        place: Place,
        /// The path.
        path: String,
    },
    /// The new text cannot have the type of the old value.
    #[error("{place}: {path} is {is}, and the new value is not: to change the type, give the value as JSON")]
    TypeDiffers {
        /// Where it is.
        place: Place,
        /// The path.
        path: String,
        /// The type of the old value.
        is: &'static str,
    },
    /// The value is used in other places of the document too.
    #[error(
        "{place}: {path} is shared by an anchor, which is used elsewhere in the document: write the value out where it is to differ"
    )]
    Shared {
        /// Where the value is written.
        place: Place,
        /// The path.
        path: String,
    },
    /// The file is no kustomization.
    #[error(
        "{place}: there is no kustomization with a list of images that has an entry: write the first one"
    )]
    NoImages {
        /// The file.
        place: Place,
    },
    /// The kustomization lists the image twice.
    #[error(
        "{place}: the images of this kustomization have another entry with the name {name}: remove one of them"
    )]
    ImageTwice {
        /// The second entry.
        place: Place,
        /// The name.
        name: String,
    },
    /// The value is written in a way that leaves no place for the change.
    #[error("{place}: {problem}")]
    Unwritable {
        /// Where it is.
        place: Place,
        /// Why, and what to do.
        problem: &'static str,
    },
    /// The edited file, read again, differs from what was asked for.
    #[error(
        "{place}: the edited file would differ in more, or in something else, than was asked for: edit it by hand, and report this"
    )]
    Unintended {
        /// The first edit.
        place: Place,
    },
}

impl EditError {
    /// Where it is.
    pub fn place(&self) -> &Place {
        match self {
            Self::NotUtf8 { place }
            | Self::Syntax { place, .. }
            | Self::TooMuch { place, .. }
            | Self::Marker { place, .. }
            | Self::MarksNothing { place, .. }
            | Self::MissingPart { place, .. }
            | Self::ObjectNotFound { place, .. }
            | Self::ObjectTwice { place, .. }
            | Self::FieldNotFound { place, .. }
            | Self::SeveralItems { place, .. }
            | Self::NotAScalar { place, .. }
            | Self::TypeDiffers { place, .. }
            | Self::Shared { place, .. }
            | Self::NoImages { place }
            | Self::ImageTwice { place, .. }
            | Self::Unwritable { place, .. }
            | Self::Unintended { place } => place,
        }
    }

    /// What kind of failure it is: none of them passes by itself.
    pub fn class(&self) -> Class {
        match self {
            Self::ObjectNotFound { .. } | Self::FieldNotFound { .. } | Self::NoImages { .. } => {
                Class::NotFound
            }
            Self::Unwritable { .. } => Class::Unsupported,
            Self::Unintended { .. } => Class::Bug,
            _ => Class::Invalid,
        }
    }
}
