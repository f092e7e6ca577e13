//! Writing: updates and rollbacks are commits.

mod attempt;
mod base;
mod diff;
mod differing;
mod error;
mod files;
mod identity;
mod merge;
mod message;
mod outcome;
mod pack;
mod push;
mod report;
mod request;
mod restore;
mod revert;
mod run;
#[cfg(feature = "sign")]
mod sign;
mod work;
mod writer;

pub use error::WriteError;
pub use files::{Edit, Files};
pub use identity::Identity;
pub use message::Message;
pub use outcome::{ChangedFile, FileChange, Outcome, Written};
pub use request::{CommitRequest, Target};
pub use revert::Revert;
#[cfg(feature = "sign")]
pub use sign::SigningKey;
pub use writer::GitWriter;
