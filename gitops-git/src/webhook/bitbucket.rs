//! Bitbucket's deliveries. Cloud and Data Center share the header and the signature, and nothing of the body.

use serde::Deserialize;

use super::push::RefUpdate;
use super::{Delivery, Host, WebhookError, body};

pub(super) fn read(event: &str, body: &[u8]) -> Result<Delivery, WebhookError> {
    match event {
        "repo:push" => cloud(body::json(body)?),
        "repo:refs_changed" => data_center(body::json(body)?),
        "diagnostics:ping" => Ok(Delivery::Ping),
        other => Ok(Delivery::Other { event: other.to_owned() }),
    }
}

#[derive(Deserialize)]
struct Cloud {
    push: Option<CloudPush>,
    repository: Option<CloudRepository>,
}

#[derive(Deserialize)]
struct CloudPush {
    changes: Option<Vec<CloudChange>>,
}

/// Of a reference that is new there is no old state, of a deleted one no new.
#[derive(Deserialize)]
struct CloudChange {
    old: Option<State>,
    new: Option<State>,
}

#[derive(Deserialize)]
struct State {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    target: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    hash: Option<String>,
}

#[derive(Default, Deserialize)]
struct CloudRepository {
    full_name: Option<String>,
    links: Option<CloudLinks>,
}

#[derive(Deserialize)]
struct CloudLinks {
    html: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: Option<String>,
}

fn cloud(body: Cloud) -> Result<Delivery, WebhookError> {
    let changes = body.push.and_then(|push| push.changes).unwrap_or_default();
    let updates = changes.into_iter().filter_map(cloud_update).collect::<Result<_, _>>()?;
    let CloudRepository { full_name, links } = body.repository.unwrap_or_default();
    // The address of the page is that of the repository.
    let html = links.and_then(|links| links.html?.href);
    body::push(Host::Bitbucket, full_name, [html], updates)
}

/// None where it is neither a branch nor a tag.
fn cloud_update(change: CloudChange) -> Option<Result<RefUpdate, WebhookError>> {
    let CloudChange { old, new } = change;
    let named = new.as_ref().or(old.as_ref())?;
    let space = match named.kind.as_deref() {
        Some("branch" | "named_branch") => "refs/heads/",
        Some("tag" | "annotated_tag") => "refs/tags/",
        _ => return None,
    };
    let reference = named.name.as_ref().map(|name| format!("{space}{name}"));
    let id = |state: Option<State>| state?.target?.hash;
    Some(body::update(reference, id(old), id(new)))
}

#[derive(Deserialize)]
struct DataCenter {
    repository: Option<Repository>,
    changes: Option<Vec<Change>>,
}

#[derive(Default, Deserialize)]
struct Repository {
    slug: Option<String>,
    project: Option<Project>,
    /// Not all versions send them.
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Project {
    key: Option<String>,
}

#[derive(Default, Deserialize)]
struct Links {
    clone: Option<Vec<Link>>,
    #[serde(rename = "self")]
    page: Option<Vec<Link>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    ref_id: Option<String>,
    from_hash: Option<String>,
    to_hash: Option<String>,
}

fn data_center(body: DataCenter) -> Result<Delivery, WebhookError> {
    let update = |change: Change| body::update(change.ref_id, change.from_hash, change.to_hash);
    let updates = body.changes.unwrap_or_default().into_iter().map(update).collect::<Result<_, _>>()?;
    let Repository { slug, project, links } = body.repository.unwrap_or_default();
    let key = project.and_then(|project| project.key);
    let name = key.zip(slug).map(|(key, slug)| format!("{key}/{slug}"));
    let Links { clone, page } = links.unwrap_or_default();
    // The page's address alone is none that can be cloned: without the others the name must do.
    let clone = clone.unwrap_or_default();
    let page = page.filter(|_| !clone.is_empty()).unwrap_or_default();
    let urls = clone.into_iter().chain(page);
    body::push(Host::Bitbucket, name, urls.map(|link| link.href), updates)
}
