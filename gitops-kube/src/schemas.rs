//! The types of custom kinds, as the API server publishes them under `/openapi/v3`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use gitops_core::{Cx, Fault, Manifest};
use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema, Type, TypeGraph};
use serde_json::Value;
use tokio::time::Instant;

use crate::rest::{Call, Rest};

/// How old what is known may be before it is asked again: somebody else may change a CustomResourceDefinition.
const FRESH: Duration = Duration::from_secs(600);
const INDEX: &str = "/openapi/v3";

/// The types of Kubernetes' own kinds, and those of the custom kinds that were met.
///
/// Whatever cannot be read stays unknown: then its lists are compared as one value, as they are for any unknown kind.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// By API version, such as `example.com/v1`.
    documents: BTreeMap<String, Arc<Document>>,
    asked: Option<Instant>,
}

#[derive(Debug, Default)]
struct Document {
    /// Where it was read; it changes with what it says. Empty if there is none.
    url: String,
    types: TypeGraph,
}

impl Schema for Published {
    fn type_of(&self, kind: &TypeRef<'_>) -> Option<Type<'_>> {
        BuiltIn
            .type_of(kind)
            .or_else(|| self.documents.get(&format!("{}/{}", kind.group, kind.version))?.types.type_of(kind))
    }
}

impl Published {
    fn has_all(&self, wanted: &BTreeSet<String>) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() < FRESH)
            && wanted.iter().all(|version| self.documents.contains_key(version))
    }
}

/// What was published, asked for when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    known: RwLock<Arc<Published>>,
    /// Only one asks at a time; the others wait for its answer.
    asking: tokio::sync::Mutex<()>,
}

impl Schemas {
    /// What is known by now.
    pub(crate) fn known(&self) -> Arc<Published> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what is known: a CustomResourceDefinition has just been changed.
    pub(crate) fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// Asks for the types of the custom kinds in a set, unless they are known. One small request for all of them, and one
    /// for each API version that is new or has changed.
    pub(crate) async fn learn(&self, cx: &Cx, rest: &Rest, set: &[Manifest]) {
        let wanted: BTreeSet<String> = set.iter().filter_map(custom_version).collect();
        if wanted.is_empty() || self.known().has_all(&wanted) {
            return;
        }
        let Ok(_one) = cx.bound("schemas", self.asking.lock()).await else { return };
        let known = self.known();
        if known.has_all(&wanted) {
            return;
        }
        match read(cx, rest, &known, wanted).await {
            Ok(read) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read),
            Err(fault) => tracing::debug!(%fault, "the types of custom kinds could not be read"),
        }
    }
}

/// The API version of a manifest of a kind that is not Kubernetes' own.
fn custom_version(manifest: &Manifest) -> Option<String> {
    let (group, kind) = (manifest.id.group.as_str(), manifest.id.kind.as_str());
    let kind = TypeRef { group, version: &manifest.version, kind };
    let is_custom = !group.is_empty() && BuiltIn.type_of(&kind).is_none();
    is_custom.then(|| manifest.api_version())
}

async fn read(
    cx: &Cx,
    rest: &Rest,
    known: &Published,
    mut wanted: BTreeSet<String>,
) -> Result<Published, Fault> {
    let asked = Instant::now();
    let index = rest.send(cx, Call::get(INDEX.to_owned(), "the index of schemas")).await?.body;
    wanted.extend(known.documents.keys().cloned());
    let mut documents = BTreeMap::new();
    for version in wanted {
        let at = index.get("paths").and_then(|paths| paths.get(format!("apis/{version}")));
        let url = at.and_then(|at| at.get("serverRelativeURL")).and_then(Value::as_str).unwrap_or_default();
        let document = match known.documents.get(&version) {
            Some(same) if same.url == url => same.clone(),
            // Nowhere else than where the index itself is.
            _ if !url.starts_with("/openapi/v3/") => Arc::default(),
            _ => {
                let body = rest.send(cx, Call::get(url.to_owned(), "a schema")).await?.body;
                let types = TypeGraph::from_openapi([&body]).unwrap_or_else(|error| {
                    tracing::debug!(%version, %error, "a published schema is not understood");
                    TypeGraph::default()
                });
                Arc::new(Document { url: url.to_owned(), types })
            }
        };
        documents.insert(version, document);
    }
    Ok(Published { documents, asked: Some(asked) })
}
