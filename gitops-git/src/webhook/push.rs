//! What has moved, and whom it concerns.

use gitops_core::{Application, RefSpec};

use super::Host;
use super::address::Address;

/// Somebody has pushed to a repository. What it says is a hint: a poll finds what is really there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Push {
    /// Who says so.
    pub host: Host,
    /// Where.
    pub repository: Repository,
    /// What has moved. Where the host does not say it, none: any reference may have.
    pub updates: Vec<RefUpdate>,
}

/// A repository, as a host names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repository {
    /// Its path at the host (`platform/config`).
    pub name: Option<String>,
    /// All addresses that the host gives: for HTTPS, for SSH, and that of its page. Without credentials.
    pub urls: Vec<String>,
}

/// A reference that has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefUpdate {
    /// Its full name (`refs/heads/main`).
    pub reference: String,
    /// What it pointed to; none if it is new, or the host does not say it.
    pub before: Option<String>,
    /// What it points to: the commit, or the tag's own object; none if it was deleted, or the host does not say it.
    pub after: Option<String>,
}

impl Push {
    /// Whether an application follows what has moved. Where that cannot be told, it does: a poll for nothing costs one
    /// small question, a poll that is left out costs the whole interval.
    ///
    /// Give it to [`gitops_core::Handle::refresh_where`].
    pub fn concerns(&self, app: &Application) -> bool {
        self.may_move(&app.reference()) && self.is_of(&app.source().identity())
    }

    /// Whether this is the repository of a source, by [`gitops_core::Source::identity`] or any of its URLs.
    ///
    /// One repository has many addresses: the protocol, the user, the case, a slash or `.git` at the end, and the
    /// protocol's usual port make no difference; another host, port or path does. Where the host gives no address at
    /// all, as some versions of Bitbucket Data Center, the source's path must end with the repository's name.
    pub fn is_of(&self, url: &str) -> bool {
        let Repository { name, urls } = &self.repository;
        match Address::parse(url) {
            None => urls.iter().any(|one| one == url),
            Some(wanted) if urls.is_empty() => name.as_ref().is_some_and(|name| wanted.is_named(name)),
            Some(wanted) => urls.iter().filter_map(|one| Address::parse(one)).any(|one| one == wanted),
        }
    }

    /// Whether what is followed may have moved: a branch or a tag if it is among the updates, anything else always.
    pub fn may_move(&self, want: &RefSpec) -> bool {
        let (space, name) = match want {
            RefSpec::Branch(name) => ("refs/heads/", name),
            RefSpec::Tag(name) => ("refs/tags/", name),
            RefSpec::Reference(name) => ("", name),
            RefSpec::SemVer { .. } => return self.moves(|reference| reference.starts_with("refs/tags/")),
            // One commit costs no question, and what a source follows by itself may be any reference.
            _ => return true,
        };
        let name = name.strip_prefix(space).unwrap_or(name);
        self.moves(|reference| reference.strip_prefix(space) == Some(name))
    }

    /// Whether such a reference may have moved.
    fn moves(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.updates.is_empty() || self.updates.iter().any(|update| is_it(&update.reference))
    }
}
