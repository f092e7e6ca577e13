#![doc = include_str!("../README.md")]
//!
//! # How drift is seen
//!
//! Server-side apply answers with the object as it was stored. The fields that our field manager owns in that answer,
//! hashed, are its *fingerprint*: as long as it stays the same, nobody has changed anything that is ours, whatever else
//! happened to the object. A watch hashes each event in the same way, and tells only of those that changed the
//! fingerprint, the health, or the membership; the objects themselves are not kept. What an apply's answer has otherwise
//! than stated was decided by the cluster (an admission policy, for example): it is reported, and not fought.
//!
//! After a restart nothing is remembered. Then the annotation says whether what was applied last is what is desired; and
//! since whoever changes or removes a field takes it from its owner, what is still owned is as it was applied. So a
//! restart writes nothing where nothing has drifted.
//!
//! # When a kind is gone
//!
//! A kind that discovery does not show may be gone, or its server may be down. It counts as gone only when no
//! CustomResourceDefinition declares it and no other server is responsible for its group; otherwise, or if that cannot be
//! read, its objects are reported as not seen, and nothing of the kind is pruned.
//!
//! # Cargo features
//!
//! - `testing`: a private control plane for tests, on Unix.

mod apply;
mod cache;
mod compare;
mod connect;
mod discovery;
mod error;
mod events;
pub mod health;
mod hub;
mod list;
mod lock;
mod membership;
#[cfg(test)]
mod mock;
mod normalise;
mod observe;
mod order;
mod place;
mod queue;
mod record;
mod rest;
mod schemas;
mod session;
mod shared;
mod stamp;
mod target;
#[cfg(all(feature = "testing", unix))]
pub mod testing;
mod view;
mod watch;

pub use connect::{ConnectOptions, connect};
pub use error::KubeError;
pub use membership::{KEEP_ANNOTATION, PART_OF, STATE_ANNOTATION};
pub use shared::field_manager;
pub use target::{KubeTarget, KubeTargetBuilder};
