//! Whom we trust.

use gitops_core::Class;
use gitops_image::testing::Registry;
use gitops_image::{RegistryCredentials, RegistryError};

use crate::common::tls::Authority;
use crate::common::{client, error, tags};

async fn start(config: std::sync::Arc<rustls::ServerConfig>) -> Registry {
    let registry = Registry::builder().with_tls(config).start().await.unwrap();
    registry.push("shop/web", "1", b"{}").unwrap();
    registry
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_given() {
    let authority = Authority::new();
    let registry = start(authority.server("127.0.0.1", false)).await;
    let client = client().with_ca_pem(authority.pem()).build().unwrap();
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn what_cannot_be_trusted_stays_so() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (what, config, trusted) in [
        ("an unknown authority", authority.server("127.0.0.1", false), None),
        ("another authority", authority.server("127.0.0.1", false), Some(other.pem())),
        ("another host", authority.server("registry.example", false), Some(authority.pem())),
        ("an expired certificate", authority.server("127.0.0.1", true), Some(authority.pem())),
    ] {
        let registry = start(config).await;
        let builder = client().with_credentials(registry.host(), RegistryCredentials::bearer("t0ken"));
        let builder = match trusted {
            Some(pem) => builder.with_ca_pem(pem),
            None => builder,
        };
        let (fault, refused) = error(tags(&builder.build().unwrap(), &registry).await);
        assert!(matches!(refused, RegistryError::Tls { .. }), "{what}: {fault}");
        assert_eq!(fault.class, Class::Invalid, "{what}");
        assert!(registry.take_requests().is_empty(), "{what}: it was told nothing");
    }
}

#[test]
fn what_is_no_authority_is_refused() {
    for bad in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = client().with_ca_pem(bad).build().unwrap_err();
        assert!(
            matches!(error, RegistryError::InvalidCa { .. } | RegistryError::Tls { .. }),
            "{bad}: {error:?}"
        );
    }
}
