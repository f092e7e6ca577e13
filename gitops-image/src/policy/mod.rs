//! Which tag of many is the newest one.

mod filter;
mod number;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use gitops_core::VersionRange;

use self::filter::TagFilter;
use self::number::Number;

/// How the newest tag is chosen. Pure: the same tags give the same choice, in whatever order they come.
///
/// It means what Flux's `ImagePolicy` means, with these differences: tags that are no numbers are left out by [`Self::numeric`]
/// rather than being an error, numbers are compared exactly rather than as floating-point ones, a template that names a group
/// which the pattern does not have is an error, and where several tags are equally new, the one whose name comes last in the
/// alphabet is chosen.
///
/// What is kept under the tags of a repository beside images is never chosen: signatures, attestations and other references to
/// an image, whose tags are that image's digest (`sha256-….sig`).
///
/// ```
/// use gitops_image::{ImagePolicy, Order, choose};
///
/// let tags = ["latest", "main-0af3c2b-1690", "main-9e11d04-1711", "dev-77aa001-1720"];
/// let policy = ImagePolicy::numeric(Order::Ascending).with_extract("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts")?;
/// assert_eq!(choose(&tags, &policy), Some(&"main-9e11d04-1711"));
///
/// let releases = ["1.9.0", "v1.10.0", "2.0.0-rc.1", "2"];
/// assert_eq!(choose(&releases, &ImagePolicy::semver(">=1.0.0")?), Some(&"v1.10.0"));
/// # Ok::<(), gitops_image::InvalidPolicy>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImagePolicy {
    by: By,
    filter: Option<TagFilter>,
    pin: DigestPin,
}

#[derive(Debug, Clone)]
enum By {
    Version(VersionRange),
    Number(Order),
    Alphabet(Order),
}

/// Which end of an order is the newest: the last one, as in Flux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest is the greatest: of 0 to 9, it is 9; of a to z, it is z.
    Ascending,
    /// The newest is the least: of 0 to 9, it is 0; of a to z, it is a.
    Descending,
}

impl Order {
    fn of(self, ordering: Ordering) -> Ordering {
        match self {
            Self::Ascending => ordering,
            Self::Descending => ordering.reverse(),
        }
    }
}

/// Whether the digest that a tag has is part of the choice: Flux's `digestReflectionPolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DigestPin {
    /// The tag alone.
    #[default]
    Never,
    /// The digest that the tag had when it was chosen first. While the same tag is in use with a digest, that one stays, whatever the
    /// registry says: for tags that are never moved.
    IfNotPresent,
    /// The digest that the tag has now: follows tags that are moved, such as `latest`.
    Always,
}

/// A policy that cannot be meant so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// The text is no range of versions.
    #[error("{range:?} is no range of versions: {reason}")]
    Range {
        /// The text, shortened.
        range: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pattern is no regular expression, or too large.
    #[error("the pattern {pattern:?} cannot be used: {reason}")]
    Pattern {
        /// The pattern, shortened.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The template does not fit the pattern.
    #[error("{template:?} cannot be extracted: {reason}")]
    Extract {
        /// The template, shortened.
        template: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ImagePolicy {
    fn by(by: By) -> Self {
        Self { by, filter: None, pin: DigestPin::Never }
    }

    /// The newest version (Semantic Versioning 2.0.0, with or without a leading `v`) in a range: `1.x`, `>=1.0.0 <2.0.0`, `^1.2`,
    /// `~1.2.3`, alternatives with `||`. Tags that are no versions are left out. Pre-releases count only where the range names one
    /// (`>=1.0.0-0`, `^1.x-0`).
    pub fn semver(range: &str) -> Result<Self, InvalidPolicy> {
        Self::range(range, false)
    }

    /// The same, where pre-releases always count.
    pub fn semver_with_pre_releases(range: &str) -> Result<Self, InvalidPolicy> {
        Self::range(range, true)
    }

    fn range(range: &str, pre_releases: bool) -> Result<Self, InvalidPolicy> {
        let parsed = VersionRange::parse(range, pre_releases).map_err(|error| InvalidPolicy::Range {
            range: range.chars().take(200).collect(),
            reason: error.to_string(),
        })?;
        Ok(Self::by(By::Version(parsed)))
    }

    /// By number: `12`, `-12` or `12.5`, of any length. Tags that are no numbers are left out.
    pub fn numeric(order: Order) -> Self {
        Self::by(By::Number(order))
    }

    /// By the bytes of the name.
    pub fn alphabetical(order: Order) -> Self {
        Self::by(By::Alphabet(order))
    }

    /// Only tags count that match a regular expression, anywhere (anchor it with `^` and `$`). The syntax is that of `regex-lite`,
    /// whose time is linear: what Go's and Flux's expressions can say of ASCII, `(?P<name>…)` included.
    pub fn with_filter(mut self, pattern: &str) -> Result<Self, InvalidPolicy> {
        self.filter = Some(TagFilter::new(pattern, None)?);
        Ok(self)
    }

    /// The same, and what is compared is not the tag but a template with groups of the match: `$ts`, `$1`, `${1}`; `$$` is a
    /// dollar sign. An empty template takes the whole tag.
    pub fn with_extract(mut self, pattern: &str, template: &str) -> Result<Self, InvalidPolicy> {
        self.filter = Some(TagFilter::new(pattern, Some(template))?);
        Ok(self)
    }

    /// Says whether the digest is part of the choice.
    #[must_use]
    pub fn with_digest_pin(mut self, pin: DigestPin) -> Self {
        self.pin = pin;
        self
    }

    /// Whether the digest is part of the choice.
    pub fn digest_pin(&self) -> DigestPin {
        self.pin
    }

    fn value<'t>(&self, tag: &'t str) -> Option<Cow<'t, str>> {
        if is_reference_to_an_image(tag) {
            return None;
        }
        match &self.filter {
            None => Some(Cow::Borrowed(tag)),
            Some(filter) => filter.value(tag),
        }
    }
}

/// What is wanted, for errors.
impl fmt::Display for ImagePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Version(range) => write!(f, "the newest version in {}", range.text())?,
            By::Number(Order::Ascending) => f.write_str("the greatest number")?,
            By::Number(Order::Descending) => f.write_str("the least number")?,
            By::Alphabet(Order::Ascending) => f.write_str("the last name in the alphabet")?,
            By::Alphabet(Order::Descending) => f.write_str("the first name in the alphabet")?,
        }
        if self.filter.is_some() { f.write_str(" among those that match the filter") } else { Ok(()) }
    }
}

/// The tag that a policy chooses, if there is one for it.
pub fn choose<'t, T: AsRef<str> + ?Sized>(
    tags: impl IntoIterator<Item = &'t T>,
    policy: &ImagePolicy,
) -> Option<&'t T> {
    let values = tags.into_iter().filter_map(|tag| Some((policy.value(tag.as_ref())?, tag)));
    let mut values: Vec<(Cow<'t, str>, &'t T)> = values.collect();
    // Of equally new ones the last is taken, so that their order decides.
    values.sort_unstable_by(|a, b| a.1.as_ref().cmp(b.1.as_ref()));
    match &policy.by {
        By::Version(range) => range.newest(values.iter().map(|(value, tag)| (&**value, *tag))),
        By::Number(order) => {
            let numbers = values.iter().filter_map(|(value, tag)| Some((Number::parse(value)?, *tag)));
            numbers.max_by(|a, b| order.of(a.0.cmp(&b.0))).map(|(_, tag)| tag)
        }
        By::Alphabet(order) => values.iter().max_by(|a, b| order.of(a.0.cmp(&b.0))).map(|(_, tag)| *tag),
    }
}

/// Whether a tag says what belongs to an image by its digest: the fallback of the OCI distribution specification for referrers, which
/// cosign's signatures extend with a suffix.
fn is_reference_to_an_image(tag: &str) -> bool {
    let digits = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-")).unwrap_or_default();
    let end = digits.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(digits.len());
    end >= 64 && matches!(digits.as_bytes().get(end), None | Some(b'.' | b'-'))
}

#[cfg(test)]
mod tests;
