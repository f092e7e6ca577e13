//! Credentials as Docker writes them down.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{RegistryCredentials, RegistryError};

/// No file of credentials is larger, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// What credentials in a configuration of Docker are for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct For {
    /// The host of a registry.
    pub(super) host: String,
    /// The repositories at and below this path there; all of them if it is empty.
    pub(super) path: String,
}

/// The credentials in a configuration of Docker. Entries without a user and a password, and without a registry's token, are left out:
/// a helper has those.
///
/// What is wrong is told without the text.
pub(super) fn read(text: &[u8]) -> Result<Vec<(For, RegistryCredentials)>, RegistryError> {
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
    for (key, auth) in config.auths {
        if let (Some(credentials), Some(place)) = (auth.credentials().map_err(invalid)?, place(&key)) {
            found.push((place, credentials));
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Entry {
    fn credentials(self) -> Result<Option<RegistryCredentials>, &'static str> {
        if let Some(token) = self.registrytoken.filter(|token| !token.is_empty()) {
            return Ok(Some(RegistryCredentials::bearer(token)));
        }
        // Only a token service takes it; the user beside it has no password.
        if self.identitytoken.is_some_and(|token| !token.is_empty()) {
            return Ok(None);
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

/// What a key names: older ones are URLs, as `https://index.docker.io/v1/` is. None if that is no part of a registry: Docker keeps
/// other things below that URL, such as `access-token`.
fn place(key: &str) -> Option<For> {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = match path.trim_end_matches('/') {
        "v1" | "v2" => "",
        path if path.starts_with("v1/") || path.starts_with("v2/") => return None,
        path => path,
    };
    Some(For { host: host.to_owned(), path: path.to_owned() })
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
                "http://old.example/v2": {"auth": "YTpi"},
                "https://index.docker.io/v1/access-token": {"auth": "YTpi"},
                "r.example/team/a/": {"auth": "YTpi"},
                "identified.example": {"auth": "YTo=", "username": "a", "password": "", "identitytoken": "t0ken"}
            },
            "credsStore": "desktop", "HttpHeaders": {"User-Agent": "x"}
        }"#;
        let found = read(text).unwrap();
        let basic = |n: usize| found[n].1.basic_header().unwrap().unwrap().to_str().unwrap().to_owned();
        let places: Vec<_> =
            found.iter().map(|(place, _)| (place.host.as_str(), place.path.as_str())).collect();
        let whole = |host| (host, "");
        let team = ("r.example", "team/a");
        let hub = whole("index.docker.io");
        assert_eq!(places, [whole("ghcr.io"), whole("old.example"), hub, team, whole("r.example:5000")]);
        assert_eq!((basic(0), basic(2)), ("Basic YWRhOnB3".into(), "Basic Ym90OnA6dw==".into()));
        assert_eq!(found[4].1.bearer_header().unwrap().unwrap(), "Bearer t0ken");
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
