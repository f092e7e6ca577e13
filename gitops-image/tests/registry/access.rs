//! Tokens and passwords.

use std::time::Duration;

use gitops_core::Class;
use gitops_image::testing::{Access, Registry, Request};
use gitops_image::{RegistryClient, RegistryCredentials, RegistryError, TagSource as _};

use crate::common::{cx, error, plain, reply, tags};

fn token(public: bool) -> Access {
    Access::Token { user: "bot".into(), password: "pw".into(), public }
}

async fn start(access: Access) -> Registry {
    let registry = Registry::builder().with_access(access).start().await.unwrap();
    registry.push("shop/web", "1", b"{}").unwrap();
    registry
}

fn with(registry: &Registry, credentials: RegistryCredentials) -> RegistryClient {
    let builder = plain(&registry.host()).allow_credentials_over_http();
    builder.with_credentials(registry.host(), credentials).build().unwrap()
}

fn anybody(registry: &Registry) -> RegistryClient {
    plain(&registry.host()).build().unwrap()
}

fn authorization(request: &Request) -> Option<&str> {
    request.headers().get("authorization").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn everybody_may_have_a_token_to_read() {
    let registry = start(token(true)).await;
    let client = anybody(&registry);
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    let requests = registry.take_requests();
    let paths: Vec<_> = requests.iter().map(|request| request.uri().path()).collect();
    assert_eq!(paths, ["/v2/shop/web/tags/list", "/token", "/v2/shop/web/tags/list"]);
    let query = requests[1].uri().query().unwrap();
    assert!(
        query.contains("scope=repository%3Ashop%2Fweb%3Apull") && query.contains("service=registry"),
        "{query}"
    );
    assert_eq!(authorization(&requests[1]), None);
    assert_eq!(authorization(&requests[2]), Some("Bearer token-1"));

    // It is used again, for this repository.
    tags(&client, &registry).await.unwrap();
    client.digest(&cx(), &registry.repository("shop/web").unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!(registry.take_requests().len(), 2);
    registry.push("shop/api", "2", b"{}").unwrap();
    client.tags(&cx(), &registry.repository("shop/api").unwrap()).await.unwrap();
    assert_eq!(registry.take_requests().len(), 3);
}

#[tokio::test]
async fn a_password_is_for_the_token_service_and_a_token_for_the_registry() {
    let registry = start(token(false)).await;
    let client = with(&registry, RegistryCredentials::basic("bot", "pw"));
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    let requests = registry.take_requests();
    let sent: Vec<_> = requests.iter().map(authorization).collect();
    assert_eq!(sent, [None, Some("Basic Ym90OnB3"), Some("Bearer token-1")]);

    for client in [anybody(&registry), with(&registry, RegistryCredentials::basic("bot", "wrong"))] {
        let (fault, denied) = error(tags(&client, &registry).await);
        assert!(matches!(denied, RegistryError::Denied { .. }), "{fault}");
        assert!(fault.to_string().contains("the token service"), "{fault}");
        registry.take_requests();
    }
}

#[tokio::test]
async fn a_registry_may_want_the_password_itself() {
    let registry = start(Access::Basic { user: "bot".into(), password: "pw".into() }).await;
    let client = with(&registry, RegistryCredentials::basic("bot", "pw"));
    tags(&client, &registry).await.unwrap();
    tags(&client, &registry).await.unwrap();
    assert_eq!(registry.take_requests().len(), 3, "the second time it is sent at once");

    for (client, requests) in
        [(anybody(&registry), 1), (with(&registry, RegistryCredentials::basic("bot", "wrong")), 2)]
    {
        let (fault, denied) = error(tags(&client, &registry).await);
        assert!(matches!(denied, RegistryError::Denied { .. }) && fault.class == Class::Denied, "{fault}");
        assert_eq!(registry.take_requests().len(), requests);
    }
}

#[tokio::test]
async fn a_token_that_was_given_is_sent_at_once() {
    let registry = start(token(false)).await;
    // One that the token service has given to somebody.
    tags(&with(&registry, RegistryCredentials::basic("bot", "pw")), &registry).await.unwrap();
    registry.take_requests();
    tags(&with(&registry, RegistryCredentials::bearer("token-1")), &registry).await.unwrap();
    assert_eq!(registry.take_requests().len(), 1);
    let (fault, denied) =
        error(tags(&with(&registry, RegistryCredentials::bearer("other")), &registry).await);
    assert!(matches!(denied, RegistryError::Denied { .. }), "{fault}");
    assert_eq!(registry.take_requests().len(), 1, "there is none to replace it with");
}

#[tokio::test]
async fn a_pull_secret_is_enough() {
    let registry = start(token(false)).await;
    let secret =
        |auth: &str| format!("{{\"auths\":{{\"http://{}/v2/\":{{\"auth\":\"{auth}\"}}}}}}", registry.host());
    let build =
        |auth: &str| plain(&registry.host()).allow_credentials_over_http().with_docker_config(secret(auth));
    let client = build("Ym90OnB3").build().unwrap();
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    // What is given by itself goes before it.
    let wrong = build("Ym90Ong=");
    assert_eq!(error(tags(&wrong.clone().build().unwrap(), &registry).await).0.class, Class::Denied);
    let right = wrong.with_credentials(registry.host(), RegistryCredentials::basic("bot", "pw"));
    assert_eq!(tags(&right.build().unwrap(), &registry).await.unwrap(), ["1"]);
    let error = build("no base64").build().unwrap_err();
    assert!(matches!(error, RegistryError::InvalidDockerConfig { .. }), "{error:?}");
}

fn docker_config(auths: &[(String, &str)]) -> String {
    let auths: Vec<_> = auths.iter().map(|(key, auth)| format!("{key:?}:{auth}")).collect();
    format!("{{\"auths\":{{{}}}}}", auths.join(","))
}

/// The password of another path goes nowhere: `other` has it.
#[tokio::test]
async fn a_pull_secret_may_be_for_a_part_of_a_registry() {
    let registry = start(Access::Basic { user: "bot".into(), password: "pw".into() }).await;
    let (host, right, wrong) = (registry.host(), "{\"auth\":\"Ym90OnB3\"}", "{\"auth\":\"Ym90Ong=\"}");
    let build = |auths: &[(String, &str)]| {
        let client = plain(&host).allow_credentials_over_http();
        client.with_docker_config(docker_config(auths))
    };
    let key = |path: &str| format!("{host}{path}");
    for auths in [
        [(key("/shop"), right), (key("/team-z"), wrong)],
        [(key("/shop"), right), (key("/shop/webs"), wrong)],
        [(key("/shop/web"), right), (key("/shop"), wrong)],
        [(key("/shop/web/"), right), (key(""), wrong)],
        [(key(""), right), (key("/sho"), wrong)],
        [(key("/v2/"), right), (key("/v2/zzz"), wrong)],
        [(format!("http://{host}/v1/"), right), (format!("http://{host}/v1/refresh-token"), wrong)],
    ] {
        let client = build(&auths).build().unwrap();
        assert_eq!(tags(&client, &registry).await.unwrap(), ["1"], "{auths:?}");
    }
    for auths in [[(key("/team-z"), right)], [(key("/shop/w"), right)], [(key("/v1/shop"), right)]] {
        registry.take_requests();
        let client = build(&auths).build().unwrap();
        assert_eq!(error(tags(&client, &registry).await).0.class, Class::Denied, "{auths:?}");
        assert!(registry.take_requests().iter().all(|request| authorization(request).is_none()), "{auths:?}");
    }
    // What is given by itself goes before all of them.
    let builder = build(&[(key("/shop"), wrong)]);
    let client = builder.with_credentials(&host, RegistryCredentials::basic("bot", "pw")).build().unwrap();
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
}

/// Beside an identity token there is a user without a password, which is none.
#[tokio::test]
async fn with_an_identity_token_a_registry_is_asked_as_anybody() {
    let registry = start(token(true)).await;
    let entry = "{\"auth\":\"Ym90Og==\",\"identitytoken\":\"s3cr3t\"}";
    let builder = plain(&registry.host()).allow_credentials_over_http();
    let client = builder.with_docker_config(docker_config(&[(registry.host(), entry)])).build().unwrap();
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    assert_eq!(authorization(&registry.take_requests()[1]), None);
}

/// A token that a registry no longer takes is replaced once, and what it refuses then is denied.
#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let registry = start(token(true)).await;
    let client = anybody(&registry);
    tags(&client, &registry).await.unwrap();
    registry.take_requests();
    registry.answer_with(|request| {
        let challenge =
            format!("Bearer realm=\"http://{}/token\"", request.headers()["host"].to_str().unwrap());
        let is_old = authorization(request).is_some_and(|sent| sent == "Bearer token-1");
        is_old.then(|| reply(401, &[("www-authenticate", &*challenge)], ""))
    });
    assert_eq!(tags(&client, &registry).await.unwrap(), ["1"]);
    assert_eq!(registry.take_requests().len(), 3);
    registry.answer_with(|request| {
        let challenge =
            format!("Bearer realm=\"http://{}/token\"", request.headers()["host"].to_str().unwrap());
        let is_list = request.uri().path().ends_with("list");
        is_list.then(|| reply(401, &[("www-authenticate", &*challenge)], ""))
    });
    let (fault, _) = error(tags(&client, &registry).await);
    assert_eq!(fault.class, Class::Denied);
    assert_eq!(registry.take_requests().len(), 3);
}

#[tokio::test]
async fn what_a_token_service_answers_has_its_class() {
    let registry = start(token(true)).await;
    let retry = Class::Retry { after: Some(Duration::from_secs(9)) };
    for (status, headers, body, class) in [
        (401, &[][..], "", Class::Denied),
        (403, &[], "", Class::Denied),
        (404, &[], "", Class::Invalid),
        (429, &[("retry-after", "9")], "", retry),
        (500, &[], "", Class::RETRY),
        (200, &[], "{}", Class::Invalid),
        (200, &[], "<html>", Class::Invalid),
        (200, &[], r#"{"token":"a\nb"}"#, Class::Denied),
        (302, &[("location", "http://127.0.0.1:1/")], "", Class::Invalid),
    ] {
        registry.answer_with(move |request| {
            (request.uri().path() == "/token").then(|| reply(status, headers, body))
        });
        let (fault, _) = error(tags(&anybody(&registry), &registry).await);
        assert_eq!(fault.class, class, "{status} {body}: {fault}");
    }
}

/// A registry that wants what we cannot give says no.
#[tokio::test]
async fn other_challenges_are_denials() {
    let registry = start(Access::Everybody).await;
    for challenge in
        ["Negotiate", "Digest realm=\"x\", nonce=\"y\"", "Bearer", "Bearer realm=\"nowhere\"", "\"", ""]
    {
        registry.answer_with(move |_| Some(reply(401, &[("www-authenticate", challenge)], "")));
        for client in [anybody(&registry), with(&registry, RegistryCredentials::basic("bot", "pw"))] {
            let (fault, _) = error(tags(&client, &registry).await);
            assert_eq!(fault.class, Class::Denied, "{challenge}: {fault}");
        }
        assert!(registry.take_requests().iter().all(|request| authorization(request).is_none()));
    }
}
