//! Deliveries of whoever is no Git host: a form of our own.

use serde::Deserialize;

use super::{Delivery, Host, WebhookError, body};

#[derive(Deserialize)]
struct Body {
    repository: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

pub(super) fn read(body: &[u8]) -> Result<Delivery, WebhookError> {
    let Body { repository, reference, before, after } = body::json(body)?;
    let updates = match reference {
        Some(_) => vec![body::update(reference, before, after)?],
        None => Vec::new(),
    };
    body::push(Host::Generic, None, [repository], updates)
}
