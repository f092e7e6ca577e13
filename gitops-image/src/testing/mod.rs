//! A registry on loopback, for tests: a real HTTP(S) server with the part of the OCI distribution API that builds push with and
//! deployments read with.
//!
//! It keeps everything in memory, and takes what `docker`, `crane` or `skopeo` push: blobs, in one piece or in several, and manifests
//! by tag or digest. Tags are listed page by page. Access can be for everybody, by user and password, or by tokens of its own token
//! service. Digests are verified, and a manifest whose blobs are missing is refused. What only operators need (garbage collection,
//! referrers, mounts, ranges) is not there.
//!
//! ```
//! use gitops_image::{ImagePolicy, RegistryClient, newest, testing};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//! let registry = testing::Registry::start().await?;
//! registry.push("shop/web", "1.0.0", b"{}")?;
//!
//! let client =
//!     RegistryClient::builder().with_plain_http(registry.host()).allow_loopback().without_proxy().build()?;
//! let (web, policy) = (registry.repository("shop/web")?, ImagePolicy::semver("1.x")?);
//! let cx = gitops_core::Cx::with_timeout(std::time::Duration::from_secs(30));
//! assert_eq!(newest(&cx, &client, &web, &policy, None).await?.to_string(), "1.0.0");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod api;
mod store;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use self::access::Access;
use self::access::Tokens;
use self::store::Store;
use crate::{ImageDigest, InvalidRepository, InvalidTag, Repository, Tag};

/// No blob and no manifest of a test is larger, in bytes.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// A request as it came, without its body.
pub type Request = hyper::Request<()>;

/// An answer.
pub type Reply = hyper::Response<Full<Bytes>>;

/// Answers requests in the place of the registry, if it likes.
pub type Answers = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// A registry on `127.0.0.1`. It ends when this is dropped.
pub struct Registry {
    address: SocketAddr,
    is_tls: bool,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    origin: String,
    access: Access,
    realm: Option<String>,
    store: Mutex<Store>,
    tokens: Mutex<Tokens>,
    requests: Mutex<Vec<Request>>,
    answers: Mutex<Option<Arc<Answers>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings of a [`Registry`].
#[derive(Default)]
#[must_use = "a builder does nothing until start() is called"]
pub struct RegistryBuilder {
    access: Access,
    realm: Option<String>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder").field("access", &self.access).finish_non_exhaustive()
    }
}

impl RegistryBuilder {
    /// Who may read and push.
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sends clients for a token to this URL, in the place of its own token service.
    pub fn with_realm(mut self, url: impl Into<String>) -> Self {
        self.realm = Some(url.into());
        self
    }

    /// Speaks TLS.
    pub fn with_tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Starts it at a free port, in the current runtime.
    pub async fn start(self) -> io::Result<Registry> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let is_tls = self.tls.is_some();
        let scheme = if is_tls { "https" } else { "http" };
        let shared = Arc::new(Shared {
            origin: format!("{scheme}://{address}"),
            access: self.access,
            realm: self.realm,
            store: Mutex::default(),
            tokens: Mutex::default(),
            requests: Mutex::default(),
            answers: Mutex::default(),
        });
        let tls = self.tls.map(TlsAcceptor::from);
        let task = tokio::spawn(accept(listener, tls, shared.clone())).abort_handle();
        Ok(Registry { address, is_tls, shared, task })
    }
}

impl Registry {
    /// Starts one that speaks plain HTTP and serves everybody.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Begins to build one.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// Host and port, as images are named by: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.shared.origin.clone()
    }

    /// One of its repositories.
    pub fn repository(&self, name: &str) -> Result<Repository, InvalidRepository> {
        Repository::parse(&format!("{}/{name}", self.address))
    }

    /// Gives a tag to a manifest without a request and without looking at what it says; a tag that exists is moved.
    pub fn push(&self, name: &str, tag: &str, manifest: &[u8]) -> Result<ImageDigest, InvalidTag> {
        Ok(lock(&self.shared.store).tag(name, Tag::new(tag)?, manifest))
    }

    /// The requests so far; they are forgotten with that.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut lock(&self.shared.requests))
    }

    /// Lets somebody else answer what they like, before the registry does: to try out what clients do with it.
    pub fn answer_with(&self, answers: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        *lock(&self.shared.answers) = Some(Arc::new(answers));
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("address", &self.address)
            .field("is_tls", &self.is_tls)
            .finish_non_exhaustive()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves connections until it is aborted; they end with it.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (shared, tls) = (shared.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                Some(tls) => {
                    // A client that dislikes the certificate goes away before it asks anything.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.reply(request).await) }
    });
    // A connection that breaks is the client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Shared {
    async fn reply(&self, request: hyper::Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return api::error(413, "SIZE_INVALID");
        };
        let head = Request::from_parts(head, ());
        lock(&self.requests).push(head.clone());
        let answers = lock(&self.answers).clone();
        if let Some(reply) = answers.and_then(|answers| answers(&head)) {
            return reply;
        }
        self.answer(&head, &body.to_bytes())
    }

    fn answer(&self, request: &Request, body: &Bytes) -> Reply {
        if request.uri().path() == "/token" {
            return access::grant(&self.access, &mut lock(&self.tokens), request);
        }
        let Some(call) = api::Call::read(request) else { return api::error(404, "UNSUPPORTED") };
        let realm = self.realm.clone().unwrap_or_else(|| format!("{}/token", self.origin));
        let refusal = access::refusal(&self.access, &lock(&self.tokens), request, &call, &realm);
        if let Some(refusal) = refusal {
            return refusal;
        }
        call.carry_out(&mut lock(&self.store), request, body)
    }
}
