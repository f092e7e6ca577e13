//! A proxy for `CONNECT` (RFC 9110, 9.3.6), which remembers what it was asked and what it carried.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::acceptor::Acceptor;

/// What it was asked, and what it saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The line and the headers of each request.
    pub requests: Vec<String>,
    /// What it carried from the clients to the servers.
    pub carried: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    /// The `Proxy-Authorization` header that it wants.
    authorization: Option<String>,
    seen: Mutex<Seen>,
}

/// The proxy; it ends when this is dropped. It knows a name for every machine: this one.
pub struct Proxy {
    shared: Arc<Shared>,
    acceptor: Acceptor,
}

impl Proxy {
    /// A proxy for those who send this as `Proxy-Authorization`, or for all.
    pub fn start(authorization: Option<String>) -> Self {
        let shared = Arc::new(Shared { authorization, ..Shared::default() });
        let acceptor = Acceptor::anywhere({
            let shared = shared.clone();
            move |stream| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { shared, acceptor }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.acceptor.address())
    }

    /// What it has seen so far; it is forgotten with that.
    pub fn take_seen(&self) -> Seen {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        self.seen.lock().unwrap().requests.push(head.clone());
        let mut out = client;
        let given = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
        if self.authorization.as_deref().is_some_and(|wanted| given != Some(wanted)) {
            let _ = out.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
        let port = target.and_then(|target| target.rsplit(':').next()?.parse().ok());
        let Some(server) = port.and_then(|port: u16| TcpStream::connect(("127.0.0.1", port)).ok()) else {
            let _ = out.write_all(b"HTTP/1.1 502 Nobody\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        };
        out.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        let (mut down, mut into) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let answers = std::thread::spawn(move || {
            let _ = std::io::copy(&mut down, &mut into);
            let _ = into.shutdown(Shutdown::Both);
        });
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
            self.seen.lock().unwrap().carried.extend_from_slice(&buffer[..bytes]);
            if (&server).write_all(&buffer[..bytes]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Write);
        let _ = answers.join();
    }
}
