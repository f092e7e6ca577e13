//! A GitOps target that is no cluster: a directory of files, on `gitops-core` alone.
//!
//! Each object is one file. [`DirectoryTarget`] creates, changes and deletes files in a directory (the configuration
//! of a service, a static web site) so that they are what Git says; [`PlainFiles`] turns the files of a repository into
//! manifests, so that nobody has to write any. What is not from Git is left alone: files of others are not touched, and
//! files of ours that others changed are put back.
//!
//! Besides the files there is `.gitops` in the directory, with
//! - `state.json`: what is recorded of each application, and which files are its members. It has a *lineage*, made when it
//!   was, and a *serial*, one more with each write: a target that has seen a newer state, or another one, refuses to
//!   write;
//! - one lock for each application, held while it writes, and one for the state, held for a moment. The operating system
//!   frees both when the process ends, however it ends.
//!
//! A file is written beside its place, flushed to the disk, and moved there in one step; before that it is noted in
//! the state as a member. So a crash, or a power failure, at any instant leaves old files or new ones, each known.
//!
//! # Limits
//! - Links are not followed. A link, a directory or a device where a file should be is reported, and left alone.
//! - Others who write to a file in the very moment in which it is checked and replaced lose: file systems know no
//!   conditions. Processes that use this target never do that to each other.
//! - Which file it is (its incarnation) is told by device, inode and time of birth. Where inodes are used again and the
//!   clock of the file system ticks in milliseconds, a file that others delete and create again within one tick is taken
//!   for the same.
//! - Directories are made where they are needed, and stay when they are empty.
//! - Unix only.
#![forbid(unsafe_code)]
#![cfg(unix)]

mod disk;
mod file;
mod lock;
mod render;
mod session;
mod state;
mod target;

pub use render::PlainFiles;
pub use target::DirectoryTarget;
