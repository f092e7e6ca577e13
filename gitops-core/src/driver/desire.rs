//! From the source to the desired state.

use std::sync::Arc;

use super::cell::{Cell, Recorded, Rendered, State};
use crate::render::Recorder;
use crate::{Class, Cx, Desired, EventKind, Fault, Manifest, Revision, Snapshot};

/// Why there is no desired state.
#[derive(Debug)]
pub(super) enum NotDesired {
    /// The source, or what is written in it.
    Source(Fault),
    /// The target, which was asked what the manifests are.
    Target(Fault),
}

impl From<Fault> for NotDesired {
    fn from(fault: Fault) -> Self {
        Self::Source(fault)
    }
}

impl From<NotDesired> for Fault {
    fn from(why: NotDesired) -> Self {
        match why {
            NotDesired::Source(fault) | NotDesired::Target(fault) => fault,
        }
    }
}

impl Cell {
    /// The desired state at a revision: fetched, rendered and placed, as far as that was not done already.
    pub(super) async fn desire(
        &self,
        state: &mut State,
        cx: &Cx,
        revision: &Revision,
    ) -> Result<Arc<Desired>, NotDesired> {
        let key = self.app.render.key();
        if let Some(rendered) = &state.rendered
            && rendered.key == key
            && rendered.desired.revision() == revision
            && !has_unresolved(&rendered.desired)
        {
            return Ok(rendered.desired.clone());
        }
        let in_force = match &state.in_force {
            _ if !self.app.source.verifies() => None,
            Some(desired) => Some(desired.revision().clone()),
            None => self.recorded(state, cx).await.map_err(NotDesired::Target)?.attempted.clone(),
        };
        let fetching = self.app.source.fetch_after(cx, revision, in_force.as_ref());
        let snapshot = cx.bound("fetching the source", fetching).await??;
        let revision = snapshot.revision().clone();
        if let Some(from) = revision.provenance.as_ref().and_then(|provenance| provenance.rewrote.clone()) {
            self.emit(EventKind::HistoryRewritten { revision: revision.clone(), from });
        }
        if let Some(rendered) = &mut state.rendered
            && rendered.key == key
            && !has_unresolved(&rendered.desired)
            && unchanged(cx, &rendered.reads, &snapshot).await?
        {
            rendered.desired = Arc::new((*rendered.desired).clone().at(revision));
            return Ok(rendered.desired.clone());
        }
        let (manifests, reads) = self.render(cx, snapshot).await?;
        for manifest in manifests.iter().filter(|manifest| !manifest.stripped.is_empty()) {
            self.emit(EventKind::FieldsStripped {
                id: manifest.id.clone(),
                place: manifest.place.to_string(),
                fields: manifest.stripped.clone(),
            });
        }
        let count = manifests.len();
        let placed = cx
            .bound("placing manifests", self.app.target.place(cx, manifests))
            .await
            .and_then(|placed| placed)
            .map_err(NotDesired::Target)?;
        if placed.len() != count {
            let fault =
                Fault::new(Class::Bug, format!("the target placed {} of {count} manifests", placed.len()));
            return Err(NotDesired::Target(fault));
        }
        let desired =
            Arc::new(Desired::new(revision, placed).map_err(crate::decode::DecodeErrors::into_fault)?);
        state.rendered = Some(Rendered { key, reads, desired: desired.clone() });
        Ok(desired)
    }

    /// Renders off the async threads. When this future is dropped, the context's cancellation ends the work.
    async fn render(
        &self,
        cx: &Cx,
        snapshot: Arc<dyn Snapshot>,
    ) -> Result<(Vec<Manifest>, crate::render::Reads), Fault> {
        let (render, path) = (self.app.render.clone(), self.app.path.clone());
        let child = cx.clone().with_cancel(cx.cancel.child_token());
        let _stop_when_dropped = child.cancel.clone().drop_guard();
        let work = tokio::task::spawn_blocking(move || {
            let recorder = Recorder::new(&*snapshot);
            let manifests = render.render(&child, &recorder, &path)?;
            Ok((manifests, recorder.into_reads()))
        });
        match cx.bound("render", work).await? {
            Ok(rendered) => rendered,
            // What it said may hold what it read; the panic hook has told it to whoever runs the process.
            Err(join) if join.is_panic() => Err(Fault::new(Class::Bug, "the renderer panicked")),
            Err(_) => Err(Fault::cancelled()),
        }
    }

    /// After a restart, what was in force is rendered again from the revision that the target has recorded, so that it
    /// stays in force although a newer revision cannot be used. None if there is no such revision, or the source does not
    /// have it (now): the next pass asks again.
    ///
    /// That is the revision of the last session, even if not all of it could be applied: an older one would take away
    /// what came with it.
    pub(super) async fn restore(&self, state: &mut State, cx: &Cx) -> Result<Option<Arc<Desired>>, Fault> {
        if state.in_force.is_none() {
            let Some(attempted) = self.recorded(state, cx).await?.attempted.clone() else { return Ok(None) };
            match self.desire(state, cx, &attempted).await {
                Ok(desired) => state.in_force = Some(desired),
                Err(NotDesired::Source(fault)) => {
                    tracing::warn!(app = %self.app.id, %fault, "the revision in force cannot be read again");
                }
                Err(NotDesired::Target(fault)) => return Err(fault),
            }
        }
        Ok(state.in_force.clone())
    }

    /// What the target has recorded; read when it is not known.
    pub(super) async fn recorded<'a>(
        &self,
        state: &'a mut State,
        cx: &Cx,
    ) -> Result<&'a mut Recorded, Fault> {
        if state.recorded.is_none() {
            let recall = self.app.target.recall(cx, &self.app.id);
            state.recall(cx.bound("reading the record", recall).await??);
        }
        Ok(state.recorded.get_or_insert_default())
    }

    /// The revision that is wholly in force, as far as is known.
    pub(super) async fn reached(&self, state: &mut State, cx: &Cx) -> Result<Option<Revision>, Fault> {
        self.recorded(state, cx).await?;
        Ok(state.reached.clone())
    }
}

/// Whether what a rendering read is the same in another tree. Reading it blocks.
async fn unchanged(cx: &Cx, reads: &crate::render::Reads, tree: &Arc<dyn Snapshot>) -> Result<bool, Fault> {
    let (reads, tree) = (reads.clone(), tree.clone());
    let work = tokio::task::spawn_blocking(move || reads.unchanged_in(&*tree));
    match cx.bound("reading the source", work).await? {
        Ok(answer) => answer,
        Err(_) => Err(Fault::new(Class::Bug, "the source panicked")),
    }
}

fn has_unresolved(desired: &Desired) -> bool {
    desired.objects().values().any(|placed| placed.unresolved.is_some())
}
