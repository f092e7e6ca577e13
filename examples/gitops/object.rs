//! Objects as people name them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{Cx, EntryKind, PlainManifests, RepoPath, ResourceId, Snapshot};

/// `Deployment/shop/web`, or with its group `Deployment.apps/shop/web`; the core group is empty: `ConfigMap./shop/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectName {
    kind: String,
    /// None stands for any.
    group: Option<String>,
    namespace: Option<String>,
    name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        self.group.iter().try_for_each(|group| write!(f, ".{group}"))?;
        self.namespace.iter().try_for_each(|namespace| write!(f, "/{namespace}"))?;
        write!(f, "/{}", self.name)
    }
}

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => ("", None, ""),
        };
        if kind.is_empty() || name.is_empty() || namespace.is_some_and(str::is_empty) {
            return Err(format!("{text:?} names no object: write Deployment/shop/web, or Namespace/shop"));
        }
        let (kind, group) = kind.split_once('.').map_or((kind, None), |(kind, group)| (kind, Some(group)));
        Ok(Self {
            kind: kind.to_owned(),
            group: group.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl ObjectName {
    /// Whether it may be meant. A manifest may leave the namespace to the application.
    fn may_be(&self, id: &ResourceId) -> bool {
        id.kind == self.kind
            && id.name == self.name
            && self.group.as_ref().is_none_or(|group| *group == id.group)
            && (id.namespace.is_none() || self.namespace.is_none() || id.namespace == self.namespace)
    }

    /// The id as it is written in a revision, or as it is named if it is not there.
    pub(crate) fn find(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> anyhow::Result<ResourceId> {
        let mut found = BTreeSet::new();
        collect(cx, tree, path, &mut |id| {
            if self.may_be(id) {
                found.insert(id.clone());
            }
        })?;
        let exact = found.iter().filter(|id| id.namespace == self.namespace);
        let ids: Vec<_> =
            if exact.clone().next().is_some() { exact.collect() } else { found.iter().collect() };
        match (&ids[..], &self.group) {
            ([one], _) => Ok((*one).clone()),
            ([], Some(group)) => Ok(ResourceId {
                group: group.clone(),
                kind: self.kind.clone(),
                namespace: self.namespace.clone(),
                name: self.name.clone(),
            }),
            ([], None) => {
                let (kind, name) = (&self.kind, &self.name);
                let revision = tree.revision().short();
                bail!(
                    "no {kind} {name} in what can be read at {revision}: if it is gone, name its group, as in Deployment.apps/shop/web or ConfigMap./shop/web"
                )
            }
            (several, _) => {
                let names: Vec<String> = several.iter().map(|id| format!("{id:#}")).collect();
                bail!("several objects may be meant: {}", names.join(", "))
            }
        }
    }
}

/// Tells of each object at and below a path. Files that cannot be read are passed over.
fn collect(
    cx: &Cx,
    tree: &dyn Snapshot,
    path: &RepoPath,
    tell: &mut dyn FnMut(&ResourceId),
) -> anyhow::Result<()> {
    cx.check()?;
    let limits = DecodeLimits::default();
    let entries = match tree.list(path) {
        Ok(entries) => entries,
        Err(fault) if fault.class == gitops_core::Class::NotFound => {
            // A file, or nothing.
            if let Ok(text) = tree.read(path, limits.max_bytes) {
                decode(path, &text, &limits).into_iter().flatten().for_each(|manifest| tell(&manifest.id));
            }
            return Ok(());
        }
        Err(fault) => return Err(fault.into()),
    };
    for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
        let below = path.join(&entry.name)?;
        match entry.kind {
            EntryKind::Directory => collect(cx, tree, &below, tell)?,
            EntryKind::File if PlainManifests::is_manifest(&entry.name) => collect(cx, tree, &below, tell)?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_people_do() {
        let web: ObjectName = "Deployment/shop/web".parse().unwrap();
        assert!(web.may_be(&ResourceId::namespaced("apps", "Deployment", "shop", "web")));
        assert!(web.may_be(&ResourceId::global("apps", "Deployment", "web")));
        assert!(!web.may_be(&ResourceId::namespaced("apps", "Deployment", "blog", "web")));
        let grouped: ObjectName = "Deployment.apps/shop/web".parse().unwrap();
        assert!(!grouped.may_be(&ResourceId::namespaced("", "Deployment", "shop", "web")));
        assert!("ConfigMap./shop/web".parse::<ObjectName>().unwrap().may_be(&ResourceId::namespaced(
            "",
            "ConfigMap",
            "shop",
            "web"
        )));
        for bad in ["", "web", "a/b/c/d", "/web", "Deployment//web", "Deployment/"] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
    }
}
