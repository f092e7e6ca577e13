//! Fields that an application leaves to others although Git states them.

use gitops_diff::Subject;
pub use gitops_diff::{IgnoreRule, IgnoreRules};

use crate::ResourceId;

impl ResourceId {
    /// The object as ignore rules see it.
    pub fn subject(&self) -> Subject<'_> {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        Subject::new(&self.group, &self.kind).in_namespace(namespace).named(&self.name)
    }
}
