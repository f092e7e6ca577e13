//! Changes agree with `git diff`, and with what the histories were made from.

use std::collections::{BTreeMap, BTreeSet};

use gitops_git::{Change, ChangeKind, Changes, Side};

use crate::common::dice::Dice;
use crate::common::{cx, path};
use crate::seeds;
use crate::world::{File, Sort, Tree, World, is_manifest};

const PATH: &str = "apps";

/// The objects of a tree: name, then file, fields.
fn objects(tree: &Tree) -> BTreeMap<&str, (&str, &File)> {
    let all = tree.iter().filter(|(path, _)| is_manifest(path));
    all.filter_map(|(path, (file, _))| match file {
        File::Object { name, .. } => Some((&**name, (&**path, file))),
        File::Broken(_) => None,
    })
    .collect()
}

/// What the two trees say, without any Git.
fn expected(old: &Tree, new: &Tree) -> (BTreeMap<String, ChangeKind>, BTreeSet<(String, Side)>) {
    let (from, to) = (objects(old), objects(new));
    let names: BTreeSet<&str> = from.keys().chain(to.keys()).copied().collect();
    let is_broken = |tree: &Tree, path: &str| matches!(tree.get(path), Some((File::Broken(_), _)));
    let mut changed = BTreeMap::new();
    for name in names {
        let kind = match (from.get(name), to.get(name)) {
            (Some((_, old)), Some((_, new))) if old == new => continue,
            (Some(_), Some(_)) => ChangeKind::Changed,
            (Some((path, _)), None) if is_broken(new, path) => continue,
            (None, Some((path, _))) if is_broken(old, path) => continue,
            (Some(_), None) => ChangeKind::Removed,
            _ => ChangeKind::Added,
        };
        changed.insert(name.to_owned(), kind);
    }
    let mut unreadable = BTreeSet::new();
    for (tree, other, side) in [(old, new, Side::From), (new, old, Side::To)] {
        for (path, file) in tree {
            if is_manifest(path) && matches!(file.0, File::Broken(_)) && other.get(path) != Some(file) {
                unreadable.insert((path.clone(), side));
            }
        }
    }
    (changed, unreadable)
}

/// Files that were told of.
fn told(changes: &Changes) -> BTreeSet<String> {
    let places = changes.objects.iter().flat_map(|change| [&change.from, &change.to]).flatten();
    let files = places.map(|place| place.file.to_string());
    files.chain(changes.unreadable.iter().map(|file| file.file.to_string())).collect()
}

fn check_fields(change: &Change, old: &Tree, new: &Tree) {
    let (from, to) = (objects(old), objects(new));
    let (Some((_, old)), Some((_, new))) = (from.get(&*change.id.name), to.get(&*change.id.name)) else {
        assert!(change.differences.is_empty());
        return;
    };
    let fields = |file: &File| match file {
        File::Object { a, b, .. } => (Some(*a), *b),
        File::Broken(_) => unreachable!(),
    };
    let ((a, b), (c, d)) = (fields(old), fields(new));
    let wanted: Vec<&str> = [(a != c, ".data.a"), (b != d, ".data.b")]
        .iter()
        .filter(|(differ, _)| *differ)
        .map(|(_, n)| *n)
        .collect();
    let got: Vec<String> = change.differences.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(got, wanted);
}

#[tokio::test]
async fn changes_are_those_of_git_diff() {
    let mut seen = BTreeMap::<String, usize>::new();
    let seeds = seeds(40);
    let count = usize::try_from(seeds.end - seeds.start).unwrap();
    println!("seeds {seeds:?}");
    for seed in seeds {
        let world = World::new(seed, Sort { broken: seed % 2 == 0, skew: false, most: 25 });
        let mut dice = Dice::new(seed ^ 0x77);
        let picked: Vec<usize> = (0..5).map(|_| dice.below(world.commits.len())).collect();
        for _ in 0..8 {
            let (from, to) = (*dice.pick(&picked), *dice.pick(&picked));
            let (old, new) = (&world.commits[from].tree, &world.commits[to].tree);
            let asked =
                world.source().changes(&cx(), &world.revision(from), &world.revision(to), &path(PATH)).await;
            let is_there = |tree: &Tree| tree.keys().any(|name| name.starts_with("apps/"));
            if !is_there(old) && !is_there(new) {
                assert_eq!(asked.unwrap_err().class, gitops_core::Class::NotFound);
                continue;
            }
            let changes = asked.unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
            let context = format!("GITOPS_HISTORY_SEED={seed} {from}..{to}\n{old:?}\n{new:?}");
            let (kinds, unreadable) = expected(old, new);
            let got: BTreeMap<String, ChangeKind> =
                changes.objects.iter().map(|change| (change.id.name.clone(), change.kind)).collect();
            assert_eq!(got, kinds, "{context}");
            let got: BTreeSet<(String, Side)> =
                changes.unreadable.iter().map(|file| (file.file.to_string(), file.side)).collect();
            assert_eq!(got, unreadable, "{context}");
            for change in &changes.objects {
                check_fields(change, old, new);
                *seen.entry(change.kind.to_string()).or_default() += 1;
            }
            *seen.entry("unreadable".into()).or_default() += changes.unreadable.len();

            let (a, b) = (&world.ids[from], &world.ids[to]);
            let diff = world.git(&["diff", "--name-status", "--no-renames", a, b, "--", PATH]);
            let told = told(&changes);
            let mut status = BTreeMap::new();
            for line in diff.lines() {
                let (kind, file) = line.split_once('\t').unwrap();
                status.insert(file.to_owned(), kind.to_owned());
            }
            // Nothing is told of a file that Git does not know to differ.
            assert!(told.iter().all(|file| status.contains_key(file)), "{told:?} {status:?} {context}");
            for (file, kind) in status.iter().filter(|(file, _)| is_manifest(file)) {
                let there = |tree: &Tree| tree.get(file).map(|(content, _)| content.clone());
                let (before, after) = (there(old), there(new));
                assert_eq!((before.is_none(), after.is_none()), (kind == "A", kind == "D"), "{context}");
                // What is not told of went elsewhere as it is, came from elsewhere, or got another mode only.
                let has = |tree: &Tree, file: &Option<File>| {
                    file.as_ref().is_none_or(|file| objects(tree).values().any(|(_, other)| *other == file))
                };
                let explained = before == after || (has(new, &before) && has(old, &after));
                assert!(told.contains(file) || explained, "{file} {kind} {context}");
            }
        }
    }
    println!("{seen:?}");
    for kind in ["added", "removed", "changed", "unreadable"] {
        assert!(count < 20 || seen.get(kind).is_some_and(|times| *times > count / 2), "{seen:?}");
    }
}

#[tokio::test]
async fn secrets_are_masked_and_links_followed() {
    let repo = crate::common::Repo::new();
    let secret = |password: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{password: {password}}}\n"
        )
    };
    repo.link("apps/shop/db.yaml", "../../shared/db.yaml");
    let first = repo.commit("one", &[("shared/db.yaml", &secret("hunter2")), ("apps/shop/notes.txt", "x")]);
    let second = repo.commit("two", &[("shared/db.yaml", &secret("swordfish"))]);
    let source = crate::common::local(&repo.bare(), &repo.mirrors()).build().unwrap();
    let revision = gitops_core::Revision::new;
    let changes = source.changes(&cx(), &revision(&first), &revision(&second), &path("apps")).await.unwrap();
    let text = format!("{changes:?}");
    assert_eq!(changes.objects.len(), 1, "{text}");
    assert_eq!(changes.objects[0].differences.len(), 1, "{text}");
    assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
    let (from, to) = (revision(&second), revision(&first));
    let same = source.changes(&cx(), &to, &to, &path("apps")).await.unwrap();
    assert!(same.is_empty());
    let gone = source.changes(&cx(), &from, &to, &path("nowhere")).await.unwrap_err();
    assert_eq!(gone.class, gitops_core::Class::NotFound);
}
