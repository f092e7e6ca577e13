//! Making a client that fails early and says why.

use std::time::Duration;

use crate::error::KubeError;

/// How to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Whether a kubeconfig may run a program for credentials; false by default, because it is a way to run anything.
    pub exec: bool,
    /// How long connecting may take; 5 seconds by default.
    pub connect_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { exec: false, connect_timeout: Duration::from_secs(5) }
    }
}

impl ConnectOptions {
    /// Lets a kubeconfig run a program for credentials (`exec`, or an `auth-provider`).
    #[must_use]
    pub fn with_exec(mut self) -> Self {
        self.exec = true;
        self
    }

    /// How long connecting may take.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }
}

/// A client from a configuration such as [`kube::Config::infer`] gives.
///
/// Its retries are off: a [`KubeTarget`](crate::KubeTarget) answers with what the API server says, and whoever drives it
/// decides when to try again. The program must have installed a TLS provider, because a library cannot choose one for
/// it; a missing one is [`KubeError::NoTlsProvider`] and no panic. Sends nothing yet.
///
/// # Errors
/// [`KubeError::NoTlsProvider`], [`KubeError::ExecRefused`], [`KubeError::EmptyImpersonation`], and
/// [`KubeError::Client`] for what kube refuses.
///
/// # Panics
/// kube needs a tokio runtime for its connection pool, and panics when called outside of one.
pub fn connect(mut config: kube::Config, options: &ConnectOptions) -> Result<kube::Client, KubeError> {
    check(&config, options)?;
    // Without a default provider rustls guesses from the features of the build, and panics when it cannot.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(KubeError::NoTlsProvider);
    }
    config.default_retry = false;
    config.connect_timeout = Some(options.connect_timeout);
    kube::Client::try_from(config).map_err(|error| KubeError::Client { message: error.to_string() })
}

fn check(config: &kube::Config, options: &ConnectOptions) -> Result<(), KubeError> {
    let auth = &config.auth_info;
    if !options.exec {
        if let Some(exec) = &auth.exec {
            let program = exec.command.clone().unwrap_or_default();
            return Err(KubeError::ExecRefused { program });
        }
        if let Some(provider) = &auth.auth_provider {
            return Err(KubeError::ExecRefused { program: provider.name.clone() });
        }
    }
    let as_somebody = auth.impersonate.as_deref().is_some_and(|user| !user.trim().is_empty());
    let groups = auth.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty());
    if !as_somebody && (auth.impersonate.is_some() || groups) {
        return Err(KubeError::EmptyImpersonation);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> kube::Config {
        kube::Config::new(http::Uri::from_static("https://127.0.0.1:1"))
    }

    #[test]
    fn nobody_is_nobody() {
        for (user, groups) in
            [(Some(""), None), (Some(" "), None), (None, Some(vec!["system:masters".to_owned()]))]
        {
            let mut config = config();
            config.auth_info.impersonate = user.map(str::to_owned);
            config.auth_info.impersonate_groups = groups;
            assert!(matches!(check(&config, &ConnectOptions::default()), Err(KubeError::EmptyImpersonation)));
        }
        let mut config = config();
        config.auth_info.impersonate = Some("ada".into());
        assert!(check(&config, &ConnectOptions::default()).is_ok());
    }

    #[test]
    fn programs_are_run_only_when_allowed() {
        let auth = serde_json::json!({"exec": {"command": "steal", "args": ["hunter2"], "interactiveMode": "Never"}});
        let mut config = config();
        config.auth_info = serde_json::from_value(auth).unwrap();
        let refused = check(&config, &ConnectOptions::default()).unwrap_err();
        assert!(
            refused.to_string().contains("steal") && !refused.to_string().contains("hunter2"),
            "{refused}"
        );
        assert!(check(&config, &ConnectOptions::default().with_exec()).is_ok());
    }

    #[test]
    fn a_missing_provider_is_an_error() {
        // No test of this binary installs a default provider.
        assert!(matches!(connect(config(), &ConnectOptions::default()), Err(KubeError::NoTlsProvider)));
    }
}
