//! Names in a commit that lead out of it, or without end. Such trees are made by hand: Git itself writes none.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use gitops_core::{Class, Cx, Fault, Manifest, PlainManifests, Render as _, RepoPath, Snapshot};

use crate::common::{Repo, cx, fault, local, path, repo::git_with, sync, text};

/// A tree of entries as Git stores them: mode, name, id.
fn tree(repo: &Repo, entries: &[(&str, &str, &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend((0..20).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).unwrap()));
    }
    git_with(&repo.bare(), &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &content)
}

fn blob(repo: &Repo, content: &str) -> String {
    git_with(&repo.bare(), &["hash-object", "-w", "--stdin"], content.as_bytes())
}

/// Has the branch point to a tree.
async fn snapshot_of(repo: &Repo, tree: &str) -> std::sync::Arc<dyn Snapshot> {
    let commit = crate::common::git(&repo.bare(), &["commit-tree", "-m", "tree", tree]);
    crate::common::git(&repo.bare(), &["update-ref", "refs/heads/main", &commit]);
    sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap()
}

fn render(snapshot: &dyn Snapshot, at: &str, cx: &Cx) -> Result<Vec<Manifest>, Fault> {
    PlainManifests::new().render(cx, snapshot, &path(at))
}

const MANIFEST: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

#[tokio::test]
async fn names_that_lead_somewhere_else_are_refused_wherever_they_are() {
    for name in [
        "..",
        ".",
        ".git",
        ".GIT",
        ".Git ",
        ".git.",
        ".git. .",
        "git~1",
        "GIT~1",
        ".g\u{200c}it",
        "\u{feff}.git",
        ".\u{202e}git\u{2069}",
        ".git::$INDEX_ALLOCATION",
        "a\\..\\..\\b",
        "/etc",
        "../../etc",
    ] {
        let repo = Repo::new();
        let file = blob(&repo, MANIFEST);
        let inner = tree(&repo, &[("100644", "app.yaml", &file)]);
        for (mode, id) in [("100644", &file), ("40000", &inner)] {
            let root = tree(&repo, &[(mode, name, id), ("40000", "good", &inner)]);
            let snapshot = snapshot_of(&repo, &root).await;
            // U+2069 alone makes another name of it, which HFS+ does not take for Git's.
            if name.contains('\u{2069}') {
                assert!(snapshot.list(&RepoPath::root()).is_ok());
                continue;
            }
            let invalid = fault(snapshot.list(&RepoPath::root()));
            assert_eq!(invalid.class, Class::Invalid, "{name:?}: {invalid}");
            assert_eq!(fault(render(&*snapshot, "", &cx())).class, Class::Invalid, "{name:?}");
            assert!(RepoPath::new(name).is_err() || name == ".", "{name:?}");
            assert_eq!(
                render(&*snapshot, "good", &cx()).unwrap().len(),
                1,
                "what is beside it is as good as ever"
            );
        }
        // Nor does a link lead there.
        let to = blob(&repo, &format!("./{name}/app.yaml"));
        let root = tree(&repo, &[("40000", name, &inner), ("120000", "link.yaml", &to)]);
        let snapshot = snapshot_of(&repo, &root).await;
        if ![".", ".."].contains(&name) && !name.contains(['/', '\u{2069}']) {
            let read = fault(snapshot.read(&path("link.yaml"), 1 << 20));
            assert_eq!(read.class, Class::Invalid, "{name:?}: {read}");
        }
    }
}

/// An application renders what is in the repository, whoever wrote its path.
#[tokio::test]
async fn inputs_outside_of_the_repository_fail() {
    let repo = Repo::with(&[("apps/shop/app.yaml", MANIFEST), ("other/app.yaml", MANIFEST)]);
    let secret = repo.root().join("secret.yaml");
    std::fs::write(&secret, MANIFEST).unwrap();
    for (name, target) in [
        ("absolute.yaml", secret.to_str().unwrap()),
        ("above.yaml", "../../../secret.yaml"),
        ("far.yaml", "../../../../../../../../../../etc/passwd"),
        ("dots.yaml", "./.././../../../repo.git/config"),
        ("proc.yaml", "/proc/self/environ"),
        ("self.yaml", "self.yaml"),
        ("up.yaml", "../.."),
    ] {
        repo.git(&["reset", "--quiet", "--hard", "HEAD"]);
        repo.link(&format!("apps/shop/{name}"), target);
        repo.commit_all("a link");
        let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
        let invalid = fault(render(&*snapshot, "apps/shop", &cx()));
        assert_eq!(invalid.class, Class::Invalid, "{name}: {invalid}");
        repo.git(&["rm", "--quiet", &format!("apps/shop/{name}")]);
        repo.commit_all("gone");
    }
    for bad in ["../other", "/etc", "apps/../../..", "apps/shop/../..", ".git", "..", "apps\\..\\.."] {
        assert!(RepoPath::new(bad).is_err(), "{bad}");
    }
    // A link from one application to another is inside, and is read.
    repo.link("apps/shop/shared.yaml", "../../other/app.yaml");
    repo.commit_all("inside");
    let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
    assert_eq!(render(&*snapshot, "apps/shop", &cx()).unwrap().len(), 2);
    assert_eq!(text(&*snapshot, "apps/shop/shared.yaml"), MANIFEST);
}

/// A few trees that hold each other ten times, ten levels deep: ten thousand million paths.
#[tokio::test]
async fn small_commits_with_paths_without_number_fail_soon() {
    let repo = Repo::new();
    let link = blob(&repo, "../../../../../../../../../../../nowhere");
    let file = blob(&repo, MANIFEST);
    for leaf in [("120000", "link", link.as_str()), ("100644", "app.yaml", file.as_str())] {
        let mut level = tree(&repo, &[leaf]);
        for _ in 0..10 {
            let names: Vec<_> = (0..10).map(|n| n.to_string()).collect();
            let entries: Vec<_> = names.iter().map(|name| ("40000", name.as_str(), level.as_str())).collect();
            level = tree(&repo, &entries);
        }
        let snapshot = snapshot_of(&repo, &level).await;
        let start = Instant::now();
        let id = snapshot.id(&RepoPath::root());
        if leaf.0 == "120000" {
            assert_eq!(fault(id).class, Class::Invalid);
        }
        let invalid = fault(render(&*snapshot, "", &cx()));
        assert_eq!(invalid.class, Class::Invalid, "{invalid}");
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        assert!(peak_kilobytes() < 700_000, "{} kB", peak_kilobytes());
    }
}

/// Directories that each link to the next one: five thousand by one link, and forty by two.
#[tokio::test]
async fn links_that_lead_on_and_on_fail_soon() {
    for (count, links) in [(5_000, 1), (40, 2)] {
        let repo = Repo::new();
        // Made by fast-import, since thousands of trees by hand take long.
        let mut stream = String::from("commit refs/heads/main\ncommitter A <a@b> 0 +0000\ndata 1\nx\n");
        for n in 1..count {
            for link in 0..links {
                let to = format!("../d{n:05}");
                writeln!(stream, "M 120000 inline d{:05}/{link}\ndata {}\n{to}", n - 1, to.len()).unwrap();
            }
        }
        let last = count - 1;
        writeln!(stream, "M 100644 inline d{last:05}/app.yaml\ndata {}\n{MANIFEST}", MANIFEST.len()).unwrap();
        git_with(&repo.bare(), &["fast-import", "--quiet", "--force"], stream.as_bytes());
        let snapshot = sync(&local(&repo.bare(), &repo.mirrors()).build().unwrap()).await.unwrap();
        let start = Instant::now();
        let invalid = fault(snapshot.id(&path("d00000")));
        assert_eq!(invalid.class, Class::Invalid, "{invalid}");
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
}

/// The most memory that this process has had, as Linux counts it.
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
