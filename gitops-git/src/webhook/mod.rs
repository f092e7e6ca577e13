//! Webhooks: who sent this, and which repository has news?
//!
//! Polling finds every commit; a webhook only makes the next poll earlier. Nothing here does I/O: [`Webhook::read`] takes the
//! headers and the body that your HTTP server received, and answers with a [`Delivery`]; [`Push::concerns`] says which
//! applications it is about.
//!
//! ```
//! use gitops_core::{AppId, Handle};
//! use gitops_git::webhook::{Delivery, Webhook, WebhookError};
//!
//! /// Called with each request. `headers` may be those of the `http` crate, or any pairs of names and values.
//! fn hear<'h>(
//!     webhook: &Webhook,
//!     handle: &Handle,
//!     headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
//!     body: &[u8],
//! ) -> Result<Vec<AppId>, WebhookError> {
//!     Ok(match webhook.read(headers, body)? {
//!         Delivery::Push(push) => handle.refresh_where(|app| push.concerns(app)),
//!         _ => Vec::new(), // nothing that a source could have news about
//!     })
//! }
//! # fn main() -> Result<(), WebhookError> {
//! let webhook = Webhook::new("the secret that the host knows too")?;
//! # let _ = webhook; Ok(()) }
//! ```
//!
//! [`WebhookError::status`] is the HTTP status to refuse with.
//!
//! # Hosts
//! The host is told by the headers, and all of them may call one address:
//!
//! | Host | Known by | Proof | Events that are read |
//! | --- | --- | --- | --- |
//! | [GitHub] | `X-GitHub-Event` | `X-Hub-Signature-256` | `push`, `ping` |
//! | [GitLab] | `X-Gitlab-Event` | `X-Gitlab-Token`, or a [signing token] | push, tag push and system hooks |
//! | [Gitea], [Forgejo] | `X-Gitea-Event`, `X-Forgejo-Event` | `X-Gitea-Signature`, `X-Forgejo-Signature` | `push` |
//! | [Bitbucket Cloud] | `X-Event-Key` | `X-Hub-Signature` (SHA-256) | `repo:push` |
//! | [Bitbucket Data Center] | `X-Event-Key` | `X-Hub-Signature` (SHA-256) | `repo:refs_changed`, `diagnostics:ping` |
//! | anything else | none of these | `X-Signature`, or [Standard Webhooks] | a body as below |
//!
//! Signatures are HMAC-SHA256 of the body as it was received, in lower-case hexadecimal. Whoever has no host of these, say a
//! job of a build server or a hook in a bare repository, sends JSON and `X-Signature: sha256=…`:
//!
//! ```json
//! {"repository": "https://git.example/config", "ref": "refs/heads/main", "before": "…", "after": "…"}
//! ```
//!
//! Only `repository` must be there. Without `ref`, any reference may have moved.
//!
//! A secret that begins with `whsec_` is a signing token of GitLab or of Standard Webhooks, and the key is what follows, in
//! base64. Any other secret is used as it is.
//!
//! # What is safe here
//! - The body has a limit, and is not looked at before its signature was found right. Comparing takes the same time
//!   whatever is wrong.
//! - An empty secret is refused when the [`Webhook`] is made. No `Debug` text or error holds a secret, a signature, or
//!   anything of a body.
//! - A delivery names no place to connect to: it can only make configured sources ask their own server, sooner. That is why a
//!   delivery that is sent again does no harm, and times are not checked.
//! - JSON is read into flat values, and what is not needed is skipped without recursion: nesting costs nothing.
//!
//! # What a webhook cannot do
//! Hosts give up on deliveries, leave some out (GitLab: pushes of more than three references), and shorten lists. So the
//! interval of polls stays, only longer. Where the host names itself otherwise than the source's URL does (a name inside
//! of the cluster), give [`gitops_core::Handle::refresh_where`] a rule of your own, by [`Repository::name`].
//!
//! [GitHub]: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
//! [GitLab]: https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
//! [signing token]: https://docs.gitlab.com/user/project/integrations/webhooks/
//! [Gitea]: https://docs.gitea.com/usage/repository/webhooks
//! [Forgejo]: https://forgejo.org/docs/latest/user/webhooks/
//! [Bitbucket Cloud]: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
//! [Bitbucket Data Center]: https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

mod address;
mod bitbucket;
mod body;
mod error;
mod generic;
mod github;
mod gitlab;
mod headers;
mod host;
mod push;
mod secret;
mod verify;

use std::fmt;

pub use error::WebhookError;
pub use host::Host;
pub use push::{Push, RefUpdate, Repository};

use self::headers::Headers;
use self::secret::Secret;

/// Hosts cap theirs at 25 MiB and more, but a push of hundreds of commits fits into this.
const DEFAULT_MAX_BYTES: usize = 5 * 1024 * 1024;

/// What a receiver of webhooks knows: the secrets that it shares with hosts, and what it takes.
///
/// Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Webhook {
    secrets: Vec<Secret>,
    host: Option<Host>,
    max_bytes: usize,
}

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// A repository has news.
    Push(Push),
    /// Somebody tries whether deliveries arrive: they do, and the secret is right.
    Ping,
    /// Something that a source need not know.
    Other {
        /// The event, as the host spells it, on one line of at most 100 characters.
        event: String,
    },
}

impl Webhook {
    /// A receiver with one secret, used as it is: a file's line break is not part of it.
    ///
    /// # Errors
    /// [`WebhookError::EmptySecret`] also where there is only white space, and [`WebhookError::InvalidSigningToken`].
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, WebhookError> {
        Ok(Self { secrets: vec![Secret::new(secret.as_ref())?], host: None, max_bytes: DEFAULT_MAX_BYTES })
    }

    /// Accepts what another secret proves too: the old one and the new one while they are exchanged, or those of several
    /// hosts. Each delivery is tried with all of them.
    ///
    /// # Errors
    /// As those of [`Self::new`].
    pub fn with_secret(mut self, secret: impl AsRef<[u8]>) -> Result<Self, WebhookError> {
        self.secrets.push(Secret::new(secret.as_ref())?);
        Ok(self)
    }

    /// Takes deliveries of this host only. Without it, of all.
    #[must_use]
    pub fn with_host(mut self, host: Host) -> Self {
        self.host = Some(host);
        self
    }

    /// The largest body in bytes; 5 MiB by default. Give your HTTP server the same limit, so that it does not take more in.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The largest body in bytes.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Checks who sent a delivery, then reads it. `headers` are pairs of names, in any case, and values: those of the
    /// `http` crate (`request.headers()`), or of any other. `body` is what was received, byte by byte.
    ///
    /// # Errors
    /// Each [`WebhookError`] says what is wrong, and [`WebhookError::status`] what to answer. None repeats the content.
    pub fn read<N, V>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        body: &[u8],
    ) -> Result<Delivery, WebhookError>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        if body.len() > self.max_bytes {
            return Err(WebhookError::TooLarge { limit: self.max_bytes });
        }
        let headers = Headers::collect(headers)?;
        let host = Host::of(&headers)?;
        if let Some(wanted) = self.host
            && wanted != host
        {
            return Err(WebhookError::OtherHost { host, wanted });
        }
        if headers.is_form() {
            return Err(WebhookError::FormEncoded);
        }
        verify::verify(host, &headers, body, &self.secrets)?;
        match host {
            Host::GitHub => github::read(&headers.event("x-github-event"), host, body),
            Host::Gitea => github::read(&headers.gitea_event(), host, body),
            Host::GitLab => gitlab::read(&headers.event("x-gitlab-event"), body),
            Host::Bitbucket => bitbucket::read(&headers.event("x-event-key"), body),
            Host::Generic => generic::read(body),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("secrets", &self.secrets.len())
            .field("host", &self.host)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}
