//! Edits of manifests, wherever below a path they are written.

mod field;
mod image;
mod kustomize;
mod search;

pub use field::SetField;
pub use image::SetImage;
pub use kustomize::SetKustomizeImage;
