//! What was signed once cannot be brought back.

use gitops_core::Source as _;
use gitops_git::{Verification, VerifyMode};

use crate::common::{cx, http};
use crate::hands::Ssh;
use crate::{World, allowed, follow, refusal_after};

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_revision_that_does_not_descend_from_the_one_in_force_is_refused() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    let old = hand.commit(&world.repo, "vulnerable");
    let fixed = hand.commit(&world.repo, "fixed");
    for mode in [VerifyMode::Head, VerifyMode::EveryCommit] {
        let verification = Verification::new(mode, allowed(&ssh.allowed(&["ada"])));
        let source = world.source(verification.clone());
        world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{fixed}:refs/heads/main")]);
        let in_force = follow(&source, None).await.unwrap();

        // Signed, and older.
        world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{old}:refs/heads/main")]);
        let told = refusal_after(&source, Some(&in_force)).await;
        assert!(told.contains(&format!("does not descend from {fixed}, which is in force")), "{told}");
        // Signed, and beside it.
        world.repo.git(&["checkout", "--quiet", "-B", "other", &old]);
        hand.commit(&world.repo, "beside");
        let beside = world.repo.head();
        world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{beside}:refs/heads/main")]);
        let told = refusal_after(&source, Some(&in_force)).await;
        assert!(told.contains(&fixed), "{told}");
        drop(source);
        // The mirror is not what it is known from: one that is empty knows as well.
        let fresh = http(&world.server.url(), &world.repo.root().join(format!("fresh-{mode:?}")))
            .with_branch("main")
            .with_verification(verification.clone())
            .build()
            .unwrap();
        let told = refusal_after(&fresh, Some(&in_force)).await;
        assert!(told.contains(&fixed), "{told}");

        let lenient = world.source(verification.allow_other_history());
        assert_eq!(follow(&lenient, Some(&in_force)).await.unwrap().id, beside);
        world.repo.git(&["checkout", "--quiet", "-B", "main", &fixed]);
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn what_is_in_force_stays_so_though_keys_change() {
    let ssh = Ssh::new();
    let (ada, bob) = (ssh.key("ada", "ed25519"), ssh.key("bob", "ed25519"));
    let world = World::new();
    ada.commit(&world.repo, "1");
    let in_force = follow(&world.head(allowed(&ssh.allowed(&["ada"]))), None).await.unwrap();
    // Ada has gone. After a restart, what she deployed is read again by whoever restores it.
    let source = world.head(allowed(&ssh.allowed(&["bob"])));
    let again = source.fetch_after(&cx(), &in_force, Some(&in_force)).await.unwrap();
    assert_eq!(again.revision().signers(), in_force.signers());
    // What is said of the new revision itself counts for nothing, nor does a record without a verified signer.
    let mut forged = in_force.clone();
    forged.provenance = None;
    assert!(source.fetch_after(&cx(), &in_force, Some(&forged)).await.is_err());
    assert!(source.fetch_after(&cx(), &in_force, None).await.is_err());
    assert!(source.fetch(&cx(), &in_force).await.is_err());
    ada.commit(&world.repo, "2");
    let told = refusal_after(&source, Some(&in_force)).await;
    assert!(told.contains(&ssh.fingerprint("ada")), "{told}");
    bob.commit(&world.repo, "3");
    assert_eq!(follow(&source, Some(&in_force)).await.unwrap().signers()[0].key, ssh.fingerprint("bob"));
}
