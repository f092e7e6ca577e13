//! The GitOps engine: what Git states becomes what is live, and stays so.
//!
//! An [`Application`] says what is deployed from where to where, and a [`Reconciler`] keeps it so: it polls the source,
//! renders, plans, applies, watches, and puts back what drifts. Everything is told by [`Event`]s. This crate holds the logic
//! and needs no Git and no cluster: those are behind the traits [`Source`] and [`Target`], which other crates, or you,
//! implement. The ones here live in memory, and behave like the real ones.
//!
//! ```
//! use gitops_core::{Application, MemoryCluster, MemorySource, MemoryTarget, Prune, Reconciler, ResourceId};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
//! let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
//! source.commit("Ada", "first release", [("apps/shop/namespace.yaml", Some(shop))])?;
//!
//! let app = Application::builder("shop", source, MemoryTarget::new(cluster.clone()))
//!     .with_path("apps/shop")
//!     .with_prune(Prune::GUARDED)
//!     .build()?;
//! let reconciler = Reconciler::builder().with_application(app).build()?;
//!
//! let plan = reconciler.plan("shop").await?; // reads only
//! println!("{}\nplan {}", plan.display().unified(), plan.digest());
//! let report = reconciler.apply(plan.approve("ada")).await?; // a stale plan is an error that says what moved
//! assert_eq!(report.counts.created, 1);
//! assert!(cluster.get(&ResourceId::global("", "Namespace", "shop")).is_some());
//! // To keep it so for ever: `reconciler.run().await?`, with `reconciler.subscribe()` for what happens.
//! # Ok(())
//! # }
//! ```
//!
//! # The way of the data
//!
//! 1. **Source.** [`Source::resolve`] says which [`Revision`] is wanted, [`Source::fetch`] makes it readable as a
//!    [`Snapshot`]. [`MemorySource`] is one.
//! 2. **Render.** A [`Render`] turns files into [`Manifest`]s; [`PlainManifests`] reads them as they are written, with
//!    [`decode`]. [`Target::place`] makes ids canonical, and all together are the [`Desired`] state.
//! 3. **Plan.** [`Target::observe`] reads what is [`Live`]. [`plan`] compares the two under a [`Policy`]: a pure function,
//!    whose [`Plan`] has a decision and a reason for each object, and a digest that a person can [approve](Approval).
//!    [`Target::compare`] says whether one object differs.
//! 4. **Apply.** [`execute`] carries a plan out through a [`Session`], with an [`Outcome`] for every object.
//! 5. **Driver.** [`Reconciler`] decides when all this happens, [`Handle`] steers it, [`Event`] and [`Status`] tell of it.
//!
//! Errors that cross a trait are [`Fault`]s: their [`Class`] decides what happens next. Time, waits and chance come from
//! [`Clock`], tokio's timers and [`Dice`], so that a test decides about all three.
//!
//! # Features
//!
//! - `jq`: [`IgnoreRules`] may hold jq expressions.
//! - `signal`: `Reconciler::shutdown_on_signal`.
//! - `testing`: the module `testing`, with the contracts of [`Target`] and [`Source`] as suites of tests.
#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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
#[cfg(feature = "testing")]
pub mod testing;
mod versions;

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
pub use memory::{
    Effect, FaultRule, Faults, MemoryCluster, MemorySource, MemoryTarget, ObjectEvent, Operation, Scope,
};
pub use outcome::{Outcome, Verdict};
pub use path::{InvalidPath, RepoPath};
pub use plan::{Approval, Decision, Goal, Guard, Inputs, Item, KeepReason, Plan, PlanDisplay, plan};
pub use policy::{Adoption, DriftPolicy, Policy, Prune};
pub use render::{PlainManifests, Render};
pub use report::{Counts, SyncReport};
pub use revision::{Person, Provenance, RefSpec, Revision, Signer};
pub use source::{Entry, EntryKind, Events, Instance, Snapshot, Source, TreeId};
pub use status::{Status, SyncState};
pub use target::{
    Action, AppRecord, Capabilities, Change, Comparison, Deployment, Deployments, Dirty, Done, Drift, End,
    Expect, Good, Healed, Holds, Intent, Live, Memo, Observation, Observe, Older, Owner, Placed, Reach,
    ReachEntry, Session, Step, Target, Token, Unseen,
};
pub use versions::{InvalidRange, VersionRange};
