//! Edits of YAML and JSON files that leave every other byte as it is.
//!
//! One value changes. Comments, order, quotes, indentation, line breaks, flow style, anchors, tags, documents beside it: all of that
//! stays as somebody wrote it. The file is then read again, as the engine reads manifests, and must say the same as before but for what
//! was asked for; else there is an error and no output. Pure: no I/O, no async.
//!
//! What finds the values and what reads them again are two programs on one parser, `granit-parser`: where that one misreads a file,
//! so do both, and so does the engine. The tests have libyaml read it too.
//!
//! There are three ways to say what is to be changed.
//!
//! # By a marker
//!
//! As Flux's image automation has them: a comment behind a value names the policy that decides on it.
//!
//! ```
//! use gitops_core::RepoPath;
//! use gitops_edit::YamlFile;
//!
//! let before = "# shop\nimage: 'ghcr.io/acme/shop:1.0' # {\"$imagepolicy\": \"flux-system:shop\"}\n";
//! let file = YamlFile::parse(&RepoPath::new("apps/shop.yaml")?, before.as_bytes())?;
//! let edited = file.set_marked(&[("flux-system:shop".parse()?, "ghcr.io/acme/shop:1.1".parse()?)])?;
//! assert_eq!(edited.bytes, before.replace("1.0", "1.1").as_bytes());
//! assert_eq!(edited.changes[0].to_string(),
//!     r#"apps/shop.yaml:2:8 (document 1): .image: "ghcr.io/acme/shop:1.0" → "ghcr.io/acme/shop:1.1""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # By the images of a kustomization
//!
//! ```
//! use gitops_core::RepoPath;
//! use gitops_edit::YamlFile;
//!
//! let before = "resources: [deployment.yaml]\nimages:\n- name: shop # ours\n  newTag: \"1.0\"\n";
//! let file = YamlFile::parse(&RepoPath::new("apps/kustomization.yaml")?, before.as_bytes())?;
//! let edited = file.set_kustomize_image("shop", &"ghcr.io/acme/shop:1.1".parse()?)?;
//! assert_eq!(String::from_utf8(edited.bytes)?,
//!     "resources: [deployment.yaml]\nimages:\n- name: shop # ours\n  newName: ghcr.io/acme/shop\n  newTag: \"1.1\"\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # By object and field
//!
//! ```
//! use gitops_core::{RepoPath, ResourceId};
//! use gitops_edit::{NewValue, YamlFile};
//!
//! let before = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2} # two\n";
//! let file = YamlFile::parse(&RepoPath::new("apps/web.yaml")?, before.as_bytes())?;
//! let web = ResourceId::namespaced("apps", "Deployment", "shop", "web");
//! let edited = file.set_field(&web, &".spec.replicas".parse()?, &NewValue::Text("3".into()))?;
//! assert_eq!(edited.bytes, before.replace("replicas: 2", "replicas: 3").as_bytes());
//! let again = YamlFile::parse(&RepoPath::new("apps/web.yaml")?, &edited.bytes)?;
//! assert!(again.set_field(&web, &".spec.replicas".parse()?, &NewValue::Text("3".into()))?.is_unchanged());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is written
//!
//! The new value is written in the style of the old one where that can hold it: plain, `'…'`, `"…"`, or a block (`|`, `>`) with its
//! indentation. Else it is put in double quotes; so is a plain text that some reader of YAML 1.1 or 1.2 would take for a number, a
//! date or a boolean. In a JSON file only JSON is written. A value that is an alias (`*a`) is replaced by the new one. A value that an
//! alias elsewhere stands for cannot be set, as more than it would change: [`EditError::Shared`].
#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod block;
mod change;
mod data;
mod edit;
mod entry;
mod error;
mod file;
mod image_ref;
mod kustomize;
mod limits;
mod locate;
mod marker;
mod resolve;
mod steps;
mod tree;
mod write;

pub use change::Change;
pub use edit::Edited;
pub use error::EditError;
pub use file::{NewValue, YamlFile};
pub use image_ref::{ImageRef, InvalidImageRef};
pub use limits::EditLimits;
pub use marker::{InvalidPolicyName, MARKER_KEY, MarkedPart, PolicyName};
