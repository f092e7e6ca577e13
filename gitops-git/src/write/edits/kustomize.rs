//! Setting an image in a kustomization.

use gitops_core::{Class, Fault, RepoPath};
use gitops_edit::{ImageRef, YamlFile};

use super::edited::{failed, put};
use crate::write::{Edit, Files};

/// The names that kustomize gives to its files.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Sets an image in the `images` of a kustomization, as `kustomize edit set image` does.
///
/// It is an error if there is no kustomization ([`Class::NotFound`]), or none of its images has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetKustomizeImage {
    dir: RepoPath,
    name: String,
    image: ImageRef,
}

impl SetKustomizeImage {
    /// Has the kustomization in a directory replace images of this name, as manifests have it, by another one.
    pub fn new(dir: RepoPath, name: impl Into<String>, image: ImageRef) -> Self {
        Self { dir, name: name.into(), image }
    }
}

impl Edit for SetKustomizeImage {
    fn subject(&self) -> Option<String> {
        Some(format!("Set the image {} to {}", self.name, self.image))
    }

    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        for name in NAMES {
            let path = self.dir.join(name).map_err(Fault::invalid)?;
            let Some(content) = files.read(&path)? else { continue };
            let edited = YamlFile::parse(&path, &content)
                .and_then(|file| file.set_kustomize_image(&self.name, &self.image))
                .map_err(failed)?;
            return put(files, &path, edited);
        }
        let problem = format!("there is no kustomization: none of {}", NAMES.join(", "));
        Err(Fault::new(Class::NotFound, problem).at(&self.dir))
    }
}
