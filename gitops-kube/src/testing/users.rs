//! Who may talk to the API server, by token.

use std::fmt::{self, Debug, Write as _};

use super::ControlPlaneError;

/// The administrator's name.
pub(super) const ADMIN: &str = "admin";

/// A user of the API server's token file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) groups: Vec<String>,
}

impl Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// The administrator, with a token that nobody can guess, and the users given.
pub(super) fn with_admin(users: &[User]) -> Result<Vec<User>, ControlPlaneError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(ControlPlaneError::Random)?;
    let token = bytes.iter().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    });
    let mut all = vec![User { name: ADMIN.to_owned(), token, groups: vec!["system:masters".to_owned()] }];
    for user in users {
        user.check()?;
        if all.iter().any(|other| other.name == user.name || other.token == user.token) {
            return Err(ControlPlaneError::DuplicateUser { user: user.name.clone() });
        }
        all.push(user.clone());
    }
    Ok(all)
}

impl User {
    /// The API server reads CSV: what would change its meaning is refused.
    fn check(&self) -> Result<(), ControlPlaneError> {
        let is_wrong = |text: &str| {
            text.is_empty()
                || text.chars().any(|c| c == '"' || c == ',' || c == '\'' || c == '\\' || c.is_control())
        };
        let field = match () {
            () if is_wrong(&self.name) => "name",
            () if is_wrong(&self.token) => "token",
            () if self.groups.iter().any(|group| is_wrong(group)) => "list of groups",
            () => return Ok(()),
        };
        Err(ControlPlaneError::InvalidUser { user: self.name.clone(), field })
    }
}

/// The token file of the API server: token, name, unique id, groups.
pub(super) fn token_file(users: &[User]) -> String {
    users.iter().fold(String::new(), |mut file, user| {
        let _ = writeln!(file, r#"{},{},{},"{}""#, user.token, user.name, user.name, user.groups.join(","));
        file
    })
}

/// A kubeconfig, in JSON, which is YAML too.
pub(super) fn kubeconfig(user: &User, url: &str, ca: &std::path::Path) -> String {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": { "server": url, "certificate-authority": ca } }],
        "users": [{ "name": user.name, "user": { "token": user.token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": user.name, "namespace": "default" } }],
        "current-context": "test",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, token: &str, groups: &[&str]) -> User {
        User {
            name: name.to_owned(),
            token: token.to_owned(),
            groups: groups.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    #[test]
    fn the_administrator_comes_first_with_a_new_token() {
        let (first, second) = (with_admin(&[]).unwrap(), with_admin(&[]).unwrap());
        assert_eq!(first[0].name, ADMIN);
        assert_ne!(first[0].token, second[0].token);
        assert_eq!(first[0].token.len(), 32);
    }

    #[test]
    fn a_user_that_would_change_the_file_is_refused() {
        for wrong in [
            user("", "token", &[]),
            user("ada", "a,b", &[]),
            user("ada", "secret\"", &[]),
            user("ada", "token", &["system:masters\nx"]),
        ] {
            let error = with_admin(&[wrong]).unwrap_err();
            assert!(matches!(error, ControlPlaneError::InvalidUser { .. }), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let (ada, bob) = (user("ada", "1", &[]), user("bob", "1", &[]));
        assert!(with_admin(&[ada.clone(), bob]).is_err());
        assert!(with_admin(&[ada.clone(), user("ada", "2", &[])]).is_err());
        assert!(with_admin(&[user(ADMIN, "2", &[])]).is_err());
        assert_eq!(with_admin(&[ada, user("bob", "2", &[])]).unwrap().len(), 3);
    }

    #[test]
    fn a_token_is_in_the_file_and_not_in_debug() {
        let ada = user("ada", "s3cret", &["a", "b"]);
        assert_eq!(token_file(std::slice::from_ref(&ada)), "s3cret,ada,ada,\"a,b\"\n");
        assert!(!format!("{ada:?}").contains("s3cret"));
    }
}
