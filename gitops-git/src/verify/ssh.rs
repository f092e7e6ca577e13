//! Signatures by SSH keys: `PROTOCOL.sshsig` of OpenSSH.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitops_core::Signer;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey, SshSig};

use super::allowed_signers::{AllowedSigner, matches_list};
use super::armor;
use super::signed::Signed;
use crate::refusal::Refusal;

/// What Git signs for.
const NAMESPACE: &str = "git";
const MIN_RSA_BITS: usize = 2048;
/// More than this is not verified by the library that does it.
const MAX_RSA_BITS: usize = 4096;

/// Whether signatures of a key can be verified, and may be trusted.
pub(super) fn usable(key: &KeyData) -> Result<(), String> {
    match key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            Ok(())
        }
        KeyData::Rsa(rsa) => {
            let modulus = rsa.n.as_positive_bytes().unwrap_or_default();
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                Ok(())
            } else {
                Err(format!(
                    "an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, and this one has {bits}"
                ))
            }
        }
        other => Err(format!("keys of the type {} are not supported", other.algorithm().as_str())),
    }
}

/// Who made a signature over a payload, if they are allowed to.
pub(super) fn verify(allowed: &[AllowedSigner], object: &Signed<'_>) -> Result<Signer, Refusal> {
    let signature = read(&object.signature)?;
    let key = signature.public_key();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    usable(key).map_err(|what| Refusal::Unsupported { what })?;
    if signature.namespace() != NAMESPACE {
        return Err(Refusal::Namespace { namespace: signature.namespace().chars().take(100).collect() });
    }
    let lines: Vec<_> = allowed.iter().filter(|line| line.key == *key).collect();
    let Some(first) = lines.first() else {
        return Err(Refusal::UnknownKey { kind: "SSH", key: fingerprint });
    };
    let signer = |line: &AllowedSigner| Signer::new(&line.principals, &fingerprint);
    // The library compares key and namespace once more.
    PublicKey::from(key.clone())
        .verify(NAMESPACE, &object.payload, &signature)
        .map_err(|_| Refusal::BadSignature { signer: signer(first).to_string() })?;
    // Several lines may be about one key; the reason is that of the first.
    let mut refused = None;
    for line in lines {
        match may_sign(line, object, &signer(line)) {
            Ok(()) => return Ok(signer(line)),
            Err(why) => drop(refused.get_or_insert(why)),
        }
    }
    Err(refused.unwrap_or(Refusal::Unsigned))
}

/// Whether a line lets its key sign this, and did so at that time.
fn may_sign(line: &AllowedSigner, object: &Signed<'_>, signer: &Signer) -> Result<(), Refusal> {
    let at = object.at;
    let signer = signer.to_string();
    if line.namespaces.as_ref().is_some_and(|patterns| !matches_list(NAMESPACE, patterns)) {
        return Err(Refusal::NotForGit { signer });
    }
    if let Some(from) = line.valid_after.filter(|from| at < *from) {
        return Err(Refusal::NotYetValid { signer, from, at });
    }
    if let Some(until) = line.valid_before.filter(|until| at > *until) {
        return Err(Refusal::Expired { what: "key", signer, until, at });
    }
    Ok(())
}

/// Reads a signature; its hash is SHA-256 or SHA-512, since nothing else can be read.
fn read(armored: &[u8]) -> Result<SshSig, Refusal> {
    let malformed = |reason: String| Refusal::Malformed { reason };
    let bytes = armor::bytes(armored, "SSH SIGNATURE")?;
    // The library reads lines of 70 characters only, and programs write others, too.
    let encoded = STANDARD.encode(bytes);
    let mut pem = String::with_capacity(encoded.len() + 200);
    pem.push_str("-----BEGIN SSH SIGNATURE-----");
    for (n, c) in encoded.chars().enumerate() {
        if n % 70 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push_str("\n-----END SSH SIGNATURE-----\n");
    let signature = SshSig::from_pem(pem).map_err(|error| malformed(error.to_string()))?;
    if signature.version() != SshSig::VERSION {
        return Err(malformed(format!("its version is {}, not {}", signature.version(), SshSig::VERSION)));
    }
    Ok(signature)
}
