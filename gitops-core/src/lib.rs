//! The GitOps engine.
#![forbid(unsafe_code)]

mod application;
mod clock;
mod cx;
pub mod decode;
mod desired;
mod digest;
mod driver;
mod event;
mod execute;
mod fault;
mod health;
mod id;
mod ignore;
mod manifest;
mod memory;
mod outcome;
mod ownership;
mod path;
mod plan;
mod policy;
mod render;
mod report;
mod revision;
#[cfg(feature = "signal")]
mod signal;
mod source;
mod status;
mod target;

pub use application::{Application, ApplicationBuilder, ApplicationError};
pub use async_trait::async_trait;
pub use clock::{Clock, Dice, ManualClock, SystemClock};
pub use cx::{Cx, NoProgress, Progress};
pub use desired::Desired;
pub use digest::{Digest, InvalidDigest};
pub use driver::{Backoff, BuildError, Handle, Reconciler, ReconcilerBuilder, Removal, SyncError};
pub use event::{Event, EventKind, EventStream, Trigger};
pub use execute::{Execution, OnOutcome, execute};
pub use fault::{Class, Fault, FaultNote, one_line};
pub use gitops_diff as diff;
pub use health::{Assessment, Health, HealthRule, assess};
pub use id::{AppId, GroupKind, InvalidAppId, ResourceId};
pub use ignore::{IgnoreRule, IgnoreRules};
pub use jiff::Timestamp;
pub use manifest::{Manifest, ManifestError, Place};
pub use memory::{Effect, FaultRule, Faults, MemoryCluster, MemorySource, MemoryTarget, Operation, Scope};
pub use outcome::{Outcome, Verdict};
pub use ownership::{FieldOwner, compare_owned};
pub use path::{InvalidPath, RepoPath};
pub use plan::{Approval, Decision, Goal, Guard, Inputs, Item, KeepReason, Plan, PlanDisplay, plan};
pub use policy::{Adoption, DriftPolicy, Policy, Prune};
pub use render::{PlainManifests, Render};
pub use report::{Counts, SyncReport};
pub use revision::{Person, Provenance, RefSpec, Revision};
pub use source::{Entry, EntryKind, Events, Snapshot, Source, TreeId};
pub use status::{Status, SyncState};
pub use target::{
    Action, AppRecord, Capabilities, Comparison, Dirty, Done, End, Expect, Intent, Live, Memo, Observation,
    Observe, Owner, Placed, Reach, ReachEntry, Session, Step, Target, Token, Unseen,
};
