//! Writing: updates and rollbacks are commits.
//!
//! [`GitSource::writer`](crate::GitSource::writer) gives a [`GitWriter`]. It makes a commit on the tip of a branch, in memory and
//! without a checkout, and pushes it as a compare-and-swap: the server moves the branch only from the tip that was seen. After a
//! lost race the change is made again on the new tip. Nothing is pushed by force, but to a branch of one's own
//! ([`Target::or_replace`]), and even then only from the tip that was seen.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_core::{Cx, Fault, RepoPath};
//! use gitops_git::write::{CommitRequest, Files, Identity, Message, Outcome, Target};
//! use gitops_git::{GitSource, TokenFile};
//! use std::time::Duration;
//!
//! let source = GitSource::builder("https://git.example/platform/config")
//!     .with_credentials(TokenFile::new("/run/secrets/git-token"))
//!     .build()?;
//! let writer = source.writer(Identity::new("Deploy Bot", "bot@example.org")?);
//!
//! let path = RepoPath::new("apps/shop/image.txt")?;
//! let edit = move |files: &mut Files<'_>| -> Result<(), Fault> {
//!     files.note("shop: image 1.4");
//!     files.write(&path, "registry.example/shop:1.4\n")
//! };
//! let request = CommitRequest::new(Target::branch("main"))
//!     .with_message(Message::new("Update {app}\n\n{changes}")?)
//!     .with_value("app", "shop")
//!     .with_trailer("Build", "1234")?;
//! let cx = Cx::with_timeout(Duration::from_secs(60));
//! match writer.commit(&cx, &request, edit).await? {
//!     Outcome::Written(written) => println!("{} on {}", written.commit, written.reference),
//!     Outcome::Unchanged { tip } => println!("{tip} has it already"),
//!     _ => {}
//! }
//! # Ok(()) }
//! ```
//!
//! # Going back
//! [`GitWriter::revert`] undoes commits and keeps what came after them; [`GitWriter::restore`] and [`GitWriter::rollback_to`] put a
//! path back to what it was. Each is one new commit:
//!
//! ```no_run
//! # async fn example(writer: gitops_git::write::GitWriter) -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_core::{Cx, RepoPath, Revision};
//! use gitops_git::write::{CommitRequest, Revert, Target};
//! # let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
//! let bad = Revision::new("9fceb02d0ae598e95dc970b74767f19372d61af8");
//! let good = Revision::new("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
//! let request = CommitRequest::new(Target::branch("main"));
//! writer.revert(&cx, &request, &Revert::commit(&bad)?).await?;
//! writer.rollback_to(&cx, &request, &RepoPath::new("apps/shop")?, &good).await?;
//! # Ok(()) }
//! ```
//!
//! # Pull requests
//! With [`Target::new_branch`], the commit goes to a branch of its own, for a pull request; [`CommitRequest::dry_run`] only shows the
//! commit and its diff.
//!
//! # Servers
//! The server must speak `git-receive-pack` with `report-status`, as all do. A repository on this machine is written by the
//! machine's `git receive-pack`, as it is read by `git upload-pack`: with none of its hooks, and no program that its configuration
//! names. Whoever wants the hooks of a repository to have a say reaches it through a server.
//!
//! # What is read, and kept
//! The tip is fetched into the source's mirror if it is not there. What was pushed is kept there too, so that a commit on top of it
//! costs two requests. Only objects of the commit are sent, those in which its tree differs from the one before.

mod attempt;
mod base;
mod diff;
mod differing;
mod edits;
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
mod search;
#[cfg(feature = "sign")]
mod sign;
mod work;
mod writer;

pub use edits::{SetField, SetImage, SetKustomizeImage};
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
