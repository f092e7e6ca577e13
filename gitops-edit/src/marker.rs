//! Flux's markers: comments that say which policy decides on a value.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::ImageRef;

/// What every file with markers has in it: a quick look for it spares reading the others, as Flux's controller does it. What has it
/// not need not even be YAML.
pub const MARKER_KEY: &str = "\"$imagepolicy\"";

/// The name of an image policy: its namespace and its name, written `namespace:name` as markers do.
///
/// ```
/// use gitops_edit::PolicyName;
/// let policy: PolicyName = "flux-system:podinfo".parse()?;
/// assert_eq!((policy.namespace(), policy.name()), ("flux-system", "podinfo"));
/// # Ok::<(), gitops_edit::InvalidPolicyName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName {
    namespace: String,
    name: String,
}

/// A text that is no name of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no name of an image policy: write namespace:name, in lower-case letters, digits, '-' and '.'"
)]
pub struct InvalidPolicyName {
    text: String,
}

impl PolicyName {
    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PolicyName {
    type Err = InvalidPolicyName;
    fn from_str(text: &str) -> Result<Self, InvalidPolicyName> {
        match text.split_once(':') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(InvalidPolicyName { text: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.namespace, self.name)
    }
}

/// As Kubernetes names objects: a DNS subdomain (RFC 1123).
fn is_name(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let is_edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 253
        && text.bytes().all(is_inner)
        && is_edge(text.bytes().next())
        && is_edge(text.bytes().last())
}

/// Which part of an image a marked value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MarkedPart {
    /// All of it: `name:tag`, `name@digest` or `name:tag@digest`, as the image is given.
    Image,
    /// Registry and repository.
    Name,
    /// The tag.
    Tag,
    /// The digest, as in `sha256:…`.
    Digest,
}

impl MarkedPart {
    /// What an image has of this; if it has not, what it lacks.
    pub(crate) fn of(self, image: &ImageRef) -> Result<String, &'static str> {
        let text = |part: Option<&str>, name| part.map(str::to_owned).ok_or(name);
        match self {
            // Without both it would be `latest`, which nobody chose.
            Self::Image if image.tag().is_none() && image.digest().is_none() => Err("tag or digest"),
            Self::Image => Ok(image.to_string()),
            Self::Name => Ok(image.name().to_owned()),
            Self::Tag => text(image.tag(), "tag"),
            Self::Digest => text(image.digest(), "digest"),
        }
    }
}

/// Whether a comment, with its `#`, means to be a marker: a JSON object with the key. Other comments may name it.
pub(crate) fn is_marker(comment: &str) -> bool {
    content(comment).starts_with('{') && comment.contains(MARKER_KEY)
}

fn content(comment: &str) -> &str {
    comment.trim_start_matches('#').trim()
}

/// What a comment that means to be a marker says; or what is wrong with it.
pub(crate) fn read(comment: &str) -> Result<(PolicyName, MarkedPart), &'static str> {
    let Ok(Value::Object(fields)) = serde_json::from_str(content(comment)) else {
        return Err("is no JSON object, or text follows it");
    };
    // Other keys are other tools' business, as far as Flux reads the marker at all.
    if !fields.values().all(Value::is_string) {
        return Err("has a value that is no text, so that Flux would not read it");
    }
    let Some(text) = fields.get("$imagepolicy").and_then(Value::as_str) else {
        return Err("has no policy");
    };
    let (policy, part) = match text.match_indices(':').nth(1) {
        None => (text, MarkedPart::Image),
        Some((colon, _)) => match &text[colon + 1..] {
            "name" => (&text[..colon], MarkedPart::Name),
            "tag" => (&text[..colon], MarkedPart::Tag),
            "digest" => (&text[..colon], MarkedPart::Digest),
            _ => return Err("names a part that is none of name, tag and digest"),
        },
    };
    Ok((policy.parse().map_err(|_| "does not name a policy by namespace and name")?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_read() {
        let read_all = |comment: &str| read(comment).map(|(policy, part)| (policy.to_string(), part));
        let ok = |policy: &str, part| Ok((policy.to_owned(), part));
        assert_eq!(read_all("# {\"$imagepolicy\": \"a:b\"}"), ok("a:b", MarkedPart::Image));
        assert_eq!(read_all("#{\"$imagepolicy\":\"a:b:tag\"}"), ok("a:b", MarkedPart::Tag));
        assert_eq!(
            read_all("## {\"$imagepolicy\": \"a:b:name\", \"x\": \"y\"} "),
            ok("a:b", MarkedPart::Name)
        );
        assert_eq!(read_all("# {\"$imagepolicy\": \"a:b-1.c:digest\"}"), ok("a:b-1.c", MarkedPart::Digest));
        for bad in [
            "# {\"$imagepolicy\": \"a:b\"",
            "# {\"$imagepolicy\": \"a:b\"} x",
            "# {\"$imagepolicy\": \"a\"}",
            "# {\"$imagepolicy\": \"\"}",
            "# {\"$imagepolicy\": \"a:b:c\"}",
            "# {\"$imagepolicy\": \"a:b:\"}",
            "# {\"$imagepolicy\": 3}",
            "# {\"$imagepolicy\": \":b\"}",
            "# {\"$imagepolicy\": \"A:b\"}",
            "# {\"$imagepolicy\": \"a:b:tag:tag\"}",
            "# {\"x\": \"\\\"$imagepolicy\\\"\"}",
            "# {\"$imagepolicy\": \"a:b\", \"n\": 1}",
        ] {
            assert!(is_marker(bad) || bad.contains('\\'), "{bad}");
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_comments_are_none() {
        for other in [
            "# image: a # {\"$imagepolicy\": \"a:b\"}",
            "# {\"$ref\": \"x\"}",
            "# see \"$imagepolicy\"",
            "#",
            "# {}",
        ] {
            assert!(!is_marker(other), "{other}");
        }
    }
}
