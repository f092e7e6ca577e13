//! One request and its answer, as gix reads and writes them.

use std::fmt;
use std::io::{self, BufRead, Cursor, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitops_net::{Failure, TlsFailure, client, retry_after};
use gix::protocol::transport::Service;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, Url};

use super::shown;
use super::who::Who;
use crate::GitError;
use crate::error::shorten;
use crate::stop::{Stop, lock};

/// A request of the conversation.
pub(crate) struct Asked {
    pub(crate) client: Client,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// All but the credential.
    pub(crate) headers: HeaderMap,
    pub(crate) who: Who,
    pub(crate) silence: Duration,
    pub(crate) stop: Stop,
}

impl Asked {
    /// Sends it, and waits for the head of the answer; again if the server refuses the credential and there is another.
    pub(crate) fn send(self, body: &[u8]) -> Result<Response, GitError> {
        loop {
            let mut headers = self.headers.clone();
            self.who.authorize(&self.url, &mut headers);
            let request = self.client.request(self.method.clone(), self.url.clone()).headers(headers);
            let sent = self.stop.wait(self.silence, client::send(request.body(body.to_vec())))?;
            let response = sent.map_err(explain)?;
            if !self.who.has_another(&response)? {
                return Ok(response);
            }
        }
    }
}

/// Why there is no answer.
pub(crate) fn explain(error: reqwest::Error) -> GitError {
    match Failure::from(error) {
        Failure::Refused(refused) => refused.into(),
        Failure::Tls(failure @ TlsFailure::OurCertificate(_)) => {
            GitError::Denied { detail: failure.to_string() }
        }
        Failure::Tls(failure) => GitError::Tls { reason: failure.to_string() },
        Failure::WrongForProxy => wrong_for_proxy(),
        other => GitError::Unreachable { reason: other.to_string() },
    }
}

fn wrong_for_proxy() -> GitError {
    GitError::Denied {
        detail:
            "the proxy wants a user and a password, or others (HTTP status 407): with_proxy_credentials()"
                .into(),
    }
}

/// What a status means that is not success. Bodies are not shown: they may be anything.
pub(super) fn accept(response: Response) -> Result<Response, GitError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let detail = || format!("the server answered with HTTP status {}", status.as_u16());
    let retry_after = retry_after(response.headers());
    Err(match status.as_u16() {
        // GitHub says 403 when it limits the rate.
        403 if retry_after.is_some() => GitError::ServerTrouble { status: 403, retry_after },
        407 => wrong_for_proxy(),
        401 | 403 => GitError::Denied { detail: detail() },
        404 | 410 => GitError::RepositoryNotFound { detail: detail() },
        501 | 505 => GitError::Unsupported { detail: detail() },
        status @ (408 | 425 | 429 | 500..=599) => GitError::ServerTrouble { status, retry_after },
        300..=399 => GitError::RedirectRefused {
            to: shown(response.url()),
            reason: "only questions can be redirected",
        },
        _ => GitError::NotGit { detail: detail() },
    })
}

/// Servers of Git say what they send; a page for people is something else.
pub(super) fn expect_content(response: Response, service: Service, kind: &str) -> Result<Response, GitError> {
    let kind = format!("application/x-{}-{kind}", service.as_str());
    let found = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if found.is_some_and(|found| found.trim() == kind) {
        return Ok(response);
    }
    Err(GitError::NotGit { detail: format!("it is {}", shorten(found.unwrap_or("of no known type"))) })
}

/// Headers as lines, as gix reads them.
pub(super) fn header_lines(response: &Response) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in response.headers() {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// An answer, once it is there.
pub(super) type Slot = Arc<Mutex<Option<Response>>>;

/// What is sent: the wants and haves of a negotiation, or a pack with what was written; both are small.
#[derive(Default, Clone)]
pub(crate) struct Upload(Arc<Mutex<Vec<u8>>>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request that goes out when its answer is read; by then all of its body is there.
pub(crate) struct Later {
    pub(super) asked: Asked,
    pub(super) upload: Upload,
    pub(super) slot: Slot,
    pub(super) service: Service,
}

impl Later {
    fn send(self) -> io::Result<Vec<u8>> {
        let body = std::mem::take(&mut *lock(&self.upload.0));
        let stop = self.asked.stop.clone();
        let answer = self
            .asked
            .send(&body)
            .and_then(accept)
            .and_then(|response| expect_content(response, self.service, "result"));
        let response = answer.map_err(|error| told(&stop, error))?;
        let lines = header_lines(&response);
        *lock(&self.slot) = Some(response);
        Ok(lines)
    }
}

fn told(stop: &Stop, error: GitError) -> io::Error {
    let said = io::Error::other(error.to_string());
    stop.explain(error);
    said
}

/// The headers of an answer.
pub(crate) enum Head {
    Here(Cursor<Vec<u8>>),
    /// Taken out while it is sent.
    Later(Option<Box<Later>>),
}

impl Head {
    fn here(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if let Self::Later(later) = self {
            let lines = later.take().map_or_else(|| Ok(Vec::new()), |later| later.send())?;
            *self = Self::Here(Cursor::new(lines));
        }
        match self {
            Self::Here(lines) => Ok(lines),
            Self::Later(_) => Err(io::Error::other("the request was not sent")),
        }
    }
}

impl Read for Head {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.here()?.read(buf)
    }
}

impl BufRead for Head {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.here()?.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if let Self::Here(lines) = self {
            lines.consume(bytes);
        }
    }
}

/// The body of an answer, counted.
pub(crate) struct Body {
    pub(super) response: Slot,
    pub(super) chunk: Cursor<Vec<u8>>,
    pub(super) received: Arc<AtomicU64>,
    pub(super) limit: u64,
    pub(super) silence: Duration,
    pub(super) stop: Stop,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl Body {
    fn more(&mut self) -> Result<(), GitError> {
        let mut response = lock(&self.response);
        let Some(answer) = response.as_mut() else { return Ok(()) };
        while self.chunk.fill_buf().is_ok_and(<[u8]>::is_empty) {
            let Some(chunk) = self.stop.wait(self.silence, answer.chunk())?.map_err(explain)? else {
                *response = None;
                return Ok(());
            };
            let seen = self.received.fetch_add(chunk.len() as u64, Ordering::Relaxed) + chunk.len() as u64;
            self.stop.check_received(seen, self.limit)?;
            self.chunk = Cursor::new(chunk.into());
        }
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let taken = bytes.len().min(buf.len());
        buf[..taken].copy_from_slice(&bytes[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.more().map_err(|error| told(&self.stop, error))?;
        self.chunk.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.chunk.consume(bytes);
    }
}
