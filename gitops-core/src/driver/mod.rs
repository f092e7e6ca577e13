//! The driver: the only place that decides *when*.

mod agenda;
mod backoff;
mod builder;
mod carry_out;
mod cell;
mod desire;
mod feed;
mod fight;
mod handle;
mod heal;
mod note;
mod once;
mod pass;
mod reconciler;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod worker;

pub use backoff::Backoff;
pub use builder::{BuildError, ReconcilerBuilder};
pub use handle::Handle;
pub use once::{Removal, SyncError};
pub use reconciler::Reconciler;
