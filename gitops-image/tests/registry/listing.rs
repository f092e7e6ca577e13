//! Lists of tags, page by page.

use gitops_core::Class;
use gitops_image::testing::{Access, Registry};
use gitops_image::{ImagePolicy, Order, RegistryCredentials, RegistryError, TagSource as _, newest};

use crate::common::{cx, error, plain, reply, tags};

#[tokio::test]
async fn more_than_ten_thousand_tags_are_listed_page_by_page() {
    let registry = Registry::start().await.unwrap();
    for n in 0..10_250 {
        registry.push("shop/web", &format!("main-{n}"), b"{}").unwrap();
    }
    let client = plain(&registry.host()).build().unwrap();
    let listed = tags(&client, &registry).await.unwrap();
    assert_eq!(listed.len(), 10_250);
    let requests = registry.take_requests();
    assert_eq!(requests.len(), 11, "a thousand at once");
    assert!(requests.iter().all(|request| request.uri().query().unwrap().contains("n=1000")));

    let policy = ImagePolicy::numeric(Order::Ascending).with_extract("^main-(.*)$", "$1").unwrap();
    let web = registry.repository("shop/web").unwrap();
    assert_eq!(newest(&cx(), &client, &web, &policy, None).await.unwrap().to_string(), "main-10249");

    // Also with a token that is asked for once.
    let registry = Registry::builder()
        .with_access(Access::Token { user: "bot".into(), password: "pw".into(), public: false })
        .start()
        .await
        .unwrap();
    for n in 0..30 {
        registry.push("shop/web", &n.to_string(), b"{}").unwrap();
    }
    let client = plain(&registry.host())
        .allow_credentials_over_http()
        .with_credentials(registry.host(), RegistryCredentials::basic("bot", "pw"))
        .with_page_size(7)
        .build()
        .unwrap();
    assert_eq!(tags(&client, &registry).await.unwrap().len(), 30);
    assert_eq!(registry.take_requests().len(), 1 + 1 + 5);
}

#[tokio::test]
async fn a_list_has_limits() {
    let registry = Registry::start().await.unwrap();
    for n in 0..20 {
        registry.push("shop/web", &n.to_string(), b"{}").unwrap();
    }
    let build = || plain(&registry.host()).with_page_size(5);
    assert_eq!(
        tags(&build().with_max_tags(20).with_max_pages(5).build().unwrap(), &registry).await.unwrap().len(),
        20
    );
    let (fault, limit) = error(tags(&build().with_max_tags(19).build().unwrap(), &registry).await);
    assert!(matches!(limit, RegistryError::TooManyTags { limit: 19 }), "{limit:?}");
    assert_eq!(fault.class, Class::Invalid);
    let (_, limit) = error(tags(&build().with_max_pages(3).build().unwrap(), &registry).await);
    assert!(matches!(limit, RegistryError::TooManyPages { limit: 3 }), "{limit:?}");
    let (_, limit) = error(tags(&build().with_max_answer_bytes(40).build().unwrap(), &registry).await);
    assert!(matches!(limit, RegistryError::AnswerTooLong { limit: 40 }), "{limit:?}");
}

/// A list without an end is one with new links for ever.
#[tokio::test]
async fn pages_in_a_circle_and_without_an_end_fail() {
    let registry = Registry::start().await.unwrap();
    let client = plain(&registry.host()).with_max_pages(50).build().unwrap();
    let page = r#"{"name":"shop/web","tags":["1"]}"#;
    registry.answer_with(move |request| {
        let next = if request.uri().query().unwrap().contains("last=a") { "b" } else { "a" };
        let link = format!("</v2/shop/web/tags/list?last={next}>; rel=\"next\"");
        Some(reply(200, &[("link", &link)], page))
    });
    let (fault, circle) = error(tags(&client, &registry).await);
    assert!(
        matches!(&circle, RegistryError::NotARegistry { detail } if detail.contains("circle")),
        "{fault}"
    );
    assert_eq!((fault.class, registry.take_requests().len()), (Class::Invalid, 3));

    registry.answer_with(move |request| {
        let link = format!("<?{}x>; rel=\"next\"", request.uri().query().unwrap());
        Some(reply(200, &[("link", &link)], page))
    });
    let (_, endless) = error(tags(&client, &registry).await);
    assert!(matches!(endless, RegistryError::TooManyPages { limit: 50 }), "{endless:?}");
    assert_eq!(registry.take_requests().len(), 50);
}

#[tokio::test]
async fn a_link_stays_on_the_server_and_in_the_list() {
    let (registry, other) = (Registry::start().await.unwrap(), Registry::start().await.unwrap());
    let client = plain(&registry.host()).with_plain_http(other.host()).build().unwrap();
    for link in [
        format!("<{}/v2/shop/web/tags/list?last=1>; rel=\"next\"", other.url()),
        format!("<//{}/v2/shop/web/tags/list?last=1>; rel=\"next\"", other.host()),
        format!("<https://{}/v2/shop/web/tags/list?last=1>; rel=\"next\"", registry.host()),
        format!("<http://u:p@{}/v2/shop/web/tags/list?last=1>; rel=\"next\"", registry.host()),
        "</v2/shop/admin/tags/list?last=1>; rel=\"next\"".into(),
        "</v2/shop/web/tags/list/../../../secret?x>; rel=\"next\"".into(),
        "<file:///etc/passwd>; rel=\"next\"".into(),
    ] {
        let said = link.clone();
        registry.answer_with(move |_| Some(reply(200, &[("link", &said)], r#"{"tags":["1"]}"#)));
        let (fault, refused) = error(tags(&client, &registry).await);
        assert!(matches!(refused, RegistryError::RedirectRefused { .. }), "{link}: {refused:?}");
        assert_eq!(fault.class, Class::Invalid);
        assert!(!fault.to_string().contains("u:p"), "{fault}");
        assert_eq!(registry.take_requests().len(), 1);
    }
    assert!(other.take_requests().is_empty(), "nobody else was asked anything");
}

/// What registries send that differs from the specification's example.
#[tokio::test]
async fn lists_are_read_as_registries_write_them() {
    let registry = Registry::start().await.unwrap();
    let client = plain(&registry.host()).build().unwrap();
    for (body, expected) in [
        (r#"{"name":"shop/web","tags":null}"#, &[][..]),
        (r#"{"name":"shop/web"}"#, &[]),
        (r#"{"tags":[]}"#, &[]),
        (r#"{"name":"x","tags":["b","a","b"],"child":[],"manifest":{"a":1}}"#, &["a", "b"]),
    ] {
        registry.answer_with(move |_| Some(reply(200, &[], body)));
        assert_eq!(tags(&client, &registry).await.unwrap(), expected, "{body}");
    }
    // With tokens for pages, in an absolute link, and with an empty page between.
    let host = registry.url();
    registry.answer_with(move |request| {
        let (tag, next) = match request.uri().query().unwrap() {
            "next_page=AbC%3D%3D&n=1000" => ("", Some("last=3")),
            "last=3" => ("\"3\"", None),
            _ => ("\"1\",\"2\"", Some("next_page=AbC%3D%3D&n=1000")),
        };
        let link = next.map(|next| format!("<{host}/v2/shop/web/tags/list?{next}>; rel=\"next\""));
        let headers: Vec<_> = link.iter().map(|link| ("link", &**link)).collect();
        Some(reply(200, &headers, format!("{{\"tags\":[{tag}]}}")))
    });
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1", "2", "3"]);
    let fault = client.tags(&cx(), &registry.repository("nobody/there").unwrap()).await;
    assert!(fault.is_err(), "the link is to another list");
}
