//! Lists, page by page.

use gitops_core::{Class, Cx, Fault, GroupKind, ResourceId};
use serde_json::Value;

use crate::discovery::Served;
use crate::error::KubeError;
use crate::rest::{Call, Rest, escape};
use crate::view::id_of;

/// Objects with their ids, and the resourceVersion of the list.
pub(crate) type Listed = (Vec<(ResourceId, Value)>, String);

/// What to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing<'a> {
    pub(crate) served: &'a Served,
    /// A namespace; everywhere, if none is given.
    pub(crate) namespace: Option<&'a str>,
    /// A label selector; may be empty.
    pub(crate) selector: &'a str,
    /// Objects per page.
    pub(crate) page: u32,
    /// Only the metadata of the objects.
    pub(crate) names_only: bool,
    /// A list of more pages is given up.
    pub(crate) most_pages: usize,
}

/// All objects of a kind, in a namespace or everywhere, that a selector picks.
pub(crate) async fn list(
    cx: &Cx,
    rest: &Rest,
    served: &Served,
    namespace: Option<&str>,
    selector: &str,
    page: u32,
) -> Result<Listed, Fault> {
    let listing = Listing { served, namespace, selector, page, names_only: false, most_pages: usize::MAX };
    listing.read(cx, rest).await?.ok_or_else(|| Fault::new(Class::Bug, "a list without an end"))
}

impl Listing<'_> {
    /// Reads all pages; none if there are too many.
    pub(crate) async fn read(&self, cx: &Cx, rest: &Rest) -> Result<Option<Listed>, Fault> {
        let kind = GroupKind::new(&self.served.group, &self.served.kind);
        let what = match self.namespace {
            Some(namespace) => format!("the list of {kind} in {namespace}"),
            None => format!("the list of {kind}"),
        };
        let (mut items, mut next) = (Vec::new(), String::new());
        for _ in 0..self.most_pages {
            let mut call = Call::get(self.uri(&next), what.clone());
            if self.names_only {
                call.accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
            }
            let mut body = rest.send(cx, call).await?.body;
            let Some(Value::Array(found)) = body.get_mut("items").map(Value::take) else {
                return Err(misunderstood(&what, "has no items"));
            };
            for object in found {
                items.push(
                    self.item(object).ok_or_else(|| misunderstood(&what, "has an item without a name"))?,
                );
            }
            let text = |at: &str| body.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            next = text("/metadata/continue");
            if next.is_empty() {
                return Ok(Some((items, text("/metadata/resourceVersion"))));
            }
        }
        Ok(None)
    }

    fn uri(&self, next: &str) -> String {
        let mut uri = format!("{}?limit={}", self.served.collection(self.namespace), self.page);
        for (name, value) in [("labelSelector", self.selector), ("continue", next)] {
            if !value.is_empty() {
                uri = format!("{uri}&{name}={}", escape(value));
            }
        }
        uri
    }

    /// Items of a list leave out what the list says once.
    fn item(&self, mut object: Value) -> Option<(ResourceId, Value)> {
        let served = self.served;
        let fields = object.as_object_mut()?;
        fields.insert("apiVersion".into(), served.api_version().into());
        fields.insert("kind".into(), served.kind.clone().into());
        Some((id_of(&served.group, &served.kind, &object)?, object))
    }
}

fn misunderstood(what: &str, why: &str) -> Fault {
    KubeError::Answer { message: format!("{what} {why}") }.fault(Class::RETRY)
}
