//! Where the GitOps crates may connect to, how they speak HTTP, and whether a failure of that lasts.
//!
//! `gitops-git` reads repositories with it and `gitops-image` registries; the rules are here once.
//!
//! ```
//! use gitops_net::Reach;
//! let reach = Reach::default();
//! assert!(reach.check_host("git.example").is_ok(), "a name is checked by where it leads to");
//! assert!(reach.check_host("169.254.169.254").is_err());
//! assert!(reach.check_host("[::ffff:127.0.0.1]").is_err());
//! ```

mod address;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
mod failure;
pub mod text;
#[cfg(feature = "client")]
mod tls;

pub use address::{AddressRefused, Reach};
#[cfg(feature = "client")]
pub use failure::{Failure, find, retry_after};
#[cfg(feature = "client")]
pub use tls::TlsFailure;
