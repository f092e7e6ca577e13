//! One question and its answer.

use std::future::Future;

use gitops_core::Cx;
use gitops_net::{Failure, client};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::{RegistryError, Settings};

/// More are a circle.
const MAX_REDIRECTS: usize = 5;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
}

/// How questions are asked.
pub(super) struct Exchange<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a Settings,
    /// The server that a credential is for.
    pub(super) origin: &'a Url,
    /// Nothing that we were given is in play, so that a redirect may lead to another server.
    pub(super) may_leave: bool,
}

impl Exchange<'_> {
    /// Asks, follows redirects, and reads the answer. The credential goes to the origin, and nowhere else.
    pub(super) async fn send(
        &self,
        cx: &Cx,
        asked: &Asked<'_>,
        credential: Option<&HeaderValue>,
    ) -> Result<Answer, RegistryError> {
        let mut url = asked.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let is_of_origin = same_server(&url, self.origin);
            let mut request = self
                .client
                .request(asked.method.clone(), url.clone())
                .header(ACCEPT, HeaderValue::from_static(asked.accept));
            if let Some(credential) = credential.filter(|_| is_of_origin) {
                request = request.header(AUTHORIZATION, credential.clone());
            }
            cx.count_request();
            let response = self.wait(cx, client::send(request)).await?.map_err(Failure::from)?;
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => url = self.redirected(&url, &response)?,
                _ => return self.read(cx, asked, url, is_of_origin, response).await,
            }
        }
        let reason = "there were more than five of them";
        Err(RegistryError::RedirectRefused { to: shown(&url), reason })
    }

    async fn read(
        &self,
        cx: &Cx,
        asked: &Asked<'_>,
        url: Url,
        is_of_origin: bool,
        mut response: Response,
    ) -> Result<Answer, RegistryError> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let limit = self.settings.max_bytes;
        let mut body = Vec::new();
        if asked.method != Method::HEAD {
            while let Some(chunk) = self.wait(cx, response.chunk()).await?.map_err(Failure::from)? {
                if body.len() + chunk.len() > limit {
                    return Err(RegistryError::AnswerTooLong { limit });
                }
                body.extend_from_slice(&chunk);
            }
        }
        Ok(Answer { url, is_of_origin, status, headers, body })
    }

    /// Where a redirect leads to, if we go there.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.and_then(|text| from.join(text).ok()) else {
            return Err(RegistryError::not_a_registry("it is a redirect without a place"));
        };
        let refuse = |reason| Err(RegistryError::RedirectRefused { to: shown(&next), reason });
        if !next.username().is_empty() || next.password().is_some() {
            return refuse("it brings credentials");
        }
        if let Err(reason) = self.check_scheme(&next) {
            return refuse(reason);
        }
        if from.scheme() == "https" && next.scheme() != "https" {
            return refuse("it leads to plain HTTP");
        }
        if !same_server(&next, self.origin) && !self.may_leave {
            return refuse("it leads to another server than the one that the credential is for");
        }
        self.settings.reach.check_host(next.host_str().unwrap_or_default())?;
        Ok(next)
    }

    /// Whether a URL's protocol is allowed, and why not.
    pub(super) fn check_scheme(&self, url: &Url) -> Result<(), &'static str> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.settings.plain.contains(&host_and_port(url)) => Ok(()),
            "http" => Err("plain HTTP is refused: with_plain_http() if nobody listens on the way"),
            _ => Err("registries speak https"),
        }
    }

    /// Waits, as long as the caller may, and no longer than anybody may be silent.
    async fn wait<T>(&self, cx: &Cx, work: impl Future<Output = T>) -> Result<T, RegistryError> {
        let silence = self.settings.silence;
        let patience = Instant::now().checked_add(silence).unwrap_or(cx.deadline);
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(RegistryError::Cancelled),
            done = timeout_at(cx.deadline.min(patience), work) => done.map_err(|_| {
                if cx.deadline <= patience { RegistryError::Deadline } else { RegistryError::Silent { waited: silence } }
            }),
        }
    }
}

/// The scheme, the host and the port.
pub(super) fn same_server(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// As registries are named: the port where it is said.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The server of a URL. Not the path: whoever sends us there could have written into it what it was sent.
pub(super) fn shown(url: &Url) -> String {
    gitops_net::text::shorten(&format!("{}://{}", url.scheme(), host_and_port(url)))
}
