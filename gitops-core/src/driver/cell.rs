//! One application as the driver sees it: what is known of it, and what people asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::feed::{Feed, Tick};
use super::fight::Fights;
use super::settings::Settings;
use super::standing::Standing;
use crate::event::Emitter;
use crate::render::Reads;
use crate::{
    AppRecord, Application, Approval, Assessment, Class, Cx, Desired, Digest, EventKind, FaultNote,
    ResourceId, Revision, Status,
};

/// One application: its parts, what is known of it, and what people asked for.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) app: Application,
    pub(super) settings: Arc<Settings>,
    pub(super) feed: Arc<Feed>,
    pub(super) emitter: Emitter,
    /// Held for the length of a pass: passes of one application never overlap.
    pub(super) state: Mutex<State>,
    pub(super) status: watch::Sender<Status>,
    pub(super) wishes: Wishes,
    /// Somebody's approval that was not used yet. Not part of the state, so that it can be given while a pass runs.
    pub(super) approval: SyncMutex<Option<Approval>>,
}

/// What is known of an application between passes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The last rendering, whether or not it came in force.
    pub(super) rendered: Option<Rendered>,
    /// What drift is healed towards.
    pub(super) in_force: Option<Arc<Desired>>,
    /// The revision that cannot be used, and why; it is not tried again.
    pub(super) refused: Option<(Revision, FaultNote)>,
    /// Whether the last look at all members showed none that is not desired, or it is gone since.
    pub(super) only_desired: bool,
    /// The plan that waits for approval.
    pub(super) held: Option<Held>,
    /// The deletions that somebody approved, until they are carried out.
    pub(super) released: Option<Released>,
    /// What the target has recorded; none before it was read, and while it may be otherwise.
    pub(super) recorded: Option<Recorded>,
    /// The revision that is wholly in force. It may be later than the recorded one, if nothing differs between them.
    pub(super) reached: Option<Revision>,
    /// The revision of the last session, where what is in force is a later one in which nothing differs from it.
    pub(super) carried_from: Option<Revision>,
    pub(super) standing: Standing,
    pub(super) health: BTreeMap<ResourceId, Assessment>,
    pub(super) fights: Fights,
    /// How often in a row it could not be recorded that all is Healthy, and when to try again.
    pub(super) unnoted: (u32, Option<Instant>),
}

impl State {
    /// Takes in what the target has recorded.
    pub(super) fn recall(&mut self, record: Option<AppRecord>) {
        let recorded = record.map(Recorded::of).unwrap_or_default();
        self.reached = self.reached.take().or_else(|| recorded.applied.clone());
        self.recorded = Some(recorded);
    }
}

/// What the target has recorded of an application.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    /// The revision that came in force last, wholly or not.
    pub(super) attempted: Option<Revision>,
    /// The revision that was last wholly in force.
    pub(super) applied: Option<Revision>,
    /// Whether the attempted one was Healthy.
    pub(super) healthy: bool,
}

impl Recorded {
    pub(super) fn of(record: AppRecord) -> Self {
        let current = record.deployments.current();
        let healthy = current.is_some_and(|current| {
            current.healthy.is_some() && record.attempted.as_ref() == Some(&current.revision)
        });
        Self { attempted: record.attempted, applied: record.applied, healthy }
    }
}

/// A plan that waits for approval.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) digest: Digest,
    pub(super) revision: String,
}

/// Deletions that somebody approved: of these objects and no others of their names.
#[derive(Debug, Clone)]
pub(super) struct Released {
    pub(super) revision: String,
    pub(super) objects: BTreeSet<(ResourceId, Arc<str>)>,
}

/// A rendering, and what it was made from.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) key: Digest,
    pub(super) reads: Reads,
    pub(super) desired: Arc<Desired>,
}

/// How a pass ended.
#[derive(Debug, Default)]
pub(super) struct PassEnd {
    pub(super) result: PassResult,
    /// When to ask the source again, if it was asked.
    pub(super) poll_at: Option<Instant>,
    /// A revision could not be read, and when to try again.
    pub(super) source: Option<SourceTrouble>,
    /// Health that changes by time alone.
    pub(super) look_again: Vec<(ResourceId, Duration)>,
    /// Objects somebody fights over.
    pub(super) leave_alone: Vec<(ResourceId, Duration)>,
    /// How long somebody asked us to stay away.
    pub(super) not_before: Option<Duration>,
    /// Why the end of the session could not be recorded.
    pub(super) unrecorded: Option<FaultNote>,
}

/// Whether a pass must be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PassResult {
    /// Nothing was looked at: what was known stays as it was.
    #[default]
    Nothing,
    /// Nothing is left to do.
    Good,
    /// Trying again soon can help.
    Transient,
    /// Trying again soon cannot help: something else must change.
    Permanent,
    /// It was stopped.
    Stopped,
}

/// Why the source could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceTrouble {
    /// Asking again soon can help, but not before the time that the source asked for.
    Passing(Option<Duration>),
    /// The next poll is soon enough.
    Lasting,
}

impl PassResult {
    /// Only who was asked to stop was stopped: a call that was cancelled for another reason is tried again.
    pub(super) fn of(class: Class, stops: &Stops) -> Self {
        match class {
            Class::Cancelled if stops.soft.is_cancelled() || stops.hard.is_cancelled() => Self::Stopped,
            Class::Cancelled => Self::Transient,
            class if class.is_transient() => Self::Transient,
            _ => Self::Permanent,
        }
    }
}

/// The two ways to stop a pass: between steps, and at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops {
    /// No further step begins; reading ends at once.
    pub(super) soft: CancellationToken,
    /// Everything ends at once.
    pub(super) hard: CancellationToken,
}

impl Cell {
    pub(super) fn new(app: Application, settings: Arc<Settings>, feed: Arc<Feed>, emitter: Emitter) -> Self {
        let status = watch::Sender::new(Status::new(app.id.clone()));
        let (state, wishes, approval) = (Mutex::default(), Wishes::default(), SyncMutex::default());
        Self { app, settings, feed, emitter, state, status, wishes, approval }
    }

    pub(super) fn emit(&self, kind: EventKind) {
        self.emitter.emit(&self.app.id, kind);
    }

    pub(super) fn approval(&self) -> MutexGuard<'_, Option<Approval>> {
        self.approval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the status up to what is known.
    pub(super) fn publish(&self, state: &State) {
        let held = state.held.as_ref().map(|held| held.digest);
        self.status.send_if_modified(|status| {
            let now = Status {
                sync: state.standing.sync(held.is_some()),
                error: state.standing.error(),
                needs_approval: held,
                objects: state.in_force.as_ref().map_or(0, |desired| desired.objects().len()),
                applied: state.reached.clone(),
                ..status.clone()
            };
            let is_other = now != *status;
            *status = now;
            is_other
        });
    }

    pub(super) fn update_status(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// The context for reading: a soft stop ends it.
    pub(super) fn reading(&self, stops: &Stops) -> Cx {
        Cx::new(stops.soft.clone(), self.settings.timeout).with_progress(self.settings.progress.clone())
    }

    /// The context for writing, which goes on counting requests where `reading` began: only a hard stop ends it.
    pub(super) fn writing(reading: &Cx, stops: &Stops) -> Cx {
        reading.clone().with_cancel(stops.hard.clone())
    }
}

/// What people asked for and nobody has looked at yet. Each wish is there or not, so they cannot pile up.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    wanted: SyncMutex<Wanted>,
    pub(super) changed: Notify,
}

/// See [`Wishes`].
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// When somebody said so last.
    pub(super) refresh: Option<Tick>,
    /// When somebody asked for it last.
    pub(super) sync: Option<Tick>,
    pub(super) suspend: Option<bool>,
}

impl Wishes {
    pub(super) fn add(&self, wish: impl FnOnce(&mut Wanted)) {
        wish(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    pub(super) fn take(&self) -> Wanted {
        std::mem::take(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
