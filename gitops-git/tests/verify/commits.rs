//! Commits whose own signature counts.

use std::fmt::Write as _;

use gitops_git::TrustedKeys;

use crate::hands::{Gpg, Hand, Ssh, git_accepts, push_commit, raw};
use crate::{World, allowed, common, follow, refusal, signers, value};

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_commit_signed_by_ssh_is_handed_out_with_its_signer() {
    let ssh = Ssh::new();
    let world = World::new();
    for (n, kind) in ["ed25519", "rsa:3072", "ecdsa:256", "ecdsa:384", "ecdsa:521"].into_iter().enumerate() {
        let (name, value) = (format!("ada{n}"), format!("{n}"));
        ssh.key(&name, kind).commit(&world.repo, &value);
        let source = world.head(allowed(&ssh.allowed(&[&name])));
        let snapshot = common::sync(&source).await.unwrap_or_else(|fault| panic!("{kind}: {fault}"));
        assert_eq!(self::value(&snapshot), value);
        let signers = snapshot.revision().signers();
        assert_eq!(signers.len(), 1);
        assert_eq!(signers[0].name, format!("{name}@example.org"));
        assert_eq!(signers[0].key, ssh.fingerprint(&name));
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_commit_signed_by_openpgp_is_handed_out_with_its_signer() {
    let gpg = Gpg::new();
    let world = World::new();
    let mut all = String::new();
    for (n, algorithm) in ["ed25519", "rsa2048", "nistp256", "nistp384", "nistp521"].into_iter().enumerate() {
        let user = format!("Ada {n} <ada{n}@example.org>");
        let key = gpg.key(&user, algorithm, "sign", "never");
        // Several armored keys in one file, with text between them.
        let _ = write!(all, "{user}\n{}\n", gpg.export(&key));
        gpg.hand(&key).commit(&world.repo, algorithm);
        let source = world.head(TrustedKeys::new().with_openpgp(&all).unwrap());
        let signers = signers(&source).await;
        assert_eq!((signers.len(), &*signers[0].name, &*signers[0].key), (1, &*user, &*key), "{algorithm}");
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn an_unsigned_commit_is_its_own_error() {
    let world = World::new();
    let ssh = Ssh::new();
    ssh.key("ada", "ed25519");
    let id = world.repo.commit("plain", &[("v", "1")]);
    let told = refusal(&world.head(allowed(&ssh.allowed(&["ada"])))).await;
    assert!(told.contains(&format!("commit {id} is refused: it is not signed")), "{told}");
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn the_missing_key_is_named() {
    let world = World::new();
    let (ssh, gpg) = (Ssh::new(), Gpg::new());
    ssh.key("ada", "ed25519");
    let known = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let keys = || allowed(&ssh.allowed(&["ada"])).with_openpgp(gpg.export(&known)).unwrap();

    ssh.key("mallory", "ed25519").commit(&world.repo, "1");
    let told = refusal(&world.head(keys())).await;
    let fingerprint = ssh.fingerprint("mallory");
    assert!(
        told.contains(&format!("the SSH key {fingerprint}, which is not among the trusted keys")),
        "{told}"
    );

    let strange = gpg.key("Mallory <mallory@example.org>", "ed25519", "sign", "never");
    gpg.hand(&strange).commit(&world.repo, "2");
    let told = refusal(&world.head(keys())).await;
    assert!(
        told.contains(&format!("the OpenPGP key {strange}, which is not among the trusted keys")),
        "{told}"
    );

    gpg.hand(&known).commit(&world.repo, "3");
    assert_eq!(signers(&world.head(keys())).await[0].key, known);
}

/// Changes a commit, and expects the same of us as of Git.
async fn tampered(
    world: &World,
    hand: &Hand,
    keys: &TrustedKeys,
    trusted: &str,
    what: &str,
    change: impl Fn(String) -> String,
) -> Option<String> {
    let raw = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
    let changed = change(raw.clone());
    assert_ne!(raw, changed, "{what}");
    let id = push_commit(&world.repo, changed.as_bytes());
    let done = follow(&world.head(keys.clone()), None).await;
    assert_eq!(
        done.is_ok(),
        git_accepts(&world.repo, hand, trusted, &id),
        "{what}: not as Git has it: {done:?}"
    );
    done.err().map(|fault| fault.to_string())
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_commit_that_was_changed_after_it_was_signed_is_refused_as_by_git() {
    let (ssh, gpg) = (Ssh::new(), Gpg::new());
    let world = World::new();
    world.repo.commit("first", &[("v", "0"), ("other", "x")]);
    let tree = world.repo.git(&["rev-parse", "HEAD^{tree}"]);
    let by_ssh = ssh.key("ada", "ed25519");
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let trusted = ssh.allowed(&["ada"]);
    let keys = allowed(&trusted).with_openpgp(gpg.export(&key)).unwrap();
    for hand in [by_ssh, gpg.hand(&key)] {
        hand.commit(&world.repo, "good");
        let now = world.repo.git(&["rev-parse", "HEAD^{tree}"]);
        let (keys, trusted) = (&keys, trusted.as_str());
        let try_it = async |what: &str, change: &dyn Fn(String) -> String| {
            tampered(&world, &hand, keys, trusted, what, change).await
        };
        let bad = "does not belong to it";
        for (what, from, to) in [
            ("author", "author Ada", "author Eve"),
            ("committer", "committer Ben", "committer Eve"),
            ("time", " 1795258800 ", " 1795258801 "),
            ("message", "\n\ngood", "\n\nevil"),
            ("tree", now.as_str(), tree.as_str()),
            ("a header more", "\ngpgsig ", "\nencoding UTF-8\ngpgsig "),
        ] {
            let told = try_it(what, &|raw| raw.replace(from, to)).await.unwrap_or_else(|| panic!("{what}"));
            assert!(told.contains(bad), "{what}: {told}");
        }
        let told = try_it("order", &|raw| {
            let (author, committer) = (line(&raw, "author "), line(&raw, "committer "));
            raw.replace(&format!("{author}{committer}"), &format!("{committer}{author}"))
        });
        assert!(told.await.unwrap().contains("not as Git writes it"));
        let told = try_it("parent", &|raw| raw.replace(&line(&raw, "parent "), "")).await.unwrap();
        assert!(told.contains(bad), "{told}");
        // A signature over the object's form with another hash is not part of what is signed.
        let beside = |raw: String| raw.replace("\ngpgsig ", "\ngpgsig-sha256 x\n y\ngpgsig ");
        assert_eq!(try_it("another signature beside", &beside).await, None);
        // Nor is the place of the signature; but where it hides the headers after it from readers, nobody is to be trusted.
        let good = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
        let (begin, end) = (good.find("gpgsig ").unwrap(), good.find("\n\n").unwrap() + 1);
        for before in ["parent ", "author "] {
            let at = good.find(before).unwrap();
            let moved = [&good[..at], &good[begin..end], &good[at..begin], &good[end..]].concat();
            push_commit(&world.repo, moved.as_bytes());
            let told = refusal(&world.head(keys.clone())).await;
            assert!(told.contains("not as Git writes it"), "{told}");
        }
    }
}

fn line(raw: &str, start: &str) -> String {
    raw.split_inclusive('\n').find(|line| line.starts_with(start)).unwrap().to_owned()
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_signature_of_another_commit_is_refused() {
    let (ssh, gpg) = (Ssh::new(), Gpg::new());
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let by_ssh = ssh.key("ada", "ed25519");
    let keys = allowed(&ssh.allowed(&["ada"])).with_openpgp(gpg.export(&key)).unwrap();
    for hand in [gpg.hand(&key), by_ssh] {
        hand.commit(&world.repo, "one");
        let one = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
        hand.commit(&world.repo, "two");
        let two = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
        let signature = |raw: &str| raw[raw.find("gpgsig ").unwrap()..raw.find("\n\n").unwrap()].to_owned();
        push_commit(&world.repo, two.replace(&signature(&two), &signature(&one)).as_bytes());
        let told = refusal(&world.head(keys.clone())).await;
        assert!(told.contains("does not belong to it"), "{told}");
        // Two signatures are one too many, even if both were good.
        push_commit(
            &world.repo,
            two.replace("\ngpgsig ", &format!("\n{}\ngpgsig ", signature(&two))).as_bytes(),
        );
        let told = refusal(&world.head(keys.clone())).await;
        assert!(told.contains("more than one"), "{told}");
    }
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_signature_for_another_namespace_is_refused() {
    let ssh = Ssh::new();
    let world = World::new();
    let hand = ssh.key("ada", "ed25519");
    hand.commit(&world.repo, "good");
    let raw = String::from_utf8(raw(&world.repo, "commit", "HEAD")).unwrap();
    let (start, end) = (raw.find("gpgsig ").unwrap(), raw.find("\n\n").unwrap() + 1);
    let payload = format!("{}{}", &raw[..start], &raw[end..]);
    for (namespace, good) in [("git", true), ("file", false), ("git2", false)] {
        let signature = ssh.sign("ada", namespace, payload.as_bytes()).trim_end().replace('\n', "\n ");
        let id = push_commit(
            &world.repo,
            format!("{}gpgsig {signature}\n{}", &raw[..start], &raw[end..]).as_bytes(),
        );
        let trusted = ssh.allowed(&["ada"]);
        let source = world.head(allowed(&trusted));
        assert_eq!(git_accepts(&world.repo, &hand, &trusted, &id), good, "{namespace}");
        if good {
            assert_eq!(signers(&source).await.len(), 1);
        } else {
            let told = refusal(&source).await;
            assert!(told.contains(&format!("for the namespace {namespace}, not for git")), "{told}");
        }
    }
}
