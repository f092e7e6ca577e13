//! The digest of a manifest.

use std::fmt;
use std::str::FromStr;

/// The digest of an image's manifest, or of the index of its platforms: `sha256:…` or `sha512:…`, in lower case, as the OCI
/// image specification registers them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageDigest(Box<str>);

/// A text that is no digest of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is sha256: with 64, or sha512: with 128 hexadecimal digits in lower case")]
pub struct InvalidImageDigest;

impl ImageDigest {
    /// Checks a text.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidImageDigest> {
        let text = text.into();
        let length = match text.split_once(':') {
            Some(("sha256", _)) => 64,
            Some(("sha512", _)) => 128,
            _ => return Err(InvalidImageDigest),
        };
        let digits = &text.as_bytes()["sha256:".len()..];
        let is_digest =
            digits.len() == length && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_digest { Ok(Self(text)) } else { Err(InvalidImageDigest) }
    }

    /// The SHA-256 digest of a manifest's bytes.
    pub fn of(manifest: &[u8]) -> Self {
        Self(format!("sha256:{}", gitops_core::Digest::of(manifest)).into())
    }

    /// Whether it is the digest of these bytes.
    #[cfg(feature = "registry")]
    pub(crate) fn is_of(&self, manifest: &[u8]) -> bool {
        use sha2::Digest as _;
        match self.0.strip_prefix("sha512:") {
            None => *self == Self::of(manifest),
            Some(digits) => {
                let found = sha2::Sha512::digest(manifest);
                found.iter().flat_map(|byte| [byte >> 4, byte & 15]).eq(digits
                    .chars()
                    .filter_map(|digit| digit.to_digit(16))
                    .filter_map(|digit| u8::try_from(digit).ok()))
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageDigest {
    type Err = InvalidImageDigest;
    fn from_str(text: &str) -> Result<Self, InvalidImageDigest> {
        Self::new(text)
    }
}

impl AsRef<str> for ImageDigest {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_what_runtimes_understand() {
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(ImageDigest::of(b"abc").as_str(), abc);
        assert_eq!(abc.parse(), Ok(ImageDigest::of(b"abc")));
        for bad in ["", "sha256:", "sha256:ba78", &abc[7..], &abc.to_uppercase(), "md5:900150983cd24fb0"] {
            assert_eq!(ImageDigest::new(bad), Err(InvalidImageDigest), "{bad:?}");
        }
        assert!(ImageDigest::new(abc.replace('b', "g")).is_err());
    }

    #[cfg(feature = "registry")]
    #[test]
    fn both_algorithms_are_verified() {
        let sha512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        let digest = ImageDigest::new(sha512).unwrap();
        assert!(digest.is_of(b"abc") && !digest.is_of(b"abd"));
        assert!(ImageDigest::of(b"abc").is_of(b"abc") && !ImageDigest::of(b"abc").is_of(b"abd"));
    }
}
