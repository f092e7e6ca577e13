use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::{Class, Entry, EntryKind, Revision, TreeId};

/// A tree that is written down, with entries that memory sources do not have; it notes what is loaded.
struct Tree {
    revision: Revision,
    files: BTreeMap<&'static str, String>,
    odd: Vec<(&'static str, &'static str, EntryKind)>,
    read: Mutex<Vec<String>>,
    listed: Mutex<Vec<String>>,
}

impl Tree {
    fn new(files: &[(&'static str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
        Self {
            revision: Revision::new("1111111"),
            files,
            odd: Vec::new(),
            read: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    fn with(mut self, dir: &'static str, name: &'static str, kind: EntryKind) -> Self {
        self.odd.push((dir, name, kind));
        self
    }
}

impl Snapshot for Tree {
    fn revision(&self) -> &Revision {
        &self.revision
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        let below = self.files.iter().filter(|(file, _)| RepoPath::new(file).unwrap().is_within(path));
        let text: String = below.map(|(file, text)| format!("{file}={text};")).collect::<Vec<_>>().concat();
        Ok((!text.is_empty()).then(|| TreeId::new(text)))
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.listed.lock().unwrap().push(dir.to_string());
        let mut entries: BTreeMap<String, EntryKind> = BTreeMap::new();
        for file in self.files.keys() {
            let file = RepoPath::new(file).unwrap();
            if file.is_within(dir) && file != *dir {
                let rest: Vec<&str> = file.parts().skip(dir.parts().count()).collect();
                let kind = if rest.len() > 1 { EntryKind::Directory } else { EntryKind::File };
                entries.insert(rest[0].to_owned(), kind);
            }
        }
        let odd = self.odd.iter().filter(|(place, ..)| *place == dir.as_str());
        entries.extend(odd.map(|(_, name, kind)| ((*name).to_owned(), *kind)));
        if entries.is_empty() {
            return Err(Fault::new(Class::NotFound, "nothing here").at(dir));
        }
        Ok(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect())
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        self.read.lock().unwrap().push(file.to_string());
        let text =
            self.files.get(file.as_str()).ok_or_else(|| Fault::new(Class::NotFound, "no file").at(file))?;
        if text.len() as u64 > max_bytes {
            return Err(Fault::invalid("too large").at(file));
        }
        Ok(text.as_bytes().into())
    }
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

fn render(tree: &Tree, at: &str) -> Result<Vec<String>, Fault> {
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let manifests = PlainManifests::new().render(&cx, tree, &path(at))?;
    Ok(manifests.into_iter().map(|manifest| manifest.id.name).collect())
}

#[test]
fn every_manifest_at_and_below_the_path_is_read_in_order() {
    let json = r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "json"}}"#;
    let tree = Tree::new(&[
        ("shop/b.yaml", &namespace("b")),
        ("shop/a/x.yml", &namespace("ax")),
        ("shop/a/deep/er/y.json", json),
        ("shop/README.md", "not: [yaml"),
        ("shop/.hidden.yaml", "not: [yaml"),
        ("shop/.github/x.yaml", "not: [yaml"),
        ("shop/values.yaml.gotmpl", "{{ x }}"),
        ("shop2/c.yaml", &namespace("c")),
        ("top.yaml", &namespace("top")),
    ]);
    assert_eq!(render(&tree, "shop").unwrap(), ["json", "ax", "b"]);
    assert_eq!(render(&tree, "").unwrap(), ["json", "ax", "b", "c", "top"]);
    assert_eq!(render(&tree, "shop/b.yaml").unwrap(), ["b"], "a path may be one file");
    let read = tree.read.lock().unwrap();
    assert!(!read.iter().any(|file| file.contains("README") || file.contains("/.")), "{read:?}");
}

#[test]
fn a_path_that_is_not_there_says_so_and_is_no_empty_application() {
    let tree = Tree::new(&[("shop/b.yaml", &namespace("b"))]);
    for missing in ["blog", "shop/b", "shop/c.yaml"] {
        let fault = render(&tree, missing).unwrap_err();
        assert_eq!((fault.class, fault.at.as_deref()), (Class::NotFound, Some(missing)));
        assert!(fault.to_string().contains("check the application's path"), "{fault}");
    }
}

#[test]
fn what_cannot_be_followed_is_an_error_and_never_a_smaller_application() {
    let tree = || Tree::new(&[("shop/b.yaml", &namespace("b"))]);
    for name in ["web.yaml", "base", "notes.txt"] {
        let fault = render(&tree().with("shop", name, EntryKind::BrokenLink), "shop").unwrap_err();
        assert_eq!((fault.class, fault.at.unwrap().to_string()), (Class::Invalid, format!("shop/{name}")));
    }
    let fault = render(&tree().with("shop", "vendor", EntryKind::Submodule), "shop").unwrap_err();
    assert_eq!((fault.class, fault.at.as_deref()), (Class::Unsupported, Some("shop/vendor")));
    assert!(render(&tree().with("shop", ".cache", EntryKind::BrokenLink), "shop").is_ok());
    let fault = render(&tree().with("shop", "..", EntryKind::File), "shop");
    assert!(fault.is_ok(), "names that begin with a dot are not looked at");
    let fault = render(&tree().with("shop", "a\\b.yaml", EntryKind::File), "shop").unwrap_err();
    assert_eq!(fault.class, Class::Invalid);
}

#[test]
fn all_errors_of_all_files_are_told() {
    let tree =
        Tree::new(&[("shop/a.yaml", "a: ["), ("shop/b.yaml", &namespace("b")), ("shop/c.yaml", "- 1")]);
    let fault = render(&tree, "shop").unwrap_err();
    assert!(fault.at.as_deref().unwrap().starts_with("shop/a.yaml:1"), "{fault}");
    assert!(fault.to_string().contains("shop/c.yaml:1:1 (document 1)"), "{fault}");
}

#[test]
fn what_is_too_large_is_refused() {
    let huge = format!("# {}", "x".repeat(5 << 20));
    assert_eq!(render(&Tree::new(&[("shop/a.yaml", &huge)]), "shop").unwrap_err().class, Class::Invalid);
    let large = format!("# {}\n{}", "x".repeat(4 << 20), namespace("a"));
    let large = &large[..4 << 20];
    let names: Vec<&'static str> =
        (0..17).map(|n| &*Box::leak(format!("shop/{n}.yaml").into_boxed_str())).collect();
    let files: Vec<(&'static str, &str)> = names.iter().map(|name| (*name, large)).collect();
    let fault = render(&Tree::new(&files), "shop").unwrap_err();
    assert!(fault.class == Class::Invalid && fault.to_string().contains("split it"), "{fault}");
}

#[test]
fn a_rendering_that_is_not_wanted_any_more_ends() {
    let cx = Cx::with_timeout(Duration::from_secs(60));
    cx.cancel.cancel();
    let tree = Tree::new(&[("shop/b.yaml", &namespace("b"))]);
    assert_eq!(PlainManifests::new().render(&cx, &tree, &path("shop")).unwrap_err().class, Class::Cancelled);
}

#[test]
fn reads_cover_what_was_read_and_what_was_missed() {
    let base = || Tree::new(&[("shop/a.yaml", "1"), ("shop/x/b.yaml", "2"), ("lib/v", "3"), ("lib/w", "4")]);
    let tree = base();
    let recorder = Recorder::new(&tree);
    recorder.list(&path("shop")).unwrap();
    recorder.read(&path("shop/a.yaml"), 10).unwrap();
    recorder.read(&path("lib/v"), 10).unwrap();
    assert!(recorder.id(&path("extra")).unwrap().is_none());
    assert!(recorder.read(&path("none"), 10).is_err());
    assert_eq!(recorder.revision(), tree.revision());
    let reads = recorder.into_reads();
    let unchanged = |files: &[(&'static str, &str)]| {
        let mut other = base();
        for (path, text) in files {
            other.files.insert(path, (*text).to_owned());
        }
        reads.unchanged_in(&other).unwrap()
    };
    assert!(unchanged(&[]) && unchanged(&[("lib/w", "other"), ("blog/x", "new")]));
    for changed in ["shop/a.yaml", "shop/x/b.yaml", "shop/new", "lib/v", "extra", "none"] {
        assert!(!unchanged(&[(changed, "other")]), "{changed}");
    }
    let mut gone = base();
    gone.files.remove("lib/v");
    assert!(!reads.unchanged_in(&gone).unwrap());
    assert!(!Recorder::new(&tree).into_reads().unchanged_in(&tree).unwrap(), "nothing read proves nothing");
}

#[test]
fn a_file_that_is_the_same_is_not_read_again() {
    let (cx, render) = (Cx::with_timeout(Duration::from_secs(60)), PlainManifests::new());
    let names = |render: &PlainManifests, tree: &Tree| {
        let manifests = render.render(&cx, tree, &path("shop"))?;
        Ok::<Vec<_>, Fault>(manifests.into_iter().map(|manifest| manifest.id.name).collect())
    };
    let first = Tree::new(&[("shop/a.yaml", &namespace("a")), ("shop/b.yaml", &namespace("b"))]);
    assert_eq!(names(&render, &first).unwrap(), ["a", "b"]);
    let changed = [("shop/a.yaml", namespace("a")), ("shop/b.yaml", namespace("c"))];
    let changed = changed.each_ref().map(|(file, text)| (*file, text.as_str()));
    let broken = Tree::new(&[changed[0], changed[1], ("shop/d.yaml", "kind: [")]);
    assert_eq!(names(&render, &broken).unwrap_err().class, Class::Invalid);
    assert_eq!(*broken.read.lock().unwrap(), ["shop/b.yaml", "shop/d.yaml"]);
    // What was right in it is remembered; what is gone is gone.
    let mended = Tree::new(&changed);
    assert_eq!(names(&render, &mended).unwrap(), ["a", "c"]);
    assert!(mended.read.lock().unwrap().is_empty());
    assert_eq!(names(&render, &Tree::new(&changed[1..])).unwrap(), ["c"]);
    // Another source may call another content so.
    assert_eq!(names(&render.clone(), &mended).unwrap(), ["a", "c"]);
    assert_eq!(mended.read.lock().unwrap().len(), 2);
}

#[test]
fn a_directory_that_is_the_same_is_not_looked_into() {
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let plain = PlainManifests::new();
    let tree = |changed: &str| {
        let (a, b) = (namespace("a"), namespace(changed));
        Tree::new(&[("shop/a/x.yaml", &a), ("shop/a/deep/y.yaml", &a), ("shop/b/z.yaml", &b)])
    };
    let names = |tree: &Tree| -> Vec<String> {
        let manifests = plain.render(&cx, tree, &path("shop")).unwrap();
        manifests.into_iter().map(|manifest| manifest.id.name).collect()
    };
    assert_eq!(names(&tree("b")), ["a", "a", "b"]);
    let next = tree("c");
    assert_eq!(names(&next), ["a", "a", "c"]);
    assert_eq!(*next.listed.lock().unwrap(), ["shop", "shop/b"]);
    assert_eq!(*next.read.lock().unwrap(), ["shop/b/z.yaml"]);
    let same = tree("c");
    assert_eq!(names(&same), ["a", "a", "c"]);
    assert!(same.listed.lock().unwrap().is_empty() && same.read.lock().unwrap().is_empty());
}

/// A tree of which one file after the other cannot be read.
struct Failing(Tree, usize);

impl Snapshot for Failing {
    fn revision(&self) -> &Revision {
        self.0.revision()
    }

    fn id(&self, path: &RepoPath) -> Result<Option<TreeId>, Fault> {
        self.0.id(path)
    }

    fn list(&self, dir: &RepoPath) -> Result<Vec<Entry>, Fault> {
        self.0.list(dir)
    }

    fn read(&self, file: &RepoPath, max_bytes: u64) -> Result<Arc<[u8]>, Fault> {
        let number: usize = file.name().unwrap().trim_end_matches(".yaml").parse().unwrap();
        if number >= self.1 { Err(Fault::retry("gone").at(file)) } else { self.0.read(file, max_bytes) }
    }
}

/// Whatever the threads that read are doing.
#[test]
fn the_first_file_that_cannot_be_read_is_told() {
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let text = namespace("a");
    let files: Vec<(&'static str, &str)> =
        (100..400).map(|n| (&*Box::leak(format!("{n}.yaml").into_boxed_str()), text.as_str())).collect();
    for first in [100, 101, 250, 399] {
        let fault =
            PlainManifests::new().render(&cx, &Failing(Tree::new(&files), first), &path("")).unwrap_err();
        assert_eq!(fault.at.as_deref(), Some(&*format!("{first}.yaml")));
    }
    let all = PlainManifests::new().render(&cx, &Failing(Tree::new(&files), 400), &path("")).unwrap();
    assert_eq!(all.len(), 300);
    let cancelled = Cx::with_timeout(Duration::from_secs(60));
    cancelled.cancel.cancel();
    let fault = PlainManifests::new().render(&cancelled, &Tree::new(&files), &path("")).unwrap_err();
    assert_eq!(fault.class, Class::Cancelled);
}

const PLACES: [&str; 8] = [
    "a.yaml",
    "a-b/x.yaml",
    "a/b.yaml",
    "a/c/d.yaml",
    "a/c/e.yaml",
    "a/c.yaml",
    "b/a.yaml",
    "b/deep/er/a.yaml",
];

proptest::proptest! {
    /// What is remembered changes nothing: not the manifests, not their order, and not what is wrong.
    #[test]
    fn rendering_again_is_as_rendering_anew(
        revisions in proptest::collection::vec(proptest::collection::vec(0_u8..4, PLACES.len()), 1..8),
    ) {
        let cx = Cx::with_timeout(Duration::from_secs(60));
        let again = PlainManifests::new();
        for revision in revisions {
            let texts: Vec<_> = revision.iter().map(|n| match n {
                3 => "kind: [".to_owned(),
                n => namespace(&format!("n{n}")),
            }).collect();
            let files: Vec<_> = PLACES.into_iter().zip(&texts).zip(&revision)
                .filter(|(_, n)| **n > 0)
                .map(|((place, text), _)| (place, text.as_str()))
                .collect();
            let render = |plain: &PlainManifests| {
                plain.render(&cx, &Tree::new(&files), &path("")).map_err(|fault| fault.to_string())
                    .map(|all| all.iter().map(|one| format!("{} {:?}", one.id, one.place)).collect::<Vec<_>>())
            };
            proptest::prop_assert_eq!(render(&again), render(&PlainManifests::new()));
        }
    }
}
