//! Credentials that are given as such, and one in a file.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gitops_core::{Cx, Fault};

use super::provider::{CredentialProvider, CredentialRequest, Login};
use super::{digest, file};
use crate::GitError;

/// No token is longer than this; a file that is, is no token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

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

#[async_trait]
impl CredentialProvider for Token {
    fn identity(&self) -> String {
        digest([b"basic", self.user.as_bytes(), self.secret.as_bytes()])
    }

    async fn login(&self, _cx: &Cx, _request: &CredentialRequest) -> Result<Login, Fault> {
        Ok(Login::new(&self.user, &self.secret))
    }
}

/// A user and a password.
#[derive(Clone)]
pub struct Basic {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Basic {
    /// A user and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

#[async_trait]
impl CredentialProvider for Basic {
    fn identity(&self) -> String {
        digest([b"basic", self.user.as_bytes(), self.password.as_bytes()])
    }

    async fn login(&self, _cx: &Cx, _request: &CredentialRequest) -> Result<Login, Fault> {
        Ok(Login::new(&self.user, &self.password))
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

#[async_trait]
impl CredentialProvider for TokenFile {
    fn identity(&self) -> String {
        digest([b"file", self.user.as_bytes(), self.path.as_os_str().as_encoded_bytes()])
    }

    // The engine asks on a thread that may block.
    async fn login(&self, _cx: &Cx, _request: &CredentialRequest) -> Result<Login, Fault> {
        match read_token(&self.path) {
            Ok(token) => Ok(Login::new(&self.user, token)),
            Err(error) => Err(Fault::new(error.class(), error)),
        }
    }
}

fn read_token(path: &Path) -> Result<String, GitError> {
    let fail = |reason: &str| GitError::Credential { reason: format!("{}: {reason}", path.display()) };
    let bytes = file::read(path, MAX_TOKEN_BYTES).map_err(|reason| GitError::Credential { reason })?;
    let no_token = || fail("the file does not hold one token on one line");
    // An error about UTF-8 need not tell what the bytes were.
    let text = String::from_utf8(bytes).map_err(|_| no_token())?;
    let token = text.trim();
    if token.is_empty() {
        return Err(fail("the file is empty"));
    }
    if token.chars().any(char::is_control) {
        return Err(no_token());
    }
    Ok(token.to_owned())
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
    use gitops_core::Class;

    use super::*;

    #[tokio::test]
    async fn a_renewed_token_file_is_read_again_and_is_the_same_credential() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = TokenFile::new(&path).with_user("bot");
        let (cx, request) = (
            Cx::with_timeout(std::time::Duration::from_secs(9)),
            CredentialRequest::new("https://git.example"),
        );
        assert_eq!(file.login(&cx, &request).await.unwrap_err().class, Class::Denied);
        std::fs::write(&path, "first\n").unwrap();
        let before = file.identity();
        assert_eq!(file.login(&cx, &request).await.unwrap().secret, "first");
        std::fs::write(&path, "second").unwrap();
        let login = file.login(&cx, &request).await.unwrap();
        assert_eq!((&*login.user, &*login.secret), ("bot", "second"));
        assert_eq!(file.identity(), before);
        for bad in ["", " \n", "two\nlines"] {
            std::fs::write(&path, bad).unwrap();
            assert!(file.login(&cx, &request).await.is_err(), "{bad:?}");
        }
    }
}
