//! The registry of the tests is one: an HTTP client that knows the specification pushes to it and reads back.

use gitops_core::Class;
use gitops_image::testing::{Access, Registry};
use gitops_image::{ImageDigest, ImagePolicy, TagSource as _, newest};
use reqwest::{Client, StatusCode};

use crate::common::{cx, plain, provider, tag};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn http() -> Client {
    provider();
    Client::builder().no_proxy().build().unwrap()
}

async fn upload(http: &Client, registry: &Registry, blob: &'static [u8]) -> ImageDigest {
    let begun = http.post(format!("{}/v2/shop/web/blobs/uploads/", registry.url())).send().await.unwrap();
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    let place = format!("{}{}", registry.url(), begun.headers()["location"].to_str().unwrap());
    let digest = ImageDigest::of(blob);
    let done = http.put(format!("{place}?digest={digest}")).body(blob).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::CREATED);
    assert_eq!(done.headers()["docker-content-digest"], digest.as_str());
    digest
}

#[tokio::test]
async fn an_image_is_pushed_and_found() {
    let (registry, http) = (Registry::start().await.unwrap(), http());
    let (config, layer) = (upload(&http, &registry, b"{}").await, upload(&http, &registry, b"layer").await);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}",
            "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":5}}]}}"#
    );
    let put = |reference: String, manifest: String| {
        let url = format!("{}/v2/shop/web/manifests/{reference}", registry.url());
        http.put(url).header("content-type", MANIFEST).body(manifest).send()
    };
    let pushed = put("1.0.0".into(), manifest.clone()).await.unwrap();
    assert_eq!(pushed.status(), StatusCode::CREATED);
    let digest = ImageDigest::of(manifest.as_bytes());
    assert_eq!(pushed.headers()["docker-content-digest"], digest.as_str());

    let client = plain(&registry.host()).build().unwrap();
    let web = registry.repository("shop/web").unwrap();
    let policy = ImagePolicy::semver("*").unwrap().with_digest_pin(gitops_image::DigestPin::Always);
    let choice = newest(&cx(), &client, &web, &policy, None).await.unwrap();
    assert_eq!(choice.to_string(), format!("1.0.0@{digest}"));
    for reference in ["1.0.0", digest.as_str()] {
        let url = format!("{}/v2/shop/web/manifests/{reference}", registry.url());
        let read = http.get(url).send().await.unwrap();
        assert_eq!(read.headers()["content-type"], MANIFEST);
        assert_eq!(read.text().await.unwrap(), manifest);
    }
    let blob = http.get(format!("{}/v2/shop/web/blobs/{layer}", registry.url())).send().await.unwrap();
    assert_eq!(blob.bytes().await.unwrap(), "layer");

    // What does not fit together is refused.
    let lost = manifest.replace(layer.as_str(), ImageDigest::of(b"lost").as_str());
    for (reference, manifest, status) in [
        ("1.0.1", lost, StatusCode::BAD_REQUEST),
        (ImageDigest::of(b"x").as_str(), manifest.clone(), StatusCode::BAD_REQUEST),
        ("-1", manifest.clone(), StatusCode::BAD_REQUEST),
        ("1.0.1", "no manifest".into(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(put(reference.into(), manifest).await.unwrap().status(), status, "{reference}");
    }
    let url = format!("{}/v2/shop/web/blobs/uploads/?digest={}", registry.url(), ImageDigest::of(b"x"));
    assert_eq!(http.post(&url).body("y").send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(http.post(&url).body("x").send().await.unwrap().status(), StatusCode::CREATED);

    let url = format!("{}/v2/shop/web/manifests/1.0.0", registry.url());
    assert_eq!(http.delete(url).send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(client.digest(&cx(), &web, &tag("1.0.0")).await.unwrap_err().class, Class::NotFound);
}

#[tokio::test]
async fn a_token_to_read_is_none_to_push() {
    let access = Access::Token { user: "bot".into(), password: "pw".into(), public: true };
    let registry = Registry::builder().with_access(access).start().await.unwrap();
    let (http, begin) = (http(), format!("{}/v2/shop/web/blobs/uploads/", registry.url()));
    let refused = http.post(&begin).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("repository:shop/web:pull,push"), "{challenge}");
    let token = async |scope: &str, user: Option<&str>| {
        let request = http.get(format!("{}/token?service=registry&scope={scope}", registry.url()));
        let request = if let Some(user) = user { request.basic_auth(user, Some("pw")) } else { request };
        let text = request.send().await.unwrap().text().await.unwrap();
        text.split('"').find(|part| part.starts_with("token-")).map(str::to_owned)
    };
    assert_eq!(token("repository:shop/web:pull,push", None).await, None);
    for (scope, user, status) in [
        ("repository:shop/web:pull", None, StatusCode::UNAUTHORIZED),
        ("repository:shop/web-2:pull,push", Some("bot"), StatusCode::UNAUTHORIZED),
        ("repository:shop/web:pull,push", Some("bot"), StatusCode::ACCEPTED),
    ] {
        let token = token(scope, user).await.unwrap();
        assert_eq!(http.post(&begin).bearer_auth(token).send().await.unwrap().status(), status, "{scope}");
    }
}
