//! A source of which only the name is known: what removing an application needs, when its repository may be gone.

use std::sync::Arc;

use gitops_core::{Class, Cx, Fault, RefSpec, Revision, Snapshot, Source, async_trait};

/// The source that an application's record names.
#[derive(Debug)]
pub(crate) struct RecordedSource(pub(crate) String);

fn unreadable() -> Fault {
    Fault::new(Class::Unsupported, "the source is known by its name only")
}

#[async_trait]
impl Source for RecordedSource {
    fn identity(&self) -> String {
        self.0.clone()
    }

    async fn resolve(&self, _cx: &Cx, _want: &RefSpec) -> Result<Revision, Fault> {
        Err(unreadable())
    }

    async fn fetch(&self, _cx: &Cx, _revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        Err(unreadable())
    }
}
