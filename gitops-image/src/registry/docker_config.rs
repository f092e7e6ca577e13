//! Credentials as Docker writes them down.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{RegistryCredentials, RegistryError};

/// No file of credentials is larger, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The credentials in a configuration of Docker, each with the host of its registry. Entries without a user and a password, and
/// without a registry's token, are left out: a helper has those.
///
/// What is wrong is told without the text.
pub(super) fn read(text: &[u8]) -> Result<Vec<(String, RegistryCredentials)>, RegistryError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        auths: BTreeMap<String, Entry>,
    }
    let invalid = |reason: &'static str| RegistryError::InvalidDockerConfig { reason };
    if text.len() > MAX_BYTES {
        return Err(invalid("it has more than 1 MiB"));
    }
    let config: Config =
        serde_json::from_slice(text).map_err(|_| invalid("it is not the JSON that Docker writes"))?;
    let mut found = Vec::new();
    for (registry, auth) in config.auths {
        if let Some(credentials) = auth.credentials().map_err(invalid)? {
            found.push((host(&registry).to_owned(), credentials));
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    registrytoken: Option<String>,
}

impl Entry {
    fn credentials(self) -> Result<Option<RegistryCredentials>, &'static str> {
        if let Some(token) = self.registrytoken.filter(|token| !token.is_empty()) {
            return Ok(Some(RegistryCredentials::bearer(token)));
        }
        if let (Some(user), Some(password)) = (self.username, self.password)
            && !user.is_empty()
        {
            return Ok(Some(RegistryCredentials::basic(user, password)));
        }
        let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) else { return Ok(None) };
        let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .ok_or("an auth is not the base64 of a user and a password")?;
        Ok(Some(RegistryCredentials::basic(user, password.trim_end_matches('\0'))))
    }
}

/// The host in a key: older ones are URLs, as `https://index.docker.io/v1/` is.
fn host(registry: &str) -> &str {
    let rest = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://"));
    let rest = rest.unwrap_or(registry);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_writes_is_read() {
        let text = br#"{
            "auths": {
                "https://index.docker.io/v1/": {"auth": "Ym90OnA6dw=="},
                "ghcr.io": {"username": "ada", "password": "pw", "email": "x", "auth": "YWRhOnB3"},
                "r.example:5000": {"registrytoken": "t0ken"},
                "helped.example": {},
                "empty.example": {"auth": ""},
                "http://old.example/v2": {"auth": "YTpi"}
            },
            "credsStore": "desktop", "HttpHeaders": {"User-Agent": "x"}
        }"#;
        let found = read(text).unwrap();
        let basic = |n: usize| found[n].1.basic_header().unwrap().unwrap().to_str().unwrap().to_owned();
        let hosts: Vec<_> = found.iter().map(|(host, _)| host.as_str()).collect();
        assert_eq!(hosts, ["ghcr.io", "old.example", "index.docker.io", "r.example:5000"]);
        assert_eq!((basic(0), basic(2)), ("Basic YWRhOnB3".into(), "Basic Ym90OnA6dw==".into()));
        assert_eq!(found[3].1.bearer_header().unwrap().unwrap(), "Bearer t0ken");
        assert!(read(b"{}").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        for bad in [
            "",
            "s3cr3t",
            r#"{"auths":"s3cr3t"}"#,
            r#"{"auths":{"a.example":"s3cr3t"}}"#,
            r#"{"auths":{"a.example":{"auth":"s3cr3t!"}}}"#,
            // No colon in it.
            r#"{"auths":{"a.example":{"auth":"czNjcjN0"}}}"#,
            &format!("{{\"x\":\"{}\"}}", "s3cr3t".repeat(200_000)),
        ] {
            let error = read(bad.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
}
