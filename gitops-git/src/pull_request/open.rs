//! Opening a pull request, or updating the one that is open.

use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

use super::answer::Pull;
use super::api::{Doing, Talk};
use super::place::Head;
use super::{Opened, Outcome, PullRequest, PullRequestError};
use crate::error::shorten;

/// How often it is looked again after somebody else was faster.
const MORE_ROUNDS: u32 = 3;
/// Before the first of them; the others come later.
const PAUSE: Duration = Duration::from_millis(100);

/// In what hosts differ.
pub(super) trait Host {
    /// The list in which an open pull request would be, the oldest first.
    fn list(talk: &Talk<'_>, head: Head<'_>, base: &str) -> Result<Url, PullRequestError>;

    /// The title of one that is to be opened.
    fn new_title(wanted: &PullRequest) -> String;

    /// The title that is to be, where there is one.
    fn title(wanted: &PullRequest, now: &str) -> String;

    /// Adds labels, which are made where they do not exist.
    fn add_labels(talk: &Talk<'_>, number: u64, labels: &[&str]) -> Result<(), PullRequestError>;
}

/// Whatever happens in between, there is no second one: it is always looked first, and hosts refuse a second with the same
/// head and base.
pub(super) fn open_or_update<H: Host>(
    talk: &Talk<'_>,
    wanted: &PullRequest,
) -> Result<Opened, PullRequestError> {
    let head = Head::of(&wanted.head, talk.repository());
    let pulls = talk.of_repository(&["pulls"])?;
    let mut round = 0;
    loop {
        let lost = match once::<H>(talk, wanted, head, &pulls)? {
            Ok(opened) => return Ok(opened),
            Err(lost) => lost,
        };
        if round == MORE_ROUNDS {
            return Err(lost);
        }
        talk.pause(PAUSE * 3_u32.pow(round))?;
        round += 1;
    }
}

/// Looks, and does what is to be done by that. The inner error is that somebody else was faster.
fn once<H: Host>(
    talk: &Talk<'_>,
    wanted: &PullRequest,
    head: Head<'_>,
    pulls: &Url,
) -> Result<Result<Opened, PullRequestError>, PullRequestError> {
    let list = H::list(talk, head, &wanted.base)?;
    let found =
        talk.find("pull requests", list, |pull: &Pull| head.is_of(pull, talk.repository(), &wanted.base))?;
    let (pull, outcome): (Pull, _) = match found {
        None => match talk.write(Doing::Opening, pulls, &new::<H>(head, wanted)) {
            Err(there @ PullRequestError::AlreadyOpen { .. }) => return Ok(Err(there)),
            pull => (pull?, Outcome::Created),
        },
        Some(pull) => match change::<H>(&pull, wanted) {
            None => (pull, Outcome::Unchanged),
            Some(change) => {
                let url = talk.of_repository(&["pulls", &pull.number.to_string()])?;
                let pull: Pull = talk.write(Doing::Changing, &url, &change)?;
                if !pull.is_open() {
                    return Ok(Err(PullRequestError::ClosedMeanwhile { number: pull.number }));
                }
                (pull, Outcome::Updated)
            }
        },
    };
    let missing = wanted.labels_beside(&pull.labels());
    if missing.is_empty() {
        return Ok(Ok(opened(&pull, outcome)?));
    }
    H::add_labels(talk, pull.number, &missing)?;
    let outcome = if outcome == Outcome::Unchanged { Outcome::Updated } else { outcome };
    Ok(Ok(opened(&pull, outcome)?))
}

/// What is sent to open one.
fn new<H: Host>(head: Head<'_>, wanted: &PullRequest) -> Value {
    json!({
        "title": H::new_title(wanted),
        "body": wanted.body,
        "head": head.spelled(),
        "base": wanted.base,
        // Gitea knows no such field.
        "draft": wanted.draft,
    })
}

/// What of one differs from what is wanted, apart from its labels.
fn change<H: Host>(pull: &Pull, wanted: &PullRequest) -> Option<Value> {
    let mut change = serde_json::Map::new();
    let title = H::title(wanted, &pull.title);
    if title.trim() != pull.title.trim() {
        change.insert("title".into(), title.into());
    }
    if normal(&wanted.body) != normal(pull.body.as_deref().unwrap_or_default()) {
        change.insert("body".into(), wanted.body.clone().into());
    }
    if change.is_empty() { None } else { Some(change.into()) }
}

/// A text as hosts may keep it: their editors end lines as HTTP forms do.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

fn opened(pull: &Pull, outcome: Outcome) -> Result<Opened, PullRequestError> {
    // It is shown to people, who will follow it.
    let url = Url::parse(&pull.html_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url {
        Some(url) => Ok(Opened { number: pull.number, url: url.into(), outcome }),
        None => Err(PullRequestError::NotTheApi {
            api: "a Git host",
            detail: format!("the page of pull request {} is {}", pull.number, shorten(&pull.html_url)),
        }),
    }
}
