//! What things are called: applications, kinds and objects.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::one_line;

/// The name of an application: a DNS label of RFC 1123 (lower-case letters, digits and `-`, at most 63 characters).
///
/// It ends up in label values, field managers and object names, so it is restricted to what all of these allow.
///
/// ```
/// use gitops_core::AppId;
/// let id: AppId = "shop".parse()?;
/// assert_eq!(id.as_str(), "shop");
/// assert!("Shop!".parse::<AppId>().is_err());
/// # Ok::<(), gitops_core::InvalidAppId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(Arc<str>);

/// A text that cannot name an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} cannot name an application: use 1 to 63 lower-case letters, digits and '-', beginning and ending \
     with a letter or digit"
)]
pub struct InvalidAppId {
    name: String,
}

impl AppId {
    /// Checks a name; the error says what is allowed.
    pub fn new(name: &str) -> Result<Self, InvalidAppId> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let edge = |c: Option<&u8>| c.is_some_and(|c| *c != b'-');
        let bytes = name.as_bytes();
        if bytes.len() > 63 || !bytes.iter().all(|c| inner(*c)) || !edge(bytes.first()) || !edge(bytes.last())
        {
            return Err(InvalidAppId { name: name.chars().take(80).collect() });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = InvalidAppId;
    fn from_str(name: &str) -> Result<Self, InvalidAppId> {
        Self::new(name)
    }
}

impl TryFrom<String> for AppId {
    type Error = InvalidAppId;
    fn try_from(name: String) -> Result<Self, InvalidAppId> {
        Self::new(&name)
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A kind within its API group; the version is not identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind, as in `Deployment`.
    pub kind: String,
}

impl GroupKind {
    /// Puts a group and a kind together.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }
}

impl fmt::Display for GroupKind {
    /// `Deployment.apps`, or `Service` in the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.kind))?;
        if !self.group.is_empty() {
            write!(f, ".{}", one_line(&self.group))?;
        }
        Ok(())
    }
}

/// One object: group, kind, namespace and name. The version is not identity, because one object can be read and
/// written at several.
///
/// An id is *canonical* when the target has said whether the kind has namespaces ([`crate::Placed::id`]); only
/// canonical ids are compared with each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind, as in `Deployment`.
    pub kind: String,
    /// The namespace; none for an object of the whole target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ResourceId {
    /// An object that lives in a namespace.
    pub fn namespaced(
        group: impl Into<String>,
        kind: impl Into<String>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: Some(namespace.into()), name: name.into() }
    }

    /// An object of the whole target, such as a Namespace.
    pub fn global(group: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: None, name: name.into() }
    }

    /// The kind without the object.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.group, &self.kind)
    }
}

impl fmt::Display for ResourceId {
    /// `Deployment/shop/web`, or `Namespace/shop`; `{:#}` adds the group: `Deployment.apps/shop/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that somebody wrote into a file may hold anything.
        f.write_str(&one_line(&self.kind))?;
        if f.alternate() && !self.group.is_empty() {
            write!(f, ".{}", one_line(&self.group))?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, "/{}", one_line(namespace))?;
        }
        write!(f, "/{}", one_line(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_applications_are_dns_labels() {
        for good in ["a", "shop", "shop-2", &"a".repeat(63)] {
            assert!(AppId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "a\n", &"a".repeat(64)] {
            assert!(AppId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_read_as_people_write_them() {
        let web = ResourceId::namespaced("apps", "Deployment", "shop", "web");
        assert_eq!(web.to_string(), "Deployment/shop/web");
        assert_eq!(format!("{web:#}"), "Deployment.apps/shop/web");
        assert_eq!(ResourceId::global("", "Namespace", "shop").to_string(), "Namespace/shop");
        assert_eq!(web.group_kind().to_string(), "Deployment.apps");
        let evil = ResourceId::namespaced("\u{1b}[1m", "A\nB", "\u{202e}x", "y\u{7}");
        assert_eq!(format!("{evil:#}"), "A B.\\u{1b}[1m/\\u{202e}x/y\\u{7}");
    }
}
