//! A small HTTP/1.1 server on threads, with Git behind it, that can be told to misbehave.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::acceptor::Acceptor;
use super::cgi::{self, Answer};

/// Whether a request may be answered.
pub type Admits = dyn Fn(&Request) -> bool + Send + Sync;

/// What is done about a request that is not for Git.
pub type Answers = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// What a client gets to see of an answer.
#[derive(Clone)]
pub enum Reply {
    Whole(Answer),
    /// So many bytes of its body; then the connection ends.
    Cut(Answer, usize),
    /// Nothing, and the connection ends.
    Nothing,
    /// Nothing, and the connection stays.
    Silence,
}

/// How the server behaves; the default is well.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// The `Authorization` header that it wants.
    pub authorization: Option<String>,
    /// Says for each request whether it may be answered; if not, the answer is 401.
    pub admits: Option<Arc<Admits>>,
    /// Answers what is not for Git.
    pub answers: Option<Arc<Answers>>,
    /// Says nothing to a request with this in its target, and keeps the connection.
    pub hang_at: Option<String>,
    /// Sends this much of a body, and then no more.
    pub hang_after: Option<usize>,
    /// Answers questions for references with a redirect to this, which gets the rest of the target appended.
    pub redirect: Option<String>,
    /// Speaks the protocol of before 2018, which lists all references at once.
    pub old_protocol: bool,
    /// Answers everything with this status, and these headers.
    pub status: Option<(&'static str, Vec<(&'static str, String)>)>,
    /// Only what has this in its target is answered so.
    pub status_at: Option<String>,
    /// Ends answers with packs after so many lines of Git's protocol, as if that were all.
    pub lines: Option<usize>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

struct Shared {
    root: PathBuf,
    behaviour: Mutex<Behaviour>,
    requests: Mutex<Vec<Request>>,
    sent: AtomicU64,
    sent_heads: AtomicU64,
    stopped: Mutex<bool>,
    wake: Condvar,
    /// How many connections are being kept waiting.
    hanging: Mutex<u64>,
    hung: Condvar,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// Listens at a port, or at a free one for 0: one that the system gives to nobody by itself, so that it is still free when
/// the server is started again.
fn listen(port: u16) -> TcpListener {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if port != 0 {
        return TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
    let first = u64::from(std::process::id()) * 61;
    let mut ports = (0..10_000).map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let bound = ports.find_map(|port| TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).ok());
    bound.expect("a free port")
}

/// The server; it ends when this is dropped.
pub struct Server {
    shared: Arc<Shared>,
    acceptor: Acceptor,
}

impl Server {
    /// Serves the repositories below `root` in the clear.
    pub fn start(root: impl Into<PathBuf>) -> Self {
        Self::new(root.into(), None, 0)
    }

    /// Serves them over TLS.
    pub fn start_tls(root: impl Into<PathBuf>, config: Arc<rustls::ServerConfig>) -> Self {
        Self::new(root.into(), Some(config), 0)
    }

    /// Ends, with whatever it was doing, and starts again at the same port; what it was told about its behaviour is lost
    /// but for the credential that it wants.
    pub fn restart(self, pause: Duration) -> Self {
        let (root, tls, port) = (self.shared.root.clone(), self.shared.tls.clone(), self.port());
        let authorization = self.shared.behaviour.lock().unwrap().authorization.clone();
        drop(self);
        std::thread::sleep(pause);
        let server = Self::new(root, tls, port);
        server.behave(|b| b.authorization = authorization);
        server
    }

    fn new(root: PathBuf, tls: Option<Arc<rustls::ServerConfig>>, port: u16) -> Self {
        let shared = Arc::new(Shared {
            root,
            behaviour: Mutex::default(),
            requests: Mutex::default(),
            sent: AtomicU64::new(0),
            sent_heads: AtomicU64::new(0),
            stopped: Mutex::new(false),
            wake: Condvar::new(),
            hanging: Mutex::new(0),
            hung: Condvar::new(),
            tls,
        });
        let acceptor = Acceptor::new(listen(port), {
            let shared = shared.clone();
            move |stream| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.connection(stream));
            }
        });
        Self { shared, acceptor }
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// The URL of `repo.git`.
    pub fn url(&self) -> String {
        format!("http://{}/repo.git", self.acceptor.address())
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// The requests so far; they are forgotten with that.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// The bytes of bodies that were sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// The same with what comes before the bodies.
    pub fn sent_with_heads(&self) -> u64 {
        self.sent() + self.shared.sent_heads.load(Ordering::SeqCst)
    }

    /// Waits until a request is being kept waiting.
    pub fn wait_until_hanging(&self) {
        let hanging = self.shared.hanging.lock().unwrap();
        let (hanging, timeout) = self
            .shared
            .hung
            .wait_timeout_while(hanging, Duration::from_secs(30), |count| *count == 0)
            .unwrap();
        assert!(!timeout.timed_out() && *hanging > 0, "nobody came");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        match &self.tls {
            None => self.serve(stream),
            Some(config) => {
                let Ok(connection) = rustls::ServerConnection::new(config.clone()) else { return };
                self.serve(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        // A client that dislikes the certificate goes away before it asks anything.
        let Some(request) = read_request(&mut stream) else { return };
        self.requests.lock().unwrap().push(request.clone());
        let behaviour = self.behaviour.lock().unwrap().clone();
        let out = stream.get_mut();
        if behaviour.hang_at.as_ref().is_some_and(|part| request.target.contains(part)) {
            return self.hang();
        }
        let is_meant = behaviour.status_at.as_ref().is_none_or(|part| request.target.contains(part));
        if let Some((status, headers)) = behaviour.status.as_ref().filter(|_| is_meant) {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            return self.respond(out, status, &headers, b"sorry", None);
        }
        if let Some(reply) = behaviour.answers.as_ref().and_then(|answers| answers(&request)) {
            return match reply {
                Reply::Whole(answer) => {
                    self.respond(out, &answer.status, &answer.headers, &answer.body, None);
                }
                Reply::Cut(answer, bytes) => {
                    self.send(out, &answer.status, &answer.headers, &answer.body, bytes);
                }
                Reply::Nothing => {}
                Reply::Silence => self.hang(),
            };
        }
        let wanted = behaviour.authorization.as_deref();
        if wanted.is_some_and(|wanted| request.header("authorization") != Some(wanted))
            || behaviour.admits.as_ref().is_some_and(|admits| !admits(&request))
        {
            let challenge = [("WWW-Authenticate".to_owned(), "Basic realm=\"git\"".to_owned())];
            return self.respond(out, "401 Unauthorized", &challenge, b"no", None);
        }
        if let Some(to) = &behaviour.redirect
            && let Some(tail) = request.target.strip_prefix("/repo.git")
        {
            let location = [("Location".to_owned(), format!("{to}{tail}"))];
            return self.respond(out, "301 Moved Permanently", &location, b"", None);
        }
        let mut request = request;
        if behaviour.old_protocol {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("git-protocol"));
        }
        let mut answer = cgi::answer(&self.root, &request);
        let pack = request.method == "POST";
        if let Some(lines) = behaviour.lines.filter(|_| answer.body.windows(4).any(|part| part == b"PACK")) {
            answer.body.truncate(end_of_line(&answer.body, lines));
        }
        self.respond(
            out,
            &answer.status,
            &answer.headers,
            &answer.body,
            behaviour.hang_after.filter(|_| pack),
        );
    }

    fn respond(
        &self,
        out: &mut impl Write,
        status: &str,
        headers: &[(String, String)],
        body: &[u8],
        hang_after: Option<usize>,
    ) {
        let sent = self.send(out, status, headers, body, hang_after.unwrap_or(body.len()));
        if sent && hang_after.is_some() {
            self.hang();
        }
    }

    /// Sends so much of a body, and says whether it could.
    fn send(
        &self,
        out: &mut impl Write,
        status: &str,
        headers: &[(String, String)],
        body: &[u8],
        bytes: usize,
    ) -> bool {
        let mut head =
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let part = &body[..bytes.min(body.len())];
        let sent =
            out.write_all(head.as_bytes()).and_then(|()| out.write_all(part)).and_then(|()| out.flush());
        self.sent.fetch_add(part.len() as u64, Ordering::SeqCst);
        self.sent_heads.fetch_add(head.len() as u64, Ordering::SeqCst);
        sent.is_ok()
    }

    /// Keeps a connection until the server ends.
    fn hang(&self) {
        *self.hanging.lock().unwrap() += 1;
        self.hung.notify_all();
        let stopped = self.stopped.lock().unwrap();
        drop(self.wake.wait_while(stopped, |stopped| !*stopped).unwrap());
    }
}

/// Where so many lines of Git's protocol end: each begins with its length in four digits.
fn end_of_line(body: &[u8], lines: usize) -> usize {
    (0..lines).fold(0, |at, _| {
        let digits = body.get(at..at + 4).map_or("0000", |digits| std::str::from_utf8(digits).unwrap());
        let length = usize::from_str_radix(digits, 16).unwrap();
        (at + length.max(4)).min(body.len())
    })
}

fn read_request(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        // Ours sends the length of its bodies; others send chunks.
        loop {
            line.clear();
            stream.read_line(&mut line).ok()?;
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).ok()?;
            request.body.extend(&chunk[..length]);
            if length == 0 {
                return Some(request);
            }
        }
    }
    let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = body;
    Some(request)
}
