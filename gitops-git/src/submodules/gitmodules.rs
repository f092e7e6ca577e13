//! What a repository says of its submodules: `.gitmodules` (gitmodules(5)).

use std::collections::BTreeMap;

use gitops_core::RepoPath;
use gix::bstr::ByteSlice as _;
use gix::config::File;
use gix::config::file::{Metadata, init};

use crate::GitError;

pub(super) const FILE: &str = ".gitmodules";
/// Each is another repository to ask.
const MAX_SUBMODULES: usize = 100;

/// Where the submodules are mounted, and the URL of each as it is written.
pub(super) fn read(text: &[u8]) -> Result<BTreeMap<RepoPath, String>, GitError> {
    let broken = |reason: String| GitError::Submodules { at: FILE.into(), reason };
    let file = File::from_bytes_no_includes(text, Metadata::api(), init::Options::default())
        .map_err(|error| broken(crate::error::chain(&error)))?;
    let mut mounts = BTreeMap::new();
    for section in file.sections_by_name("submodule").into_iter().flatten() {
        let field = |name| section.value(name).map(|value| value.to_str_lossy().into_owned());
        // Git, too, leaves out what has no path or no URL.
        let (Some(path), Some(url)) = (field("path"), field("url")) else { continue };
        let path = RepoPath::new(&path).map_err(|error| broken(error.to_string()))?;
        if path.is_root() {
            return Err(broken("a submodule cannot take the place of the whole repository".into()));
        }
        // No program gets to see it; Git has refused such since 2018.
        if url.starts_with('-') {
            return Err(broken(format!("the URL of {path} begins with a dash")));
        }
        mounts.insert(path, url);
    }
    if mounts.len() > MAX_SUBMODULES {
        return Err(broken(format!("more than {MAX_SUBMODULES} submodules")));
    }
    Ok(mounts)
}

/// The URL of a submodule: one that begins with `./` or `../` starts from that of the repository (git-submodule(1),
/// "add").
pub(super) fn resolve(repository: &str, url: &str) -> Result<String, GitError> {
    if !(url.starts_with("./") || url.starts_with("../")) {
        return Ok(url.to_owned());
    }
    // The part that no `..` leads out of, and the path.
    let (server, mut path) = match repository.split_once("://") {
        Some((_, rest)) => {
            let at = repository.len() - rest.len() + rest.find('/').unwrap_or(rest.len());
            repository.split_at(at)
        }
        None => match repository.split_once(':') {
            Some((host, _)) if !host.contains('/') => repository.split_at(host.len() + 1),
            _ => ("", repository),
        },
    };
    path = path.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(tail) = rest.strip_prefix("./") {
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("../") {
            let parent = match path.rfind('/') {
                Some(at) => &path[..at],
                None if path.is_empty() => {
                    let reason = format!("{url} leads out of the server");
                    return Err(GitError::Submodules { at: FILE.into(), reason });
                }
                None => "",
            };
            (path, rest) = (parent, tail);
        } else {
            break;
        }
    }
    let between = if path.is_empty() && !server.ends_with(':') || !path.is_empty() { "/" } else { "" };
    Ok(format!("{server}{path}{between}{}", rest.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> RepoPath {
        RepoPath::new(path).unwrap()
    }

    #[test]
    fn paths_and_urls_are_read() {
        let text =
            b"# of ours\n[submodule \"lib\"]\n\tpath = apps/lib\n\turl = ../lib.git\n\tbranch = main\n\
            [submodule \"no path\"]\n\turl = https://h/x\n[other]\n\tpath = y\n\turl = z\n\
            [submodule \"charts\"]\n\turl = \"https://git.example/charts\"\n\tpath = charts/\n";
        let expected = [
            (at("apps/lib"), "../lib.git".to_owned()),
            (at("charts"), "https://git.example/charts".to_owned()),
        ];
        assert_eq!(read(text).unwrap(), expected.into());
        assert!(read(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_strange_is_refused() {
        let section = |path: &str, url: &str| format!("[submodule \"x\"]\n\tpath = {path}\n\turl = {url}\n");
        for text in [
            section("../up", "https://h/x"),
            section("/etc", "https://h/x"),
            section(".git/hooks", "https://h/x"),
            section(".", "https://h/x"),
            section("x", "--upload-pack=id"),
            "[submodule".into(),
            (0..=MAX_SUBMODULES).map(|n| section(&format!("m{n}"), "https://h/x")).collect(),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(matches!(error, GitError::Submodules { .. }), "{text}: {error:?}");
        }
    }

    #[test]
    fn relative_urls_start_from_the_repository() {
        for (repository, url, expected) in [
            ("https://git.example/platform/config.git", "../lib.git", "https://git.example/platform/lib.git"),
            (
                "https://git.example/platform/config.git/",
                "./lib",
                "https://git.example/platform/config.git/lib",
            ),
            ("https://t:s@git.example:8443/a/b", "../../c/d", "https://t:s@git.example:8443/c/d"),
            ("https://git.example/a", "../b", "https://git.example/b"),
            ("ssh://git@git.example/a/b.git", "../c.git", "ssh://git@git.example/a/c.git"),
            ("git@git.example:a/b.git", "../c.git", "git@git.example:a/c.git"),
            ("git@git.example:b.git", "../c.git", "git@git.example:c.git"),
            ("/srv/git/a.git", "../b.git", "/srv/git/b.git"),
            ("file:///srv/git/a.git", "../b.git", "file:///srv/git/b.git"),
            ("https://git.example/a", "https://other.example/b", "https://other.example/b"),
            ("https://git.example/a", "git@other.example:b", "git@other.example:b"),
        ] {
            assert_eq!(resolve(repository, url).unwrap(), expected, "{repository} {url}");
        }
        for (repository, url) in [
            ("https://git.example/a", "../../b"),
            ("git@git.example:a", "../../b"),
            ("https://git.example", "../b"),
        ] {
            assert!(resolve(repository, url).is_err(), "{repository} {url}");
        }
    }
}
