//! A repository with an older and a newer commit, and a way to it that can go wrong.

use std::any::Any;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gitops_core::{Fault, Revision, Snapshot, Source};
#[cfg(feature = "ssh")]
use gitops_git::SshKey;
use gitops_git::{GitSource, GitSourceBuilder};

use crate::common::dice::Dice;
#[cfg(feature = "ssh")]
use crate::common::ssh::Sshd;
use crate::common::tls::Authority;
use crate::common::{Repo, Server, blob, cx, fault, git, http, provider, sync, text};
use crate::mirror;
use crate::proxy::{Proxy, Way};

/// The longest silence that is waited for.
pub(crate) const SILENCE: Duration = Duration::from_millis(1500);

type Build = Box<dyn Fn(&Path) -> GitSourceBuilder>;

pub(crate) struct Scene {
    pub(crate) repo: Repo,
    pub(crate) proxy: Proxy,
    pub(crate) old: String,
    pub(crate) new: String,
    build: Build,
    /// What is kept as long as this.
    _server: Box<dyn Any>,
    mirrors: Cell<usize>,
}

/// Commits the older state, and the newer one, of which some is a small change; each with so many bytes that do not
/// compress.
fn commits(repo: &Repo, ballast: usize) -> (String, String) {
    let load = |n: u64| std::fs::write(repo.work().join("ballast"), noise(n, ballast)).unwrap();
    for n in 1..4 {
        load(u64::from(n));
        repo.commit("before", &[("v", &n.to_string()), ("big", &blob(n)), ("apps/a/b/c", &blob(n + 10))]);
    }
    let old = repo.commit("old", &[("v", "old")]);
    load(9);
    repo.commit("between", &[("more", &blob(50)), ("apps/a/b/d", "d")]);
    let new = repo.commit("new", &[("v", "new"), ("big", &format!("{}\nnew", blob(3)))]);
    (old, new)
}

/// Bytes that do not compress.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    // Neighbours among the seeds are nearly the same chance.
    let mut dice = Dice::new(seed << 32);
    (0..length).map(|_| u8::try_from(dice.below(256)).unwrap()).collect()
}

impl Scene {
    /// Through a way to a port, with what serves there.
    fn new(
        repo: Repo,
        (old, new): (String, String),
        port: u16,
        server: impl Any,
        build: impl Fn(&Path, u16) -> GitSourceBuilder + 'static,
    ) -> Self {
        let proxy = Proxy::to(port);
        let way = proxy.port();
        let build: Build =
            Box::new(move |mirrors| build(mirrors, way).with_branch("main").with_timeout(SILENCE));
        Self { repo, proxy, old, new, build, _server: Box::new(server), mirrors: Cell::new(0) }
    }

    /// Over HTTP in the clear.
    pub(crate) fn http() -> Self {
        Self::http_with(0)
    }

    /// Over HTTP in the clear, with some load in most commits.
    pub(crate) fn http_with(ballast: usize) -> Self {
        let repo = Repo::new();
        let ids = commits(&repo, ballast);
        let server = Server::start(repo.root());
        Self::new(repo, ids, server.port(), server, |mirrors, port| {
            http(&format!("http://127.0.0.1:{port}/repo.git"), mirrors)
        })
    }

    /// Over TLS.
    pub(crate) fn https() -> Self {
        let repo = Repo::new();
        let ids = commits(&repo, 0);
        let authority = Authority::new();
        let server = Server::start_tls(repo.root(), authority.server("localhost", false));
        provider();
        Self::new(repo, ids, server.port(), server, move |mirrors, port| {
            GitSource::builder(format!("https://localhost:{port}/repo.git"))
                .allow_loopback()
                .with_ca_pem(authority.pem())
                .with_mirror_dir(mirrors)
        })
    }

    /// Over SSH.
    #[cfg(feature = "ssh")]
    pub(crate) fn ssh() -> Self {
        let repo = Repo::new();
        let ids = commits(&repo, 0);
        let server = Sshd::default();
        let (port, key) = (server.port(), server.key());
        let (url, known) = (server.url(&repo.bare()), server.known_hosts());
        Self::new(repo, ids, port, server, move |mirrors, way| {
            let through = |text: &str| text.replace(&format!(":{port}"), &format!(":{way}"));
            GitSource::builder(through(&url))
                .allow_loopback()
                .with_mirror_dir(mirrors)
                .with_credentials(SshKey::new(&key))
                .with_known_hosts(through(&known))
        })
    }

    pub(crate) fn source(&self, mirrors: &Path) -> GitSource {
        (self.build)(mirrors).build().unwrap()
    }

    pub(crate) fn builder(&self, mirrors: &Path) -> GitSourceBuilder {
        (self.build)(mirrors)
    }

    /// A place for mirrors that nobody else has.
    pub(crate) fn mirrors(&self) -> PathBuf {
        self.mirrors.set(self.mirrors.get() + 1);
        self.repo.root().join(format!("mirrors-{}", self.mirrors.get()))
    }

    /// What the server's branch points to.
    pub(crate) fn point_to(&self, id: &str) {
        git(&self.repo.bare(), &["update-ref", "refs/heads/main", id]);
    }

    /// A place with a mirror of the older state, in several packs, while the server has the newer one.
    pub(crate) async fn with_old(&self) -> PathBuf {
        let mirrors = self.mirrors();
        self.proxy.be(Way::default());
        self.fill(&self.source(&mirrors)).await;
        mirrors
    }

    /// Has a source fetch the older state, commit by commit.
    pub(crate) async fn fill(&self, source: &GitSource) {
        for before in [3, 2, 1, 0] {
            self.point_to(&format!("{}~{before}", self.old));
            sync(source).await.unwrap();
        }
        self.point_to(&self.new);
    }

    /// The content is that of the commit, whatever else happened.
    pub(crate) fn assert_right(&self, snapshot: &dyn Snapshot, case: &str) {
        let id = &*snapshot.revision().id;
        let (v, big) = match id {
            id if id == self.old => ("old", blob(3)),
            id if id == self.new => ("new", format!("{}\nnew", blob(3))),
            id => panic!("{case}: {id} was never there"),
        };
        assert_eq!(text(snapshot, "v"), v, "{case}");
        assert_eq!(text(snapshot, "big"), big, "{case}");
        assert_eq!(text(snapshot, "apps/a/b/c"), blob(13), "{case}");
    }

    /// A source reads the older state.
    pub(crate) async fn assert_serves_old(&self, source: &GitSource, case: &str) {
        let served = source.fetch(&cx(), &Revision::new(&*self.old)).await;
        let served = served.unwrap_or_else(|fault| panic!("{case}: the older state is gone: {fault}"));
        self.assert_right(&*served, case);
    }

    /// A new process without the server reads the older state.
    pub(crate) async fn assert_old_is_served(&self, mirrors: &Path, case: &str) {
        self.proxy.be(Way { closed: true, ..Way::default() });
        let source = self.source(mirrors);
        self.assert_serves_old(&source, case).await;
        let asked: Fault = fault(sync(&source).await);
        assert!(asked.class.is_transient(), "{case}: {asked:?}");
    }

    /// With the way as it should be, the newer state is fetched, and the mirror is sound.
    pub(crate) async fn assert_recovers(&self, source: &GitSource, mirrors: &Path, case: &str) {
        self.proxy.be(Way::default());
        let snapshot =
            sync(source).await.unwrap_or_else(|fault| panic!("{case}: it does not recover: {fault}"));
        assert_eq!(snapshot.revision().id, self.new, "{case}");
        self.assert_right(&*snapshot, case);
        mirror::assert_sound(mirrors);
        mirror::assert_clean(mirrors, case);
    }
}
