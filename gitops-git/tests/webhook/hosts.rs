//! What each host sends becomes one value. The pages of the fields' documentation are named in `gitops_git::webhook`.

use gitops_git::webhook::{Delivery, Host, WebhookError};

use super::*;

/// Reference, before, after: ids by their first digits, `-` where there is none.
fn updates(push: &Push) -> Vec<String> {
    let short = |id: &Option<String>| id.as_ref().map_or("-".to_owned(), |id| id[..4].to_owned());
    let line = |one: &gitops_git::webhook::RefUpdate| {
        format!("{} {} {}", one.reference, short(&one.before), short(&one.after))
    };
    push.updates.iter().map(line).collect()
}

#[test]
fn github_pushes_branches_and_tags_and_deletes() {
    let push = push(GITHUB);
    assert_eq!((push.host, push.repository.name.as_deref()), (Host::GitHub, Some("Platform/Config")));
    assert_eq!(
        push.repository.urls,
        [
            "https://github.com/Platform/Config.git",
            "git@github.com:Platform/Config.git",
            "https://github.com/Platform/Config"
        ]
    );
    assert_eq!(push.updates[0].after.as_deref(), Some("f0ea9a5b6c0d4e8a9d1d9f6c3f2b1a0987654321"));
    assert_eq!(updates(&push), ["refs/heads/main 6113 f0ea"]);
    let tag = super::push((include_str!("payloads/github-tag.json"), &GITHUB_PUSH));
    assert_eq!(updates(&tag), ["refs/tags/v1.4.2 - 9c11"]);
    let gone = super::push((include_str!("payloads/github-delete.json"), &GITHUB_PUSH));
    assert_eq!(updates(&gone), ["refs/heads/feat/old 6113 -"]);
}

#[test]
fn gitlab_pushes_tags_and_tells_of_the_whole_instance() {
    let push = push(GITLAB);
    assert_eq!((push.host, push.repository.name.as_deref()), (Host::GitLab, Some("platform/team/config")));
    assert_eq!(push.repository.urls[1], "git@gitlab.example:platform/team/config.git");
    assert_eq!(updates(&push), ["refs/heads/main 9579 da15"]);
    let tag: &[_] = &[("X-Gitlab-Event", "Tag Push Hook")];
    let gone = super::push((include_str!("payloads/gitlab-tag-deleted.json"), tag));
    assert_eq!(updates(&gone), ["refs/tags/v1.0.0 82b3 -"]);
    let system: &[_] = &[("X-Gitlab-Event", "System Hook")];
    let both = super::push((include_str!("payloads/gitlab-system.json"), system));
    assert_eq!(updates(&both), ["refs/heads/main 8205 4045", "refs/tags/v2 - 4045"]);
    assert_eq!(both.repository.urls.len(), 3);
    assert_eq!(updates(&super::push((GITLAB.0, system))), ["refs/heads/main 9579 da15"]);
    let project = br#"{"event_name": "project_create", "changes": {"name": "x"}, "ref": 7}"#;
    let other = deliver(&webhook(), system, project).unwrap();
    assert_eq!(other, Delivery::Other { event: "System Hook".into() });
}

#[test]
fn gitea_and_forgejo_push() {
    let push = push(GITEA);
    assert_eq!((push.host, push.repository.name.as_deref()), (Host::Gitea, Some("platform/config")));
    assert_eq!(updates(&push), ["refs/heads/main 28e1 bffe"]);
    let body = GITEA.0.as_bytes();
    let signature = hmac(SECRET, body);
    let forgejo = [
        ("X-GitHub-Event", "push"),
        ("X-Gitea-Event", "push"),
        ("X-Forgejo-Event", "push"),
        ("X-Forgejo-Signature", &*signature),
        ("X-Gitea-Signature", "not looked at"),
    ];
    assert_eq!(webhook().read(forgejo, body), Ok(Delivery::Push(push)));
}

#[test]
fn bitbucket_cloud_pushes_several_references_at_once() {
    let push = push(CLOUD);
    assert_eq!((push.host, push.repository.name.as_deref()), (Host::Bitbucket, Some("platform/config")));
    assert_eq!(push.repository.urls, ["https://bitbucket.org/platform/config"]);
    let all = ["refs/heads/main 1e65 709d", "refs/tags/v1.4.2 - 709d", "refs/heads/feat/old 1e65 -"];
    assert_eq!(updates(&push), all);
}

#[test]
fn bitbucket_data_center_pushes_with_addresses_and_without() {
    let push = push(DATA_CENTER);
    assert_eq!((push.host, push.repository.name.as_deref()), (Host::Bitbucket, Some("PLAT/config")));
    assert_eq!(push.repository.urls[1], "https://bitbucket.example/scm/plat/config.git");
    assert_eq!(updates(&push), ["refs/heads/main ecdd 1788", "refs/tags/v1 ecdd -"]);
    let mut body: serde_json::Value = serde_json::from_str(DATA_CENTER.0).unwrap();
    body["repository"].as_object_mut().unwrap().remove("links");
    let bare = super::push((&body.to_string(), DATA_CENTER.1));
    assert_eq!((bare.repository.urls.len(), bare.repository.name.as_deref()), (0, Some("PLAT/config")));
}

#[test]
fn anybody_else_says_what_there_is_to_say() {
    let push = push(GENERIC);
    assert_eq!((push.host, push.repository.urls[0].as_str()), (Host::Generic, "https://git.example/config"));
    assert_eq!(updates(&push), ["refs/heads/main - -"]);
    let all = super::push((r#"{"repository": "file:///srv/git/config.git"}"#, &[]));
    assert!(all.updates.is_empty());
    let url = "https://job:s3cr3t@git.example/config.git";
    let job = super::push((&serde_json::json!({"repository": url}).to_string(), &[]));
    assert_eq!(job.repository.urls, ["https://git.example/config.git"], "credentials are nobody's business");
}

#[test]
fn what_is_no_push_is_an_answer_of_its_own() {
    for (event, ping) in [
        (("X-GitHub-Event", "ping"), true),
        (("X-Event-Key", "diagnostics:ping"), true),
        (("X-GitHub-Event", "issues"), false),
        (("X-Gitlab-Event", "Merge Request Hook"), false),
        (("X-Event-Key", "pr:opened"), false),
        (("X-Gitea-Event", "delete"), false),
    ] {
        let wanted = if ping { Delivery::Ping } else { Delivery::Other { event: event.1.to_owned() } };
        // Not even JSON: it is not read.
        assert_eq!(deliver(&webhook(), &[event], b"zen"), Ok(wanted), "{event:?}");
    }
    let long = "x\u{1b}[2J".repeat(100);
    let Ok(Delivery::Other { event }) = deliver(&webhook(), &[("X-GitHub-Event", &long)], b"{}") else {
        panic!()
    };
    assert!(event.chars().count() == 100 && !event.contains(char::is_control), "{event}");
}

#[test]
fn what_cannot_be_told_may_be_any_reference() {
    let none = CLOUD.0.split("\"push\"").next().unwrap().to_owned() + "\"push\": {\"changes\": []}}";
    assert!(super::push((&none, CLOUD.1)).updates.is_empty());
}

#[test]
fn what_is_missing_or_wrong_is_named_and_not_repeated() {
    let field = |body: &str| match deliver(&webhook(), &GITHUB_PUSH, body.as_bytes()) {
        Err(WebhookError::InvalidField { field, .. }) => field,
        other => panic!("{body}: {other:?}"),
    };
    let url = r#""repository": {"clone_url": "https://git.example/config"}"#;
    assert_eq!(field("{}"), "ref");
    assert_eq!(field(r#"{"ref": "refs/heads/main"}"#), "repository");
    assert_eq!(field(r#"{"ref": "refs/heads/main", "repository": {"clone_url": "ext::sh"}}"#), "repository");
    for bad in ["main", "refs/heads/a b", "refs/heads/../x", "refs/heads/a\\n", ""] {
        assert_eq!(field(&format!(r#"{{"ref": "{bad}", {url}}}"#)), "ref");
    }
    for bad in ["1234567", "z234567890abcdef1234567890abcdef12345678", "../../etc/passwd"] {
        assert_eq!(field(&format!(r#"{{"ref": "refs/heads/main", "after": "{bad}", {url}}}"#)), "after");
    }
    for (line, body) in [(1, "{\"ref\": \"s3cr3t"), (2, "{\n\"ref\": [\"s3cr3t\"]}"), (1, "s3cr3t"), (1, "")]
    {
        let error = deliver(&webhook(), &GITHUB_PUSH, body.as_bytes()).unwrap_err();
        assert!(matches!(&error, WebhookError::Malformed { line: at, .. } if *at == line), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        assert_eq!(error.status(), 400);
    }
}

#[test]
fn the_headers_of_the_http_crate_are_taken_as_they_are() {
    let body = GITHUB.0.as_bytes();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-github-event", http::HeaderValue::from_static("push"));
    let signature = format!("sha256={}", hmac(SECRET, body));
    headers.insert("x-hub-signature-256", signature.parse().unwrap());
    assert!(matches!(webhook().read(&headers, body), Ok(Delivery::Push(_))));
}
