//! A secret that is shared with a host, and what it proves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::WebhookError;

/// What the signing tokens of Standard Webhooks begin with.
const SIGNING: &[u8] = b"whsec_";

/// A secret. Not `Debug`, so that nothing that holds one shows it by mistake.
#[derive(Clone)]
pub(super) struct Secret {
    text: Box<[u8]>,
    /// The key that it stands for, where it is a signing token.
    signing: Option<Box<[u8]>>,
}

impl Secret {
    pub(super) fn new(text: &[u8]) -> Result<Self, WebhookError> {
        if text.trim_ascii().is_empty() {
            return Err(WebhookError::EmptySecret);
        }
        let signing = match text.strip_prefix(SIGNING) {
            None => None,
            Some(encoded) => {
                let key = STANDARD.decode(encoded).map_err(|_| WebhookError::InvalidSigningToken)?;
                if key.is_empty() {
                    return Err(WebhookError::EmptySecret);
                }
                Some(key.into())
            }
        };
        Ok(Self { text: text.into(), signing })
    }

    pub(super) fn is_signing_token(&self) -> bool {
        self.signing.is_some()
    }

    /// Whether `tag` is the HMAC-SHA256 (RFC 2104) of the body under this secret.
    pub(super) fn signs(&self, body: &[u8], tag: &[u8]) -> bool {
        is_tag(&self.text, &[body], tag)
    }

    /// Whether `tag` is that of these parts under the key that this signing token stands for.
    pub(super) fn signs_standard(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.signing.as_ref().is_some_and(|key| is_tag(key, parts, tag))
    }

    /// Whether a token is this secret. The digests are compared, so that the time does not tell the length either.
    pub(super) fn is(&self, token: &[u8]) -> bool {
        Sha256::digest(&self.text).as_slice().ct_eq(Sha256::digest(token).as_slice()).into()
    }
}

fn is_tag(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(tag).is_ok()
}
