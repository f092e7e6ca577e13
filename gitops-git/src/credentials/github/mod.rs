//! Tokens of a GitHub App.

mod answer;
mod jwt;
mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use gitops_core::{Cx, Fault, Timestamp};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, Url};
use rsa::rand_core::OsRng;

use super::provider::{CredentialProvider, CredentialRequest, Login};
use crate::GitError;
use crate::transport::http::{explain, redirected_to, shown};

/// An answer names each repository at length if the token was limited to some.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A GitHub App that is installed where the repository is. It asks GitHub for tokens, each of which is good for an hour, and for
/// the next one some minutes before; however many sources share it, by clones of one [`crate::Credentials`], there is one
/// request at a time. A token that GitHub no longer takes is replaced at once.
///
/// The App needs the repository permission "Contents: Read-only"; tokens are asked for with that alone, whatever else the App
/// may do, unless [`Self::with_permission`] says more.
///
/// The request goes to `api.github.com`, or where [`Self::with_api`] says, over `https` and by the settings of the source: its
/// authorities, proxy, limits on time and allowed addresses. A redirect is refused.
///
/// # Errors
/// What lasts is [`gitops_core::Class::Denied`]: GitHub does not take the proof, knows no such installation, or does not give
/// what is asked for; the key cannot be read. A limited rate (with the time to wait), a server in trouble and a network that
/// fails are passing. What is no answer of GitHub's is [`GitError::NotGitHub`].
///
/// # The signature
/// The proof is a JSON Web Token, good for ten minutes from a minute ago, signed by the crate `rsa` with RS256: pure Rust, so that
/// no TLS provider is chosen by the library. RUSTSEC-2023-0071 says that the time `rsa` takes can tell of the key. We sign with
/// blinding, a text that nobody else chooses, about once in an hour; nothing is decrypted.
///
/// ```
/// use gitops_git::{GitError, GitHubApp, GitSource};
///
/// # fn example() -> Result<(), GitError> {
/// let app = GitHubApp::new("123456", 78901234, "/run/secrets/github-app.pem").with_repositories(["config"]);
/// let source = GitSource::builder("https://github.com/platform/config").with_credentials(app).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GitHubApp {
    app: String,
    installation: u64,
    key_file: PathBuf,
    api: String,
    repositories: Vec<String>,
    /// In the order of their names, so that the credential's identity is the same however they were given.
    permissions: BTreeMap<String, String>,
}

impl GitHubApp {
    /// The App's id or client id, the id of its installation, and the file of a private key as GitHub gives it out (PEM;
    /// PKCS #1 or PKCS #8), which is read again at each use.
    pub fn new(app: impl Into<String>, installation: u64, key_file: impl Into<PathBuf>) -> Self {
        Self {
            app: app.into(),
            installation,
            key_file: key_file.into(),
            api: "https://api.github.com".into(),
            repositories: Vec::new(),
            permissions: BTreeMap::from([("contents".into(), "read".into())]),
        }
    }

    /// The API of a GitHub Enterprise Server: `https://github.example/api/v3`.
    #[must_use]
    pub fn with_api(mut self, url: impl Into<String>) -> Self {
        self.api = url.into();
        self
    }

    /// Asks for tokens that can read these repositories only, given by their names without the owner. By default, they can read
    /// all that the App was installed for.
    #[must_use]
    pub fn with_repositories(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.repositories = names.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for tokens with one more permission, which the App needs to have: `("pull_requests", "write")` for pull requests,
    /// `("contents", "write")` to push. The names are those of GitHub's API ("Create an installation access token for an app").
    #[must_use]
    pub fn with_permission(mut self, name: impl Into<String>, access: impl Into<String>) -> Self {
        self.permissions.insert(name.into(), access.into());
        self
    }

    /// Where tokens are asked for.
    fn url(&self) -> Result<Url, GitError> {
        let invalid =
            |reason: &str| GitError::InvalidUrl { reason: format!("the URL of GitHub's API: {reason}") };
        let url = Url::parse(&self.api).map_err(|error| invalid(&error.to_string()))?;
        if url.scheme() != "https" {
            return Err(invalid("only https is allowed"));
        }
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !is_plain || url.fragment().is_some() {
            return Err(invalid("it is to be a host and a path"));
        }
        let base = url.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/app/installations/{}/access_tokens", self.installation))
            .map_err(|error| invalid(&error.to_string()))
    }

    /// What is asked for.
    fn wish(&self) -> serde_json::Value {
        let mut wish = serde_json::json!({"permissions": self.permissions});
        if !self.repositories.is_empty() {
            wish["repositories"] = self.repositories.clone().into();
        }
        wish
    }

    fn headers(&self) -> Result<HeaderMap, GitError> {
        let key = key::read(&self.key_file)?;
        let unusable = || GitError::Credential { reason: "the App's key cannot sign".into() };
        let proof = jwt::proof(key, &self.app, Timestamp::now(), &mut OsRng).map_err(|_| unusable())?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {proof}")).map_err(|_| unusable())?;
        bearer.set_sensitive(true);
        Ok(HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
            // What is read below is of this version.
            (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28")),
            // GitHub answers nobody who has no name.
            (USER_AGENT, HeaderValue::from_static(concat!("gitops-git/", env!("CARGO_PKG_VERSION")))),
        ]))
    }

    async fn ask(&self, client: Client, url: Url) -> Result<Login, GitError> {
        let request = client.post(url).headers(self.headers()?).body(self.wish().to_string());
        let mut response = gitops_net::client::send(request).await.map_err(explain)?;
        let status = response.status();
        if status.is_redirection() {
            let to = redirected_to(&response);
            return Err(GitError::RedirectRefused { to, reason: "a token is asked for at one place only" });
        }
        if !status.is_success() {
            let headers = response.headers();
            return Err(answer::refusal(status, headers, &self.app, self.installation, Timestamp::now()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(explain)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(GitError::NotGitHub { detail: "it has no end".into() });
            }
            body.extend_from_slice(&chunk);
        }
        answer::login(&body, Timestamp::now())
    }
}

#[async_trait]
impl CredentialProvider for GitHubApp {
    /// The App, its installation, and what it asks for. Another key of the App is the same credential.
    fn identity(&self) -> String {
        format!("github app {} {} {} {}", self.api, self.app, self.installation, self.wish())
    }

    async fn login(&self, cx: &Cx, request: &CredentialRequest) -> Result<Login, Fault> {
        // Not the text that was given, which may hold what it must not.
        let url = self.url().map_err(|error| Fault::new(error.class(), error).at("the GitHub App"))?;
        let place = shown(&url);
        let fault = |error: GitError| Fault::new(error.class(), error).at(&place);
        let client = request.settings.client_beside(&url, &request.origin).map_err(fault)?;
        cx.bound(&place, self.ask(client, url)).await?.map_err(fault)
    }
}

impl fmt::Debug for GitHubApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubApp")
            .field("app", &self.app)
            .field("installation", &self.installation)
            .field("key_file", &self.key_file)
            .field("repositories", &self.repositories)
            .finish_non_exhaustive()
    }
}
