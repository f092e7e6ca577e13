//! What OpenPGP keys that verify and keys that sign have in common.

use pgp::packet::Signature;
use pgp::types::KeyDetails;

/// When a key ends, by a statement of its owner; in seconds since 1970.
pub(crate) fn expires(key: &impl KeyDetails, statement: &Signature) -> Option<i64> {
    let after =
        statement.key_expiration_time().map(|after| i64::from(after.as_secs())).filter(|after| *after > 0)?;
    Some(created(key) + after)
}

/// When a key was made, in seconds since 1970.
pub(crate) fn created(key: &impl KeyDetails) -> i64 {
    i64::from(key.created_at().as_secs())
}
