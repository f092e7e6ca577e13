//! Setting a field of an object.

use gitops_core::diff::FieldPath;
use gitops_core::{Class, Fault, RepoPath, ResourceId};
use gitops_edit::{EditError, NewValue, YamlFile};

use super::edited::{failed, put};
use crate::write::{Edit, Files};

/// Sets one field of an object, in the file below a path in which it is written.
///
/// The id is as the file has it: with a namespace if that is written there. It is an error if there is no such object
/// ([`Class::NotFound`]), if several files have it, or if the field is not there. Files that are no YAML are passed
/// over, and those that have the kind or the name nowhere as they are, but escaped.
#[derive(Debug, Clone, PartialEq)]
pub struct SetField {
    path: RepoPath,
    object: ResourceId,
    field: FieldPath,
    value: NewValue,
}

impl SetField {
    /// Sets a field of the object with this id.
    pub fn new(path: RepoPath, object: ResourceId, field: FieldPath, value: NewValue) -> Self {
        Self { path, object, field, value }
    }
}

impl Edit for SetField {
    /// Without the value, which may be a Secret's.
    fn subject(&self) -> Option<String> {
        Some(format!("Set {} of {}", self.field, self.object))
    }

    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        let mut found = Vec::new();
        for (path, content) in files.mentioning(&self.path, &[&self.object.kind, &self.object.name])? {
            let Ok(file) = YamlFile::parse(&path, &content) else { continue };
            match file.set_field(&self.object, &self.field, &self.value) {
                Err(EditError::ObjectNotFound { .. }) => {}
                edited => found.push((path, edited.map_err(failed)?)),
            }
        }
        match <[_; 1]>::try_from(found) {
            Ok([(path, edited)]) => put(files, &path, edited),
            Err(found) if found.is_empty() => {
                let problem = format!("{:#} is in no file that can be read", self.object);
                Err(Fault::new(Class::NotFound, problem).at(&self.path))
            }
            Err(found) => {
                let paths: Vec<String> = found.iter().map(|(path, _)| path.to_string()).collect();
                let problem = format!("{:#} is in several files: {}", self.object, paths.join(", "));
                Err(Fault::invalid(problem).at(&self.path))
            }
        }
    }
}
