//! A source in memory for the suite.

use std::sync::Arc;

use gitops_core::testing::NotApplicable;
use gitops_core::testing::source::{Able, SourceHarness, Trouble};
use gitops_core::{Class, Fault, MemorySource, RefSpec, Source, async_trait};

#[derive(Debug, Clone)]
pub(crate) struct Memory(pub(crate) MemorySource);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(MemorySource::new("suite"))
    }
}

#[async_trait]
impl SourceHarness for Memory {
    async fn open(&self) -> Arc<dyn Source> {
        Arc::new(self.0.clone())
    }

    async fn elsewhere(&self) -> Arc<dyn Source> {
        Arc::new(MemorySource::new("elsewhere"))
    }

    async fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        self.0.commit("Ada", message, files.iter().copied()).unwrap().id
    }

    fn missing(&self) -> RefSpec {
        RefSpec::Branch("missing".into())
    }

    fn no_revision(&self) -> String {
        "0".repeat(40)
    }

    async fn trouble(&self, trouble: Trouble) -> Able {
        match trouble {
            Trouble::Denied => self.0.fail_with(Some(Fault::new(Class::Denied, "who are you?"))),
            other => return Err(NotApplicable::because(format!("a source in memory knows no {other:?}"))),
        }
        Ok(())
    }

    async fn calm(&self) {
        self.0.fail_with(None);
    }

    fn author(&self) -> Able<String> {
        Ok("Ada".to_owned())
    }

    async fn reset(&self, revision: &str) -> Able {
        self.0.reset(Some(revision));
        Ok(())
    }
}
