//! Changes that go to a branch of their own, with a pull request.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args as Group, ValueEnum};
use gitops_core::{Cx, Fault, one_line};
use gitops_git::TokenFile;
use gitops_git::pull_request::{Builder, GitHub, Gitea, Opened, PullRequest, PullRequests};
use gitops_git::write::Target;

use crate::args::Repository;

#[derive(Debug, Clone, Group)]
pub(crate) struct Proposal {
    /// Pushes to a branch of its own, and opens a pull request, or updates the open one of the same change. What others have
    /// committed to that branch meanwhile is replaced.
    #[arg(long = "pull-request", id = "pull_request")]
    is_wanted: bool,
    /// The branch of the pull request: one that is not there yet. Without it, its name tells what is changed.
    #[arg(
        long = "pull-request-branch",
        id = "pull_request_branch",
        value_name = "BRANCH",
        requires = "pull_request"
    )]
    branch: Option<String>,
    /// Replaces all that the branch of --pull-request-branch has, if it is there already.
    #[arg(long = "replace-branch", id = "replace_branch", requires = "pull_request_branch")]
    replaces: bool,
    /// Whose API the repository's host speaks: needed for all but github.com.
    #[arg(long = "pull-request-host", id = "pull_request_host", value_enum, requires = "pull_request")]
    host: Option<Host>,
    /// The repository's address at that host, if --repo is another: `https://github.com/acme/config`.
    #[arg(
        long = "pull-request-repo",
        id = "pull_request_repo",
        value_name = "URL",
        requires = "pull_request"
    )]
    repo: Option<String>,
    /// The API's address, where it is not where such hosts have it.
    #[arg(long = "pull-request-api", id = "pull_request_api", value_name = "URL", requires = "pull_request")]
    api: Option<String>,
    /// A file with a token for that API, if it is another than the repository's, or that is reached by SSH. Read again at every use.
    #[arg(
        long = "pull-request-token-file",
        id = "pull_request_token_file",
        value_name = "FILE",
        requires = "pull_request"
    )]
    token_file: Option<PathBuf>,
    /// A label of the pull request; may be given again.
    #[arg(
        long = "pull-request-label",
        id = "pull_request_label",
        value_name = "LABEL",
        requires = "pull_request"
    )]
    label: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    #[value(name = "github")]
    GitHub,
    /// Forgejo, too.
    Gitea,
}

impl Proposal {
    /// The host, if there is to be a pull request.
    pub(crate) fn host(&self, repository: &Repository) -> anyhow::Result<Option<Box<dyn PullRequests>>> {
        if !self.is_wanted {
            return Ok(None);
        }
        let url = self.repo.as_ref().unwrap_or(&repository.repo);
        let host = match self.host {
            Some(host) => host,
            None if url.starts_with("https://github.com/") => Host::GitHub,
            None => bail!("say whose API the repository's host speaks: --pull-request-host github, or gitea"),
        };
        if !url.starts_with("http") {
            bail!("say where the repository is at its host: --pull-request-repo https://HOST/OWNER/NAME");
        }
        let access = &repository.access;
        let known = [&self.token_file, &access.token_file, &access.client_cert].iter().any(|it| it.is_some());
        if !known && access.github_app.is_none() && !url.contains('@') {
            bail!("the host's API wants to know who asks: give --pull-request-token-file");
        }
        Ok(Some(match host {
            Host::GitHub => Box::new(self.reach(GitHub::builder(url), repository)?.build()?),
            Host::Gitea => Box::new(self.reach(Gitea::builder(url), repository)?.build()?),
        }))
    }

    fn reach<H>(&self, mut host: Builder<H>, repository: &Repository) -> anyhow::Result<Builder<H>> {
        host = repository.access.tell(host, &["pull_requests"])?;
        if let Some(file) = &self.token_file {
            host = host.with_credentials(TokenFile::new(file));
        }
        if let Some(url) = &self.api {
            host = host.with_api(url);
        }
        Ok(if repository.allow_http { host.allow_http().allow_loopback() } else { host })
    }

    /// The branch that is pushed to, and what may become of it. `usual` is its name if nobody has named one.
    pub(crate) fn head(&self, base: &str, usual: String) -> anyhow::Result<(String, Target)> {
        let Some(named) = &self.branch else {
            return Ok((usual.clone(), Target::new_branch(usual, base).or_replace()));
        };
        let name = named.strip_prefix("refs/heads/").unwrap_or(named);
        if name == base {
            let base = one_line(base);
            bail!("{base} is what the pull request is for (--ref): give --pull-request-branch another name");
        }
        let target = Target::new_branch(name, base);
        Ok((name.to_owned(), if self.replaces { target.or_replace() } else { target }))
    }

    /// Fails for a pull request that no host could open, before a branch is pushed for it.
    pub(crate) fn check(&self, head: &str, base: &str) -> anyhow::Result<()> {
        Ok(self.wanted(head, base, "a title").check()?)
    }

    fn wanted(&self, head: &str, base: &str, message: &str) -> PullRequest {
        let (title, body) = message.split_once('\n').unwrap_or((message, ""));
        PullRequest::new(shortened_line(&one_line(title)), head, base)
            .with_body(shortened(body.trim()))
            .with_labels(self.label.iter().cloned())
    }

    /// Opens a pull request for a branch, or updates the one that is open. It says what the commit's message says.
    pub(crate) async fn open(
        &self,
        cx: &Cx,
        host: &dyn PullRequests,
        (head, base): (&str, &str),
        message: &str,
    ) -> Result<Opened, Fault> {
        host.open_or_update(cx, &self.wanted(head, base, message)).await
    }
}

/// Titles and bodies that hosts take have no more characters, with some to spare.
const MAX_TITLE: usize = 200;
const MAX_BODY: usize = 60_000;

fn shortened_line(title: &str) -> String {
    match title.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", title[..end].trim_end()),
        None => title.to_owned(),
    }
}

/// As many lines as there is room for. All of them are in the commit's message.
fn shortened(body: &str) -> String {
    let Some((end, _)) = body.char_indices().nth(MAX_BODY) else { return body.to_owned() };
    let kept = body[..end].rsplit_once('\n').map_or(&body[..end], |(lines, _)| lines);
    let left_out = body[kept.len()..].trim_start().lines().count();
    format!("{kept}\n\n… and {left_out} lines more, in the commit's message.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_a_line_ends() {
        let all: Vec<String> = (0..9_000).map(|n| format!("file {n} ä")).collect();
        let body = shortened(&all.join("\n"));
        assert!(body.chars().count() < 65_536);
        let (kept, rest) = body.split_once("\n\n").unwrap();
        let kept = kept.lines().count();
        assert!(all[..kept].iter().map(String::as_str).eq(body.lines().take(kept)));
        assert_eq!(rest, format!("… and {} lines more, in the commit's message.", 9_000 - kept));
        assert_eq!((shortened("a\nb"), shortened_line("a")), ("a\nb".into(), "a".into()));
        assert_eq!(shortened_line(&"ä".repeat(300)).chars().count(), MAX_TITLE + 1);
        assert!(shortened(&"ä".repeat(70_000)).chars().count() < 65_536);
    }
}
