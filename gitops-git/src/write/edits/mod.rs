//! Edits of manifests, wherever below a path they are written.

mod edited;
mod field;
mod image;
mod kustomize;

pub use field::SetField;
pub use image::SetImage;
pub use kustomize::SetKustomizeImage;
