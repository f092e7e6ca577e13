//! The private key of an App.

use std::path::Path;

use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;

use crate::GitError;
use crate::credentials::file;

/// No key is longer.
const MAX_BYTES: u64 = 64 * 1024;

/// What RS256 asks for (RFC 7518, 3.3).
const MIN_BITS: usize = 2048;

const NONE: &str = "the file does not hold an RSA private key in PEM, without a passphrase";

/// Reads a key from a file.
pub(super) fn read(path: &Path) -> Result<RsaPrivateKey, GitError> {
    let fail = |reason: &str| GitError::Credential { reason: format!("{}: {reason}", path.display()) };
    let bytes = file::read(path, MAX_BYTES).map_err(|reason| GitError::Credential { reason })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fail(NONE))?;
    parse(text.trim()).map_err(fail)
}

/// PKCS #1, as GitHub gives keys out, or PKCS #8. The parsers' own errors are not told: they may tell of the key.
fn parse(text: &str) -> Result<RsaPrivateKey, &'static str> {
    let key = if text.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        RsaPrivateKey::from_pkcs1_pem(text).map_err(|_| NONE)?
    } else {
        RsaPrivateKey::from_pkcs8_pem(text).map_err(|_| NONE)?
    };
    if key.n().bits() < MIN_BITS { Err("the RSA key has less than 2048 bits") } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use rsa::pkcs1::EncodeRsaPrivateKey as _;
    use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
    use rsa::rand_core::OsRng;

    use super::*;

    #[test]
    fn both_forms_of_pem_are_read() {
        let key = RsaPrivateKey::new(&mut OsRng, MIN_BITS).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        for ending in [LineEnding::LF, LineEnding::CRLF] {
            for pem in [key.to_pkcs1_pem(ending).unwrap(), key.to_pkcs8_pem(ending).unwrap()] {
                std::fs::write(&path, format!("\n{}\n", &*pem)).unwrap();
                assert_eq!(read(&path).unwrap(), key);
            }
        }
        let small = RsaPrivateKey::new(&mut OsRng, 1024).unwrap().to_pkcs1_pem(LineEnding::LF).unwrap();
        let pem = key.to_pkcs1_pem(LineEnding::LF).unwrap();
        for (bad, says) in [
            (small.as_str(), "2048"),
            ("", "RSA private key"),
            (&pem[..pem.len() / 2], "RSA private key"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                "passphrase",
            ),
        ] {
            std::fs::write(&path, bad).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.class(), gitops_core::Class::Denied);
            assert!(error.to_string().contains(says) && error.to_string().contains("key.pem"), "{error}");
        }
    }
}
