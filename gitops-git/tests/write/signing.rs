//! Signed commits, verified by Git with the tools that people have, and by this crate.

use std::path::Path;
use std::process::{Command, Stdio};

use gitops_core::{RefSpec, Source as _};
use gitops_git::write::{CommitRequest, Outcome, SigningKey, Target, WriteError};
use gitops_git::{GitSource, TrustedKeys, Verification, VerifyMode};

use crate::common::repo::git_bytes;
use crate::common::{Repo, cx};
use crate::scene::{ada, error, fsck, local, on_main, put, rev, written};

fn run(program: &str, args: &[&str]) -> String {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What Git says of the signature of a commit, with some settings.
fn verified(repo: &Repo, env: &[(&str, &str)], settings: &[&str], commit: &str) -> String {
    let mut args: Vec<&str> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
    args.extend(["log", "-1", "--format=%G?", commit]);
    String::from_utf8(git_bytes(&repo.bare(), env, &args, b"").unwrap()).unwrap().trim().to_owned()
}

async fn accepts(repo: &Repo, keys: TrustedKeys) -> bool {
    let verification = Verification::new(VerifyMode::Head, keys);
    let mirrors = repo.root().join("verifying");
    let source: GitSource =
        crate::common::local(&repo.bare(), &mirrors).with_verification(verification).build().unwrap();
    let revision = source.resolve(&cx(), &RefSpec::Branch("main".into())).await.unwrap();
    source.fetch(&cx(), &revision).await.is_ok()
}

fn ssh_key(dir: &Path, kind: &str) -> (String, String) {
    let file = dir.join(kind);
    let path = file.to_str().unwrap();
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "test", "-f", path]);
    (path.to_owned(), std::fs::read_to_string(format!("{path}.pub")).unwrap())
}

#[tokio::test]
#[ignore = "needs ssh-keygen: see CONTRIBUTING.md"]
async fn commits_signed_by_ssh_keys_are_good() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "ecdsa"] {
        let repo = Repo::with(&[("a", "1\n")]);
        let (file, public) = ssh_key(dir.path(), kind);
        let writer = local(&repo).with_signing_key(SigningKey::ssh_file(&file).unwrap());
        let done = written(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
        let allowed = dir.path().join("allowed");
        std::fs::write(&allowed, format!("ada@example.org {public}")).unwrap();
        let settings = [format!("gpg.ssh.allowedSignersFile={}", allowed.display()), "gpg.format=ssh".into()];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        assert_eq!(verified(&repo, &[], &settings, &done.commit.id), "G", "{kind}");
        let keys = TrustedKeys::new().with_allowed_signers(format!("ada {public}")).unwrap();
        assert!(accepts(&repo, keys).await, "{kind}");
        let elsewhere = tempfile::tempdir().unwrap();
        let (_, other) = ssh_key(elsewhere.path(), "ed25519");
        let keys = TrustedKeys::new().with_allowed_signers(format!("eve {other}")).unwrap();
        assert!(!accepts(&repo, keys).await, "{kind}");

        // The same without a signature is not the same.
        let again = CommitRequest::new(Target::new_branch("again", "main").or_replace());
        let unsigned = written(local(&repo).commit(&cx(), &again, put("a", "3\n")).await);
        let signed = written(writer.commit(&cx(), &again, put("a", "3\n")).await);
        assert_eq!((rev(&repo, "again"), unsigned.parent), (signed.commit.id.clone(), signed.parent));
        let same = writer.commit(&cx(), &again, put("a", "3\n")).await.unwrap();
        assert!(matches!(same, Outcome::Unchanged { tip } if tip == signed.commit));
        fsck(&repo);
    }
    let file = dir.path().join("locked");
    let file = file.to_str().unwrap();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "secret", "-f", file]);
    let locked = SigningKey::ssh_file(file).unwrap_err().to_string();
    assert!(locked.contains("passphrase"), "{locked}");
    assert!(SigningKey::ssh("no key").is_err());
    let (rsa, _) = ssh_key(dir.path(), "rsa");
    let rsa = SigningKey::ssh_file(rsa).unwrap_err().to_string();
    assert!(rsa.contains("use Ed25519"), "{rsa}");
}

#[tokio::test]
#[ignore = "needs gpg: see CONTRIBUTING.md"]
async fn commits_signed_by_openpgp_keys_are_good() {
    for (algorithm, subkey, passphrase) in
        [("ed25519", false, ""), ("rsa2048", true, "secret"), ("ed25519", true, "")]
    {
        let repo = Repo::with(&[("a", "1\n")]);
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        let base = [
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--passphrase",
            passphrase,
            "--pinentry-mode",
            "loopback",
        ];
        let gpg = |args: &[&str]| run("gpg", &[&base, args].concat());
        let uses = if subkey { "cert" } else { "sign" };
        gpg(&["--quick-generate-key", "Ada <ada@example.org>", algorithm, uses, "never"]);
        if subkey {
            let listed = gpg(&["--with-colons", "--list-keys"]);
            let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
            gpg(&["--quick-add-key", fingerprint.trim_end_matches(':'), algorithm, "sign", "never"]);
        }
        let secret = gpg(&["--armor", "--export-secret-keys"]);
        let given = (!passphrase.is_empty()).then_some(passphrase);
        let writer = local(&repo).with_signing_key(SigningKey::openpgp(&secret, given).unwrap());
        let done = written(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
        let said = verified(&repo, &[("GNUPGHOME", home)], &[], &done.commit.id);
        assert!(["G", "U"].contains(&&*said), "{algorithm}: {said}");
        let keys = TrustedKeys::new().with_openpgp(gpg(&["--armor", "--export"])).unwrap();
        assert!(accepts(&repo, keys).await, "{algorithm}");
        if given.is_some() {
            let wrong = SigningKey::openpgp(&secret, Some("correct horse")).unwrap_err().to_string();
            assert!(wrong.contains("passphrase") && !wrong.contains("horse"), "{wrong}");
        }
        fsck(&repo);
        run("gpgconf", &["--homedir", home, "--kill", "all"]);
    }
}

#[tokio::test]
#[ignore = "needs gpg: see CONTRIBUTING.md"]
async fn what_has_expired_does_not_sign() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let base = ["--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"];
    let gpg = |args: &[&str]| run("gpg", &[&base, args].concat());
    let at = |time, args: &[&str]| gpg(&[&["--faked-system-time", time], args].concat());
    at("20260101T000000", &["--quick-generate-key", "Ada <ada@example.org>", "ed25519", "cert", "never"]);
    let listed = gpg(&["--with-colons", "--list-keys"]);
    let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
    let fingerprint = fingerprint.trim_end_matches(':');
    let add = |time, expires| at(time, &["--quick-add-key", fingerprint, "ed25519", "sign", expires]);
    let export = || SigningKey::openpgp(&gpg(&["--armor", "--export-secret-keys"]), None).unwrap();

    // The newest one, which is the only one.
    add("20260103T000000", "1d");
    let repo = Repo::with(&[("a", "1\n")]);
    let expired = local(&repo).with_signing_key(export());
    let fault = error(expired.commit(&cx(), &on_main(), put("a", "2\n")).await);
    assert!(matches!(fault, WriteError::SigningKey { .. }), "{fault}");
    assert!(fault.to_string().contains("expired"), "{fault}");
    assert_eq!(rev(&repo, "main"), repo.head());

    // An older one is still good.
    add("20260102T000000", "never");
    let writer = local(&repo).with_signing_key(export());
    let done = written(writer.commit(&cx(), &on_main(), put("a", "2\n")).await);
    let said = verified(&repo, &[("GNUPGHOME", home)], &[], &done.commit.id);
    assert!(["G", "U"].contains(&&*said), "{said}");
    assert!(accepts(&repo, TrustedKeys::new().with_openpgp(gpg(&["--armor", "--export"])).unwrap()).await);

    // With the whole key, its subkeys end.
    gpg(&["--quick-set-expire", fingerprint, "seconds=1"]);
    let writer = local(&repo).with_signing_key(export());
    std::thread::sleep(std::time::Duration::from_secs(2));
    let fault = error(writer.commit(&cx(), &on_main(), put("a", "3\n")).await);
    assert!(fault.to_string().contains("expired"), "{fault}");
    run("gpgconf", &["--homedir", home, "--kill", "all"]);
}

/// A writer signs nothing that comes after what nobody trusted has signed: that would vouch for it.
#[tokio::test]
#[ignore = "needs ssh-keygen: see CONTRIBUTING.md"]
async fn nothing_is_built_on_what_may_not_be_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (file, public) = ssh_key(dir.path(), "ed25519");
    let repo = Repo::with(&[("a", "1\n")]);
    let signing = SigningKey::ssh_file(&file).unwrap();
    written(local(&repo).with_signing_key(signing.clone()).commit(&cx(), &on_main(), put("a", "2\n")).await);
    let keys = TrustedKeys::new().with_allowed_signers(format!("ada {public}")).unwrap();
    let verification = Verification::new(VerifyMode::Head, keys);
    let source = crate::common::local(&repo.bare(), &repo.root().join("verifying"));
    let writer =
        source.with_verification(verification).build().unwrap().writer(ada()).with_signing_key(signing);
    written(writer.commit(&cx(), &on_main(), put("a", "3\n")).await);
    repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    repo.commit("unsigned", &[("b", "evil\n")]);
    let fault = crate::common::fault(writer.commit(&cx(), &on_main(), put("a", "4\n")).await);
    assert!(fault.to_string().contains("not signed"), "{fault}");
    assert_eq!(crate::scene::rev(&repo, "main"), repo.head());
}
