//! Which keys count, and when.

use gitops_git::TrustedKeys;

use crate::hands::{Gpg, Hand, Ssh, git_accepts};
use crate::{World, allowed, refusal, signers};

fn openpgp(gpg: &Gpg, key: &str) -> TrustedKeys {
    TrustedKeys::new().with_openpgp(gpg.export(key)).unwrap()
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_subkey_signs_for_its_primary_key() {
    let gpg = Gpg::new();
    let world = World::new();
    let primary = gpg.key("Ada <ada@example.org>", "ed25519", "cert", "never");
    gpg.gpg(&["--quick-add-key", &primary, "cv25519", "encr", "never"]);
    gpg.gpg(&["--quick-add-key", &primary, "ed25519", "sign", "never"]);
    let subkey = gpg.last_fingerprint("Ada");
    assert_ne!(primary, subkey);
    let before = gpg.export(&primary);
    gpg.hand(&primary).commit(&world.repo, "1");
    let told = signers(&world.head(openpgp(&gpg, &primary))).await;
    assert_eq!((&*told[0].name, &told[0].key), ("Ada <ada@example.org>", &subkey));

    // The owner takes that subkey back, and makes another.
    gpg.gpg(&["--quick-add-key", &primary, "ed25519", "sign", "never"]);
    revoke_subkey(&gpg, &primary, 2);
    let revoked = openpgp(&gpg, &primary);
    let told = refusal(&world.head(revoked.clone())).await;
    assert!(told.contains("is revoked") && told.contains("Ada"), "{told}");
    gpg.hand(&primary).commit(&world.repo, "2");
    assert_eq!(signers(&world.head(revoked)).await[0].key, gpg.last_fingerprint("Ada"));
    // Who has the old certificate does not know the new subkey.
    let told = refusal(&world.head(TrustedKeys::new().with_openpgp(before).unwrap())).await;
    assert!(told.contains(&gpg.last_fingerprint("Ada")), "{told}");
}

/// Revokes the subkey of that number with `gpg`'s editor.
fn revoke_subkey(gpg: &Gpg, key: &str, number: usize) {
    let number = format!("key {number}");
    let words = ["--command-fd", "0", "--status-fd", "2", "--expert", "--edit-key", key];
    gpg.edit(&words, &[&number, "revkey", "y", "0", "", "y", "save"]);
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_revoked_key_is_refused() {
    let gpg = Gpg::new();
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    gpg.hand(&key).commit(&world.repo, "1");
    assert_eq!(signers(&world.head(openpgp(&gpg, &key))).await.len(), 1);
    let before = gpg.export(&key);
    gpg.revoke(&key);
    let told = refusal(&world.head(openpgp(&gpg, &key))).await;
    assert!(told.contains("is revoked") && told.contains(&key), "{told}");
    // A copy from before does not bring it back.
    let both = TrustedKeys::new().with_openpgp(before).unwrap().with_openpgp(gpg.export(&key)).unwrap();
    let told = refusal(&world.head(both)).await;
    assert!(told.contains("is revoked"), "{told}");
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_key_counts_until_it_expires() {
    let gpg = Gpg::new();
    let world = World::new();
    gpg.configure("faked-system-time 20200101T000000!");
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "1y");
    let hand = gpg.hand(&key);
    // The commit is of 2026, whatever the key's owner lets their machine believe.
    hand.commit(&world.repo, "late");
    let source = || world.head(openpgp(&gpg, &key));
    let told = refusal(&source()).await;
    assert!(told.contains("the key of Ada") && told.contains("had expired at 2020-12-31"), "{told}");
    hand.at("2020-06-01T00:00:00Z").commit(&world.repo, "in time");
    assert_eq!(signers(&source()).await[0].key, key);
    // The owner made it live longer.
    let old = gpg.export(&key);
    gpg.configure("faked-system-time 20200701T000000!");
    gpg.gpg(&["--quick-set-expire", &key, "never"]);
    gpg.hand(&key).commit(&world.repo, "late again");
    assert_eq!(signers(&source()).await[0].key, key);
    // The old copy beside the new one does no harm.
    let both = TrustedKeys::new().with_openpgp(old).unwrap().with_openpgp(gpg.export(&key)).unwrap();
    assert_eq!(signers(&world.head(both)).await[0].key, key);
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_commit_that_claims_to_be_older_than_its_signature_does_not_bring_a_key_back() {
    let gpg = Gpg::new();
    let world = World::new();
    gpg.configure("faked-system-time 20200101T000000!");
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    gpg.configure("faked-system-time 20220101T000000!");
    gpg.hand(&key).at("2020-06-01T00:00:00Z").commit(&world.repo, "backdated");
    assert_eq!(signers(&world.head(openpgp(&gpg, &key))).await[0].key, key);
    gpg.configure("faked-system-time 20200201T000000!");
    gpg.gpg(&["--quick-set-expire", &key, "1y"]);
    let told = refusal(&world.head(openpgp(&gpg, &key))).await;
    assert!(told.contains("had expired at 2021-01-31") && told.contains("of 2022-01-01"), "{told}");
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_signature_counts_until_it_expires() {
    let gpg = Gpg::new();
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    gpg.configure("default-sig-expire 1d");
    gpg.hand(&key).commit(&world.repo, "now");
    assert_eq!(signers(&world.head(openpgp(&gpg, &key))).await[0].key, key);
    gpg.hand(&key).at("2099-01-01T00:00:00Z").commit(&world.repo, "far away");
    let told = refusal(&world.head(openpgp(&gpg, &key))).await;
    assert!(told.contains("the signature of Ada") && told.contains("had expired"), "{told}");
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn hashes_that_can_be_forged_are_refused() {
    let gpg = Gpg::new();
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "rsa2048", "sign", "never");
    let keys = openpgp(&gpg, &key);
    gpg.configure("digest-algo SHA1");
    gpg.hand(&key).commit(&world.repo, "1");
    let told = refusal(&world.head(keys.clone())).await;
    assert!(told.contains("uses SHA1, which can be forged") && told.contains(&key), "{told}");
    for good in ["SHA256", "SHA384", "SHA512"] {
        gpg.configure(&format!("digest-algo {good}"));
        gpg.hand(&key).commit(&world.repo, good);
        assert_eq!(signers(&world.head(keys.clone())).await[0].key, key);
    }
    // A key that vouches for itself with SHA-1 only.
    gpg.configure("cert-digest-algo SHA1");
    let old = gpg.key("Old <old@example.org>", "ed25519", "sign", "never");
    let error = TrustedKeys::new().with_openpgp(gpg.export(&old)).unwrap_err().to_string();
    assert!(error.contains("SHA-1") && error.contains(&old), "{error}");
}

#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn text_signatures_count_as_well() {
    let gpg = Gpg::new();
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    gpg.configure("textmode");
    let hand = gpg.hand(&key);
    let id = hand.commit(&world.repo, "1");
    assert!(git_accepts(&world.repo, &hand, "", &id));
    assert_eq!(signers(&world.head(openpgp(&gpg, &key))).await[0].key, key);
}

#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn keys_that_cannot_be_used_are_errors_when_they_are_read() {
    let (gpg, ssh) = (Gpg::new(), Ssh::new());
    let read = |text: &str| TrustedKeys::new().with_openpgp(text);
    for (algorithm, why) in [("rsa1024", "2048 bits or more"), ("dsa2048", "not supported")] {
        let key = gpg.key(algorithm, algorithm, "sign", "never");
        let error = read(&gpg.export(&key)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(&key), "{error}");
    }
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    let secret = gpg.gpg(&["--armor", "--export-secret-keys", &key]);
    let error = read(&secret).unwrap_err().to_string();
    assert!(error.contains("private key") && !error.contains("BEGIN"), "{error}");
    let whole = gpg.export(&key);
    let half = whole.lines().take(5).collect::<Vec<_>>().join("\n");
    assert!(read(&half).unwrap_err().to_string().contains("no end"));
    let broken = whole.replacen("\n\nm", "\n\nn", 1);
    assert_ne!(broken, whole);
    read(&broken).unwrap_err();

    ssh.key("weak", "rsa:1024");
    ssh.key("old", "rsa:3072");
    let error =
        TrustedKeys::new().with_allowed_signers(ssh.allowed(&["old", "weak"])).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("1024"), "{error}");
    let missing = TrustedKeys::new().with_allowed_signers_file("/nowhere/signers").unwrap_err().to_string();
    assert!(missing.contains("/nowhere/signers"), "{missing}");
    let debug = format!("{:?}", allowed(&ssh.allowed(&["old"])).with_openpgp(&whole).unwrap());
    assert!(debug.contains("old@example.org") && debug.contains("Ada <ada@example.org>"), "{debug}");
}

/// The owner says what a key is for.
#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn a_key_that_is_not_for_signing_counts_for_nothing() {
    let gpg = Gpg::new();
    let world = World::new();
    let key = gpg.key("Ada <ada@example.org>", "ed25519", "sign", "never");
    gpg.hand(&key).commit(&world.repo, "1");
    assert_eq!(signers(&world.head(openpgp(&gpg, &key))).await.len(), 1);
    let words = ["--command-fd", "0", "--status-fd", "2", "--expert", "--edit-key", &key];
    gpg.edit(&words, &["change-usage", "s", "q", "save"]);
    let told = refusal(&world.head(openpgp(&gpg, &key))).await;
    assert!(told.contains(&format!("the key {key} of Ada")) && told.contains("may sign"), "{told}");
}

/// The same file for us and for `ssh-keygen`, which must be of one opinion.
#[tokio::test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
async fn allowed_signers_mean_what_they_mean_to_ssh_keygen() {
    let ssh = Ssh::new();
    let hand = ssh.key("ada", "ed25519");
    ssh.key("eve", "ed25519");
    let world = World::new();
    let id = hand.commit(&world.repo, "1"); // of 2026-11-21T11:00:00Z
    let (key, eve) = (ssh.public("ada"), ssh.public("eve"));
    for (file, why) in [
        (format!("ada@example.org {key}"), ""),
        (format!("# people\n\n*@example.org {eve}\n*@example.org {key}"), ""),
        (format!("ada namespaces=\"git\" {key}"), ""),
        (format!("ada namespaces=\"file,g*\" {key}"), ""),
        (format!("ada namespaces=\"file\" {key}"), "namespaces do not include git"),
        (format!("ada namespaces=\"!git,*\" {key}"), "namespaces do not include git"),
        (format!("ada valid-after=\"20261121110000Z\" {key}"), ""),
        (format!("ada valid-after=\"20261121110001Z\" {key}"), "valid from 2026-11-21T11:00:01Z"),
        (format!("ada valid-before=\"20261121110000Z\" {key}"), ""),
        (format!("ada valid-before=\"20261121105959Z\" {key}"), "had expired at 2026-11-21T10:59:59Z"),
        (format!("ada valid-before=\"20200101Z\" {key}\nada {key}"), ""),
        (format!("eve {eve}"), "not among the trusted keys"),
    ] {
        let source = world.head(allowed(&file));
        assert_eq!(git_accepts(&world.repo, &hand, &file, &id), why.is_empty(), "{file}");
        if why.is_empty() {
            assert_eq!(signers(&source).await[0].key, ssh.fingerprint("ada"));
        } else {
            let told = refusal(&source).await;
            assert!(told.contains(why), "{file}: {told}");
        }
    }
    assert!(!git_accepts(&world.repo, &Hand::unsigned(), "", &id));
}
