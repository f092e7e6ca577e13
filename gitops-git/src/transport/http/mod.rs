//! Git over HTTP(S): an HTTP client of our own below gix's smart protocol.
//!
//! It is ours so that each wait can be cancelled and has a limit, each byte is counted, credentials stay with their
//! host, and errors keep their meaning.

mod certificate;
mod choices;
mod client;
mod exchange;
mod proxy;
#[cfg(any(feature = "github-app", feature = "pull-request"))]
mod rate_limit;
mod who;

use std::any::Any;
use std::io::{self, Cursor};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::protocol::transport::{Protocol, Service};
use gix_transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url};

pub(crate) use self::certificate::ClientCertificate;
pub(crate) use self::choices::Choices;
pub(crate) use self::client::ClientSettings;
use self::client::authorities;
pub(crate) use self::exchange::Asked;
#[cfg(any(feature = "github-app", feature = "pull-request"))]
pub(crate) use self::exchange::explain;
use self::exchange::{Body, Head, Later, Slot, Upload, accept, expect_content, header_lines};
use self::proxy::{Proxy, Way};
#[cfg(any(feature = "github-app", feature = "pull-request"))]
pub(crate) use self::rate_limit::limited_for;
pub(crate) use self::who::{Scheme, Who};
use crate::error::shorten;
use crate::remote::Remote;
use crate::stop::{Stop, lock};
use crate::{CredentialRequest, Credentials, GitError};

/// Redirects that lead somewhere else on the same server; more are a circle.
const MAX_REDIRECTS: usize = 5;

/// A repository on a server, with the connections to it.
pub(crate) struct HttpPlace {
    url: Url,
    settings: Arc<ClientSettings>,
    client: Mutex<Option<Kept>>,
}

/// A client, which keeps its connections.
struct Kept {
    /// The runtime that the connections live on.
    runtime: tokio::runtime::Id,
    /// The certificate that they were made with, and its key.
    own: Option<Vec<u8>>,
    client: Client,
}

impl HttpPlace {
    pub(crate) fn new(url: Url, settings: ClientSettings) -> Result<Self, GitError> {
        settings.check(&url)?;
        Ok(Self { url, settings: Arc::new(settings), client: Mutex::default() })
    }

    /// Who we are to TLS.
    pub(crate) fn certificate(&self) -> Option<&ClientCertificate> {
        self.settings.certificate.as_ref()
    }

    /// The client for the caller's runtime; its connections are used again by the next question, as long as our own
    /// certificate is what it was. Reads that, if it is in files.
    pub(crate) fn client(&self, stop: &Stop) -> Result<Client, GitError> {
        let runtime = stop.runtime().id();
        let own = self.settings.own_certificate()?;
        let mut kept = lock(&self.client);
        if let Some(kept) = &*kept
            && kept.runtime == runtime
            && kept.own == own
        {
            return Ok(kept.client.clone());
        }
        let client = self.settings.client(&self.url, own.as_deref())?;
        *kept = Some(Kept { runtime, own, client: client.clone() });
        Ok(client)
    }

    /// Asks who we are to the server.
    pub(crate) fn who(
        &self,
        credentials: Option<Credentials>,
        scheme: Scheme,
        silence: Duration,
        stop: &Stop,
    ) -> Result<Who, GitError> {
        Who::new(self.url.clone(), credentials, scheme, self.credential_request(), silence, stop)
    }

    fn credential_request(&self) -> CredentialRequest {
        let request = CredentialRequest::new(self.url.origin().ascii_serialization());
        #[cfg(feature = "github-app")]
        let request = CredentialRequest { settings: self.settings.clone(), ..request };
        request
    }
}

/// Prepares a conversation: asks who we are. Nothing is sent to the server yet.
pub(crate) fn connect(
    place: &HttpPlace,
    remote: &Remote,
    service: Service,
    stop: &Stop,
) -> Result<Transport<HttpClient>, GitError> {
    let url = gix::url::parse(place.url.as_str())
        .map_err(|error| GitError::InvalidUrl { reason: shorten(&error.to_string()) })?;
    let silence = remote.limits.silence;
    let client = place.client(stop)?;
    let http = HttpClient {
        client,
        origin: place.url.clone(),
        who: place.who(remote.credentials.clone(), Scheme::Basic, silence, stop)?,
        moved_to: None,
        received: Arc::default(),
        limit: remote.limits.received_bytes,
        silence,
        stop: stop.clone(),
        service,
    };
    // Pushing has no second version.
    let version = if service == Service::ReceivePack { Protocol::V1 } else { Protocol::V2 };
    Ok(Transport::new_http(http, url, version, false))
}

/// What gix's smart protocol sends its requests with.
pub(crate) struct HttpClient {
    client: Client,
    /// The URL of the repository.
    origin: Url,
    who: Who,
    /// The base URL that the server has pointed to.
    moved_to: Option<String>,
    received: Arc<AtomicU64>,
    limit: u64,
    silence: Duration,
    stop: Stop,
    service: Service,
}

impl HttpClient {
    fn ask(
        &self,
        method: Method,
        url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Asked, GitError> {
        let bug = |what: &str| GitError::Bug(format!("{what} of a request is not valid"));
        let url = Url::parse(url).map_err(|_| bug("the URL"))?;
        let mut map = HeaderMap::new();
        for line in headers {
            let (name, value) = line.as_ref().split_once(':').ok_or_else(|| bug("a header"))?;
            let name = HeaderName::try_from(name).map_err(|_| bug("a header's name"))?;
            map.insert(name, HeaderValue::from_str(value.trim()).map_err(|_| bug("a header"))?);
        }
        Ok(Asked {
            client: self.client.clone(),
            method,
            url,
            headers: map,
            who: self.who.clone(),
            silence: self.silence,
            stop: self.stop.clone(),
        })
    }

    /// Sends a GET request, and follows redirects on the same server.
    fn follow(&mut self, url: &str, base: &str, headers: &[String]) -> Result<Response, GitError> {
        let tail = url.strip_prefix(base).unwrap_or_default().to_owned();
        let mut at = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(Method::GET, &at, headers)?.send(&[])?;
            if !response.status().is_redirection() {
                if at != url {
                    self.moved_to = at.strip_suffix(&tail).map(str::to_owned);
                }
                return Ok(response);
            }
            at = self.next_place(&response, &tail)?;
        }
        Err(GitError::RedirectRefused { to: shown(&self.origin), reason: "there is no end of redirects" })
    }

    fn next_place(&self, response: &Response, tail: &str) -> Result<String, GitError> {
        let location =
            response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.and_then(|text| response.url().join(text).ok()) else {
            return Err(GitError::NotGit {
                detail: format!("HTTP status {} without a place", response.status()),
            });
        };
        let refuse = |reason| Err(GitError::RedirectRefused { to: shown(&next), reason });
        if !same_server(&next, &self.origin) {
            return refuse("it leads to another server: use the new URL, if you trust it");
        }
        if !next.username().is_empty() || next.password().is_some() {
            return refuse("it brings credentials");
        }
        // A login page, as a rule.
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        if !next.path().ends_with(path)
            || next.query().unwrap_or_default() != query
            || next.fragment().is_some()
        {
            return refuse("it leads to something else than this repository");
        }
        Ok(next.into())
    }

    /// Remembers what went wrong, for [`super::converse`], and says it to gix.
    fn failed(&self, error: GitError) -> gix::Error {
        let said = io::Error::other(error.to_string());
        self.stop.explain(error);
        gix::Error::from_error(said)
    }

    fn body(&self, response: Slot) -> Body {
        Body {
            response,
            chunk: Cursor::default(),
            received: self.received.clone(),
            limit: self.limit,
            silence: self.silence,
            stop: self.stop.clone(),
        }
    }
}

/// The scheme, the host and the port.
fn same_server(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// A URL without anything that may be secret.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    shorten(&format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()))
}

/// Where an answer points to, if it says so, without anything that may be secret.
#[cfg(any(feature = "github-app", feature = "pull-request"))]
pub(crate) fn redirected_to(response: &Response) -> String {
    let location = response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
    location.and_then(|text| response.url().join(text).ok()).map_or_else(String::new, |url| shown(&url))
}

impl Http for HttpClient {
    type Headers = Head;
    type ResponseBody = Body;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Head, Body>> {
        let headers: Vec<_> = headers.into_iter().map(|line| line.as_ref().to_owned()).collect();
        let response = self
            .follow(url, base_url, &headers)
            .and_then(accept)
            .and_then(|response| expect_content(response, self.service, "advertisement"))
            .map_err(|error| self.failed(error))?;
        let head = Head::Here(Cursor::new(header_lines(&response)));
        Ok(GetResponse { headers: head, body: self.body(Arc::new(Mutex::new(Some(response)))) })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _kind: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Head, Body, Upload>> {
        let asked = self.ask(Method::POST, url, headers).map_err(|error| self.failed(error))?;
        let upload = Upload::default();
        let slot = Slot::default();
        let later = Later { asked, upload: upload.clone(), slot: slot.clone(), service: self.service };
        Ok(PostResponse {
            post_body: upload,
            headers: Head::Later(Some(Box::new(later))),
            body: self.body(slot),
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.moved_to.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_differ_by_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_server(&Url::parse(a).unwrap(), &Url::parse(b).unwrap());
        assert!(same("https://git.example/a", "https://GIT.example:443/b"));
        assert!(!same("https://git.example/a", "http://git.example/a"));
        assert!(!same("https://git.example/a", "https://git.example:8443/a"));
        assert!(!same("https://git.example/a", "https://git.example.evil/a"));
    }
}
