//! The list of images in a kustomization.

use serde_json::Value;

use crate::edit::Op;
use crate::locate::{self, Found};
use crate::resolve;
use crate::tree::{Id, Kind};
use crate::{EditError, ImageRef, YamlFile};

/// What there is to do so that the entry with this name stands for an image.
pub(crate) fn plan(file: &YamlFile<'_>, name: &str, image: &ImageRef) -> Result<Vec<Op>, EditError> {
    let entry = match entry(file, name)? {
        Listed::Here(entry) => entry,
        Listed::NotBehind(last) => {
            return Ok(vec![Op::Append { behind: last, value: new_entry(name, image) }]);
        }
    };
    let value = |key: &str| locate::get(&file.tree, entry, key).map(|found| found.id);
    let new_name = value("newName");
    // As `kustomize edit set image` does it: what the image has not, the entry has not either. Only a name that is there stays.
    let wanted = [
        ("newName", (new_name.is_some() || image.name() != name).then(|| image.name())),
        ("newTag", image.tag()),
        ("digest", image.digest()),
    ];
    let mut ops = Vec::new();
    let mut behind = value("name").ok_or_else(|| EditError::NoImages { place: file.place(entry.id) })?;
    for (key, wanted) in wanted {
        match (value(key), wanted) {
            (Some(at), Some(text)) => {
                ops.push(Op::Set { at, value: Value::from(text), spelling: None });
                behind = at;
            }
            (Some(at), None) => ops.push(Op::Remove { at }),
            (None, Some(text)) => ops.push(Op::Insert { behind, key, value: Value::from(text) }),
            (None, None) => {}
        }
    }
    Ok(ops)
}

/// An entry as kustomize writes them, with its keys in the order of their names.
fn new_entry(name: &str, image: &ImageRef) -> Value {
    let new_name = (image.name() != name).then(|| image.name());
    let fields =
        [("digest", image.digest()), ("name", Some(name)), ("newName", new_name), ("newTag", image.tag())];
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?)))).collect()
}

/// Where an image is in the list.
enum Listed {
    Here(Found),
    /// It is not there; this is the last one.
    NotBehind(Id),
}

fn entry(file: &YamlFile<'_>, name: &str) -> Result<Listed, EditError> {
    let lists: Vec<Id> =
        file.tree.documents.iter().filter_map(|document| images(file, document.root)).collect();
    let items: Vec<Id> = lists.iter().flat_map(|list| file.tree.children(*list)).collect();
    let is_named = |item: &Id| {
        let item = Found { id: *item, is_shared: false };
        locate::text(&file.tree, file.text, item, "name").is_some_and(|have| have == name)
    };
    let mut named = items.iter().copied().filter(is_named);
    match (named.next(), named.next()) {
        (Some(entry), None) => Ok(Listed::Here(Found { id: entry, is_shared: false })),
        (Some(_), Some(second)) => {
            let name = gitops_core::one_line(name).into_owned();
            Err(EditError::ImageTwice { place: file.place(second), name })
        }
        (None, _) => {
            let last = items.last().copied().ok_or_else(|| EditError::NoImages { place: file.whole() })?;
            Ok(Listed::NotBehind(last))
        }
    }
}

/// The list of images of a document, if it is a kustomization: those may leave out what they are.
fn images(file: &YamlFile<'_>, root: Id) -> Option<Id> {
    let root = Found { id: root, is_shared: false };
    let field = |key: &str| locate::get(&file.tree, root, key);
    let text = |key: &str| field(key).and_then(|found| resolve::value(&file.tree, file.text, found.id));
    let is_kind = text("kind").is_none_or(|kind| kind == "Kustomization" || kind == "Component");
    let is_group = text("apiVersion")
        .is_none_or(|version| version.as_str().is_some_and(|v| v.starts_with("kustomize.config.k8s.io/")));
    let images = field("images")?;
    let is_list = matches!(file.tree.node(images.id).kind, Kind::Sequence { .. });
    (is_kind && is_group && is_list).then_some(images.id)
}
