//! Blocking work that stops when its caller does.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gitops_core::{Cx, Progress};
use tokio_util::sync::CancellationToken;

use crate::GitError;

/// What a server may say in one conversation before it sends a pack: capabilities, references, what both sides have. All of
/// that is kept in memory. It is enough for some hundred thousand references.
#[cfg(any(feature = "https", feature = "ssh"))]
const MAX_ANSWER_BYTES: u64 = 32 * 1024 * 1024;

/// Shared by a piece of blocking work and the future that waits for it.
#[derive(Clone)]
pub(crate) struct Stop(Arc<Inner>);

struct Inner {
    /// What gix looks at.
    flag: AtomicBool,
    /// What network waits look at.
    token: CancellationToken,
    /// Whether what comes now is a pack, which goes to the disk.
    in_pack: AtomicBool,
    /// Programs that the work waits for.
    children: Mutex<Vec<Child>>,
    /// Why the work fails, told by the part that knows: gix wraps errors until they cannot be told apart.
    failure: Mutex<Option<GitError>>,
    /// What the server was given and may repeat.
    secrets: Mutex<Vec<String>>,
    progress: Arc<dyn Progress>,
    #[cfg(feature = "https")]
    cx: Cx,
    #[cfg(any(feature = "https", feature = "ssh"))]
    runtime: tokio::runtime::Handle,
}

impl Stop {
    fn new(cx: &Cx) -> Self {
        let token = CancellationToken::new();
        Self(Arc::new(Inner {
            flag: AtomicBool::new(false),
            #[cfg(feature = "https")]
            cx: cx.clone().with_cancel(token.clone()),
            token,
            in_pack: AtomicBool::new(false),
            children: Mutex::default(),
            failure: Mutex::default(),
            secrets: Mutex::default(),
            progress: cx.progress.clone(),
            #[cfg(any(feature = "https", feature = "ssh"))]
            runtime: tokio::runtime::Handle::current(),
        }))
    }

    /// The flag for gix.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0.flag
    }

    /// Says whether a pack is about to come, or answers to questions.
    pub(crate) fn expect_pack(&self, is_pack: bool) {
        self.0.in_pack.store(is_pack, Ordering::Relaxed);
    }

    /// Fails when more has come in a conversation than may.
    #[cfg(any(feature = "https", feature = "ssh"))]
    pub(crate) fn check_received(&self, bytes: u64, limit: u64) -> Result<(), GitError> {
        if bytes > limit {
            return Err(GitError::ReceivedTooMuch { limit });
        }
        if bytes > MAX_ANSWER_BYTES && !self.0.in_pack.load(Ordering::Relaxed) {
            return Err(GitError::AnswerTooLong { limit: MAX_ANSWER_BYTES });
        }
        Ok(())
    }

    /// Tells how many bytes have come.
    pub(crate) fn received(&self, bytes: u64) {
        self.0.progress.report("receive", bytes, None);
    }

    /// Fails when the work is no longer wanted.
    pub(crate) fn check(&self) -> Result<(), GitError> {
        if self.0.flag.load(Ordering::Relaxed) { Err(GitError::Cancelled) } else { Ok(()) }
    }

    /// Waits for `work` on the caller's runtime. Must not be called on a thread of that runtime.
    #[cfg(any(feature = "https", feature = "ssh"))]
    pub(crate) fn wait<T>(
        &self,
        limit: std::time::Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        self.0.runtime.block_on(async {
            tokio::select! {
                // First, so that no timer is touched once the runtime goes down.
                biased;
                () = self.0.token.cancelled() => Err(GitError::Cancelled),
                done = async { tokio::time::timeout(limit, work).await } => {
                    done.map_err(|_| GitError::Silent { waited: limit })
                }
            }
        })
    }

    /// The caller's context, which ends with this work.
    #[cfg(feature = "https")]
    pub(crate) fn cx(&self) -> &Cx {
        &self.0.cx
    }

    /// Which runtime the caller is on.
    #[cfg(feature = "https")]
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// Has a program killed when the work is stopped, and by [`Self::reap`].
    pub(crate) fn adopt(&self, child: Child) {
        lock(&self.0.children).push(child);
        if self.check().is_err() {
            self.reap();
        }
    }

    /// Ends all programs of this work.
    pub(crate) fn reap(&self) {
        for mut child in lock(&self.0.children).drain(..) {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Remembers what a server is given, so that it can be hidden in what that says.
    #[cfg(feature = "https")]
    pub(crate) fn keep_secret(&self, secret: &str) {
        if !secret.is_empty() {
            lock(&self.0.secrets).push(secret.to_owned());
        }
    }

    /// A text of the server without the credentials that it was given, should it repeat one.
    pub(crate) fn hide(&self, text: &str) -> String {
        lock(&self.0.secrets).iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }

    /// Remembers why the work is about to fail; the first reason counts.
    pub(crate) fn explain(&self, error: GitError) {
        lock(&self.0.failure).get_or_insert(error);
    }

    /// The reason that was remembered.
    pub(crate) fn explanation(&self) -> Option<GitError> {
        lock(&self.0.failure).take()
    }

    fn trip(&self) {
        self.0.flag.store(true, Ordering::Relaxed);
        self.0.token.cancel();
        for child in lock(&self.0.children).iter_mut() {
            let _ = child.kill();
        }
    }
}

/// Nothing that these locks guard can be left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct TripOnDrop(Stop);

impl Drop for TripOnDrop {
    fn drop(&mut self) {
        self.0.trip();
    }
}

/// Runs blocking work off the async threads, until it is done, or the context's end, or this future is dropped. In the
/// last two cases the work is told to stop, and ends soon after.
pub(crate) async fn run<T: Send + 'static>(
    cx: &Cx,
    work: impl FnOnce(&Stop) -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    if cx.cancel.is_cancelled() {
        return Err(GitError::Cancelled);
    }
    let stop = Stop::new(cx);
    let _trip = TripOnDrop(stop.clone());
    let task = tokio::task::spawn_blocking(move || {
        let done = work(&stop);
        stop.reap();
        done.map_err(|error| stop.explanation().unwrap_or(error).with_texts(|text| stop.hide(text)))
    });
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(GitError::Cancelled),
        done = tokio::time::timeout_at(cx.deadline, task) => match done {
            Err(_) => Err(GitError::Deadline),
            Ok(Err(_)) => Err(GitError::Bug("the blocking work panicked, or the runtime is going down".into())),
            Ok(Ok(result)) => result,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Works until it is told to stop; then says so.
    async fn endless(cx: &Cx, told: std::sync::mpsc::Sender<()>) -> Result<(), GitError> {
        run(cx, move |stop| {
            while stop.check().is_ok() {
                std::thread::yield_now();
            }
            told.send(()).ok();
            stop.check()
        })
        .await
    }

    #[tokio::test]
    async fn work_stops_at_the_deadline() {
        let (told, heard) = std::sync::mpsc::channel();
        let cx = Cx::with_timeout(Duration::from_millis(20));
        assert!(matches!(endless(&cx, told).await, Err(GitError::Deadline)));
        heard.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[tokio::test]
    async fn work_stops_when_cancelled_or_dropped() {
        let (told, heard) = std::sync::mpsc::channel();
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let waiting = tokio::spawn({
            let (cx, told) = (cx.clone(), told.clone());
            async move { endless(&cx, told).await }
        });
        tokio::task::yield_now().await;
        cx.cancel.cancel();
        assert!(matches!(waiting.await.unwrap(), Err(GitError::Cancelled)));

        let cx = Cx::with_timeout(Duration::from_secs(60));
        let mut dropped = Box::pin(endless(&cx, told));
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut dropped).await.is_err());
        drop(dropped);
        heard.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
