//! Answers to a registry's challenges, and the tokens that are still good.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gitops_core::Cx;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::RegistryError;
use super::answer::Answer;
use super::challenge::{self, Challenge};
use super::credentials::{RegistryCredentials, bearer};
use super::exchange::{Asked, Exchange, host_and_port, same_server, shown};
use super::token::Granted;
use crate::Repository;

/// Token services that are known to serve another host, and answer for it.
const KNOWN_SERVICES: [(&str, &str); 2] =
    [("docker.io", "https://auth.docker.io"), ("registry.gitlab.com", "https://gitlab.com")];

/// So many answers are kept; each is for one repository.
const MAX_KEPT: usize = 1024;

/// Who we are, and what that got us.
pub(super) struct Authority {
    /// By registry, or by registry and the beginning of a repository's name.
    credentials: BTreeMap<String, RegistryCredentials>,
    /// The origins that also get the credentials of a registry.
    services: BTreeMap<String, Vec<Url>>,
    credentials_over_http: bool,
    kept: Mutex<HashMap<Repository, Kept>>,
}

/// What a registry accepted, or is expected to.
struct Kept {
    header: HeaderValue,
    until: Instant,
}

impl Authority {
    pub(super) fn new(
        credentials: BTreeMap<String, RegistryCredentials>,
        services: BTreeMap<String, Vec<Url>>,
        credentials_over_http: bool,
    ) -> Self {
        Self { credentials, services, credentials_over_http, kept: Mutex::default() }
    }

    /// Whether anything was given to us for a repository.
    pub(super) fn has_credentials(&self, repository: &Repository) -> bool {
        self.given_for(repository).is_some()
    }

    /// What was given to us for a repository: for it alone, or for the least that it is a part of.
    fn given_for(&self, repository: &Repository) -> Option<&RegistryCredentials> {
        let name = repository.to_string();
        let mut within = std::iter::successors(Some(&*name), |at| Some(at.rsplit_once('/')?.0));
        within.find_map(|place| self.credentials.get(place))
    }

    /// What can be sent with a question at once.
    pub(super) fn known(&self, repository: &Repository) -> Result<Option<HeaderValue>, RegistryError> {
        if let Some(header) = self.given_for(repository).and_then(RegistryCredentials::bearer_header) {
            return header.map(Some);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let good = kept.get(repository).filter(|kept| Instant::now() < kept.until);
        Ok(good.map(|kept| kept.header.clone()))
    }

    /// The header that a registry wants, which has just answered 401. `refused` says that it got one already.
    pub(super) async fn answer(
        &self,
        cx: &Cx,
        exchange: &Exchange<'_>,
        repository: &Repository,
        answer: &Answer,
        refused: bool,
    ) -> Result<HeaderValue, RegistryError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(repository);
        let Err(denied) = answer.accepted() else {
            return Err(RegistryError::Bug("an answer that is no refusal was refused".into()));
        };
        let credentials = self.given_for(repository);
        // A token that was given to us can only be given anew.
        if refused && credentials.is_some_and(|given| given.bearer_header().is_some()) {
            return Err(denied);
        }
        let basic = credentials.and_then(RegistryCredentials::basic_header).transpose()?;
        let (header, life) = match (challenge::of(&answer.headers), basic) {
            (None, _) | (Some(Challenge::Basic), None) => return Err(denied),
            // The same as before would be refused again.
            (Some(Challenge::Basic), Some(_)) if refused => return Err(denied),
            (Some(Challenge::Basic), Some(basic)) => (basic, Duration::from_secs(3600)),
            (Some(Challenge::Bearer { realm, service }), basic) => {
                let granted = self.token(cx, exchange, repository, (realm, service), basic).await?;
                (bearer(&granted.token)?, granted.life)
            }
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(repository.clone(), Kept { header: header.clone(), until: Instant::now() + life });
        Ok(header)
    }

    /// A token to read one repository.
    async fn token(
        &self,
        cx: &Cx,
        exchange: &Exchange<'_>,
        repository: &Repository,
        (mut realm, service): (Url, Option<String>),
        basic: Option<HeaderValue>,
    ) -> Result<Granted, RegistryError> {
        self.check_realm(exchange, repository, &realm, basic.is_some())?;
        realm.set_fragment(None);
        {
            let mut query = realm.query_pairs_mut();
            if let Some(service) = &service {
                query.append_pair("service", service);
            }
            // No more than is needed, whatever the registry asks for.
            query.append_pair("scope", &format!("repository:{}:pull", repository.name()));
        }
        let asked = Asked { method: Method::GET, url: &realm, accept: "application/json" };
        // Whoever redirects this gets no credential, and gives no token.
        let exchange = Exchange { origin: &realm, may_leave: false, ..*exchange };
        let answer = exchange.send(cx, &asked, basic.as_ref()).await?;
        if answer.status == 400 && basic.is_some() {
            // What some services say to a wrong password.
            let detail = "the token service answered with HTTP status 400".into();
            return Err(RegistryError::Denied { detail });
        }
        let answer = answer.accept().map_err(|error| match error {
            RegistryError::Denied { detail } => {
                RegistryError::Denied { detail: format!("the token service answered with {detail}") }
            }
            RegistryError::NotFound { detail } => {
                RegistryError::not_a_registry(format!("its token service answered with {detail}"))
            }
            other => other,
        })?;
        Granted::read(&answer.body)
    }

    /// Fails for a token service that is not to be asked, or not with a credential.
    fn check_realm(
        &self,
        exchange: &Exchange<'_>,
        repository: &Repository,
        realm: &Url,
        with_credential: bool,
    ) -> Result<(), RegistryError> {
        let refuse = |reason| Err(RegistryError::TokenServiceRefused { realm: shown(realm), reason });
        if !realm.username().is_empty() || realm.password().is_some() {
            return refuse("its URL brings credentials");
        }
        if let Err(reason) = exchange.check_scheme(realm) {
            return refuse(reason);
        }
        if exchange.origin.scheme() == "https" && realm.scheme() != "https" {
            return refuse("it is on plain HTTP, and the registry is not");
        }
        exchange.settings.reach.check_host(realm.host_str().unwrap_or_default())?;
        if !with_credential {
            return Ok(());
        }
        if realm.scheme() == "http" && !self.credentials_over_http {
            return Err(RegistryError::CredentialsInTheClear { registry: host_and_port(realm) });
        }
        let named = self.services.get(repository.registry()).map_or(&[][..], Vec::as_slice);
        if may_be_told(repository.registry(), exchange.origin, named, realm) {
            return Ok(());
        }
        refuse("it would be told the credential: with_token_service() if it is the registry's own")
    }
}

/// Whether a token service gets the credentials of a registry: one on the same server, a known one, or one that was named.
fn may_be_told(registry: &str, origin: &Url, named: &[Url], realm: &Url) -> bool {
    let is_known = || {
        let service = realm.origin().ascii_serialization();
        KNOWN_SERVICES.contains(&(registry, &*service))
    };
    same_server(realm, origin) || is_known() || named.iter().any(|named| same_server(realm, named))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.values().flatten().map(Url::as_str).collect();
        f.debug_struct("Authority")
            .field("credentials", &self.credentials)
            .field("services", &services)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_services_that_are_known_serve_their_registry_alone() {
        let told = |registry: &str, origin: &str, named: &[&str], realm: &str| {
            let url = |text: &str| Url::parse(text).unwrap();
            let named: Vec<_> = named.iter().map(|text| url(text)).collect();
            may_be_told(registry, &url(origin), &named, &url(realm))
        };
        let hub = |realm| told("docker.io", "https://registry-1.docker.io/", &[], realm);
        assert!(hub("https://auth.docker.io/token"));
        assert!(hub("https://registry-1.docker.io/token"));
        for other in [
            "http://auth.docker.io/token",
            "https://auth.docker.io:8443/token",
            "https://auth.docker.io.evil.example/token",
            "https://gitlab.com/jwt/auth",
        ] {
            assert!(!hub(other), "{other}");
        }
        let other = |named: &[&str], realm| told("r.example:5000", "https://r.example:5000/", named, realm);
        assert!(!other(&[], "https://auth.docker.io/token") && !other(&[], "https://r.example/token"));
        assert!(other(&[], "https://R.example:5000/token"));
        assert!(other(&["https://auth.example"], "https://auth.example:443/jwt"));
        assert!(!other(&["https://auth.example"], "http://auth.example/jwt"));
        assert!(told(
            "registry.gitlab.com",
            "https://registry.gitlab.com/",
            &[],
            "https://gitlab.com/jwt/auth"
        ));
    }
}
