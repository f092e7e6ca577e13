//! Whether a delivery is from whom it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::headers::Headers;
use super::secret::Secret;
use super::{Host, WebhookError};

/// Standard Webhooks lets a sender sign with several keys while they are exchanged; nobody has more.
const MOST_SIGNATURES: usize = 8;

/// Checks the proof of a delivery, by the host's rule, with each of the secrets.
pub(super) fn verify<V: AsRef<[u8]>>(
    host: Host,
    headers: &Headers<V>,
    body: &[u8],
    secrets: &[Secret],
) -> Result<(), WebhookError> {
    let Proof { header, rule } = proof_of(host, headers, secrets);
    let Some(value) = headers.get(header) else { return Err(WebhookError::Unsigned { host, header }) };
    let proven = match rule {
        Rule::Prefixed => prefixed(value, body, secrets),
        Rule::Bare => bare(value, body, secrets),
        Rule::Standard => standard(headers, value, body, secrets),
        // A signing token is a key, and is never sent.
        Rule::Token => any(secrets, |secret| !secret.is_signing_token() & secret.is(value)),
    };
    if proven { Ok(()) } else { Err(WebhookError::WrongSignature { host, header }) }
}

/// Which header proves a delivery, and how.
struct Proof {
    header: &'static str,
    rule: Rule,
}

enum Rule {
    /// `sha256=` and the HMAC of the body in hexadecimal.
    Prefixed,
    /// The HMAC of the body in hexadecimal.
    Bare,
    /// Standard Webhooks.
    Standard,
    /// The secret itself.
    Token,
}

const STANDARD_WEBHOOKS: Proof = Proof { header: "webhook-signature", rule: Rule::Standard };
const GITLAB_TOKEN: Proof = Proof { header: "x-gitlab-token", rule: Rule::Token };

/// The proof that counts, where there may be several.
fn proof_of<V: AsRef<[u8]>>(host: Host, headers: &Headers<V>, secrets: &[Secret]) -> Proof {
    let has = |proof: &Proof| headers.get(proof.header).is_some();
    match host {
        Host::GitHub => Proof { header: "x-hub-signature-256", rule: Rule::Prefixed },
        Host::Bitbucket => Proof { header: "x-hub-signature", rule: Rule::Prefixed },
        Host::Gitea => {
            let forgejo = Proof { header: "x-forgejo-signature", rule: Rule::Bare };
            if has(&forgejo) { forgejo } else { Proof { header: "x-gitea-signature", rule: Rule::Bare } }
        }
        Host::GitLab => {
            // GitLab sends both where both were entered. The signature covers the body, so it counts if we know its key.
            let can_check = secrets.iter().any(Secret::is_signing_token);
            let is_signed = has(&STANDARD_WEBHOOKS) || !has(&GITLAB_TOKEN);
            if can_check && is_signed { STANDARD_WEBHOOKS } else { GITLAB_TOKEN }
        }
        Host::Generic if has(&STANDARD_WEBHOOKS) => STANDARD_WEBHOOKS,
        Host::Generic => Proof { header: "x-signature", rule: Rule::Prefixed },
    }
}

/// `sha256=` and the tag in hexadecimal: GitHub, Bitbucket. Weaker hashes are not taken.
fn prefixed(proof: &[u8], body: &[u8], secrets: &[Secret]) -> bool {
    proof.strip_prefix(b"sha256=").is_some_and(|hex| bare(hex, body, secrets))
}

/// The tag in hexadecimal: Gitea, Forgejo.
fn bare(proof: &[u8], body: &[u8], secrets: &[Secret]) -> bool {
    tag(proof).is_some_and(|tag| any(secrets, |secret| secret.signs(body, &tag)))
}

/// Standard Webhooks: `v1,` and the tag of `id.timestamp.body` in base64; several of them with spaces between. The id and
/// the time are covered, and not checked further: see the module's documentation.
fn standard<V: AsRef<[u8]>>(headers: &Headers<V>, proof: &[u8], body: &[u8], secrets: &[Secret]) -> bool {
    let (Some(id), Some(time)) = (headers.get("webhook-id"), headers.get("webhook-timestamp")) else {
        return false;
    };
    let parts: [&[u8]; 5] = [id, b".", time, b".", body];
    let tags = proof.split(|byte| *byte == b' ').take(MOST_SIGNATURES);
    tags.filter_map(|one| STANDARD.decode(one.strip_prefix(b"v1,")?).ok())
        .fold(false, |proven, tag| proven | any(secrets, |secret| secret.signs_standard(&parts, &tag)))
}

/// Asks each secret, also after one has said yes: which one fits is nobody's business.
fn any(secrets: &[Secret], fits: impl Fn(&Secret) -> bool) -> bool {
    secrets.iter().fold(false, |proven, secret| proven | fits(secret))
}

/// 32 bytes in lower-case hexadecimal.
fn tag(hex: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut tag = [0; 32];
    if hex.len() != 2 * tag.len() {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(tag)
}
