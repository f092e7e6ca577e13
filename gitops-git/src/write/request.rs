//! What to commit, and where to.

use std::collections::BTreeMap;

use super::message::{Message, Trailers};
use super::{Identity, WriteError};
use crate::GitError;
use crate::reference::Want;
use gitops_core::RefSpec;

/// The branch that a commit goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    branch: String,
    onto: Option<(String, Existing)>,
}

/// What to do with a branch that was to be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Append,
    Replace,
}

impl Target {
    /// A branch that is there: the commit becomes its new tip, after the one that it has.
    pub fn branch(name: impl Into<String>) -> Self {
        Self { branch: name.into(), onto: None }
    }

    /// A new branch, for a pull request: the commit comes after the tip of the branch `onto`. A branch that is there already
    /// is an error, unless that is said otherwise.
    pub fn new_branch(name: impl Into<String>, onto: impl Into<String>) -> Self {
        Self { branch: name.into(), onto: Some((onto.into(), Existing::Refuse)) }
    }

    /// If the new branch is there already, the commit comes after the tip that it has.
    #[must_use]
    pub fn or_append(self) -> Self {
        self.existing(Existing::Append)
    }

    /// If the new branch is there already, the commit takes the place of all that it has: the one way to push by force. What
    /// somebody else pushes to it meanwhile is not lost unseen: the tip must still be the one that was seen (a lease).
    #[must_use]
    pub fn or_replace(self) -> Self {
        self.existing(Existing::Replace)
    }

    fn existing(self, existing: Existing) -> Self {
        Self { onto: self.onto.map(|(onto, _)| (onto, existing)), ..self }
    }

    /// The full names of the references: that of the branch, and of what it is to come after if it is new.
    pub(super) fn references(&self) -> Result<(String, Option<String>), GitError> {
        let full = |name: &str| match Want::from_spec(&RefSpec::Branch(name.to_owned()))? {
            Some(Want::Reference(name)) => Ok(name),
            _ => Err(GitError::Bug("a branch is no reference".into())),
        };
        let onto = self.onto.as_ref().map(|(onto, _)| full(onto)).transpose()?;
        Ok((full(&self.branch)?, onto))
    }

    /// What the commit comes after, and which tip it replaces, from where the branches are now.
    pub(super) fn place(
        &self,
        tip: Option<gix::ObjectId>,
        onto_tip: Option<gix::ObjectId>,
    ) -> Result<Base, WriteError> {
        let missing = |name: &str| GitError::ReferenceNotFound { reference: format!("refs/heads/{name}") };
        let null = gix::ObjectId::null(gix::hash::Kind::Sha1);
        let Some((onto, existing)) = &self.onto else {
            let tip = tip.ok_or_else(|| missing(&self.branch))?;
            return Ok(Base { parent: tip, old: tip });
        };
        let onto = || onto_tip.ok_or_else(|| missing(onto));
        Ok(match (tip, existing) {
            (None, _) => Base { parent: onto()?, old: null },
            (Some(tip), Existing::Append) => Base { parent: tip, old: tip },
            (Some(tip), Existing::Replace) => Base { parent: onto()?, old: tip },
            (Some(_), Existing::Refuse) => {
                return Err(WriteError::BranchExists { branch: self.branch.clone() });
            }
        })
    }
}

/// What a commit is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// The commit before it.
    pub(super) parent: gix::ObjectId,
    /// What the branch must point to when it is moved; the null id if it must not be there.
    pub(super) old: gix::ObjectId,
}

impl Base {
    /// The tip that goes away, if the branch was there and is made anew.
    pub(super) fn replaced(&self) -> Option<gix::ObjectId> {
        (!self.old.is_null() && self.old != self.parent).then_some(self.old)
    }
}

/// What to commit beside the change itself.
#[derive(Debug, Clone)]
#[must_use]
pub struct CommitRequest {
    pub(super) target: Target,
    pub(super) message: Option<Message>,
    pub(super) trailers: Trailers,
    pub(super) author: Option<Identity>,
    pub(super) values: BTreeMap<String, String>,
    pub(super) dry_run: bool,
}

impl CommitRequest {
    /// A commit to a branch, by the writer's author, with a message that says what changed.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            message: None,
            trailers: Trailers::default(),
            author: None,
            values: BTreeMap::new(),
            dry_run: false,
        }
    }

    /// The message, or a template for it; without, it says what changed.
    pub fn with_message(mut self, message: Message) -> Self {
        self.message = Some(message);
        self
    }

    /// Fills a placeholder of the message. Control characters of the value are escaped.
    pub fn with_value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Adds a line `key: value` at the end of the message, where Git finds it (git-interpret-trailers(1)). A line that is the
    /// last one already is not added again.
    ///
    /// # Errors
    /// A key is made of letters, digits and `-`; anything else is [`WriteError::InvalidCommit`]. Control characters of
    /// the value are escaped.
    pub fn with_trailer(mut self, key: &str, value: &str) -> Result<Self, WriteError> {
        self.trailers.add(key, value)?;
        Ok(self)
    }

    /// Another author than the writer's.
    pub fn with_author(mut self, author: Identity) -> Self {
        self.author = Some(author);
        self
    }

    /// Does all but the push: shows the commit that would be made, and its diff. Nothing is left behind, neither there nor here;
    /// permission to push is not needed.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_moved_only_from_where_it_was_seen() {
        let id = |n: &str| gix::ObjectId::from_hex(n.repeat(40).as_bytes()).unwrap();
        let (null, tip, onto) = (id("0"), id("1"), id("2"));
        let place =
            |target: &Target, tip| target.place(tip, Some(onto)).map(|base| (base.parent, base.old)).ok();
        let plain = Target::branch("main");
        assert_eq!(place(&plain, Some(tip)), Some((tip, tip)));
        assert_eq!(place(&plain, None), None);
        let new = Target::new_branch("update", "main");
        assert_eq!(place(&new, None), Some((onto, null)));
        assert_eq!(place(&new, Some(tip)), None);
        assert_eq!(place(&new.clone().or_append(), Some(tip)), Some((tip, tip)));
        assert_eq!(place(&new.or_replace(), Some(tip)), Some((onto, tip)));
        assert_eq!(place(&plain.or_replace(), Some(tip)), Some((tip, tip)));
    }
}
