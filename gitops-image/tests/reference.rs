//! The registry of the tests beside the reference implementation: the same conversation, and the same client.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{cx, plain, provider, repository, tag};
use gitops_core::Class;
use gitops_image::testing::Registry;
use gitops_image::{DigestPin, ImageDigest, ImagePolicy, TagSource as _, newest};
use reqwest::{Client, Method};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The reference implementation, on a free port. It ends when this is dropped.
struct Reference {
    child: Child,
    host: String,
    _dir: tempfile::TempDir,
}

impl Reference {
    fn start() -> Self {
        let binary =
            std::env::var_os("GITOPS_REGISTRY").map_or_else(build, |path| path.to_str().unwrap().into());
        let dir = tempfile::tempdir().unwrap();
        let config = "version: 0.1\nlog: {level: info}\nstorage: {inmemory: {}, delete: {enabled: true}}\n\
                      http: {addr: '127.0.0.1:0'}\n";
        std::fs::write(dir.path().join("config.yml"), config).unwrap();
        let mut command = Command::new(binary);
        command.arg("serve").arg(dir.path().join("config.yml")).env_clear().current_dir(dir.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let host = lines.find_map(|line| {
            let end = line.split_once("listening on ")?.1;
            Some(end.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect())
        });
        // Somebody has to read what it says from now on.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, host: host.unwrap(), _dir: dir }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn build() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/registry/build");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "hack/registry/build failed");
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// What of an answer is the specification's.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: u16,
    digest: Option<String>,
    kind: Option<String>,
    link: Option<String>,
    code: Option<String>,
    body: String,
}

struct Talk {
    http: Client,
    host: String,
    said: Vec<(String, Said)>,
}

impl Talk {
    fn with(host: &str) -> Self {
        provider();
        Self { http: Client::builder().no_proxy().build().unwrap(), host: host.into(), said: Vec::new() }
    }

    async fn ask(&mut self, method: &str, path: &str, kind: &str, body: String) -> Option<String> {
        let url = format!("http://{}{path}", self.host);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request =
            self.http.request(method.clone(), url).header("accept", MANIFEST).header("content-type", kind);
        let response = request.body(body).send().await.unwrap();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        let (status, digest, link) =
            (response.status().as_u16(), header("docker-content-digest"), header("link"));
        let (location, kind) = (header("location"), header("content-type").filter(|kind| kind == MANIFEST));
        let body = response.text().await.unwrap();
        // Errors differ in their words, and lists in their spaces.
        let json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let code = json.as_ref().and_then(|it| Some(it["errors"][0]["code"].as_str()?.to_owned()));
        let body = match (&code, json) {
            (Some(_), _) => String::new(),
            (None, Some(json)) => json.to_string(),
            (None, None) => body,
        };
        self.said.push((format!("{method} {path}"), Said { status, digest, kind, link, code, body }));
        location
    }

    async fn upload(&mut self, blob: &str, digest: &str) {
        let location = self.ask("POST", "/v2/shop/web/blobs/uploads/", "", String::new()).await.unwrap();
        let (begin, sent) = (format!("http://{}", self.host), self.said.len());
        let path = location.strip_prefix(&begin).unwrap_or(&location).to_owned();
        let glue = if path.contains('?') { '&' } else { '?' };
        self.ask("PUT", &format!("{path}{glue}digest={digest}"), "application/octet-stream", blob.into())
            .await;
        // Where an upload goes to is the registry's affair.
        self.said[sent].0 = "PUT".into();
    }

    /// A whole life of a repository.
    async fn hold(mut self) -> Vec<(String, Said)> {
        let get = |path: &str| ("GET", path.to_owned());
        for path in ["/v2/", "/v2/shop/web/tags/list", "/v2/shop/web/manifests/1.0.0"] {
            self.ask("GET", path, "", String::new()).await;
        }
        let (config, layer) = (ImageDigest::of(b"{}"), ImageDigest::of(b"layer"));
        let manifest = manifest(&config, &layer);
        let digest = ImageDigest::of(manifest.as_bytes());
        self.ask("PUT", "/v2/shop/web/manifests/1.0.0", MANIFEST, manifest.clone()).await;
        self.upload("{}", config.as_str()).await;
        self.upload("layer", layer.as_str()).await;
        self.upload("layer", config.as_str()).await;
        for name in ["1.0.0", "1.1.0", "1.10.0", "2.0.0-rc.1", "latest", digest.as_str(), layer.as_str()] {
            self.ask("PUT", &format!("/v2/shop/web/manifests/{name}"), MANIFEST, manifest.clone()).await;
        }
        self.ask("PUT", "/v2/shop/web/manifests/x", MANIFEST, "no manifest".into()).await;
        for (method, path) in [
            get("/v2/shop/web/tags/list"),
            get("/v2/shop/web/tags/list?n=2"),
            get("/v2/shop/web/tags/list?n=2&last=1.10.0"),
            get("/v2/shop/web/tags/list?n=5"),
            get("/v2/shop/web/tags/list?n=100&last=2"),
            get("/v2/shop/web/tags/list?n=2&last=latest"),
            get("/v2/shop/web/tags/list?last=zzz"),
            get("/v2/shop/web/tags/list?n=x"),
            get("/v2/shop/none/tags/list"),
            get("/v2/shop/web/manifests/1.0.0"),
            get(&format!("/v2/shop/web/manifests/{digest}")),
            get(&format!("/v2/shop/web/manifests/{layer}")),
            get("/v2/shop/web/manifests/3.0.0"),
            get(&format!("/v2/shop/web/blobs/{layer}")),
            get(&format!("/v2/shop/web/blobs/{digest}x")),
            ("HEAD", "/v2/shop/web/manifests/1.0.0".into()),
            ("HEAD", "/v2/shop/web/manifests/3.0.0".into()),
            ("HEAD", format!("/v2/shop/web/blobs/{layer}")),
            ("DELETE", "/v2/shop/web/manifests/latest".into()),
            ("DELETE", "/v2/shop/web/manifests/latest".into()),
            get("/v2/shop/web/tags/list"),
            ("DELETE", format!("/v2/shop/web/manifests/{digest}")),
            get("/v2/shop/web/manifests/1.0.0"),
        ] {
            self.ask(method, &path, "", String::new()).await;
        }
        self.said
    }
}

fn manifest(config: &ImageDigest, layer: &ImageDigest) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":5}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn the_registry_of_the_tests_answers_as_the_reference_does() {
    let (reference, ours) = (Reference::start(), Registry::start().await.unwrap());
    let expected = Talk::with(&reference.host).hold().await;
    let found = Talk::with(&ours.host()).hold().await;
    let pairs = found.iter().zip(&expected);
    let differing: Vec<_> = pairs.filter(|(found, expected)| found != expected).collect();
    assert!(differing.is_empty(), "ours, and the reference's: {differing:#?}");
    assert!(found.len() == expected.len() && found.len() > 40);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go: see CONTRIBUTING.md"]
async fn the_client_understands_the_reference() {
    let reference = Reference::start();
    let (client, web) =
        (plain(&reference.host).with_page_size(10).build().unwrap(), repository(&reference.host));
    assert_eq!(client.tags(&cx(), &web).await.unwrap_err().class, Class::NotFound);
    let mut talk = Talk::with(&reference.host);
    let (config, layer) = (ImageDigest::of(b"{}"), ImageDigest::of(b"layer"));
    talk.upload("{}", config.as_str()).await;
    talk.upload("layer", layer.as_str()).await;
    let manifest = manifest(&config, &layer);
    for n in 0..45 {
        talk.ask("PUT", &format!("/v2/shop/web/manifests/1.{n}.0"), MANIFEST, manifest.clone()).await;
    }
    let counted = cx();
    assert_eq!(client.tags(&counted, &web).await.unwrap().len(), 45);
    assert_eq!(counted.requests(), 5);
    let policy = ImagePolicy::semver("^1.2").unwrap().with_digest_pin(DigestPin::Always);
    let choice = newest(&cx(), &client, &web, &policy, None).await.unwrap();
    assert_eq!(choice.to_string(), format!("1.44.0@{}", ImageDigest::of(manifest.as_bytes())));
    assert_eq!(client.digest(&cx(), &web, &tag("9.9.9")).await.unwrap_err().class, Class::NotFound);
}
