//! Why a revision was not trusted.

use gitops_core::{Timestamp, one_line};

/// Why a revision is refused where signatures are verified. What was signed is named by [`crate::GitError::Refused`].
///
/// Keys are named as the field's tools print them: `SHA256:…` for SSH, hexadecimal for OpenPGP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no signature.
    #[error("it is not signed")]
    Unsigned,
    /// The signature may be good, but nobody said that its key can be trusted.
    #[error(
        "it is signed by the {kind} key {key}, which is not among the trusted keys: add it there if its owner may deploy"
    )]
    UnknownKey {
        /// `OpenPGP` or `SSH`.
        kind: &'static str,
        /// The fingerprint, or the key id where the signature tells no more.
        key: String,
    },
    /// The signature was made by the key, but over something else: the object was changed, or the signature is another's.
    #[error(
        "the signature by {} does not belong to it: it was changed after it was signed",
        one_line(signer)
    )]
    BadSignature {
        /// The owner of the key that the signature names, and the key.
        signer: String,
    },
    /// The signature cannot be read.
    #[error("the signature cannot be read: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The commit or tag, or one before it, is written as Git does not: readers may not agree about what it says.
    #[error("it is not as Git writes it: {reason}")]
    MalformedObject {
        /// What is wrong with it.
        reason: String,
    },
    /// The signature is of a kind that is not supported.
    #[error("the signature cannot be verified: {what}")]
    Unsupported {
        /// What it is, and what to use.
        what: String,
    },
    /// The signature uses a hash that can be forged.
    #[error(
        "the signature by {} uses {hash}, which can be forged: sign with SHA-256 or SHA-512",
        one_line(signer)
    )]
    WeakHash {
        /// The owner of the key, and the key.
        signer: String,
        /// The hash.
        hash: String,
    },
    /// The signature was made for something else than Git.
    #[error("the signature was made for the namespace {}, not for git", one_line(namespace))]
    Namespace {
        /// The namespace that was signed.
        namespace: String,
    },
    /// The trusted keys do not allow this key to sign for Git.
    #[error("the signature by {} is not allowed: the key's namespaces do not include git", one_line(signer))]
    NotForGit {
        /// The owner of the key, and the key.
        signer: String,
    },
    /// The key is not meant for signing.
    #[error("the key {key} of {} is not one that may sign", one_line(owner))]
    NotASigningKey {
        /// Whose key it is.
        owner: String,
        /// The key.
        key: String,
    },
    /// The key, or the signature, was no longer valid.
    #[error("the {what} of {} had expired at {until}, and it is of {at}", one_line(signer))]
    Expired {
        /// `key` or `signature`.
        what: &'static str,
        /// The owner of the key, and the key.
        signer: String,
        /// When it ended.
        until: Timestamp,
        /// When the commit or tag says that it was made.
        at: Timestamp,
    },
    /// The key was not valid yet.
    #[error("the key of {} is valid from {from}, and it is of {at}", one_line(signer))]
    NotYetValid {
        /// The owner of the key, and the key.
        signer: String,
        /// When it begins.
        from: Timestamp,
        /// When the commit or tag says that it was made.
        at: Timestamp,
    },
    /// The key was revoked by its owner.
    #[error("the key of {} is revoked", one_line(signer))]
    Revoked {
        /// The owner of the key, and the key.
        signer: String,
    },
    /// A tag is needed.
    #[error(
        "{} is no annotated tag, and only a signed tag may be deployed: use git tag -s",
        one_line(reference)
    )]
    NoTag {
        /// What was followed.
        reference: String,
    },
    /// The tag was signed under another name.
    #[error(
        "the tag was signed as {}, not as {}: somebody gave it another name",
        one_line(signed),
        one_line(reference)
    )]
    TagName {
        /// The name that was signed.
        signed: String,
        /// What was followed.
        reference: String,
    },
    /// The tag is not of this commit.
    #[error("the tag {tag} is not of this commit")]
    TagTarget {
        /// The tag's id.
        tag: String,
    },
    /// The revision does not come after what is in force, or after the commit that was trusted from the start.
    #[error(
        "it does not descend from {ancestor}, which is {what}: an older or another history needs to be allowed"
    )]
    NotDescended {
        /// The commit that it should descend from.
        ancestor: String,
        /// What that is.
        what: &'static str,
    },
    /// There are more commits to look at than allowed.
    #[error("more than {limit} commits would have to be looked at: trust a newer commit from the start")]
    TooManyCommits {
        /// The limit.
        limit: usize,
    },
}
