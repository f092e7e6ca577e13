//! Whose signatures count.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use gitops_core::Signer;

use super::allowed_signers::{self, AllowedSigner};
use super::certificate::Certificate;
use super::signed::Signed;
use super::{openpgp, ssh};
use crate::GitError;
use crate::refusal::Refusal;

/// Files of keys are read up to this size; the parts have limits of their own.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// The keys whose signatures are trusted: OpenPGP public keys, and SSH keys in the format of `allowed_signers`.
///
/// Whatever a file says that is not supported is an error when it is read. Files are read once: a program that is to take up
/// other keys starts anew.
///
/// Trusted are OpenPGP keys of Ed25519, ECDSA on the NIST curves, and RSA from 2,048 bits, by their primary key or a subkey that
/// may sign; SSH keys of the same kinds (RSA up to 4,096 bits), those in hardware (`sk-`) included.
#[derive(Clone, Default)]
pub struct TrustedKeys {
    openpgp: Arc<Vec<Certificate>>,
    ssh: Arc<Vec<AllowedSigner>>,
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let openpgp: Vec<_> = self.openpgp.iter().map(|certificate| certificate.signer.to_string()).collect();
        let ssh: Vec<_> = self.ssh.iter().map(|line| line.principals.as_str()).collect();
        f.debug_struct("TrustedKeys").field("openpgp", &openpgp).field("ssh", &ssh).finish()
    }
}

impl TrustedKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds armored OpenPGP public keys, as `gpg --armor --export` writes them; several may follow each other.
    ///
    /// # Errors
    /// [`GitError::InvalidKeys`] if there is none, or one that cannot be used: a private key, one too weak or of another
    /// algorithm, one whose own signatures use SHA-1, or a revocation that cannot be checked. A key that is revoked or has
    /// expired is taken: then its signatures can be refused with the reason.
    pub fn with_openpgp(self, armored: impl AsRef<[u8]>) -> Result<Self, GitError> {
        self.add_openpgp(armored.as_ref(), "the OpenPGP keys")
    }

    /// The same from a file.
    ///
    /// # Errors
    /// Also if the file cannot be read, or has more than 4 MiB.
    pub fn with_openpgp_file(self, path: impl AsRef<Path>) -> Result<Self, GitError> {
        let path = path.as_ref();
        self.add_openpgp(&read(path)?, &path.display().to_string())
    }

    /// Adds SSH keys in the format of `allowed_signers`, which ssh-keygen(1) describes. `namespaces=`, `valid-after=` and
    /// `valid-before=` are understood, times in UTC (`20260101Z`); `cert-authority` is not.
    ///
    /// # Errors
    /// [`GitError::InvalidKeys`] with the number of the line.
    pub fn with_allowed_signers(self, text: impl AsRef<str>) -> Result<Self, GitError> {
        self.add_ssh(text.as_ref(), "the allowed signers")
    }

    /// The same from a file.
    ///
    /// # Errors
    /// Also if the file cannot be read, or has more than 4 MiB.
    pub fn with_allowed_signers_file(self, path: impl AsRef<Path>) -> Result<Self, GitError> {
        let path = path.as_ref();
        let text = String::from_utf8(read(path)?)
            .map_err(|_| invalid(&path.display().to_string(), "it is no text in UTF-8"))?;
        self.add_ssh(&text, &path.display().to_string())
    }

    /// Whether there is no key, so that nothing can be trusted.
    pub fn is_empty(&self) -> bool {
        self.openpgp.is_empty() && self.ssh.is_empty()
    }

    fn add_openpgp(mut self, text: &[u8], place: &str) -> Result<Self, GitError> {
        let keys = openpgp::read_keys(text).map_err(|reason| invalid(place, &reason))?;
        Arc::make_mut(&mut self.openpgp).extend(keys);
        Ok(self)
    }

    fn add_ssh(mut self, text: &str, place: &str) -> Result<Self, GitError> {
        let lines = allowed_signers::parse(text).map_err(|reason| invalid(place, &reason))?;
        if lines.is_empty() {
            return Err(invalid(place, "there is no key in it"));
        }
        Arc::make_mut(&mut self.ssh).extend(lines);
        Ok(self)
    }

    /// Who signed, if they are trusted.
    pub(super) fn verify(&self, object: &Signed<'_>) -> Result<Signer, Refusal> {
        let text = object.signature.trim_ascii_start();
        if text.starts_with(b"-----BEGIN SSH SIGNATURE-----") {
            ssh::verify(&self.ssh, object)
        } else if text.starts_with(b"-----BEGIN PGP SIGNATURE-----") {
            openpgp::verify(&self.openpgp, object)
        } else if text.starts_with(b"-----BEGIN SIGNED MESSAGE-----") {
            Err(Refusal::Unsupported { what: "it is one by X.509: use OpenPGP or SSH".into() })
        } else {
            Err(Refusal::Unsupported { what: "it is neither of OpenPGP nor of SSH".into() })
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, GitError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(|error| invalid(&path.display().to_string(), &error.to_string()))?;
    Ok(bytes)
}

fn invalid(place: &str, reason: &str) -> GitError {
    GitError::InvalidKeys { place: place.to_owned(), reason: crate::error::shorten(reason) }
}
