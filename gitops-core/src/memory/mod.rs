//! Backends in memory: a source and a cluster that behave like the real ones, for tests, examples and trying things out.

mod cluster;
mod event;
mod faults;
mod kinds;
mod membership;
mod rules;
mod session;
mod snapshot;
mod source;
mod store;
mod target;
#[cfg(test)]
mod tests;
mod watch;

pub use cluster::MemoryCluster;
pub use event::ObjectEvent;
pub use faults::{Effect, FaultRule, Faults, Operation};
pub use kinds::Scope;
pub use source::MemorySource;
pub use target::MemoryTarget;
