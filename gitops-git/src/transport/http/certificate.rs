//! Who we are to TLS.

use std::path::{Path, PathBuf};

use reqwest::Identity;

use crate::GitError;
use crate::credentials::{digest, file};
use crate::error::chain;

/// No chain of certificates and no key is longer.
const MAX_BYTES: u64 = 256 * 1024;

/// A client certificate with those that lead to its authority, and its key, both in PEM.
#[derive(Clone)]
pub(crate) enum ClientCertificate {
    Text { certificates: Vec<u8>, key: Vec<u8> },
    Files { certificates: PathBuf, key: PathBuf },
}

impl ClientCertificate {
    /// Fails where that can be told without reading anything.
    pub(super) fn check(&self) -> Result<(), GitError> {
        match self {
            Self::Text { .. } => self.read().and_then(|pem| identity(&pem)).map(drop),
            Self::Files { .. } => Ok(()),
        }
    }

    /// Key and certificates as they are now. Reads the files, if they are in files.
    pub(super) fn read(&self) -> Result<Vec<u8>, GitError> {
        Ok(match self {
            Self::Text { certificates, key } => [key, &b"\n"[..], certificates].concat(),
            Self::Files { certificates, key } => {
                [&*read_file(key)?, b"\n", &*read_file(certificates)?].concat()
            }
        })
    }

    /// Tells certificates apart, so that each has a mirror of its own. One that is renewed in its file is the same.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Text { certificates, key } => digest([b"client certificate", certificates, key]),
            Self::Files { certificates, key } => {
                let path = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
                digest([b"client certificate files", &path(certificates), &path(key)])
            }
        }
    }
}

/// What reqwest takes.
pub(super) fn identity(pem: &[u8]) -> Result<Identity, GitError> {
    Identity::from_pem(pem).map_err(|error| unusable(&chain(&error)))
}

pub(super) fn unusable(reason: &str) -> GitError {
    GitError::Credential { reason: format!("the client certificate or its key: {reason}") }
}

fn read_file(path: &Path) -> Result<Vec<u8>, GitError> {
    file::read(path, MAX_BYTES).map_err(|reason| unusable(&reason))
}
