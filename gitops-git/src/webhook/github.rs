//! GitHub's deliveries, and those of Gitea and Forgejo, whose pushes have the same fields.

use serde::Deserialize;

use super::{Delivery, Host, WebhookError, body};

/// A push. Deleting a branch at Gitea is an event of another name, which a poll finds too.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
    repository: Option<Repository>,
}

#[derive(Default, Deserialize)]
struct Repository {
    full_name: Option<String>,
    clone_url: Option<String>,
    ssh_url: Option<String>,
    html_url: Option<String>,
}

pub(super) fn read(event: &str, host: Host, body: &[u8]) -> Result<Delivery, WebhookError> {
    match event {
        "push" => {}
        "ping" => return Ok(Delivery::Ping),
        other => return Ok(Delivery::Other { event: other.to_owned() }),
    }
    let Body { reference, before, after, repository } = body::json(body)?;
    let update = body::update(reference, before, after)?;
    let Repository { full_name, clone_url, ssh_url, html_url } = repository.unwrap_or_default();
    body::push(host, full_name, [clone_url, ssh_url, html_url], vec![update])
}
