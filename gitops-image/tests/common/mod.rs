//! What the tests of registries share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

pub mod raw;
pub mod tls;

use std::time::Duration;

use gitops_core::{Cx, Fault};
use gitops_image::testing::{Registry, Reply};
use gitops_image::{RegistryClient, RegistryClientBuilder, RegistryError, Repository, Tag, TagSource as _};

/// Long enough for anything but a test of time.
pub fn cx() -> Cx {
    Cx::with_timeout(Duration::from_secs(60))
}

/// What programs do at their start, and libraries never.
pub fn provider() {
    // Another test of the same program may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that may talk to a registry on this machine.
pub fn client() -> RegistryClientBuilder {
    provider();
    RegistryClient::builder().allow_loopback().without_proxy()
}

/// The same in the clear.
pub fn plain(host: &str) -> RegistryClientBuilder {
    client().with_plain_http(host)
}

pub fn repository(host: &str) -> Repository {
    Repository::parse(&format!("{host}/shop/web")).unwrap()
}

pub fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

/// The tags of `shop/web`.
pub async fn tags(client: &RegistryClient, registry: &Registry) -> Result<Vec<String>, Fault> {
    tags_at(client, &registry.host()).await
}

pub async fn tags_at(client: &RegistryClient, host: &str) -> Result<Vec<String>, Fault> {
    let tags = client.tags(&cx(), &repository(host)).await?;
    Ok(tags.iter().map(Tag::to_string).collect())
}

/// The error in a fault of something that must not succeed.
pub fn error<T: std::fmt::Debug>(result: Result<T, Fault>) -> (Fault, RegistryError) {
    let fault = result.unwrap_err();
    let at = fault.at.clone();
    let error = fault.source.downcast::<RegistryError>().unwrap();
    (Fault { class: error.class(), at, source: error.to_string().into() }, *error)
}

/// An answer of a registry that behaves in its own way.
pub fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Reply {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into().into()).unwrap()
}
