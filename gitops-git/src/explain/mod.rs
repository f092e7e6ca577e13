//! What happened, who did it, and why: the history of a mirror.

mod blame;
mod changes;
mod commit;
mod history;
mod limited;
mod manifests;
mod message;
mod node;
mod object;
mod options;
mod paths;
mod requests;
mod simplify;
mod stream;

pub use blame::{Blame, BlameOptions};
pub use changes::{Change, ChangeKind, Changes, Side, Unreadable};
pub use commit::{Actor, Commit};
pub use history::History;
pub use message::Trailer;
pub use options::HistoryOptions;

#[cfg(feature = "write")]
pub(crate) use message::{subject, trailers};
pub(crate) use node::Reader;
