//! Where the binaries are.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::ControlPlaneError;

/// What the API alone needs.
const API: [&str; 2] = ["etcd", "kube-apiserver"];
/// What the whole control plane needs besides.
const CONTROLLERS: [&str; 4] = ["kube-controller-manager", "kube-scheduler", "kwok", "kwok-stages.yaml"];

/// A directory that holds the binaries that are needed.
#[derive(Debug)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// Finds them: in the directory given, in that of `KUBEBUILDER_ASSETS`, or in the newest that the build script made.
    pub(super) fn find(given: Option<PathBuf>, api_only: bool) -> Result<Self, ControlPlaneError> {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = given.or_else(|| variable("KUBEBUILDER_ASSETS")).unwrap_or_else(|| {
            let home = || Some(variable("HOME")?.join(".cache"));
            let cache =
                variable("XDG_CACHE_HOME").or_else(home).unwrap_or_default().join("gitops-controlplane");
            newest(&cache).unwrap_or(cache)
        });
        Self::in_directory(directory, api_only)
    }

    fn in_directory(directory: PathBuf, api_only: bool) -> Result<Self, ControlPlaneError> {
        let needed = API.iter().chain(CONTROLLERS.iter().filter(|_| !api_only));
        for &missing in needed {
            if !directory.join(missing).is_file() {
                return Err(ControlPlaneError::MissingBinary { missing, directory });
            }
        }
        Ok(Self(directory))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// What was built last, of the directories that the build script made: one for each version of Kubernetes, in which the
/// file `VERSION` is written last.
fn newest(cache: &Path) -> Option<PathBuf> {
    let built = |directory: &Path| fs::metadata(directory.join("VERSION")).and_then(|it| it.modified()).ok();
    let versions = fs::read_dir(cache).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let complete = versions.filter_map(|directory| Some((built(&directory)?, directory)));
    complete.max_by_key(|(time, _)| *time).map(|(_, directory)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("etcd"), "").unwrap();
        let error = Binaries::find(Some(directory.path().to_owned()), true).unwrap_err().to_string();
        assert!(error.contains("kube-apiserver is not in "), "{error}");
        assert!(error.contains("hack/controlplane/build") && error.contains("CONTRIBUTING.md"), "{error}");

        fs::write(directory.path().join("kube-apiserver"), "").unwrap();
        assert!(Binaries::find(Some(directory.path().to_owned()), true).is_ok());
        let error = Binaries::find(Some(directory.path().to_owned()), false).unwrap_err().to_string();
        assert!(error.contains("kube-controller-manager is not in "), "{error}");
    }

    #[test]
    fn only_a_finished_build_is_taken() {
        let cache = tempfile::tempdir().unwrap();
        let (old, broken) = (cache.path().join("v1"), cache.path().join("building.x"));
        fs::create_dir(&old).unwrap();
        fs::create_dir(&broken).unwrap();
        assert_eq!(newest(cache.path()), None);
        fs::write(old.join("VERSION"), "").unwrap();
        assert_eq!(newest(cache.path()), Some(old));
        assert_eq!(newest(&broken), None);
    }
}
