//! `gitops run --webhook`: a small HTTP server that hears of pushes, and has the application polled at once.
//!
//! It speaks plain HTTP: put it behind whatever ends TLS for you. Everything about it has a limit, because anybody can reach
//! it: the connections, the time that one may take, the bytes of a request.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gitops_core::Handle;
use gitops_git::webhook::{Delivery, Webhook, WebhookError};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// No secret is longer.
const MAX_SECRET_BYTES: u64 = 64 * 1024;
/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What the server allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at a time; more wait.
    pub(crate) connections: usize,
    /// How long one may take, from its first byte to the last of the answer.
    pub(crate) time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 16, time: Duration::from_secs(10) }
    }
}

/// What knows the secrets of these files: of each its content, without white space around it.
pub(crate) fn with_secrets(files: &[PathBuf]) -> anyhow::Result<Webhook> {
    let (first, more) = files.split_first().context("a webhook needs a --webhook-secret-file")?;
    let webhook = Webhook::new(read_secret(first)?).with_context(|| first.display().to_string())?;
    more.iter().try_fold(webhook, |webhook, file| {
        webhook.with_secret(read_secret(file)?).with_context(|| file.display().to_string())
    })
}

fn read_secret(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut secret = Vec::new();
    let read =
        std::fs::File::open(file).and_then(|file| file.take(MAX_SECRET_BYTES).read_to_end(&mut secret));
    read.with_context(|| format!("the webhook's secret in {} cannot be read", file.display()))?;
    Ok(secret.trim_ascii().to_vec())
}

/// Takes deliveries, until it is dropped; then its connections end too.
pub(crate) async fn serve(
    listener: TcpListener,
    webhook: Webhook,
    handle: Handle,
    limits: Limits,
) -> Infallible {
    let receiver = Arc::new(Receiver { webhook, handle });
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        // Whoever is not accepted waits in the system's queue, and costs nothing here.
        let Ok(place) = room.clone().acquire_owned().await else { continue };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let receiver = receiver.clone();
                connections.spawn(async move {
                    if tokio::time::timeout(limits.time, receiver.converse(stream, peer)).await.is_err() {
                        tracing::warn!(%peer, "a webhook took too long");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // No more file handles, as a rule: there are some when others end.
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Receiver {
    webhook: Webhook,
    handle: Handle,
}

impl Receiver {
    async fn converse(&self, stream: TcpStream, peer: SocketAddr) {
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(self.answer(request, peer).await) });
        let conversation = http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = conversation.await {
            tracing::debug!(%peer, %error, "a connection broke");
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, "webhooks are delivered with POST");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return refusal;
        }
        match self.hear(request).await {
            Ok(heard) => {
                tracing::info!(%peer, %heard, "a webhook was delivered");
                response(StatusCode::ACCEPTED, &heard)
            }
            Err(Refusal { status, why }) => {
                tracing::warn!(%peer, %why, "a webhook was refused");
                response(status, &why)
            }
        }
    }

    async fn hear(&self, request: Request<Incoming>) -> Result<String, Refusal> {
        let (head, body) = request.into_parts();
        let limit = self.webhook.max_bytes();
        // What is announced as too large need not come at all.
        if usize::try_from(body.size_hint().lower()).map_or(true, |bytes| bytes > limit) {
            return Err(WebhookError::TooLarge { limit }.into());
        }
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(WebhookError::TooLarge { limit }.into());
            }
            Err(_) => {
                return Err(Refusal {
                    status: StatusCode::BAD_REQUEST,
                    why: "the request broke off".to_owned(),
                });
            }
        };
        Ok(match self.webhook.read(&head.headers, &body)? {
            Delivery::Push(push) => {
                let asked = self.handle.refresh_where(|app| push.concerns(app));
                match asked.iter().map(ToString::to_string).collect::<Vec<_>>() {
                    none if none.is_empty() => "no application follows this".to_owned(),
                    apps => format!("looking for news: {}", apps.join(", ")),
                }
            }
            Delivery::Ping => "deliveries arrive, and are signed as they should be".to_owned(),
            Delivery::Other { event } => format!("{event} is no push: nothing to do"),
            _ => "nothing to do".to_owned(),
        })
    }
}

/// Why there is no 2xx.
struct Refusal {
    status: StatusCode,
    why: String,
}

impl From<WebhookError> for Refusal {
    fn from(error: WebhookError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, why: error.to_string() }
    }
}

fn response(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use gitops_core::{Application, MemoryCluster, MemorySource, MemoryTarget, Reconciler};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMITS: Limits = Limits { connections: 2, time: Duration::from_millis(500) };

    /// A server that takes bodies of 100 bytes.
    async fn server() -> SocketAddr {
        let target = MemoryTarget::new(MemoryCluster::new());
        let app = Application::builder("shop", MemorySource::new("config"), target).build().unwrap();
        let reconciler = Reconciler::builder().with_application(app).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let webhook = Webhook::new("secret").unwrap().with_max_bytes(100);
        let handle = reconciler.handle();
        tokio::spawn(async move { serve(listener, webhook, handle, LIMITS).await });
        address
    }

    /// Sends bytes as they are. Returns the first line of the answer; nothing, if there is none.
    async fn send(server: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(server).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    /// A request that only lacks a signature.
    const UNSIGNED: &[u8] =
        b"POST / HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: ping\r\nContent-Length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn what_is_too_large_is_refused_whether_or_not_it_says_so() {
        let server = server().await;
        assert_eq!(send(server, UNSIGNED).await, "HTTP/1.1 401 Unauthorized");
        let announced = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n";
        assert_eq!(send(server, announced).await, "HTTP/1.1 413 Payload Too Large");
        let chunk = format!("3c\r\n{}\r\n", "x".repeat(60));
        let chunks =
            format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}");
        assert_eq!(send(server, chunks.as_bytes()).await, "HTTP/1.1 413 Payload Too Large");
        let head =
            format!("POST / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD_BYTES));
        let refused = send(server, head.as_bytes()).await;
        // The rest is not read, and for that the connection may be reset before we have read the answer.
        assert!(["HTTP/1.1 431 Request Header Fields Too Large", ""].contains(&&*refused), "{refused}");
    }

    #[tokio::test]
    async fn only_http_and_only_post_is_spoken() {
        let server = server().await;
        let get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(send(server, get).await, "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(send(server, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
    }

    #[tokio::test]
    async fn who_sends_nothing_keeps_a_place_only_for_a_while() {
        let server = server().await;
        let begun = Instant::now();
        let mut silent = Vec::new();
        for part in [&b""[..], b"POST", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nslow"] {
            for _ in 0..2 {
                let mut stream = TcpStream::connect(server).await.unwrap();
                stream.write_all(part).await.unwrap();
                silent.push(stream);
            }
        }
        // Six of them, two at a time: their turns end one after another, and then it is ours.
        assert_eq!(send(server, UNSIGNED).await, "HTTP/1.1 401 Unauthorized");
        let waited = begun.elapsed();
        assert!(waited > LIMITS.time * 5 / 2, "{waited:?}");
        for mut stream in silent {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{:?}", String::from_utf8_lossy(&answer));
        }
    }

    #[test]
    fn secrets_are_read_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (one, two, empty) = (file("one", "s3cr3t\n"), file("two", " other "), file("empty", "\n"));
        let both = with_secrets(&[one.clone(), two]).unwrap();
        let gitlab = |token: &str| {
            let headers = [("x-gitlab-event", "Job Hook"), ("x-gitlab-token", token)];
            both.read(headers, b"{}").is_ok()
        };
        assert!(gitlab("s3cr3t") && gitlab("other") && !gitlab("s3cr3t\n") && !gitlab("third"));
        for bad in [&[empty.clone()][..], &[one, empty], &[dir.path().join("none")], &[]] {
            let error = format!("{:#}", with_secrets(bad).unwrap_err());
            assert!(error.contains("secret") && !error.contains("s3cr3t"), "{error}");
        }
    }
}
