//! Steering a reconciler that runs.

use std::sync::Arc;

use super::cell::{Cell, Stops};
use super::reconciler::find;
use crate::{AppId, Application, Approval, Fault, Status};

/// Steers a running reconciler from other tasks: a webhook, a command line, a test. Cheap to clone.
///
/// Calls return at once; what they ask for happens soon, and is told by events. An unknown application is
/// [`crate::Class::NotFound`].
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) cells: Arc<[Arc<Cell>]>,
    pub(super) stops: Stops,
}

impl Handle {
    /// Polls the application's source now.
    pub fn refresh(&self, app: &str) -> Result<(), Fault> {
        let cell = find(&self.cells, app)?;
        let now = cell.feed.order.next();
        cell.wishes.add(|wanted| wanted.refresh = Some(now));
        Ok(())
    }

    /// Polls the sources of all applications that `concerned` says yes to, and returns which these are, in the order in
    /// which they were given to the reconciler: for news that name a repository and not an application. A suspended
    /// application polls when it is resumed.
    ///
    /// ```
    /// # use gitops_core::Handle;
    /// # fn hear(handle: &Handle, repository: &str) {
    /// for app in handle.refresh_where(|app| app.source().identity() == repository) {
    ///     println!("{app} looks for news");
    /// }
    /// # }
    /// ```
    pub fn refresh_where(&self, mut concerned: impl FnMut(&Application) -> bool) -> Vec<AppId> {
        // The same for all: those who share a source then share one poll.
        let now = self.cells[0].feed.order.next();
        let concerned = self.cells.iter().filter(|cell| concerned(&cell.app));
        concerned
            .map(|cell| {
                cell.wishes.add(|wanted| wanted.refresh = Some(now));
                cell.app.id.clone()
            })
            .collect()
    }

    /// Polls the source and compares everything now.
    pub fn sync(&self, app: &str) -> Result<(), Fault> {
        let cell = find(&self.cells, app)?;
        let now = cell.feed.order.next();
        cell.wishes.add(|wanted| wanted.sync = Some(now));
        Ok(())
    }

    /// Does nothing for the application, not even look, until [`resume`](Self::resume). A pass that runs goes on to its end.
    pub fn suspend(&self, app: &str) -> Result<(), Fault> {
        find(&self.cells, app)?.wishes.add(|wanted| wanted.suspend = Some(true));
        Ok(())
    }

    /// Goes on, and compares everything.
    pub fn resume(&self, app: &str) -> Result<(), Fault> {
        find(&self.cells, app)?.wishes.add(|wanted| wanted.suspend = Some(false));
        Ok(())
    }

    /// Lets the plan of this digest be carried out, if it is still what would be done; otherwise the approval is spent,
    /// and another one is asked for.
    pub fn approve(&self, approval: Approval) -> Result<(), Fault> {
        let cell = find(&self.cells, approval.app.as_str())?;
        *cell.approval() = Some(approval);
        let now = cell.feed.order.next();
        cell.wishes.add(|wanted| wanted.sync = Some(now));
        Ok(())
    }

    /// How an application is doing; none if there is no such application.
    pub fn status(&self, app: &str) -> Option<Status> {
        find(&self.cells, app).ok().map(|cell| cell.status.borrow().clone())
    }

    /// Stops the reconciler: no further step begins, and [`crate::Reconciler::run`] returns when the running ones have
    /// ended.
    pub fn stop(&self) {
        self.stops.soft.cancel();
    }
}
