//! `set` and `rollback` on the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{Repo, git, json_lines, program};
use serde_json::Value;

const WEB: &str = "# Of the shop.\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 2   # enough\n  template:\n    spec:\n      containers:\n      - name: web\n        image: 'ghcr.io/acme/web:1.0' # {\"$imagepolicy\": \"shop:web\"}\n";

/// A bare repository, as a server has it.
struct Bare {
    from: Repo,
    dir: tempfile::TempDir,
}

impl Bare {
    fn with(files: &[(&str, &str)]) -> Self {
        let bare = Self { from: Repo::with(files), dir: tempfile::tempdir().unwrap() };
        git(bare.dir.path(), &["clone", "--quiet", "--bare", &bare.from.url(), "config.git"]);
        bare
    }

    fn path(&self) -> String {
        self.dir.path().join("config.git").display().to_string()
    }

    fn git(&self, args: &[&str]) -> String {
        git(Path::new(&self.path()), args)
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "main"]).trim().to_owned()
    }

    fn gitops(&self, args: &[&str]) -> Output {
        let mirror = self.dir.path().join("mirror").display().to_string();
        let mut command = Command::new(program("gitops"));
        command.env("KUBECONFIG", "/nonexistent/kubeconfig").env_remove("RUST_LOG").args(args);
        command.env_remove("GITOPS_AUTHOR").args(["--repo", &self.path(), "--mirror", &mirror]);
        if !args.contains(&"--path") {
            command.args(["--path", "apps/shop"]);
        }
        command.output().unwrap()
    }

    /// What is said of a commit, which must be the new head.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let text = out(&self.gitops(&[args, &["--output", "json"]].concat()));
        let lines = json_lines(&text);
        assert_eq!(lines.len(), 1, "{text}");
        lines.into_iter().next().unwrap()
    }
}

#[track_caller]
fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_image_is_set_where_it_is_marked() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB), ("apps/other/web.yaml", WEB)]);
    let before = bare.head();
    let told = bare.json(&[
        "set",
        "image",
        "shop:web=ghcr.io/acme/web:1.1",
        "--author",
        "CI <ci@acme.example>",
        "--trailer",
        "Build: 42",
    ]);
    assert_eq!(told["commit"], bare.head());
    assert_eq!((told["parent"].as_str(), told["pushed"].as_bool()), (Some(&*before), Some(true)));
    assert_eq!(told["changed"][0]["path"], "apps/shop/web.yaml");
    assert_eq!(bare.git(&["show", "main:apps/shop/web.yaml"]), WEB.replace("1.0", "1.1"));
    assert_eq!(bare.git(&["show", "main:apps/other/web.yaml"]), WEB);
    let commit = bare.git(&["log", "-1", "--format=%an <%ae>%n%B", "main"]);
    assert!(commit.starts_with("CI <ci@acme.example>\n") && commit.contains("\n\nBuild: 42"), "{commit}");
    assert!(commit.contains("ghcr.io/acme/web:1.1"), "{commit}");
    bare.git(&["fsck", "--strict"]);

    // It is so already.
    assert_eq!(bare.json(&["set", "image", "shop:web=ghcr.io/acme/web:1.1"])["commit"], Value::Null);
    assert!(out(&bare.gitops(&["set", "image", "shop:web=ghcr.io/acme/web:1.1"])).contains("no commit"));
    let nothing = complaint(&bare.gitops(&["set", "image", "shop:db=postgres:17"]));
    assert!(nothing.contains("no value is marked for shop:db"), "{nothing}");
}

#[test]
fn a_dry_run_shows_the_difference_and_pushes_nothing() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB)]);
    let before = bare.head();
    let text = out(&bare.gitops(&["set", "field", "Deployment/shop/web", ".spec.replicas=5", "--dry-run"]));
    assert!(text.contains("-  replicas: 2   # enough\n+  replicas: 5   # enough\n"), "{text}");
    assert!(text.contains("would be pushed to main"), "{text}");
    assert_eq!(bare.head(), before);
    // All that the commit would say, and who says it.
    let whole =
        ["--author", "Ann <ann@acme.example>", "--message", "More\n\n{changes}", "--trailer", "Build: 42"];
    let set = ["set", "field", "Deployment/shop/web", ".spec.replicas=5", "--dry-run"];
    let text = out(&bare.gitops(&[&set[..], &whole].concat()));
    assert!(text.contains("\nAuthor: Ann <ann@acme.example>\n\n    More\n\n"), "{text}");
    assert!(text.contains("    Build: 42\n\n  M apps/shop/web.yaml\n"), "{text}");
    // What a Secret holds is shown to nobody.
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter2}\n";
    let bare = Bare::with(&[("apps/shop/db.yaml", secret)]);
    for output in ["text", "json"] {
        let text = out(&bare.gitops(&[
            "set",
            "field",
            "Secret/shop/db",
            ".stringData.password=swordfish",
            "--dry-run",
            "--output",
            output,
        ]));
        assert!(
            text.contains("apps/shop/db.yaml") && !text.contains("hunter2") && !text.contains("swordfish"),
            "{text}"
        );
    }
    let told = bare.json(&["set", "field", "Secret/shop/db", ".stringData.password=swordfish"]);
    assert!(!bare.git(&["log", "-1", "--format=%B", "main"]).contains("swordfish"), "{told}");
    assert!(bare.git(&["show", "main:apps/shop/db.yaml"]).contains("swordfish"));
}

#[test]
fn a_field_is_set_where_its_object_is_written() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB)]);
    let field = r#".spec.template.spec.containers[name="web"].image=web:2"#;
    let text =
        out(&bare.gitops(&["set", "field", "Deployment/shop/web", field, "--message", "Web 2\n\n{changes}"]));
    assert!(text.starts_with(&bare.head()[..7]), "{text}");
    assert_eq!(bare.git(&["show", "main:apps/shop/web.yaml"]), WEB.replace("ghcr.io/acme/web:1.0", "web:2"));
    let message = bare.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("Web 2\n\n") && message.contains("containers"), "{message}");
    let wrong = complaint(&bare.gitops(&["set", "field", "Deployment/shop/web", ".spec.replicas=many"]));
    assert!(wrong.contains("a number"), "{wrong}");
    out(&bare.gitops(&["set", "field", "Deployment/shop/web", ".spec.replicas=null", "--json"]));
}

#[test]
fn a_manifest_may_leave_the_namespace_to_the_application() {
    let map = |place: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {place}\ndata: {{a: b}}\n");
    let (open, blog) = (map("{name: web}"), map("{name: web, namespace: blog}"));
    let bare = Bare::with(&[("apps/shop/open.yaml", &open), ("apps/shop/blog.yaml", &blog)]);
    let set = |object: &str| {
        let told = bare.json(&["set", "field", object, ".data.a=c", "--dry-run"]);
        told["changed"][0]["path"].as_str().unwrap().to_owned()
    };
    assert_eq!(set("ConfigMap/blog/web"), "apps/shop/blog.yaml");
    assert_eq!(set("ConfigMap/shop/web"), "apps/shop/open.yaml");
    assert_eq!(set("ConfigMap/web"), "apps/shop/open.yaml");
    let bare = Bare::with(&[
        ("apps/shop/a.yaml", &map("{name: web, namespace: a}")),
        ("apps/shop/blog.yaml", &blog),
    ]);
    let said = complaint(&bare.gitops(&["set", "field", "ConfigMap/web", ".data.a=c"]));
    assert!(said.contains("ConfigMap/a/web") && said.contains("ConfigMap/blog/web"), "{said}");
}

#[test]
fn what_is_not_found_says_where_it_was_looked_for() {
    let twice = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata:\n  a: b\n  a: c\n";
    let files =
        [("apps/shop/web.yaml", WEB), ("apps/shop/bad.yaml", twice), ("apps/shop/tab.yaml", "a:\n\t- b\n")];
    let bare = Bare::with(&files);
    let set = |object: &str, more: &[&str]| {
        complaint(&bare.gitops(&[&["set", "field", object, ".spec.replicas=1"][..], more].concat()))
    };
    for object in ["ConfigMap/shop/bad", "ConfigMap./shop/bad"] {
        let said = set(object, &[]);
        assert!(said.contains(object) && said.contains("below apps/shop"), "{said}");
        assert!(said.contains("apps/shop/bad.yaml:6") && said.contains("apps/shop/tab.yaml:2"), "{said}");
        assert!(!said.contains("name its group") && !said.contains("Options"), "{said}");
    }
    let said = set("Deployment/blog/web", &["--path", ""]);
    assert!(said.contains("no Deployment/blog/web at ") && !said.contains(": :"), "{said}");
    let missing = ["--path", "apps/shpo"];
    assert!(set("Deployment/shop/web", &missing).contains("there is no apps/shpo at "));
    let image = ["set", "image", "shop:web=web:2"];
    let said = complaint(&bare.gitops(&[&image[..], &missing].concat()));
    assert!(said.contains("there is no apps/shpo at "), "{said}");
    let said = complaint(&bare.gitops(&["set", "image", "shop:db=db:2", "--path", ""]));
    assert!(said.starts_with("gitops: no value is marked"), "{said}");
    // What is gone may be asked about.
    let blame = ["blame", "Deployment/shop/gone", ".spec.replicas"];
    assert!(complaint(&bare.gitops(&blame)).contains("name its group"));
}

#[test]
fn a_revert_is_of_what_was_changed_at_the_path() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB), ("apps/blog/web.yaml", WEB)]);
    bare.json(&["set", "image", "shop:web=ghcr.io/acme/web:1.1", "--path", "apps"]);
    let (head, revert) = (bare.head(), ["rollback", "--revert", "main"]);
    bare.git(&["tag", "v2", "main"]);
    let nothing = complaint(&bare.gitops(&[&revert[..], &["--path", "apps/other"]].concat()));
    assert!(nothing.contains("apps/other") && bare.head() == head, "{nothing}");
    bare.json(&[&revert[..], &["--path", "apps/shop"]].concat());
    assert_eq!(bare.git(&["show", "main:apps/shop/web.yaml"]), WEB);
    assert_ne!(bare.git(&["show", "main:apps/blog/web.yaml"]), WEB);
    // All of it, by the short name of a tag.
    bare.json(&["rollback", "--revert", "v2", "--path", ""]);
    assert_eq!(bare.git(&["show", "main:apps/blog/web.yaml"]), WEB);
}

#[test]
fn a_merge_is_reverted_to_one_of_its_parents() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB)]);
    let before = bare.head();
    bare.git(&["branch", "side", "main"]);
    bare.json(&["set", "image", "shop:web=ghcr.io/acme/web:1.1", "--ref", "side"]);
    let merge = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit-tree",
        "side^{tree}",
        "-p",
        "main",
        "-p",
        "side",
    ];
    let merge = bare.git(&[&merge[..], &["-m", "Merge"]].concat()).trim().to_owned();
    bare.git(&["update-ref", "refs/heads/main", &merge]);
    let said = complaint(&bare.gitops(&["rollback", "--revert", &merge]));
    assert!(said.contains("--mainline N") && !said.contains("()"), "{said}");
    bare.json(&["rollback", "--revert", &merge, "--mainline", "1"]);
    assert_eq!(bare.git(&["diff", &before, "main"]), "");
}

#[test]
fn the_way_back_is_a_commit() {
    let bare = Bare::with(&[("apps/shop/web.yaml", WEB), ("apps/other.yaml", "a: 1\n")]);
    let first = bare.head();
    bare.json(&["set", "image", "shop:web=ghcr.io/acme/web:1.1"]);
    let second = bare.head();
    bare.json(&["set", "field", "Deployment/shop/web", ".spec.replicas=3"]);
    // The image goes back, and the replicas stay.
    let told = bare.json(&["rollback", "--revert", &second[..10]]);
    assert_eq!(told["commit"], bare.head());
    assert_eq!(bare.git(&["show", "main:apps/shop/web.yaml"]), WEB.replace("replicas: 2", "replicas: 3"));
    let message = bare.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains(&format!("This reverts commit {second}")), "{message}");
    // All of the path goes back.
    bare.json(&["rollback", "--to", &first]);
    assert_eq!(bare.git(&["show", "main:apps/shop/web.yaml"]), WEB);
    // And all since then, at once.
    let range = format!("{first}..");
    assert_eq!(
        bare.json(&["rollback", "--revert", &range])["commit"],
        Value::Null,
        "the sum of it is nothing"
    );
    bare.git(&["fsck", "--strict"]);
    let neither = bare.gitops(&["rollback"]);
    assert_eq!(neither.status.code(), Some(2));
    let nobody = complaint(&bare.gitops(&["rollback", "--last-good", "--name", "shop", "--path", ""]));
    assert!(nobody.contains("no cluster"), "{nobody}");
}
