//! The proofs of each host, on the values that their documentation gives, and on our own.

use gitops_git::webhook::{Delivery, Host, WebhookError};

use super::*;

/// `whsec_` and 32 bytes in base64, as GitLab makes them.
const TOKEN: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The example of GitHub's page "Validating webhook deliveries". It is no JSON, which shows that the signature was found
/// right.
#[test]
fn githubs_own_example_is_proven() {
    let webhook = Webhook::new("It's a Secret to Everybody").unwrap();
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let read = |body: &[u8]| {
        webhook.read([("x-github-event", "push"), ("x-hub-signature-256", signature)], body).unwrap_err()
    };
    assert!(matches!(read(b"Hello, World!"), WebhookError::Malformed { line: 1, .. }));
    assert!(matches!(read(b"Hello, world!"), WebhookError::WrongSignature { host: Host::GitHub, .. }));
}

/// The example that the libraries of Standard Webhooks are tested with. It names no repository, which is told only once the
/// signature was found right.
#[test]
fn the_example_of_standard_webhooks_is_proven() {
    let webhook = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let read = |time: &str, signature: &str| {
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", time),
            ("webhook-signature", signature),
        ];
        webhook.read(headers, br#"{"test": 2432232314}"#).unwrap_err()
    };
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let proven = WebhookError::InvalidField { field: "repository", wanted: "a repository with its URLs" };
    assert_eq!(read("1614265330", signature), proven);
    assert_eq!(read("1614265330", &format!("v2,AAAA v1,AAAA {signature}")), proven);
    for (time, signature) in [
        ("1614265331", signature),
        ("1614265330", &signature.replace("v1,", "v2,")),
        ("1614265330", &signature.replace("v1,", "")),
        ("1614265330", ""),
    ] {
        assert_eq!(read(time, signature).status(), 401, "{time} {signature}");
    }
}

/// What GitLab sends for a webhook with a signing token, and a secret token beside it.
fn gitlab(token: Option<&str>, key: Option<&[u8]>, webhook: &Webhook) -> Result<Delivery, WebhookError> {
    use base64::Engine as _;
    let mut headers: Vec<(&str, String)> =
        GITLAB_PUSH.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    headers.extend(token.map(|token| ("X-Gitlab-Token", token.to_owned())));
    if let Some(key) = key {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(format!("an-id.1774000000.{}", GITLAB.0).as_bytes());
        let tag = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        headers.extend([
            ("webhook-id", "an-id".to_owned()),
            ("webhook-timestamp", "1774000000".to_owned()),
            ("webhook-signature", format!("v1,{tag}")),
        ]);
    }
    webhook.read(headers, GITLAB.0.as_bytes())
}

#[test]
fn gitlab_proves_itself_by_a_token_or_by_a_signature() {
    let key: Vec<u8> = (0..32).collect();
    let (token, signing) = (webhook(), Webhook::new(TOKEN).unwrap());
    let both = webhook().with_secret(TOKEN).unwrap();
    let status = |read: Result<Delivery, WebhookError>| read.err().map_or(202, |error| error.status());
    for (wanted, receiver, sent, signed) in [
        (202, &token, Some(SECRET), None),
        (202, &token, Some(SECRET), Some(&*key)), // signed as well, but we do not know the key
        (401, &token, None, Some(&*key)),
        (401, &token, Some("correct horse"), None),
        (401, &token, Some(""), None),
        (401, &token, None, None),
        (202, &signing, None, Some(&*key)),
        (202, &signing, Some("whatever"), Some(&*key)),
        (401, &signing, None, Some(b"another key")),
        // The token that signs is never sent: who sends it has seen it somewhere else.
        (401, &signing, Some(TOKEN), None),
        (401, &signing, None, None),
        (202, &both, Some(SECRET), None),
        (202, &both, None, Some(&*key)),
        // A signature that we can check must be right, whatever else is sent.
        (401, &both, Some(SECRET), Some(b"another key")),
    ] {
        let read = gitlab(sent, signed, receiver);
        assert_eq!(status(read), wanted, "{receiver:?} {sent:?} {}", signed.is_some());
    }
    let error = gitlab(None, None, &signing).unwrap_err();
    assert!(error.to_string().contains("webhook-signature"), "{error}");
    let error = gitlab(None, None, &token).unwrap_err();
    assert!(error.to_string().contains("x-gitlab-token"), "{error}");
}

#[test]
fn secrets_can_be_exchanged() {
    let both = Webhook::new("the new one").unwrap().with_secret(SECRET).unwrap();
    for payload in [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC] {
        let (body, headers) = payload;
        assert!(deliver(&both, headers, body.as_bytes()).is_ok(), "{headers:?}");
        for (secret, proven) in [("the new one", true), ("another", false)] {
            let (name, value) = proof(headers, secret, body.as_bytes());
            let all = headers.iter().copied().chain([(&*name, &*value)]);
            assert_eq!(both.read(all, body.as_bytes()).is_ok(), proven, "{headers:?} {secret}");
        }
    }
}

#[test]
fn names_of_headers_have_no_case() {
    for (body, headers) in [GITHUB, GITLAB, GITEA, CLOUD, DATA_CENTER, GENERIC] {
        let (name, value) = proof(headers, SECRET, body.as_bytes());
        for change in [str::to_uppercase, str::to_lowercase] {
            let headers = headers.iter().map(|(name, value)| (change(name), (*value).to_owned()));
            let all = headers.chain([(change(&name), value.clone())]);
            assert!(webhook().read(all, body.as_bytes()).is_ok(), "{name}");
        }
    }
}

#[test]
fn only_the_wanted_host_is_heard() {
    let only = webhook().with_host(Host::GitLab);
    assert!(deliver(&only, GITLAB.1, GITLAB.0.as_bytes()).is_ok());
    let error = deliver(&only, GITHUB.1, GITHUB.0.as_bytes()).unwrap_err();
    assert_eq!(error, WebhookError::OtherHost { host: Host::GitHub, wanted: Host::GitLab });
    assert_eq!(error.to_string(), "this is a delivery of GitHub, and only those of GitLab are taken");
}
