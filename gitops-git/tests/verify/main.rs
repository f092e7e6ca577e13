//! Revisions that must be signed, over a real server, with real keys.
#![cfg(all(feature = "https", feature = "verify"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

#[path = "../common/mod.rs"]
mod common;

mod commits;
mod engine;
mod every_commit;
mod hands;
mod keys;
mod line_19_replay;
mod tags;

use std::sync::Arc;

use gitops_core::{Class, Fault, RefSpec, Revision, Signer, Snapshot, Source};
use gitops_git::{GitSource, TrustedKeys, Verification, VerifyMode};

use common::{Repo, Server, cx, http, sync, text};

/// A repository on a server, and somebody who reads it.
struct World {
    repo: Repo,
    server: Server,
}

impl World {
    fn new() -> Self {
        let repo = Repo::new();
        let server = Server::start(repo.root());
        Self { repo, server }
    }

    fn source(&self, verification: Verification) -> GitSource {
        http(&self.server.url(), &self.repo.mirrors())
            .with_branch("main")
            .with_verification(verification)
            .build()
            .unwrap()
    }

    fn head(&self, keys: TrustedKeys) -> GitSource {
        self.source(Verification::new(VerifyMode::Head, keys))
    }
}

fn allowed(text: &str) -> TrustedKeys {
    TrustedKeys::new().with_allowed_signers(text).unwrap()
}

/// What the default points to now, as what follows on something.
async fn follow(source: &GitSource, in_force: Option<&Revision>) -> Result<Revision, Fault> {
    let revision = source.resolve(&cx(), &RefSpec::Default).await?;
    source.fetch_after(&cx(), &revision, in_force).await.map(|snapshot| snapshot.revision().clone())
}

/// Who signed what the default points to now.
async fn signers(source: &GitSource) -> Vec<Signer> {
    follow(source, None).await.unwrap_or_else(|fault| panic!("{fault}")).signers().to_vec()
}

/// Why what the default points to now is refused. It must be for good.
async fn refusal(source: &GitSource) -> String {
    refusal_after(source, None).await
}

async fn refusal_after(source: &GitSource, in_force: Option<&Revision>) -> String {
    let fault = common::fault(follow(source, in_force).await);
    assert_eq!(fault.class, Class::Invalid, "{fault}");
    let told = fault.to_string();
    assert!(told.contains(" is refused: "), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

/// The file that each test's commits write.
fn value(snapshot: &Arc<dyn Snapshot>) -> String {
    text(&**snapshot, "v")
}

#[tokio::test]
async fn without_verification_nobody_is_asked() {
    let world = World::new();
    hands::Hand::unsigned_commit(&world.repo, "1");
    let source = http(&world.server.url(), &world.repo.mirrors()).build().unwrap();
    assert!(!source.verifies());
    let snapshot = sync(&source).await.unwrap();
    assert_eq!(value(&snapshot), "1");
    assert!(snapshot.revision().signers().is_empty());
    let none = http(&world.server.url(), &world.repo.mirrors())
        .with_verification(Verification::new(VerifyMode::Head, TrustedKeys::new()))
        .build();
    assert!(none.unwrap_err().to_string().contains("there is no key"));
}
