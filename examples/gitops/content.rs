//! What of a repository counts.

use clap::Args as Group;
use gitops_git::GitSourceBuilder;

#[derive(Debug, Clone, Group)]
pub(crate) struct Content {
    /// Takes only files into account that match, as in a .gitignore; may be given again.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Leaves out what matches, as in a .gitignore, and as the repository's .sourceignore files do; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Mounts submodules, with theirs in them, where they are on the repository's own server.
    #[arg(long)]
    submodules: bool,
    /// Fetches commits without their history. Nobody can tell then when a branch is forced to another one.
    #[arg(long, conflicts_with = "verify")]
    shallow: bool,
}

impl Content {
    /// Tells a source what was asked for.
    pub(crate) fn tell(&self, mut source: GitSourceBuilder) -> GitSourceBuilder {
        source = self.include.iter().fold(source, GitSourceBuilder::with_include);
        source = self.exclude.iter().fold(source, GitSourceBuilder::with_exclude);
        if self.submodules {
            source = source.with_submodules();
        }
        if self.shallow {
            source = source.shallow();
        }
        source
    }
}
