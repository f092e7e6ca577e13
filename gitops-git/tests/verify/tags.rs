//! Revisions that are deployed by signed tags.

use gitops_core::{RefSpec, Signer, Source as _};
use gitops_git::{GitSource, TrustedKeys, Verification, VerifyMode};

use crate::common::{cx, http, sync};
use crate::hands::{Gpg, Hand, Ssh, push_tags, raw, write_object};
use crate::{World, allowed, follow, refusal, signers, value};

fn tagged(world: &World, mode: VerifyMode, keys: TrustedKeys) -> GitSource {
    http(&world.server.url(), &world.repo.mirrors())
        .with_tag("v1")
        .with_verification(Verification::new(mode, keys))
        .build()
        .unwrap()
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_signed_tag_vouches_for_an_unsigned_commit() {
    let (ssh, gpg) = (Ssh::new(), Gpg::new());
    let by_ssh = ssh.key("ada", "ed25519");
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let keys = allowed(&ssh.allowed(&["ada"])).with_openpgp(gpg.export(&key)).unwrap();
    for (hand, fingerprint) in [(by_ssh, ssh.fingerprint("ada")), (gpg.hand(&key), key.clone())] {
        let world = World::new();
        world.repo.commit("plain", &[("v", "1")]);
        hand.tag(&world.repo, "v1");
        let source = tagged(&world, VerifyMode::Tag, keys.clone());
        let snapshot = sync(&source).await.unwrap();
        assert_eq!(value(&snapshot), "1");
        let provenance = snapshot.revision().provenance.clone().unwrap();
        assert_eq!(provenance.verified[0].key, fingerprint);
        assert_eq!(provenance.tag, Some(world.repo.git(&["rev-parse", "refs/tags/v1"])));

        let told = refusal(&tagged(&world, VerifyMode::TagAndHead, keys.clone())).await;
        assert!(told.contains("commit") && told.contains("not signed"), "{told}");
        hand.commit(&world.repo, "2");
        hand.tag(&world.repo, "v1");
        let both: Vec<Signer> = signers(&tagged(&world, VerifyMode::TagAndHead, keys.clone())).await;
        assert_eq!(both.len(), 2);
        assert_eq!(both[0], both[1]);
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn the_mirror_keeps_the_tag() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    world.repo.commit("plain", &[("v", "1")]);
    hand.tag(&world.repo, "v1");
    let keys = allowed(&ssh.allowed(&["ada"]));
    let build = || {
        http(&world.server.url(), &world.repo.mirrors())
            .with_tag("v1")
            .with_max_packs(1)
            .with_verification(Verification::new(VerifyMode::Tag, keys.clone()))
            .build()
            .unwrap()
    };
    // The commit is there already, from somebody who did not want the tag.
    sync(&http(&world.server.url(), &world.repo.mirrors()).build().unwrap()).await.unwrap();
    let source = build();
    let first = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    source.fetch(&cx(), &first).await.unwrap();
    world.server.take_requests();
    source.fetch(&cx(), &first).await.unwrap();
    assert_eq!(world.server.take_requests().len(), 0, "the tag is there");
    for n in 2..6 {
        world.repo.commit("plain", &[("v", &format!("{n}"))]);
        hand.tag(&world.repo, "v1");
        let snapshot = sync(&source).await.unwrap();
        assert_eq!(value(&snapshot), format!("{n}"));
    }
    // The packs were copied into one meanwhile, and a restart finds the tag in it.
    drop(source);
    let source = build();
    let last = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    world.server.take_requests();
    assert_eq!(source.fetch(&cx(), &last).await.unwrap().revision().signers().len(), 1);
    assert_eq!(world.server.take_requests().len(), 0);
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn servers_with_the_old_protocol_give_out_tags_as_well() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    world.server.behave(|b| b.old_protocol = true);
    world.repo.commit("plain", &[("v", "1")]);
    hand.tag(&world.repo, "v1");
    let source = tagged(&world, VerifyMode::Tag, allowed(&ssh.allowed(&["ada"])));
    assert_eq!(signers(&source).await[0].key, ssh.fingerprint("ada"));
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn what_is_no_signed_tag_is_refused() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    hand.commit(&world.repo, "1");
    let keys = allowed(&ssh.allowed(&["ada"]));
    for mode in [VerifyMode::Tag, VerifyMode::TagAndHead] {
        let source = tagged(&world, mode, keys.clone());
        world.repo.git(&["tag", "-f", "v1"]);
        push_tags(&world.repo);
        let told = refusal(&source).await;
        assert!(told.contains("refs/tags/v1 is no annotated tag") && told.contains("git tag -s"), "{told}");
        world.repo.git(&["tag", "-f", "-a", "-m", "one", "v1"]);
        push_tags(&world.repo);
        let told = refusal(&source).await;
        assert!(told.contains("tag v1 is refused: it is not signed"), "{told}");
        Ssh::new().key("mallory", "ed25519").tag(&world.repo, "v1");
        let told = refusal(&source).await;
        assert!(told.contains("tag v1 is refused") && told.contains("not among the trusted keys"), "{told}");
        let branch = http(&world.server.url(), &world.repo.mirrors())
            .with_branch("main")
            .with_verification(Verification::new(mode, keys.clone()))
            .build()
            .unwrap();
        let told = refusal(&branch).await;
        assert!(told.contains("refs/heads/main is no annotated tag"), "{told}");
        hand.tag(&world.repo, "v1");
        assert!(!signers(&source).await.is_empty());
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_signed_tag_that_was_moved_or_renamed_is_refused() {
    let (ssh, gpg) = (Ssh::new(), Gpg::new());
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let by_ssh = ssh.key("ada", "ed25519");
    let keys = allowed(&ssh.allowed(&["ada"])).with_openpgp(gpg.export(&key)).unwrap();
    for hand in [by_ssh, gpg.hand(&key)] {
        let first = hand.commit(&world.repo, "1");
        hand.tag(&world.repo, "v1");
        let second = world.repo.commit("evil", &[("v", "evil")]);
        let source = tagged(&world, VerifyMode::Tag, keys.clone());
        let good = String::from_utf8(raw(&world.repo, "tag", "v1")).unwrap();
        let put = |raw: &str| {
            let id = write_object(&world.repo.work(), "tag", raw.as_bytes());
            world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{id}:refs/tags/v1")]);
        };
        for (changed, why) in [
            (good.replace(&first, &second), "does not belong to it"),
            (good.replace("tagger Ben", "tagger Eve"), "does not belong to it"),
            (good.replace("\n\nv1\n", "\n\nv2\n"), "does not belong to it"),
            (format!("{good}more\n"), "cannot be read"),
            (good.replace("-----BEGIN", " -----BEGIN"), "not signed"),
        ] {
            assert_ne!(changed, good);
            put(&changed);
            let told = refusal(&source).await;
            assert!(told.contains("tag v1 is refused") && told.contains(why), "{told}");
        }
        // A good tag under another name.
        hand.tag(&world.repo, "v0.9-broken");
        let renamed = world.repo.git(&["rev-parse", "refs/tags/v0.9-broken"]);
        world.repo.git(&["push", "--quiet", "--force", "origin", &format!("{renamed}:refs/tags/v1")]);
        let told = refusal(&source).await;
        assert!(told.contains("was signed as v0.9-broken, not as v1"), "{told}");
        put(&good);
        assert_eq!(follow(&source, None).await.unwrap().id, first);
    }
}

/// A server can say anything of a tag; what counts is the tag.
#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_tag_of_another_commit_than_said_is_refused() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    let world = World::new();
    hand.commit(&world.repo, "1");
    hand.tag(&world.repo, "v1");
    let source = tagged(&world, VerifyMode::Tag, allowed(&ssh.allowed(&["ada"])));
    let honest = source.resolve(&cx(), &RefSpec::Default).await.unwrap();
    let mut lie = honest.clone();
    lie.id = Hand::unsigned_commit(&world.repo, "evil");
    let told = crate::common::fault(source.fetch(&cx(), &lie).await).to_string();
    assert!(told.contains("is not of this commit"), "{told}");
    // A tag of a tag is signed for all that it leads to.
    hand.git(&world.repo, &["tag", "-s", "-m", "outer", "v2", "v1"]);
    push_tags(&world.repo);
    let nested = source.resolve(&cx(), &RefSpec::Tag("v2".into())).await.unwrap();
    assert_eq!(source.fetch(&cx(), &nested).await.unwrap().revision().signers().len(), 1);
}
