//! Where credentials come from that change.

use std::fmt;
#[cfg(feature = "github-app")]
use std::sync::Arc;

use async_trait::async_trait;
use gitops_core::{Cx, Fault, Timestamp};

/// Gives out the credential for an HTTP server, as it is at the moment. [`crate::Token`], [`crate::Basic`],
/// [`crate::TokenFile`] and `GitHubApp` are providers; implement it for tokens that come from somewhere else, and hand it to
/// [`crate::GitSourceBuilder::with_credentials`].
///
/// # When it is asked
/// Once for each operation (a poll, a fetch), before the server is; but not while an earlier answer is good by its own word
/// ([`Login::with_valid_until`]). Where the server refuses a credential (HTTP 401), it is asked once more, with
/// [`CredentialRequest::refused`] set; if that answer is the same, or is refused too, the operation fails as
/// [`gitops_core::Class::Denied`].
///
/// All sources that clones of one [`crate::Credentials`] were given to share the answers, and for one server the questions
/// come one after the other: however many poll, a token that has run out is renewed once. A fault that says when to come
/// back answers for all of them until then, for an hour at most.
///
/// # Where the answer goes
/// To the scheme, host and port of the source's URL, as basic authentication; for pull requests to those of the host's API, where
/// the secret alone is sent, as a token. It is logged by nobody, nor in any error.
/// What a provider says of itself (`Debug`, its errors) is its own business: it must not hold secrets.
///
/// # Errors
/// The class of the fault says what the engine does: [`Fault::retry`] for what may pass (with a time to wait in
/// [`gitops_core::Class::Retry`]), [`gitops_core::Class::Denied`] where somebody has to do something.
///
/// # Cancellation
/// The wait ends with the context's deadline or cancellation; then the future is dropped. The deadline is no later than
/// [`crate::GitSourceBuilder::with_timeout`] from the question.
///
/// ```
/// use async_trait::async_trait;
/// use gitops_core::{Class, Cx, Fault};
/// use gitops_git::{CredentialProvider, CredentialRequest, GitError, GitSource, Login};
///
/// /// A token from a variable that somebody else renews.
/// #[derive(Debug)]
/// struct Variable(&'static str);
///
/// #[async_trait]
/// impl CredentialProvider for Variable {
///     fn identity(&self) -> String {
///         format!("variable {}", self.0)
///     }
///
///     async fn login(&self, _cx: &Cx, _request: &CredentialRequest) -> Result<Login, Fault> {
///         let token = std::env::var(self.0).map_err(|_| Fault::new(Class::Denied, "the variable is not set"))?;
///         Ok(Login::new("git", token))
///     }
/// }
///
/// # fn example() -> Result<(), GitError> {
/// let source = GitSource::builder("https://git.example/platform/config")
///     .with_credentials(Variable("CONFIG_TOKEN"))
///     .build()?;
/// # Ok(()) }
/// ```
#[async_trait]
pub trait CredentialProvider: fmt::Debug + Send + Sync + 'static {
    /// Names the credential, the same from run to run: the mirror of what one credential may read is kept apart from that
    /// of another. A renewed token is the same credential, another account is another one. It is only used in a hash.
    fn identity(&self) -> String;

    /// The credential as it is now.
    async fn login(&self, cx: &Cx, request: &CredentialRequest) -> Result<Login, Fault>;
}

/// What a credential is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CredentialRequest {
    /// The server's scheme and host, and its port if that is not the scheme's: `https://git.example`.
    pub origin: String,
    /// Whether the server has just refused the last answer.
    pub refused: bool,
    /// How the source connects, for providers that ask a server of their own.
    #[cfg(feature = "github-app")]
    pub(crate) settings: Arc<crate::transport::http::ClientSettings>,
}

impl CredentialRequest {
    /// A request for a server, as the engine makes it: to try out a provider.
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            refused: false,
            #[cfg(feature = "github-app")]
            settings: Arc::default(),
        }
    }

    /// The same, after the last answer was refused.
    #[must_use]
    pub fn after_refusal(mut self) -> Self {
        self.refused = true;
        self
    }
}

/// A user and a secret for an HTTP server, and until when they are good. Its `Debug` shows neither.
#[derive(Clone)]
pub struct Login {
    pub(crate) user: String,
    pub(crate) secret: String,
    pub(crate) valid_until: Option<Timestamp>,
}

impl Login {
    /// A user and a password or token. Of tokens most servers ignore the user; some want `x-access-token`, `oauth2`, ….
    ///
    /// Without more, the provider is asked again at the next operation.
    pub fn new(user: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { user: user.into(), secret: secret.into(), valid_until: None }
    }

    /// Says until when it may be used without asking again. Let that be some minutes before it really ends: clocks differ,
    /// and a fetch takes its time.
    #[must_use]
    pub fn with_valid_until(mut self, end: Timestamp) -> Self {
        self.valid_until = Some(end);
        self
    }

    /// Whether a server that refuses one of them would refuse the other.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.user == other.user && self.secret == other.secret
    }

    /// Whether it may be used without asking again.
    pub(crate) fn is_good_at(&self, now: Timestamp) -> bool {
        self.valid_until.is_some_and(|end| now < end)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are given as user names too, so that neither part is shown.
        f.debug_struct("Login").field("valid_until", &self.valid_until).finish_non_exhaustive()
    }
}
