//! What the writer needs of its source: the mirror, and the commits in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Cx, Fault, Revision, Source as _};

use super::WriteError;
use crate::mirror::{Depth, Repository};
use crate::source::GitSource;
use crate::stop;
use crate::wanted::Wanted;
use crate::{GitError, reference::Want, refs, remote::Remote};

/// How long a caller waits, whose commit has landed, for that to be kept.
const KEEPING: Duration = Duration::from_secs(5);

/// A commit that must be in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) id: gix::ObjectId,
    pub(super) role: Role,
}

/// What a commit is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that is made comes after it, and it is the tip of the branch that is written.
    Tip,
    /// The one that is made comes after it, and it is the tip of the branch that a new one is made from.
    Onto,
    /// The server named it as a tip, and it is only read.
    Seen,
    /// The caller named it, and it is only read.
    Named,
}

impl Role {
    /// Whether it has to be trusted where signatures are verified.
    pub(super) fn is_base(self) -> bool {
        matches!(self, Self::Tip | Self::Onto)
    }
}

impl GitSource {
    pub(super) fn remote(&self) -> &Remote {
        &self.inner.settings.remote
    }

    /// In which mirror a commit is looked for, if all that is needed is the files of commits.
    pub(super) fn shallow_depth(&self) -> Depth {
        if self.inner.settings.shallow { Depth::Commit } else { Depth::Whole }
    }

    /// The mirror's repository as it is, opened or made if need be.
    pub(super) async fn repository(&self, cx: &Cx, depth: Depth) -> Result<Arc<Repository>, Fault> {
        let mut mirror = cx.bound("the mirror", self.inner.slot(depth).clone().lock_owned()).await?;
        let inner = self.inner.clone();
        stop::run(cx, move |_| inner.mirror(&mut mirror, depth).map(|mirror| mirror.as_it_is()))
            .await
            .map_err(|error| error.at("the mirror"))
    }

    /// Has a commit in the mirror, fetched and verified as far as that is needed.
    pub(super) async fn obtain_for_writing(
        &self,
        cx: &Cx,
        needed: Needed,
        depth: Depth,
        reference: &str,
    ) -> Result<(), Fault> {
        let mut wanted =
            Wanted::new(&Revision::new(needed.id.to_string()), None).map_err(|error| error.at(reference))?;
        wanted.depth = depth;
        if needed.role.is_base() {
            wanted.build_upon(reference);
        }
        if self.verifies() && !(needed.role.is_base() && self.verifies_tips()) {
            wanted.only_read();
        }
        self.read_in(cx, wanted).await.map(drop)
    }

    /// Whether a commit that is made on a tip must not be made on one that is not signed: it would vouch for that.
    #[cfg(feature = "verify")]
    pub(super) fn verifies_tips(&self) -> bool {
        // Where a tag vouches, it vouches for no tip of a branch.
        self.inner.settings.verification.as_ref().is_some_and(|verification| !verification.mode.needs_tag())
    }

    #[cfg(not(feature = "verify"))]
    #[expect(clippy::unused_self, reason = "with the feature, it depends")]
    pub(super) fn verifies_tips(&self) -> bool {
        false
    }

    /// Keeps what was pushed in the mirror, if that is the one that it was made with, and nobody is busy with it.
    pub(super) async fn keep_pushed(
        &self,
        cx: &Cx,
        depth: Depth,
        made_with: Arc<Repository>,
        pack: Arc<Vec<u8>>,
    ) -> Result<(), WriteError> {
        let cx = &cx.within(KEEPING);
        let locked = cx.bound("the mirror", self.inner.slot(depth).clone().lock_owned()).await;
        let mut mirror = locked.map_err(WriteError::Edit)?;
        stop::run(cx, move |stop| {
            let Some(mirror) = &mut *mirror else { return Ok(()) };
            if Arc::ptr_eq(&mirror.as_it_is(), &made_with) {
                super::pack::keep(&pack, made_with.path(), stop)
                    .map_err(|error| GitError::Damaged { detail: crate::error::chain(&error) })?;
                mirror.tidy(stop)?;
            }
            Ok(())
        })
        .await
        .map_err(WriteError::Git)
    }

    /// Where branches point to, asked of the part of the server that is read from.
    pub(super) async fn tips(
        &self,
        cx: &Cx,
        names: Vec<String>,
    ) -> Result<HashMap<String, gix::ObjectId>, WriteError> {
        let inner = self.inner.clone();
        let asked = stop::run(cx, move |stop| {
            let mut tips = HashMap::new();
            for name in names {
                match refs::tip(&inner.settings.remote, &Want::Reference(name.clone()), stop) {
                    Ok(tip) => drop(tips.insert(name, tip.id)),
                    Err(GitError::ReferenceNotFound { .. } | GitError::EmptyRepository { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(tips)
        });
        asked.await.map_err(WriteError::Git)
    }
}
