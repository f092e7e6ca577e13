//! Edits of files as people write them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod fields;
mod kustomize;
mod markers;
mod secrets;
mod styles;

use gitops_core::diff::FieldPath;
use gitops_core::{RepoPath, ResourceId};
use gitops_edit::{EditError, Edited, ImageRef, NewValue, YamlFile};

pub(crate) fn file(text: &str) -> YamlFile<'_> {
    try_file(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

pub(crate) fn try_file(text: &str) -> Result<YamlFile<'_>, EditError> {
    YamlFile::parse(&RepoPath::new("a.yaml").unwrap(), text.as_bytes())
}

pub(crate) fn path(text: &str) -> FieldPath {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn image(text: &str) -> ImageRef {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn text(edited: &Edited) -> &str {
    std::str::from_utf8(&edited.bytes).unwrap()
}

/// The object that [`with_head`] puts in front.
pub(crate) fn config() -> ResourceId {
    ResourceId::global("", "Config", "a")
}

/// A document with some lines of its own.
pub(crate) fn with_head(lines: &str) -> String {
    format!("apiVersion: v1\nkind: Config\nmetadata: {{name: a}}\n{lines}")
}

pub(crate) fn set(lines: &str, field: &str, new: &NewValue) -> Result<String, EditError> {
    let before = with_head(lines);
    let edited = file(&before).set_field(&config(), &path(field), new)?;
    let after = text(&edited).to_owned();
    let again = file(&after).set_field(&config(), &path(field), new)?;
    assert!(again.is_unchanged() && again.bytes == after.as_bytes(), "{after}");
    Ok(after.strip_prefix(&with_head("")).unwrap_or_else(|| panic!("{after}")).to_owned())
}
