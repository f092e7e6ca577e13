//! Names of branches for pull requests.

use std::fmt::Write as _;

use gitops_core::{Digest, RepoPath};

/// The most bytes of the part for people: a part of a reference's name has 255 at most on a server's disk.
const MAX_WORDS: usize = 120;
/// So much of the digest that nobody meets two changes with the same by chance.
const DIGEST_BYTES: usize = 5;

/// A name that people understand, and that no other change has: of another branch, of another path, or of something else there.
/// The same change again has the same name, also with another value.
pub(crate) fn branch_of(words: &str, base: &str, path: &RepoPath, change: &[&str]) -> String {
    let mut name = format!("gitops/{}-", as_branch(words));
    let parts = [base, path.as_str()].into_iter().chain(change.iter().copied());
    let digest = Digest::of_parts(parts.map(str::as_bytes));
    for byte in &digest.as_bytes()[..DIGEST_BYTES] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// What Git and its hosts take for a branch's name: letters, digits, and what stands between them.
fn as_branch(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '/' { c } else { '-' };
        if name.len() < MAX_WORDS && !(matches!(c, '-' | '/') && name.ends_with(['-', '/'])) {
            name.push(c);
        }
    }
    name.trim_matches(['-', '/']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_change_has_another_branch() {
        let path = |text: &str| RepoPath::new(text).unwrap();
        let name =
            |words: &str, base: &str, at: &str, change: &[&str]| branch_of(words, base, &path(at), change);
        let one = name("set-image/a-b-c", "main", "apps/shop", &["set image", "a-b:c"]);
        assert!(one.starts_with("gitops/set-image/a-b-c-") && one.len() == 33, "{one}");
        assert_eq!(one, name("set-image/a-b-c", "main", "apps/shop/", &["set image", "a-b:c"]));
        for other in [
            name("set-image/a-b-c", "main", "apps/shop", &["set image", "a:b-c"]),
            name("set-image/a-b-c", "main", "apps/blog", &["set image", "a-b:c"]),
            name("set-image/a-b-c", "live", "apps/shop", &["set image", "a-b:c"]),
            name("set-image/a-b-c", "main/apps", "shop", &["set image", "a-b:c"]),
            name("set-image/a-b-c", "main", "apps/shop", &["set imagea-b", ":c"]),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    fn a_name_is_one_that_git_takes() {
        assert_eq!(
            as_branch("Deployment.apps/shop/web.spec.x[name=\"a\"]"),
            "Deployment-apps/shop/web-spec-x-name-a"
        );
        assert_eq!(as_branch("/..//ü.lock"), "lock");
        assert_eq!(as_branch(&"x".repeat(300)).len(), MAX_WORDS);
    }
}
