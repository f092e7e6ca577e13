//! What a server sends is bounded, as it comes and unpacked.

use std::path::Path;

use gitops_core::Class;
use gitops_git::GitError;

use crate::common::{Repo, Server, blob, fault, git, http, local, sync, text};

#[tokio::test]
async fn received_bytes_and_objects_are_capped() {
    let repo = Repo::with(&[("big", &blob(1)), ("zeros", &"0".repeat(3_000_000))]);
    let server = Server::start(repo.root());
    let source = http(&server.url(), &repo.mirrors()).with_max_received_bytes(4000).build().unwrap();
    let too_much = fault(sync(&source).await);
    assert_eq!(too_much.class, Class::Invalid, "{too_much}");
    assert!(too_much.to_string().contains("4000"), "{too_much}");

    // Three megabytes of zeros are three kilobytes in a pack.
    let source = http(&server.url(), &repo.mirrors()).with_max_object_bytes(1_000_000).build().unwrap();
    let too_large = fault(sync(&source).await);
    assert_eq!(too_large.class, Class::Invalid, "{too_large}");
    assert!(too_large.to_string().contains("1000000"), "{too_large}");

    let source = local(&repo.bare(), &repo.mirrors()).with_max_received_bytes(4000).build().unwrap();
    assert_eq!(fault(sync(&source).await).class, Class::Invalid);
    let source = http(&server.url(), &repo.mirrors()).build().unwrap();
    sync(&source).await.unwrap();
}

/// A history that is small in a pack, and large unpacked: each version of the file differs in one line.
fn versions(count: usize, kilobytes: usize) -> Repo {
    let repo = Repo::new();
    for n in 0..count {
        let lines: Vec<_> =
            (0..kilobytes).map(|line| format!("{:01023}", if line == n { n } else { 0 })).collect();
        repo.commit("next", &[("v", &lines.join("\n"))]);
    }
    repo
}

fn packs(mirrors: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![mirrors.to_owned()];
    while let Some(dir) = left.pop() {
        for path in crate::common::dirs(&dir) {
            if path.is_dir() {
                left.push(path);
            } else if path.to_string_lossy().contains("/objects/pack/") {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn what_objects_unpack_to_is_capped() {
    let repo = versions(20, 100);
    let server = Server::start(repo.root());
    // With deltas, of which each is small, and without.
    for window in ["10", "0"] {
        git(&repo.bare(), &["config", "pack.window", window]);
        git(&repo.bare(), &["repack", "-q", "-a", "-d", "-f"]);
        for source in [http(&server.url(), &repo.mirrors()), local(&repo.bare(), &repo.mirrors())] {
            let before = server.sent();
            let source =
                source.with_max_unpacked_bytes(1_000_000).with_max_object_bytes(500_000).build().unwrap();
            let too_much = fault(sync(&source).await);
            assert!(server.sent() - before < 200_000, "{}", server.sent() - before);
            assert_eq!(too_much.class, Class::Invalid, "{too_much}");
            let error = too_much.source.downcast_ref::<GitError>().unwrap();
            assert!(matches!(error, GitError::UnpackedTooMuch { limit: 1_000_000 }), "{error:?}");
            assert_eq!(packs(&repo.mirrors()), [] as [&Path; 0], "nothing of it stays");
        }
    }
    let enough = http(&server.url(), &repo.mirrors()).with_max_unpacked_bytes(4_000_000).build().unwrap();
    assert_eq!(text(&*sync(&enough).await.unwrap(), "v").len(), 100 * 1024 - 1);
    assert_eq!(packs(&repo.mirrors()).len(), 2, "a pack and its index");
}

/// The limit counts while the work is done, not only at its end.
#[tokio::test]
async fn unpacking_stops_at_the_limit() {
    let repo = Repo::new();
    // Objects of 1 MiB that a pack has in a kilobyte.
    for n in 0..8 {
        let mut content = "0".repeat(1 << 20);
        content.push_str(&n.to_string());
        repo.commit("next", &[("v", &content)]);
    }
    git(&repo.bare(), &["repack", "-q", "-a", "-d", "-f"]);
    let server = Server::start(repo.root());
    let time = async |limit: u64| {
        let mirrors = repo.root().join(limit.to_string());
        let source = http(&server.url(), &mirrors).with_max_unpacked_bytes(limit).build().unwrap();
        let start = std::time::Instant::now();
        (sync(&source).await.map(drop), start.elapsed())
    };
    let (whole, all) = time(1 << 40).await;
    whole.unwrap();
    let (part, early) = time(3 << 19).await;
    assert!(part.unwrap_err().to_string().contains("unpacks to more than"));
    assert!(early < all, "{early:?} of {all:?}");
}
