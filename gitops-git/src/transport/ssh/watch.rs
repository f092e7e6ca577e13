//! Ends a conversation whose other side is silent for too long.

use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::GitError;
use crate::stop::{Stop, lock};

/// Looks at the clock while somebody waits for a program, and kills the program when that takes too long. The thread
/// behind it ends with this.
pub(super) struct Watch {
    waits: Arc<Waits>,
    thread: Option<JoinHandle<()>>,
}

/// Who waits, and since when.
pub(crate) struct Waits {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    ended: bool,
}

impl Watch {
    pub(super) fn start(silence: Duration, stop: &Stop) -> io::Result<Self> {
        let waits = Arc::new(Waits { state: Mutex::default(), wake: Condvar::new() });
        let (watched, stop) = (waits.clone(), stop.clone());
        let thread = thread::Builder::new().name("gitops-ssh-watch".into()).spawn(move || {
            if watched.last_longer_than(silence) {
                stop.explain(GitError::Silent { waited: silence });
                stop.reap();
            }
        })?;
        Ok(Self { waits, thread: Some(thread) })
    }

    pub(super) fn waits(&self) -> Arc<Waits> {
        self.waits.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.waits.state).ended = true;
        self.waits.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // It panics nowhere; and if it did, there would be nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Waits {
    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        lock(&self.state).since = Some(Instant::now());
        let done = work();
        lock(&self.state).since = None;
        done
    }

    /// Returns once a wait has lasted longer, or all is over. Who begins to wait wakes nobody: it is seen in time, because
    /// the clock is looked at again no later than after `silence`.
    fn last_longer_than(&self, silence: Duration) -> bool {
        let mut state = lock(&self.state);
        while !state.ended {
            let left = match state.since {
                Some(since) => match silence.checked_sub(since.elapsed()) {
                    Some(left) if !left.is_zero() => left,
                    _ => return true,
                },
                None => silence,
            };
            // An hour at most: there are times that cannot be added to a clock.
            let left = left.clamp(Duration::from_millis(1), Duration::from_secs(3600));
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// What a program says, watched and counted.
pub(crate) struct Answers<R> {
    pub(super) inner: R,
    pub(super) waits: Arc<Waits>,
    pub(super) received: u64,
    pub(super) limit: u64,
    pub(super) stop: Stop,
}

impl<R: Read> Read for Answers<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.waits.during(|| self.inner.read(buf))?;
        self.received = self.received.saturating_add(bytes as u64);
        if let Err(error) = self.stop.check_received(self.received, self.limit) {
            self.stop.explain(error);
            return Err(io::Error::other("the server sends too much"));
        }
        Ok(bytes)
    }
}

/// What we say to a program, watched.
pub(crate) struct Watched<W> {
    pub(super) inner: W,
    pub(super) waits: Arc<Waits>,
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.waits.during(|| self.inner.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waits.during(|| self.inner.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_counts() {
        let waits = Arc::new(Waits { state: Mutex::default(), wake: Condvar::new() });
        let watched = waits.clone();
        let started = Instant::now();
        let thread = thread::spawn(move || watched.last_longer_than(Duration::from_millis(400)));
        // Work between waits may take longer.
        for _ in 0..2 {
            waits.during(|| thread::sleep(Duration::from_millis(10)));
            thread::sleep(Duration::from_millis(500));
        }
        assert!(!thread.is_finished());
        waits.during(|| thread.join().map(|fired| assert!(fired)).unwrap());
        assert!(started.elapsed() >= Duration::from_millis(1400));
    }
}
