//! Why a delivery is refused.

use super::Host;

/// Why a delivery, or a secret, is refused. Nothing of a secret, a signature or a body is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Anybody could sign with it.
    #[error("the webhook's secret is empty: give the one that was entered at the Git host")]
    EmptySecret,
    /// The secret says that it is a signing token, but is none.
    #[error("the webhook's secret begins with whsec_ but is no signing token: what follows is not base64")]
    InvalidSigningToken,
    /// The body has more bytes than allowed.
    #[error("the delivery has more than {limit} bytes: raise with_max_bytes() if the host's are that large")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header that there must be only one of is there several times.
    #[error("the header {name} is there more than once")]
    RepeatedHeader {
        /// The header, in lower case.
        name: &'static str,
    },
    /// No header says which host it is from, and none signs it.
    #[error(
        "no header tells who sent this: it is no webhook of a known Git host, nor is it signed with X-Signature"
    )]
    UnknownSender,
    /// The receiver takes deliveries of another host only.
    #[error("this is a delivery of {host}, and only those of {wanted} are taken")]
    OtherHost {
        /// Who sent it.
        host: Host,
        /// Whose deliveries are taken.
        wanted: Host,
    },
    /// The proof is missing: no secret was entered at the host.
    #[error(
        "the delivery of {host} is not signed, there is no {header}: enter a secret for the webhook at the host"
    )]
    Unsigned {
        /// Who sent it.
        host: Host,
        /// The header that the proof would be in, in lower case.
        header: &'static str,
    },
    /// The proof is wrong: another secret, or somebody else.
    #[error("{header} does not fit the delivery of {host} and any known secret")]
    WrongSignature {
        /// Who seems to have sent it.
        host: Host,
        /// The header with the proof, in lower case.
        header: &'static str,
    },
    /// The body is a form.
    #[error(
        "the delivery is form-encoded: choose the content type application/json for the webhook at the host"
    )]
    FormEncoded,
    /// The proof is right, but the body is not JSON, or other JSON than the host documents.
    #[error("the delivery cannot be read: something is wrong at line {line}, column {column}")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// The column in bytes, counted from 1; 0 at the start of a line.
        column: usize,
    },
    /// The proof is right, but something in the body is missing or is not what it should be.
    #[error("the delivery has no usable {field:?}: it should be {wanted}")]
    InvalidField {
        /// The field.
        field: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
}

impl WebhookError {
    /// The HTTP status to answer with: 401 without the right proof, 413 and 415 for bodies that are not taken, 400 for
    /// what cannot be understood, and 500 for secrets that are none.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unsigned { .. } | Self::WrongSignature { .. } => 401,
            Self::TooLarge { .. } => 413,
            Self::FormEncoded => 415,
            Self::RepeatedHeader { .. }
            | Self::UnknownSender
            | Self::OtherHost { .. }
            | Self::Malformed { .. }
            | Self::InvalidField { .. } => 400,
            Self::EmptySecret | Self::InvalidSigningToken => 500,
        }
    }
}
