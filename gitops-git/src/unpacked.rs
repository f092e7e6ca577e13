//! How much a pack unpacks to: counted while it is indexed, and limited.
//!
//! A limit on what is received says little: a pack of a few kilobytes can hold deltas that unpack to terabytes.

use std::fs;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use gix::odb::pack::bundle::write::Outcome;
use gix::progress::{Count, Id, MessageLevel, NestedProgress, Progress, Step, StepShared, UNKNOWN, Unit};

use crate::GitError;
use crate::stop::Stop;

/// What gix calls the count of bytes that objects unpack to: first of what is in the pack, then, from nothing again, of
/// the objects that its deltas make.
const UNPACKED: Id = *b"IWDB";

/// How often the count is looked at. gix unpacks some gigabytes in a second, so that it goes beyond the limit by some
/// megabytes.
const EVERY: Duration = Duration::from_millis(10);

/// Has a pack indexed, and stops that once more than `limit` bytes were unpacked; nothing of such a pack stays.
pub(crate) fn capped(
    limit: u64,
    stop: &Stop,
    index: impl FnOnce(&mut Meter) -> gix::Result<Outcome>,
) -> gix::Result<Outcome> {
    let mut meter = Meter::default();
    let seen = meter.unpacked();
    let is_beyond = move || seen.load(Ordering::Relaxed) as u64 > limit;
    let explain = || stop.explain(GitError::UnpackedTooMuch { limit });
    let written = std::thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let is_beyond = is_beyond.clone();
        scope.spawn(move || {
            while is_done.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if is_beyond() {
                    explain();
                    stop.flag().store(true, Ordering::Relaxed);
                    return;
                }
            }
        });
        let written = index(&mut meter);
        drop(done);
        written
    })?;
    if is_beyond() {
        explain();
        for path in [&written.index_path, &written.data_path, &written.keep_path].into_iter().flatten() {
            fs::remove_file(path).map_err(gix::Error::from_error)?;
        }
        return Err(gix::Error::from_error(io::Error::other("the pack unpacks to too much")));
    }
    Ok(written)
}

/// The progress that gix reports to, and each below it. Only those of one name count.
#[derive(Default)]
pub(crate) struct Meter {
    unpacked: StepShared,
    id: Id,
}

impl Meter {
    /// How much was unpacked so far.
    pub(crate) fn unpacked(&self) -> StepShared {
        self.unpacked.clone()
    }

    fn below(&self, id: Id) -> Self {
        Self { unpacked: self.unpacked.clone(), id }
    }

    fn counts(&self) -> bool {
        self.id == UNPACKED
    }
}

impl Count for Meter {
    fn set(&self, step: Step) {
        if self.counts() {
            self.unpacked.store(step, Ordering::Relaxed);
        }
    }

    fn step(&self) -> Step {
        0
    }

    fn inc_by(&self, step: Step) {
        if self.counts() {
            self.unpacked.fetch_add(step, Ordering::Relaxed);
        }
    }

    fn counter(&self) -> StepShared {
        if self.counts() { self.unpacked.clone() } else { StepShared::default() }
    }
}

impl Progress for Meter {
    fn init(&mut self, _max: Option<Step>, _unit: Option<Unit>) {
        self.set(0);
    }

    fn set_name(&mut self, _name: String) {}

    fn name(&self) -> Option<String> {
        None
    }

    fn id(&self) -> Id {
        self.id
    }

    fn message(&self, _level: MessageLevel, _message: String) {}
}

impl NestedProgress for Meter {
    type SubProgress = Self;

    fn add_child(&mut self, _name: impl Into<String>) -> Self {
        self.below(UNKNOWN)
    }

    fn add_child_with_id(&mut self, _name: impl Into<String>, id: Id) -> Self {
        self.below(id)
    }
}
