//! What is to be fetched.

use gitops_core::Revision;

use crate::GitError;
use crate::mirror::Depth;
use crate::reference::commit_id;
#[cfg(feature = "verify")]
use crate::verify::InForce;

/// A commit, and what must be known of it.
pub(crate) struct Wanted {
    pub(crate) id: gix::ObjectId,
    /// How much of its history to fetch with it.
    pub(crate) depth: Depth,
    /// Whether it is of no use without its history.
    pub(crate) needs_history: bool,
    pub(crate) reference: Option<String>,
    /// Whether a commit is made on it: then it is no news of where the reference points to, which somebody else may follow.
    pub(crate) is_built_upon: bool,
    /// The annotated tag that the reference points to.
    pub(crate) tag: Option<gix::ObjectId>,
    #[cfg(feature = "verify")]
    pub(crate) in_force: Option<InForce>,
    /// Whether it is only read, and not put in force: then nobody need have signed it.
    #[cfg(feature = "verify")]
    pub(crate) is_only_read: bool,
}

impl Wanted {
    pub(crate) fn new(revision: &Revision, in_force: Option<&Revision>) -> Result<Self, GitError> {
        let provenance = revision.provenance.as_deref();
        #[cfg(not(feature = "verify"))]
        let _ = in_force;
        Ok(Self {
            id: commit_id(&revision.id)?,
            depth: Depth::Whole,
            needs_history: false,
            is_built_upon: false,
            reference: provenance.and_then(|provenance| provenance.reference.clone()),
            tag: provenance.and_then(|provenance| provenance.tag.as_deref()).map(commit_id).transpose()?,
            #[cfg(feature = "verify")]
            in_force: in_force.map(InForce::new).transpose()?,
            #[cfg(feature = "verify")]
            is_only_read: false,
        })
    }

    /// It is only read. Nothing is noted then of where its reference points to, which nobody has verified.
    pub(crate) fn only_read(&mut self) {
        (self.reference, self.tag) = (None, None);
        #[cfg(feature = "verify")]
        {
            self.is_only_read = true;
        }
    }

    /// A commit is made on it, since a reference points to it.
    #[cfg(feature = "write")]
    pub(crate) fn build_upon(&mut self, reference: &str) {
        (self.reference, self.is_built_upon) = (Some(reference.to_owned()), true);
    }

    /// How errors name it.
    pub(crate) fn shown(&self) -> String {
        self.reference.clone().unwrap_or_else(|| self.id.to_string())
    }
}
