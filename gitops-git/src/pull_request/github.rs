//! GitHub.

use std::sync::Arc;

use async_trait::async_trait;
use gitops_core::{Cx, Fault};
use reqwest::Url;
use serde_json::{Value, json};

use super::api::{Api, Doing, Manners, Talk};
use super::builder::Builder;
use super::open::Host;
use super::place::{Head, Repository, below};
use super::{Opened, PullRequest, PullRequestError, PullRequests};
use crate::GitError;

pub(super) const MANNERS: Manners = Manners {
    name: "GitHub",
    scheme: "Bearer",
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
};

/// The pull requests of a repository on GitHub, GitHub Enterprise, or a server that speaks the same API.
///
/// Labels that the repository does not have are made by GitHub, in its usual colour.
///
/// # Errors
/// See [`PullRequestError`]. A limited rate, of both kinds, is [`gitops_core::Class::Retry`] with the time to wait.
#[derive(Debug, Clone)]
pub struct GitHub(Arc<Api>);

impl GitHub {
    /// The settings for a repository, by its URL: `https://github.com/owner/name`, with or without `.git`.
    ///
    /// The API is at `https://api.github.com` for github.com, at `https://api.NAME.ghe.com` for `NAME.ghe.com`, and at
    /// `https://HOST/api/v3` for every other host, unless [`Builder::with_api`] says something else.
    pub fn builder(repository: impl Into<String>) -> Builder<Self> {
        Builder::new(repository.into())
    }
}

impl Builder<GitHub> {
    /// Checks the settings. Nothing is asked.
    ///
    /// # Errors
    /// [`PullRequestError::Connection`] of a class that lasts: a URL that cannot be used or was not allowed, ….
    pub fn build(self) -> Result<GitHub, PullRequestError> {
        Ok(GitHub(self.api(MANNERS, usual_api)?))
    }
}

/// Where the API is for a repository.
fn usual_api(repository: &Repository) -> Result<Url, GitError> {
    let host = &repository.host;
    let name = host.host_str().unwrap_or_default();
    let prefixed = match name {
        "github.com" | "www.github.com" => Some("api.github.com".to_owned()),
        // GitHub Enterprise Cloud with data residency.
        _ => name.strip_suffix(".ghe.com").map(|_| format!("api.{name}")),
    };
    let Some(prefixed) = prefixed else { return below(host, &["api", "v3"]) };
    let mut api = host.clone();
    api.set_host(Some(&prefixed)).map_err(|error| GitError::InvalidUrl { reason: error.to_string() })?;
    api.set_path("");
    Ok(api)
}

impl Host for GitHub {
    fn list(talk: &Talk<'_>, head: Head<'_>, base: &str) -> Result<Url, PullRequestError> {
        let mut url = talk.of_repository(&["pulls"])?;
        // A head without its owner is no filter at all.
        let owner = head.fork.unwrap_or(&talk.repository().owner);
        url.query_pairs_mut()
            .append_pair("state", "open")
            .append_pair("head", &format!("{owner}:{}", head.branch))
            .append_pair("base", base)
            .append_pair("sort", "created")
            .append_pair("direction", "asc")
            .append_pair("per_page", "100");
        Ok(url)
    }

    fn new_title(wanted: &PullRequest) -> String {
        wanted.title.clone()
    }

    fn title(wanted: &PullRequest, _now: &str) -> String {
        wanted.title.clone()
    }

    fn add_labels(talk: &Talk<'_>, number: u64, labels: &[&str]) -> Result<(), PullRequestError> {
        let url = talk.of_repository(&["issues", &number.to_string(), "labels"])?;
        talk.write::<Value>(Doing::AddingLabels, &url, &json!({ "labels": labels })).map(drop)
    }
}

#[async_trait]
impl PullRequests for GitHub {
    async fn open_or_update(&self, cx: &Cx, wanted: &PullRequest) -> Result<Opened, Fault> {
        self.0.open_or_update::<Self>(cx, wanted).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_github_says() {
        for (repository, api) in [
            ("https://github.com/o/r.git", "https://api.github.com/"),
            ("https://octo.ghe.com/o/r", "https://api.octo.ghe.com/"),
            ("https://github.example:8443/o/r", "https://github.example:8443/api/v3"),
            ("https://github.com.evil.example/o/r", "https://github.com.evil.example/api/v3"),
        ] {
            let found = Repository::of(&Url::parse(repository).unwrap()).unwrap();
            assert_eq!(usual_api(&found).unwrap().as_str(), api);
        }
    }
}
