//! Slow registries, and work that is no longer wanted.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gitops_core::{Class, Cx};
use gitops_image::{RegistryError, TagSource as _};
use tokio::net::TcpListener;

use crate::common::raw::{Raw, Script};
use crate::common::{client, cx, error, plain, repository};

fn slow(head: &str, more: &str, pause: Duration) -> Script {
    Script { head: head.into(), then: Some((more.into(), pause)) }
}

const FOR_EVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn silence_ends_before_the_deadline() {
    for script in [
        slow("", "", FOR_EVER),
        slow("HTTP/1.1 200 OK\r\n", "", FOR_EVER),
        slow("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"tags\":[", "", FOR_EVER),
    ] {
        let server = Raw::start(script).await;
        let client = plain(&server.host()).with_max_silence(Duration::from_millis(150)).build().unwrap();
        let begin = Instant::now();
        let (fault, silent) = error(client.tags(&cx(), &repository(&server.host())).await);
        assert!(matches!(silent, RegistryError::Silent { .. }), "{fault}");
        assert_eq!(fault.class, Class::RETRY);
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}

/// A server that sends a byte now and then is never silent.
#[tokio::test]
async fn the_deadline_bounds_the_whole() {
    let server = Raw::start(slow("HTTP/1.1 200 OK\r\n\r\n", " ", Duration::from_millis(20))).await;
    let client = plain(&server.host()).build().unwrap();
    let begin = Instant::now();
    let cx = Cx::with_timeout(Duration::from_millis(300));
    let (fault, late) = error(client.tags(&cx, &repository(&server.host())).await);
    assert!(matches!(late, RegistryError::Deadline) && fault.class == Class::RETRY, "{fault}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(cx.requests(), 1);
}

#[tokio::test]
async fn tls_that_never_begins_is_silence_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let client = client().with_max_silence(Duration::from_millis(150)).build().unwrap();
    let (fault, _) = error(client.tags(&cx(), &repository(&host)).await);
    assert_eq!(fault.class, Class::RETRY, "{fault}");
}

#[tokio::test]
async fn what_is_cancelled_ends_at_once() {
    let server = Raw::start(slow("", "", FOR_EVER)).await;
    let client = plain(&server.host()).build().unwrap();
    let (cx, web) = (cx(), repository(&server.host()));
    let stop = async {
        while server.asked.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cx.cancel.cancel();
    };
    let begin = Instant::now();
    let (asked, ()) = tokio::join!(client.tags(&cx, &web), stop);
    let (fault, stopped) = error(asked);
    assert!(matches!(stopped, RegistryError::Cancelled) && fault.class == Class::Cancelled, "{fault}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    // Nothing is asked after that.
    assert_eq!(client.tags(&cx, &web).await.unwrap_err().class, Class::Cancelled);
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_there_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (fault, gone) = error(plain(&host).build().unwrap().tags(&cx(), &repository(&host)).await);
    assert!(matches!(gone, RegistryError::Unreachable { .. }) && fault.class == Class::RETRY, "{fault}");
}
