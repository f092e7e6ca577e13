//! Addresses that a source does not connect to unless it is told to.

pub(crate) use gitops_net::Reach;

use crate::GitError;

impl From<gitops_net::AddressRefused> for GitError {
    fn from(refused: gitops_net::AddressRefused) -> Self {
        Self::AddressRefused { host: refused.host, reason: refused.reason }
    }
}
