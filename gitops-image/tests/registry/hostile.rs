//! Answers that no registry gives.

use std::time::Duration;

use gitops_core::Class;
use gitops_image::{RegistryError, TagSource as _};

use crate::common::raw::{Raw, Script};
use crate::common::{cx, error, plain, repository, tag, tags_at};

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn what_is_no_list_of_tags_is_refused() {
    let deep = format!(r#"{{"tags":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "<html>Log in</html>",
        "null",
        "[]",
        r#""tags""#,
        r#"{"tags":"1"}"#,
        r#"{"tags":{"1":2}}"#,
        r#"{"tags":[1]}"#,
        r#"{"tags":["1"]"#,
        r#"{"tags":["\ud800"]}"#,
        &deep,
        // Names that would break the file that they are written into.
        r#"{"tags":["1.0.0\n  privileged: true"]}"#,
        r#"{"tags":["1.0.0","1.0.0 # x"]}"#,
        r#"{"tags":["../../etc"]}"#,
        r#"{"tags":[""]}"#,
    ] {
        let server = Raw::sending(ok(body)).await;
        let (fault, refused) = error(tags_at(&plain(&server.host()).build().unwrap(), &server.host()).await);
        assert!(matches!(refused, RegistryError::NotARegistry { .. }), "{body:.40}: {refused:?}");
        assert_eq!(fault.class, Class::Invalid);
    }
    let bytes = "\u{1}\u{2}garbage\r\n\r\n";
    let server = Raw::sending(bytes).await;
    let (fault, broken) = error(tags_at(&plain(&server.host()).build().unwrap(), &server.host()).await);
    assert!(matches!(broken, RegistryError::Unreachable { .. }), "{fault}");
}

#[tokio::test]
async fn an_answer_that_ends_too_soon_may_pass() {
    for sent in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"tags\":[\"1\"]}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{\"tags\":[\"1\"]}\r\n",
    ] {
        let server = Raw::sending(sent).await;
        let (fault, broken) = error(tags_at(&plain(&server.host()).build().unwrap(), &server.host()).await);
        assert!(matches!(broken, RegistryError::Unreachable { .. }), "{sent:?}: {fault}");
        assert_eq!(fault.class, Class::RETRY);
    }
}

/// A body without an end is read up to the limit, and heads that never end are the HTTP library's to stop.
#[tokio::test]
async fn answers_without_an_end_are_cut_off() {
    for (head, more) in [
        ("HTTP/1.1 200 OK\r\n\r\n{\"tags\":[", "\"1\",".repeat(10_000)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{\"tags\":[", "\"1\",".repeat(10_000)),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 99999999999\r\n\r\n", "x".repeat(40_000)),
    ] {
        let then = Some((more, Duration::ZERO));
        let server = Raw::start(Script { head: head.into(), then }).await;
        let client = plain(&server.host()).with_max_answer_bytes(1 << 20).build().unwrap();
        let (fault, long) = error(tags_at(&client, &server.host()).await);
        assert!(matches!(long, RegistryError::AnswerTooLong { limit: 1_048_576 }), "{head}: {fault}");
    }
    let head = "HTTP/1.1 200 OK\r\n".to_owned();
    let then = Some((format!("X-Pad: {}\r\n", "x".repeat(10_000)), Duration::ZERO));
    let server = Raw::start(Script { head, then }).await;
    let (fault, _) = error(tags_at(&plain(&server.host()).build().unwrap(), &server.host()).await);
    assert_eq!(fault.class, Class::RETRY, "{fault}");
}

#[tokio::test]
async fn what_is_no_digest_is_refused() {
    for header in
        ["sha256:short", "md5:900150983cd24fb0d6963f7d28e17f72", "sha256:x\u{7f}", "latest@sha256:0", ""]
    {
        let server = Raw::sending(format!(
            "HTTP/1.1 200 OK\r\nDocker-Content-Digest: {header}\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        let client = plain(&server.host()).build().unwrap();
        let (fault, refused) = error(client.digest(&cx(), &repository(&server.host()), &tag("1")).await);
        let is_refused = matches!(refused, RegistryError::NotARegistry { .. });
        // Some bytes are no header at all.
        assert!(is_refused || matches!(refused, RegistryError::Unreachable { .. }), "{header}: {fault}");
    }
}
