//! Taking the armor off a signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signed::MAX_SIGNATURE;
use crate::refusal::Refusal;

/// The bytes in an armored block that is all there is but for white space: no text beside it, nothing after it.
///
/// `Version` and other headers of OpenPGP armor are skipped, and so is its checksum, which RFC 9580 section 6.1 has readers
/// ignore. SSH has neither.
pub(super) fn bytes(text: &[u8], label: &str) -> Result<Vec<u8>, Refusal> {
    let fail = |reason: &str| Refusal::Malformed { reason: reason.to_owned() };
    if text.len() > MAX_SIGNATURE {
        return Err(fail("it is too long"));
    }
    let text = std::str::from_utf8(text).map_err(|_| fail("it is no text"))?.trim();
    let inner = text
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|text| text.strip_suffix(&format!("-----END {label}-----")))
        .ok_or_else(|| fail("it is not one whole block"))?;
    let mut lines = inner.lines().map(str::trim).peekable();
    // What follows the first line on the same line is nothing.
    if lines.next().is_some_and(|line| !line.is_empty()) {
        return Err(fail("its first line is not one"));
    }
    while lines.next_if(|line| line.is_empty() || line.contains(": ")).is_some() {}
    let mut encoded = String::with_capacity(inner.len());
    while let Some(line) = lines.next_if(|line| !is_checksum(line)) {
        encoded.push_str(line);
    }
    if lines.skip(1).any(|line| !line.is_empty()) {
        return Err(fail("it goes on after its checksum"));
    }
    STANDARD.decode(encoded).map_err(|_| fail("it is not base64"))
}

/// `=` and four characters: no line of base64 begins so.
fn is_checksum(line: &str) -> bool {
    line.len() == 5 && line.starts_with('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_is_read() {
        let pgp = "-----BEGIN X-----\nVersion: 1\nComment: a: b\n\nYWJj\nZGVm\n=abcd\n-----END X-----\n";
        assert_eq!(bytes(pgp.as_bytes(), "X").unwrap(), b"abcdef");
        assert_eq!(bytes(b"-----BEGIN X-----\r\nYWJj\r\n-----END X-----", "X").unwrap(), b"abc");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-----BEGIN X-----",
            "-----BEGIN X----------END X-----x",
            "a\n-----BEGIN X-----\nYWJj\n-----END X-----\n",
            "-----BEGIN X-----\nYWJj\n-----END X-----\nb\n",
            "-----BEGIN X-----\nYWJj\n-----END X-----\n-----BEGIN X-----\nYWJj\n-----END X-----\n",
            "-----BEGIN X-----\n@@@@\n-----END X-----\n",
            "-----BEGIN Y-----\nYWJj\n-----END Y-----\n",
        ] {
            assert!(matches!(bytes(text.as_bytes(), "X"), Err(Refusal::Malformed { .. })), "{text:?}");
        }
        assert!(bytes(&vec![b'a'; MAX_SIGNATURE + 1], "X").is_err());
    }
}
