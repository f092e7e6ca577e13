//! Digests of tags.

use gitops_core::Class;
use gitops_image::testing::Registry;
use gitops_image::{ImageDigest, RegistryError, TagSource as _};

use crate::common::{cx, error, plain, reply, repository, tag};

#[tokio::test]
async fn a_digest_is_asked_for_without_the_manifest() {
    let registry = Registry::start().await.unwrap();
    let pushed = registry.push("shop/web", "1.0.0", br#"{"schemaVersion":2}"#).unwrap();
    let client = plain(&registry.host()).build().unwrap();
    let web = repository(&registry.host());
    assert_eq!(client.digest(&cx(), &web, &tag("1.0.0")).await.unwrap(), pushed);
    let requests = registry.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].method().as_str(), requests[0].uri().path()),
        ("HEAD", "/v2/shop/web/manifests/1.0.0")
    );
    let accept = requests[0].headers()["accept"].to_str().unwrap();
    assert!(accept.contains("oci.image.index.v1") && accept.contains("manifest.list.v2"), "{accept}");
}

/// Not all registries answer to HEAD, or name the digest then.
#[tokio::test]
async fn else_it_is_that_of_the_bytes() {
    let registry = Registry::start().await.unwrap();
    let client = plain(&registry.host()).build().unwrap();
    let web = repository(&registry.host());
    let body = r#"{"schemaVersion":2}"#;
    for head_status in [200, 405] {
        registry.answer_with(move |request| {
            Some(if request.method() == "HEAD" { reply(head_status, &[], "") } else { reply(200, &[], body) })
        });
        assert_eq!(client.digest(&cx(), &web, &tag("1")).await.unwrap(), ImageDigest::of(body.as_bytes()));
    }
    let other = ImageDigest::of(b"other");
    registry.answer_with(move |request| {
        let headers = [("docker-content-digest", other.as_str())];
        Some(if request.method() == "HEAD" { reply(405, &[], "") } else { reply(200, &headers, body) })
    });
    let (fault, lie) = error(client.digest(&cx(), &web, &tag("1")).await);
    assert!(matches!(lie, RegistryError::NotARegistry { .. }) && fault.class == Class::Invalid, "{fault}");
}
