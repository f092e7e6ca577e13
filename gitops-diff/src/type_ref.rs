//! What an object says of its type.

use serde_json::Value;

/// The type of an object: what its `apiVersion` and `kind` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeRef<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The kind.
    pub kind: &'a str,
}

impl<'a> TypeRef<'a> {
    /// Reads `apiVersion` and `kind`; what is missing or no text is empty.
    pub fn of(object: &'a Value) -> Self {
        let text = |field| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        Self { group, version, kind: text("kind") }
    }

    /// Whether the group is one that Kubernetes itself serves: no dot (`apps`), or below `k8s.io`.
    pub fn is_built_in(&self) -> bool {
        !self.group.contains('.') || self.group.ends_with(".k8s.io")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_read_from_objects() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        assert_eq!(TypeRef::of(&object), TypeRef { group: "apps", version: "v1", kind: "Deployment" });
        assert_eq!(
            TypeRef::of(&json!({"apiVersion": "v1", "kind": 3})),
            TypeRef { group: "", version: "v1", kind: "" }
        );
        assert!(TypeRef { group: "rbac.authorization.k8s.io", ..TypeRef::default() }.is_built_in());
        assert!(!TypeRef { group: "cert-manager.io", ..TypeRef::default() }.is_built_in());
    }
}
