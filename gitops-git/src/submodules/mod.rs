//! Submodules: other repositories that a commit mounts in its tree, each at a commit of its own.

mod gitmodules;
mod mounted;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gitops_core::{Cx, Fault, RefSpec, RepoPath, Snapshot, Source as _};

use self::gitmodules::FILE;
pub(crate) use self::mounted::Mounted;
use crate::snapshot::GitSnapshot;
use crate::stop;
use crate::{GitError, GitSource, GitSourceBuilder};

/// A submodule may have submodules, and so on; who writes them may make a circle.
pub(crate) const MAX_LEVELS: u8 = 5;
/// Of a `.gitmodules` file.
const MAX_BYTES: u64 = 1024 * 1024;

/// How the submodules of a source are read.
pub(crate) struct Submodules {
    /// What the source itself was built from.
    template: GitSourceBuilder,
    /// How many more levels there may be.
    levels: u8,
    /// The sources of those that were read last, by URL.
    known: tokio::sync::Mutex<HashMap<String, GitSource>>,
}

/// A submodule of a commit.
struct Submodule {
    path: RepoPath,
    url: String,
    commit: String,
}

impl Submodules {
    pub(crate) fn new(template: GitSourceBuilder, levels: u8) -> Self {
        Self { template, levels, known: tokio::sync::Mutex::default() }
    }

    /// Fetches what a commit mounts, without the histories. All of it, or nothing: a tree in which something is missing would
    /// have it deleted.
    pub(crate) async fn mount(&self, cx: &Cx, tree: GitSnapshot) -> Result<Mounted, Fault> {
        let place = tree.place();
        let repository = self.template.url().to_owned();
        let (tree, all) = stop::run(cx, move |_| {
            let all = find(&tree, &repository)?;
            Ok((tree, all))
        })
        .await
        .map_err(|error| error.at(&place))?;
        let mut mounts: BTreeMap<RepoPath, Arc<dyn Snapshot>> = BTreeMap::new();
        let mut used = HashMap::new();
        let mut known = cx.bound("the submodules", self.known.lock()).await?;
        for Submodule { path, url, commit } in all {
            let at = |fault: Fault| {
                let inner = fault.at.as_deref().unwrap_or_default().to_owned();
                fault.at(format!("{place}:/{path} (a submodule): {inner}"))
            };
            if self.levels == 0 {
                let reason = format!("submodules are nested in more than {MAX_LEVELS} levels");
                return Err(GitError::Submodules { at: path.to_string(), reason }.at(&place));
            }
            let source = if let Some(source) = known.get(&url) {
                source.clone()
            } else {
                let source = self.template.of_submodule(&url, self.levels - 1);
                // Not with the URL, in which somebody may have left a password.
                source.map_err(|error| at(error.at("its URL")))?
            };
            used.insert(url, source.clone());
            let revision = source.resolve(cx, &RefSpec::Commit(commit)).await.map_err(at)?;
            mounts.insert(path.clone(), source.fetch(cx, &revision).await.map_err(at)?);
        }
        *known = used;
        Ok(Mounted::new(tree, mounts))
    }
}

/// The submodules that a commit has and says the URLs of.
fn find(tree: &GitSnapshot, repository: &str) -> Result<Vec<Submodule>, GitError> {
    let Some(text) = tree.own_file(FILE, MAX_BYTES)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (path, url) in gitmodules::read(&text)? {
        // Git leaves out what the tree does not have, too.
        if let Some(commit) = tree.submodule(&path)? {
            all.push(Submodule { url: gitmodules::resolve(repository, &url)?, path, commit });
        }
    }
    Ok(all)
}
