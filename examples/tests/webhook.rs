//! `gitops run --webhook`: a signed delivery over HTTP, and the new commit is in force at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use common::{Repo, program};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

const SECRET: &str = "correct horse battery staple";
const PATIENCE: Duration = Duration::from_secs(60);

fn manifest(value: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{value: {value}}}}}\n")
}

/// The program, which polls once an hour if nobody calls.
struct Program {
    child: Child,
    address: String,
    /// Open until the end: a program may complain.
    _complaints: BufReader<ChildStderr>,
    events: Receiver<Value>,
}

impl Program {
    fn start(repo: &Repo) -> Self {
        let secret = repo.mirror().with_extension("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let mut command = Command::new(program("gitops"));
        command.args(["run", "--target", "memory", "--name", "shop", "--output", "json"]);
        command.args(["--interval", "1h", "--webhook", "127.0.0.1:0", "--repo", &repo.url()]);
        command.arg("--webhook-secret-file").arg(&secret).arg("--mirror").arg(repo.mirror());
        let mut child =
            command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut complaints = BufReader::new(child.stderr.take().unwrap());
        complaints.read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("gitops: listening for webhooks on http://");
        let address = address.unwrap_or_else(|| panic!("{said}")).to_owned();
        let (sender, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, address, _complaints: complaints, events }
    }

    /// The revision of the next sync that ends, if one does in time.
    fn synced(&self, within: Duration) -> Option<String> {
        let end = Instant::now() + within;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) if event["type"] == "sync_finished" => {
                    return Some(event["revision"]["id"].as_str().unwrap().to_owned());
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => panic!("the program has ended"),
            }
        }
    }

    /// Sends a request. Returns the status, and what was said.
    fn request(&self, method: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut head =
            format!("{method} /hooks HTTP/1.1\r\nHost: gitops\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        self.send(&format!("{head}\r\n{body}"))
    }

    fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap().trim().to_owned())
    }

    /// Delivers what GitHub would send.
    fn deliver(&self, secret: &str, body: &str) -> (u16, String) {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let mut signature = String::from("sha256=");
        for byte in mac.finalize().into_bytes() {
            let _ = write!(signature, "{byte:02x}");
        }
        let headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "push"),
            ("X-Hub-Signature-256", &signature),
        ];
        self.request("POST", &headers, body)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_push_that_is_announced_is_in_force_at_once() {
    let repo = Repo::with(&[("ns.yaml", &manifest("one"))]);
    let program = Program::start(&repo);
    let first = program.synced(PATIENCE).expect("a first sync");
    let url = format!("file://{}", std::fs::canonicalize(repo.url()).unwrap().display());
    let push = |url: &str, reference: &str, after: &str| {
        json!({"ref": reference, "before": first, "after": after, "repository": {"clone_url": url}})
            .to_string()
    };

    let second = repo.commit("second", &[("ns.yaml", &manifest("two"))]);
    let begun = Instant::now();
    let answer = program.deliver(SECRET, &push(&url, "refs/heads/main", &second));
    assert_eq!(answer, (202, "looking for news: shop".to_owned()));
    assert_eq!(program.synced(PATIENCE), Some(second));
    println!("in force {} ms after the delivery began", begun.elapsed().as_millis());

    // What does not concern the application, and what is refused, changes nothing.
    let third = repo.commit("third", &[("ns.yaml", &manifest("three"))]);
    let right = push(&url, "refs/heads/main", &third);
    let elsewhere = push("https://git.example/other", "refs/heads/main", &third);
    let nobody = (202, "no application follows this".to_owned());
    assert_eq!(program.deliver(SECRET, &push(&url, "refs/heads/other", &third)), nobody);
    assert_eq!(program.deliver(SECRET, &elsewhere), nobody);
    assert_eq!(program.deliver("another secret", &right).0, 401);
    assert_eq!(program.request("POST", &[("X-GitHub-Event", "push")], &right).0, 401);
    assert_eq!(program.request("POST", &[], &right).0, 400);
    assert_eq!(program.request("GET", &[], "").0, 405);
    let (status, why) = program.deliver(SECRET, "{\"ref\": \"s3cr3t");
    assert_eq!((status, why.contains("s3cr3t")), (400, false), "{why}");
    let form = [("X-GitHub-Event", "push"), ("Content-Type", "application/x-www-form-urlencoded")];
    let (status, why) = program.request("POST", &form, "payload=x");
    assert_eq!((status, why.contains("application/json")), (415, true), "{why}");
    let large = "POST / HTTP/1.1\r\nHost: gitops\r\nX-GitHub-Event: push\r\nContent-Length: 6000000\r\n\r\n";
    assert_eq!(program.send(large).0, 413);
    assert_eq!(program.synced(Duration::from_secs(2)), None);

    assert_eq!(program.deliver(SECRET, &right).0, 202);
    assert_eq!(program.synced(PATIENCE), Some(third));
}
