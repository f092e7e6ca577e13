//! Who asks, and where.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gitops_core::{Class, Cx, Fault};
use gitops_git::pull_request::{GitHub, Gitea, PullRequestError, PullRequests as _};
use gitops_git::{CredentialProvider, CredentialRequest, GitError, Login, Token, TokenFile};

use super::common::forge::{Kind, TOKEN};
use super::common::{cx, fault, provider};
use super::{KINDS, Settings, Stage, error, wanted};

/// Gives out the wrong token first.
#[derive(Clone, Debug, Default)]
struct Renewed(Arc<AtomicU32>);

#[async_trait]
impl CredentialProvider for Renewed {
    fn identity(&self) -> String {
        "renewed".into()
    }

    async fn login(&self, _cx: &Cx, request: &CredentialRequest) -> Result<Login, Fault> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Login::new("git", if request.refused { TOKEN } else { "0ld" }))
    }
}

#[tokio::test]
async fn a_token_that_was_renewed_is_asked_for_once() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let renewed = Renewed::default();
        let host = stage.host_with(renewed.clone(), Duration::from_secs(30));
        host.open_or_update(&cx(), &wanted()).await.unwrap();
        assert_eq!(renewed.0.load(Ordering::SeqCst), 2, "once, and once more when it was refused");
        stage.forge.with(|state| state.token = "another".into());
        let denied = fault(host.open_or_update(&cx(), &wanted()).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(matches!(error(&denied), PullRequestError::Denied { .. }));
    }
}

/// GitHub Enterprise, whose API gives out the App's tokens, too.
#[cfg(feature = "github-app")]
#[tokio::test]
async fn a_github_app_opens_pull_requests() {
    use super::common::forge::{Forge, NAME, OWNER};
    use super::common::github::{self, APP, INSTALLATION};
    use gitops_git::GitHubApp;
    use serde_json::json;
    let root = tempfile::tempdir().unwrap();
    let authority = super::common::tls::Authority::new();
    let server = super::common::Server::start_tls(root.path(), authority.server("localhost", false));
    let forge = Forge::teach(&server, Kind::GitHub);
    let mut pulls = None;
    server.behave(|b| pulls = b.answers.take());
    let app = github::GitHub::teach(&server);
    server.behave(|b| {
        let (tokens, pulls) = (b.answers.take().unwrap(), pulls.unwrap());
        b.answers = Some(Arc::new(move |request| {
            if request.target.contains("/app/installations/") { tokens(request) } else { pulls(request) }
        }));
    });
    let key = root.path().join("app.pem");
    github::put_key(&key);
    forge.with(|state| state.token = "ghs_0".into());
    let credentials = GitHubApp::new(APP, INSTALLATION, key)
        .with_api(github::GitHub::api(&server))
        .with_permission("pull_requests", "write");
    provider();
    let host = GitHub::builder(format!("https://localhost:{}/{OWNER}/{NAME}", server.port()))
        .allow_loopback()
        .with_ca_pem(authority.pem())
        .with_credentials(credentials)
        .build()
        .unwrap();
    for _ in 0..2 {
        host.open_or_update(&cx(), &wanted()).await.unwrap();
    }
    let wishes = app.take_wishes();
    assert_eq!(wishes, [json!({"permissions": {"contents": "read", "pull_requests": "write"}})]);
    assert_eq!(forge.open("update-shop", "main").len(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_told_before_anybody_is_asked() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let host = stage.host_with(TokenFile::new(stage.root.path().join("none")), Duration::from_secs(30));
        let denied = fault(host.open_or_update(&cx(), &wanted()).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(denied.to_string().contains("none"), "{denied}");
        assert_eq!(stage.requests().len(), 0);
    }
}

#[tokio::test]
async fn what_could_not_work_is_refused_when_it_is_built() {
    provider();
    for bad in [
        "",
        "https://git.example",
        "https://git.example/r",
        "/srv/git/o/r",
        "git@git.example:o/r",
        "https://127.0.0.1/o/r",
        "https://169.254.169.254/o/r",
        "https://git.example/o/r?token=s3cr3t",
    ] {
        for error in [GitHub::builder(bad).build().map(drop), Gitea::builder(bad).build().map(drop)] {
            let error = error.unwrap_err();
            assert_eq!(error.class(), Class::Invalid, "{bad}: {error}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
    }
    let with_user = GitHub::builder("https://git.example/o/r").with_api("https://u:s3cr3t@git.example/api");
    let error = with_user.build().unwrap_err();
    assert!(matches!(error, PullRequestError::Connection(GitError::InvalidUrl { .. })), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cr3t"));
    let proxy = GitHub::builder("https://git.example/o/r").with_proxy("socks5://x").build().unwrap_err();
    assert!(matches!(proxy, PullRequestError::Connection(GitError::InvalidProxy { .. })), "{proxy:?}");
}

/// A name that leads to this machine is refused when it is resolved.
#[tokio::test]
async fn line_05_addresses_need_to_be_allowed() {
    let stage = Stage::new(Kind::Gitea);
    let url = stage.url().replace("127.0.0.1", "localhost");
    let builder = Gitea::builder(url).allow_http().allow_credentials_over_http();
    let host = builder.clone().without_proxy().with_credentials(Token::new(TOKEN)).build().unwrap();
    let refused = fault(host.open_or_update(&cx(), &wanted()).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert!(refused.to_string().contains("allow_loopback"), "{refused}");
    assert_eq!(stage.requests().len(), 0);
}

#[tokio::test]
async fn the_api_may_be_somewhere_else() {
    for kind in KINDS {
        let stage = Stage::new(kind);
        let repository = "https://git.example/platform/config";
        let settings =
            Settings { timeout: Duration::from_secs(30), credentials: Some(Token::new(TOKEN).into()) };
        let base = format!("http://127.0.0.1:{}/api", stage.server.port());
        match kind {
            Kind::GitHub => {
                let builder = settings.of(GitHub::builder(repository)).with_api(format!("{base}/v3/"));
                builder.build().unwrap().open_or_update(&cx(), &wanted()).await.unwrap();
            }
            Kind::Gitea => {
                let builder = settings.of(Gitea::builder(repository)).with_api(format!("{base}/v1"));
                builder.build().unwrap().open_or_update(&cx(), &wanted()).await.unwrap();
            }
        }
        assert_eq!(stage.forge.open("update-shop", "main").len(), 1);
    }
}
