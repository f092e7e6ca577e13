//! One object as the desired state spells it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, RepoPath, ResourceId};

/// Where in the source a manifest is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: RepoPath,
    /// The line, from 1; 0 when only the file is known.
    pub line: u32,
    /// The column, from 1, in characters; 0 when only the line is known.
    pub column: u32,
    /// The document in the file, from 1; 0 when it is not a matter of one document.
    pub document: u32,
}

impl Place {
    /// A file as a whole.
    pub fn file(file: RepoPath) -> Self {
        Self { file, line: 0, column: 0, document: 0 }
    }
}

impl fmt::Display for Place {
    /// `apps/web.yaml:12:3 (document 2)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        if self.document > 0 {
            write!(f, " (document {})", self.document)?;
        }
        Ok(())
    }
}

/// One object of the desired state, and where it is written.
///
/// `Debug` shows the id and the place, never the content: it may be a Secret.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The id as written. The namespace may be missing, or be one that the kind does not have: the target makes it
    /// canonical ([`crate::Target::place`]).
    pub id: ResourceId,
    /// The version in which it is written, as in `v1` of `apps/v1`.
    pub version: String,
    /// Where it is written.
    pub place: Place,
    /// Fields that were written and have been left out, because only a server sets them.
    pub stripped: Vec<String>,
    /// The whole object as JSON: a tree of it takes eight times the memory, and nobody needs all of them at once.
    text: Arc<str>,
    digest: Digest,
}

/// The most levels of lists and mappings in an object, so that nothing that walks it runs out of stack.
const MAX_DEPTH: usize = 100;

/// An object that is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is not a mapping.
    #[error("a manifest must be a mapping with apiVersion, kind and metadata.name")]
    NotAMapping,
    /// A field that every manifest has is missing, empty or not a text.
    #[error("`{field}` must be a text that is not empty")]
    Missing {
        /// The field, with dots.
        field: &'static str,
    },
    /// It asks the server for a name, so that every sync would create another object.
    #[error("`metadata.generateName` makes another object with every sync: give it a name")]
    GenerateName,
    /// Lists and mappings are nested in more than 100 levels.
    #[error("more than {MAX_DEPTH} levels of lists and mappings")]
    TooDeep,
}

impl Manifest {
    /// Reads id and version from an object.
    ///
    /// # Errors
    ///
    /// If a target could not say which object this is, or it is nested in more than 100 levels.
    pub fn new(object: &Value, place: Place) -> Result<Self, ManifestError> {
        let (id, version) = identify(object)?;
        if is_deeper(object, MAX_DEPTH) {
            return Err(ManifestError::TooDeep);
        }
        let (text, digest) = (object.to_string().into(), Digest::of_value(object));
        Ok(Self { id, version, place, stripped: Vec::new(), text, digest })
    }

    /// The whole object. The tree is made anew by each call: keep it while you work with it, and not for longer.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "it was written by us, and is not nested deeper than serde_json reads"
    )]
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.text).expect("a tree that was written is read")
    }

    /// The digest of the object.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn set_object(&mut self, object: &Value) {
        (self.text, self.digest) = (object.to_string().into(), Digest::of_value(object));
    }

    /// Names fields that have been left out.
    #[must_use]
    pub fn with_stripped(mut self, fields: Vec<String>) -> Self {
        self.stripped = fields;
        self
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.id.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.id.group, self.version)
        }
    }
}

/// The id and the version of an object, as it states them.
pub(crate) fn identify(object: &Value) -> Result<(ResourceId, String), ManifestError> {
    let Value::Object(fields) = object else { return Err(ManifestError::NotAMapping) };
    let text = |value: Option<&Value>, field| match value.and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(ManifestError::Missing { field }),
    };
    let api_version = text(fields.get("apiVersion"), "apiVersion")?;
    let kind = text(fields.get("kind"), "kind")?;
    let metadata = fields.get("metadata").and_then(Value::as_object);
    let field = |name: &str| metadata.and_then(|m| m.get(name));
    if field("generateName").is_some_and(|v| !v.is_null()) && field("name").is_none_or(Value::is_null) {
        return Err(ManifestError::GenerateName);
    }
    let name = text(field("name"), "metadata.name")?;
    let namespace = match field("namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(empty)) if empty.is_empty() => None,
        other => Some(text(other, "metadata.namespace")?),
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let id = ResourceId { group: group.to_owned(), kind, namespace, name };
    Ok((id, version.to_owned()))
}

/// Whether lists and mappings are nested in more than so many levels.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => return false,
    };
    levels == 0 || inner.any(|inner| is_deeper(inner, levels - 1))
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("id", &format_args!("{:#}", self.id))
            .field("version", &self.version)
            .field("place", &format_args!("{}", self.place))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(object: &Value) -> Result<Manifest, ManifestError> {
        Manifest::new(object, Place::file(RepoPath::new("a.yaml").unwrap()))
    }

    #[test]
    fn the_object_is_what_was_given() {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
            "numbers": [1, -1, u64::MAX, i64::MIN, 1.0, 0.1, 1e300, -0.0, 5e-324], "text": "\u{1}\"\\\n\u{2028}ü"});
        assert_eq!(read(&object).unwrap().object(), object);
        let nested = |levels: usize| (1..levels).fold(json!([]), |inner, _| json!([inner]));
        object["data"] = nested(MAX_DEPTH - 1);
        assert_eq!(read(&object).unwrap().object(), object);
        object["data"] = nested(MAX_DEPTH);
        assert_eq!(read(&object), Err(ManifestError::TooDeep));
    }

    #[test]
    fn the_id_comes_from_the_object() {
        let web = read(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"}}))
        .unwrap();
        assert_eq!(web.id, ResourceId::namespaced("apps", "Deployment", "shop", "web"));
        assert_eq!(web.api_version(), "apps/v1");
        let ns =
            read(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})).unwrap();
        assert_eq!((ns.id.group.as_str(), ns.api_version().as_str()), ("", "v1"));
    }

    #[test]
    fn what_is_no_manifest_says_why() {
        assert_eq!(read(&json!([])), Err(ManifestError::NotAMapping));
        assert_eq!(read(&json!({"kind": "A"})), Err(ManifestError::Missing { field: "apiVersion" }));
        assert_eq!(
            read(&json!({"apiVersion": 1, "kind": "A"})),
            Err(ManifestError::Missing { field: "apiVersion" })
        );
        assert_eq!(
            read(&json!({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "a-"}})),
            Err(ManifestError::GenerateName)
        );
        assert_eq!(
            read(&json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": 3}})),
            Err(ManifestError::Missing { field: "metadata.name" })
        );
    }

    #[test]
    fn debug_does_not_show_content() {
        let secret = read(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "stringData": {"password": "hunter2"}}))
        .unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(
            Place { file: RepoPath::new("a.yaml").unwrap(), line: 12, column: 3, document: 2 }.to_string(),
            "a.yaml:12:3 (document 2)"
        );
    }
}
