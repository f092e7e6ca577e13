//! The libraries' errors name what a program can do about them. Here is what can be said on the command line instead.

use std::borrow::Cow;

/// What errors advise programmers to do, and what to advise people.
const ADVICE: &[(&str, &str)] = &[
    // Of --repo and the credentials for it.
    ("allow_http() where nobody listens", "--allow-http where nobody listens"),
    ("allow_local() for paths and file URLs", "the directory's path, without file://"),
    ("allow_loopback() if that is meant", "--allow-http if that is meant"),
    (": allow_link_local() if that is meant", ""),
    (", or allow_credentials_over_http() where nobody listens", ""),
    ("with_credentials() takes an SshKey or the SshAgent", "use --ssh-key or --ssh-agent"),
    ("use with_credentials()", "use --token-file"),
    ("with_known_hosts_file()", "use --known-hosts"),
    (": with_proxy_credentials()", ": HTTPS_PROXY may hold them"),
    ("use with_mirror_dir()", "use --mirror"),
    ("and those of with_permission()", "and, to make commits, to write them and pull requests"),
    // Limits that have no option.
    (": raise with_max_received_bytes() if the repository is that large", ""),
    (": raise with_max_unpacked_bytes() if the history is that large", ""),
    (": raise with_max_object_bytes() if that is right", ""),
    ("raise with_max_commits(), or ask for a shorter time", "ask for a shorter time"),
    // Of the YAML reader.
    (", set DuplicateKeyPolicy in Options if acceptable", ""),
    // Of commits.
    ("say with with_mainline() which", "say with --mainline N which"),
    (
        "choose another name, or allow it to be added to or replaced",
        "choose another name, or let it be replaced with --replace-branch",
    ),
];

/// An error as people can use it. What happened at the root of the repository happened nowhere in particular.
pub(crate) fn for_people(error: &str) -> String {
    let mut text = Cow::Borrowed(error.strip_prefix(": ").unwrap_or(error));
    for (theirs, ours) in ADVICE {
        if text.contains(theirs) {
            text = text.replace(theirs, ours).into();
        }
    }
    text.replace(": : ", ": ")
}

#[cfg(test)]
mod tests {
    use gitops_core::{Fault, RepoPath};
    use gitops_git::write::WriteError;
    use gitops_git::{Basic, GitError, GitSource};

    use super::*;

    #[test]
    fn options_are_named_in_place_of_methods() {
        let of_builder = |url: &str| GitSource::builder(url).build().unwrap_err().to_string();
        let clear = GitSource::builder("http://git.example/a").allow_http();
        let clear = clear.with_credentials(Basic::new("a", "b")).build().unwrap_err();
        let exists = WriteError::BranchExists { branch: "update".into() };
        for (error, advice) in [
            (of_builder("http://git.example/a"), "--allow-http"),
            (of_builder("file:///srv/a"), "the directory's path"),
            (clear.to_string(), "use https"),
            (exists.to_string(), "--replace-branch"),
            (GitError::HistoryTooLong { limit: 9 }.to_string(), "ask for a shorter time"),
        ] {
            let said = for_people(&error);
            assert!(error != said && said.contains(advice) && !said.contains("()"), "{said}");
        }
    }

    /// Whoever words an error of these crates anew has to say here what people can do.
    #[test]
    fn each_advice_is_given_by_an_error() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut sources = String::new();
        let mut dirs: Vec<_> =
            ["gitops-git", "gitops-net"].iter().map(|name| workspace.join(name).join("src")).collect();
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    dirs.push(entry.path());
                } else {
                    sources += &std::fs::read_to_string(entry.path()).unwrap();
                }
            }
        }
        for (theirs, _) in ADVICE.iter().filter(|(theirs, _)| theirs.contains("()")) {
            assert!(sources.contains(theirs), "no error says {theirs:?}");
        }
    }

    #[test]
    fn the_root_is_no_place() {
        let fault = Fault::invalid("no value is marked").at(RepoPath::root());
        assert_eq!(for_people(&fault.to_string()), "no value is marked");
        assert_eq!(for_people("a: : b"), "a: b");
    }
}
