//! A conversation with a host's API.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gitops_core::{Cx, Fault, Timestamp};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{complaint, is_there_already, message, refusal};
use super::link::{next_query, query_of_page, total};
use super::open::{Host, open_or_update};
use super::place::{Repository, below};
use super::{Opened, PullRequest, PullRequestError};
use crate::stop::{self, Stop};
use crate::transport::http::{Asked, HttpPlace, Scheme, Who, explain, redirected_to, shown};
use crate::{Credentials, GitError};

/// A page of fifty pull requests may be that long: the body of each has up to 64 KiB, and there is much beside.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// What a host may say of a failure.
const MAX_COMPLAINT_BYTES: usize = 64 * 1024;
/// Of fifty each, at least.
const MAX_PAGES: usize = 200;

/// How a kind of host wants to be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Whose API it is.
    pub(super) name: &'static str,
    /// What comes before the token.
    pub(super) scheme: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// A request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Opening,
    Changing,
    MakingLabel,
    AddingLabels,
}

impl Doing {
    fn name(self) -> &'static str {
        match self {
            Self::Opening => "the request to open the pull request",
            Self::Changing => "the change of the pull request",
            Self::MakingLabel => "the request to make a label",
            Self::AddingLabels => "the request to add labels",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Changing => Method::PATCH,
            Self::Opening | Self::MakingLabel | Self::AddingLabels => Method::POST,
        }
    }
}

/// The API of a repository.
pub(super) struct Api {
    pub(super) manners: Manners,
    pub(super) repository: Repository,
    /// What all its URLs begin with.
    pub(super) base: Url,
    pub(super) place: HttpPlace,
    pub(super) credentials: Option<Credentials>,
    pub(super) silence: Duration,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.manners.name)
            .field("api", &shown(&self.base))
            .field("repository", &self.repository.full_name())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Opens or updates a pull request, off the async threads: providers of credentials may block.
    pub(super) async fn open_or_update<H: Host>(
        self: &Arc<Self>,
        cx: &Cx,
        wanted: &PullRequest,
    ) -> Result<Opened, Fault> {
        let place = format!("{} of {}", wanted.head, self.repository.full_name());
        let place = format!("{} at {}", crate::error::shorten(&place), shown(&self.base));
        wanted.check().map_err(|error| error.at(&place))?;
        let wrote = Arc::new(AtomicBool::new(false));
        let work = {
            let (api, wanted, wrote) = (self.clone(), wanted.clone(), wrote.clone());
            move |stop: &Stop| {
                Ok(Talk::begin(&api, stop, &wrote).and_then(|talk| open_or_update::<H>(&talk, &wanted)))
            }
        };
        let done = stop::run(cx, work).await.unwrap_or_else(|ended| {
            let ended = PullRequestError::from(ended);
            // Nobody hears of what was done any more.
            Err(if wrote.load(Ordering::SeqCst) { ended.of_write("a change") } else { ended })
        });
        done.map_err(|error| error.at(&place))
    }
}

/// One operation's requests.
pub(super) struct Talk<'a> {
    api: &'a Api,
    who: Who,
    stop: &'a Stop,
    /// Set once something was changed, or may have been.
    wrote: &'a AtomicBool,
}

impl<'a> Talk<'a> {
    fn begin(api: &'a Api, stop: &'a Stop, wrote: &'a AtomicBool) -> Result<Self, PullRequestError> {
        let scheme = Scheme::Token(api.manners.scheme);
        let who = api.place.who(api.credentials.clone(), scheme, api.silence, stop)?;
        Ok(Self { api, who, stop, wrote })
    }

    pub(super) fn repository(&self) -> &'a Repository {
        &self.api.repository
    }

    /// Waits, for what others do meanwhile.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), PullRequestError> {
        Ok(self.stop.wait(pause * 2, tokio::time::sleep(pause))?)
    }

    /// The URL of something of the repository.
    pub(super) fn of_repository(&self, path: &[&str]) -> Result<Url, PullRequestError> {
        let Repository { owner, name, .. } = &self.api.repository;
        self.at(&[&["repos", owner, name], path].concat())
    }

    pub(super) fn at(&self, path: &[&str]) -> Result<Url, PullRequestError> {
        Ok(below(&self.api.base, path)?)
    }

    /// The first of a list, over all its pages, that is looked for.
    pub(super) fn find<T: DeserializeOwned>(
        &self,
        what: &'static str,
        mut url: Url,
        mut is_it: impl FnMut(&T) -> bool,
    ) -> Result<Option<T>, PullRequestError> {
        let mut seen = 0;
        for page in 1..=MAX_PAGES {
            let response = self.send(Method::GET, &url, None)?;
            if !response.status().is_success() {
                return Err(self.refused(response, None));
            }
            let (next, total) = (next_query(response.headers(), &url), total(response.headers()));
            let items: Vec<T> = self.read(response)?;
            seen += items.len();
            let is_cut = !items.is_empty() && total.is_some_and(|total| seen < total);
            if let Some(found) = items.into_iter().find(&mut is_it) {
                return Ok(Some(found));
            }
            let next = next.or_else(|| is_cut.then(|| query_of_page(&url, page + 1)));
            match next {
                None => return Ok(None),
                Some(next) => url.set_query(Some(&next)),
            }
        }
        Err(PullRequestError::TooManyPages { what, limit: MAX_PAGES })
    }

    /// Sends a request that changes something.
    pub(super) fn write<T: DeserializeOwned>(
        &self,
        doing: Doing,
        url: &Url,
        body: &Value,
    ) -> Result<T, PullRequestError> {
        let before = self.wrote.swap(true, Ordering::SeqCst);
        let answer = self.send(doing.method(), url, Some(body)).and_then(|response| {
            if !response.status().is_success() {
                return Err(self.refused(response, Some(doing)));
            }
            // It was carried out, whatever the rest says.
            self.read(response).map_err(|error| match error {
                PullRequestError::NotTheApi { detail, .. } => {
                    PullRequestError::OutcomeUnknown { doing: doing.name(), reason: detail }
                }
                other => other,
            })
        });
        let answer = answer.map_err(|error| error.of_write(doing.name()));
        if !matches!(answer, Ok(_) | Err(PullRequestError::OutcomeUnknown { .. })) {
            self.wrote.store(before, Ordering::SeqCst);
        }
        answer
    }

    fn send(&self, method: Method, url: &Url, body: Option<&Value>) -> Result<Response, PullRequestError> {
        let mut headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            // GitHub answers nobody who has no name.
            (USER_AGENT, HeaderValue::from_static(concat!("gitops-git/", env!("CARGO_PKG_VERSION")))),
        ]);
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in self.api.manners.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let asked = Asked {
            client: self.api.place.client(self.stop)?,
            method,
            url: url.clone(),
            headers,
            who: self.who.clone(),
            silence: self.api.silence,
            stop: self.stop.clone(),
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let response = asked.send(body.as_bytes())?;
        if response.status().is_redirection() {
            return Err(PullRequestError::RedirectRefused { to: redirected_to(&response) });
        }
        Ok(response)
    }

    /// Why a request has failed.
    fn refused(&self, response: Response, doing: Option<Doing>) -> PullRequestError {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        // What can be had of it: the status says the most.
        let _whatever = self.take(response, MAX_COMPLAINT_BYTES, &mut body);
        let said = self.who.hide(&message(&body));
        if doing == Some(Doing::Opening) && is_there_already(status, &said) {
            return PullRequestError::AlreadyOpen { detail: complaint(status, &said) };
        }
        refusal(self.api.manners.name, status, &headers, &said, Timestamp::now())
    }

    fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, PullRequestError> {
        let status = response.status();
        let bad = |detail: String| PullRequestError::NotTheApi { api: self.api.manners.name, detail };
        let mut body = Vec::new();
        if !self.take(response, MAX_ANSWER_BYTES, &mut body)? {
            return Err(bad(format!("it has more than {MAX_ANSWER_BYTES} bytes")));
        }
        // What the parser says may hold a piece of the answer.
        serde_json::from_slice(&body).map_err(|error| {
            let seen = format!("HTTP status {}, {} bytes", status.as_u16(), body.len());
            if error.is_eof() && !body.is_empty() {
                let detail = format!("it ends in the middle ({seen})");
                return GitError::Protocol { doing: "reading the answer", detail }.into();
            }
            bad(format!("it is no such JSON ({seen})"))
        })
    }

    /// Takes a body in, and says whether that was all of it.
    fn take(
        &self,
        mut response: Response,
        limit: usize,
        body: &mut Vec<u8>,
    ) -> Result<bool, PullRequestError> {
        while let Some(chunk) = self.stop.wait(self.api.silence, response.chunk())?.map_err(explain)? {
            if body.len() + chunk.len() > limit {
                return Ok(false);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(true)
    }
}
