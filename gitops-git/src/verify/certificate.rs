//! OpenPGP certificates (RFC 9580 section 10.1): a primary key, who it belongs to, and the keys that may sign for it.

use gitops_core::{Signer, one_line};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Packet, PacketTrait as _, PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData, UserId,
};
use pgp::ser::Serialize as _;
use pgp::types::{
    EcdsaPublicParams, EddsaLegacyPublicParams, Fingerprint, KeyDetails, KeyId, KeyVersion, PublicParams,
    RsaPublicParams, Tag, Timestamp,
};

use crate::openpgp::{created, expires};

/// RSA keys of fewer bits are refused.
const MIN_RSA_BITS: usize = 2048;

/// Somebody whose signatures are trusted.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) signer: Signer,
    pub(super) revoked: bool,
    /// The primary key first.
    pub(super) keys: Vec<Key>,
}

/// One key of a certificate.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) material: Material,
    pub(super) fingerprint: Fingerprint,
    pub(super) id: KeyId,
    pub(super) use_: Use,
    /// Seconds since 1970.
    pub(super) created: i64,
    pub(super) expires: Option<i64>,
}

/// What a key may be used for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Signing,
    /// Signing, if it were not revoked by its primary key.
    Revoked,
    /// Encryption, certification, …
    Other,
}

/// The key itself.
#[derive(Debug, Clone)]
pub(super) enum Material {
    Primary(PublicKey),
    Sub(PublicSubkey),
}

impl Material {
    pub(super) fn verify(&self, signature: &Signature, payload: &[u8]) -> bool {
        match self {
            Self::Primary(key) => signature.verify(key, payload),
            Self::Sub(key) => signature.verify(key, payload),
        }
        .is_ok()
    }
}

/// Something that signatures can follow in a certificate, with those that do.
enum Part {
    Primary(Vec<Signature>),
    User(UserId, Vec<Signature>),
    Sub(Box<PublicSubkey>, Vec<Signature>),
    /// A picture, or what else says nothing of interest here.
    Other,
}

/// Reads the certificates in a sequence of packets. What is not understood is an error.
pub(super) fn certificates(
    packets: impl Iterator<Item = pgp::errors::Result<Packet>>,
) -> Result<Vec<Certificate>, String> {
    let mut found: Vec<(PublicKey, Vec<Part>)> = Vec::new();
    for packet in packets {
        let packet = packet.map_err(|error| format!("a part of the key cannot be read: {error}"))?;
        let part = match packet {
            Packet::PublicKey(key) => {
                found.push((key, vec![Part::Primary(Vec::new())]));
                continue;
            }
            Packet::SecretKey(_) | Packet::SecretSubkey(_) => {
                return Err("it holds a private key, which must not be here: use gpg --armor --export".into());
            }
            Packet::Marker(_) | Packet::Padding(_) | Packet::Trust(_) => continue,
            Packet::UserId(user) => Some(Part::User(user, Vec::new())),
            Packet::PublicSubkey(key) => Some(Part::Sub(Box::new(key), Vec::new())),
            Packet::UserAttribute(_) => Some(Part::Other),
            Packet::Signature(signature) => {
                let (_, parts) = found.last_mut().ok_or("a signature stands before any key")?;
                if let Some(Part::Primary(list) | Part::User(_, list) | Part::Sub(_, list)) = parts.last_mut()
                {
                    list.push(signature);
                }
                None
            }
            other => {
                return Err(format!(
                    "it holds a packet that does not belong to a public key: {:?}",
                    other.tag()
                ));
            }
        };
        if let Some(part) = part {
            found.last_mut().ok_or("it does not begin with a public key")?.1.push(part);
        }
    }
    found.into_iter().map(|(primary, parts)| certificate(&primary, &parts)).collect()
}

fn certificate(primary: &PublicKey, parts: &[Part]) -> Result<Certificate, String> {
    let fingerprint = hex(&primary.fingerprint());
    let fail = |reason: String| format!("the key {fingerprint}: {reason}");
    supported(primary).map_err(fail)?;
    let mut revoked = false;
    let mut own = OwnSignatures::default();
    let mut names = Vec::new();
    for part in parts {
        match part {
            Part::Primary(signatures) => {
                revoked |= primary_signatures(primary, signatures, &mut own).map_err(fail)?;
            }
            Part::User(user, signatures) => {
                names.extend(user_signatures(primary, user, signatures, &mut own));
            }
            Part::Sub(..) | Part::Other => {}
        }
    }
    if own.by_name.is_none() && own.direct.is_none() {
        let why = if own.weak {
            "its signatures of itself use SHA-1 or MD5, which can be forged: renew them, for example by gpg --quick-set-expire"
        } else {
            "nothing in it was signed by the key itself"
        };
        return Err(fail(why.into()));
    }
    let created = created(primary);
    let mut keys = vec![Key {
        material: Material::Primary(primary.clone()),
        fingerprint: primary.fingerprint(),
        id: primary.legacy_key_id(),
        // Without flags, a key may do all that its algorithm can.
        use_: if own.signs().unwrap_or(true) { Use::Signing } else { Use::Other },
        created,
        expires: own.expires(),
    }];
    for part in parts {
        if let Part::Sub(key, signatures) = part {
            keys.extend(subkey(primary, key, signatures).map_err(fail)?);
        }
    }
    let name =
        names.into_iter().max_by_key(|(is_primary, made, _)| (*is_primary, *made)).map(|(_, _, name)| name);
    let signer = Signer::new(name.unwrap_or_else(|| "somebody without a name".into()), &fingerprint);
    Ok(Certificate { signer, revoked, keys })
}

/// What the key's owner says of it: by the newest signature of a name, and the newest of the key by itself.
#[derive(Default)]
struct OwnSignatures {
    by_name: Option<Statement>,
    direct: Option<Statement>,
    /// There are some that do not count.
    weak: bool,
}

struct Statement {
    made: u32,
    signs: Option<bool>,
    expires: Option<i64>,
}

impl OwnSignatures {
    /// Takes up a signature that was verified.
    fn add(&mut self, key: &PublicKey, signature: &Signature) {
        let Some(made) = signature.created().map(Timestamp::as_secs) else { return };
        if !is_strong(signature) {
            self.weak = true;
            return;
        }
        let is_direct = signature.typ() == Some(SignatureType::Key);
        let place = if is_direct { &mut self.direct } else { &mut self.by_name };
        if place.as_ref().is_none_or(|newest| newest.made <= made) {
            *place = Some(Statement { made, signs: signs(signature), expires: expires(key, signature) });
        }
    }

    fn signs(&self) -> Option<bool> {
        let says = |statement: &Option<Statement>| statement.as_ref().and_then(|statement| statement.signs);
        says(&self.by_name).or_else(|| says(&self.direct))
    }

    /// The earlier end, if both say one: a statement that is silent does not take back the other.
    fn expires(&self) -> Option<i64> {
        [&self.by_name, &self.direct].into_iter().flatten().filter_map(|statement| statement.expires).min()
    }
}

/// Signatures right after the primary key. Whether it is revoked.
fn primary_signatures(
    primary: &PublicKey,
    signatures: &[Signature],
    own: &mut OwnSignatures,
) -> Result<bool, String> {
    let mut revoked = false;
    for signature in signatures {
        match signature.typ() {
            Some(SignatureType::KeyRevocation) => {
                // Of whatever hash: nobody else has a use for revoking it.
                signature
                    .verify_key(primary)
                    .map_err(|error| format!("it has a revocation that cannot be checked: {error}"))?;
                revoked = true;
            }
            Some(SignatureType::Key) if signature.verify_key(primary).is_ok() => own.add(primary, signature),
            Some(SignatureType::Key) => {}
            other => return Err(format!("it has a signature that is not understood: {other:?}")),
        }
    }
    Ok(revoked)
}

/// Signatures by the key itself of a name: whether it is the main one, when it was given, and the name. None where it was
/// revoked, or nobody but others confirms it. What others sign is of no interest: the key is trusted because it is here.
fn user_signatures(
    primary: &PublicKey,
    user: &UserId,
    signatures: &[Signature],
    own: &mut OwnSignatures,
) -> Option<(bool, u32, String)> {
    let mut given: Option<(bool, u32)> = None;
    let mut revoked = None;
    // Where the key's algorithm asks for a longer hash, the library does not even verify these.
    own.weak |= signatures.iter().any(|signature| {
        !is_strong(signature) && signature.issuer_key_id().contains(&&primary.legacy_key_id())
    });
    let by_itself = signatures
        .iter()
        .filter(|signature| signature.verify_certification(primary, Tag::UserId, user).is_ok());
    for signature in by_itself {
        let made = signature.created().map(Timestamp::as_secs).unwrap_or_default();
        if signature.typ() == Some(SignatureType::CertRevocation) {
            revoked = revoked.max(Some(made));
        } else {
            own.add(primary, signature);
            given = given.max(Some((signature.is_primary(), made)));
        }
    }
    let (is_primary, made) = given?;
    if revoked >= Some(made) {
        return None;
    }
    let name = one_line(&String::from_utf8_lossy(user.id())).chars().take(200).collect();
    Some((is_primary, made, name))
}

/// A subkey, if it may sign or was once allowed to.
fn subkey(primary: &PublicKey, key: &PublicSubkey, signatures: &[Signature]) -> Result<Option<Key>, String> {
    let name = hex(&key.fingerprint());
    let fail = |reason: String| format!("the subkey {name}: {reason}");
    let mut revoked = false;
    let mut newest: Option<&Signature> = None;
    for signature in signatures {
        let verified = signature.verify_subkey_binding(primary, key);
        match (signature.typ(), verified) {
            (Some(SignatureType::SubkeyRevocation), Ok(())) => revoked = true,
            (Some(SignatureType::SubkeyRevocation), Err(error)) => {
                return Err(fail(format!("it has a revocation that cannot be checked: {error}")));
            }
            (Some(SignatureType::SubkeyBinding), Ok(())) => {
                if newest.is_none_or(|known| {
                    known.created().map(Timestamp::as_secs) <= signature.created().map(Timestamp::as_secs)
                }) {
                    newest = Some(signature);
                }
            }
            (Some(SignatureType::SubkeyBinding), Err(_)) => {}
            (other, _) => return Err(fail(format!("it has a signature that is not understood: {other:?}"))),
        }
    }
    // Nothing binds it to the primary key: anybody could have put it there.
    let Some(binding) = newest else { return Ok(None) };
    let key_of = |use_| Key {
        material: Material::Sub(key.clone()),
        fingerprint: key.fingerprint(),
        id: key.legacy_key_id(),
        use_,
        created: created(key),
        expires: expires(key, binding),
    };
    if signs(binding) != Some(true) {
        return Ok(Some(key_of(Use::Other)));
    }
    supported(key).map_err(fail)?;
    // The subkey must agree, or a stranger's key could be made one's own.
    let back = binding
        .embedded_signature()
        .ok_or_else(|| fail("it does not say that it belongs to its primary key".into()))?;
    back.verify_primary_key_binding(key, primary)
        .map_err(|error| fail(format!("it does not say that it belongs to its primary key: {error}")))?;
    if !is_strong(binding) || !is_strong(back) {
        return Err(fail("it is bound by SHA-1 or MD5, which can be forged: renew it, for example by gpg --quick-set-expire".into()));
    }
    Ok(Some(key_of(if revoked { Use::Revoked } else { Use::Signing })))
}

/// Whether a signature's hash cannot be forged.
pub(super) fn is_strong(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// Whether the key may sign data; none where nothing is said.
fn signs(signature: &Signature) -> Option<bool> {
    signature.config()?.hashed_subpackets().find_map(|packet| match &packet.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    })
}

/// Whether signatures of a key can be verified, and may be trusted.
fn supported(key: &impl KeyDetails) -> Result<(), String> {
    if !matches!(key.version(), KeyVersion::V4 | KeyVersion::V6) {
        return Err(format!("keys of version {:?} are not supported", key.version()));
    }
    match key.public_params() {
        PublicParams::Ed25519(_) | PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) => {
            Ok(())
        }
        PublicParams::ECDSA(
            EcdsaPublicParams::P256 { .. } | EcdsaPublicParams::P384 { .. } | EcdsaPublicParams::P521 { .. },
        ) => Ok(()),
        PublicParams::RSA(rsa) if bits(rsa) >= MIN_RSA_BITS => Ok(()),
        PublicParams::RSA(rsa) => {
            Err(format!("an RSA key must have {MIN_RSA_BITS} bits or more, and this one has {}", bits(rsa)))
        }
        _ => Err(format!(
            "keys of the algorithm {:?} are not supported: use Ed25519, ECDSA or RSA",
            key.algorithm()
        )),
    }
}

/// The size of an RSA key: its modulus is stored first, after the number of its bits.
fn bits(key: &RsaPublicParams) -> usize {
    let mut stored = Vec::new();
    match (key.to_writer(&mut stored), &stored[..]) {
        (Ok(()), [high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

/// A fingerprint as `gpg` prints it.
pub(super) fn hex(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint:X}")
}
