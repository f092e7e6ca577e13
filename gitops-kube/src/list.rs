//! Lists, page by page.

use std::borrow::Cow;

use gitops_core::{Class, Cx, Fault, GroupKind, ResourceId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::discovery::Served;
use crate::error::{Effect, KubeError};
use crate::rest::{Call, Rest, escape, read};
use crate::stamp::Stamp;
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
    let listing = Listing { namespace, ..Listing::members(served, selector, page) };
    listing.read(cx, rest).await?.ok_or_else(|| Fault::new(Class::Bug, "a list without an end"))
}

impl<'a> Listing<'a> {
    /// All objects of a kind that a selector picks, wherever they are.
    pub(crate) fn members(served: &'a Served, selector: &'a str, page: u32) -> Self {
        Self { served, namespace: None, selector, page, names_only: false, most_pages: usize::MAX }
    }

    /// Reads all pages; none if there are too many.
    pub(crate) async fn read(&self, cx: &Cx, rest: &Rest) -> Result<Option<Listed>, Fault> {
        let mut items = Vec::new();
        let keep = |item: Item<'_>| {
            items.push(item.object()?);
            Ok(())
        };
        let version = self.each(cx, rest, keep).await?;
        Ok(version.map(|version| (items, version)))
    }

    /// Reads page by page, and shows each item: one page is in memory at a time, as text. Answers with the list's
    /// resourceVersion; with none if there are too many pages.
    pub(crate) async fn each(
        &self,
        cx: &Cx,
        rest: &Rest,
        mut see: impl FnMut(Item<'_>) -> Result<(), Fault>,
    ) -> Result<Option<String>, Fault> {
        let what = self.what();
        let mut next = String::new();
        for _ in 0..self.most_pages {
            let mut call = Call::get(self.uri(&next), what.clone());
            if self.names_only {
                call.accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
            }
            let body = rest.send_unread(cx, call).await?.body;
            let page: Page<'_> = read(&body, Effect::Read).map_err(|fault| fault.at(&what))?;
            let Some(items) = page.items else { return Err(misunderstood(&what, "has no items")) };
            for text in items {
                see(Item { text, of: self })?;
            }
            next = page.metadata.next.into_owned();
            if next.is_empty() {
                return Ok(Some(page.metadata.resource_version.into_owned()));
            }
        }
        Ok(None)
    }

    fn what(&self) -> String {
        let kind = GroupKind::new(&self.served.group, &self.served.kind);
        match self.namespace {
            Some(namespace) => format!("the list of {kind} in {namespace}"),
            None => format!("the list of {kind}"),
        }
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
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    metadata: PageMeta<'a>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PageMeta<'a> {
    #[serde(borrow, rename = "continue")]
    next: Cow<'a, str>,
    #[serde(borrow, rename = "resourceVersion")]
    resource_version: Cow<'a, str>,
}

/// An item of a list, as it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    text: &'a RawValue,
    of: &'a Listing<'a>,
}

impl Item<'_> {
    /// Which object it is, and which state of it.
    pub(crate) fn stamp(&self) -> Result<Stamp<'_>, Fault> {
        Stamp::read(self.text, &self.of.served.group, &self.of.served.kind).ok_or_else(|| self.nameless())
    }

    /// The whole object.
    pub(crate) fn object(&self) -> Result<(ResourceId, Value), Fault> {
        let served = self.of.served;
        let mut object: Value =
            read(self.text.get().as_bytes(), Effect::Read).map_err(|fault| fault.at(self.of.what()))?;
        // Items of a list leave out what the list says once.
        if let Some(fields) = object.as_object_mut() {
            fields.insert("apiVersion".into(), served.api_version().into());
            fields.insert("kind".into(), served.kind.clone().into());
        }
        let id = id_of(&served.group, &served.kind, &object).ok_or_else(|| self.nameless())?;
        Ok((id, object))
    }

    fn nameless(&self) -> Fault {
        misunderstood(&self.of.what(), "has an item without a name")
    }
}

fn misunderstood(what: &str, why: &str) -> Fault {
    KubeError::Answer { message: format!("{what} {why}") }.fault(Class::RETRY)
}
