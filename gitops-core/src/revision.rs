//! What was asked of a source, and what it answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, one_line};

/// What to follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefSpec {
    /// What the source itself was configured with.
    #[default]
    Default,
    /// The head of a branch.
    Branch(String),
    /// A tag, peeled to its commit.
    Tag(String),
    /// One commit, by its full id.
    Commit(String),
    /// Any reference by its full name, such as `refs/pull/1/head`; peeled to its commit.
    Reference(String),
    /// The tag with the newest version (Semantic Versioning 2.0.0) in a range.
    SemVer {
        /// The range: `1.x`, `>=1.0.0 <2.0.0`, `^1.2`, `~1.2.3`; alternatives with `||`.
        range: String,
        /// Whether pre-releases count. A range that names one (`>=1.0.0-0`) takes them anyway.
        #[serde(default)]
        pre_releases: bool,
    },
}

impl fmt::Display for RefSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the source's default"),
            Self::Branch(name) => write!(f, "branch {}", one_line(name)),
            Self::Tag(name) => write!(f, "tag {}", one_line(name)),
            Self::Commit(id) => write!(f, "commit {}", one_line(id)),
            Self::Reference(name) => f.write_str(&one_line(name)),
            Self::SemVer { range, .. } => write!(f, "the newest version of {}", one_line(range)),
        }
    }
}

/// A state of a source: an opaque id, plus where it came from when that is known.
///
/// Two revisions are the same when their ids are: provenance may be missing until the revision was fetched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Revision {
    /// The id: a full commit id for Git, a digest for an artifact.
    pub id: String,
    /// Who, when and why, as far as the source can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<Provenance>>,
}

impl Revision {
    /// A revision of which only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), provenance: None }
    }

    /// Adds where it came from.
    #[must_use]
    pub fn with_provenance(mut self, provenance: Provenance) -> Self {
        self.provenance = Some(Box::new(provenance));
        self
    }

    /// The first seven characters of the id, as people quote commits.
    pub fn short(&self) -> &str {
        self.id.char_indices().nth(7).map_or(&*self.id, |(end, _)| &self.id[..end])
    }

    /// Who signed it, as far as that was verified; empty where it was not.
    pub fn signers(&self) -> &[Signer] {
        self.provenance.as_ref().map_or(&[], |provenance| &provenance.verified)
    }

    /// Whether this is the same revision, reached by the same tag: a tag that is signed anew is another proof.
    pub(crate) fn is_same_proof(&self, other: &Self) -> bool {
        let tag =
            |revision: &Self| revision.provenance.as_ref().and_then(|provenance| provenance.tag.clone());
        self == other && tag(self) == tag(other)
    }

    /// The first line of the message.
    pub fn title(&self) -> Option<&str> {
        self.provenance.as_ref()?.message.lines().map(str::trim).find(|line| !line.is_empty())
    }
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Revision {}

impl fmt::Display for Revision {
    /// `91b2c07 "web 1.4.2" Ben`, or the short id alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(self.short()))?;
        if let Some(title) = self.title() {
            write!(f, " \"{}\"", one_line(title))?;
        }
        match self.provenance.as_ref().and_then(|p| p.author.as_ref()) {
            Some(author) => write!(f, " {}", one_line(&author.name)),
            None => Ok(()),
        }
    }
}

/// Who made a revision, when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The reference that was followed, as the source spells it (`refs/heads/main`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who wrote the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Who put it into the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committer: Option<Person>,
    /// When it was put into the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Why: the whole message.
    #[serde(default)]
    pub message: String,
    /// The revision that the reference pointed to before, when this one does not descend from it (a force-push).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrote: Option<String>,
    /// The id of the annotated tag that was followed; none where the reference points to the revision itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Who signed it, by signatures that the source has verified against keys that it trusts: of the tag first, then of the
    /// revision itself. Empty where nothing was verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Signer>,
}

/// Somebody whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signer {
    /// Who the trusted keys say it is: an OpenPGP user id, or the principals of an SSH key.
    pub name: String,
    /// The key's fingerprint, as the field's tools print it (`SHA256:…` for SSH, hexadecimal for OpenPGP).
    pub key: String,
}

impl Signer {
    /// A signer by name and fingerprint.
    pub fn new(name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { name: name.into(), key: key.into() }
    }
}

impl fmt::Display for Signer {
    /// `Ada <ada@example.org> (SHA256:…)`, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", one_line(&self.name), one_line(&self.key))
    }
}

/// A person as Git records one. What is written there is a claim, unless the commit's signature was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The mail address; may be empty.
    #[serde(default)]
    pub email: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_reads_like_a_log_line() {
        let mut provenance = Provenance::default();
        assert_eq!(Revision::new("91b2c07aa").to_string(), "91b2c07");
        provenance.message = "web 1.4.2\n\nlong story".into();
        provenance.author = Some(Person { name: "Ben\u{1b}".into(), email: String::new() });
        let revision = Revision::new("91b2c07aa").with_provenance(provenance);
        assert_eq!(revision.to_string(), "91b2c07 \"web 1.4.2\" Ben\\u{1b}");
        assert_eq!(revision, Revision::new("91b2c07aa"));
        assert_eq!(Revision::new("äöüäöüäöü").short(), "äöüäöüä");
    }
}
