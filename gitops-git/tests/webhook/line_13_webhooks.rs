//! The body is bounded, proven before it is read, and no answer tells a secret.

use gitops_core::{Application, MemoryCluster, MemoryTarget, Reconciler};
use gitops_git::GitSource;
use gitops_git::webhook::{Delivery, Host, WebhookError};
use proptest::prelude::*;

use super::*;

#[test]
fn an_empty_secret_is_refused() {
    for empty in ["", " ", "\n", "\t \r\n", "whsec_"] {
        assert_eq!(Webhook::new(empty).unwrap_err(), WebhookError::EmptySecret, "{empty:?}");
        assert_eq!(webhook().with_secret(empty).unwrap_err(), WebhookError::EmptySecret, "{empty:?}");
    }
    for bad in ["whsec_!", "whsec_AAE", "whsec_AAEC\n"] {
        assert_eq!(Webhook::new(bad).unwrap_err(), WebhookError::InvalidSigningToken, "{bad:?}");
    }
}

#[test]
fn the_body_is_bounded_before_anything_is_done_with_it() {
    let (body, headers) = GITHUB;
    let exact = webhook().with_max_bytes(body.len());
    assert!(deliver(&exact, headers, body.as_bytes()).is_ok());
    let less = webhook().with_max_bytes(body.len() - 1);
    let error = deliver(&less, headers, body.as_bytes()).unwrap_err();
    assert_eq!((&error, error.status()), (&WebhookError::TooLarge { limit: body.len() - 1 }, 413));
    // Also of nobody: not even the headers are looked at.
    let error = less.read(std::iter::empty::<(&str, &str)>(), body.as_bytes()).unwrap_err();
    assert_eq!(error.status(), 413);
    assert_eq!(webhook().max_bytes(), 5 * 1024 * 1024);
}

/// What is not signed is refused for that, whatever else is wrong with it: so it was not read.
#[test]
fn the_proof_comes_before_the_content() {
    for (_, headers) in [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER] {
        for body in [&b"{}"[..], b"", b"[", b"\xff\xff", b"{\"ref\": 7}"] {
            let error = webhook().read(headers.iter().copied(), body).unwrap_err();
            assert!(matches!(error, WebhookError::Unsigned { .. }), "{headers:?}: {error:?}");
            let (name, value) = proof(headers, "another secret", body);
            let all = headers.iter().copied().chain([(&*name, &*value)]);
            let error = webhook().read(all, body).unwrap_err();
            assert!(matches!(error, WebhookError::WrongSignature { .. }), "{headers:?}: {error:?}");
            assert_eq!(error.status(), 401);
        }
    }
    let nobody = webhook().read([JSON], b"{}").unwrap_err();
    assert_eq!((&nobody, nobody.status()), (&WebhookError::UnknownSender, 400));
}

/// SHA-1, no algorithm, another spelling, half of it, or the right value in another host's header.
#[test]
fn nothing_else_is_taken_for_the_proof() {
    let (body, headers) = GITHUB;
    let right = hmac(SECRET, body.as_bytes());
    for (name, value) in [
        ("X-Hub-Signature-256", right.clone()),
        ("X-Hub-Signature-256", format!("sha1={right}")),
        ("X-Hub-Signature-256", format!("sha256={}", right.to_uppercase())),
        ("X-Hub-Signature-256", format!("sha256= {right}")),
        ("X-Hub-Signature-256", format!("sha256={}", &right[..62])),
        ("X-Hub-Signature-256", format!("sha256={right}00")),
        ("X-Hub-Signature-256", "sha256=".to_owned()),
        ("X-Hub-Signature-256", String::new()),
        ("X-Hub-Signature", format!("sha256={right}")),
        ("X-Gitea-Signature", right.clone()),
        ("X-Gitlab-Token", SECRET.to_owned()),
        ("X-Signature", format!("sha256={right}")),
    ] {
        let all = headers.iter().copied().chain([(name, &*value)]);
        let error = webhook().read(all, body.as_bytes()).unwrap_err();
        assert_eq!(error.status(), 401, "{name}: {value}: {error:?}");
    }
    // Twice: which of them counts is not ours to guess.
    let twice = [("X-Hub-Signature-256", format!("sha256={right}")), ("x-hub-signature-256", String::new())];
    let all = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(twice);
    let error = webhook().read(all, body.as_bytes()).unwrap_err();
    assert_eq!(error, WebhookError::RepeatedHeader { name: "x-hub-signature-256" });
}

#[test]
fn a_form_is_refused_with_what_to_do() {
    let body = b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D";
    for kind in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=utf-8"] {
        let error = deliver(&webhook(), &[("X-GitHub-Event", "push"), ("Content-Type", kind)], body);
        let error = error.unwrap_err();
        assert_eq!((&error, error.status()), (&WebhookError::FormEncoded, 415));
        assert!(error.to_string().contains("application/json"), "{error}");
    }
}

/// Deep and wide JSON, signed: it costs time for its bytes, and nothing else.
#[test]
fn nesting_costs_nothing() {
    let megabyte = 1024 * 1024;
    let deep = |open: &str| open.repeat(megabyte / open.len());
    let balanced = format!("{}{}", "[".repeat(megabyte), "]".repeat(megabyte));
    for inside in [deep("["), deep("{\"a\":"), balanced.clone(), deep("[{\"a\":[")] {
        for body in [
            inside.clone(),
            format!("{{\"ignored\": {inside}}}"),
            format!("{{\"repository\": {{\"clone_url\": {inside}}}}}"),
            format!("{{\"commits\": [{{\"x\": {inside}}}]}}"),
        ] {
            for (_, headers) in [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC] {
                let error = deliver(&webhook(), headers, body.as_bytes()).unwrap_err();
                assert_eq!(error.status(), 400, "{error:?}");
            }
        }
    }
    // What is skipped may be as deep as it likes.
    let body = format!("{{\"ignored\": {balanced}, {}", &GITHUB.0[1..]);
    assert!(deliver(&webhook(), GITHUB.1, body.as_bytes()).is_ok());
}

#[test]
fn no_text_shows_a_secret_or_the_content() {
    let secret = "s3cr3t-one";
    let webhook = Webhook::new(secret).unwrap().with_secret("whsec_czNjcjN0LXR3bw==").unwrap();
    let shown = format!("{webhook:?} {webhook:#?}");
    assert!(shown.contains("secrets: 2"), "{shown}");
    let mut texts = vec![shown];
    for (_, headers) in [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC] {
        for body in
            ["{\"ref\": \"s3cr3t\"}", "{\"repository\": \"s3cr3t\"}", "s3cr3t", "[{\"s3cr3t\": s3cr3t"]
        {
            for secret in [secret, "s3cr3t-other"] {
                let (name, value) = proof(headers, secret, body.as_bytes());
                let all = headers.iter().copied().chain([(&*name, &*value)]);
                let error = webhook.read(all, body.as_bytes()).unwrap_err();
                texts.push(format!("{error} {error:?}"));
            }
        }
    }
    for text in texts {
        assert!(!text.contains("s3cr3t") && !text.contains("czNjcjN0"), "{text}");
    }
}

/// Whatever a payload names, it only picks among what is configured.
#[test]
fn only_configured_repositories_are_triggered() {
    let dir = tempfile::tempdir().unwrap();
    let root = format!("file://{}", dir.path().canonicalize().unwrap().display());
    let app = |name: &str| {
        let source = GitSource::builder(format!("{root}/{name}")).allow_local().with_mirror_dir(dir.path());
        let target = MemoryTarget::new(MemoryCluster::new());
        Application::builder(name, source.build().unwrap(), target).build().unwrap()
    };
    let reconciler =
        Reconciler::builder().with_application(app("shop")).with_application(app("other")).build().unwrap();
    let asked = |repository: &str| {
        let push = push((&serde_json::json!({"repository": repository}).to_string(), &[]));
        let asked = reconciler.handle().refresh_where(|app| push.concerns(app));
        asked.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(asked(&format!("{root}/shop")), ["shop"]);
    for elsewhere in [&root, &*format!("{root}/sho"), "https://evil.example/shop", "git@evil.example:other"] {
        assert!(asked(elsewhere).is_empty(), "{elsewhere}");
    }
}

fn payloads() -> impl Strategy<Value = (&'static str, &'static [(&'static str, &'static str)])> {
    prop::sample::select(vec![GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any bytes under any headers, signed or not.
    #[test]
    fn no_bytes_panic(
        (_, headers) in payloads(),
        body in prop::collection::vec(any::<u8>(), 0..300),
        names in prop::collection::vec(("[a-zA-Z-]{0,20}", prop::collection::vec(any::<u8>(), 0..40)), 0..4),
        signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = deliver(&webhook(), headers, &body);
        let (name, _) = proof(headers, SECRET, &body);
        let given = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let read = webhook().read(given.chain(names).chain([(name, signature)]), &body);
        prop_assert!(read.is_err());
    }

    /// A payload with pieces of it changed to other JSON, and signed: never a panic, and never a reference or an address that
    /// is none.
    #[test]
    fn changed_payloads_are_read_or_refused(
        (body, headers) in payloads(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "\\PC{0,12}|null|\\{\\}|\\[\\]|7|\"\""), 1..4),
    ) {
        let mut body = body.as_bytes().to_vec();
        for (at, text) in cuts {
            let at = at.index(body.len());
            let end = (at + text.len()).min(body.len());
            body.splice(at..end, text.bytes());
        }
        if let Ok(Delivery::Push(push)) = deliver(&webhook(), headers, &body) {
            for update in &push.updates {
                prop_assert!(update.reference.starts_with("refs/"));
                for id in [&update.before, &update.after].into_iter().flatten() {
                    prop_assert!(id.len() == 40 || id.len() == 64);
                }
            }
            let _ = push.is_of("https://git.example/platform/config");
        }
    }

    /// An address may be any text.
    #[test]
    fn no_address_panics(one in "\\PC{0,60}", other in "((https?|ssh|git|file|ext)://|[a-z@.]{0,9}:)?[\\[\\]:%/@~?#.a-zA-Z0-9é-]{0,40}") {
        let payload = serde_json::json!({"repository": other}).to_string();
        if let Ok(Delivery::Push(push)) = deliver(&webhook(), &[], payload.as_bytes()) {
            let _ = push.is_of(&one);
            prop_assert!(push.is_of(&other) || !push.repository.urls.contains(&other), "{other}");
        }
    }

    /// One byte of the body or of the proof is another: refused. (GitLab's token does not cover the body.)
    #[test]
    fn one_flipped_byte_is_refused(
        (body, headers) in payloads(),
        at in any::<prop::sample::Index>(),
        bits in 1_u8..=255,
        in_proof in any::<bool>(),
    ) {
        let mut body = body.as_bytes().to_vec();
        let (name, value) = proof(headers, SECRET, &body);
        let mut value = value.into_bytes();
        let is_token = name == "X-Gitlab-Token";
        let flipped = if in_proof || is_token { &mut value } else { &mut body };
        let at = at.index(flipped.len());
        flipped[at] ^= bits;
        let given = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let error = webhook().read(given.chain([(&*name, &*value)]), &body).unwrap_err();
        let is_refused = matches!(error, WebhookError::WrongSignature { .. });
        prop_assert!(is_refused, "{error:?}");
    }
}

/// Each host is told, and none for another: all six payloads under one secret.
#[test]
fn the_host_is_told_by_its_headers() {
    let hosts = [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC].map(|payload| push(payload).host);
    let wanted = [Host::GitHub, Host::GitLab, Host::Gitea, Host::Bitbucket, Host::Bitbucket, Host::Generic];
    assert_eq!(hosts, wanted);
}
