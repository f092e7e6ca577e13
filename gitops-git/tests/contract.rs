//! The contract of `Source`, over each transport.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::sync::Arc;

use common::{Repo, local};
use gitops_core::testing::NotApplicable;
use gitops_core::testing::source::{Able, SourceHarness, Trouble};
use gitops_core::{RefSpec, Source, async_trait};
use gitops_git::GitSource;

/// What is between a source and its repository.
trait Transport: Send + Sync + 'static {
    /// A source over a repository. Those of one repository share a mirror, as processes that follow each other do.
    fn open(&self, repo: &Repo) -> GitSource;

    fn trouble(&self, trouble: Trouble) -> Able {
        Err(NotApplicable::because(format!("a repository on this machine knows no {trouble:?}")))
    }

    fn calm(&self) {}

    fn moved(&self) -> Able<u64> {
        Err(NotApplicable::because("a repository on this machine is read where it is"))
    }

    fn credentials(&self) -> Able<Vec<String>> {
        Err(NotApplicable::because("a repository on this machine asks for no credentials"))
    }
}

struct Local;

impl Transport for Local {
    fn open(&self, repo: &Repo) -> GitSource {
        local(&repo.bare(), &repo.mirrors()).build().unwrap()
    }
}

struct Git {
    repo: Repo,
    elsewhere: Repo,
    transport: Box<dyn Transport>,
}

impl Git {
    fn over<T: Transport>(transport: impl FnOnce(&Repo) -> T) -> Self {
        let repo = Repo::new();
        let transport = Box::new(transport(&repo));
        Self { repo, elsewhere: Repo::new(), transport }
    }
}

#[async_trait]
impl SourceHarness for Git {
    async fn open(&self) -> Arc<dyn Source> {
        Arc::new(self.transport.open(&self.repo))
    }

    async fn elsewhere(&self) -> Arc<dyn Source> {
        Arc::new(local(&self.elsewhere.bare(), &self.elsewhere.mirrors()).build().unwrap())
    }

    async fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        for (name, content) in files {
            let path = self.repo.work().join(name);
            match content {
                Some(content) => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, content).unwrap();
                }
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        self.repo.commit_all(message)
    }

    fn missing(&self) -> RefSpec {
        RefSpec::Branch("missing".into())
    }

    fn no_revision(&self) -> String {
        "1234567890".repeat(4)
    }

    async fn trouble(&self, trouble: Trouble) -> Able {
        self.transport.trouble(trouble)
    }

    async fn calm(&self) {
        self.transport.calm();
    }

    fn moved(&self) -> Able<u64> {
        self.transport.moved()
    }

    async fn branch(&self, name: &str, revision: &str) -> Able<RefSpec> {
        self.repo.git(&["branch", "--force", name, revision]);
        self.repo.git(&["push", "--quiet", "--force", "origin", name]);
        Ok(RefSpec::Branch(name.into()))
    }

    async fn tag(&self, name: &str, revision: &str) -> Able<RefSpec> {
        self.repo.git(&["tag", "--annotate", "--message", "a release", name, revision]);
        self.repo.git(&["push", "--quiet", "origin", name]);
        Ok(RefSpec::Tag(name.into()))
    }

    fn revision(&self, id: &str) -> Able<RefSpec> {
        Ok(RefSpec::Commit(id.to_owned()))
    }

    fn author(&self) -> Able<String> {
        Ok("Ada".to_owned())
    }

    async fn reset(&self, revision: &str) -> Able {
        self.repo.git(&["reset", "--quiet", "--hard", revision]);
        self.repo.push();
        Ok(())
    }

    fn credentials(&self) -> Able<Vec<String>> {
        self.transport.credentials()
    }

    async fn link(&self, name: &str, to: &str) -> Able<String> {
        self.repo.link(name, to);
        Ok(self.repo.commit_all("a link"))
    }
}

mod over_files {
    gitops_core::source_contract! {
        crate::Git::over(|_| crate::Local);
        not_applicable {
            credentials: "a repository on this machine asks for no credentials",
            counting: "a repository on this machine is read where it is",
            silence: "the files of this machine always answer",
            refusals: "the tests may run as root, to whom no file is refused",
            hints: "a source asks its server, which calls nobody",
        }
    }
}

#[cfg(feature = "https")]
mod served {
    use super::*;
    use common::tls::Authority;
    use common::{Server, http, provider};
    use gitops_git::Token;

    const TOKEN: &str = "s3cr3t";
    /// `git:s3cr3t` as basic authentication sends it.
    const ENCODED: &str = "Z2l0OnMzY3IzdA==";

    /// `git http-backend`, in the clear or over TLS.
    pub(crate) struct Served {
        server: Server,
        authority: Option<Authority>,
    }

    impl Served {
        pub(crate) fn in_the_clear(repo: &Repo) -> Self {
            Self { server: Server::start(repo.root()), authority: None }.guarded()
        }

        pub(crate) fn over_tls(repo: &Repo) -> Self {
            provider();
            let authority = Authority::new();
            let server = Server::start_tls(repo.root(), authority.server("localhost", false));
            Self { server, authority: Some(authority) }.guarded()
        }

        fn guarded(self) -> Self {
            self.calm();
            self
        }
    }

    impl Transport for Served {
        fn open(&self, repo: &Repo) -> GitSource {
            let source = match &self.authority {
                None => http(&self.server.url(), &repo.mirrors()),
                Some(authority) => {
                    GitSource::builder(format!("https://localhost:{}/repo.git", self.server.port()))
                        .allow_loopback()
                        .with_mirror_dir(repo.mirrors())
                        .with_ca_pem(authority.pem())
                }
            };
            source.with_credentials(Token::new(TOKEN)).build().unwrap()
        }

        fn trouble(&self, trouble: Trouble) -> Able {
            match trouble {
                Trouble::Silence => self.server.behave(|b| b.hang_at = Some("repo.git".into())),
                Trouble::Denied => self.server.behave(|b| b.authorization = Some("Basic b3RoZXI=".into())),
                other => return Err(NotApplicable::because(format!("the server knows no {other:?}"))),
            }
            Ok(())
        }

        fn calm(&self) {
            self.server.behave(|b| {
                b.hang_at = None;
                b.authorization = Some(format!("Basic {ENCODED}"));
            });
        }

        fn moved(&self) -> Able<u64> {
            Ok(self.server.sent())
        }

        fn credentials(&self) -> Able<Vec<String>> {
            Ok(vec![TOKEN.to_owned(), ENCODED.to_owned()])
        }
    }
}

#[cfg(feature = "https")]
mod over_http {
    gitops_core::source_contract! {
        crate::Git::over(crate::served::Served::in_the_clear);
        not_applicable { hints: "a source asks its server, which calls nobody" }
    }
}

#[cfg(feature = "https")]
mod over_https {
    gitops_core::source_contract! {
        crate::Git::over(crate::served::Served::over_tls);
        not_applicable { hints: "a source asks its server, which calls nobody" }
    }
}

#[cfg(feature = "ssh")]
mod over_sshd {
    use super::*;
    use common::ssh::{Sshd, Way, make_key};

    /// OpenSSH's server, with a key.
    pub(crate) struct OverSsh(Sshd);

    impl OverSsh {
        pub(crate) fn new(_repo: &Repo) -> Self {
            let server = Sshd::default();
            make_key(&server.dir().join("other"), "");
            Self(server)
        }
    }

    impl Transport for OverSsh {
        fn open(&self, repo: &Repo) -> GitSource {
            self.0.source(repo).build().unwrap()
        }

        fn trouble(&self, trouble: Trouble) -> Able {
            match trouble {
                Trouble::Silence => self.0.behave(Way { stall_after: Some(0), ..Way::default() }),
                Trouble::Denied => self.0.authorize(&self.0.dir().join("other")),
                other => return Err(NotApplicable::because(format!("the server knows no {other:?}"))),
            }
            Ok(())
        }

        fn calm(&self) {
            self.0.behave(Way::default());
            self.0.authorize(&self.0.key());
        }

        fn moved(&self) -> Able<u64> {
            Ok(self.0.sent())
        }

        fn credentials(&self) -> Able<Vec<String>> {
            let key = std::fs::read_to_string(self.0.key()).unwrap();
            Ok(key.lines().filter(|line| !line.starts_with("--")).map(str::to_owned).collect())
        }
    }
}

#[cfg(feature = "ssh")]
mod over_ssh {
    gitops_core::source_contract! {
        crate::Git::over(crate::over_sshd::OverSsh::new);
        attributes { #[ignore = "needs an SSH server: see CONTRIBUTING.md"] }
        not_applicable { hints: "a source asks its server, which calls nobody" }
    }
}
