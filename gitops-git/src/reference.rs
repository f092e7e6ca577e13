//! What to follow, as the Git protocol spells it.

use gitops_core::{RefSpec, VersionRange};

use crate::GitError;

/// What to ask the server for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// The branch that the server's HEAD points to.
    Head,
    /// A full reference name.
    Reference(String),
    /// The tag with the newest version in a range.
    Newest(VersionRange),
    /// A commit.
    Commit(gix::ObjectId),
}

impl Want {
    /// Reads what is wanted; `None` when the source's own default is.
    pub(crate) fn from_spec(spec: &RefSpec) -> Result<Option<Self>, GitError> {
        Ok(Some(match spec {
            RefSpec::Default => return Ok(None),
            RefSpec::Branch(name) => Self::Reference(full_name("refs/heads/", name, "the name of a branch")?),
            RefSpec::Tag(name) => Self::Reference(full_name("refs/tags/", name, "the name of a tag")?),
            RefSpec::Commit(id) => Self::Commit(commit_id(id)?),
            RefSpec::Reference(name) if name.starts_with("refs/") => {
                Self::Reference(full_name("refs/", name, "the full name of a reference")?)
            }
            RefSpec::Reference(name) => {
                let wanted = "the full name of a reference, as refs/pull/1/head is";
                return Err(GitError::InvalidReference { text: shorten(name), wanted });
            }
            RefSpec::SemVer { range, pre_releases } => {
                Self::Newest(VersionRange::parse(range, *pre_releases).map_err(|error| {
                    GitError::InvalidRange { range: shorten(range), reason: error.to_string() }
                })?)
            }
            other => return Err(GitError::Unsupported { detail: format!("following {other}") }),
        }))
    }

    /// How errors name it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Head => "HEAD".into(),
            Self::Reference(name) => name.clone(),
            Self::Newest(range) => format!("tags in the range {}", range.text()),
            Self::Commit(id) => format!("commit {id}"),
        }
    }
}

/// Reads a full commit id.
pub(crate) fn commit_id(text: &str) -> Result<gix::ObjectId, GitError> {
    let wanted = "a full commit id of 40 hexadecimal digits";
    // Also where SHA-256 is compiled in by somebody else: this crate's mirrors are SHA-1.
    if text.len() != 40 {
        return Err(GitError::InvalidReference { text: shorten(text), wanted });
    }
    gix::ObjectId::from_hex(text.to_ascii_lowercase().as_bytes())
        .map_err(|_| GitError::InvalidReference { text: shorten(text), wanted })
}

fn full_name(prefix: &str, name: &str, wanted: &'static str) -> Result<String, GitError> {
    let full = if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") };
    // `-` at the start is no name that Git gives to a branch, and an option to careless programs.
    let valid = gix::validate::reference::name(full.as_str().into()).is_ok()
        && full.len() <= 1024
        && !full[prefix.len()..].starts_with('-');
    if valid { Ok(full) } else { Err(GitError::InvalidReference { text: shorten(name), wanted }) }
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_in_full() {
        let branch = |name: &str| Want::from_spec(&RefSpec::Branch(name.into()));
        assert_eq!(branch("main").unwrap(), Some(Want::Reference("refs/heads/main".into())));
        assert_eq!(branch("refs/heads/main").unwrap(), Some(Want::Reference("refs/heads/main".into())));
        assert_eq!(branch("feat/a").unwrap(), Some(Want::Reference("refs/heads/feat/a".into())));
        for bad in ["", "a..b", "a b", "-x", "a\n", "a^", "a:b", "x.lock", "/a", "@{", "a\0", "*"] {
            assert!(branch(bad).is_err(), "{bad:?}");
        }
        let tag = Want::from_spec(&RefSpec::Tag("v1".into())).unwrap();
        assert_eq!(tag, Some(Want::Reference("refs/tags/v1".into())));
        assert_eq!(Want::from_spec(&RefSpec::Default).unwrap(), None);
        let any = |name: &str| Want::from_spec(&RefSpec::Reference(name.into()));
        assert_eq!(any("refs/pull/1/head").unwrap(), Some(Want::Reference("refs/pull/1/head".into())));
        for bad in ["main", "HEAD", "refs/", "refs/pull/../heads/x", "refs/heads/-x y", "refs/*"] {
            assert!(any(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_that_are_none_say_why() {
        let range =
            |range: &str| Want::from_spec(&RefSpec::SemVer { range: range.into(), pre_releases: false });
        assert!(matches!(range("1.x").unwrap(), Some(Want::Newest(_))));
        let told = range("1.0.0 - 2.0.0").unwrap_err().to_string();
        assert!(told.contains("1.0.0 - 2.0.0") && told.contains(">=1.2.0 <=1.4.0"), "{told}");
    }

    #[test]
    fn commits_are_named_in_full() {
        let id = "1234567890ABCDEF1234567890abcdef12345678";
        assert_eq!(commit_id(id).unwrap().to_string(), id.to_ascii_lowercase());
        for bad in ["", "1234567", "g234567890abcdef1234567890abcdef12345678", &id.repeat(2)] {
            assert!(commit_id(bad).is_err(), "{bad:?}");
        }
    }
}
