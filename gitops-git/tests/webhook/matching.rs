//! Whether a push concerns a source.

use gitops_core::{Application, MemoryCluster, MemoryTarget, RefSpec, Source};
use gitops_git::GitSource;

use super::*;

fn of(repository: &str) -> Push {
    push((&serde_json::json!({"repository": repository}).to_string(), &[]))
}

#[test]
fn one_repository_has_many_addresses() {
    let same = [
        "https://git.example/platform/config",
        "https://git.example/platform/config/",
        "https://git.example/platform/config.git",
        "https://git.example/platform/config.git/",
        "https://GIT.example/Platform/Config",
        "https://git.example.:443/platform/config",
        "http://git.example/platform/config",
        "http://git.example:80/platform/config",
        "https://bot@git.example/platform/config",
        "https://git.example/platform%2fconfig",
        "ssh://git@git.example/platform/config.git",
        "ssh://git@git.example:22/platform/config",
        "git@git.example:platform/config.git",
        "git@git.example:/platform/config.git",
        "git.example:platform/config",
        "git://git.example/platform/config.git",
    ];
    for one in same {
        for other in same {
            assert!(of(one).is_of(other), "{one} {other}");
        }
    }
    for other in [
        "https://git.example/platform/config2",
        "https://git.example/platform",
        "https://git.example/config",
        "https://git.example/x/platform/config",
        "https://git.example:8443/platform/config",
        "https://git.example:22/platform/config",
        "ssh://git@git.example:443/platform/config",
        "https://git.example.org/platform/config",
        "https://example/platform/config",
        "file:///platform/config",
        "/platform/config",
        "https://git.example/",
        "https://",
        "config",
        "",
    ] {
        assert!(same.iter().all(|one| !of(one).is_of(other)), "{other}");
    }
}

#[test]
fn local_repositories_are_told_by_their_path() {
    let push = of("file:///srv/git/config");
    assert!(push.is_of("file:///srv/git/config") && push.is_of("file:///srv/git/config/"));
    // A directory `config.git` is another one than `config`, and so is `Config`.
    for other in ["file:///srv/git/config.git", "file:///srv/git/Config", "https://srv/git/config"] {
        assert!(!push.is_of(other), "{other}");
    }
}

#[test]
fn each_address_that_a_host_gives_is_enough() {
    let push = push(DATA_CENTER);
    for same in [
        "https://bitbucket.example/scm/plat/config",
        "https://bitbucket.example/scm/PLAT/config.git",
        "ssh://git@bitbucket.example:7999/plat/config.git",
    ] {
        assert!(push.is_of(same), "{same}");
    }
    for other in ["https://bitbucket.example/plat/config", "ssh://git@bitbucket.example/plat/config.git"] {
        assert!(!push.is_of(other), "{other}");
    }
}

#[test]
fn without_addresses_the_name_must_do() {
    let mut body: serde_json::Value = serde_json::from_str(DATA_CENTER.0).unwrap();
    body["repository"].as_object_mut().unwrap().remove("links");
    let push = push((&body.to_string(), DATA_CENTER.1));
    for same in [
        "https://bitbucket.example/scm/plat/config.git",
        "ssh://git@bitbucket.example:7999/PLAT/config",
        "git@b.example:plat/config.git",
    ] {
        assert!(push.is_of(same), "{same}");
    }
    for other in [
        "https://bitbucket.example/scm/splat/config",
        "https://bitbucket.example/scm/plat/config2",
        "https://bitbucket.example/plat/config/x",
        "file:///plat/config",
    ] {
        assert!(!push.is_of(other), "{other}");
    }
}

#[test]
fn only_what_is_followed_counts() {
    let moved = |payload, want: &RefSpec| push(payload).may_move(want);
    let branch = |name: &str| RefSpec::Branch(name.into());
    assert!(moved(GITHUB, &branch("main")) && moved(GITHUB, &branch("refs/heads/main")));
    assert!(!moved(GITHUB, &branch("mai")) && !moved(GITHUB, &branch("heads/main")));
    assert!(!moved(GITHUB, &RefSpec::Tag("main".into())));
    assert!(moved(CLOUD, &RefSpec::Tag("v1.4.2".into())) && moved(CLOUD, &branch("feat/old")));
    assert!(!moved(CLOUD, &branch("v1.4.2")) && !moved(CLOUD, &branch("old")));
    for any in [RefSpec::Default, RefSpec::Commit("1".repeat(40))] {
        assert!(moved(GITHUB, &any), "{any}");
    }
    let unknown = (r#"{"repository": "https://git.example/config"}"#, &[][..]);
    assert!(moved(unknown, &branch("main")) && moved(unknown, &RefSpec::Tag("v1".into())));
}

/// What a source was told to follow counts where the application leaves that to it.
#[test]
fn an_application_is_concerned_by_its_repository_and_its_reference() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().canonicalize().unwrap().display());
    let source = |want: Option<&str>| {
        let builder = GitSource::builder(&url).allow_local().with_mirror_dir(dir.path().join("mirrors"));
        want.into_iter().fold(builder, gitops_git::GitSourceBuilder::with_branch).build().unwrap()
    };
    let concerned = |source: GitSource, want: RefSpec, push: &Push| {
        let target = MemoryTarget::new(MemoryCluster::new());
        push.concerns(&Application::builder("shop", source, target).with_ref(want).build().unwrap())
    };
    let push_to = |url: &str, reference: &str| {
        push((&serde_json::json!({"repository": url, "ref": reference}).to_string(), &[]))
    };
    assert_eq!(source(None).identity(), url);
    let main = push_to(&url, "refs/heads/main");
    assert!(concerned(source(Some("main")), RefSpec::Default, &main));
    assert!(!concerned(source(Some("other")), RefSpec::Default, &main));
    assert!(concerned(source(Some("other")), RefSpec::Branch("main".into()), &main));
    // Which branch HEAD points to, nobody knows without asking.
    assert!(concerned(source(None), RefSpec::Default, &main));
    assert!(concerned(source(None), RefSpec::Default, &push_to(&url, "refs/heads/other")));
    assert!(!concerned(source(Some("main")), RefSpec::Default, &push_to("/elsewhere", "refs/heads/main")));
}
