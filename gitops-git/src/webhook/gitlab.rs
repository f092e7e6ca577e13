//! GitLab's deliveries: of projects and groups, and of the whole instance.

use serde::Deserialize;

use super::{Delivery, Host, WebhookError, body};

#[derive(Deserialize)]
struct Body {
    /// What has happened. System hooks of all kinds come under one header.
    event_name: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
    project: Option<Project>,
    /// What a `repository_update` tells in place of one reference.
    changes: Option<Vec<Change>>,
}

#[derive(Default, Deserialize)]
struct Project {
    path_with_namespace: Option<String>,
    git_http_url: Option<String>,
    git_ssh_url: Option<String>,
    web_url: Option<String>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

/// The one field that all system hooks have.
#[derive(Deserialize)]
struct Name {
    event_name: Option<String>,
}

pub(super) fn read(event: &str, body: &[u8]) -> Result<Delivery, WebhookError> {
    match event {
        "Push Hook" | "Tag Push Hook" => {}
        "System Hook" => {
            let name = body::json::<Name>(body)?.event_name.unwrap_or_default();
            if !matches!(name.as_str(), "push" | "tag_push" | "repository_update") {
                return Ok(Delivery::Other { event: event.to_owned() });
            }
        }
        other => return Ok(Delivery::Other { event: other.to_owned() }),
    }
    let Body { event_name, reference, before, after, project, changes } = body::json(body)?;
    let updates = if event_name.as_deref() == Some("repository_update") {
        let update = |change: Change| body::update(change.reference, change.before, change.after);
        changes.unwrap_or_default().into_iter().map(update).collect::<Result<_, _>>()?
    } else {
        vec![body::update(reference, before, after)?]
    };
    let Project { path_with_namespace, git_http_url, git_ssh_url, web_url } = project.unwrap_or_default();
    body::push(Host::GitLab, path_with_namespace, [git_http_url, git_ssh_url, web_url], updates)
}
