//! Who we are to a Git server.

pub(crate) mod file;
#[cfg(feature = "github-app")]
mod github;
#[cfg_attr(not(feature = "https"), allow(dead_code, reason = "without HTTP, nobody is asked"))]
mod provided;
#[cfg_attr(not(feature = "https"), allow(dead_code, reason = "without HTTP, nobody is asked"))]
mod provider;
#[cfg(feature = "ssh")]
mod ssh;
mod token;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

#[cfg(feature = "github-app")]
pub use self::github::GitHubApp;
use self::provided::Provided;
pub use self::provider::{CredentialProvider, CredentialRequest, Login};
#[cfg(feature = "ssh")]
pub(crate) use self::ssh::SshProof;
#[cfg(feature = "ssh")]
pub use self::ssh::{SshAgent, SshKey};
pub use self::token::{Basic, Token, TokenFile};
use crate::mirror::hex;

/// A credential for one Git server. It goes to the scheme, host and port of the source's URL and nowhere else.
///
/// Over HTTP it is whatever is a [`CredentialProvider`]: a [`Token`], a [`TokenFile`], [`Basic`], a `GitHubApp`, or one of
/// your own. Over SSH it is an `SshKey` or the `SshAgent`.
///
/// Clones share what the provider has answered: give clones of one to all sources that use it.
///
/// Its `Debug` shows which kind it is, never the secret.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    Provider(Arc<Provided>),
    #[cfg(feature = "ssh")]
    SshKey(SshKey),
    #[cfg(feature = "ssh")]
    SshAgent(SshAgent),
}

impl<P: CredentialProvider> From<P> for Credentials {
    fn from(provider: P) -> Self {
        Self(Kind::Provider(Arc::new(Provided::new(provider))))
    }
}

impl Credentials {
    /// Who gives out what is sent over HTTP, if it is that kind.
    #[cfg(feature = "https")]
    #[cfg_attr(
        not(feature = "ssh"),
        expect(clippy::unnecessary_wraps, reason = "with SSH, there are other kinds")
    )]
    pub(crate) fn for_http(&self) -> Option<&Arc<Provided>> {
        match &self.0 {
            Kind::Provider(provided) => Some(provided),
            #[cfg(feature = "ssh")]
            Kind::SshKey(_) | Kind::SshAgent(_) => None,
        }
    }

    /// Tells credentials apart, so that each has a mirror of its own. A renewed token is the same credential.
    pub(crate) fn identity(&self) -> String {
        match &self.0 {
            Kind::Provider(provided) => digest([b"provider", provided.provider.identity().as_bytes(), b""]),
            #[cfg(feature = "ssh")]
            Kind::SshKey(key) => digest([b"ssh key", b"", key.path.as_os_str().as_encoded_bytes()]),
            #[cfg(feature = "ssh")]
            Kind::SshAgent(agent) => digest([b"ssh agent", b"", agent.socket.as_os_str().as_encoded_bytes()]),
        }
    }
}

/// Tells texts apart without telling them.
pub(crate) fn digest(parts: [&[u8]; 3]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Provider(provided) => provided.provider.fmt(f),
            #[cfg(feature = "ssh")]
            Kind::SshKey(key) => key.fmt(f),
            #[cfg(feature = "ssh")]
            Kind::SshAgent(agent) => agent.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_credentials_have_other_identities() {
        let ids = [
            Credentials::from(Basic::new("a", "bc")).identity(),
            Credentials::from(Basic::new("ab", "c")).identity(),
            Credentials::from(Token::new("bc")).identity(),
            Credentials::from(TokenFile::new("bc")).identity(),
            #[cfg(feature = "ssh")]
            Credentials::from(SshKey::new("bc")).identity(),
            #[cfg(feature = "ssh")]
            Credentials::from(SshAgent::new("bc")).identity(),
        ];
        for (i, one) in ids.iter().enumerate() {
            assert!(ids.iter().skip(i + 1).all(|other| other != one));
        }
    }

    #[test]
    fn no_debug_shows_the_secret() {
        let shown = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            Token::new("s3cr3t"),
            Basic::new("s3cr3t", "s3cr3t"),
            Login::new("s3cr3t", "s3cr3t"),
            Credentials::from(Token::new("s3cr3t").with_user("s3cr3t")),
            Credentials::from(Basic::new("s3cr3t", "s3cr3t")),
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
