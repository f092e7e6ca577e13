//! Webhooks of each host: small payloads of our own, with the fields that the host documents.
#![cfg(feature = "webhook")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail so")]

mod hosts;
mod line_13_webhooks;
mod matching;
mod signatures;

use gitops_git::webhook::{Delivery, Push, Webhook, WebhookError};
use hmac::{Hmac, KeyInit as _, Mac as _};

const SECRET: &str = "correct horse battery staple";

/// The small payloads, each with the headers that its host sends with it, less the proof.
const GITHUB: (&str, &[(&str, &str)]) = (include_str!("payloads/github-push.json"), &GITHUB_PUSH);
const GITEA: (&str, &[(&str, &str)]) = (include_str!("payloads/gitea-push.json"), &GITEA_PUSH);
const GITLAB: (&str, &[(&str, &str)]) = (include_str!("payloads/gitlab-push.json"), &GITLAB_PUSH);
const CLOUD: (&str, &[(&str, &str)]) = (include_str!("payloads/bitbucket-cloud-push.json"), &CLOUD_PUSH);
const DATA_CENTER: (&str, &[(&str, &str)]) =
    (include_str!("payloads/bitbucket-data-center-push.json"), &DATA_CENTER_PUSH);
const GENERIC: (&str, &[(&str, &str)]) =
    (r#"{"repository": "https://git.example/config", "ref": "refs/heads/main"}"#, &[JSON]);

const JSON: (&str, &str) = ("Content-Type", "application/json");
const GITHUB_PUSH: [(&str, &str); 3] =
    [JSON, ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"), ("X-GitHub-Event", "push")];
const GITEA_PUSH: [(&str, &str); 4] =
    [JSON, ("X-GitHub-Event", "push"), ("X-Gogs-Event", "push"), ("X-Gitea-Event", "push")];
const GITLAB_PUSH: [(&str, &str); 3] =
    [JSON, ("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Instance", "https://gitlab.example")];
const CLOUD_PUSH: [(&str, &str); 3] = [
    ("Content-Type", "application/json; charset=utf-8"),
    ("X-Event-Key", "repo:push"),
    ("X-Attempt-Number", "1"),
];
const DATA_CENTER_PUSH: [(&str, &str); 2] = [JSON, ("X-Event-Key", "repo:refs_changed")];

fn webhook() -> Webhook {
    Webhook::new(SECRET).unwrap()
}

/// HMAC-SHA256 in hexadecimal.
fn hmac(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let digits =
        mac.finalize().into_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).collect::<Vec<_>>();
    digits.into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The header that proves a delivery, as its host sends it.
fn proof(headers: &[(&str, &str)], secret: &str, body: &[u8]) -> (String, String) {
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let signature = hmac(secret, body);
    let (name, value) = if has("X-Gitea-Event") {
        ("X-Gitea-Signature", signature)
    } else if has("X-Gitlab-Event") {
        ("X-Gitlab-Token", secret.to_owned())
    } else if has("X-Event-Key") {
        ("X-Hub-Signature", format!("sha256={signature}"))
    } else if has("X-GitHub-Event") {
        ("X-Hub-Signature-256", format!("sha256={signature}"))
    } else {
        ("X-Signature", format!("sha256={signature}"))
    };
    (name.to_owned(), value)
}

/// Delivers a body with headers and the right proof.
fn deliver(webhook: &Webhook, headers: &[(&str, &str)], body: &[u8]) -> Result<Delivery, WebhookError> {
    let (name, value) = proof(headers, SECRET, body);
    let all = headers.iter().copied().chain([(&*name, &*value)]);
    webhook.read(all, body)
}

fn push((body, headers): (&str, &[(&str, &str)])) -> Push {
    match deliver(&webhook(), headers, body.as_bytes()) {
        Ok(Delivery::Push(push)) => push,
        other => panic!("{headers:?}: {other:?}"),
    }
}
