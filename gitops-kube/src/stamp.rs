//! Which object a text is, and which state of it, without reading all of it.

use std::borrow::Cow;

use gitops_core::{ResourceId, Token};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What identifies an object and its state. The rest of the object is skipped, and no tree is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp<'a> {
    pub(crate) id: ResourceId,
    pub(crate) uid: Cow<'a, str>,
    pub(crate) version: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    namespace: Option<String>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
}

/// The resourceVersion of a bookmark, which has no name.
pub(crate) fn version(text: &RawValue) -> Option<String> {
    let Object { metadata } = serde_json::from_str(text.get()).ok()?;
    Some(metadata.resource_version.into_owned()).filter(|version| !version.is_empty())
}

impl<'a> Stamp<'a> {
    /// None of what has no name, or is no object.
    pub(crate) fn read(text: &'a RawValue, group: &str, kind: &str) -> Option<Self> {
        let Object { metadata } = serde_json::from_str(text.get()).ok()?;
        let Metadata { name, namespace, uid, resource_version: version } = metadata;
        let id = ResourceId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.filter(|namespace| !namespace.is_empty()),
            name: (!name.is_empty()).then(|| name.into_owned())?,
        };
        Some(Self { id, uid, version })
    }

    pub(crate) fn token(&self) -> Token {
        Token { incarnation: self.uid.as_ref().into(), version: self.version.as_ref().into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::{View, id_of};

    #[test]
    fn it_says_what_the_object_says() {
        for object in [
            json!({"metadata": {"name": "a", "namespace": "n", "uid": "u-1", "resourceVersion": "7"}, "data": {"metadata": 1}}),
            json!({"metadata": {"name": "esc\"aped", "uid": "u"}}),
            json!({"metadata": {"name": "a", "namespace": "", "labels": {"uid": "other"}}}),
            json!({"metadata": {"name": ""}}),
            json!({"metadata": {}}),
            json!({"kind": "ConfigMap"}),
        ] {
            let text = RawValue::from_string(object.to_string()).unwrap();
            let stamp = Stamp::read(&text, "", "ConfigMap");
            let id = id_of("", "ConfigMap", &object);
            assert_eq!(stamp.as_ref().map(|stamp| &stamp.id), id.as_ref(), "{object}");
            if let Some(stamp) = stamp {
                assert_eq!(stamp.token(), View::token(&object), "{object}");
            }
        }
    }
}
