//! Random histories: what people do to a repository.

use std::collections::BTreeSet;

use gitops_core::ResourceId;
use serde_json::Value;

use crate::chance::Chance;
use crate::objects::{self, Kind, PLANTED, USUAL};
use crate::repo::{Content, Files, Repo, Tree};
use crate::shared::Shared;

/// What a commit does to one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create,
    Alter,
    Remove,
    Rename,
    MoveNamespace,
    MoveGroup,
    NewKind,
    DropKind,
    Break,
    Mend,
    Duplicate,
    Unknown,
    Empty,
    EmptyWithNote,
    RemoveMany,
    RemoveNamespace,
}

const CHANGES: [Change; 26] = [
    Change::Create,
    Change::Create,
    Change::Create,
    Change::Create,
    Change::Alter,
    Change::Alter,
    Change::Alter,
    Change::Alter,
    Change::Alter,
    Change::Remove,
    Change::Remove,
    Change::Remove,
    Change::Rename,
    Change::MoveNamespace,
    Change::MoveGroup,
    Change::NewKind,
    Change::DropKind,
    Change::Break,
    Change::Mend,
    Change::Mend,
    Change::Duplicate,
    Change::Unknown,
    Change::Empty,
    Change::EmptyWithNote,
    Change::RemoveMany,
    Change::RemoveNamespace,
];

/// The names that applications use.
const NAMES: usize = 14;

/// Where objects of an application may be: its own two namespaces, and one that all share.
pub(crate) fn place(chance: &Chance, app: &str) -> (String, String) {
    let n = chance.below(NAMES);
    match chance.below(5) {
        0 => ("shared".to_owned(), format!("{app}-c{n}")),
        1 => (format!("{app}-b"), format!("c{n}")),
        _ => (app.to_owned(), format!("c{n}")),
    }
}

/// What an application begins with.
pub(crate) fn first(chance: &Chance, app: &str, count: usize) -> Files {
    let spaces = vec![objects::namespace(app), objects::namespace(&format!("{app}-b"))];
    let mut files: Files = [("ns.yaml".to_owned(), Content::Objects(spaces))].into();
    for _ in 0..count {
        create(chance, app, &mut files);
    }
    files
}

/// Somebody works on a repository.
pub(crate) fn work(shared: &Shared, chance: &Chance, repo: &Repo, apps: &[String]) {
    let order = repo.order();
    match chance.below(20) {
        0 if order.len() > 1 => {
            let back = order[order.len().saturating_sub(2 + chance.below(6)).min(order.len() - 2)].clone();
            repo.revert_to(&back);
            note(shared, "revert", &back);
        }
        1 if order.len() > 2 => {
            let back = order[order.len().saturating_sub(2 + chance.below(4)).min(order.len() - 2)].clone();
            repo.reset(Some(&back));
            note(shared, "reset", &back);
            if chance.percent(60) {
                change(shared, chance, repo, apps, "force-push");
            }
        }
        2 if chance.percent(30) => {
            repo.reset(None);
            note(shared, "branch deleted", "");
        }
        3 => {
            let id = repo.commit("nothing", repo.tree());
            note(shared, "nothing", &id);
        }
        _ => change(shared, chance, repo, apps, "commit"),
    }
    if chance.percent(70) {
        repo.hint();
    }
    shared.stir();
}

fn change(shared: &Shared, chance: &Chance, repo: &Repo, apps: &[String], how: &str) {
    let mut tree: Tree = repo.tree();
    let Some(app) = chance.any(apps) else { return };
    let files = tree.entry(app.clone()).or_default();
    let mut done = Vec::new();
    for _ in 0..=chance.below(4) {
        let what = *chance.pick(&CHANGES);
        alter(chance, &app, files, what);
        shared.count(&format!("git: {what:?}"));
        done.push(format!("{what:?}"));
    }
    let id = repo.commit(&done.join(", "), tree);
    note(shared, how, &format!("{id:.7} {app}: {}", done.join(", ")));
}

fn note(shared: &Shared, how: &str, what: &str) {
    shared.count(&format!("git: {how}"));
    shared.tell(format_args!("git: {how} {what}"));
}

fn alter(chance: &Chance, app: &str, files: &mut Files, what: Change) {
    match what {
        Change::Create => create(chance, app, files),
        Change::Alter => with_object(chance, files, |object| {
            let (kind, id) = (kind_of(object)?, objects::id_of(object));
            Some(vec![kind.object(app, id.namespace.as_deref()?, &id.name, chance.below(60))])
        }),
        Change::Remove => with_object(chance, files, |_| Some(Vec::new())),
        Change::Rename => with_object(chance, files, |object| {
            let mut object = object.clone();
            let name = format!("{}-r", object["metadata"]["name"].as_str()?);
            object["metadata"]["name"] = name.into();
            (objects::id_of(&object).name.len() < 20).then(|| vec![object])
        }),
        Change::MoveNamespace => with_object(chance, files, |object| {
            let mut object = object.clone();
            let other =
                if object["metadata"]["namespace"] == *app { format!("{app}-b") } else { app.to_owned() };
            object["metadata"]["namespace"] = other.into();
            Some(vec![object])
        }),
        Change::MoveGroup => with_object(chance, files, |object| {
            let id = objects::id_of(object);
            let kind = match (id.kind.as_str(), id.group.as_str()) {
                ("Ingress", "extensions") => Kind::Ingress,
                ("Ingress", _) => Kind::OldIngress,
                _ => return None,
            };
            Some(vec![kind.object(app, id.namespace.as_deref()?, &id.name, 3)])
        }),
        Change::NewKind => {
            let mut made = vec![objects::definition(app)];
            for n in 0..=chance.below(3) {
                made.push(Kind::Widget.object(app, app, &format!("w{n}"), chance.below(20)));
            }
            files.insert("widgets.yaml".to_owned(), Content::Objects(made));
        }
        Change::DropKind => {
            files.remove("widgets.yaml");
        }
        Change::Break => {
            let text = format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {app}}}\nstringData:\n  a: {PLANTED}-9\n b: [{PLANTED}\n"
            );
            files.insert("broken.yaml".to_owned(), Content::Broken(text));
        }
        Change::Mend => mend(app, files),
        Change::Duplicate => {
            if let Some(Content::Objects(objects)) = files.values().find(|content| is_full(content)).cloned()
            {
                files.insert("twice.yaml".to_owned(), Content::Objects(objects));
            }
        }
        Change::Unknown => {
            let gadget = Kind::Gadget.object(app, app, "g", chance.below(9));
            files.insert("gadget.yaml".to_owned(), Content::Objects(vec![gadget]));
        }
        Change::Empty => files.clear(),
        Change::EmptyWithNote => {
            files.clear();
            files.insert("NOTE".to_owned(), Content::Other("nothing here\n".to_owned()));
        }
        Change::RemoveMany => {
            for _ in 0..8 + chance.below(8) {
                with_object(chance, files, |_| Some(Vec::new()));
            }
        }
        Change::RemoveNamespace => {
            let gone = format!("{app}-b");
            for content in files.values_mut() {
                if let Content::Objects(objects) = content {
                    objects.retain(|object| {
                        object["metadata"]["namespace"] != *gone && object["metadata"]["name"] != *gone
                    });
                }
            }
        }
    }
}

fn is_full(content: &Content) -> bool {
    matches!(content, Content::Objects(objects) if !objects.is_empty())
}

fn create(chance: &Chance, app: &str, files: &mut Files) {
    let kind = *chance.pick(&USUAL);
    let (namespace, name) = place(chance, app);
    let object = kind.object(app, &namespace, &name, chance.below(60));
    let id = objects::id_of(&object);
    let has = |content: &Content| matches!(content, Content::Objects(objects) if objects.iter().any(|other| objects::id_of(other) == id));
    if files.values().any(has) {
        return;
    }
    let file =
        files.entry(format!("f{}.yaml", chance.below(5))).or_insert_with(|| Content::Objects(Vec::new()));
    if let Content::Objects(objects) = file {
        objects.push(object);
    }
}

/// Puts others in the place of one of the usual objects, if `others` has any.
fn with_object(chance: &Chance, files: &mut Files, others: impl FnOnce(&Value) -> Option<Vec<Value>>) {
    let mut all: Vec<(String, usize)> = Vec::new();
    for (name, content) in files.iter().filter(|(name, _)| name.starts_with('f')) {
        if let Content::Objects(objects) = content {
            all.extend((0..objects.len()).map(|at| (name.clone(), at)));
        }
    }
    let Some((name, at)) = chance.any(&all) else { return };
    let Some(Content::Objects(objects)) = files.get_mut(&name) else { return };
    if let Some(others) = others(&objects[at]) {
        objects.splice(at..=at, others);
    }
}

fn kind_of(object: &Value) -> Option<Kind> {
    let id = objects::id_of(object);
    let all = [USUAL.as_slice(), &[Kind::OldIngress]].concat();
    all.into_iter().find(|kind| {
        let made = kind.id("", "", "");
        made.kind == id.kind && made.group == id.group
    })
}

/// Whatever is wrong with an application's files is put right: there are files, they can be read, what they state can be,
/// and namespaces are stated where something is in them.
pub(crate) fn mend(app: &str, files: &mut Files) {
    for name in ["broken.yaml", "twice.yaml", "gadget.yaml"] {
        files.remove(name);
    }
    let mut seen: BTreeSet<ResourceId> = BTreeSet::new();
    for content in files.values_mut() {
        if let Content::Objects(objects) = content {
            objects.retain(|object| seen.insert(objects::id_of(object)));
        }
    }
    let spaces = [objects::namespace(app), objects::namespace(&format!("{app}-b"))];
    let missing: Vec<Value> =
        spaces.into_iter().filter(|space| !seen.contains(&objects::id_of(space))).collect();
    if !missing.is_empty() {
        let file = files.entry("ns.yaml".to_owned()).or_insert_with(|| Content::Objects(Vec::new()));
        if let Content::Objects(objects) = file {
            objects.extend(missing);
        }
    }
}
