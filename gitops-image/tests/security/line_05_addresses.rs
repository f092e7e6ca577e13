//! Addresses that only this machine can reach.

use gitops_core::Class;
use gitops_image::testing::{Access, Registry};
use gitops_image::{RegistryClient, RegistryClientBuilder, RegistryError, Repository, TagSource as _};

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
    for host in
        ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433.", "[::1]", "[::ffff:127.0.0.1]"]
    {
        let host = format!("{host}:{port}");
        let Ok(web) = Repository::parse(&format!("{host}/shop/web")) else { continue };
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
    for host in ["169.254.169.254", "100.100.100.200", "[fe80::1]", "[fd00:ec2::254]", "2852039166."] {
        let client = client().allow_loopback().build().unwrap();
        let Ok(web) = Repository::parse(&format!("{host}:80/shop/web")) else { continue };
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

/// A name is refused by what it leads to, also when a token service has it.
#[tokio::test]
async fn names_are_checked_when_they_are_connected_to() {
    let service = Registry::start().await.unwrap();
    let realm = format!("http://localhost:{}/token", service.port());
    let access = Access::Token { user: "bot".into(), password: "pw".into(), public: true };
    let registry = Registry::builder().with_access(access).with_realm(realm).start().await.unwrap();
    // This machine has no other name, and no other address that is not its own: so both are refused, or none.
    let build =
        || client().with_plain_http(registry.host()).with_plain_http(format!("localhost:{}", service.port()));
    let (_, refused) = error(build().build().unwrap().tags(&cx(), &repository(&registry.host())).await);
    assert!(matches!(refused, RegistryError::AddressRefused(_)), "{refused:?}");
    let (fault, _) =
        error(build().allow_loopback().build().unwrap().tags(&cx(), &repository(&registry.host())).await);
    assert!(matches!(fault.class, Class::Invalid), "{fault}");
    assert_eq!(service.take_requests().len(), 1);
}
