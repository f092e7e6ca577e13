//! Setting an image where Flux's markers say.

use gitops_core::{Class, Fault, RepoPath};
use gitops_edit::{ImageRef, MARKER_KEY, MarkedPart, PolicyName, YamlFile};

use super::edited::{failed, put};
use crate::write::{Edit, Files};

/// Sets every value below a path that is marked for an image policy (`# {"$imagepolicy": "namespace:name"}`, as Flux's image
/// automation has it) to an image, or to the part of it that the marker names.
///
/// It is an error ([`Class::NotFound`]) if nothing is marked for the policy, and one if a file with markers cannot be read.
///
/// ```
/// use gitops_core::RepoPath;
/// use gitops_git::write::SetImage;
///
/// let edit = SetImage::new(
///     RepoPath::new("apps/shop")?,
///     "flux-system:shop".parse()?,
///     "ghcr.io/acme/shop:1.1".parse()?,
/// );
/// # let _ = edit;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetImage {
    path: RepoPath,
    policy: PolicyName,
    image: ImageRef,
    keeps_digest: bool,
}

impl SetImage {
    /// Sets the image of a policy in the YAML and JSON files at and below a path.
    pub fn new(path: RepoPath, policy: PolicyName, image: ImageRef) -> Self {
        Self { path, policy, image, keeps_digest: false }
    }

    /// Keeps the digest that is in use with the image's tag, if one is: it is what the tag meant when it was chosen, and may
    /// mean no more. The first marked one counts.
    #[must_use]
    pub fn keep_digest(mut self) -> Self {
        self.keeps_digest = true;
        self
    }

    /// The image to be set, with the digest that it has.
    fn image(&self, files: &[(RepoPath, Vec<u8>)]) -> Result<ImageRef, Fault> {
        if !self.keeps_digest {
            return Ok(self.image.clone());
        }
        for (path, content) in files {
            let values = YamlFile::parse(path, content).and_then(|file| file.marked_values(&self.policy));
            if let Some(digest) = digest_in_use(&values.map_err(failed)?, &self.image) {
                return self.image.clone().with_digest(&digest).map_err(Fault::invalid);
            }
        }
        Ok(self.image.clone())
    }
}

/// The digest that is marked beside the tag of an image: in the same value, or in one of its own. One of another repository, or a
/// text that only holds the place of a digest, is none.
fn digest_in_use(values: &[(MarkedPart, String)], image: &ImageRef) -> Option<String> {
    let is_same_name = |name: &ImageRef| name.is_same_repository(image);
    let whole = values.iter().filter(|(part, _)| *part == MarkedPart::Image).find_map(|(_, value)| {
        let used: ImageRef = value.parse().ok()?;
        let is_same = is_same_name(&used) && used.tag() == image.tag();
        used.digest().filter(|_| is_same).map(str::to_owned)
    });
    whole.or_else(|| {
        let of = |wanted| values.iter().find(|(part, _)| *part == wanted).map(|(_, value)| value.as_str());
        let is_same = of(MarkedPart::Tag) == image.tag()
            && of(MarkedPart::Name).is_none_or(|name| ImageRef::new(name).is_ok_and(|it| is_same_name(&it)));
        let is_digest = |digest: &&str| image.clone().with_digest(digest).is_ok();
        of(MarkedPart::Digest).filter(|_| is_same).filter(is_digest).map(str::to_owned)
    })
}

impl Edit for SetImage {
    fn subject(&self) -> Option<String> {
        Some(format!("Set {} to {}", self.policy, self.image))
    }

    fn apply(&self, files: &mut Files<'_>) -> Result<(), Fault> {
        let marked = files.mentioning(&self.path, &[MARKER_KEY])?;
        let image = [(self.policy.clone(), self.image(&marked)?)];
        let mut places = 0;
        for (path, content) in marked {
            let edited =
                YamlFile::parse(&path, &content).and_then(|file| file.set_marked(&image)).map_err(failed)?;
            places += edited.places;
            put(files, &path, edited)?;
        }
        if places == 0 {
            let policy = &self.policy;
            let problem = format!(
                "no value is marked for {policy}: write # {{\"$imagepolicy\": \"{policy}\"}} behind one"
            );
            return Err(Fault::new(Class::NotFound, problem).at(&self.path));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_in_use_is_found() {
        let digest = |n: char| format!("sha256:{}", String::from(n).repeat(64));
        let image: ImageRef = "ghcr.io/acme/web:1.1".parse().unwrap();
        let whole = |text: String| vec![(MarkedPart::Image, text)];
        assert_eq!(
            digest_in_use(&whole(format!("ghcr.io/acme/web:1.1@{}", digest('a'))), &image),
            Some(digest('a'))
        );
        assert_eq!(digest_in_use(&whole(format!("ghcr.io/acme/web:1.0@{}", digest('a'))), &image), None);
        assert_eq!(digest_in_use(&whole(format!("ghcr.io/acme/db:1.1@{}", digest('a'))), &image), None);
        assert_eq!(digest_in_use(&whole("ghcr.io/acme/web:1.1".into()), &image), None);
        let parts = |tag: &str| vec![(MarkedPart::Digest, digest('b')), (MarkedPart::Tag, tag.to_owned())];
        assert_eq!(digest_in_use(&parts("1.1"), &image), Some(digest('b')));
        assert_eq!(digest_in_use(&parts("1.0"), &image), None);
        assert_eq!(digest_in_use(&parts("1.0")[..1], &image), None);
    }

    #[test]
    fn a_digest_is_kept_for_its_repository_alone() {
        let digest = |n: char| format!("sha256:{}", String::from(n).repeat(64));
        let parts = |name: &str| {
            let digest = (MarkedPart::Digest, digest('b'));
            vec![(MarkedPart::Name, name.to_owned()), (MarkedPart::Tag, "1.1".into()), digest]
        };
        let image: ImageRef = "acme/web:1.1".parse().unwrap();
        assert_eq!(digest_in_use(&parts("acme/web"), &image), Some(digest('b')));
        assert_eq!(digest_in_use(&parts("ghcr.io/acme/web"), &image), None);
        assert_eq!(digest_in_use(&parts("acme/db"), &image), None);
        assert_eq!(digest_in_use(&parts(""), &image), None);
        // However it is spelled.
        assert_eq!(digest_in_use(&parts("index.docker.io/acme/web"), &image), Some(digest('b')));
        let whole = vec![(MarkedPart::Image, format!("Docker.io/acme/web:1.1@{}", digest('a')))];
        assert_eq!(digest_in_use(&whole, &image), Some(digest('a')));
    }

    #[test]
    fn a_placeholder_is_no_digest_in_use() {
        let image: ImageRef = "acme/web:1.1".parse().unwrap();
        for placeholder in ["", "sha256:", "to be set", "latest"] {
            let values = [(MarkedPart::Tag, "1.1".to_owned()), (MarkedPart::Digest, placeholder.to_owned())];
            assert_eq!(digest_in_use(&values, &image), None, "{placeholder:?}");
        }
    }
}
