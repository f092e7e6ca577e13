//! The GitOps engine.
#![forbid(unsafe_code)]

mod clock;
mod cx;
mod digest;
mod fault;
mod health;
mod id;
mod ignore;
mod manifest;
mod outcome;
mod path;
mod render;
mod revision;
mod source;
mod target;

pub use async_trait::async_trait;
pub use clock::{Clock, Dice, ManualClock, SystemClock};
pub use cx::{Cx, NoProgress, Progress};
pub use digest::{Digest, InvalidDigest};
pub use fault::{Class, Fault, FaultNote, one_line};
pub use gitops_diff as diff;
pub use health::{Assessment, Health, HealthRule, assess};
pub use id::{AppId, GroupKind, InvalidAppId, ResourceId};
pub use ignore::{IgnoreRule, IgnoreRules};
pub use jiff::Timestamp;
pub use manifest::{Manifest, ManifestError, Place};
pub use outcome::{Outcome, Verdict};
pub use path::{InvalidPath, RepoPath};
pub use render::Render;
pub use revision::{Person, Provenance, RefSpec, Revision};
pub use source::{Entry, EntryKind, Events, Snapshot, Source, TreeId};
pub use target::{
    Action, AppRecord, Capabilities, Comparison, Dirty, Done, End, Expect, Intent, Live, Memo, Observation, Observe,
    Owner, Placed, Reach, ReachEntry, Session, Step, Target, Token, Unseen,
};
