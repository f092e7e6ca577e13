//! Building a [`RegistryClient`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gitops_net::Reach;
use gitops_net::text::chain;
use reqwest::Url;

use super::authority::Authority;
use super::{RegistryClient, RegistryCredentials, RegistryError, Settings, docker_config};
use crate::Repository;

const DEFAULT_SILENCE: Duration = Duration::from_secs(30);
/// What registries give out at most, as a rule.
const DEFAULT_PAGE_SIZE: u32 = 1000;
const DEFAULT_MAX_TAGS: usize = 100_000;
const DEFAULT_MAX_PAGES: usize = 1000;
/// A thousand tags of the greatest length, and any manifest that a registry must take.
const DEFAULT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Settings of a [`RegistryClient`]. See [`RegistryClient::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until build() is called"]
pub struct RegistryClientBuilder {
    credentials: Vec<(String, RegistryCredentials)>,
    docker_configs: Vec<Vec<u8>>,
    services: Vec<(String, String)>,
    plain: Vec<String>,
    credentials_over_http: bool,
    authorities: Vec<Vec<u8>>,
    without_proxy: bool,
    settings: Settings,
}

impl fmt::Debug for RegistryClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the hosts: they are not checked yet, and a password may be before one.
        f.debug_struct("RegistryClientBuilder")
            .field("credentials", &self.credentials.len())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Default for RegistryClientBuilder {
    fn default() -> Self {
        Self {
            credentials: Vec::new(),
            docker_configs: Vec::new(),
            services: Vec::new(),
            plain: Vec::new(),
            credentials_over_http: false,
            authorities: Vec::new(),
            without_proxy: false,
            settings: Settings {
                reach: Reach::default(),
                plain: BTreeSet::new(),
                silence: DEFAULT_SILENCE,
                page_size: DEFAULT_PAGE_SIZE,
                max_tags: DEFAULT_MAX_TAGS,
                max_pages: DEFAULT_MAX_PAGES,
                max_bytes: DEFAULT_MAX_BYTES,
            },
        }
    }
}

impl RegistryClientBuilder {
    /// Who we are to one registry: `ghcr.io`, `registry.example:5000`, `docker.io`. Without one, it is asked as anybody.
    pub fn with_credentials(mut self, registry: impl Into<String>, credentials: RegistryCredentials) -> Self {
        self.credentials.push((registry.into(), credentials));
        self
    }

    /// Takes users, passwords and registries' tokens from a configuration of Docker: the text of `~/.docker/config.json`, or of a
    /// Kubernetes Secret's `.dockerconfigjson`. A key with a path (`registry.example/team`) is for the repositories at and below it, and
    /// the longest one counts. What was given by [`Self::with_credentials`] goes before all of them. Helpers are not run, and identity
    /// tokens are not known: registries of those are asked as anybody.
    pub fn with_docker_config(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.docker_configs.push(json.into());
        self
    }

    /// Lets a token service on another server have the credentials of a registry: `https://gitlab.example`. Its scheme, host and
    /// port count. One on the registry's own server needs no mention, nor do those of Docker Hub and GitLab.
    pub fn with_token_service(mut self, registry: impl Into<String>, service: impl Into<String>) -> Self {
        self.services.push((registry.into(), service.into()));
        self
    }

    /// Speaks plain HTTP with this registry, or token service: `127.0.0.1:5000`. Anybody on the way can read and change what is said.
    pub fn with_plain_http(mut self, host: impl Into<String>) -> Self {
        self.plain.push(host.into());
        self
    }

    /// Lets credentials be sent over plain HTTP.
    pub fn allow_credentials_over_http(mut self) -> Self {
        self.credentials_over_http = true;
        self
    }

    /// Allows registries on this machine (`localhost`). Whoever may choose an image could else reach what runs here.
    pub fn allow_loopback(mut self) -> Self {
        self.settings.reach.loopback = true;
        self
    }

    /// Allows link-local addresses and those of clouds' metadata services.
    pub fn allow_link_local(mut self) -> Self {
        self.settings.reach.link_local = true;
        self
    }

    /// Trusts an authority besides those of the machine: a text with one or more certificates in PEM.
    pub fn with_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Connects to registries themselves, whatever `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` say. A proxy decides in our place
    /// which addresses names lead to.
    pub fn without_proxy(mut self) -> Self {
        self.without_proxy = true;
        self
    }

    /// The longest wait for a connection, and for each sign of the other side; 30 s if nothing is said. The deadline of a call's
    /// context bounds all of it.
    pub fn with_max_silence(mut self, silence: Duration) -> Self {
        self.settings.silence = silence;
        self
    }

    /// How many tags are asked for at once; 1,000 if nothing is said.
    pub fn with_page_size(mut self, tags: u32) -> Self {
        self.settings.page_size = tags.max(1);
        self
    }

    /// The most tags that a repository may have; 100,000 if nothing is said. More are an error: the newest might be missing.
    pub fn with_max_tags(mut self, tags: usize) -> Self {
        self.settings.max_tags = tags;
        self
    }

    /// The most pages that a list may have; 1,000 if nothing is said.
    pub fn with_max_pages(mut self, pages: usize) -> Self {
        self.settings.max_pages = pages;
        self
    }

    /// The most bytes of one answer; 4 MiB if nothing is said.
    pub fn with_max_answer_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Builds the client. Asks nobody. Fails for settings that cannot be meant, and if the program has installed no TLS provider.
    pub fn build(self) -> Result<RegistryClient, RegistryError> {
        let mut settings = self.settings;
        for host in &self.plain {
            let host = endpoint(host)?;
            // URLs leave out the port that they mean anyway.
            settings.plain.extend(host.strip_suffix(":80").map(str::to_owned));
            settings.plain.insert(host);
        }
        let mut credentials = BTreeMap::new();
        let configs = self.docker_configs.iter().map(|text| docker_config::read(text));
        let of_docker: Vec<_> = configs.collect::<Result<_, _>>()?;
        // Docker's keys may be names that no image has.
        for (place, given) in of_docker.into_iter().flatten() {
            if let Ok(registry) = registry(&place.host) {
                check_plain(&settings, &registry, self.credentials_over_http)?;
                let path = if place.path.is_empty() { String::new() } else { format!("/{}", place.path) };
                credentials.insert(format!("{}{path}", registry.registry()), given);
            }
        }
        for (host, given) in self.credentials {
            let registry = registry(&host)?;
            check_plain(&settings, &registry, self.credentials_over_http)?;
            let registry = registry.registry();
            credentials.retain(|key, _| key.split('/').next() != Some(registry));
            credentials.insert(registry.to_owned(), given);
        }
        let mut services: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (host, service) in self.services {
            services.entry(registry(&host)?.registry().to_owned()).or_default().push(origin(&service)?);
        }
        let authorities = gitops_net::client::authorities(&self.authorities)
            .map_err(|reason| RegistryError::InvalidCa { reason })?;
        let https_only = settings.plain.is_empty();
        let builder =
            gitops_net::client::builder(settings.reach, &authorities, https_only, settings.silence)?
                .user_agent(concat!("gitops-image/", env!("CARGO_PKG_VERSION")));
        let builder = if self.without_proxy { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| RegistryError::Tls { reason: chain(&error) })?;
        let authority = Authority::new(credentials, services, self.credentials_over_http);
        Ok(RegistryClient { client, settings: Arc::new(settings), authority: Arc::new(authority) })
    }
}

/// Fails where credentials would be sent in the clear.
fn check_plain(settings: &Settings, registry: &Repository, is_allowed: bool) -> Result<(), RegistryError> {
    if settings.plain.contains(registry.endpoint()) && !is_allowed {
        return Err(RegistryError::CredentialsInTheClear { registry: registry.registry().into() });
    }
    Ok(())
}

/// Some repository of a registry that is named by its host.
fn registry(host: &str) -> Result<Repository, RegistryError> {
    let invalid = |reason: &str| RegistryError::InvalidHost { text: shown(host), reason: reason.into() };
    let repository = Repository::parse(&format!("{host}/a/b")).map_err(|error| invalid(error.reason))?;
    // What has neither a dot nor a port is taken for part of a name.
    if repository.name() == "a/b" {
        Ok(repository)
    } else {
        Err(invalid("name a host: registry.example:5000"))
    }
}

/// How the host of a registry, or of a token service, is named in URLs.
fn endpoint(host: &str) -> Result<String, RegistryError> {
    Ok(registry(host)?.endpoint().to_owned())
}

fn origin(service: &str) -> Result<Url, RegistryError> {
    let invalid = || RegistryError::InvalidHost {
        text: shown(service),
        reason: "name a token service by scheme and host: https://auth.example".into(),
    };
    let url = Url::parse(service).map_err(|_| invalid())?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if matches!(url.scheme(), "https" | "http") && url.has_host() && is_plain {
        Ok(url)
    } else {
        Err(invalid())
    }
}

/// What was given in the place of a host, in short. What is before an `@` may be a password.
fn shown(text: &str) -> String {
    let end = text.rsplit('@').next().unwrap_or_default();
    end.chars().take(100).collect()
}
