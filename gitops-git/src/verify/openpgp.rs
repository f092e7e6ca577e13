//! Signatures by OpenPGP keys: RFC 9580, and what GnuPG writes.

use gitops_core::{Signer, Timestamp};
use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion, SubpacketData};

use super::armor;
use super::certificate::{Certificate, Key, Use, certificates, hex, is_strong};
use super::signed::Signed;
use crate::refusal::Refusal;

/// The largest file of keys that is read, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;
const BEGIN: &str = "-----BEGIN PGP ";

/// Reads all armored public keys of a file; text beside the blocks is left alone.
pub(super) fn read_keys(text: &[u8]) -> Result<Vec<Certificate>, String> {
    if text.len() > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| "it is not armored: export the keys with gpg --armor --export".to_owned())?;
    let starts: Vec<_> = text.match_indices(BEGIN).map(|(at, _)| at).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let mut keys = Vec::new();
    for (start, end) in starts.iter().copied().zip(ends) {
        let number = keys.len() + 1;
        let block = block(&text[start..end]).map_err(|reason| format!("key {number}: {reason}"))?;
        keys.extend(block);
    }
    if keys.is_empty() {
        return Err("it holds no armored public key: export one with gpg --armor --export".into());
    }
    Ok(keys)
}

fn block(text: &str) -> Result<Vec<Certificate>, String> {
    if !text.contains("-----END PGP ") {
        return Err("its armor has no end".into());
    }
    let options = DearmorOptions::new().set_limit(MAX_FILE);
    let mut dearmor = Dearmor::with_options(text.as_bytes(), options);
    dearmor.read_header().map_err(|error| format!("its armor cannot be read: {error}"))?;
    match dearmor.typ {
        Some(BlockType::PublicKey) => {}
        Some(BlockType::PrivateKey) => {
            return Err("it is a private key, which must not be here: use gpg --armor --export".into());
        }
        _ => return Err("it is no public key".into()),
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut dearmor, &mut bytes)
        .map_err(|error| format!("its armor cannot be read: {error}"))?;
    let found = certificates(PacketParser::new(&bytes[..]))?;
    if found.is_empty() { Err("it is empty".into()) } else { Ok(found) }
}

/// Who made a signature over a payload, if they are trusted and it was valid then.
pub(super) fn verify(trusted: &[Certificate], object: &Signed<'_>) -> Result<Signer, Refusal> {
    let signature = read(&object.signature)?;
    let issuer = issuer(&signature)?;
    let named = find(trusted, &signature);
    let Some((first, key)) = named.first() else {
        return Err(Refusal::UnknownKey { kind: "OpenPGP", key: issuer });
    };
    let signer = first.signer.to_string();
    if !is_strong(&signature) {
        let hash = signature.hash_alg().map_or_else(|| "no known hash".into(), |hash| hash.to_string());
        return Err(Refusal::WeakHash { signer, hash });
    }
    if !key.material.verify(&signature, &object.payload) {
        return Err(Refusal::BadSignature { signer });
    }
    // The same key may be there twice, from before and after its owner prolonged or revoked it.
    if named.iter().any(|(certificate, key)| certificate.revoked || key.use_ == Use::Revoked) {
        return Err(Refusal::Revoked { signer });
    }
    let mut refused = None;
    for (certificate, key) in named {
        match may_sign(certificate, key, &signature, object.at) {
            Ok(()) => return Ok(Signer::new(&certificate.signer.name, hex(&key.fingerprint))),
            Err(why) => drop(refused.get_or_insert(why)),
        }
    }
    Err(refused.unwrap_or(Refusal::Unsigned))
}

/// Whether a key was meant to sign, and did so in time.
fn may_sign(
    certificate: &Certificate,
    key: &Key,
    signature: &Signature,
    at: Timestamp,
) -> Result<(), Refusal> {
    if key.use_ != Use::Signing {
        let owner = certificate.signer.name.clone();
        return Err(Refusal::NotASigningKey { owner, key: hex(&key.fingerprint) });
    }
    in_time(certificate, key, signature, at)
}

/// Whether key and signature were valid when the signature was made, and when the object says that it was made.
fn in_time(
    certificate: &Certificate,
    key: &Key,
    signature: &Signature,
    at: Timestamp,
) -> Result<(), Refusal> {
    let signer = certificate.signer.to_string();
    let Some(made) = signature.created().map(|made| i64::from(made.as_secs())) else {
        return Err(Refusal::Malformed { reason: "it does not say when it was made".into() });
    };
    let time = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    if made < key.created {
        return Err(Refusal::NotYetValid { signer, from: time(key.created), at: time(made) });
    }
    let at = at.max(time(made));
    let primary = certificate.keys.first().and_then(|primary| primary.expires);
    let key_ends = [primary, key.expires].into_iter().flatten().min();
    let signature_ends = signature
        .signature_expiration_time()
        .map(|after| i64::from(after.as_secs()))
        .filter(|after| *after > 0)
        .map(|after| made + after);
    for (what, until) in [("key", key_ends), ("signature", signature_ends)] {
        if let Some(until) = until.map(time)
            && at >= until
        {
            return Err(Refusal::Expired { what, signer, until, at });
        }
    }
    Ok(())
}

/// The trusted keys that a signature names, which is one key, as often as it is there.
fn find<'a>(trusted: &'a [Certificate], signature: &Signature) -> Vec<(&'a Certificate, &'a Key)> {
    let fingerprints = signature.issuer_fingerprint();
    let ids = signature.issuer_key_id();
    let is_named = |key: &Key| {
        if fingerprints.is_empty() {
            ids.contains(&&key.id)
        } else {
            fingerprints.contains(&&key.fingerprint)
        }
    };
    let keys = |certificate: &'a Certificate| certificate.keys.iter().map(move |key| (certificate, key));
    trusted.iter().flat_map(keys).filter(|(_, key)| is_named(key)).collect()
}

/// The key that a signature names, as `gpg` prints it.
fn issuer(signature: &Signature) -> Result<String, Refusal> {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return Ok(hex(fingerprint));
    }
    match signature.issuer_key_id().first() {
        Some(id) => Ok(id.to_string().to_uppercase()),
        None => Err(Refusal::Malformed { reason: "it does not say which key made it".into() }),
    }
}

/// Reads the one signature of an armored block, over data: bytes, or text whose line ends do not count.
fn read(armored: &[u8]) -> Result<Signature, Refusal> {
    let malformed = |reason: &str| Refusal::Malformed { reason: reason.to_owned() };
    let bytes = armor::bytes(armored, "PGP SIGNATURE")?;
    let mut packets = PacketParser::new(&bytes[..]);
    let (Some(Ok(Packet::Signature(signature))), None) = (packets.next(), packets.next()) else {
        return Err(malformed("it is not one whole OpenPGP signature"));
    };
    let config = signature
        .config()
        .filter(|_| matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6))
        .ok_or_else(|| malformed("its version is not 4 or 6"))?;
    if !matches!(config.typ(), SignatureType::Binary | SignatureType::Text) {
        return Err(malformed("it is not one over data"));
    }
    // RFC 9580 section 5.2.3.7: what the signer calls critical must be understood.
    let unknown = |data: &SubpacketData| {
        matches!(
            data,
            SubpacketData::Experimental(..) | SubpacketData::Other(..) | SubpacketData::Notation(_)
        )
    };
    if config.hashed_subpackets().any(|packet| packet.is_critical && unknown(&packet.data)) {
        return Err(malformed("the signer demands something that is not understood"));
    }
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_told() {
        for (text, why) in [
            (&b"\x99\x01\x00"[..], "not armored"),
            (b"hello", "no armored public key"),
            (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nYWJj\n", "no end"),
            (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nYWJj\n-----END PGP PUBLIC KEY BLOCK-----\n", "key 1"),
            (
                b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nYWJj\n-----END PGP PRIVATE KEY BLOCK-----\n",
                "private",
            ),
        ] {
            let error = read_keys(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
