//! Repositories in repositories.

use gitops_git::GitSourceBuilder;

use super::{Repo, Server, git, http};

/// Has `above` mount a repository, by a URL, at the commit that is its head now.
pub fn mount(above: &Repo, below: &Repo, at: &str, url: &str) -> String {
    let section = format!("[submodule \"{at}\"]\n\tpath = {at}\n\turl = {url}\n");
    let file = above.work().join(".gitmodules");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    if !before.contains(&section) {
        std::fs::write(&file, before + &section).unwrap();
    }
    above.git(&["add", ".gitmodules"]);
    above.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},{at}", below.head())]);
    above.git(&["commit", "--quiet", "-m", "mount"]);
    above.push();
    above.head()
}

/// Puts a repository beside another one, where its server finds it.
pub fn beside(place: &Repo, name: &str, repo: &Repo) {
    let into = place.root().join(name);
    if into.exists() {
        git(&into, &["fetch", "--quiet", repo.bare().to_str().unwrap(), "+refs/heads/*:refs/heads/*"]);
    } else {
        git(place.root(), &["clone", "--quiet", "--bare", repo.bare().to_str().unwrap(), name]);
    }
}

pub fn follow(server: &Server, repo: &Repo) -> GitSourceBuilder {
    http(&server.url(), &repo.mirrors()).with_branch("main").with_submodules()
}
