//! Paths inside a source.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A path inside a source's tree: relative, with `/`, without `.`, `..` or empty parts; the root is empty.
///
/// ```
/// use gitops_core::RepoPath;
/// let path = RepoPath::new("./apps/shop/")?;
/// assert_eq!(path.as_str(), "apps/shop");
/// assert!(RepoPath::new("../secrets").is_err());
/// # Ok::<(), gitops_core::InvalidPath>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Arc<str>);

/// A text that is no path inside a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no path inside the source: {reason}")]
pub struct InvalidPath {
    path: String,
    reason: &'static str,
}

impl RepoPath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Reads a path. A leading `./` and a trailing `/` are dropped; anything that leads out of the tree, or into a
    /// `.git` directory in any spelling that some file system takes for it, is an error.
    pub fn new(path: &str) -> Result<Self, InvalidPath> {
        let fail = |reason| Err(InvalidPath { path: path.chars().take(200).collect(), reason });
        if path.starts_with('/') {
            return fail("it must be relative");
        }
        if path.contains(['\\', '\0']) {
            return fail("it holds a backslash or a NUL");
        }
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => return fail("'..' may lead out of the tree"),
                part if is_dot_git(part) => return fail("it leads into Git's own directory"),
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/").into()))
    }

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of an entry, or of a longer path, below this one.
    pub fn join(&self, below: &str) -> Result<Self, InvalidPath> {
        let below = Self::new(below)?;
        Ok(if self.is_root() {
            below
        } else if below.is_root() {
            self.clone()
        } else {
            Self(format!("{self}/{below}").into())
        })
    }

    /// The directory that holds this; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or("", |(dir, _)| dir).into()))
    }

    /// The last part; none for the root.
    pub fn name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The parts, from the root down.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Whether this is `dir`, or lies below it.
    pub fn is_within(&self, dir: &Self) -> bool {
        dir.is_root()
            || self.0.strip_prefix(&*dir.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// `.git` as it is, in other cases, with trailing dots or spaces, as the NTFS short name, or with characters that HFS+
/// ignores: the spellings that Git itself refuses (`core.protectHFS`, `core.protectNTFS`).
fn is_dot_git(part: &str) -> bool {
    let seen: String = part
        .chars()
        .filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
        .collect();
    let name = seen.split(':').next().unwrap_or_default().trim_end_matches([' ', '.']);
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

impl FromStr for RepoPath {
    type Err = InvalidPath;
    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        Self::new(path)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = InvalidPath;
    fn try_from(path: String) -> Result<Self, InvalidPath> {
        Self::new(&path)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.as_str().to_owned()
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::one_line(&self.0))
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for bad in [
            "/etc",
            "..",
            "a/../b",
            "a\\b",
            "a\0",
            ".git",
            "a/.GIT/config",
            ".git.",
            "git~1",
            ".g\u{200c}it",
            ".git::$DATA",
        ] {
            assert!(RepoPath::new(bad).is_err(), "{bad:?}");
        }
        for good in ["", ".", "a", "./a//b/", ".github", "a..b", ".gitignore"] {
            assert!(RepoPath::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(path("a/b.yaml").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(RepoPath::root()));
        assert_eq!(RepoPath::root().parent(), None);
        assert_eq!(path("a/b.yaml").name(), Some("b.yaml"));
        assert!(path("a/b").is_within(&path("a")) && path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
    }

    proptest! {
        #[test]
        fn a_path_is_its_own_normal_form(text in "[a-z./]{0,20}") {
            if let Ok(path) = RepoPath::new(&text) {
                prop_assert_eq!(RepoPath::new(path.as_str()).unwrap(), path.clone());
                prop_assert_eq!(RepoPath::root().join(path.as_str()).unwrap(), path);
            }
        }
    }
}
