//! Who made a commit.

use gitops_core::{Person, Timestamp};
use gix::actor::Signature;

use super::WriteError;

/// The author or the committer of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    person: Person,
}

impl Identity {
    /// A name and an email address. The address may be empty; what no commit can hold is an error: control characters, `<`
    /// and `>`, or a name with nothing in it.
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Result<Self, WriteError> {
        let (name, email) = (name.into().trim().to_owned(), email.into().trim().to_owned());
        let fail = |reason: &str| Err(WriteError::InvalidCommit { reason: reason.into() });
        if [&name, &email].iter().any(|text| text.chars().any(|c| c.is_control() || matches!(c, '<' | '>'))) {
            return fail("a name or an address holds a control character, '<' or '>'");
        }
        // Git cuts these off at both ends, and takes no name of which nothing is left.
        if name.chars().all(|c| matches!(c, '.' | ',' | ':' | ';' | '"' | '\\' | '\'') || c == ' ') {
            return fail("a name is empty");
        }
        Ok(Self { person: Person { name, email } })
    }

    /// The name and the address.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// With a time, in UTC.
    pub(super) fn at(&self, time: Timestamp) -> Signature {
        Signature {
            name: self.person.name.as_str().into(),
            email: self.person.email.as_str().into(),
            time: gix::date::Time::new(time.as_second(), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_commit_can_hold_is_refused() {
        assert!(Identity::new("Ada Lovelace", "ada@example.org").is_ok());
        assert!(Identity::new("bot", "").is_ok());
        for (name, email) in
            [("", "a@b"), (" ", "a@b"), ("...", "a"), ("a\nb", "c"), ("a", "b>c"), ("a<", "")]
        {
            assert!(Identity::new(name, email).is_err(), "{name:?} {email:?}");
        }
    }
}
