//! A way to a server that goes wrong where it is told to. Bytes are counted over all connections since it was told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::common::acceptor::Acceptor;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection ends. If that lasts, so does each one after it.
    Cut,
    /// Nothing is carried any more, and the connection stays.
    Stall,
    /// One byte is another.
    Flip,
}

/// Who sends what is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// What the way does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// What goes wrong, with what who sends, and after how many bytes of it.
    pub(crate) trouble: Option<(Trouble, Sender, u64)>,
    /// Whether what goes wrong once goes on so.
    pub(crate) lasts: bool,
    /// A wait before every 1024 bytes of the server.
    pub(crate) wait: Option<Duration>,
    /// Takes no connections.
    pub(crate) closed: bool,
}

#[derive(Default)]
struct Shared {
    way: Mutex<Way>,
    /// Since when the way is as it is: who belongs to an earlier one carries nothing any more.
    turn: AtomicU64,
    client: AtomicU64,
    server: AtomicU64,
    struck: AtomicBool,
    /// Where it went wrong, in its connection.
    place: AtomicU64,
    stopping: AtomicBool,
}

/// The way; it ends when this is dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    acceptor: Acceptor,
}

impl Proxy {
    /// The way to a port of this machine.
    pub(crate) fn to(port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let acceptor = Acceptor::anywhere({
            let shared = shared.clone();
            move |stream| {
                if !shared.way().closed
                    && let Ok(inner) = TcpStream::connect(("127.0.0.1", port))
                {
                    carry(stream, inner, &shared);
                }
            }
        });
        Self { shared, acceptor }
    }

    pub(crate) fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// Says what goes wrong from now on, counted from now on.
    pub(crate) fn be(&self, way: Way) {
        *self.shared.way.lock().unwrap() = way;
        self.shared.turn.fetch_add(1, Ordering::SeqCst);
        for count in [&self.shared.client, &self.shared.server] {
            count.store(0, Ordering::SeqCst);
        }
        self.shared.struck.store(false, Ordering::SeqCst);
    }

    /// The bytes that the client has sent, and the server.
    pub(crate) fn carried(&self) -> (u64, u64) {
        (self.shared.client.load(Ordering::SeqCst), self.shared.server.load(Ordering::SeqCst))
    }

    /// Whether what was to go wrong has gone wrong.
    pub(crate) fn struck(&self) -> bool {
        self.shared.struck.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn way(&self) -> Way {
        *self.way.lock().unwrap()
    }

    fn count(&self, sender: Sender) -> &AtomicU64 {
        match sender {
            Sender::Client => &self.client,
            Sender::Server => &self.server,
        }
    }

    /// What goes wrong within the next bytes of a connection that has carried some, and where in them.
    fn trouble(&self, sender: Sender, all: u64, of_this: u64, len: usize) -> Option<(Trouble, usize)> {
        let way = self.way();
        let (trouble, _, at) = way.trouble.filter(|(_, side, _)| *side == sender)?;
        let within =
            |at: u64, from: u64| usize::try_from(at.checked_sub(from)?).ok().filter(|place| *place < len);
        if !self.struck.load(Ordering::SeqCst) {
            let place = within(at, all)?;
            self.place.store(of_this + place as u64, Ordering::SeqCst);
            self.struck.store(true, Ordering::SeqCst);
            return Some((trouble, place));
        }
        match trouble {
            _ if !way.lasts => None,
            // At the same place of each connection.
            Trouble::Flip => Some((trouble, within(self.place.load(Ordering::SeqCst), of_this)?)),
            Trouble::Cut | Trouble::Stall => Some((trouble, 0)),
        }
    }

    /// Carries what one side sends to the other.
    fn one_way(
        &self,
        turn: u64,
        sender: Sender,
        mut from: &TcpStream,
        mut to: &TcpStream,
    ) -> std::io::Result<()> {
        let mut buffer = [0; 1024];
        let mut carried = 0;
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 || self.turn.load(Ordering::SeqCst) != turn {
                return Ok(());
            }
            let part = &mut buffer[..read];
            if let (Some(wait), Sender::Server) = (self.way().wait, sender) {
                std::thread::sleep(wait);
            }
            let all = self.count(sender).fetch_add(read as u64, Ordering::SeqCst);
            match self.trouble(sender, all, carried, read) {
                None => {}
                Some((Trouble::Flip, place)) => part[place] ^= 1 << (place % 8),
                Some((trouble, place)) => {
                    to.write_all(&part[..place])?;
                    if trouble == Trouble::Stall {
                        self.stall(turn);
                    }
                    return Ok(());
                }
            }
            carried += read as u64;
            to.write_all(part)?;
        }
    }

    fn stall(&self, turn: u64) {
        while !self.stopping.load(Ordering::SeqCst) && self.turn.load(Ordering::SeqCst) == turn {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Carries a connection in both directions, until one side ends.
fn carry(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let turn = shared.turn.load(Ordering::SeqCst);
    let ends = Arc::new((client, server));
    for sender in [Sender::Client, Sender::Server] {
        let (shared, ends) = (shared.clone(), ends.clone());
        std::thread::spawn(move || {
            let (from, to) = match sender {
                Sender::Client => (&ends.0, &ends.1),
                Sender::Server => (&ends.1, &ends.0),
            };
            // Whatever happened, it is over.
            let _ = shared.one_way(turn, sender, from, to);
            for end in [from, to] {
                let _ = end.shutdown(Shutdown::Both);
            }
        });
    }
}
