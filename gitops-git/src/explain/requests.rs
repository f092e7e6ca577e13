//! The questions that a [`GitSource`] answers about its history.

use gitops_core::diff::FieldPath;
use gitops_core::{Cx, Fault, RepoPath, ResourceId, Revision};

use super::blame::{Blame, BlameOptions, blame};
use super::changes::{Changes, changes};
use super::history::History;
use super::options::HistoryOptions;
use crate::source::GitSource;
use crate::stop;

impl GitSource {
    /// The commits that led to a revision, newest first. What the mirror lacks is fetched.
    ///
    /// ```no_run
    /// # async fn example(source: gitops_git::GitSource) -> Result<(), Box<dyn std::error::Error>> {
    /// use gitops_core::{Cx, RefSpec, RepoPath, Source};
    /// use gitops_git::HistoryOptions;
    /// use std::time::Duration;
    ///
    /// let cx = Cx::with_timeout(Duration::from_secs(60));
    /// let revision = source.resolve(&cx, &RefSpec::Default).await?;
    /// let options = HistoryOptions::new().with_path(RepoPath::new("apps/shop")?).with_first_parent(true);
    /// let mut history = source.history(&cx, &revision, options).await?;
    /// while let Some(commit) = history.next(&cx).await? {
    ///     println!("{} {} {}", &commit.id[..7], commit.author.name, commit.subject());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](gitops_core::Class::NotFound) if the repository does not have the revision, or the one that
    /// [`HistoryOptions::with_from`] names; what fetching can fail with.
    pub async fn history(
        &self,
        cx: &Cx,
        revision: &Revision,
        options: HistoryOptions,
    ) -> Result<History, Fault> {
        if let Some(from) = &options.from {
            self.open(cx, &Revision::new(from)).await?;
        }
        let snapshot = self.open(cx, revision).await?;
        let place = snapshot.place();
        stop::run(cx, move |_| History::new(snapshot, options)).await.map_err(|error| error.at(place))
    }

    /// The objects in which two revisions differ, in plain manifests at and below a path. Only files that differ are read;
    /// one that cannot be decoded is an entry of its own.
    ///
    /// Objects are matched by their ids as written, wherever they are: moving one to another file is no change. The older
    /// revision need not be an ancestor of the newer.
    ///
    /// # Errors
    /// [`NotFound`](gitops_core::Class::NotFound) if there is no such revision, or neither of them has anything at the
    /// path; what fetching can fail with.
    pub async fn changes(
        &self,
        cx: &Cx,
        from: &Revision,
        to: &Revision,
        path: &RepoPath,
    ) -> Result<Changes, Fault> {
        // Only the id: it was asked for as it is, and no reference leads to it.
        let from = self.open(cx, &Revision::new(&from.id)).await?.commit();
        let (to, path) = (self.open(cx, to).await?, path.clone());
        let place = to.place();
        let work = move |stop: &stop::Stop| {
            let reader = to.reader()?;
            let done = reader
                .node(from)
                .and_then(|from| changes(&reader, &from, &reader.node(to.commit())?, &path, stop));
            done.inspect_err(|error| to.suspect(error))
        };
        stop::run(cx, work).await.map_err(|error| error.at(place))
    }

    /// The commit that last set the value that a field has at a revision: in the object `id`, written in some plain
    /// manifest at or below `path`. None if the field was never there.
    ///
    /// # Which commit that is
    /// From the revision, the walk goes on to the first parent, in the commit's order, at which the field has the same
    /// value; the first commit that has no such parent is the answer. The value of a field that is not there is *none*,
    /// also before the first commit. So
    /// - a commit that moves the object to another file, or writes the same value in another way, is not the answer;
    /// - a merge that brings the value in from a branch is not, but the commit on the branch is; a merge that makes up a
    ///   value of its own is;
    /// - a revert is, though the value was there before;
    /// - a field that is gone is answered with the commit that took it away.
    ///
    /// A commit that does not have the object in a file in which it differs from a parent, while one of these files cannot be
    /// decoded, says nothing of the object, and counts as the same as that parent: broken revisions are never in force. Where
    /// that is so of the parent, the parent's own first parent is compared with, and so on. With
    /// [`first_parent`](BlameOptions::with_first_parent), merges have no other parents. The root of the object
    /// ([`FieldPath::root`]) asks for the whole of it.
    ///
    /// # Errors
    /// As in [`history`](Self::history).
    pub async fn blame(
        &self,
        cx: &Cx,
        revision: &Revision,
        path: &RepoPath,
        id: &ResourceId,
        field: &FieldPath,
        options: BlameOptions,
    ) -> Result<Option<Blame>, Fault> {
        let snapshot = self.open(cx, revision).await?;
        let place = snapshot.place();
        let (path, id, field) = (path.clone(), id.clone(), field.clone());
        let work = move |stop: &stop::Stop| {
            let done = blame(&snapshot, path, id, field, &options, stop);
            done.inspect_err(|error| snapshot.suspect(error))
        };
        stop::run(cx, work).await.map_err(|error| error.at(place))
    }
}
