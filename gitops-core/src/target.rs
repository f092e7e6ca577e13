//! Where the desired state goes to.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use gitops_diff::{Difference, Fingerprint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AppId, Assessment, Cx, Digest, Events, Fault, FaultNote, GroupKind, IgnoreRules, Manifest, Outcome,
    ResourceId, Revision, Timestamp,
};

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

/// A manifest with its canonical id and its place in the order.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Placed {
    /// The manifest; its object is as it will be applied.
    pub manifest: Manifest,
    /// The canonical id.
    pub id: ResourceId,
    /// Objects of a lower rank go first; deletions in reverse.
    pub rank: i32,
    /// Objects that must be there first. Those that are not in the desired set count for nothing.
    pub requires: Vec<ResourceId>,
    /// Why the target cannot say what this is: its kind is unknown, or is not served. It is not applied, and nothing of
    /// its kind is pruned.
    pub unresolved: Option<FaultNote>,
    /// The digest of the object. Not shown to people: of a short Secret it is a guessing oracle.
    pub digest: Digest,
}

impl Placed {
    /// A manifest whose id is canonical as written, in rank 0.
    pub fn new(manifest: Manifest) -> Self {
        let (id, digest) = (manifest.id.clone(), Digest::of_value(&manifest.object));
        Self { manifest, id, rank: 0, requires: Vec::new(), unresolved: None, digest }
    }

    /// Sets the canonical id.
    #[must_use]
    pub fn with_id(mut self, id: ResourceId) -> Self {
        self.id = id;
        self
    }

    /// Sets the place in the order.
    #[must_use]
    pub fn with_rank(mut self, rank: i32) -> Self {
        self.rank = rank;
        self
    }

    /// Names what must be there first.
    #[must_use]
    pub fn with_requires(mut self, requires: Vec<ResourceId>) -> Self {
        self.requires = requires;
        self
    }

    /// Says why the target cannot place it.
    #[must_use]
    pub fn with_unresolved(mut self, why: FaultNote) -> Self {
        self.unresolved = Some(why);
        self
    }

    /// Replaces the object by the form in which it will be applied.
    #[must_use]
    pub fn with_object(mut self, object: Value) -> Self {
        self.digest = Digest::of_value(&object);
        self.manifest.object = Arc::new(object);
        self
    }
}

impl Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("id", &format_args!("{:#}", self.id))
            .field("place", &format_args!("{}", self.manifest.place))
            .field("rank", &self.rank)
            .field("requires", &self.requires)
            .field("unresolved", &self.unresolved)
            .finish_non_exhaustive()
    }
}

/// What to read of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observe {
    /// All members of the application, in every kind and namespace of its recorded reach, and these objects, whoever
    /// owns them.
    Everything {
        /// Objects that are desired.
        also: Vec<ResourceId>,
    },
    /// These objects only, whoever owns them. The answer says nothing about other members.
    Objects(Vec<ResourceId>),
}

/// What was read of a target.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The objects, each once. An id that was asked for and is not here does not exist, unless it is covered by
    /// `unseen`.
    pub live: Vec<Live>,
    /// What could not be read. There, absence means nothing: nothing is created, pruned or narrowed.
    pub unseen: Vec<Unseen>,
}

/// Objects that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// Their kind.
    pub kind: GroupKind,
    /// Their namespace; none for all of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Why.
    pub fault: FaultNote,
}

impl Unseen {
    /// Whether an object is among those that could not be read.
    pub fn covers(&self, id: &ResourceId) -> bool {
        self.kind == id.group_kind() && (self.namespace.is_none() || self.namespace == id.namespace)
    }
}

/// A live object, as far as planning needs it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Live {
    /// The canonical id.
    pub id: ResourceId,
    /// Which object, and which state of it.
    pub token: Token,
    /// Whose it is.
    pub owner: Owner,
    /// How it is doing.
    pub health: Assessment,
    /// Its content, where the target has it at hand.
    pub object: Option<Arc<Value>>,
    /// What is remembered of our last apply of it.
    pub memo: Option<Arc<Memo>>,
    /// Somebody marked it to stay: it is never pruned.
    pub keep: bool,
    /// Deleting it destroys more than itself (a namespace, a type definition, a volume): it is pruned only when the
    /// policy names its kind.
    pub precious: bool,
    /// It is being deleted already.
    pub terminating: bool,
    /// Its place in the order of deletions: objects of a higher rank go first.
    pub rank: i32,
}

impl Live {
    /// A healthy object that belongs to nobody.
    pub fn new(id: ResourceId, token: Token) -> Self {
        Self {
            id,
            token,
            owner: Owner::Nobody,
            health: Assessment::new(crate::Health::Healthy),
            object: None,
            memo: None,
            keep: false,
            precious: false,
            terminating: false,
            rank: 0,
        }
    }
}

impl Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("id", &format_args!("{:#}", self.id))
            .field("token", &self.token)
            .field("owner", &self.owner)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// What a target remembers of the last apply of an object, and what the object is now: enough to see drift without the
/// object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memo {
    /// The digest of the desired object that was applied ([`Placed::digest`]).
    pub desired: Digest,
    /// The fields we own, as they were stored by that apply.
    pub applied: Fingerprint,
    /// The fields we own, as they are now.
    pub now: Fingerprint,
    /// Fields that were stored otherwise than stated (by admission, for example).
    pub overruled: Vec<Difference>,
}

/// Which object, and which state of it. Compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token {
    /// Changes when the object is deleted and created again (a UID).
    pub incarnation: Arc<str>,
    /// Changes with every write (a resourceVersion).
    pub version: Arc<str>,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Owner {
    /// The application that asks.
    This,
    /// Another application.
    Other(AppId),
    /// No application.
    Nobody,
    /// It bears an application's mark, but not the proof: somebody copied a label. It belongs to nobody, and is never
    /// pruned.
    Unproven,
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

/// What one step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Create what is absent.
    Create,
    /// Put back what differs in an object of ours.
    Update,
    /// Take over an object that exists and is not ours.
    Adopt,
    /// Delete a member that is no longer desired.
    Prune,
    /// Give a member up: remove our mark and our ownership, and leave the object as it is.
    Release,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Prune => "prune",
            Self::Release => "release",
        })
    }
}

/// What must be true of the live object for a step to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It is this incarnation, in whatever state.
    Same(Arc<str>),
    /// It is this incarnation in this state.
    Exactly(Token),
}

/// One thing to do to one object.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step {
    /// The canonical id.
    pub id: ResourceId,
    /// What to do.
    pub action: Action,
    /// On which condition.
    pub expect: Expect,
    /// What to apply; none for [`Action::Prune`] and [`Action::Release`].
    pub desired: Option<Arc<Placed>>,
}

impl Step {
    /// A step to take.
    pub fn new(id: ResourceId, action: Action, expect: Expect, desired: Option<Arc<Placed>>) -> Self {
        Self { id, action, expect, desired }
    }
}

/// What a step did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Done {
    /// The object as it is now; none if it is gone.
    pub live: Option<Live>,
    /// Whether anything was changed.
    pub wrote: bool,
    /// Fields that were stored otherwise than stated.
    pub overruled: Vec<Difference>,
    /// What the target tells about it (warnings of the API server, for example), without Secrets.
    pub notes: Vec<String>,
}

impl Done {
    /// A step that left `live`, and `wrote` or not.
    pub fn new(live: Option<Live>, wrote: bool) -> Self {
        Self { live, wrote, ..Self::default() }
    }
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

/// Kinds and namespaces in which an application has, or may have, members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(pub BTreeSet<ReachEntry>);

/// One kind in one namespace, at the version in which it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReachEntry {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The version at which its objects are read.
    pub version: String,
    /// The namespace; none for a kind without namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl ReachEntry {
    /// Where an object lies.
    pub fn of(placed: &Placed) -> Self {
        Self {
            group: placed.id.group.clone(),
            kind: placed.id.kind.clone(),
            version: placed.manifest.version.clone(),
            namespace: placed.id.namespace.clone(),
        }
    }

    /// Whether an object lies here.
    pub fn holds(&self, id: &ResourceId) -> bool {
        self.group == id.group && self.kind == id.kind && self.namespace == id.namespace
    }
}

/// What is about to be done to an application, recorded before the first write.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Intent {
    /// [`crate::Source::identity`].
    pub source: String,
    /// The revision that is attempted; none to remove the application.
    pub revision: Option<Revision>,
    /// Where members will be. The target records this together with what it had recorded already.
    pub reach: Reach,
}

impl Intent {
    /// An intent to bring a revision of a source in force.
    pub fn new(source: impl Into<String>, revision: Option<Revision>, reach: Reach) -> Self {
        Self { source: source.into(), revision, reach }
    }
}

/// How a session ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct End {
    /// The revision that is now wholly in force, if one is.
    pub applied: Option<Revision>,
    /// Where members may be from now on; the target replaces what it had recorded. None leaves it wide.
    pub reach: Option<Reach>,
    /// How each object ended.
    pub outcomes: Vec<Outcome>,
    /// When.
    pub at: Timestamp,
    /// The application has no members any more: forget it.
    pub forget: bool,
}

impl End {
    /// An end at a time, with the outcomes of the objects.
    pub fn new(at: Timestamp, outcomes: Vec<Outcome>) -> Self {
        Self { applied: None, reach: None, outcomes, at, forget: false }
    }
}

/// What a target has recorded of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// The source it belongs to.
    pub source: String,
    /// The revision that was last attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<Revision>,
    /// The revision that was last wholly in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Revision>,
    /// Where its members may be.
    pub reach: Reach,
    /// How each object of the last session ended; may be cut to what fits.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// When the last session ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}
