//! Something that answers like an API server that refuses, or leads elsewhere.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitops_core::{
    AppId, Cx, Fault, Intent, Manifest, Observe, Place, Reach, RepoPath, Target as _, Timestamp,
};
use gitops_kube::KubeTarget;
use serde_json::json;

/// The server; it goes on until the process ends.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// Answers everything with this status, these headers and this body.
    pub(crate) fn start(answer: String, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen, tls) = (answer.clone(), seen.clone(), tls.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                    match tls {
                        None => serve(stream, &answer, &seen),
                        Some(tls) => {
                            let connection = rustls::ServerConnection::new(tls).unwrap();
                            serve(rustls::StreamOwned::new(connection, stream), &answer, &seen);
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// The requests so far, each with its headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An answer of HTTP/1.1.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn serve(stream: impl Read + Write, answer: &str, seen: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    // Who does not trust the certificate goes away before asking.
    while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
        head += &line;
        line.clear();
    }
    if head.is_empty() {
        return;
    }
    seen.lock().unwrap().push(head);
    let _ = stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush());
}

/// All that a target asks of an API server before it writes, and the beginning of writing: what went wrong.
pub(crate) async fn faults(target: &KubeTarget) -> Vec<Fault> {
    let cx = Cx::with_timeout(Duration::from_secs(10));
    let app = AppId::new("shop").unwrap();
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}});
    let manifest = Manifest::new(&object, Place::file(RepoPath::new("a.yaml").unwrap())).unwrap();
    let intent = Intent::new(Timestamp::UNIX_EPOCH, "https://git.example/config", None, Reach::default());
    let done = [
        target.place(&cx, vec![manifest]).await.map(drop),
        target.recall(&cx, &app).await.map(drop),
        target.observe(&cx, &app, &Observe::Everything { also: Vec::new() }).await.map(drop),
        target.begin(&cx, &app, &intent).await.map(drop),
    ];
    done.into_iter().filter_map(Result::err).collect()
}

pub(crate) fn provider() {
    // Another test of the same program may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
