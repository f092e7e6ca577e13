//! A private Kubernetes control plane for tests (feature `testing`, Unix only).
//!
//! [`ControlPlane::start`] starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and [kwok], which plays
//! the kubelet of one Node, so that Pods become Ready within a second and Deployments Available. The API server
//! listens on a free port of the loopback interface, and everything writes to a temporary directory that only its owner
//! may look into; several control planes run side by side.
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_kube::testing::ControlPlane;
//! let plane = ControlPlane::builder().with_user("reader-token", "ada", ["developers"]).start().await?;
//! let client = kube::Client::try_from(plane.client_config()?)?;
//! println!("{}", client.apiserver_version().await?.git_version);
//! # Ok(())
//! # }
//! ```
//!
//! # The binaries
//!
//! They are looked for in the directory that `KUBEBUILDER_ASSETS` names, as the ecosystem does, and without it where
//! `hack/controlplane/build` of this project's repository puts what it builds. [`Builder::api_only`] needs only `etcd`
//! and `kube-apiserver`, which other test tools install too. Besides, `sh` is needed. Nothing is downloaded.
//!
//! # The end
//!
//! Dropping a [`ControlPlane`] kills its processes and removes its directory, also while a test panics. A process that
//! ends without dropping it (`SIGKILL`, an abort, a `static`) takes its control planes along: all processes of a
//! control plane form a process group, whose leader is a small shell that waits for the end of a pipe that only the
//! test process holds, and then kills the group.
//!
//! [kwok]: https://kwok.sigs.k8s.io

mod api;
mod binaries;
mod builder;
mod certificates;
mod control_plane;
mod error;
mod group;
mod users;

pub use builder::Builder;
pub use control_plane::ControlPlane;
pub use error::ControlPlaneError;
