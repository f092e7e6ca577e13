//! Addresses that only this machine can reach.

use gitops_core::Class;
use gitops_image::testing::Registry;
use gitops_image::{RegistryClient, RegistryClientBuilder, RegistryError, TagSource as _};

use crate::common::{cx, error, provider, reply, repository, tags, tags_at};

/// Without an opt-in.
fn client() -> RegistryClientBuilder {
    provider();
    RegistryClient::builder().without_proxy()
}

#[tokio::test]
async fn special_addresses_need_to_be_allowed() {
    let registry = Registry::start().await.unwrap();
    registry.push("shop/web", "1", b"{}").unwrap();
    let port = registry.port();
    // An address is refused at once; a name is refused by what it resolves to.
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        let host = format!("{host}:{port}");
        let web = repository(&host);
        let client = client().with_plain_http(&host).build().unwrap();
        let (fault, refused) = error(client.tags(&cx(), &web).await);
        assert!(matches!(refused, RegistryError::AddressRefused(_)), "{host}: {fault}");
        assert_eq!(fault.class, Class::Invalid);
        assert!(fault.to_string().contains("allow_loopback"), "{fault}");
    }
    assert!(registry.take_requests().is_empty());
    for host in ["127.0.0.1", "localhost"] {
        let host = format!("{host}:{port}");
        let client = client().with_plain_http(&host).allow_loopback().build().unwrap();
        assert_eq!(tags_at(&client, &host).await.unwrap(), ["1"]);
    }
    for host in [
        "169.254.169.254",
        "100.100.100.200",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
    ] {
        let client = client().allow_loopback().build().unwrap();
        let web = repository(&format!("{host}:80"));
        let (fault, refused) = error(client.tags(&cx(), &web).await);
        assert!(matches!(refused, RegistryError::AddressRefused(_)), "{host}: {fault}");
    }
}

/// Neither a redirect nor a token service leads around the check.
#[tokio::test]
async fn nor_does_a_registry_lead_to_them() {
    let registry = Registry::start().await.unwrap();
    let special =
        ["http://169.254.169.254/latest/meta-data", "http://[::ffff:a9fe:a9fe]/", "http://0xa9fea9fe/"];
    let client = || {
        let client = client().allow_loopback().with_plain_http(registry.host());
        // Not even where plain HTTP is allowed.
        client.with_plain_http("169.254.169.254").with_plain_http("[::ffff:a9fe:a9fe]").build().unwrap()
    };
    for to in special {
        registry.answer_with(move |_| Some(reply(302, &[("location", to)], "")));
        let (fault, refused) = error(tags(&client(), &registry).await);
        assert!(matches!(refused, RegistryError::AddressRefused(_)), "{to}: {fault}");
        let challenge = format!("Bearer realm=\"{to}\"");
        registry.answer_with(move |_| Some(reply(401, &[("www-authenticate", &challenge)], "")));
        let (fault, refused) = error(tags(&client(), &registry).await);
        assert!(matches!(refused, RegistryError::AddressRefused(_)), "{to}: {fault}");
    }
}
