//! Real signatures, and what is left of them when bytes change.

use std::process::{Command, Stdio};

use gitops_core::Timestamp;
use proptest::test_runner::{Config, TestRunner};

use super::TrustedKeys;
use super::signed::{self, Signed};
use crate::refusal::Refusal;

const PAYLOAD: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 1700000000 +0000\ncommitter A <a@x> 1700000000 +0000\n\nsubject\r\n";

fn run(program: &str, args: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Keys, and a signature of the payload by one of them.
fn by_ssh(kind: &str) -> (TrustedKeys, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let path = path.to_str().unwrap();
    run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", path], "");
    let public = std::fs::read_to_string(format!("{path}.pub")).unwrap();
    let keys = TrustedKeys::new().with_allowed_signers(format!("ada {public}")).unwrap();
    (keys, run("ssh-keygen", &["-Y", "sign", "-n", "git", "-f", path], PAYLOAD))
}

fn by_gpg(algorithm: &str) -> (TrustedKeys, String) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let gpg = |args: &[&str], input: &str| {
        let all = [
            &["--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"],
            args,
        ];
        run("gpg", &all.concat(), input)
    };
    gpg(&["--quick-generate-key", "ada", algorithm, "sign", "never"], "");
    let keys = TrustedKeys::new().with_openpgp(gpg(&["--armor", "--export"], "")).unwrap();
    let signature = gpg(&["--armor", "--detach-sign"], PAYLOAD);
    run("gpgconf", &["--homedir", home, "--kill", "all"], "");
    (keys, signature)
}

fn verify(keys: &TrustedKeys, payload: &[u8], signature: &[u8]) -> Result<String, Refusal> {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let signed = Signed { payload: payload.to_vec(), signature: signature.into(), at };
    keys.verify(&signed).map(|signer| signer.name)
}

/// Changes a byte, removes some, or doubles some.
fn mutate(bytes: &[u8], at: usize, length: usize, byte: u8) -> Vec<u8> {
    let at = at % bytes.len();
    let end = (at + length).min(bytes.len());
    let mut changed = bytes.to_vec();
    match length % 3 {
        0 => changed[at] ^= byte.max(1),
        1 => drop(changed.drain(at..end)),
        _ => drop(changed.splice(at..at, bytes[at..end].to_vec())),
    }
    changed
}

#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn no_change_of_a_byte_is_taken_for_a_signature() {
    let made = [
        by_ssh("ed25519"),
        by_ssh("rsa"),
        by_ssh("ecdsa"),
        by_gpg("ed25519"),
        by_gpg("rsa2048"),
        by_gpg("nistp256"),
    ];
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    for (keys, signature) in &made {
        assert_eq!(verify(keys, PAYLOAD.as_bytes(), signature.as_bytes()).unwrap(), "ada");
        let changes = (proptest::num::usize::ANY, 0..40_usize, proptest::num::u8::ANY);
        runner
            .run(&changes, |(at, length, byte)| {
                // A signature that changed may still be one: its line ends are not signed. The payload may not.
                let _ = verify(keys, PAYLOAD.as_bytes(), &mutate(signature.as_bytes(), at, length, byte));
                let payload = mutate(PAYLOAD.as_bytes(), at, length, byte);
                if payload != PAYLOAD.as_bytes() {
                    let refused = verify(keys, &payload, signature.as_bytes());
                    proptest::prop_assert!(
                        matches!(refused, Err(Refusal::BadSignature { .. })),
                        "{refused:?}"
                    );
                }
                Ok(())
            })
            .unwrap();
    }
    // No key of one kind stands for one of another.
    for (n, (keys, _)) in made.iter().enumerate() {
        for (m, (_, signature)) in made.iter().enumerate() {
            let verified = verify(keys, PAYLOAD.as_bytes(), signature.as_bytes());
            assert_eq!(verified.is_ok(), n == m, "{verified:?}");
        }
    }
}

/// Bytes below the armor, which the readers of packets and of SSH's own format get to see.
#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn no_bytes_below_the_armor_make_it_panic() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    for ((keys, signature), label) in [
        (by_ssh("ed25519"), "SSH SIGNATURE"),
        (by_ssh("rsa"), "SSH SIGNATURE"),
        (by_gpg("ed25519"), "PGP SIGNATURE"),
    ] {
        let good = super::armor::bytes(signature.as_bytes(), label).unwrap();
        let changes = (proptest::num::usize::ANY, 0..40_usize, proptest::num::u8::ANY);
        let armored = |bytes: &[u8]| {
            format!("-----BEGIN {label}-----\n\n{}\n-----END {label}-----\n", STANDARD.encode(bytes))
        };
        assert!(verify(&keys, PAYLOAD.as_bytes(), armored(&good).as_bytes()).is_ok());
        runner
            .run(&(changes.clone(), changes), |((at, length, byte), (at2, length2, byte2))| {
                let once = mutate(&good, at, length, byte);
                let _ = verify(&keys, PAYLOAD.as_bytes(), armored(&once).as_bytes());
                if !once.is_empty() {
                    let twice = mutate(&once, at2, length2, byte2);
                    let _ = verify(&keys, PAYLOAD.as_bytes(), armored(&twice).as_bytes());
                }
                Ok(())
            })
            .unwrap();
    }
}

/// The largest signature that is read, of the kinds that take a parser longest.
#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn large_signatures_take_no_long_time() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let (keys, _) = by_gpg("ed25519");
    let began = std::time::Instant::now();
    let bodies =
        [[0xc2_u8, 0x00].repeat(9000), [0x88, 0x01, 0x04].repeat(6000), vec![0xff; 18_000], nested()];
    for label in ["PGP SIGNATURE", "SSH SIGNATURE"] {
        for bytes in &bodies {
            let text =
                format!("-----BEGIN {label}-----\n\n{}\n-----END {label}-----\n", STANDARD.encode(bytes));
            assert!(text.len() < signed::MAX_SIGNATURE);
            assert!(matches!(verify(&keys, b"x", text.as_bytes()), Err(Refusal::Malformed { .. })));
        }
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

/// Signatures in signatures, as deep as they fit.
fn nested() -> Vec<u8> {
    let mut inner = vec![0x04, 0x19, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0xab, 0xcd];
    while inner.len() < 17_000 {
        let length = u32::try_from(inner.len() + 1).unwrap().to_be_bytes();
        let packet = [&[0xff][..], &length, &[0x20], &inner[..]].concat();
        let hashed = u16::try_from(packet.len()).unwrap().to_be_bytes();
        inner = [&[0x04, 0x19, 0x16, 0x08][..], &hashed, &packet, &[0x00, 0x00, 0xab, 0xcd]].concat();
    }
    let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
    [&[0x89][..], &length, &inner[..]].concat()
}

/// Keys come from files of the operator; what is wrong with them is an error all the same.
#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn no_bytes_of_a_key_make_it_panic() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let gpg = |args: &[&str]| {
        let all = [
            &["--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"],
            args,
        ];
        run("gpg", &all.concat(), "")
    };
    gpg(&["--quick-generate-key", "ada", "ed25519", "sign", "never"]);
    let fingerprint = gpg(&["--with-colons", "--list-keys"]);
    let fingerprint =
        fingerprint.lines().find(|line| line.starts_with("fpr")).unwrap().split(':').nth(9).unwrap();
    gpg(&["--quick-add-key", fingerprint, "rsa2048", "sign", "never"]);
    let exported = gpg(&["--armor", "--export"]);
    run("gpgconf", &["--homedir", home, "--kill", "all"], "");
    let body: String =
        exported.lines().filter(|line| !line.contains("---") && !line.starts_with('=')).collect();
    let good = STANDARD.decode(body).unwrap();
    let read = |bytes: &[u8]| {
        let label = "PGP PUBLIC KEY BLOCK";
        let text = format!("-----BEGIN {label}-----\n\n{}\n-----END {label}-----\n", STANDARD.encode(bytes));
        TrustedKeys::new().with_openpgp(text)
    };
    read(&good).unwrap();
    let changes = (proptest::num::usize::ANY, 0..40_usize, proptest::num::u8::ANY);
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    runner
        .run(&changes, |(at, length, byte)| {
            let _ = read(&mutate(&good, at, length, byte));
            let _ = TrustedKeys::new().with_openpgp(mutate(exported.as_bytes(), at, length, byte));
            Ok(())
        })
        .unwrap();
}

/// A field of SSH's wire format.
fn field(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn sign(key: &impl ssh_key::SigningKey, message: &[u8]) -> Vec<u8> {
    key.try_sign(message).unwrap().as_bytes().to_vec()
}

/// A signature as a key in hardware makes it: `PROTOCOL.u2f` of OpenSSH. `ssh-keygen` has the same opinion of it.
#[test]
#[ignore = "needs gpg and ssh-keygen: see CONTRIBUTING.md"]
fn keys_in_hardware_count() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::Digest as _;
    let kind = "sk-ssh-ed25519@openssh.com";
    let key = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    let public = [field(kind.as_bytes()), field(key.public.as_ref()), field(b"ssh:")].concat();
    let secret = ssh_key::PrivateKey::from(key);
    let line = format!("ada {kind} {}\n", STANDARD.encode(&public));
    let keys = TrustedKeys::new().with_allowed_signers(&line).unwrap();
    let signed_data =
        ssh_key::SshSig::signed_data("git", ssh_key::HashAlg::Sha512, PAYLOAD.as_bytes()).unwrap();
    let counter = [0, 0, 0, 9];
    let digest = |bytes: &[u8]| sha2::Sha256::digest(bytes).to_vec();
    let made = [digest(b"ssh:"), vec![1], counter.to_vec(), digest(&signed_data)].concat();
    for (flags, good) in [(1, true), (5, false)] {
        let signature =
            [field(kind.as_bytes()), field(&sign(&secret, &made)), vec![flags], counter.to_vec()].concat();
        let whole = [
            b"SSHSIG".to_vec(),
            vec![0, 0, 0, 1],
            field(&public),
            field(b"git"),
            field(b""),
            field(b"sha512"),
            field(&signature),
        ]
        .concat();
        let encoded: Vec<_> = STANDARD.encode(whole).into_bytes().chunks(70).map(<[u8]>::to_vec).collect();
        let body = String::from_utf8(encoded.join(&b'\n')).unwrap();
        let armored = format!("-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n");
        assert_eq!(verify(&keys, PAYLOAD.as_bytes(), armored.as_bytes()).is_ok(), good, "{flags}");

        let dir = tempfile::tempdir().unwrap();
        let (allowed, file) = (dir.path().join("allowed"), dir.path().join("sig"));
        std::fs::write(&allowed, &line).unwrap();
        std::fs::write(&file, &armored).unwrap();
        let args = ["-Y", "verify", "-n", "git", "-I", "ada", "-f"];
        let mut reference = Command::new("ssh-keygen");
        reference.args(args).arg(&allowed).arg("-s").arg(&file).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = reference.stderr(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), PAYLOAD.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().success(), good, "{flags}");
    }
}
