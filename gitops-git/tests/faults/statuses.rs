//! Answers of HTTP that are none of Git, at each place where one is awaited.

use std::time::Duration;

use gitops_core::{Class, RefSpec, Revision, Source as _};
use gitops_git::Token;

use crate::common::{Behaviour, Repo, Server, cx, fault, http, sync, text};

/// `git:s3cr3t` as basic authentication sends it.
const AUTHORIZATION: &str = "Basic Z2l0OnMzY3IzdA==";

const LATER: Class = Class::Retry { after: Some(Duration::from_secs(17)) };

/// The status, whether it comes with a time to wait, and the class of the error.
const STATUSES: [(&str, bool, Class); 14] = [
    ("401 Unauthorized", false, Class::Denied),
    ("403 Forbidden", false, Class::Denied),
    ("403 Rate limit exceeded", true, LATER),
    ("404 Not Found", false, Class::NotFound),
    ("410 Gone", false, Class::NotFound),
    ("408 Request Timeout", false, Class::RETRY),
    ("429 Too Many Requests", true, LATER),
    ("429 Too Many Requests", false, Class::RETRY),
    ("500 Internal Server Error", false, Class::RETRY),
    ("502 Bad Gateway", false, Class::RETRY),
    ("503 Service Unavailable", true, LATER),
    ("503 Service Unavailable", false, Class::RETRY),
    ("504 Gateway Timeout", false, Class::RETRY),
    ("302 Found", false, Class::Invalid),
];

/// Both places of a conversation. The second is asked for references, and for packs.
const PLACES: [&str; 2] = ["/info/refs", "/git-upload-pack"];

#[tokio::test]
async fn each_status_at_each_place_costs_nothing_that_is_there() {
    let repo = Repo::with(&[("v", "old")]);
    let old = Revision::new(repo.head());
    let server = Server::start(repo.root());
    let other = Server::start(repo.root());
    server.behave(|b| b.authorization = Some(AUTHORIZATION.into()));
    let build = |name: &str| {
        let mirrors = repo.root().join(name);
        http(&server.url(), &mirrors)
            .with_credentials(Token::new("s3cr3t"))
            .with_branch("main")
            .build()
            .unwrap()
    };
    let source = build("mirror");
    sync(&source).await.unwrap();
    repo.commit("new", &[("v", "new")]);
    let new = Revision::new(repo.head());
    for place in PLACES {
        for (status, waits, class) in STATUSES {
            let mut headers = vec![("Location", format!("{}{place}", other.url()))];
            headers.extend(waits.then(|| ("Retry-After", "17".to_owned())));
            server.behave(|b| (b.status, b.status_at) = (Some((status, headers)), Some(place.into())));
            let clone = build("clone");
            for failed in [
                source.resolve(&cx(), &RefSpec::Default).await.map(drop),
                source.fetch(&cx(), &new).await.map(drop),
                clone.fetch(&cx(), &new).await.map(drop),
            ] {
                let fault = fault(failed);
                assert_eq!(fault.class, class, "{status} at {place}: {fault}");
                assert!(!fault.to_string().contains("s3cr3t"), "{fault}");
            }
            let found = source.fetch(&cx(), &old).await.unwrap();
            assert_eq!(text(&*found, "v"), "old", "{status} at {place}");
        }
    }
    assert_eq!(other.take_requests().len(), 0, "nobody else was asked anything");
    // Also by a process that starts meanwhile.
    drop(source);
    let source = build("mirror");
    assert_eq!(text(&*source.fetch(&cx(), &old).await.unwrap(), "v"), "old");
    server.behave(|b| {
        *b = Behaviour { authorization: Some(AUTHORIZATION.into()), ..Behaviour::default() };
    });
    assert_eq!(text(&*sync(&source).await.unwrap(), "v"), "new");
}
