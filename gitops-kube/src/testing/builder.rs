use std::path::PathBuf;
use std::time::Duration;

use super::users::User;
use super::{ControlPlane, ControlPlaneError};

/// How often other ports are tried, when somebody took one between our choice and its use.
const ATTEMPTS: u32 = 3;

/// What a control plane is started with; made by [`ControlPlane::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    pub(super) api_only: bool,
    pub(super) users: Vec<User>,
    pub(super) binaries: Option<PathBuf>,
    pub(super) deadline: Duration,
    pub(super) api_arguments: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            api_only: false,
            users: Vec::new(),
            binaries: None,
            deadline: Duration::from_secs(90),
            api_arguments: Vec::new(),
        }
    }
}

impl Builder {
    /// Starts etcd and the API server alone: faster, and nothing happens to objects by itself (no Deployment gets Pods,
    /// a Namespace that is deleted stays in `Terminating`, nothing is collected as garbage, and the aggregated roles
    /// `view`, `edit` and `admin` allow nothing).
    pub fn api_only(mut self) -> Self {
        self.api_only = true;
        self
    }

    /// Adds a user whom the API server knows by the token. It may do nothing until it, or one of its groups, is bound
    /// to a role (RBAC); the group `system:masters` may do everything.
    pub fn with_user<G: Into<String>>(
        mut self,
        token: impl Into<String>,
        name: impl Into<String>,
        groups: impl IntoIterator<Item = G>,
    ) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        self.users.push(User { name: name.into(), token: token.into(), groups });
        self
    }

    /// Takes the binaries from this directory, whatever the environment says.
    pub fn with_binaries(mut self, directory: impl Into<PathBuf>) -> Self {
        self.binaries = Some(directory.into());
        self
    }

    /// Waits no longer than this, 90 seconds by default, for everything to be ready.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Adds an argument for kube-apiserver, such as `--watch-cache=false`; it comes last, and so wins.
    pub fn with_api_argument(mut self, argument: impl Into<String>) -> Self {
        self.api_arguments.push(argument.into());
        self
    }

    /// Starts the control plane, and waits until it is ready.
    ///
    /// It needs a Tokio runtime with time and I/O, and a TLS provider that the process has installed. What was started
    /// is stopped when this fails, or when its future is dropped.
    pub async fn start(self) -> Result<ControlPlane, ControlPlaneError> {
        for _ in 1..ATTEMPTS {
            match ControlPlane::from_builder(self.clone()).await {
                Err(ControlPlaneError::Exited { log, .. }) if log.contains("address already in use") => {}
                result => return result,
            }
        }
        ControlPlane::from_builder(self).await
    }
}
