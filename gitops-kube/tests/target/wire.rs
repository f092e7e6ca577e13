//! A connection to the API server that can be told to misbehave.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use gitops_core::testing::target::Trouble;
use http::{Method, Request, Response};
use http_body::Frame;
use kube::client::Body;
use tokio::sync::watch;
use tower_test::mock::{SendResponse, pair};

/// What is wrong with all connections of one harness.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    trouble: Arc<Mutex<Option<Trouble>>>,
    requests: Arc<AtomicU64>,
    watches_down: watch::Sender<bool>,
}

impl Weather {
    pub(crate) fn calm() -> Self {
        Self { trouble: Arc::default(), requests: Arc::default(), watches_down: watch::Sender::new(false) }
    }

    pub(crate) fn set(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap() = trouble;
        self.watches_down.send_replace(trouble == Some(Trouble::WatchesDown));
    }

    /// The requests so far, without those for watches.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// A client whose requests go through this weather, and then to `client`.
    pub(crate) fn over(&self, client: kube::Client) -> kube::Client {
        let (service, mut handle) = pair::<Request<Body>, Response<Watched>>();
        let weather = self.clone();
        tokio::spawn(async move {
            while let Some((request, send)) = handle.next_request().await {
                tokio::spawn(weather.clone().forward(client.clone(), request, send));
            }
        });
        kube::Client::new(service, "default")
    }

    async fn forward(
        self,
        client: kube::Client,
        mut request: Request<Body>,
        send: SendResponse<Response<Watched>>,
    ) {
        let is_watch = request.uri().query().unwrap_or_default().contains("watch=true");
        let is_write = request.method() != Method::GET;
        // What the suite deploys; records are Secrets.
        let is_object = request.uri().path().contains("/configmaps");
        if !is_watch {
            self.requests.fetch_add(1, Ordering::SeqCst);
        }
        let trouble = *self.trouble.lock().unwrap();
        let lose = trouble == Some(Trouble::AnswersLost) && is_write && is_object;
        match trouble {
            Some(Trouble::Silence) => {
                // Whoever waits for the answer gives up; then there is nobody to send it to.
                let _held = send;
                return std::future::pending().await;
            }
            Some(Trouble::WatchesDown) if is_watch => {
                return send.send_error(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            Some(Trouble::Unreadable) if !is_write && is_object => as_nobody(&mut request),
            Some(Trouble::ReadOnly) if is_write && is_object => as_nobody(&mut request),
            _ => {}
        }
        match client.send(request).await {
            Ok(_) if lose => send.send_error(io::Error::from(io::ErrorKind::ConnectionReset)),
            Ok(response) => {
                let mut down = self.watches_down.subscribe();
                let cut = async move {
                    let _ = down.wait_for(|down| *down).await;
                };
                let cut: Option<Cut> = is_watch.then(|| Box::pin(cut) as Cut);
                send.send_response(response.map(|body| Watched { body, cut }));
            }
            Err(error) => send.send_error(error),
        }
    }
}

/// The API server refuses this by itself: nobody was granted anything.
fn as_nobody(request: &mut Request<Body>) {
    request.headers_mut().insert("impersonate-user", http::HeaderValue::from_static("nobody"));
}

type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer that breaks off when watches go down.
pub(crate) struct Watched {
    body: Body,
    cut: Option<Cut>,
}

impl http_body::Body for Watched {
    type Data = <Body as http_body::Body>::Data;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(cut) = &mut self.cut
            && cut.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset).into())));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
