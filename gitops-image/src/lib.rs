//! Image updates: which tag of an image is the newest one, by a policy, what digest it has, and how that gets into the
//! configuration repository.
//!
//! - [`ImagePolicy`] and [`choose`]: the choice, pure. It means what Flux's `ImagePolicy` means.
//! - [`TagSource`]: where tags come from. [`RegistryClient`] asks a registry, [`MemoryTags`] is for tests.
//! - [`newest`]: both in one call.
//! - `ImageUpdates` (feature `git`): the newest images in a commit, once or continuously.
//!
//! ```no_run
//! use std::time::Duration;
//! use gitops_core::Cx;
//! use gitops_image::{DigestPin, ImagePolicy, RegistryClient, RegistryCredentials, Repository, newest};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // The TLS implementation is the program's choice: rustls::crypto::ring::default_provider().install_default()
//! let registry = RegistryClient::builder()
//!     .with_credentials("ghcr.io", RegistryCredentials::basic("bot", std::env::var("GHCR_TOKEN")?))
//!     .build()?;
//! let web = Repository::parse("ghcr.io/shop/web")?;
//! let policy = ImagePolicy::semver("1.x")?.with_digest_pin(DigestPin::IfNotPresent);
//! let cx = Cx::with_timeout(Duration::from_secs(60));
//! println!("{web}:{}", newest(&cx, &registry, &web, &policy, None).await?);
//! # Ok(()) }
//! ```
//!
//! # What a registry may do
//!
//! It may be slow, broken or hostile. Each wait has a limit, by the context's deadline and by
//! [`RegistryClientBuilder::with_max_silence`]; each answer has a limit in bytes, the list of tags one in tags and in pages. Pages that
//! go in a circle or lead to another place are an error. What is no tag or no digest is never given out.
//!
//! Credentials are told to the registry that they were given for, by its host and port, and to its token service: one on the same
//! server, one that is known (of Docker Hub and GitLab), or one that was named with [`RegistryClientBuilder::with_token_service`]. With
//! credentials, a redirect to another server fails; without, it is followed over `https` and told nothing. Plain HTTP, addresses of
//! this machine and link-local ones each need an opt-in. Certificates are always verified.
//!
//! # Errors
//!
//! | What happens | [`gitops_core::Class`] |
//! | --- | --- |
//! | 401, 403, a wrong user, password or token | `Denied` |
//! | 404 | `NotFound` |
//! | 408, 409, 425, 429, 5xx, the network, a deadline | `Retry`, with the server's `Retry-After` |
//! | a certificate, an address or a redirect that is refused, no answer of a registry, a limit | `Invalid` |
//!
//! # Features
//!
//! - `registry` (default): [`RegistryClient`].
//! - `git`: `ImageUpdates`, which commits what is newest to the configuration repository.
//! - `testing`: `testing::Registry`, a registry on loopback, for your own tests.

mod digest;
mod memory;
#[cfg(feature = "git")]
mod pauses;
mod policy;
#[cfg(feature = "registry")]
mod registry;
mod repository;
mod source;
mod tag;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "git")]
mod update;

pub use digest::{ImageDigest, InvalidImageDigest};
pub use memory::MemoryTags;
pub use policy::{DigestPin, ImagePolicy, InvalidPolicy, Order, choose};
#[cfg(feature = "registry")]
pub use registry::{RegistryClient, RegistryClientBuilder, RegistryCredentials, RegistryError};
pub use repository::{InvalidRepository, Repository};
pub use source::{Choice, TagSource, newest};
pub use tag::{InvalidTag, Tag};
#[cfg(feature = "git")]
pub use update::{ImageUpdates, Updated};
