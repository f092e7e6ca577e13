//! Commits over HTTPS, and pull requests for them.

use std::process::Command;

use crate::common::{json_lines, program};
use crate::git::forge::{Forge, Kind, NAME, OWNER, TOKEN};
use crate::git::tls::Authority;
use crate::git::{Repo, Server};
use crate::text;

const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata:\n  image: web:1.0 # {\"$imagepolicy\": \"shop:web\"}\n";

#[test]
fn a_change_is_proposed_once() {
    for (kind, host) in [(Kind::GitHub, "github"), (Kind::Gitea, "gitea")] {
        let (repo, authority) = (Repo::with(&[("web.yaml", WEB)]), Authority::new());
        let server = Server::start_tls(repo.root(), authority.server("localhost", false));
        crate::git::repo::git(&repo.bare(), &["config", "http.receivepack", "true"]);
        let hosting = Server::start_tls(repo.root(), authority.server("localhost", false));
        let forge = Forge::teach(&hosting, kind);
        let url = format!("https://localhost:{}/repo.git", server.port());
        let at_host = format!("https://localhost:{}/{OWNER}/{NAME}", hosting.port());
        let [ca, token] = ["ca.pem", "token"].map(|name| repo.root().join(name));
        std::fs::write(&ca, authority.pem()).unwrap();
        std::fs::write(&token, TOKEN).unwrap();
        let set = |image: &str| {
            let mirrors = repo.mirrors();
            let mut command = Command::new(program("gitops"));
            command.args([
                "set",
                "image",
                &format!("shop:web={image}"),
                "--repo",
                &url,
                "--allow-http",
                "--output",
                "json",
            ]);
            command.args([
                "--mirror",
                text(&mirrors),
                "--ca",
                text(&ca),
                "--token-file",
                text(&token),
                "--no-proxy",
            ]);
            command.args(["--pull-request", "--pull-request-host", host, "--pull-request-repo", &at_host]);
            let done = command
                .args(["--pull-request-label", "image-update"])
                .env_remove("RUST_LOG")
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
            json_lines(&String::from_utf8(done.stdout).unwrap()).remove(0)
        };
        let before = repo.head();

        let first = set("web:1.1");
        let branch = "gitops/set-image/shop-web";
        assert_eq!(first["reference"], format!("refs/heads/{branch}"));
        assert_eq!(first["pull_request"]["outcome"], "created");
        let file = crate::git::repo::git(&repo.bare(), &["show", &format!("{branch}:web.yaml")]);
        assert_eq!(file, WEB.replace("1.0", "1.1").trim_end());
        let second = set("web:1.2");
        assert_eq!(second["pull_request"]["outcome"], "updated");
        assert_eq!(second["pull_request"]["number"], first["pull_request"]["number"]);
        assert_eq!(second["parent"], before, "what is proposed comes after the branch that it is for");

        let [open] = &*forge.open(branch, "main") else { panic!("not one pull request") };
        assert!(
            open.title.contains("web:1.2") && open.labels.contains(&"image-update".into()),
            "{}",
            open.title
        );
        assert_eq!(repo.head(), before);
        forge.with(|state| assert_eq!(state.complaints, [""; 0]));
    }
}

#[test]
#[ignore = "needs ssh-keygen: see CONTRIBUTING.md"]
fn a_signed_commit_is_what_a_reconciler_wants() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let repo = Repo::with(&[("web.yaml", WEB), ("namespace.yaml", namespace)]);
    let key = repo.root().join("key");
    crate::git::ssh::make_key(&key, "");
    let signers = repo.root().join("signers");
    std::fs::write(&signers, format!("ci@acme.example {}\n", crate::git::ssh::public(&key))).unwrap();
    let run = |args: &[&str]| {
        let (url, mirrors) = (repo.bare(), repo.mirrors());
        let mut command = Command::new(program("gitops"));
        command.args(args).args(["--repo", text(&url), "--mirror", text(&mirrors)]).env_remove("RUST_LOG");
        command.output().unwrap()
    };
    let signers = text(&signers);
    let sync =
        ["sync", "--name", "shop", "--target", "memory", "--verify", "head", "--allowed-signers", signers];
    assert_eq!(run(&sync).status.code(), Some(2), "the first commit is signed by nobody");
    let set =
        ["set", "image", "shop:web=web:2", "--author", "CI <ci@acme.example>", "--sign-ssh-key", text(&key)];
    let done = run(&set);
    assert!(done.status.success(), "{done:?}");
    let done = run(&sync);
    assert!(done.status.success(), "{done:?}");
}
