//! What was pushed.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::Value;

use crate::{ImageDigest, Tag};

/// A manifest, and what kind it is.
#[derive(Clone)]
pub(super) struct Manifest {
    pub(super) kind: String,
    pub(super) content: Bytes,
}

#[derive(Default)]
pub(super) struct Repo {
    pub(super) tags: BTreeMap<Tag, ImageDigest>,
    pub(super) manifests: HashMap<ImageDigest, Manifest>,
    pub(super) blobs: HashMap<ImageDigest, Bytes>,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) repositories: BTreeMap<String, Repo>,
    pub(super) uploads: HashMap<String, Vec<u8>>,
    pub(super) begun: u64,
}

/// What a manifest is if nobody says it.
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

impl Store {
    /// Gives a tag to a manifest.
    pub(super) fn tag(&mut self, name: &str, tag: Tag, manifest: &[u8]) -> ImageDigest {
        let digest = ImageDigest::of(manifest);
        let manifest = Manifest { kind: kind_of(manifest), content: Bytes::copy_from_slice(manifest) };
        let repo = self.repositories.entry(name.to_owned()).or_default();
        repo.manifests.insert(digest.clone(), manifest);
        repo.tags.insert(tag, digest.clone());
        digest
    }
}

fn kind_of(manifest: &[u8]) -> String {
    let manifest: Option<Value> = serde_json::from_slice(manifest).ok();
    let kind = manifest.as_ref().and_then(|manifest| manifest.get("mediaType")?.as_str());
    kind.unwrap_or(IMAGE).to_owned()
}

impl Repo {
    /// Whether everything is there that a manifest names. None if it is no manifest.
    pub(super) fn has_all_of(&self, manifest: &[u8]) -> Option<bool> {
        let manifest: Value = serde_json::from_slice(manifest).ok()?;
        let list = |field: &str| manifest.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        let digest = |item: &Value| item.get("digest")?.as_str().and_then(|text| ImageDigest::new(text).ok());
        let blobs = list("layers").into_iter().chain(manifest.get("config").cloned());
        let manifests = list("manifests");
        manifest.as_object()?;
        let has_blobs =
            blobs.into_iter().all(|item| digest(&item).is_some_and(|it| self.blobs.contains_key(&it)));
        let has_manifests =
            manifests.iter().all(|item| digest(item).is_some_and(|it| self.manifests.contains_key(&it)));
        Some(has_blobs && has_manifests)
    }
}
