//! What an application may do to its target.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{GroupKind, IgnoreRules};

/// What an application may do to its target. The default creates and updates, adopts nothing and deletes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// Whether members that are no longer desired are deleted.
    pub prune: Prune,
    /// Kinds that may be pruned although deleting one destroys more than itself: namespaces, type definitions, volume
    /// claims.
    pub prune_kinds: BTreeSet<GroupKind>,
    /// What to do with an object that exists and is not ours.
    pub adoption: Adoption,
    /// Whether drift is only reported.
    pub drift: DriftPolicy,
    /// Fields to leave to others although Git states them.
    pub ignore: IgnoreRules,
}

/// Whether members that are no longer desired are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prune {
    /// They stay, and are reported.
    #[default]
    Never,
    /// They are deleted. A plan that would delete all members, or more than 10 and more than `max_percent` of them, or one
    /// whose deletion destroys more than itself, waits for approval.
    Guarded {
        /// The share of members, in percent.
        max_percent: u8,
    },
    /// They are deleted, however many.
    Unguarded,
}

impl Prune {
    /// The guard that most applications want: 20 %.
    pub const GUARDED: Self = Self::Guarded { max_percent: 20 };
}

/// What to do with a desired object that exists and is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Adoption {
    /// Report a conflict, and leave it as it is.
    #[default]
    Never,
    /// Take it over if it belongs to no application.
    Unowned,
    /// Take it over, whoever owns it.
    Any,
}

/// What to do about drift: a live object that differs from the revision in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftPolicy {
    /// Put it back.
    #[default]
    Heal,
    /// Report it; it is put back with the next revision, or by a sync that a person asks for.
    Report,
}
