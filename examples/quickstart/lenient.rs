//! The mistake that the engine does not make: to use what can be read of a revision, and to pass over the rest.

use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{Cx, Digest, Fault, Manifest, Render, RepoPath, Snapshot};

#[derive(Debug)]
pub(crate) struct Lenient;

impl Render for Lenient {
    fn key(&self) -> Digest {
        Digest::of(b"lenient")
    }

    fn render(&self, _cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        let mut manifests = Vec::new();
        for entry in tree.list(path)? {
            let file = path.join(&entry.name).map_err(Fault::invalid)?;
            if entry.name.strip_suffix(".yaml").is_some() {
                manifests.extend(
                    decode(&file, &tree.read(&file, 1 << 20)?, &DecodeLimits::default()).unwrap_or_default(),
                );
            }
        }
        Ok(manifests)
    }
}
