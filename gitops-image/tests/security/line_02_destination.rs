//! Credentials go to the registry that they were given for, to its token service, and to nobody else.

use gitops_core::Class;
use gitops_image::testing::{Access, Registry};
use gitops_image::{RegistryClient, RegistryCredentials, RegistryError};

use crate::common::tls::Authority;
use crate::common::{client, error, plain, reply, tags, tags_at};

fn given() -> RegistryCredentials {
    RegistryCredentials::basic("bot", "pw")
}

async fn wanting_a_token_of(realm: &str, tls: Option<&Authority>) -> Registry {
    let access = Access::Token { user: "bot".into(), password: "pw".into(), public: true };
    let builder = Registry::builder().with_access(access).with_realm(realm);
    let builder = match tls {
        Some(authority) => builder.with_tls(authority.server("127.0.0.1", false)),
        None => builder,
    };
    builder.start().await.unwrap()
}

#[tokio::test]
async fn a_token_service_elsewhere_must_be_named() {
    let service = wanting_a_token_of("unused", None).await;
    let registry = wanting_a_token_of(&format!("{}/token", service.url()), None).await;
    registry.push("shop/web", "1", b"{}").unwrap();
    let build = || {
        let builder = plain(&registry.host()).with_plain_http(service.host()).allow_credentials_over_http();
        builder.with_credentials(registry.host(), given())
    };
    let (fault, refused) = error(tags(&build().build().unwrap(), &registry).await);
    assert!(matches!(refused, RegistryError::TokenServiceRefused { .. }), "{fault}");
    assert_eq!(fault.class, Class::Invalid);
    assert!(fault.to_string().contains("with_token_service()"), "{fault}");
    assert!(service.take_requests().is_empty(), "it was told nothing");

    // Without credentials there is nothing to tell; its tokens are of no use here, and the registry says so.
    let anybody = plain(&registry.host()).with_plain_http(service.host()).build().unwrap();
    let (fault, _) = error(tags(&anybody, &registry).await);
    assert_eq!(fault.class, Class::Denied);
    let asked = service.take_requests();
    assert!(asked.len() == 1 && !asked[0].headers().contains_key("authorization"), "{asked:?}");

    let named = build().with_token_service(registry.host(), service.url()).build().unwrap();
    assert_eq!(error(tags(&named, &registry).await).0.class, Class::Denied);
    assert_eq!(service.take_requests()[0].headers()["authorization"], "Basic Ym90OnB3");
    // For another registry it was not named.
    let other = build().with_token_service("other.example", service.url()).build().unwrap();
    assert_eq!(error(tags(&other, &registry).await).0.class, Class::Invalid);
    assert!(service.take_requests().is_empty());
}

#[tokio::test]
async fn a_redirect_takes_no_credential_along() {
    let (registry, other) = (Registry::start().await.unwrap(), Registry::start().await.unwrap());
    other.push("shop/web", "elsewhere", b"{}").unwrap();
    let to = format!("{}/v2/shop/web/tags/list", other.url());
    registry.answer_with(move |_| Some(reply(307, &[("location", &to)], "")));
    for credentials in [given(), RegistryCredentials::bearer("t0ken")] {
        let client = plain(&registry.host())
            .with_plain_http(other.host())
            .allow_credentials_over_http()
            .with_credentials(registry.host(), credentials)
            .build()
            .unwrap();
        let (fault, refused) = error(tags(&client, &registry).await);
        assert!(matches!(refused, RegistryError::RedirectRefused { .. }), "{fault}");
        assert_eq!(fault.class, Class::Invalid);
    }
    assert!(other.take_requests().is_empty(), "nobody else was asked anything");

    // Where nothing was given, it is followed, as registry.k8s.io wants it.
    let anybody = plain(&registry.host()).with_plain_http(other.host()).build().unwrap();
    assert_eq!(tags(&anybody, &registry).await.unwrap(), ["elsewhere"]);
    // A token that everybody gets stays with the registry that wanted it, too.
    let here = registry.host();
    let to = format!("{}/v2/shop/web/tags/list", other.url());
    registry.answer_with(move |request| {
        let challenge = format!("Bearer realm=\"http://{here}/token\"");
        Some(match request.uri().path() {
            "/token" => reply(200, &[], r#"{"token":"everybodys"}"#),
            _ if request.headers().contains_key("authorization") => reply(302, &[("location", &to)], ""),
            _ => reply(401, &[("www-authenticate", &challenge)], ""),
        })
    });
    other.take_requests();
    assert_eq!(tags(&anybody, &registry).await.unwrap(), ["elsewhere"]);
    // Also on the pages that follow there.
    for n in 0..20 {
        other.push("shop/web", &n.to_string(), b"{}").unwrap();
    }
    let paged = plain(&registry.host()).with_plain_http(other.host()).with_page_size(5).build().unwrap();
    let link = format!("{}/v2/shop/web/tags/list?n=5", other.url());
    registry.answer_with(move |_| Some(reply(302, &[("location", &link)], "")));
    assert_eq!(tags(&paged, &registry).await.unwrap().len(), 21);
    let asked = other.take_requests();
    assert!(asked.len() >= 6 && asked.iter().all(|request| !request.headers().contains_key("authorization")));
}

#[tokio::test]
async fn redirects_on_the_server_are_followed_and_have_an_end() {
    let registry = Registry::start().await.unwrap();
    registry.push("moved/web", "1", b"{}").unwrap();
    let client = plain(&registry.host())
        .allow_credentials_over_http()
        .with_credentials(registry.host(), given())
        .build()
        .unwrap();
    registry.answer_with(|request| {
        let is_old = request.uri().path().starts_with("/v2/shop/");
        is_old.then(|| reply(308, &[("location", "/v2/moved/web/tags/list")], ""))
    });
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    registry.answer_with(|_| Some(reply(302, &[("location", "?again")], "")));
    registry.take_requests();
    let (fault, refused) = error(tags(&client, &registry).await);
    assert!(matches!(refused, RegistryError::RedirectRefused { .. }), "{fault}");
    assert_eq!(registry.take_requests().len(), 6);
    for to in ["http://u:p@127.0.0.1/", "ftp://127.0.0.1/", "http://", ""] {
        registry.answer_with(move |_| Some(reply(302, &[("location", to)], "")));
        let (fault, _) = error(tags(&client, &registry).await);
        assert!(!fault.to_string().contains("u:p"), "{fault}");
        assert_eq!(fault.class, Class::Invalid, "{to}: {fault}");
    }
    registry.answer_with(|_| Some(reply(302, &[], "")));
    assert_eq!(error(tags(&client, &registry).await).0.class, Class::Invalid);
}

#[tokio::test]
async fn nothing_leads_down_to_http() {
    let authority = Authority::new();
    let clear = wanting_a_token_of("unused", None).await;
    let registry = wanting_a_token_of(&format!("{}/token", clear.url()), Some(&authority)).await;
    // Even where plain HTTP is allowed for the other one.
    let client = client().with_ca_pem(authority.pem()).with_plain_http(clear.host()).build().unwrap();
    let (fault, refused) = error(tags(&client, &registry).await);
    assert!(matches!(refused, RegistryError::TokenServiceRefused { .. }), "{fault}");
    let to = format!("{}/v2/shop/web/tags/list", clear.url());
    registry.answer_with(move |_| Some(reply(302, &[("location", &to)], "")));
    let (fault, refused) = error(tags(&client, &registry).await);
    assert!(matches!(refused, RegistryError::RedirectRefused { .. }), "{fault}");
    assert!(clear.take_requests().is_empty());
}

#[tokio::test]
async fn credentials_over_plain_http_need_to_be_allowed() {
    let build = |registry: &str, host: &str| {
        client().with_plain_http(host).with_credentials(registry, given()).build()
    };
    let error = build("registry.example:5000", "Registry.example:5000").unwrap_err();
    assert!(matches!(error, RegistryError::CredentialsInTheClear { .. }), "{error:?}");
    assert!(build("registry.example", "registry.example:5000").is_ok(), "those are two servers");

    // A token service in the clear, beside a registry in the clear that got no credential by itself.
    let service = wanting_a_token_of("unused", None).await;
    assert!(tags_at(&plain(&service.host()).build().unwrap(), &service.host()).await.is_err());
}

#[tokio::test]
async fn hosts_are_hosts() {
    let build = |host: &str| client().with_credentials(host, given()).build();
    for good in
        ["ghcr.io", "docker.io", "localhost", "registry.example:5000", "[::1]:5000", "index.docker.io"]
    {
        assert!(build(good).is_ok(), "{good}");
    }
    for bad in ["", "registry", "https://ghcr.io", "ghcr.io/", "ghcr.io/a", "u:pw@ghcr.io", "ghcr.io:x"] {
        let error = build(bad).unwrap_err();
        assert!(matches!(error, RegistryError::InvalidHost { .. }), "{bad}: {error:?}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    for bad in
        ["auth.example", "ftp://auth.example", "https://", "https://u:pw@auth.example", "https://a.example?x"]
    {
        let error = RegistryClient::builder().with_token_service("ghcr.io", bad).build().unwrap_err();
        assert!(matches!(error, RegistryError::InvalidHost { .. }), "{bad}: {error:?}");
        assert!(!error.to_string().contains("u:pw"), "{error}");
    }
}
