//! What the engine tells while it works.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use gitops_diff::Difference;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::report::Rounded;
use crate::{
    AppId, Assessment, Clock, Digest, FaultNote, Guard, Health, Outcome, ResourceId, Revision, SyncReport,
    Timestamp,
};

/// Something that happened to an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Rises by one with every event of the reconciler; a gap means that this reader was too slow.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// To which application.
    pub app: AppId,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What made a sync happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The source has another revision.
    Revision,
    /// Live objects changed.
    Live,
    /// It was time to look at everything again.
    Interval,
    /// Somebody asked for it.
    Manual,
    /// The last attempt did not wholly succeed.
    Retry,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revision => "new revision",
            Self::Live => "live objects changed",
            Self::Interval => "interval",
            Self::Manual => "asked for",
            Self::Retry => "retry",
        })
    }
}

/// What happened. In JSON, the field `type` names it; readers ignore types and fields that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The source was asked for its revision.
    Polled {
        /// What it answered.
        revision: Revision,
        /// Whether that is another revision than the last attempted one.
        changed: bool,
    },
    /// A revision could not be read or rendered. What was in force stays in force; nothing is applied or pruned.
    SourceFailed {
        /// The revision, if the source could name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// Why.
        fault: FaultNote,
        /// What stays in force.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_force: Option<Revision>,
    },
    /// The reference does not descend from what it was before: somebody rewrote the history.
    HistoryRewritten {
        /// What it is now.
        revision: Revision,
        /// The id of what it was.
        from: String,
    },
    /// A manifest states fields that only a server writes; they were left out.
    FieldsStripped {
        /// The object.
        id: ResourceId,
        /// Where it is written.
        place: String,
        /// The fields.
        fields: Vec<String>,
    },
    /// A sync has a plan and begins to write.
    SyncStarted {
        /// The revision; none when the application is removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// What made it happen.
        trigger: Trigger,
        /// The plan's digest.
        digest: Digest,
        /// How many objects will be changed.
        steps: usize,
    },
    /// A live object differs from what is in force.
    Drift {
        /// The object.
        id: ResourceId,
        /// The fields; none when the object is gone.
        differences: Vec<Difference>,
        /// The object is gone.
        missing: bool,
        /// What is in force.
        revision: Revision,
    },
    /// An object ended otherwise than unchanged.
    Object {
        /// How.
        outcome: Outcome,
        /// The fields that differed before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differences: Vec<Difference>,
        /// The revision for which this was done; none when the application is removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// What made it happen.
        trigger: Trigger,
        /// What the target said about it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// A plan waits for approval; nothing of it was done.
    ApprovalNeeded {
        /// The revision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// What to approve.
        digest: Digest,
        /// Why.
        guard: Guard,
    },
    /// A sync ended.
    SyncFinished {
        /// What it did.
        #[serde(flatten)]
        report: SyncReport,
    },
    /// A sync could not begin, or could not be recorded.
    SyncFailed {
        /// The revision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
        /// Why.
        fault: FaultNote,
    },
    /// The health of the application, or of one of its objects, changed.
    Health {
        /// The object; none for the application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<ResourceId>,
        /// What it was.
        from: Health,
        /// What it is, and why.
        to: Assessment,
    },
    /// A revision is wholly in force, every object of it is Healthy, and that is recorded: it is the last good one. Told
    /// once for a [deployment](crate::Deployment), by the process that recorded it.
    RevisionHealthy {
        /// The revision.
        revision: Revision,
    },
    /// Somebody keeps changing an object back; the engine slows down.
    Fight {
        /// The object.
        id: ResourceId,
        /// The other field manager, if the target knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        writer: Option<String>,
        /// How long the object is left alone, in milliseconds.
        #[serde(rename = "pause_ms", with = "crate::report::millis")]
        pause: Duration,
    },
    /// Another attempt will be made.
    RetryScheduled {
        /// When, in milliseconds from now.
        #[serde(rename = "after_ms", with = "crate::report::millis")]
        after: Duration,
        /// How many attempts failed in a row.
        attempt: u32,
    },
    /// Changes of live objects cannot be seen for now.
    Blind {
        /// Why.
        fault: FaultNote,
    },
    /// Nothing happens until it is resumed.
    Suspended,
    /// It goes on.
    Resumed,
    /// The reconciler has stopped working on it.
    Stopped,
    /// This reader was too slow and missed events.
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl fmt::Display for Event {
    /// One line, without the time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.app, self.kind)
    }
}

impl fmt::Display for EventKind {
    /// One line, whatever others wrote into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::one_line(&Line(self).to_string()))
    }
}

struct Line<'a>(&'a EventKind);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventKind::{
            ApprovalNeeded, Blind, Drift, FieldsStripped, Fight, HistoryRewritten, Lagged, Object, Polled,
            Resumed, RetryScheduled, RevisionHealthy, SourceFailed, Stopped, Suspended, SyncFailed,
            SyncFinished, SyncStarted,
        };
        match self.0 {
            Polled { revision, changed: true } => write!(f, "new revision {}", revision.short()),
            Polled { revision, changed: false } => write!(f, "polled, still {}", revision.short()),
            SourceFailed { fault, in_force, revision } => {
                if let Some(revision) = revision {
                    write!(f, "{} cannot be used: ", revision.short())?;
                }
                write!(f, "{fault}")?;
                match in_force {
                    Some(in_force) => write!(f, "; {} stays in force", in_force.short()),
                    None => Ok(()),
                }
            }
            HistoryRewritten { revision, from } => {
                write!(f, "the history was rewritten: {} does not descend from {from:.7}", revision.short())
            }
            FieldsStripped { id, place, fields } => {
                write!(f, "{id}: left out {}, which only a server writes ({place})", fields.join(", "))
            }
            SyncStarted { revision, trigger, steps, .. } => {
                match revision {
                    Some(revision) => write!(f, "sync to {revision}")?,
                    None => f.write_str("removal")?,
                }
                write!(f, " ({trigger}): {steps} to change")
            }
            Drift { id, differences, missing, .. } => {
                write!(f, "drift: {id}")?;
                if *missing {
                    f.write_str(" is gone")?;
                }
                list(f, differences)
            }
            Object { outcome, differences, .. } => {
                write!(f, "{outcome}")?;
                list(f, differences)
            }
            ApprovalNeeded { digest, guard, .. } => {
                write!(f, "needs approval: {guard}; digest {digest}")
            }
            SyncFinished { report } => write!(f, "sync finished: {report}"),
            SyncFailed { fault, .. } => write!(f, "sync failed: {fault}"),
            EventKind::Health { id: Some(id), from, to } => write!(f, "{id}: {from} -> {to}"),
            EventKind::Health { id: None, from, to } => write!(f, "health {from} -> {to}"),
            RevisionHealthy { revision } => write!(f, "{} is recorded as Healthy", revision.short()),
            Fight { id, writer, pause } => {
                let writer = writer.as_deref().unwrap_or("somebody");
                write!(
                    f,
                    "{id}: {} keeps changing it back; left alone for {:?}",
                    crate::one_line(writer),
                    Rounded(*pause)
                )
            }
            RetryScheduled { after, attempt } => {
                write!(f, "attempt {} in {:?}", attempt + 1, Rounded(*after))
            }
            Blind { fault } => write!(f, "changes cannot be seen: {fault}"),
            Suspended => f.write_str("suspended"),
            Resumed => f.write_str("resumed"),
            Stopped => f.write_str("stopped"),
            Lagged { missed } => write!(f, "{missed} events were missed: this reader is too slow"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, differences: &[Difference]) -> fmt::Result {
    for (index, difference) in differences.iter().enumerate() {
        f.write_str(if index == 0 { "  " } else { "; " })?;
        write!(f, "{difference}")?;
    }
    Ok(())
}

/// Where events come from. Sending never waits.
#[derive(Debug, Clone)]
pub(crate) struct Emitter {
    sender: broadcast::Sender<Arc<Event>>,
    seq: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl Emitter {
    pub(crate) fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self { sender: broadcast::Sender::new(capacity.max(1)), seq: Arc::default(), clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn emit(&self, app: &AppId, kind: EventKind) {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let event = Event { seq, at: self.clock.now(), app: app.clone(), kind };
        tracing::debug!(app = %event.app, "{}", event.kind);
        // Nobody listens: nobody minds.
        let _ = self.sender.send(Arc::new(event));
    }

    pub(crate) fn subscribe(&self, apps: &AppId) -> EventStream {
        EventStream {
            inner: BroadcastStream::new(self.sender.subscribe()),
            clock: self.clock.clone(),
            app: apps.clone(),
            seq: 0,
        }
    }
}

/// The events of a reconciler, from the moment of subscribing. A reader that is too slow sees [`EventKind::Lagged`] in
/// place of what it missed; it never slows the engine down. Ends when the reconciler
/// and all its handles are dropped.
#[derive(Debug)]
pub struct EventStream {
    inner: BroadcastStream<Arc<Event>>,
    clock: Arc<dyn Clock>,
    app: AppId,
    seq: u64,
}

impl EventStream {
    /// The next event; none when the reconciler is gone. May be dropped at any time without losing an event.
    pub async fn next(&mut self) -> Option<Event> {
        futures_util::StreamExt::next(&mut self.inner).await.map(|item| self.event(item))
    }

    fn event(&mut self, item: Result<Arc<Event>, BroadcastStreamRecvError>) -> Event {
        match item {
            Ok(event) => {
                self.seq = event.seq;
                Arc::unwrap_or_clone(event)
            }
            Err(BroadcastStreamRecvError::Lagged(missed)) => {
                let kind = EventKind::Lagged { missed };
                Event { seq: self.seq, at: self.clock.now(), app: self.app.clone(), kind }
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let item = std::task::ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(item.map(|item| self.event(item)))
    }
}

#[cfg(test)]
mod tests;
