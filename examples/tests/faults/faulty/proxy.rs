//! A proxy before the API server that counts requests, and that can be told to misbehave.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt as _, stream};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the proxy does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Hands them on.
    Pass,
    /// Hands them on until this one, which is the client's last.
    CrashAt(Point),
    /// Nothing is sent any more, and no answer arrives: connections are cut, and new ones are cut too.
    Dead,
    /// Nothing moves in either direction. Connections stay, and new ones are accepted.
    Stalled,
    /// Answers all requests with 429 and a time to wait, in seconds; open watches go on.
    Busy(u64),
}

/// When the client dies. Requests are counted from 1, those that write and those that read each by themselves: the
/// watches read at any time, so that only so a number always means the same write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Before it sends this read. To lose the answer would be the same, to everybody.
    Read(usize),
    /// Before it sends this write.
    BeforeWrite(usize),
    /// After this write took effect, and before its answer arrives.
    AfterWrite(usize),
}

/// A request that a client has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) uri: String,
}

impl Sent {
    pub(crate) fn is_write(&self) -> bool {
        self.method != Method::GET
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }
}

/// A proxy that is asked in the clear, and asks the API server with a client's credentials. It ends when it is dropped.
pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    client: Mutex<kube::Client>,
    mode: watch::Sender<Mode>,
    sent: Mutex<Vec<Sent>>,
    /// How many requests are with the API server.
    underway: watch::Sender<usize>,
}

/// A connection that ends in the middle.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was cut")
    }
}

impl std::error::Error for Cut {}

impl Proxy {
    pub(crate) async fn start(client: kube::Client, mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            client: Mutex::new(client),
            mode: watch::Sender::new(mode),
            sent: Mutex::default(),
            underway: watch::Sender::new(0),
        });
        let serving = tokio::spawn(accept(listener, shared.clone()));
        Self { url, shared, serving }
    }

    /// Where clients find it.
    pub(crate) fn config(&self) -> kube::Config {
        kube::Config::new(self.url.parse().unwrap())
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Asks the API server with other credentials from now on.
    pub(crate) fn become_client(&self, client: kube::Client) {
        *self.shared.client.lock().unwrap() = client;
    }

    /// All requests so far, also those that were not handed on.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.sent.lock().unwrap().len()
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.shared.mode.borrow() == Mode::Dead
    }

    /// Waits until the client is dead.
    pub(crate) async fn crashed(&self) {
        let mut mode = self.shared.mode.subscribe();
        mode.wait_for(|mode| *mode == Mode::Dead).await.unwrap();
    }

    /// Lets nothing more pass, and waits until what was handed on has been answered.
    pub(crate) async fn bury(self) {
        self.set(Mode::Dead);
        self.shared.underway.subscribe().wait_for(|requests| *requests == 0).await.unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and so are all connections.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(converse(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let answer = |request| answer(request, shared.clone());
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    // That a client goes, or that we cut it off, is no error here.
    let _ = connection.await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Answer>, Cut> {
    let arrived = shared.note(&request);
    let mode = shared.moving().await?;
    let point = match mode {
        Mode::CrashAt(point) => Some(point),
        _ => None,
    };
    match mode {
        Mode::Dead => return Err(Cut),
        Mode::Busy(seconds) => return Ok(busy(seconds)),
        _ => {}
    }
    if point.is_some_and(|point| point == arrived) && !matches!(point, Some(Point::AfterWrite(_))) {
        shared.mode.send_replace(Mode::Dead);
        return Err(Cut);
    }
    let is_last =
        matches!((point, arrived), (Some(Point::AfterWrite(last)), Point::BeforeWrite(n)) if last == n);
    // Counted from here on, so that nobody who waits for the end overlooks it; and in a task of its own, so that a client
    // that goes does not take back what it has sent.
    shared.underway.send_modify(|requests| *requests += 1);
    let asked = tokio::spawn(ask(request, shared.clone())).await.map_err(|_| Cut)?;
    if is_last {
        shared.mode.send_replace(Mode::Dead);
    }
    if shared.moving().await? == Mode::Dead { Err(Cut) } else { asked }
}

async fn ask(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Answer>, Cut> {
    let client = shared.client.lock().unwrap().clone();
    let asked = async {
        let (mut parts, body) = request.into_parts();
        // The client that asks fills in its own.
        parts.headers.remove(hyper::header::HOST);
        let body = collect(body).await?;
        let answer = client.send(Request::from_parts(parts, body.into())).await.map_err(|_| Cut)?;
        let (mut parts, body) = answer.into_parts();
        for header in [hyper::header::TRANSFER_ENCODING, hyper::header::CONNECTION] {
            parts.headers.remove(header);
        }
        Ok(Response::from_parts(parts, Answer::of(body, &shared)))
    };
    let asked = asked.await;
    shared.underway.send_modify(|requests| *requests -= 1);
    asked
}

impl Shared {
    /// Takes note of a request, and answers with its place.
    fn note(&self, request: &Request<Incoming>) -> Point {
        let new = Sent { method: request.method().clone(), uri: request.uri().to_string() };
        let is_write = new.is_write();
        let mut sent = self.sent.lock().unwrap();
        sent.push(new);
        let number = sent.iter().filter(|sent| sent.is_write() == is_write).count();
        if is_write { Point::BeforeWrite(number) } else { Point::Read(number) }
    }

    /// The mode, once it is not stalled.
    async fn moving(&self) -> Result<Mode, Cut> {
        let mut mode = self.mode.subscribe();
        let mode = mode.wait_for(|mode| *mode != Mode::Stalled).await.map_err(|_| Cut)?;
        Ok(*mode)
    }
}

fn busy(seconds: u64) -> Response<Answer> {
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429,
        "reason": "TooManyRequests", "message": "too many requests, please try again later",
        "details": {"retryAfterSeconds": seconds}});
    let body = stream::iter([Ok(Frame::data(Bytes::from(status.to_string())))]);
    let mut answer = Response::new(Answer(body.boxed()));
    *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = answer.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers.insert(hyper::header::RETRY_AFTER, seconds.into());
    answer
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, Cut> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend(frame.map_err(|_| Cut)?.into_data().map_err(|_| Cut)?);
    }
    Ok(bytes)
}

/// The body of an answer, which stands still while the proxy is stalled.
struct Answer(Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Cut>> + Send>>);

impl Answer {
    fn of(body: kube::client::Body, shared: &Shared) -> Self {
        let start = (body, shared.mode.subscribe());
        let frames = stream::unfold(start, |(mut body, mut mode)| async move {
            let mut dead = mode.clone();
            let frame = tokio::select! {
                biased;
                _ = dead.wait_for(|mode| *mode == Mode::Dead) => Some(Err(Cut)),
                frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => frame.map(|frame| frame.map_err(|_| Cut)),
            };
            let moves = mode.wait_for(|mode| *mode != Mode::Stalled).await.is_ok();
            Some((frame.filter(|_| moves)?, (body, mode)))
        });
        Self(frames.boxed())
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.0.poll_next_unpin(cx)
    }
}
