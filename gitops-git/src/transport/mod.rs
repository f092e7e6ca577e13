//! How bytes get from and to a Git server.

#[cfg(any(feature = "https", feature = "ssh"))]
pub(crate) mod address;
#[cfg(feature = "https")]
pub(crate) mod http;
pub(crate) mod local;
#[cfg(feature = "ssh")]
pub(crate) mod ssh;

use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;

use crate::error::GitError;
use crate::remote::{Place, Remote};
use crate::stop::Stop;

/// Opens a conversation with a service of the remote, holds it, and explains what went wrong.
pub(crate) fn converse<T>(
    remote: &Remote,
    service: Service,
    stop: &Stop,
    doing: &'static str,
    talk: impl FnOnce(&mut dyn Transport) -> gix::Result<T>,
) -> Result<T, GitError> {
    stop.expect_pack(false);
    let classify = |error: gix::Error| {
        let ours = GitError::from_gix(doing, &error, remote.limits.object_bytes);
        stop.explanation().unwrap_or(ours)
    };
    match &remote.place {
        Place::Local(path) => {
            let mut local = local::connect(path, service, stop)?;
            let done = talk(&mut local.connection);
            done.map_err(|error| {
                local.explain(stop);
                classify(error)
            })
        }
        #[cfg(feature = "https")]
        Place::Http(place) => {
            let mut transport = http::connect(place, remote, service, stop)?;
            talk(&mut transport).map_err(classify)
        }
        #[cfg(feature = "ssh")]
        Place::Ssh(place) => {
            let mut ssh = ssh::connect(place, remote, service, stop)?;
            match talk(&mut ssh.connection) {
                Ok(done) => {
                    ssh.close(stop);
                    Ok(done)
                }
                Err(error) => {
                    // What is not just an answer that did not come has its reason here, and `ssh` knows of none.
                    match GitError::from_gix(doing, &error, remote.limits.object_bytes) {
                        GitError::Protocol { .. } => ssh.explain(place, stop),
                        _ => ssh.close(stop),
                    }
                    Err(classify(error))
                }
            }
        }
    }
}
