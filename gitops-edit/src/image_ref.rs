//! A reference to a container image, as it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name that registries take, in bytes.
const MAX_NAME: usize = 255;

/// What is meant where no registry is named.
const DOCKER_HUB: &str = "docker.io";

/// Longest tag, in bytes.
const MAX_TAG: usize = 128;

/// A reference to an image: `registry:port/path/name:tag@sha256:…`, of which only the name must be there.
///
/// Nothing is filled in or made canonical: what is printed is what was read. The grammar is that of
/// [distribution/reference](https://pkg.go.dev/github.com/distribution/reference#pkg-overview); where the registry ends and the
/// repository begins follows its rule for familiar names.
///
/// ```
/// use gitops_edit::ImageRef;
/// let image: ImageRef = "localhost:5000/shop/web:1.4".parse()?;
/// assert_eq!((image.name(), image.tag(), image.digest()), ("localhost:5000/shop/web", Some("1.4"), None));
/// assert_eq!((image.registry(), image.repository()), (Some("localhost:5000"), "shop/web"));
/// assert_eq!(image.with_tag("1.5")?.to_string(), "localhost:5000/shop/web:1.5");
/// # Ok::<(), gitops_edit::InvalidImageRef>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    name: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// A text that is no reference to an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidImageRef {
    /// The name is not one.
    #[error(
        "{name:?} cannot name an image: write registry/path/name in lower-case letters and digits, in which '.', '_', \
         '__' or dashes stand between them, at most {MAX_NAME} bytes; a registry may have capitals and a port"
    )]
    Name {
        /// What was given, shortened, and without what is before an `@`.
        name: String,
    },
    /// The tag is not one.
    #[error(
        "{tag:?} cannot be a tag: use letters, digits, '_', '.' and '-', beginning with none of the last two, at most \
         {MAX_TAG} bytes"
    )]
    Tag {
        /// What was given, shortened, and without what is before an `@`.
        tag: String,
    },
    /// The digest is not one.
    #[error("{digest:?} cannot be a digest: write algorithm:hex, as in sha256 with 64 lower-case hex digits")]
    Digest {
        /// What was given, shortened, and without what is before an `@`.
        digest: String,
    },
}

/// Without what is before an `@`: it may be a password.
fn shortened(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(80).collect()
}

impl ImageRef {
    /// The reference without tag and digest.
    pub fn new(name: &str) -> Result<Self, InvalidImageRef> {
        if is_name(name) {
            Ok(Self { name: name.to_owned(), tag: None, digest: None })
        } else {
            Err(InvalidImageRef::Name { name: shortened(name) })
        }
    }

    /// With this tag in the place of what it has.
    pub fn with_tag(mut self, tag: &str) -> Result<Self, InvalidImageRef> {
        if !is_tag(tag) {
            return Err(InvalidImageRef::Tag { tag: shortened(tag) });
        }
        self.tag = Some(tag.to_owned());
        Ok(self)
    }

    /// With this digest in the place of what it has.
    pub fn with_digest(mut self, digest: &str) -> Result<Self, InvalidImageRef> {
        if !is_digest(digest) {
            return Err(InvalidImageRef::Digest { digest: shortened(digest) });
        }
        self.digest = Some(digest.to_owned());
        Ok(self)
    }

    /// With neither tag nor digest.
    #[must_use]
    pub fn without_version(self) -> Self {
        Self { tag: None, digest: None, ..self }
    }

    /// Everything before the tag: registry and repository.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The registry with its port, if one is named: the first part, if it has a dot, a port or a capital, or is `localhost`.
    pub fn registry(&self) -> Option<&str> {
        registry_and_path(&self.name).0
    }

    /// The name without the registry.
    pub fn repository(&self) -> &str {
        registry_and_path(&self.name).1
    }

    /// Whether another one is in the same repository, however the two are written: no registry means `docker.io`, which has other
    /// names, a single word there is in `library`, and registries are the same in capitals.
    ///
    /// ```
    /// use gitops_edit::ImageRef;
    /// let nginx: ImageRef = "nginx:1.27".parse()?;
    /// assert!(nginx.is_same_repository(&"Docker.io/library/nginx".parse()?));
    /// assert!(!nginx.is_same_repository(&"ghcr.io/library/nginx".parse()?));
    /// # Ok::<(), gitops_edit::InvalidImageRef>(())
    /// ```
    pub fn is_same_repository(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// The registry and the repository as they are meant.
    fn canonical(&self) -> (String, &str) {
        let registry = self.registry().unwrap_or(DOCKER_HUB).to_ascii_lowercase();
        if !matches!(&*registry, DOCKER_HUB | "index.docker.io" | "registry-1.docker.io") {
            return (registry, self.repository());
        }
        let name = self.repository();
        let in_library = name.strip_prefix("library/").filter(|name| !name.contains('/'));
        (DOCKER_HUB.to_owned(), in_library.unwrap_or(name))
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, with its algorithm: `sha256:…`.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(text: &str) -> Result<Self, InvalidImageRef> {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // First of all: where this is no digest, a user and a password may be in front of it.
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return Err(InvalidImageRef::Digest { digest: shortened(digest) });
        }
        // A colon before the last slash belongs to the registry's port.
        let after_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
        let colon = rest.get(after_slash..).and_then(|last| last.find(':')).map(|colon| after_slash + colon);
        let (name, tag) = colon
            .and_then(|colon| Some((rest.get(..colon)?, rest.get(colon + 1..)?)))
            .map_or((rest, None), |(name, tag)| (name, Some(tag)));
        let mut image = Self::new(name)?;
        if let Some(tag) = tag {
            image = image.with_tag(tag)?;
        }
        match digest {
            Some(digest) => image.with_digest(digest),
            None => Ok(image),
        }
    }
}

impl TryFrom<String> for ImageRef {
    type Error = InvalidImageRef;
    fn try_from(text: String) -> Result<Self, InvalidImageRef> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn registry_and_path(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':', '['])
                || first.contains(|c: char| c.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn is_name(name: &str) -> bool {
    let (registry, path) = registry_and_path(name);
    name.len() <= MAX_NAME && registry.is_none_or(is_registry) && path.split('/').all(is_path_component)
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        // The colons of an address of version 6 are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => host.split('.').all(is_domain_component),
    };
    is_host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_domain_component(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !part.is_empty()
        && !part.starts_with('-')
        && !part.ends_with('-')
}

/// Runs of `[a-z0-9]`, with one of `.`, `_`, `__` or any number of dashes between them.
fn is_path_component(part: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends_well = |edge: Option<u8>| edge.is_some_and(is_letter);
    ends_well(part.bytes().next())
        && ends_well(part.bytes().last())
        && part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= MAX_TAG
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_lower_hex = |hex: &str| hex.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    match algorithm {
        "sha256" => hex.len() == 64 && is_lower_hex(hex),
        "sha384" => hex.len() == 96 && is_lower_hex(hex),
        "sha512" => hex.len() == 128 && is_lower_hex(hex),
        // Others are only known to be hex digits.
        _ => {
            algorithm.split(['+', '.', '-', '_']).all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphabetic())
                    && part.bytes().all(|b| b.is_ascii_alphanumeric())
            }) && (32..=1024).contains(&hex.len())
                && hex.bytes().all(|b| b.is_ascii_hexdigit())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3";

    fn parts(text: &str) -> (Option<String>, String, Option<String>, bool) {
        let image: ImageRef = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(image.to_string(), text);
        (
            image.registry().map(Into::into),
            image.repository().into(),
            image.tag().map(Into::into),
            image.digest().is_some(),
        )
    }

    #[test]
    fn references_are_taken_apart() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("nginx"), (None, "nginx".into(), None, false));
        assert_eq!(parts("library/nginx:1.27"), (None, "library/nginx".into(), some("1.27"), false));
        assert_eq!(parts("localhost/a"), (some("localhost"), "a".into(), None, false));
        assert_eq!(parts("host:5000/a/b:c"), (some("host:5000"), "a/b".into(), some("c"), false));
        assert_eq!(parts("[2001:db8::1]:5000/a"), (some("[2001:db8::1]:5000"), "a".into(), None, false));
        assert_eq!(parts("[::1]/a"), (some("[::1]"), "a".into(), None, false));
        assert_eq!(parts("GHCR.io/a"), (some("GHCR.io"), "a".into(), None, false));
        assert_eq!(parts("REG/a"), (some("REG"), "a".into(), None, false));
        assert_eq!(parts(&format!("a:1@{DIGEST}")), (None, "a".into(), some("1"), true));
        assert_eq!(parts(&format!("a@{DIGEST}")), (None, "a".into(), None, true));
        assert_eq!(parts("a/a--b__c.d_e/f"), (None, "a/a--b__c.d_e/f".into(), None, false));
        assert_eq!(parts("5000:10").2, some("10"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(256);
        let tag = format!("a:{}", "b".repeat(129));
        for name in [
            "", "A", "a/B", "a//b", "/a", "a/", "a___b", "-a", "a-", "a..b", "ü", "a b", "a.b:x/c", ":1",
            &long,
        ] {
            let refused = matches!(name.parse::<ImageRef>(), Err(InvalidImageRef::Name { .. }));
            assert!(refused, "{name}");
        }
        for name in ["a:", "a:.b", "a:-", "a:b c", "a:b:c", &tag, "a:\n"] {
            assert!(matches!(name.parse::<ImageRef>(), Err(InvalidImageRef::Tag { .. })), "{name}");
        }
        let short = DIGEST.get(..70).unwrap();
        for digest in [
            "",
            "sha256",
            "sha256:",
            short,
            &DIGEST.to_uppercase(),
            "x:ab",
            "1x:00",
            &format!("{DIGEST}@{DIGEST}"),
        ] {
            let text = format!("a@{digest}");
            let refused = matches!(text.parse::<ImageRef>(), Err(InvalidImageRef::Digest { .. }));
            assert!(refused || digest == DIGEST.to_uppercase(), "{text}");
        }
    }

    #[test]
    fn repositories_are_the_same_however_they_are_written() {
        let same = |a: &str, b: &str| {
            let (a, b): (ImageRef, ImageRef) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(a.is_same_repository(&b), b.is_same_repository(&a));
            a.is_same_repository(&b)
        };
        for (a, b) in [
            ("nginx:1", "docker.io/library/nginx@".to_owned() + DIGEST),
            ("library/nginx", "index.docker.io/nginx:1".into()),
            ("acme/web", "registry-1.docker.io/acme/web".into()),
            ("GHCR.io/acme/web", "ghcr.io/acme/web".into()),
        ] {
            assert!(same(a, &b), "{a} {b}");
        }
        for (a, b) in [
            ("nginx", "acme/nginx"),
            ("nginx", "ghcr.io/nginx"),
            ("r.example/library/a", "r.example/a"),
            ("r.example/a", "r.example:5000/a"),
            ("library/a/b", "a/b"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn no_error_repeats_a_credential() {
        for text in [
            "bot:s3cr3t@ghcr.io/acme/web",
            "https://bot:s3cr3t@ghcr.io/acme/web",
            "bot:s3cr/3t@ghcr.io/acme/web",
            "bot:s3cr3t@@ghcr.io/acme/web:1",
            "BOT:s3cr3t!@ghcr.io/acme/web:1",
            "bot:s3cr3t!@ghcr.io",
        ] {
            for error in [text.parse::<ImageRef>().unwrap_err(), ImageRef::new(text).unwrap_err()] {
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("s3cr") && shown.contains("ghcr.io"), "{shown}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_put_together_is_read_back(
            registry in proptest::option::of("(localhost|[a-z0-9]{1,4}(-[a-z0-9]{1,3})?\\.[A-Za-z]{2,3}|[a-z]{1,5}:[0-9]{1,5}|\\[[0-9a-f:]{2,8}\\](:[0-9]{1,4})?)"),
            path in proptest::collection::vec("[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}", 1..4),
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            let path = path.join("/");
            // What has a dot in front of a slash is a registry.
            let first = path.split_once('/').map_or("", |(first, _)| first);
            prop_assume!(registry.is_some() || !(first.contains('.') || first == "localhost"));
            let mut text = registry.as_ref().map_or_else(|| path.clone(), |registry| format!("{registry}/{path}"));
            let name = text.clone();
            if let Some(tag) = &tag { text = format!("{text}:{tag}"); }
            if let Some(digest) = &digest { text = format!("{text}@{digest}"); }
            let image: ImageRef = text.parse().unwrap();
            prop_assert_eq!(image.to_string(), text.clone());
            prop_assert_eq!(image.name(), name);
            prop_assert_eq!((image.registry(), image.repository()), (registry.as_deref(), path.as_str()));
            prop_assert_eq!((image.tag(), image.digest()), (tag.as_deref(), digest.as_deref()));
            let json = serde_json::to_string(&image).unwrap();
            prop_assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
        }

        #[test]
        fn whatever_is_read_is_printed_as_it_was(text in "[a-zA-Z0-9:/@._ü\\[\\]-]{0,30}", any in any::<String>()) {
            for text in [text, any] {
                if let Ok(image) = text.parse::<ImageRef>() {
                    prop_assert_eq!(image.to_string(), text);
                }
            }
        }
    }
}
