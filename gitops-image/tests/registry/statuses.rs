//! What statuses mean.

use std::time::Duration;

use gitops_core::Class;
use gitops_image::testing::Registry;
use gitops_image::{RegistryError, TagSource as _};

use crate::common::{cx, error, plain, reply, repository, tag, tags};

#[tokio::test]
async fn each_status_has_its_class() {
    let registry = Registry::start().await.unwrap();
    let client = plain(&registry.host()).build().unwrap();
    let retry = |seconds| Class::Retry { after: Some(Duration::from_secs(seconds)) };
    for (status, headers, class) in [
        (401, &[][..], Class::Denied),
        (403, &[], Class::Denied),
        (403, &[("retry-after", "60")], retry(60)),
        (404, &[], Class::NotFound),
        (410, &[], Class::NotFound),
        (408, &[], Class::RETRY),
        (409, &[], Class::RETRY),
        (409, &[("retry-after", "1")], retry(1)),
        (425, &[], Class::RETRY),
        (429, &[], Class::RETRY),
        (429, &[("retry-after", "17")], retry(17)),
        // A time of day is no wish that we know.
        (429, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], Class::RETRY),
        (500, &[], Class::RETRY),
        (502, &[], Class::RETRY),
        (503, &[("retry-after", "5")], retry(5)),
        (504, &[], Class::RETRY),
        (501, &[], Class::Unsupported),
        (400, &[], Class::Invalid),
        (405, &[], Class::Invalid),
        (418, &[], Class::Invalid),
        (304, &[], Class::Invalid),
    ] {
        registry.answer_with(move |_| Some(reply(status, headers, "sorry")));
        let (fault, _) = error(tags(&client, &registry).await);
        assert_eq!(fault.class, class, "{status}: {fault}");
        assert!(fault.to_string().contains(&status.to_string()), "{fault}");
        assert!(fault.to_string().starts_with(&format!("{}/shop/web: ", registry.host())), "{fault}");
        let (fault, _) = error(client.digest(&cx(), &repository(&registry.host()), &tag("1")).await);
        assert_eq!(fault.class, class, "{status}: {fault}");
    }
}

#[tokio::test]
async fn codes_of_the_specification_are_told_and_nothing_else() {
    let registry = Registry::start().await.unwrap();
    let client = plain(&registry.host()).build().unwrap();
    let (fault, _) = error(tags(&client, &registry).await);
    assert!(fault.to_string().ends_with("HTTP status 404 (NAME_UNKNOWN)"), "{fault}");
    let body = r#"{"errors":[{"code":"S3CR3T","message":"s3cr3t \u001b[31m"}]}"#;
    registry.answer_with(move |_| Some(reply(429, &[], body)));
    let (fault, trouble) = error(tags(&client, &registry).await);
    assert!(
        matches!(trouble, RegistryError::Trouble { .. }) && fault.to_string().ends_with("HTTP status 429"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_tag_that_is_missing_is_not_found() {
    let registry = Registry::start().await.unwrap();
    registry.push("shop/web", "1.0.0", b"{}").unwrap();
    let client = plain(&registry.host()).build().unwrap();
    let (fault, _) = error(client.digest(&cx(), &repository(&registry.host()), &tag("2.0.0")).await);
    assert_eq!(fault.class, Class::NotFound);
    assert!(fault.to_string().starts_with(&format!("{}/shop/web:2.0.0: ", registry.host())), "{fault}");
}
