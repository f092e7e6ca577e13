//! A token service's answer.

use std::time::Duration;

use serde::Deserialize;

use super::RegistryError;

/// What a token lasts if nothing is said (token specification of Docker's registry).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// Nobody is believed for longer.
const MAX_LIFE: Duration = Duration::from_secs(3600);
/// Clocks and requests take their time: a token is left alone so long before its end.
const MARGIN: Duration = Duration::from_secs(10);
/// No header of this length reaches a server.
const MAX_LENGTH: usize = 16 * 1024;

/// A token, and how long it may be used.
pub(super) struct Granted {
    pub(super) token: String,
    pub(super) life: Duration,
}

impl Granted {
    /// Reads an answer. What is wrong with it is not told in detail: it may hold a token.
    pub(super) fn read(body: &[u8]) -> Result<Self, RegistryError> {
        #[derive(Deserialize)]
        struct Said {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<f64>,
        }
        let none = || RegistryError::not_a_registry("the token service gave no token");
        let said: Said = serde_json::from_slice(body).map_err(|_| none())?;
        let given = [said.token, said.access_token].into_iter().flatten().find(|token| !token.is_empty());
        let token = given.filter(|token| token.len() <= MAX_LENGTH).ok_or_else(none)?;
        let life = said.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let life = life.unwrap_or(DEFAULT_LIFE).min(MAX_LIFE).saturating_sub(MARGIN);
        Ok(Self { token, life })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_services_give_them() {
        for (body, token, life) in [
            (r#"{"token":"a","access_token":"b","expires_in":300}"#, "a", 290),
            (r#"{"access_token":"b"}"#, "b", 50),
            (r#"{"token":"","access_token":"b","expires_in":5,"more":[]}"#, "b", 0),
            (r#"{"token":"a","expires_in":1e300}"#, "a", 50),
            (r#"{"token":"a","expires_in":-1}"#, "a", 50),
            (r#"{"token":"a","expires_in":99999999}"#, "a", 3590),
        ] {
            let granted = Granted::read(body.as_bytes()).unwrap();
            assert_eq!((&*granted.token, granted.life.as_secs()), (token, life), "{body}");
        }
        let long = format!(r#"{{"token":"{}"}}"#, "s3cr3t".repeat(10_000));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"token":5}"#,
            r#"{"token":""}"#,
            r#"{"token":"s3cr3t","expires_in":"s3cr3t"}"#,
            &long,
        ] {
            let error = Granted::read(bad.as_bytes()).err().unwrap();
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }
}
