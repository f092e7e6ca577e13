//! Where the desired state goes to.

mod deployments;
mod live;
mod placed;
mod record;
mod step;

use std::fmt::Debug;

use async_trait::async_trait;
use gitops_diff::Difference;

pub use deployments::{Change, Deployment, Deployments, Drift, Good, Healed, Older};
pub use live::{Holds, Live, Memo, Observation, Observe, Owner, Token, Unseen};
pub use placed::Placed;
pub use record::{AppRecord, End, Intent, Reach, ReachEntry};
pub use step::{Action, Done, Expect, Step};

use crate::{AppId, Cx, Events, Fault, IgnoreRules, Manifest, ResourceId};

/// A system that holds live objects: a cluster, a DNS zone, a database. One value per system, shared by all
/// applications that deploy to it.
///
/// # Contract
/// The suite in `gitops_core::testing` (feature `testing`) holds a target to each of these sentences, and to those of the
/// methods and types.
/// - Only [`begin`](Self::begin) and the [`Session`] it returns write.
/// - Every wait ends by the context's deadline, with a fault that may pass, or soon after its cancellation, with
///   [`crate::Class::Cancelled`]. A call whose context is cancelled already writes nothing. A write whose answer was lost
///   is [`crate::Class::OutcomeUnknown`], never success and never a definite failure.
/// - A write for which the permission is missing is [`crate::Class::Denied`], and stops no other.
/// - What one process has written, all others see: what is known of an application and its members is in the target, and
///   not in the process.
/// - Each request sent is counted with [`Cx::count_request`].
/// - Faults, differences, assessments and `Debug` texts hold no values of Secrets.
#[async_trait]
pub trait Target: Debug + Send + Sync + 'static {
    /// What this target can do.
    fn capabilities(&self) -> Capabilities;

    /// Makes ids canonical, and says in which order the objects go and what they wait for. A kind that the target
    /// does not know is an answer ([`Placed::unresolved`]), not a fault. Answers in the order of `set`, one for each, and
    /// the same for the same manifest. Ranks and requirements never contradict each other.
    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault>;

    /// Reads live objects. What could not be read is named in [`Observation::unseen`]; it is never left out silently. The
    /// answer is not older than the call; only where this target's own watch would have told of a change may it be what
    /// that watch knows.
    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault>;

    /// Whether a live object is what the manifest states: pure. Fields that the manifest does not state count for
    /// nothing, nor do those that `rules` name. What was just applied is [`Comparison::InSync`], or
    /// [`Comparison::Unsure`], after a restart too; a stated field that somebody changed is never in sync.
    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison;

    /// Starts writing for an application: takes its lock and records the intent, so that a crash at any later instant
    /// leaves no object behind that nobody looks for. Fails with [`crate::Class::Denied`] when the record belongs to
    /// another source, and leaves it as it is. What is recorded is what [`AppRecord::begin`] makes of it.
    ///
    /// One session at a time writes for an application, in all processes: `begin` waits for the lock, or fails with a
    /// fault that may pass. The reach of the intent is added to what is recorded.
    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault>;

    /// What is recorded of an application; none if it was never deployed here.
    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault>;

    /// Hints about live objects of an application: level-triggered, coalesced and bounded. Where
    /// [`Capabilities::watches`] says so, a member that was as it was applied, and that others changed or deleted, is named,
    /// or is among [`Dirty::Everything`]; what nobody has read of yet is one hint. While changes cannot be seen, the stream says so,
    /// and afterwards nothing that changed meanwhile stays untold. Still a lost hint costs latency, never correctness.
    ///
    /// The stream lives until it is dropped, and may be older than the application's first deployment.
    fn watch(&self, app: &AppId) -> Events<Dirty>;
}

/// One application's time of writing. Dropped without [`finish`](Self::finish), the recorded reach stays wide, so that
/// the next session finds whatever this one left; the same target can begin again at once, and other processes when the
/// lock has run out, if it is one that does.
#[async_trait]
pub trait Session: Send + Sync {
    /// Does one step to one object, and returns when the target has stored it (and, where others cannot begin before,
    /// when it is ready for them). Several steps may run at once.
    ///
    /// If the object is not what [`Step::expect`] says, nothing is written: [`crate::Class::Precondition`]. Where a prune or
    /// a release finds that the object is gone, it may also be done without having written.
    ///
    /// Whoever expects an [exact](Expect::Exactly) state has seen whose the object is. A prune that expects an
    /// [incarnation](Expect::Same) alone deletes only members, and none that is marked to stay. A step that applies and has
    /// nothing to apply is [`crate::Class::Bug`]; one whose object could not be placed fails.
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault>;

    /// Records how it ended, as [`AppRecord::end`] says, and releases the lock. With [`End::forget`] the record goes.
    async fn finish(self: Box<Self>, cx: &Cx, end: &End) -> Result<(), Fault>;
}

/// What a target can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Target::watch`] reports changes; without it, the driver observes anew at every interval.
    pub watches: bool,
}

impl Capabilities {
    /// A target whose changes must be searched for.
    pub fn new() -> Self {
        Self::default()
    }

    /// The target reports changes.
    #[must_use]
    pub fn with_watches(mut self) -> Self {
        self.watches = true;
        self
    }
}

/// What comparing a manifest with a live object says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Comparison {
    /// Every field that is stated is live.
    InSync,
    /// These fields are not.
    Differs(Vec<Difference>),
    /// These fields are not, because the target itself stores them otherwise than stated. Applying again changes
    /// nothing.
    Overruled(Vec<Difference>),
    /// It takes the target to tell: an apply that changes nothing if nothing differs.
    Unsure,
}

/// What may have changed in a target.
#[derive(Debug)]
#[non_exhaustive]
pub enum Dirty {
    /// These objects.
    Objects(Vec<ResourceId>),
    /// Anything: events were lost, or too many to name.
    Everything,
    /// Changes cannot be seen for now. Another item follows when they can be seen again.
    Blind(Fault),
}
