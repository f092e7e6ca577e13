//! Commits over HTTPS, and pull requests for them.

use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{json_lines, program};
use crate::git::cgi::answer_of;
use crate::git::forge::{Forge, Kind, NAME, OWNER, TOKEN, Trouble};
use crate::git::repo::git;
use crate::git::server::Reply;
use crate::git::tls::Authority;
use crate::git::{Repo, Server};
use crate::text;

const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata:\n  image: web:1.0 # {\"$imagepolicy\": \"shop:web\"}\n";

/// A repository on a server, and a host of its pull requests.
struct Stage {
    repo: Repo,
    _server: Server,
    _hosting: Server,
    forge: Forge,
    given: Vec<String>,
}

impl Stage {
    fn new(kind: Kind) -> Self {
        let (repo, authority) = (Repo::with(&[("web.yaml", WEB)]), Authority::new());
        let server = Server::start_tls(repo.root(), authority.server("localhost", false));
        git(&repo.bare(), &["config", "http.receivepack", "true"]);
        let hosting = Server::start_tls(repo.root(), authority.server("localhost", false));
        let forge = Forge::teach(&hosting, kind);
        let [ca, token] = ["ca.pem", "token"].map(|name| repo.root().join(name));
        std::fs::write(&ca, authority.pem()).unwrap();
        std::fs::write(&token, TOKEN).unwrap();
        let host = if kind == Kind::GitHub { "github" } else { "gitea" };
        let given = [
            ("--repo", format!("https://localhost:{}/repo.git", server.port())),
            ("--mirror", text(&repo.mirrors()).into()),
            ("--ca", text(&ca).into()),
            ("--token-file", text(&token).into()),
            ("--pull-request-host", host.into()),
            ("--pull-request-repo", format!("https://localhost:{}/{OWNER}/{NAME}", hosting.port())),
        ];
        let given = given.into_iter().flat_map(|(option, value)| [option.into(), value]).collect();
        Self { repo, _server: server, _hosting: hosting, forge, given }
    }

    fn gitops(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program("gitops"));
        command.args(args).args(&self.given).args(["--allow-http", "--no-proxy", "--pull-request"]);
        command.env_remove("RUST_LOG").output().unwrap()
    }

    /// Does something, and reads what is said of that.
    #[track_caller]
    fn told(&self, args: &[&str]) -> Value {
        let done = self.gitops(&[args, &["--output", "json"]].concat());
        assert!(done.status.success(), "{done:?}");
        json_lines(&String::from_utf8(done.stdout).unwrap()).remove(0)
    }

    /// Sets the image.
    #[track_caller]
    fn set(&self, image: &str, more: &[&str]) -> Value {
        self.told(&[&["set", "image", &format!("shop:web={image}")], more].concat())
    }

    /// Gives an option another name, or none.
    fn rename(&mut self, option: &str, to: Option<&str>) {
        let at = self.given.iter().position(|given| given == option).unwrap();
        match to {
            Some(other) => self.given[at] = other.into(),
            None => drop(self.given.drain(at..at + 2)),
        }
    }

    /// Why the image is not set.
    #[track_caller]
    fn refusal(&self, more: &[&str]) -> String {
        let done = self.gitops(&[&["set", "image", "shop:web=web:1.1"], more].concat());
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(2) && said.lines().count() == 1, "{said}");
        said
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.repo.bare(), args).trim().to_owned()
    }

    fn pulls(&self) -> usize {
        self.forge.with(|state| state.pulls.len())
    }
}

fn branch_of(told: &Value) -> String {
    told["reference"].as_str().unwrap().strip_prefix("refs/heads/").unwrap().to_owned()
}

#[test]
fn a_change_is_proposed_once() {
    for kind in [Kind::GitHub, Kind::Gitea] {
        let stage = Stage::new(kind);
        let before = stage.repo.head();
        let label = ["--pull-request-label", "image-update"];

        let first = stage.set("web:1.1", &label);
        let branch = branch_of(&first);
        assert!(branch.starts_with("gitops/set-image/shop-web-"), "{branch}");
        assert_eq!(first["pull_request"]["outcome"], "created");
        let file = stage.git(&["show", &format!("{branch}:web.yaml")]);
        assert_eq!(file, WEB.replace("1.0", "1.1").trim_end());
        let second = stage.set("web:1.2", &label);
        assert_eq!(branch_of(&second), branch);
        assert_eq!(second["pull_request"]["outcome"], "updated");
        assert_eq!(second["pull_request"]["number"], first["pull_request"]["number"]);
        assert_eq!(second["parent"], before, "what is proposed comes after the branch that it is for");

        let [open] = &*stage.forge.open(&branch, "main") else { panic!("not one pull request") };
        let body = open.body.as_deref().unwrap_or_default();
        assert!(open.title.contains("web:1.2") && open.labels.contains(&"image-update".into()), "{open:?}");
        assert!(body.contains("web:1.2") && !body.contains("web:1.1"), "{body}");
        assert_eq!(stage.repo.head(), before);
        stage.forge.with(|state| assert_eq!(state.complaints, [""; 0]));
    }
}

#[test]
fn a_change_is_known_however_it_is_named() {
    let stage = Stage::new(Kind::GitHub);
    let raised = stage.repo.commit("raise\tit", &[("web.yaml", &WEB.replace("1.0", "1.1"))]);
    let revert = |commit: &str| stage.told(&["rollback", "--revert", commit]);
    let first = revert(&raised);
    assert_eq!(first["pull_request"]["outcome"], "created");
    for name in [&raised[..8], "main", "refs/heads/main"] {
        let again = revert(name);
        assert_eq!(branch_of(&again), branch_of(&first), "{name}");
        assert_eq!(again["pull_request"]["outcome"], "unchanged");
    }
    let [open] = &*stage.forge.open(&branch_of(&first), "main") else { panic!("not one pull request") };
    assert_eq!(open.title, "Revert \"raise it\"");

    // Another commit by the same name is another change.
    stage.repo.commit("more", &[("more.yaml", "a: 1\n")]);
    let other = revert("main");
    assert_ne!(branch_of(&other), branch_of(&first));
    assert_eq!((&other["pull_request"]["outcome"], stage.pulls()), (&"created".into(), 2));

    let field = |object: &str, value: &str| {
        stage.told(&["set", "field", object, &format!(r#".metadata.labels["a"]={value}"#)])
    };
    let labels = WEB.replace("namespace: shop", "namespace: shop, labels: {a: b}");
    stage.repo.commit("labels", &[("web.yaml", &labels)]);
    let first = field("ConfigMap/shop/web", "c");
    for name in ["ConfigMap/web", "ConfigMap./shop/web"] {
        assert_eq!(branch_of(&field(name, "d")), branch_of(&first), "{name}");
    }
}

#[test]
fn nothing_is_pushed_for_a_host_that_is_not_told_who_asks() {
    let mut stage = Stage::new(Kind::Gitea);
    stage.rename("--token-file", None);
    assert!(stage.refusal(&[]).contains("--pull-request-token-file"));
    assert_eq!(stage.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");

    // Another token than the repository's.
    let token = stage.repo.root().join("token");
    let done = stage.set("web:1.1", &["--pull-request-token-file", text(&token)]);
    assert_eq!(done["pull_request"]["outcome"], "created");
}

#[test]
#[ignore = "needs an SSH server: see CONTRIBUTING.md"]
fn a_change_is_proposed_by_ssh() {
    let mut stage = Stage::new(Kind::GitHub);
    let server = crate::git::ssh::Sshd::default();
    let (url, key) = (server.url(&stage.repo.bare()), server.key());
    let known = stage.repo.root().join("known_hosts");
    std::fs::write(&known, server.known_hosts()).unwrap();
    stage.rename("--repo", None);
    stage.rename("--token-file", Some("--pull-request-token-file"));
    let by_ssh = ["--repo", &url, "--ssh-key", text(&key), "--known-hosts", text(&known)];
    let done = stage.set("web:1.1", &by_ssh);
    assert_eq!(done["pull_request"]["outcome"], "created");
    assert_eq!(stage.git(&["rev-parse", &branch_of(&done)]), done["commit"].as_str().unwrap());
}

#[test]
fn what_others_have_is_not_replaced_unasked() {
    let stage = Stage::new(Kind::GitHub);
    let before = stage.repo.head();
    for branch in ["main", "refs/heads/main"] {
        for more in [&["--pull-request-branch", branch][..], &["--pull-request-branch", branch, "--dry-run"]]
        {
            let said = stage.refusal(more);
            assert!(said.contains("--pull-request-branch") && said.contains("--ref"), "{said}");
            let replacing = stage.refusal(&[more, &["--replace-branch"]].concat());
            assert!(replacing.contains("--ref"), "{replacing}");
        }
    }
    assert_eq!((stage.repo.head(), stage.pulls()), (before.clone(), 0));

    // Another one that is there, whatever is said of `--ref`.
    stage.git(&["branch", "next", "main"]);
    let theirs = ["--ref", "next", "--pull-request-branch", "main"];
    for more in [&theirs[..], &[&theirs[..], &["--dry-run"]].concat()] {
        let said = stage.refusal(more);
        assert!(said.contains("main is there already") && said.contains("--replace-branch"), "{said}");
    }
    assert_eq!((stage.repo.head(), stage.pulls()), (before, 0));

    // One that is new, and again, as may be asked for.
    let named = ["--pull-request-branch", "update"];
    assert_eq!(branch_of(&stage.set("web:1.1", &named)), "update");
    let said = stage.refusal(&named);
    assert!(said.contains("--replace-branch"), "{said}");
    let again = stage.set("web:1.2", &[&named[..], &["--replace-branch"]].concat());
    assert_eq!(
        (branch_of(&again).as_str(), &again["pull_request"]["outcome"]),
        ("update", &"updated".into())
    );
    assert!(stage.git(&["show", "update:web.yaml"]).contains("web:1.2"));
}

#[test]
fn a_pull_request_that_is_missing_is_opened_by_another_run() {
    [Kind::GitHub, Kind::Gitea].into_iter().for_each(opens_what_is_missing);
}

fn opens_what_is_missing(kind: Kind) {
    let stage = Stage::new(kind);
    let broken = Reply::Whole(answer_of("503 Service Unavailable", &[], "{}"));
    stage.forge.once("POST", "/pulls", Trouble::Instead(broken));
    let done = stage.gitops(&["set", "image", "shop:web=web:1.1", "--output", "json"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(2) && said.contains("without a pull request"), "{said}");
    // The commit is there, and so it is told.
    let first = json_lines(&String::from_utf8(done.stdout).unwrap()).remove(0);
    let branch = branch_of(&first);
    assert_eq!(first["commit"], stage.git(&["rev-parse", &branch]));
    assert!(first["pushed"] == true && first["pull_request"].is_null() && stage.pulls() == 0, "{first}");

    // A look at it opens nothing.
    let looked = stage.set("web:1.1", &["--dry-run"]);
    assert!(branch_of(&looked) == branch && looked["pull_request"].is_null(), "{looked}");
    let second = stage.set("web:1.1", &[]);
    assert_eq!((&second["commit"], &second["tip"]), (&Value::Null, &first["commit"]));
    assert_eq!((branch_of(&second), &second["pull_request"]["outcome"]), (branch.clone(), &"created".into()));
    let [open] = &*stage.forge.open(&branch, "main") else { panic!("not one pull request") };
    assert!(open.title.contains("web:1.1"), "{open:?}");
    let third = stage.gitops(&["set", "image", "shop:web=web:1.1"]);
    let said = String::from_utf8(third.stdout).unwrap();
    assert!(
        said.contains(&format!("{branch} is so already"))
            && said.contains("\npull request ")
            && said.contains(" unchanged: "),
        "{said}"
    );

    // One that was closed is left alone, and another one opened.
    stage.forge.with(|state| state.pulls[0].open = false);
    let fourth = stage.set("web:1.1", &[]);
    assert_eq!(fourth["pull_request"]["outcome"], "created");
    assert_ne!(fourth["pull_request"]["number"], second["pull_request"]["number"]);

    // When it was taken over, there is nothing to propose.
    stage.git(&["update-ref", "refs/heads/main", &branch]);
    let pulls = stage.pulls();
    let last = stage.set("web:1.1", &[]);
    assert!(branch_of(&last) == "main" && last["pull_request"].is_null() && stage.pulls() == pulls, "{last}");
    // The same keys, whatever came of it.
    let keys = |told: &Value| told.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&last), keys(&first));
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
