//! How an application is doing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AppId, Digest, FaultNote, Health, Revision, Timestamp};

/// How an application is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The application.
    pub app: AppId,
    /// Whether the target is as Git wants it.
    pub sync: SyncState,
    /// The worst health of its objects.
    pub health: Health,
    /// The revision that was last attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<Revision>,
    /// The revision that was last wholly brought in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Revision>,
    /// Objects of the desired state in force.
    pub objects: usize,
    /// Why the last attempt did not wholly succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultNote>,
    /// The plan that waits for somebody's approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_approval: Option<Digest>,
    /// Whether somebody suspended it.
    pub suspended: bool,
    /// When the last sync ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Timestamp>,
}

impl Status {
    pub(crate) fn new(app: AppId) -> Self {
        Self {
            app,
            sync: SyncState::Unknown,
            health: Health::Unknown,
            attempted: None,
            applied: None,
            objects: 0,
            error: None,
            needs_approval: None,
            suspended: false,
            synced_at: None,
        }
    }
}

/// Whether the target is as Git wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SyncState {
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
    /// Nobody has looked yet, or not everything could be read.
    #[default]
    Unknown,
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}", self.app, self.sync, self.health)?;
        if let Some(applied) = &self.applied {
            write!(f, ", at {applied}")?;
        }
        if self.suspended {
            f.write_str(", suspended")?;
        }
        if let Some(digest) = &self.needs_approval {
            write!(f, ", waits for approval of {digest:.12}")?;
        }
        match &self.error {
            Some(error) => write!(f, ", {error}"),
            None => Ok(()),
        }
    }
}
