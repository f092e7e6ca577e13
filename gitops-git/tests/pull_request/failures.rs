//! What hosts answer when they do not do what they are asked for.

use std::time::{Duration, Instant};

use gitops_core::{Class, Cx, Timestamp};
use gitops_git::Token;
use gitops_git::pull_request::{Gitea, PullRequest, PullRequestError, PullRequests as _};

use super::common::cgi::{Answer, answer_of};
use super::common::forge::{Kind, TOKEN, Trouble, says};
use super::common::server::Reply;
use super::common::{cx, fault};
use super::{KINDS, Stage, error, wanted};

fn with(mut answer: Answer, headers: &[(&str, &str)]) -> Answer {
    answer.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    answer
}

#[tokio::test]
async fn what_hosts_answer_is_told_apart() {
    let after = |seconds| Class::Retry { after: Some(Duration::from_secs(seconds)) };
    let reset = (Timestamp::now().as_second() + 3600).to_string();
    let limited = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", &*reset)];
    let cases = [
        (says("401 Unauthorized", "Bad credentials"), Class::Denied, "Bad credentials"),
        (says("403 Forbidden", "Resource not accessible"), Class::Denied, "write pull requests"),
        (says("403 Forbidden", "secondary rate limit"), after(60), "secondary"),
        (with(says("403 Forbidden", "slow"), &[("Retry-After", "30")]), after(30), "403"),
        (says("404 Not Found", "Not Found"), Class::NotFound, "no rights to see it"),
        (says("409 Conflict", "locked"), Class::Invalid, "locked"),
        (says("422 Unprocessable", "No commits\nbetween"), Class::Invalid, "No commits between"),
        (says("423 Locked", "archived"), Class::Denied, "archived"),
        (with(says("429 Slow down", ""), &[("Retry-After", "7")]), after(7), "429"),
        (says("500 Oops", "panic"), Class::RETRY, "panic"),
        (with(says("503 Later", ""), &[("Retry-After", "9")]), after(9), "503"),
        (answer_of("502 Bad", &[], "<html>s3cr3t"), Class::RETRY, "HTTP status 502"),
        (answer_of("200 OK", &[], "<html>s3cr3t"), Class::Invalid, "no such JSON"),
        (answer_of("200 OK", &[], r#"[{"number":1,"#), Class::RETRY, "ends in the middle"),
        (answer_of("200 OK", &[], r#"[{"number":"s3cr3t"}]"#), Class::Invalid, "no such JSON"),
        (answer_of("200 OK", &[], vec![b' '; 33 << 20]), Class::Invalid, "more than"),
        (answer_of("418 Tea", &[], vec![b'x'; 1 << 20]), Class::Invalid, "418"),
    ];
    for kind in KINDS {
        let stage = Stage::new(kind);
        for (answer, class, says) in &cases {
            stage.forge.once("GET", "/pulls", Trouble::Instead(Reply::Whole(answer.clone())));
            let fault = fault(stage.open(&wanted()).await);
            assert_eq!(fault.class, *class, "{}: {fault}", answer.status);
            let said = format!("{fault} {fault:?}");
            assert!(said.contains(says) && !said.contains("s3cr3t"), "{kind:?}: {said}");
            assert!(fault.to_string().contains("update-shop of platform/config"), "{fault}");
        }
        stage.forge.once("GET", "/pulls", Trouble::Instead(Reply::Whole(with(says("403 No", ""), &limited))));
        let fault = fault(stage.open(&wanted()).await);
        let wait = fault.class.retry_after().unwrap().as_secs();
        assert!((3500..=3600).contains(&wait), "{fault:?}");
        assert_eq!(stage.forge.open("update-shop", "main").len(), 0);
    }
}

/// The same is told of requests that open, change or label.
#[tokio::test]
async fn each_request_may_be_refused() {
    for kind in KINDS {
        for (method, part) in [("POST", "/pulls"), ("PATCH", "/pulls/"), ("POST", "/labels")] {
            let stage = Stage::new(kind);
            if method == "PATCH" {
                stage.open(&PullRequest::new("old", "update-shop", "main")).await.unwrap();
            }
            let answers = [
                ("403 Forbidden", Class::Denied),
                ("404 Not Found", Class::NotFound),
                ("422 No", Class::Invalid),
                ("500 Oops", Class::RETRY),
            ];
            for (status, class) in answers {
                stage.forge.once(method, part, Trouble::Instead(Reply::Whole(says(status, "because"))));
                let fault = fault(stage.open(&wanted()).await);
                assert_eq!(fault.class, class, "{kind:?} {method} {part}: {fault}");
                assert!(fault.to_string().contains("because"), "{fault}");
            }
            // Whatever is missing is done by the next call.
            stage.open(&wanted()).await.unwrap();
            let [there] = &*stage.forge.open("update-shop", "main") else { panic!("{kind:?} {method}") };
            assert_eq!((&*there.title, there.labels.len()), ("shop: web 1.8.2", 2));
        }
    }
}

#[tokio::test]
async fn what_the_host_says_of_a_refusal_is_told() {
    let stage = Stage::new(Kind::GitHub);
    let nothing = PullRequest::new("t", "nothing", "main");
    let refused = fault(stage.open(&nothing).await);
    assert_eq!(refused.class, Class::Invalid);
    assert!(matches!(error(&refused), PullRequestError::Refused { .. }));
    let said = "Validation Failed: No commits between main and nothing";
    assert!(refused.to_string().contains(said), "{refused}");

    let stage = Stage::new(Kind::Gitea);
    let refused = fault(stage.open(&nothing).await);
    assert_eq!(refused.class, Class::NotFound);
    assert!(refused.to_string().contains("the target couldn't be found"), "{refused}");

    // A page that nobody should follow, and nothing that steers a terminal.
    let page = r#"[{"number":1,"html_url":"javascript:alert(1)","state":"open","title":"t","body":null,"labels":[],"head":{"ref":"b","repo":{"full_name":"platform/config"}},"base":{"ref":"main","repo":null}}]"#;
    stage.forge.once("GET", "/pulls", Trouble::Instead(Reply::Whole(answer_of("200 OK", &[], page))));
    let refused = fault(stage.open(&PullRequest::new("t", "b", "main")).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
}

#[tokio::test]
async fn what_could_not_be_opened_is_not_asked_for() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        for bad in [PullRequest::new("", "b", "main"), PullRequest::new("t", "a..b", "main")] {
            assert_eq!(fault(stage.open(&bad).await).class, Class::Invalid);
        }
        assert_eq!(stage.requests().len(), 0);
    }
}

#[tokio::test]
async fn every_wait_ends() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let silent = |_: &super::common::server::Request| Some(Trouble::Instead(Reply::Silence));
        stage.forge.plan(silent);
        let start = Instant::now();
        let host = stage.host_with(Token::new(TOKEN), Duration::from_millis(200));
        assert_eq!(fault(host.open_or_update(&cx(), &wanted()).await).class, Class::RETRY);

        let host = stage.host();
        let short = Cx::with_timeout(Duration::from_millis(200));
        assert_eq!(fault(host.open_or_update(&short, &wanted()).await).class, Class::RETRY);

        let context = cx();
        let cancel = context.cancel.clone();
        let asking = tokio::spawn(async move { host.open_or_update(&context, &wanted()).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
        assert_eq!(fault(asking.await.unwrap()).class, Class::Cancelled);
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder = Gitea::builder(format!("http://127.0.0.1:{nobody}/o/r"));
    super::common::provider();
    let host = builder.allow_http().allow_loopback().build().unwrap();
    assert_eq!(fault(host.open_or_update(&cx(), &wanted()).await).class, Class::RETRY);
}
