//! Where the API of a repository is, and whose branch is meant.

use reqwest::Url;

use super::answer::Pull;
use super::request::same_name;
use crate::GitError;
use crate::remote::percent_decoded;

/// A repository at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    /// The URL that it is below.
    pub(super) host: Url,
    pub(super) owner: String,
    pub(super) name: String,
}

impl Repository {
    /// Takes a repository's URL apart: `https://host/owner/name`, or `….git`, maybe below a path.
    pub(super) fn of(url: &Url) -> Result<Self, GitError> {
        let invalid =
            || GitError::InvalidUrl { reason: "it is to end with a repository: /owner/name".into() };
        let mut segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
        let mut last = || -> Result<String, GitError> {
            let text = percent_decoded(segments.pop().unwrap_or_default())?;
            let is_plain = !text.contains('/') && !text.chars().any(char::is_control);
            if is_plain && !matches!(&*text, "" | "." | "..") { Ok(text) } else { Err(invalid()) }
        };
        let name = last()?;
        let owner = last()?;
        let name = name.strip_suffix(".git").unwrap_or(&name).to_owned();
        if matches!(&*name, "" | "." | "..") {
            return Err(invalid());
        }
        let path = segments.join("/");
        let mut host = url.clone();
        host.set_path(&path);
        Ok(Self { host, owner, name })
    }

    /// `owner/name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// A URL with more segments of a path, which are encoded as they must be.
pub(super) fn below(url: &Url, segments: &[&str]) -> Result<Url, GitError> {
    let mut url = url.clone();
    url.path_segments_mut()
        .map_err(|()| GitError::InvalidUrl { reason: "it has no path".into() })?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// What is to be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The owner of the fork, if it is in one.
    pub(super) fork: Option<&'a str>,
    pub(super) branch: &'a str,
}

impl<'a> Head<'a> {
    /// Reads `branch` or `owner:branch`.
    pub(super) fn of(text: &'a str, repository: &Repository) -> Self {
        match text.split_once(':') {
            Some((owner, branch)) if same_name(owner, &repository.owner) => Self { fork: None, branch },
            Some((owner, branch)) => Self { fork: Some(owner), branch },
            None => Self { fork: None, branch: text },
        }
    }

    /// As hosts want it: `owner:branch` only for a fork.
    pub(super) fn spelled(self) -> String {
        match self.fork {
            Some(owner) => format!("{owner}:{}", self.branch),
            None => self.branch.to_owned(),
        }
    }

    /// Whether a pull request is from here to a base. Filters of hosts are not relied on: GitHub leaves out those that it
    /// does not understand.
    pub(super) fn is_of(self, pull: &Pull, repository: &Repository, base: &str) -> bool {
        let Some(from) = &pull.head.repo else { return false };
        let is_there = match self.fork {
            None => same_name(&from.full_name, &repository.full_name()),
            Some(owner) => from.full_name.split_once('/').is_some_and(|(found, _)| same_name(found, owner)),
        };
        is_there && pull.head.name == self.branch && pull.base.name == base && pull.is_open()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repository(url: &str) -> Option<Repository> {
        Repository::of(&Url::parse(url).unwrap()).ok()
    }

    #[test]
    fn a_repository_is_the_last_two_parts_of_its_url() {
        let of = |url| repository(url).map(|found| (found.host.to_string(), found.full_name()));
        let expect = |host: &str, name: &str| Some((host.to_owned(), name.to_owned()));
        assert_eq!(of("https://h/o/r.git"), expect("https://h/", "o/r"));
        assert_eq!(of("https://h:3000/git/o/r"), expect("https://h:3000/git", "o/r"));
        assert_eq!(of("https://h/o/%C3%BC"), expect("https://h/", "o/ü"));
        for bad in ["https://h/", "https://h/r", "https://h/o/.git", "https://h/o%2Fp/r", "https://h/o//"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        let odd = below(&Url::parse("https://h/api/v1").unwrap(), &["repos", "a b", "c?d#e"]).unwrap();
        assert_eq!(odd.as_str(), "https://h/api/v1/repos/a%20b/c%3Fd%23e");
    }

    #[test]
    fn a_pull_request_is_known_by_both_its_ends() {
        let repository = repository("https://h/Org/Conf").unwrap();
        let pull = |state: &str, from: serde_json::Value, head: &str, base: &str| -> Pull {
            let json = json!({
                "number": 1, "html_url": "https://h/1", "state": state, "title": "t", "body": null,
                "head": {"ref": head, "repo": from}, "base": {"ref": base, "repo": {"full_name": "Org/Conf"}},
            });
            serde_json::from_value(json).unwrap()
        };
        let ours = json!({"full_name": "org/conf"});
        let fork = json!({"full_name": "Ada/conf-1"});
        let own = Head::of("b", &repository);
        assert_eq!(own, Head::of("ORG:b", &repository));
        let forked = Head::of("ada:b", &repository);
        assert_eq!((own.spelled(), forked.spelled()), ("b".into(), "ada:b".into()));
        assert!(own.is_of(&pull("open", ours.clone(), "b", "main"), &repository, "main"));
        assert!(forked.is_of(&pull("open", fork.clone(), "b", "main"), &repository, "main"));
        for (head, other) in [
            (own, pull("closed", ours.clone(), "b", "main")),
            (own, pull("open", ours.clone(), "B", "main")),
            (own, pull("open", ours.clone(), "b", "next")),
            (own, pull("open", fork, "b", "main")),
            (own, pull("open", json!(null), "b", "main")),
            (forked, pull("open", ours, "b", "main")),
        ] {
            assert!(!head.is_of(&other, &repository, "main"), "{head:?} {other:?}");
        }
    }
}
