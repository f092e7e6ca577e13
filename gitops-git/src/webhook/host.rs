//! Which Git host sent a delivery.

use std::fmt;

use super::WebhookError;
use super::headers::Headers;

/// The kind of Git host that sends webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// GitHub, in the cloud or your own.
    GitHub,
    /// GitLab, in the cloud or your own.
    GitLab,
    /// Gitea, and Forgejo, which sends the same.
    Gitea,
    /// Bitbucket Cloud and Bitbucket Data Center.
    Bitbucket,
    /// Anything that signs with `X-Signature` or after Standard Webhooks.
    Generic,
}

impl Host {
    /// Gitea and Forgejo call their events GitHub's too, so they come first.
    pub(super) fn of<V: AsRef<[u8]>>(headers: &Headers<V>) -> Result<Self, WebhookError> {
        let has = |name| headers.get(name).is_some();
        Ok(if has("x-forgejo-event") || has("x-gitea-event") {
            Self::Gitea
        } else if has("x-gitlab-event") {
            Self::GitLab
        } else if has("x-event-key") {
            Self::Bitbucket
        } else if has("x-github-event") {
            Self::GitHub
        } else if has("x-signature") || has("webhook-signature") {
            Self::Generic
        } else {
            return Err(WebhookError::UnknownSender);
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea or Forgejo",
            Self::Bitbucket => "Bitbucket",
            Self::Generic => "a generic sender",
        })
    }
}
