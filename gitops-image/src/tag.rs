//! The name of a tag.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// No tag is longer (OCI distribution specification, "Pulling manifests").
const MAX_LENGTH: usize = 128;

/// A tag of an image, as registries allow it: letters, digits, `_`, `.` and `-`, 128 at most, not beginning with `.` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tag is at most 128 letters, digits, underscores, dots and hyphens, and begins with neither dot nor hyphen"
)]
pub struct InvalidTag;

impl Tag {
    /// Checks a text.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidTag> {
        let text = text.into();
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let begins_well = text.as_bytes().first().is_some_and(is_word);
        let is_tag = begins_well
            && text.len() <= MAX_LENGTH
            && text.bytes().all(|byte| is_word(&byte) || matches!(byte, b'.' | b'-'));
        if is_tag { Ok(Self(text)) } else { Err(InvalidTag) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;
    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        Self::new(text)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_registries_allow() {
        for good in ["1", "v1.2.3", "main-2d3fcbd-1611906956", "_a", "RELEASE.2020-09-10T22-02-45Z"] {
            assert_eq!(Tag::new(good).unwrap().to_string(), good);
        }
        assert!(Tag::new("a".repeat(128)).is_ok());
        for bad in ["", ".a", "-a", "a b", "a\n", "a:b", "a/b", "a@b", "ä", "\"", "a#", &"a".repeat(129)] {
            assert_eq!(Tag::new(bad), Err(InvalidTag), "{bad:?}");
        }
    }
}
