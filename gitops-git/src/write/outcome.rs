//! What came of a commit.

use std::fmt;

use gitops_core::Revision;

use super::differing::Difference;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// There is a new commit.
    Written(Written),
    /// On the tip, there is nothing to change: no commit was made.
    Unchanged {
        /// The tip.
        tip: Revision,
    },
}

impl Outcome {
    /// The commit, if there is one.
    pub fn written(self) -> Option<Written> {
        match self {
            Self::Written(written) => Some(written),
            Self::Unchanged { .. } => None,
        }
    }
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Written {
    /// The commit.
    pub commit: Revision,
    /// The commit before it.
    pub parent: Revision,
    /// The full name of the reference that points to it.
    pub reference: String,
    /// The files in which it differs from the commit before it, by path.
    pub changed: Vec<ChangedFile>,
    /// The commit's message, with its trailers.
    pub message: String,
    /// How many commits were made until one landed; more than one after a lost race.
    pub attempts: u32,
    /// Whether it was pushed: not in a dry run.
    pub pushed: bool,
    /// A dry run says how the files differ, in the unified format (`git diff`). It is what the files hold, and nothing is
    /// escaped.
    pub diff: Option<String>,
}

/// A file that a commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedFile {
    /// Its path; what is no UTF-8 of it is replaced.
    pub path: String,
    /// What happens to it.
    pub kind: FileChange,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileChange {
    /// It is new.
    Added,
    /// Its content or its mode is another.
    Modified,
    /// It is there no more.
    Deleted,
}

impl FileChange {
    /// `added`, `modified` or `deleted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

/// The letter of `git diff --name-status`, and the path.
impl fmt::Display for ChangedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            FileChange::Added => 'A',
            FileChange::Modified => 'M',
            FileChange::Deleted => 'D',
        };
        write!(f, "{letter} {}", self.path)
    }
}

impl From<&Difference> for ChangedFile {
    fn from(difference: &Difference) -> Self {
        let kind = match (difference.old, difference.new) {
            (None, _) => FileChange::Added,
            (_, None) => FileChange::Deleted,
            _ => FileChange::Modified,
        };
        Self { path: difference.path.to_string(), kind }
    }
}
