//! Who we are to an SSH server.

use std::path::{Path, PathBuf};

use super::{Credentials, Kind};

/// A private key in a file, for SSH. The program `ssh` reads it, at each connection; so its formats are OpenSSH's, and
/// nobody but the owner may have access to the file.
///
/// A key with a passphrase is an error: nobody is there to type it. Such a key may be in an agent ([`SshAgent`]).
///
/// ```
/// # use gitops_git::{GitError, GitSource, SshKey};
/// # fn example() -> Result<(), GitError> {
/// let source = GitSource::builder("git@git.example:platform/config.git")
///     .with_credentials(SshKey::new("/run/secrets/ssh/id_ed25519"))
///     .with_known_hosts_file("/run/secrets/ssh/known_hosts")
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SshKey {
    pub(super) path: PathBuf,
}

impl SshKey {
    /// The file that holds the key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// The keys of an agent, for SSH. All of them are offered to the server; it takes the first that it knows.
#[derive(Debug, Clone)]
pub struct SshAgent {
    pub(super) socket: PathBuf,
}

impl SshAgent {
    /// The agent that listens at a socket: what programs find in the variable `SSH_AUTH_SOCK`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }
}

impl From<SshKey> for Credentials {
    fn from(key: SshKey) -> Self {
        Self(Kind::SshKey(key))
    }
}

impl From<SshAgent> for Credentials {
    fn from(agent: SshAgent) -> Self {
        Self(Kind::SshAgent(agent))
    }
}

/// How a program is to prove who we are.
pub(crate) enum SshProof<'a> {
    Key(&'a Path),
    Agent(&'a Path),
}

impl Credentials {
    pub(crate) fn is_for_ssh(&self) -> bool {
        self.for_ssh().is_some()
    }

    /// What `ssh` needs, if it is that kind.
    pub(crate) fn for_ssh(&self) -> Option<SshProof<'_>> {
        match &self.0 {
            Kind::SshKey(key) => Some(SshProof::Key(&key.path)),
            Kind::SshAgent(agent) => Some(SshProof::Agent(&agent.socket)),
            Kind::Provider(_) => None,
        }
    }
}
