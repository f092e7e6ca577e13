//! The settings of a host.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::api::{Api, Manners};
use super::place::Repository;
use crate::remote::{Address, Allowed};
use crate::transport::address::Reach;
use crate::transport::http::{Choices, HttpPlace};
use crate::{Basic, Credentials, GitError};

const DEFAULT_SILENCE: Duration = Duration::from_secs(30);

/// Settings of a host of pull requests: see [`super::GitHub::builder`] and [`super::Gitea::builder`]. They are those of a
/// [`crate::GitSourceBuilder`], and mean the same.
#[must_use = "a builder does nothing until build() is called"]
pub struct Builder<H> {
    repository: String,
    api: Option<String>,
    credentials: Option<Credentials>,
    silence: Duration,
    allowed: Allowed,
    credentials_over_http: bool,
    reach: Reach,
    ca_pem: Vec<Vec<u8>>,
    web: Choices,
    host: PhantomData<fn() -> H>,
}

impl<H> Clone for Builder<H> {
    fn clone(&self) -> Self {
        Self {
            repository: self.repository.clone(),
            api: self.api.clone(),
            credentials: self.credentials.clone(),
            ca_pem: self.ca_pem.clone(),
            web: self.web.clone(),
            ..*self
        }
    }
}

impl<H> fmt::Debug for Builder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URLs, which may hold a password.
        f.debug_struct("Builder")
            .field("credentials", &self.credentials)
            .field("allowed", &self.allowed)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl<H> Builder<H> {
    pub(super) fn new(repository: String) -> Self {
        Self {
            repository,
            api: None,
            credentials: None,
            silence: DEFAULT_SILENCE,
            allowed: Allowed::default(),
            credentials_over_http: false,
            reach: Reach::default(),
            ca_pem: Vec::new(),
            web: Choices::default(),
            host: PhantomData,
        }
    }

    /// Where the API is, if it is not where such hosts usually have it.
    pub fn with_api(mut self, url: impl Into<String>) -> Self {
        self.api = Some(url.into());
        self
    }

    /// Who we are: a [`crate::Token`], a [`crate::TokenFile`], a `GitHubApp` or another [`crate::CredentialProvider`], which go
    /// before user information in the URL. What it gives is sent as a token, to the API's scheme, host and port alone.
    pub fn with_credentials(mut self, credentials: impl Into<Credentials>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// The longest wait for a credential provider, for a connection, for an answer to begin, and for each next part of it; 30 s
    /// by default. The whole operation is bounded by the context's deadline.
    pub fn with_timeout(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Allows `http://`. Anybody on the way can then change what is asked and answered.
    pub fn allow_http(mut self) -> Self {
        self.allowed.http = true;
        self
    }

    /// Allows credentials over `http://`, which anybody on the way can read. For tests.
    pub fn allow_credentials_over_http(mut self) -> Self {
        self.credentials_over_http = true;
        self
    }

    /// Allows hosts on this machine, as [`crate::GitSourceBuilder::allow_loopback`] does.
    pub fn allow_loopback(mut self) -> Self {
        self.reach.loopback = true;
        self
    }

    /// Allows hosts on link-local addresses and those of metadata services.
    pub fn allow_link_local(mut self) -> Self {
        self.reach.link_local = true;
        self
    }

    /// Trusts the certificate authorities in a PEM text, beside those of the machine.
    pub fn with_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// Shows the API's server a client certificate, if it asks for one, as
    /// [`crate::GitSourceBuilder::with_client_certificate`] does.
    pub fn with_client_certificate(
        mut self,
        certificates_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.web.client_certificate(certificates_pem.into(), key_pem.into());
        self
    }

    /// The same from files, which are read again for each request.
    pub fn with_client_certificate_files(
        mut self,
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.web.client_certificate_files(certificates.into(), key.into());
        self
    }

    /// Reaches the host through a proxy, in the place of what the environment says: see
    /// [`crate::GitSourceBuilder::with_proxy`].
    pub fn with_proxy(mut self, url: impl Into<String>) -> Self {
        self.web.proxy(url.into());
        self
    }

    /// Who we are to that proxy.
    pub fn with_proxy_credentials(mut self, credentials: Basic) -> Self {
        self.web.proxy_credentials(credentials);
        self
    }

    /// Connects to the host itself, whatever the environment says of proxies.
    pub fn without_proxy(mut self) -> Self {
        self.web.no_proxy();
        self
    }

    pub(super) fn api(
        self,
        manners: Manners,
        usual: fn(&Repository) -> Result<Url, GitError>,
    ) -> Result<Arc<Api>, GitError> {
        let (url, found) = self.url(&self.repository)?;
        let repository = Repository::of(&url)?;
        let base = match self.api.as_deref().map(|api| self.url(api)).transpose()? {
            None => usual(&repository)?,
            Some((url, None)) => url,
            Some((_, Some(_))) => {
                let reason = "the API's has a user: use with_credentials()".into();
                return Err(GitError::InvalidUrl { reason });
            }
        };
        let credentials = self.credentials.or(found);
        #[cfg(feature = "ssh")]
        if credentials.as_ref().is_some_and(Credentials::is_for_ssh) {
            let reason = "an SSH key and the agent are no credentials for an API".into();
            return Err(GitError::Credential { reason });
        }
        if credentials.is_some() && base.scheme() == "http" && !self.credentials_over_http {
            return Err(GitError::CredentialsInTheClear);
        }
        let settings = self.web.settings(&self.ca_pem, self.reach, self.silence)?;
        let place = HttpPlace::new(base.clone(), settings)?;
        Ok(Arc::new(Api { manners, repository, base, place, credentials, silence: self.silence }))
    }

    fn url(&self, text: &str) -> Result<(Url, Option<Credentials>), GitError> {
        match Address::parse(text, self.allowed)? {
            Address::Http { url, credentials } => Ok((url, credentials)),
            #[cfg(feature = "ssh")]
            Address::Ssh(_) => {
                let reason = "a host's API is not reached over SSH: give the repository's https URL".into();
                Err(GitError::InvalidUrl { reason })
            }
            Address::Local(_) => Err(GitError::InvalidUrl {
                reason: "a repository on this machine has no pull requests".into(),
            }),
        }
    }
}
