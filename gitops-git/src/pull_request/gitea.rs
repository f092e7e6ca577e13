//! Gitea and Forgejo.

use std::sync::Arc;

use async_trait::async_trait;
use gitops_core::{Cx, Fault};
use reqwest::Url;
use serde_json::{Value, json};

use super::answer::Label;
use super::api::{Api, Doing, Manners, Talk};
use super::builder::Builder;
use super::open::Host;
use super::place::{Head, Repository, below};
use super::request::same_name;
use super::{Opened, PullRequest, PullRequestError, PullRequests};
use crate::GitError;

pub(super) const MANNERS: Manners = Manners { name: "Gitea", scheme: "token", headers: &[] };

/// What makes a draft of a pull request, unless a server was told something else.
const DRAFT_PREFIXES: [&str; 2] = ["WIP:", "[WIP]"];

/// What servers give out at most, by default.
const PAGE: &str = "50";

/// The colour of labels that are made: the grey that GitHub uses.
const COLOUR: &str = "#ededed";

/// The pull requests of a repository on a server of Gitea or Forgejo.
///
/// Labels are those of the repository and of its organization; one that neither has is made, in grey, in the repository. A
/// draft is a pull request whose title begins with `WIP:` or `[WIP]`; that prefix is kept as it is found.
///
/// The server is asked for its open pull requests one page after the other: it has no question for the one that is meant.
///
/// # Errors
/// See [`PullRequestError`].
#[derive(Debug, Clone)]
pub struct Gitea(Arc<Api>);

impl Gitea {
    /// The settings for a repository, by its URL: `https://git.example/owner/name`, with or without `.git`.
    ///
    /// The API is at `api/v1` on the same server, or at the same path below it, unless [`Builder::with_api`] says something
    /// else.
    pub fn builder(repository: impl Into<String>) -> Builder<Self> {
        Builder::new(repository.into())
    }
}

impl Builder<Gitea> {
    /// Checks the settings. Nothing is asked.
    ///
    /// # Errors
    /// [`PullRequestError::Connection`] of a class that lasts: a URL that cannot be used or was not allowed, ….
    pub fn build(self) -> Result<Gitea, PullRequestError> {
        Ok(Gitea(self.api(MANNERS, usual_api)?))
    }
}

fn usual_api(repository: &Repository) -> Result<Url, GitError> {
    below(&repository.host, &["api", "v1"])
}

/// The prefix that makes a draft of a title, with the white space after it.
fn draft_prefix(title: &str) -> Option<&str> {
    let prefix = DRAFT_PREFIXES
        .iter()
        .find(|prefix| title.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))?;
    let rest = &title[prefix.len()..];
    Some(&title[..title.len() - rest.trim_start().len()])
}

/// The labels of a list that have one of some names.
fn known(talk: &Talk<'_>, path: &[&str], names: &[&str]) -> Result<Vec<Label>, PullRequestError> {
    let mut list = talk.at(path)?;
    list.query_pairs_mut().append_pair("limit", PAGE);
    let mut known = Vec::new();
    talk.find("labels", list, |label: &Label| {
        if names.iter().any(|name| same_name(name, &label.name)) {
            known.push(label.clone());
        }
        false
    })?;
    Ok(known)
}

/// The same of the organization that owns the repository. None, if that is a person, or one that the token may not see.
fn of_organization(talk: &Talk<'_>, names: &[&str]) -> Result<Vec<Label>, PullRequestError> {
    match known(talk, &["orgs", &talk.repository().owner, "labels"], names) {
        Err(PullRequestError::NotFound { .. } | PullRequestError::Denied { .. }) => Ok(Vec::new()),
        found => found,
    }
}

/// The id of a label; one that is written the same goes before one that is not.
fn id_of(labels: &[Label], name: &str) -> Option<u64> {
    let same = labels.iter().find(|label| label.name == name);
    same.or_else(|| labels.iter().find(|label| same_name(&label.name, name))).map(|label| label.id)
}

/// Makes a label in the repository.
fn make(talk: &Talk<'_>, name: &str) -> Result<u64, PullRequestError> {
    let url = talk.of_repository(&["labels"])?;
    let made: Label = talk.write(Doing::MakingLabel, &url, &json!({"name": name, "color": COLOUR}))?;
    Ok(made.id)
}

impl Host for Gitea {
    fn list(talk: &Talk<'_>, _head: Head<'_>, base: &str) -> Result<Url, PullRequestError> {
        let mut url = talk.of_repository(&["pulls"])?;
        url.query_pairs_mut()
            .append_pair("state", "open")
            // Older servers do not know it, and list all.
            .append_pair("base_branch", base)
            .append_pair("sort", "oldest")
            .append_pair("limit", PAGE);
        Ok(url)
    }

    fn new_title(wanted: &PullRequest) -> String {
        match draft_prefix(&wanted.title) {
            None if wanted.draft => format!("{} {}", DRAFT_PREFIXES[0], wanted.title),
            _ => wanted.title.clone(),
        }
    }

    fn title(wanted: &PullRequest, now: &str) -> String {
        match (draft_prefix(&wanted.title), draft_prefix(now)) {
            (None, Some(prefix)) => format!("{prefix}{}", wanted.title),
            _ => wanted.title.clone(),
        }
    }

    fn add_labels(talk: &Talk<'_>, number: u64, labels: &[&str]) -> Result<(), PullRequestError> {
        let Repository { owner, name, .. } = talk.repository();
        let of_repository = known(talk, &["repos", owner, name, "labels"], labels)?;
        let all_known = labels.iter().all(|label| id_of(&of_repository, label).is_some());
        let of_organization = if all_known { Vec::new() } else { of_organization(talk, labels)? };
        let mut ids = Vec::new();
        for label in labels {
            let id = id_of(&of_repository, label).or_else(|| id_of(&of_organization, label));
            ids.push(match id {
                Some(id) => id,
                None => make(talk, label)?,
            });
        }
        let url = talk.of_repository(&["issues", &number.to_string(), "labels"])?;
        talk.write::<Value>(Doing::AddingLabels, &url, &json!({ "labels": ids })).map(drop)
    }
}

#[async_trait]
impl PullRequests for Gitea {
    async fn open_or_update(&self, cx: &Cx, wanted: &PullRequest) -> Result<Opened, Fault> {
        self.0.open_or_update::<Self>(cx, wanted).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_beside_the_repositories() {
        for (repository, api) in [
            ("https://codeberg.org/o/r", "https://codeberg.org/api/v1"),
            ("https://h:3000/git/o/r.git", "https://h:3000/git/api/v1"),
        ] {
            let found = Repository::of(&Url::parse(repository).unwrap()).unwrap();
            assert_eq!(usual_api(&found).unwrap().as_str(), api);
        }
    }

    #[test]
    fn a_draft_is_made_once_and_left_to_people() {
        let draft = PullRequest::new("web 1.8", "b", "main").as_draft();
        let ready = PullRequest::new("web 1.8", "b", "main");
        let named = PullRequest::new("WIP: web 1.8", "b", "main").as_draft();
        assert_eq!(Gitea::new_title(&draft), "WIP: web 1.8");
        assert_eq!(Gitea::new_title(&ready), "web 1.8");
        assert_eq!(Gitea::new_title(&named), "WIP: web 1.8");
        assert_eq!(Gitea::title(&draft, "web 1.7"), "web 1.8", "somebody has said that it is ready");
        assert_eq!(
            Gitea::title(&ready, "[wip]  web 1.7"),
            "[wip]  web 1.8",
            "somebody has said that it is not"
        );
        assert_eq!(Gitea::title(&draft, "WIP: web 1.8"), "WIP: web 1.8");
        assert_eq!(Gitea::title(&named, "WIP: web 1.7"), "WIP: web 1.8");
        assert_eq!(draft_prefix("WI"), None);
        assert_eq!(draft_prefix("ÜIP: x"), None);
    }
}
