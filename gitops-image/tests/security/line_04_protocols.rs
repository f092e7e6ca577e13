//! Registries are spoken to over TLS, unless told otherwise by name.

use gitops_core::Class;
use gitops_image::RegistryError;
use gitops_image::testing::Registry;

use crate::common::{client, error, plain, tags};

#[tokio::test]
async fn plain_http_needs_an_opt_in_for_each_registry() {
    let registry = Registry::start().await.unwrap();
    registry.push("shop/web", "1", b"{}").unwrap();
    assert_eq!(tags(&plain(&registry.host()).build().unwrap(), &registry).await.unwrap(), ["1"]);
    registry.take_requests();
    // Nobody falls back to it, and another registry's opt-in is none.
    for builder in [client(), plain("127.0.0.1:1"), plain("127.0.0.1")] {
        let (fault, refused) = error(tags(&builder.build().unwrap(), &registry).await);
        assert!(matches!(refused, RegistryError::Tls { .. } | RegistryError::Unreachable { .. }), "{fault}");
        assert!(fault.class == Class::Invalid || fault.class == Class::RETRY);
    }
    assert!(registry.take_requests().is_empty());
}
