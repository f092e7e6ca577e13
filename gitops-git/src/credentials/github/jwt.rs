//! The proof that we are an App: a JSON Web Token (RFC 7519), signed with RS256 (RFC 7518, 3.3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gitops_core::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::CryptoRngCore;
use rsa::sha2::Sha256;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};

/// GitHub wants the time of issue in the past, whoever's clock is a little ahead.
const BACK_SECONDS: i64 = 60;

/// GitHub takes no token that ends more than ten minutes from now, by its own clock; so a little less is left.
const LASTS_SECONDS: i64 = 9 * 60;

/// Signs that the holder of the key is `app`, now. The randomness blinds the key, so that the time it takes tells nothing.
pub(super) fn proof(
    key: RsaPrivateKey,
    app: &str,
    now: Timestamp,
    rng: &mut impl CryptoRngCore,
) -> Result<String, rsa::signature::Error> {
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims(app, now)));
    let signature = SigningKey::<Sha256>::new(key).try_sign_with_rng(rng, signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
}

fn claims(app: &str, now: Timestamp) -> serde_json::Value {
    let now = now.as_second();
    serde_json::json!({"iat": now - BACK_SECONDS, "exp": now + LASTS_SECONDS, "iss": app})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_no_longer_than_ten_minutes() {
        let claims = claims("Iv1.abc", Timestamp::from_second(1_800_000_000).unwrap());
        assert_eq!(claims.to_string(), r#"{"exp":1800000540,"iat":1799999940,"iss":"Iv1.abc"}"#);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    }
}
