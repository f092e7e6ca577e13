//! What a pull request is to be.

use gitops_core::RefSpec;

use super::PullRequestError;
use crate::reference::Want;

/// GitHub takes no longer body.
const MAX_BODY_CHARS: usize = 65_536;

/// Gitea cuts a title off after 255, with the prefix of a draft; GitHub refuses longer ones.
const MAX_TITLE_CHARS: usize = 240;
/// What GitHub and Gitea allow.
const MAX_LABEL_CHARS: usize = 50;
/// What GitHub allows for one pull request.
const MAX_LABELS: usize = 100;

/// What a pull request is to be. Nothing is checked before it is used.
///
/// ```
/// use gitops_git::pull_request::PullRequest;
///
/// let wanted = PullRequest::new("shop: web 1.8.2", "update-shop", "main")
///     .with_body("Built from commit 4f2c1ab.")
///     .with_labels(["image-update", "shop"])
///     .as_draft();
/// assert_eq!(wanted.labels.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PullRequest {
    /// One line of at most 240 characters.
    pub title: String,
    /// Markdown, of at most 65,536 characters; may be empty.
    pub body: String,
    /// Labels that it has, beside what others give it. Upper and lower case are the same.
    pub labels: Vec<String>,
    /// The branch that is to be merged: `branch`, or `owner:branch` in a fork.
    pub head: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// Whether it is opened as a draft. One that is open is left as it is.
    pub draft: bool,
}

impl PullRequest {
    /// A pull request that asks for `head` to be merged into `base`. The head is `branch`, or `owner:branch` in a fork.
    pub fn new(title: impl Into<String>, head: impl Into<String>, base: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            body: String::new(),
            labels: Vec::new(),
            head: head.into(),
            base: base.into(),
            draft: false,
        }
    }

    /// What it says, in Markdown.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.labels.push(label.into());
        self
    }

    /// Adds labels.
    #[must_use]
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Opens it as a draft, if it is not open yet. On Gitea, that is a title that begins with `WIP: `.
    #[must_use]
    pub fn as_draft(mut self) -> Self {
        self.draft = true;
        self
    }

    /// Fails for what no host could open, as far as that can be told: to be asked before a branch is pushed for it.
    /// [`PullRequests::open_or_update`](super::PullRequests::open_or_update) asks it, too.
    ///
    /// # Errors
    /// [`PullRequestError::InvalidRequest`] says what is wrong, and
    /// [`GitError::InvalidReference`](crate::GitError::InvalidReference) which name is none of a branch.
    pub fn check(&self) -> Result<(), PullRequestError> {
        let invalid = |reason: &str| Err(PullRequestError::InvalidRequest { reason: reason.into() });
        if self.title.trim().is_empty() {
            return invalid("it has no title");
        }
        if self.title.chars().any(char::is_control) || self.title.chars().count() > MAX_TITLE_CHARS {
            return invalid("its title is to be one line of at most 240 characters");
        }
        if self.body.chars().count() > MAX_BODY_CHARS {
            return invalid("its body is longer than 65,536 characters");
        }
        let is_label = |label: &String| {
            !label.trim().is_empty()
                && label.chars().count() <= MAX_LABEL_CHARS
                && !label.chars().any(char::is_control)
        };
        if self.labels.len() > MAX_LABELS || !self.labels.iter().all(is_label) {
            return invalid(
                "it has more than 100 labels, or one that is not a line of at most 50 characters",
            );
        }
        let head = self.head.split_once(':').map_or(&*self.head, |(_, branch)| branch);
        for branch in [head, &self.base] {
            Want::from_spec(&RefSpec::Branch(branch.into()))?;
        }
        if self.head == self.base {
            return invalid("its head is its base");
        }
        Ok(())
    }

    /// Its labels that are not among some.
    pub(super) fn labels_beside(&self, there: &[&str]) -> Vec<&str> {
        let mut missing: Vec<&str> = Vec::new();
        for label in self.labels.iter().map(|label| label.trim()) {
            if !there.iter().chain(&missing).any(|known| same_name(known, label)) {
                missing.push(label);
            }
        }
        missing
    }
}

/// Whether two names of labels, owners or repositories are one: hosts do not tell upper from lower case.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use gitops_core::Class;

    use super::*;

    #[test]
    fn what_no_host_could_open_is_refused() {
        let good = PullRequest::new("t", "b", "main");
        good.clone().with_label("ü".repeat(50)).check().unwrap();
        PullRequest::new("t", "fork:feature/x", "main").check().unwrap();
        for bad in [
            PullRequest::new(" ", "b", "main"),
            PullRequest::new("a\nb", "b", "main"),
            PullRequest::new("x".repeat(241), "b", "main"),
            PullRequest::new("t", "", "main"),
            PullRequest::new("t", "a b", "main"),
            PullRequest::new("t", "a:b:c", "main"),
            PullRequest::new("t", "b", "o:main"),
            PullRequest::new("t", "main", "main"),
            good.clone().with_label(" "),
            good.clone().with_label("x".repeat(51)),
            good.clone().with_labels((0..101).map(|n| n.to_string())),
        ] {
            let error = bad.check().expect_err(&format!("{bad:?}"));
            assert_eq!(error.class(), Class::Invalid, "{error}");
        }
    }

    #[test]
    fn a_label_is_missing_once_whatever_its_case() {
        let wanted = PullRequest::new("t", "b", "main").with_labels(["Bug", "new", "NEW", " bug "]);
        assert_eq!(wanted.labels_beside(&["bug"]), ["new"]);
        assert_eq!(wanted.labels_beside(&[]), ["Bug", "new"]);
    }
}
