//! OpenPGP private keys (RFC 9580), and what they sign.

use gitops_core::Timestamp;
use pgp::composed::{ArmorOptions, Deserializable as _, DetachedSignature, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, KeyVersion, Password};

use super::unusable;
use crate::openpgp::{created, expires};
use crate::write::WriteError;

/// A key that may sign, itself or by its subkeys.
pub(super) struct OpenPgpKey {
    key: SignedSecretKey,
    /// Seconds since 1970; after it, nothing of the key counts.
    expires: Option<i64>,
    /// What signs, the best first.
    hands: Vec<Hand>,
    passphrase: Password,
}

/// A subkey or the primary key, where it may sign.
struct Hand {
    /// None for the primary key.
    subkey: Option<usize>,
    created: i64,
    expires: Option<i64>,
}

impl OpenPgpKey {
    pub(super) fn read(armored: &str, passphrase: &str) -> Result<Self, WriteError> {
        let (key, _) = SignedSecretKey::from_string(armored).map_err(|_| {
            unusable("it is no armored OpenPGP private key: use gpg --armor --export-secret-keys")
        })?;
        if key.primary_key.version() != KeyVersion::V4 {
            return Err(unusable("only OpenPGP keys of version 4 can sign here"));
        }
        if !key.details.revocation_signatures.is_empty() {
            return Err(unusable("it is revoked"));
        }
        let own = key.details.users.iter().flat_map(|user| &user.signatures);
        let own = newest(own.chain(&key.details.direct_signatures).filter(|it| is_by(it, &key)));
        let expires = own.and_then(|own| expires(&key.primary_key, own));
        let mut hands = subkeys(&key);
        if hands.is_empty() && own.is_some_and(|own| own.key_flags().sign()) {
            hands.push(Hand { subkey: None, created: created(&key.primary_key), expires });
        }
        if hands.is_empty() {
            return Err(unusable("neither it nor one of its subkeys may sign"));
        }
        let mut key = Self { key, expires, hands: Vec::new(), passphrase: Password::from(passphrase) };
        // The private part of a subkey may be elsewhere.
        hands.retain(|hand| key.unlocks(hand));
        if hands.is_empty() {
            return Err(unusable("its passphrase is another, or it cannot be read"));
        }
        key.hands = hands;
        Ok(key)
    }

    fn unlocks(&self, hand: &Hand) -> bool {
        let unlocked = match hand.subkey {
            Some(at) => self.key.secret_subkeys[at].key.unlock(&self.passphrase, |_, _| Ok(())),
            None => self.key.primary_key.unlock(&self.passphrase, |_, _| Ok(())),
        };
        matches!(unlocked, Ok(Ok(())))
    }

    /// An armored signature over a payload.
    pub(super) fn sign(&self, payload: &[u8], at: Timestamp) -> Result<String, WriteError> {
        let is_valid = |expires: Option<i64>| expires.is_none_or(|end| at.as_second() < end);
        let hand = self.hands.iter().find(|hand| is_valid(self.expires) && is_valid(hand.expires));
        let hand = hand.ok_or_else(|| unusable("it has expired: renew it, and export it again"))?;
        match hand.subkey {
            Some(index) => sign(&self.key.secret_subkeys[index].key, &self.passphrase, payload, at),
            None => sign(&self.key.primary_key, &self.passphrase, payload, at),
        }
        .map_err(|error| unusable(&error.to_string()))
    }
}

/// The subkeys that may sign, the newest first.
fn subkeys(key: &SignedSecretKey) -> Vec<Hand> {
    let mut hands = Vec::new();
    for (index, subkey) in key.secret_subkeys.iter().enumerate() {
        let of_type = |typ| subkey.signatures.iter().filter(move |it| it.typ() == Some(typ));
        let is_revoked = of_type(SignatureType::SubkeyRevocation).next().is_some();
        let Some(binding) = newest(of_type(SignatureType::SubkeyBinding)) else { continue };
        if !is_revoked && binding.key_flags().sign() {
            let expires = expires(&subkey.key, binding);
            hands.push(Hand { subkey: Some(index), created: created(&subkey.key), expires });
        }
    }
    hands.sort_by_key(|hand| std::cmp::Reverse(hand.created));
    hands
}

/// Whether a statement about a key is its own, and no revocation.
fn is_by(signature: &Signature, key: &SignedSecretKey) -> bool {
    let id = key.primary_key.legacy_key_id();
    signature.typ() != Some(SignatureType::CertRevocation) && signature.issuer_key_id().contains(&&id)
}

fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs))
}

fn sign(
    key: &impl pgp::types::SigningKey,
    passphrase: &Password,
    payload: &[u8],
    at: Timestamp,
) -> pgp::errors::Result<String> {
    let hash = match key.hash_alg() {
        strong @ (HashAlgorithm::Sha384 | HashAlgorithm::Sha512) => strong,
        _ => HashAlgorithm::Sha256,
    };
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), hash);
    let seconds = u32::try_from(at.as_second()).unwrap_or(u32::MAX);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(pgp::types::Timestamp::from_secs(seconds)))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    let signature = config.sign(key, passphrase, payload)?;
    DetachedSignature::new(signature).to_armored_string(ArmorOptions::default())
}
