//! Edits of files, over a path on this machine.

use gitops_core::{Class, EntryKind, Fault, RefSpec, RepoPath, Source as _};
use gitops_git::write::{CommitRequest, FileChange, Files, Identity, Message, Outcome, Target, WriteError};

use crate::common::repo::git_with;
use crate::common::{self, Repo, cx, git, path};
use crate::scene::{ada, add_line, error, fsck, local, on_main, put, rev, show, written};

#[tokio::test]
async fn a_commit_is_what_git_would_have_made() {
    let repo = Repo::with(&[("apps/shop/a.yaml", "a: 1\n"), ("other", "x")]);
    let before = repo.head();
    let writer = local(&repo).with_committer(Identity::new("Ben", "ben@example.org").unwrap());
    let request = on_main()
        .with_message(Message::new("Raise {app}\n\n{changes}").unwrap())
        .with_value("app", "shop")
        .with_trailer("Change-Id", "7")
        .unwrap();
    let done = written(writer.commit(&cx(), &request, put("apps/shop/a.yaml", "a: 2\n")).await);
    assert!(done.pushed && done.attempts == 1 && done.parent.id == before && done.diff.is_none());
    assert_eq!(done.reference, "refs/heads/main");
    assert_eq!(done.changed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["M apps/shop/a.yaml"]);
    assert_eq!(rev(&repo, "main"), done.commit.id);
    assert_eq!(rev(&repo, "main^"), before);
    assert_eq!(show(&repo, "main:apps/shop/a.yaml"), "a: 2");
    let shown = git(&repo.bare(), &["log", "-1", "--format=%an %ae|%cn %ce|%B%(trailers:only)", "main"]);
    let message = "Raise shop\n\nM apps/shop/a.yaml\n\nChange-Id: 7";
    assert_eq!(shown, format!("Ada ada@example.org|Ben ben@example.org|{message}\nChange-Id: 7"));
    fsck(&repo);

    // The same by hand.
    repo.git(&["reset", "--quiet", "--hard", &before]);
    std::fs::write(repo.work().join("apps/shop/a.yaml"), "a: 2\n").unwrap();
    repo.git(&["commit", "--quiet", "-am", "by hand"]);
    assert_eq!(repo.git(&["rev-parse", "HEAD^{tree}"]), rev(&repo, "main^{tree}"));
}

#[tokio::test]
async fn nothing_to_change_is_no_commit() {
    let repo = Repo::with(&[("a", "1\n")]);
    let writer = local(&repo);
    let done = writer.commit(&cx(), &on_main(), put("a", "1\n")).await.unwrap();
    let Outcome::Unchanged { tip } = done else { panic!("{done:?}") };
    assert_eq!(tip.id, repo.head());
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn what_an_edit_sees_is_what_it_made() {
    let repo = Repo::with(&[
        ("d/a", "1"),
        ("d/b", "2"),
        ("run.sh", "#!/bin/sh\n"),
        ("gone/only", "x"),
        ("f", "file"),
    ]);
    repo.git(&["update-index", "--chmod=+x", "run.sh"]);
    repo.git(&["commit", "--quiet", "-m", "executable"]);
    repo.push();
    let edit = |files: &mut Files<'_>| {
        let names = |files: &Files<'_>, dir: &str| -> Result<Vec<String>, Fault> {
            Ok(files.list(&path(dir))?.into_iter().map(|entry| entry.name).collect())
        };
        assert_eq!(names(files, "")?, ["d", "f", "gone", "run.sh"]);
        assert_eq!(files.read(&path("d/a"))?.as_deref(), Some(&b"1"[..]));
        assert_eq!(files.read(&path("d/none"))?, None);
        assert_eq!(names(files, "none")?, [""; 0]);
        assert!(files.remove(&path("d/a"))?);
        assert!(!files.remove(&path("d/a"))?);
        assert_eq!(files.read(&path("d/a"))?, None);
        files.write(&path("d/sub/new"), "3")?;
        assert_eq!(names(files, "d")?, ["b", "sub"]);
        assert_eq!(files.list(&path("d"))?[1].kind, EntryKind::Directory);
        files.write(&path("run.sh"), "#!/bin/sh\ntrue\n")?;
        assert!(files.remove(&path("gone/only"))?);
        assert_eq!(names(files, "")?, ["d", "f", "run.sh"]);
        // A file may take the place of a directory that is empty, and a directory that of a file that is gone.
        files.write(&path("gone"), "now a file")?;
        assert!(files.remove(&path("f"))?);
        files.write(&path("f/g"), "now a directory")?;
        assert_eq!(files.read(&path("f/g"))?.as_deref(), Some(&b"now a directory"[..]));
        Ok(())
    };
    let done = written(local(&repo).commit(&cx(), &on_main(), edit).await);
    let kinds: Vec<_> = done.changed.iter().map(ToString::to_string).collect();
    assert_eq!(kinds, ["D d/a", "A d/sub/new", "D f", "A f/g", "A gone", "D gone/only", "M run.sh"]);
    assert_eq!(done.changed[1].kind, FileChange::Added);
    let listed = git(&repo.bare(), &["ls-tree", "-r", "main"]);
    let listed: Vec<_> = listed.lines().map(|line| (&line[..6], line.split_once('\t').unwrap().1)).collect();
    let plain = "100644";
    assert_eq!(
        listed,
        [(plain, "d/b"), (plain, "d/sub/new"), (plain, "f/g"), (plain, "gone"), ("100755", "run.sh")]
    );
    fsck(&repo);
}

#[tokio::test]
async fn line_10_what_is_no_file_of_the_tree_is_not_written() {
    let repo = Repo::with(&[("real/a", "1"), ("file", "x")]);
    repo.link("link", "real");
    repo.link("real/here", "a");
    repo.commit_all("links");
    let head = repo.head();
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    repo.git(&["commit", "--quiet", "-m", "submodule"]);
    repo.push();
    let writer = local(&repo);
    for file in ["link", "link/a", "real/here", "file/below", "real", "sub", "sub/a", ""] {
        let error = error(writer.commit(&cx(), &on_main(), put(file, "y")).await);
        assert!(matches!(error, WriteError::InvalidEdit { .. }), "{file}: {error}");
    }
    for name in ["../a", "/etc/passwd", ".git/config", "a/.GIT/hooks/x", "git~1/x", ".git\u{200c}/x", "a\\b"]
    {
        assert!(RepoPath::new(name).is_err(), "{name}");
    }
    let removes = |files: &mut Files<'_>| files.remove(&path("sub")).map(drop);
    assert!(matches!(error(writer.commit(&cx(), &on_main(), removes).await), WriteError::InvalidEdit { .. }));
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn line_08_no_hook_of_a_repository_on_this_machine_runs() {
    let repo = Repo::with(&[("a", "1")]);
    let bare = repo.bare();
    let canary = repo.root().join("canary");
    let script = format!("#!/bin/sh\ntouch {}\n", canary.display());
    let program = repo.root().join("program");
    let executable = |path: &std::path::Path| {
        std::fs::write(path, &script).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    executable(&program);
    std::fs::create_dir_all(bare.join("hooks")).unwrap();
    for name in [
        "pre-receive",
        "update",
        "post-receive",
        "post-update",
        "reference-transaction",
        "proc-receive",
        "push-to-checkout",
        "pre-auto-gc",
    ] {
        executable(&bare.join("hooks").join(name));
    }
    // What a configuration may name as well. An alternate makes the first of them count.
    let other = Repo::with(&[("b", "1")]);
    std::fs::create_dir_all(bare.join("objects/info")).unwrap();
    let alternate = format!("{}\n", other.bare().join("objects").display());
    std::fs::write(bare.join("objects/info/alternates"), alternate).unwrap();
    let program = program.to_str().unwrap();
    for (name, value) in [
        ("core.alternateRefsCommand", program),
        ("core.fsmonitor", program),
        ("core.gitProxy", program),
        ("gpg.program", program),
        ("receive.certNonceSeed", "seed"),
        ("receive.procReceiveRefs", "refs/for"),
        ("gc.auto", "1"),
        ("filter.x.smudge", program),
    ] {
        git(&bare, &["config", name, value]);
    }
    written(local(&repo).commit(&cx(), &on_main(), put("a", "2")).await);
    assert!(!canary.exists(), "something ran");
    // They would run for anybody else.
    repo.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    repo.commit("by hand", &[("a", "3")]);
    assert!(canary.exists());
}

#[tokio::test]
async fn a_branch_that_is_checked_out_stays_as_it_is() {
    let repo = Repo::with(&[("a", "1")]);
    let source = common::local(&repo.work(), &repo.mirrors()).build().unwrap();
    repo.git(&["config", "receive.denyCurrentBranch", "updateInstead"]);
    let refused = error(source.writer(ada()).commit(&cx(), &on_main(), put("a", "2")).await);
    assert!(matches!(refused, WriteError::PushRefused { .. }), "{refused}");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn what_is_too_large_is_not_written() {
    let repo = Repo::with(&[("a", "123456")]);
    let writer = local(&repo).with_max_file_bytes(5);
    let read = |files: &mut Files<'_>| files.read(&path("a")).map(drop);
    assert_eq!(common::fault(writer.commit(&cx(), &on_main(), read).await).class, Class::Invalid);
    assert_eq!(
        common::fault(writer.commit(&cx(), &on_main(), put("b", "123456")).await).class,
        Class::Invalid
    );
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn the_fault_of_an_edit_is_what_its_caller_gets() {
    let repo = Repo::with(&[("a", "1")]);
    let edit = |_: &mut Files<'_>| Err(Fault::new(Class::NotFound, "no such image"));
    let fault = common::fault(local(&repo).commit(&cx(), &on_main(), edit).await);
    assert_eq!(fault.class, Class::NotFound);
    assert!(fault.to_string().contains("no such image"), "{fault}");
    assert_eq!(rev(&repo, "main"), repo.head());
}

#[tokio::test]
async fn after_a_push_nothing_need_be_fetched() {
    let repo = Repo::with(&[("a", "0\n")]);
    let source = common::local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let writer = source.writer(ada());
    for n in 1..60 {
        let done = written(writer.commit(&cx(), &on_main(), add_line("a", &n.to_string())).await);
        assert_eq!(done.attempts, 1);
    }
    // What is read is what was written, also from packs that were made into one.
    let revision = source.resolve(&cx(), &RefSpec::Branch("main".into())).await.unwrap();
    let snapshot = source.fetch(&cx(), &revision).await.unwrap();
    assert_eq!(common::text(&*snapshot, "a").lines().count(), 60);
    fsck(&repo);
    for mirror in common::dirs(&repo.mirrors()) {
        for entry in
            common::dirs(&mirror).iter().filter(|entry| entry.extension().is_some_and(|ext| ext == "git"))
        {
            git(entry, &["fsck", "--strict", "--no-dangling"]);
        }
    }
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_not_made() {
    let repo = Repo::with(&[("a", "1")]);
    let request = CommitRequest::new(Target::branch("none"));
    let fault = common::fault(local(&repo).commit(&cx(), &request, put("a", "2")).await);
    assert_eq!(fault.class, Class::NotFound, "{fault}");
}

#[tokio::test]
async fn trailers_are_added_as_git_adds_them() {
    let repo = Repo::with(&[("a", "0")]);
    let writer = local(&repo);
    for (nth, message) in [
        "subject",
        "subject: with a colon",
        "subject\n\nbody",
        "subject\n\nbody\n\nReviewed-by: Ada",
        "subject\n\nReviewed-by: Ada\nChange: 7",
        "subject\n\nbody\n\nBuild: 1",
        "subject\n\nsee: this\nand that",
        "subject\n\nbody\n\nSigned-off-by: Ada\nmore text",
    ]
    .into_iter()
    .enumerate()
    {
        let request = on_main()
            .with_message(Message::new(message).unwrap())
            .with_trailer("Build", "1")
            .and_then(|request| request.with_trailer("Change", "7"))
            .unwrap();
        let done = written(writer.commit(&cx(), &request, put("a", &format!("{nth}."))).await);
        let ours = git(&repo.bare(), &["log", "-1", "--format=%B", &done.commit.id]);
        let args = ["interpret-trailers", "--no-divider", "--trailer", "Build: 1", "--trailer", "Change: 7"];
        let theirs = common::repo::git_with(&repo.work(), &args, format!("{message}\n").as_bytes());
        assert_eq!(ours, theirs, "{message:?}");
    }
}

#[tokio::test]
async fn a_directory_is_not_empty_because_no_path_can_spell_its_names() {
    let repo = Repo::with(&[("a", "1")]);
    let bare = repo.bare();
    let blob = git_with(&bare, &["hash-object", "-w", "--stdin"], b"x");
    let entry = [format!("100644 blob {blob}\t").as_bytes(), b"\xff\0"].concat();
    let inner = git_with(&bare, &["mktree", "-z"], &entry);
    let tree = git_with(&bare, &["mktree"], format!("040000 tree {inner}\tdir\n").as_bytes());
    let commit = git(&bare, &["commit-tree", &tree, "-m", "odd"]);
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
    let writer = local(&repo);
    let refused = error(writer.commit(&cx(), &on_main(), put("dir", "a file")).await);
    assert!(matches!(refused, WriteError::InvalidEdit { .. }), "{refused}");
    // What it has stays, whatever is written beside it.
    written(writer.commit(&cx(), &on_main(), put("dir/b", "2")).await);
    assert_eq!(git(&bare, &["ls-tree", "--name-only", "main:dir"]).lines().count(), 2);
}
