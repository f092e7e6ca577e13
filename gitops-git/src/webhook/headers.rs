//! The headers that matter.

use gitops_core::one_line;

use super::WebhookError;

/// All that are looked at; what else is sent is not kept.
const KNOWN: [&str; 15] = [
    "content-type",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-event-key",
    "x-forgejo-event",
    "x-forgejo-signature",
    "x-gitea-event",
    "x-gitea-signature",
    "x-github-event",
    "x-gitlab-event",
    "x-gitlab-token",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-signature",
];

/// The known headers of a delivery, each at most once.
pub(super) struct Headers<V>(Vec<(&'static str, V)>);

impl<V: AsRef<[u8]>> Headers<V> {
    /// Names are compared without regard to case (RFC 9110, 5.1).
    pub(super) fn collect<N: AsRef<str>>(
        given: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, WebhookError> {
        let mut headers = Self(Vec::new());
        for (name, value) in given {
            let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name.as_ref())) else {
                continue;
            };
            // Which of two signatures counts, the sender must not leave open.
            if headers.get(known).is_some() {
                return Err(WebhookError::RepeatedHeader { name: known });
            }
            headers.0.push((known, value));
        }
        Ok(headers)
    }

    /// A header by its name in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }

    /// What a header says has happened, fit to be shown.
    pub(super) fn event(&self, name: &str) -> String {
        let said = String::from_utf8_lossy(self.get(name).unwrap_or_default());
        one_line(said.trim()).chars().take(100).collect()
    }

    /// Forgejo sends Gitea's header as well as its own.
    pub(super) fn gitea_event(&self) -> String {
        let own = "x-forgejo-event";
        self.event(if self.get(own).is_some() { own } else { "x-gitea-event" })
    }

    /// Whether the body is a form (RFC 9110, 8.3.1: parameters may follow, and case does not matter).
    pub(super) fn is_form(&self) -> bool {
        let value = self.get("content-type").unwrap_or_default();
        let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    }
}
