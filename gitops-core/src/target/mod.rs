//! Where the desired state goes to.

mod live;
mod placed;
mod record;
mod step;

use std::fmt::Debug;

use async_trait::async_trait;
use gitops_diff::Difference;

pub use live::{Live, Memo, Observation, Observe, Owner, Token, Unseen};
pub use placed::Placed;
pub use record::{AppRecord, End, Intent, Reach, ReachEntry};
pub use step::{Action, Done, Expect, Step};

use crate::{AppId, Cx, Events, Fault, IgnoreRules, Manifest, ResourceId};

/// A system that holds live objects: a cluster, a DNS zone, a database. One value per system, shared by all
/// applications that deploy to it.
///
/// # Contract
/// - Only [`begin`](Self::begin) and the [`Session`] it returns write.
/// - Every wait ends by the context's deadline or its cancellation. A write whose answer was lost is
///   [`crate::Class::OutcomeUnknown`], never success and never a definite failure.
/// - Each request sent is counted with [`Cx::count_request`].
/// - Faults, differences and assessments hold no values of Secrets.
#[async_trait]
pub trait Target: Debug + Send + Sync + 'static {
    /// What this target can do.
    fn capabilities(&self) -> Capabilities;

    /// Makes ids canonical, and says in which order the objects go and what they wait for. A kind that the target
    /// does not know is an answer ([`Placed::unresolved`]), not a fault. Answers in the order of `set`.
    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault>;

    /// Reads live objects. What could not be read is named in [`Observation::unseen`]; it is never left out silently.
    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault>;

    /// Whether a live object is what the manifest states: pure. Fields that the manifest does not state count for
    /// nothing, nor do those that `rules` name.
    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison;

    /// Starts writing for an application: takes its lock and records the intent, so that a crash at any later instant
    /// leaves no object behind that nobody looks for. Fails with [`crate::Class::Denied`] when the record belongs to
    /// another source.
    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault>;

    /// What is recorded of an application; none if it was never deployed here.
    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault>;

    /// Hints about live objects of an application: level-triggered, coalesced and bounded. A lost hint costs latency,
    /// never correctness. The stream lives until it is dropped.
    fn watch(&self, app: &AppId) -> Events<Dirty>;
}

/// One application's time of writing. Dropped without [`finish`](Self::finish), the recorded reach stays wide, so that
/// the next session finds whatever this one left.
#[async_trait]
pub trait Session: Send + Sync {
    /// Does one step to one object, and returns when the target has stored it (and, where others cannot begin before,
    /// when it is ready for them). Several steps may run at once.
    ///
    /// If the object is not what [`Step::expect`] says, nothing is written: [`crate::Class::Precondition`].
    async fn run(&self, cx: &Cx, step: &Step) -> Result<Done, Fault>;

    /// Records how it ended, narrows the reach, and releases the lock.
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
