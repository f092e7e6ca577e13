//! The token goes to the API's scheme, host and port.

use gitops_core::Class;
use gitops_git::pull_request::{Builder, GitHub, Gitea, Outcome, PullRequestError, PullRequests};
use gitops_git::{GitError, Token};

use super::common::cgi::answer_of;
use super::common::forge::{Forge, Kind, NAME, OWNER, TOKEN, Trouble};
use super::common::proxy::Proxy;
use super::common::server::Reply;
use super::common::tls::Authority;
use super::common::{Server, cx, fault, provider};
use super::{KINDS, Stage, error, wanted};

#[tokio::test]
async fn line_02_redirects_are_refused() {
    for kind in KINDS {
        let (stage, other) = (Stage::new(kind), Stage::new(kind));
        let elsewhere = format!("http://u:s3cr3t@127.0.0.1:{}/x?y=s3cr3t", other.server.port());
        for (method, part) in
            [("GET", "/pulls"), ("POST", "/pulls"), ("POST", "/labels"), ("PATCH", "/pulls/")]
        {
            for (status, to) in [
                ("301 Moved", "/api/v3/repositories/1"),
                ("302 Found", &*elsewhere),
                ("307 Temporary", &elsewhere),
                ("308 Permanent", &elsewhere),
                ("301 Moved", ""),
            ] {
                stage.forge.with(|state| {
                    if method == "PATCH" {
                        state.pulls[0].title = "old".into();
                    } else {
                        state.pulls.clear();
                    }
                });
                let answer = answer_of(status, &[("Location", to)], "");
                stage.forge.once(method, part, Trouble::Instead(Reply::Whole(answer)));
                let refused = fault(stage.open(&wanted()).await);
                assert_eq!(refused.class, Class::Invalid, "{method} {part} {status}: {refused}");
                assert!(matches!(error(&refused), PullRequestError::RedirectRefused { .. }), "{refused:?}");
                assert!(!format!("{refused:?}").contains("s3cr3t"), "{refused:?}");
            }
            stage.forge.be_well();
            stage.open(&wanted()).await.unwrap();
        }
        assert_eq!(other.server.take_requests().len(), 0, "nobody else was asked anything");
    }
}

#[tokio::test]
async fn line_02_credentials_over_plain_http_need_to_be_allowed() {
    provider();
    let refusal = |builder: Builder<GitHub>| match builder.build() {
        Err(PullRequestError::Connection(error)) => error,
        other => panic!("{other:?}"),
    };
    let clear = "http://git.example/o/r";
    assert!(matches!(refusal(GitHub::builder(clear)), GitError::ProtocolRefused { .. }));
    let with_token = GitHub::builder(clear).allow_http().with_credentials(Token::new("t"));
    assert!(matches!(refusal(with_token.clone()), GitError::CredentialsInTheClear));
    with_token.allow_credentials_over_http().build().unwrap();
    // Of the API, not of the repository.
    let api = GitHub::builder("https://git.example/o/r").with_credentials(Token::new("t"));
    assert!(matches!(refusal(api.clone().with_api("http://api.example")), GitError::ProtocolRefused { .. }));
    let api = api.allow_http().with_api("http://api.example");
    assert!(matches!(refusal(api), GitError::CredentialsInTheClear));
}

/// Over TLS, with an authority of its own, a client certificate, and through a proxy, which sees nothing.
#[tokio::test]
async fn line_02_it_goes_over_tls_through_the_proxy() {
    provider();
    for kind in KINDS {
        let root = tempfile::tempdir().unwrap();
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = Server::start_tls(root.path(), authority.server_for("localhost", &clients));
        let forge = Forge::teach(&server, kind);
        let (certificate, key) = clients.client("us");
        let proxy = Proxy::start(None);
        let url = format!("https://localhost:{}/{OWNER}/{NAME}", server.port());
        let mut hosts: Vec<Box<dyn PullRequests>> = Vec::new();
        for (ca, certified) in [(true, true), (true, false), (false, true)] {
            let settings = Secure {
                ca: ca.then(|| authority.pem()),
                certificate: certified.then(|| (certificate.clone(), key.clone())),
                proxy: proxy.url(),
            };
            hosts.push(match kind {
                Kind::GitHub => Box::new(settings.of(GitHub::builder(&url)).build().unwrap()),
                Kind::Gitea => Box::new(settings.of(Gitea::builder(&url)).build().unwrap()),
            });
        }
        assert_eq!(hosts[0].open_or_update(&cx(), &wanted()).await.unwrap().outcome, Outcome::Created);
        assert_eq!(hosts[0].open_or_update(&cx(), &wanted()).await.unwrap().outcome, Outcome::Unchanged);
        let seen = proxy.take_seen();
        assert!(seen.requests.iter().all(|request| request.starts_with("CONNECT localhost:")), "{seen:?}");
        let carried = String::from_utf8_lossy(&seen.carried).into_owned();
        assert!(!carried.is_empty() && !carried.contains(TOKEN));
        let before = server.take_requests().len();
        assert!(before >= 3);
        // Without a certificate, and without trust.
        let denied = fault(hosts[1].open_or_update(&cx(), &wanted()).await);
        assert_eq!(denied.class, Class::Denied, "{denied}");
        let distrusted = fault(hosts[2].open_or_update(&cx(), &wanted()).await);
        assert_eq!(distrusted.class, Class::Invalid, "{distrusted}");
        assert_eq!(server.take_requests().len(), 0);
        assert_eq!(forge.open("update-shop", "main").len(), 1);
    }
}

struct Secure {
    ca: Option<String>,
    certificate: Option<(String, String)>,
    proxy: String,
}

impl Secure {
    fn of<H>(self, builder: Builder<H>) -> Builder<H> {
        let mut builder = builder.allow_loopback().with_proxy(self.proxy).with_credentials(Token::new(TOKEN));
        if let Some(ca) = self.ca {
            builder = builder.with_ca_pem(ca);
        }
        if let Some((certificate, key)) = self.certificate {
            builder = builder.with_client_certificate(certificate, key);
        }
        builder
    }
}
