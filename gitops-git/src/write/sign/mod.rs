//! Signing commits, by SSH or OpenPGP keys.

mod openpgp;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gitops_core::Timestamp;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

use self::openpgp::OpenPgpKey;
use super::WriteError;

/// What Git signs for.
const NAMESPACE: &str = "git";

/// No private key is longer.
const MAX_BYTES: u64 = 1024 * 1024;

/// A private key that signs commits. No program is run for it, and no agent asked.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use gitops_git::write::SigningKey;
/// let ssh = SigningKey::ssh_file("/run/secrets/signing/id_ed25519")?;
/// let openpgp = SigningKey::openpgp_file("/run/secrets/signing/key.asc", Some("passphrase"))?;
/// # let _ = (ssh, openpgp);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Key>);

enum Key {
    Ssh(Box<PrivateKey>),
    OpenPgp(Box<OpenPgpKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &*self.0 {
            Key::Ssh(_) => "ssh",
            Key::OpenPgp(_) => "openpgp",
        };
        f.debug_tuple("SigningKey").field(&kind).finish()
    }
}

impl SigningKey {
    /// An SSH key in OpenSSH's format, without a passphrase: Ed25519 or ECDSA.
    ///
    /// # Errors
    /// [`WriteError::SigningKey`] for what is none, has a passphrase, or is of another kind.
    pub fn ssh(text: impl AsRef<[u8]>) -> Result<Self, WriteError> {
        let key = PrivateKey::from_openssh(text.as_ref())
            .map_err(|_| unusable("it is no private key in OpenSSH's format"))?;
        if key.is_encrypted() {
            return Err(unusable("it has a passphrase, and nobody is there to type it: use one without"));
        }
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(Self(Arc::new(Key::Ssh(Box::new(key))))),
            // The library that signs reads their private parts wrongly, and what it would sign fails.
            other => {
                Err(unusable(&format!("keys of the type {} cannot sign here: use Ed25519", other.as_str())))
            }
        }
    }

    /// The same from a file, which is read now.
    pub fn ssh_file(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        Self::ssh(read(path.as_ref())?)
    }

    /// An OpenPGP key of version 4, as `gpg --armor --export-secret-keys` writes it, with its passphrase if it has one. Of the
    /// subkeys, the newest that may sign does so; if there is none, the primary key. What has expired when a commit is made does not
    /// sign it.
    ///
    /// # Errors
    /// [`WriteError::SigningKey`] for what is none, a wrong passphrase, and a key that may not sign.
    pub fn openpgp(armored: &str, passphrase: Option<&str>) -> Result<Self, WriteError> {
        let key = OpenPgpKey::read(armored, passphrase.unwrap_or_default())?;
        Ok(Self(Arc::new(Key::OpenPgp(Box::new(key)))))
    }

    /// The same from a file, which is read now.
    pub fn openpgp_file(path: impl AsRef<Path>, passphrase: Option<&str>) -> Result<Self, WriteError> {
        let bytes = read(path.as_ref())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| unusable("it is not armored"))?;
        Self::openpgp(text, passphrase)
    }

    /// An armored signature over a payload.
    pub(super) fn sign(&self, payload: &[u8], at: Timestamp) -> Result<String, WriteError> {
        let armored = match &*self.0 {
            Key::Ssh(key) => key
                .sign(NAMESPACE, HashAlg::Sha512, payload)
                .and_then(|signature| signature.to_pem(LineEnding::LF))
                .map_err(|error| unusable(&error.to_string()))?,
            Key::OpenPgp(key) => key.sign(payload, at)?,
        };
        Ok(armored.trim_end().to_owned())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, WriteError> {
    crate::credentials::file::read(path, MAX_BYTES).map_err(|reason| unusable(&reason))
}

fn unusable(reason: &str) -> WriteError {
    WriteError::SigningKey { reason: reason.to_owned() }
}
