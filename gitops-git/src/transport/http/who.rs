//! Who we are in one conversation with a server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_core::Fault;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode, Url};

use super::same_server;
use crate::stop::{Stop, lock};
use crate::{CredentialRequest, Credentials, GitError, Login};

/// How a credential is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scheme {
    /// User and secret (RFC 7617), as Git servers take tokens, too.
    Basic,
    /// The secret alone, after this word.
    #[cfg(feature = "pull-request")]
    Token(&'static str),
}

/// The credential that is in use, and where another comes from when the server refuses it.
#[derive(Clone)]
pub(crate) struct Who(Arc<Inner>);

struct Inner {
    /// The URL that the credential was given for.
    origin: Url,
    credentials: Option<Credentials>,
    scheme: Scheme,
    request: CredentialRequest,
    silence: Duration,
    stop: Stop,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    login: Option<(Login, HeaderValue)>,
    /// One credential may be refused, not two.
    was_refused: bool,
}

impl Who {
    /// Asks for the credential, if there is one.
    pub(super) fn new(
        origin: Url,
        credentials: Option<Credentials>,
        scheme: Scheme,
        request: CredentialRequest,
        silence: Duration,
        stop: &Stop,
    ) -> Result<Self, GitError> {
        let now = Mutex::default();
        let who =
            Self(Arc::new(Inner { origin, credentials, scheme, request, silence, stop: stop.clone(), now }));
        let login = who.ask(None)?;
        lock(&who.0.now).login = login;
        Ok(who)
    }

    /// Adds the credential to a request. The last line of defence: whatever led here, nobody else gets it.
    pub(super) fn authorize(&self, url: &Url, headers: &mut HeaderMap) {
        if let Some((_, value)) = &lock(&self.0.now).login
            && same_server(url, &self.0.origin)
        {
            headers.insert(AUTHORIZATION, value.clone());
        }
    }

    /// Whether a request is worth another try, because its credential was refused and there is another one now.
    pub(super) fn has_another(&self, response: &Response) -> Result<bool, GitError> {
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
        let refused = {
            let mut now = lock(&self.0.now);
            if std::mem::replace(&mut now.was_refused, true) {
                return Ok(false);
            }
            now.login.clone()
        };
        let Some((refused, _)) = refused else { return Ok(false) };
        let other = self.ask(Some(&refused))?;
        let is_other = other.as_ref().is_some_and(|(login, _)| !login.is_same_as(&refused));
        lock(&self.0.now).login = other;
        Ok(is_other)
    }

    /// A text of the server without the credential, should it repeat that.
    #[cfg(feature = "pull-request")]
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.stop.hide(text)
    }

    fn ask(&self, refused: Option<&Login>) -> Result<Option<(Login, HeaderValue)>, GitError> {
        let Inner { credentials, scheme, request, silence, stop, .. } = &*self.0;
        let Some(credentials) = credentials else { return Ok(None) };
        let Some(provided) = credentials.for_http() else {
            return Err(GitError::Bug("an SSH credential is to be sent over HTTP".into()));
        };
        let cx = stop.cx().within(*silence);
        // The provider hears of the deadline first, so that it may say what it waited for.
        let login = stop.wait(silence.saturating_add(Duration::from_secs(1)), async {
            cx.bound("the credential provider", provided.login(&cx, request, refused)).await.flatten()
        })?;
        let login =
            login.map_err(|Fault { class, at, source }| match (at, source.downcast::<GitError>()) {
                (None, Ok(error)) => *error,
                // Whose error it is has to be told.
                (at, Ok(error)) => GitError::CredentialProvider(Fault { class, at, source: error }),
                (at, Err(source)) => GitError::CredentialProvider(Fault { class, at, source }),
            })?;
        let header = scheme.header(&login)?;
        // Some hosts take a token for a user without a password.
        stop.keep_secret(if login.secret.is_empty() { &login.user } else { &login.secret });
        if let Some((_, sent)) = header.to_str().ok().and_then(|text| text.split_once(' ')) {
            stop.keep_secret(sent);
        }
        Ok(Some((login, header)))
    }
}

impl Scheme {
    fn header(self, login: &Login) -> Result<HeaderValue, GitError> {
        let text = match self {
            Self::Basic => {
                format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.secret)))
            }
            #[cfg(feature = "pull-request")]
            Self::Token(word) => format!("{word} {}", login.secret),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| GitError::Credential { reason: "no HTTP header can carry it".into() })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
