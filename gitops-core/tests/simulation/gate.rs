//! Work on other threads, made to happen at the same instant in every run.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task;

/// Holds blocking work until the runtime has nothing else to do. Then the end of that work is the only thing that can
/// happen next, however long it takes: what the runtime does after is the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The task that was let through last.
    through: Option<task::Id>,
    /// The runtime has come to what was waiting when it was asked.
    is_reached: bool,
    is_idle: bool,
    is_open: bool,
}

impl Gate {
    /// The runtime's thread is about to park.
    pub(crate) fn parks(&self) {
        let mut state = self.state();
        if state.is_reached {
            state.is_reached = false;
            state.is_idle = true;
            self.idle.notify_all();
        }
    }

    /// Lets everything through: the runtime is about to end.
    pub(crate) fn open(&self) {
        self.state().is_open = true;
        self.idle.notify_all();
    }

    /// Waits until the runtime has nothing to do. For threads that the runtime does not run on.
    pub(crate) fn pass(self: &Arc<Self>) {
        let id = task::try_id();
        {
            let mut state = self.state();
            if id.is_some() && state.through == id {
                return;
            }
            state.through = id;
            state.is_idle = false;
        }
        let gate = self.clone();
        Handle::current().spawn(async move { gate.state().is_reached = true });
        let mut state = self.state();
        while !state.is_idle && !state.is_open {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
