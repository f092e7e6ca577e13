//! Who we are to a Git server.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

#[cfg(any(feature = "https", test))]
use crate::GitError;

#[cfg(any(feature = "https", test))]
/// No token is longer than this; a file that is, is no token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// A credential for one Git server. It goes to the scheme, host and port of the source's URL and nowhere else.
///
/// Over HTTP it is a [`Token`], a [`TokenFile`] or [`Basic`]; over SSH an `SshKey` or the `SshAgent`.
///
/// Its `Debug` shows which kind it is, never the secret.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    Basic(Basic),
    TokenFile(TokenFile),
    #[cfg(feature = "ssh")]
    SshKey(SshKey),
    #[cfg(feature = "ssh")]
    SshAgent(SshAgent),
}

/// A token, sent as the password of basic authentication, which GitHub, GitLab, Gitea, Forgejo, Bitbucket and Azure
/// DevOps all take.
#[derive(Clone)]
pub struct Token {
    secret: String,
    user: String,
}

impl Token {
    /// A token. The user name is `git`: servers with tokens look at the token only; where one does, use
    /// [`Self::with_user`].
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), user: "git".into() }
    }

    /// The user name that goes with the token (`x-access-token`, `oauth2`, …).
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }
}

/// A user and a password.
#[derive(Clone)]
pub struct Basic {
    user: String,
    password: String,
}

impl Basic {
    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

/// A token in a file, read again at each use, so that a token that is renewed on disk is used at once.
#[derive(Clone)]
pub struct TokenFile {
    path: PathBuf,
    user: String,
}

impl TokenFile {
    /// The file that holds the token, and nothing but white space around it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), user: "git".into() }
    }

    /// The user name that goes with the token (`x-access-token`, `oauth2`, …).
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }
}

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
#[cfg(feature = "ssh")]
#[derive(Debug, Clone)]
pub struct SshKey {
    path: PathBuf,
}

#[cfg(feature = "ssh")]
impl SshKey {
    /// The file that holds the key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// The keys of an agent, for SSH. All of them are offered to the server; it takes the first that it knows.
#[cfg(feature = "ssh")]
#[derive(Debug, Clone)]
pub struct SshAgent {
    socket: PathBuf,
}

#[cfg(feature = "ssh")]
impl SshAgent {
    /// The agent that listens at a socket: what programs find in the variable `SSH_AUTH_SOCK`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }
}

#[cfg(feature = "ssh")]
impl From<SshKey> for Credentials {
    fn from(key: SshKey) -> Self {
        Self(Kind::SshKey(key))
    }
}

#[cfg(feature = "ssh")]
impl From<SshAgent> for Credentials {
    fn from(agent: SshAgent) -> Self {
        Self(Kind::SshAgent(agent))
    }
}

/// How a program is to prove who we are.
#[cfg(feature = "ssh")]
pub(crate) enum SshProof<'a> {
    Key(&'a std::path::Path),
    Agent(&'a std::path::Path),
}

impl From<Token> for Credentials {
    fn from(token: Token) -> Self {
        Self(Kind::Basic(Basic { user: token.user, password: token.secret }))
    }
}

impl From<Basic> for Credentials {
    fn from(basic: Basic) -> Self {
        Self(Kind::Basic(basic))
    }
}

impl From<TokenFile> for Credentials {
    fn from(file: TokenFile) -> Self {
        Self(Kind::TokenFile(file))
    }
}

impl Credentials {
    #[cfg(any(feature = "https", test))]
    /// User and password as they are now. Reads the file, if it is one; so it blocks.
    pub(crate) fn now(&self) -> Result<(String, String), GitError> {
        match &self.0 {
            Kind::Basic(basic) => Ok((basic.user.clone(), basic.password.clone())),
            Kind::TokenFile(file) => Ok((file.user.clone(), read_token(&file.path)?)),
            #[cfg(feature = "ssh")]
            Kind::SshKey(_) | Kind::SshAgent(_) => {
                Err(GitError::Bug("an SSH credential is to be sent over HTTP".into()))
            }
        }
    }

    #[cfg(feature = "ssh")]
    pub(crate) fn is_for_ssh(&self) -> bool {
        self.for_ssh().is_some()
    }

    /// What `ssh` needs, if it is that kind.
    #[cfg(feature = "ssh")]
    pub(crate) fn for_ssh(&self) -> Option<SshProof<'_>> {
        match &self.0 {
            Kind::SshKey(key) => Some(SshProof::Key(&key.path)),
            Kind::SshAgent(agent) => Some(SshProof::Agent(&agent.socket)),
            _ => None,
        }
    }

    /// Tells credentials apart, so that each has a mirror of its own. A renewed token file is the same credential.
    pub(crate) fn identity(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let parts: [&[u8]; 3] = match &self.0 {
            Kind::Basic(basic) => [b"basic", basic.user.as_bytes(), basic.password.as_bytes()],
            Kind::TokenFile(file) => {
                [b"file", file.user.as_bytes(), file.path.as_os_str().as_encoded_bytes()]
            }
            #[cfg(feature = "ssh")]
            Kind::SshKey(key) => [b"ssh key", b"", key.path.as_os_str().as_encoded_bytes()],
            #[cfg(feature = "ssh")]
            Kind::SshAgent(agent) => [b"ssh agent", b"", agent.socket.as_os_str().as_encoded_bytes()],
        };
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

#[cfg(any(feature = "https", test))]
fn read_token(path: &std::path::Path) -> Result<String, GitError> {
    use std::io::Read as _;

    let fail = |reason: String| GitError::Credential { reason: format!("{}: {reason}", path.display()) };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
        // The kind says enough; an error about UTF-8 need not tell what the bytes were.
        .map_err(|error| fail(error.kind().to_string()))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(fail("the file is empty".into()));
    }
    if text.len() as u64 == MAX_TOKEN_BYTES || token.chars().any(char::is_control) {
        return Err(fail("the file does not hold one token on one line".into()));
    }
    Ok(token.to_owned())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Basic(basic) => basic.fmt(f),
            Kind::TokenFile(file) => file.fmt(f),
            #[cfg(feature = "ssh")]
            Kind::SshKey(key) => key.fmt(f),
            #[cfg(feature = "ssh")]
            Kind::SshAgent(agent) => agent.fmt(f),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are given as user names too, so that neither part is shown.
        f.debug_struct("Basic").finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_token_file_is_read_again_and_is_the_same_credential() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let credentials = Credentials::from(TokenFile::new(&path).with_user("bot"));
        assert_eq!(credentials.now().unwrap_err().class(), gitops_core::Class::Denied);
        std::fs::write(&path, "first\n").unwrap();
        let before = credentials.identity();
        assert_eq!(credentials.now().unwrap(), ("bot".into(), "first".into()));
        std::fs::write(&path, "second").unwrap();
        assert_eq!(credentials.now().unwrap().1, "second");
        assert_eq!(credentials.identity(), before);
        for bad in ["", " \n", "two\nlines"] {
            std::fs::write(&path, bad).unwrap();
            assert!(credentials.now().is_err(), "{bad:?}");
        }
    }

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
            "{:?} {:?} {:?} {:?}",
            Token::new("s3cr3t"),
            Basic::new("s3cr3t", "s3cr3t"),
            Credentials::from(Token::new("s3cr3t").with_user("s3cr3t")),
            Credentials::from(Basic::new("s3cr3t", "s3cr3t")),
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
