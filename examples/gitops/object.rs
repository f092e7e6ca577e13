//! Objects as people name them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{Class, Cx, EntryKind, PlainManifests, RepoPath, ResourceId, Snapshot};

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

    /// Looks for it at and below a path of a revision.
    pub(crate) fn look(self, cx: &Cx, tree: &dyn Snapshot, path: RepoPath) -> anyhow::Result<Looked> {
        let (mut found, mut unread) = (BTreeSet::new(), Vec::new());
        collect(cx, tree, &path, &mut |read| match read {
            Ok(id) if self.may_be(&id) => drop(found.insert(id)),
            Ok(_) => {}
            Err(why) => unread.push(why),
        })?;
        Ok(Looked { name: self, path, revision: tree.revision().short().to_owned(), found, unread })
    }
}

/// So many files that cannot be read are named.
const FEW: usize = 5;

/// What was found where an object was looked for.
pub(crate) struct Looked {
    name: ObjectName,
    path: RepoPath,
    revision: String,
    /// What may be meant.
    found: BTreeSet<ResourceId>,
    /// Why files could not be read.
    unread: Vec<String>,
}

impl Looked {
    /// The id as it is written, or as it is named if it is not there: it may have been there before.
    pub(crate) fn at_any_time(self) -> anyhow::Result<ResourceId> {
        match (self.only()?, &self.name.group) {
            (Some(id), _) => Ok(id),
            (None, Some(group)) => Ok(ResourceId {
                group: group.clone(),
                kind: self.name.kind.clone(),
                namespace: self.name.namespace.clone(),
                name: self.name.name.clone(),
            }),
            (None, None) => {
                let (kind, name, revision) = (&self.name.kind, &self.name.name, &self.revision);
                bail!(
                    "no {kind} {name} in what can be read at {revision}: if it is gone, name its group, as in Deployment.apps/shop/web or ConfigMap./shop/web"
                )
            }
        }
    }

    /// The id as it is written.
    pub(crate) fn now(self) -> anyhow::Result<ResourceId> {
        if let Some(id) = self.only()? {
            return Ok(id);
        }
        let (name, revision) = (&self.name, &self.revision);
        let path = if self.path.is_root() { String::new() } else { format!(" below {}", self.path) };
        let few: Vec<&str> = self.unread.iter().take(FEW).map(String::as_str).collect();
        let unread = if few.is_empty() {
            String::new()
        } else {
            let more = self.unread.len() - few.len();
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            format!("; what cannot be read may have it: {}{more}", few.join("; "))
        };
        bail!("no {name}{path} at {revision}{unread}")
    }

    fn only(&self) -> anyhow::Result<Option<ResourceId>> {
        let exact = self.found.iter().filter(|id| id.namespace == self.name.namespace);
        let ids: Vec<_> =
            if exact.clone().next().is_some() { exact.collect() } else { self.found.iter().collect() };
        match &ids[..] {
            [] => Ok(None),
            [one] => Ok(Some((*one).clone())),
            several => {
                let names: Vec<String> = several.iter().map(|id| format!("{id:#}")).collect();
                bail!("several objects may be meant: {}", names.join(", "))
            }
        }
    }
}

/// Tells of each object at and below a path, and of each file that cannot be read.
fn collect(
    cx: &Cx,
    tree: &dyn Snapshot,
    path: &RepoPath,
    tell: &mut dyn FnMut(Result<ResourceId, String>),
) -> anyhow::Result<()> {
    cx.check()?;
    let entries = match tree.list(path) {
        Ok(entries) => entries,
        // A file, or nothing.
        Err(fault) if fault.class == Class::NotFound => {
            read(tree, path, tell);
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

fn read(tree: &dyn Snapshot, path: &RepoPath, tell: &mut dyn FnMut(Result<ResourceId, String>)) {
    let limits = DecodeLimits::default();
    match tree.read(path, limits.max_bytes).map(|text| decode(path, &text, &limits)) {
        Ok(Ok(manifests)) => manifests.into_iter().for_each(|manifest| tell(Ok(manifest.id))),
        Ok(Err(errors)) => errors.errors().iter().take(1).for_each(|error| tell(Err(error.to_string()))),
        Err(fault) if fault.class == Class::NotFound => {}
        Err(fault) => tell(Err(fault.to_string())),
    }
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
