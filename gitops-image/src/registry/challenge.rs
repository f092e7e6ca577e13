//! What a registry wants before it answers.

use http_auth::{ChallengeRef, parse_challenges};
use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants to be asked (RFC 9110, 11.6.1; the token specification of Docker's registry).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a token of the service at this URL.
    Bearer { realm: Url, service: Option<String> },
    /// With a user and a password.
    Basic,
}

/// The challenge that we can answer, if there is one. A token goes before a password.
pub(super) fn of(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let found: Vec<Challenge> = values
        .filter_map(|text| parse_challenges(text).ok())
        .flatten()
        .filter_map(|challenge| read(&challenge))
        .collect();
    let is_bearer = |challenge: &Challenge| matches!(challenge, Challenge::Bearer { .. });
    let best = found.iter().position(is_bearer).unwrap_or_default();
    found.into_iter().nth(best)
}

fn read(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    if challenge.scheme.eq_ignore_ascii_case("Basic") {
        return Some(Challenge::Basic);
    }
    if !challenge.scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let parameter = |wanted: &str| {
        let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = Url::parse(&parameter("realm")?).ok()?;
    Some(Challenge::Bearer { realm, service: parameter("service") })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        of(&headers)
    }

    #[test]
    fn challenges_are_read_as_registries_send_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
        let bearer = |realm, service: Option<&str>| {
            Some(Challenge::Bearer { realm: Url::parse(realm).unwrap(), service: service.map(Into::into) })
        };
        let of_hub = || bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        assert_eq!(challenge(&[hub]), of_hub());
        assert_eq!(challenge(&["Basic realm=\"x\"", hub]), of_hub());
        assert_eq!(challenge(&[&format!("Basic realm=\"x\", {hub}")]), of_hub());
        assert_eq!(challenge(&["bearer REALM=\"https://r.example/t\""]), bearer("https://r.example/t", None));
        assert_eq!(challenge(&["Basic realm=\"x\""]), Some(Challenge::Basic));
        for none in [
            &[][..],
            &["Negotiate"],
            &["Bearer"],
            &["Bearer realm=\"/token\""],
            &["\u{7f}"[..0].into(), ",,="],
        ] {
            assert_eq!(challenge(none), None, "{none:?}");
        }
    }
}
