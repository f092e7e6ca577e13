//! The contract of `Target`, on a directory.
#![allow(clippy::unwrap_used, reason = "a test says with it what it expects")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitops_core::diff::FieldPath;
use gitops_core::testing::NotApplicable;
use gitops_core::testing::target::{Able, SecondField, TargetHarness, Trouble};
use gitops_core::{Manifest, Place, RepoPath, ResourceId, Target, async_trait};
use gitops_directory::DirectoryTarget;
use serde_json::{Value, json};

gitops_core::target_contract! {
    Directory::new();
    not_applicable {
        watch: "a directory is read anew at every interval",
        gaps: "without a watch there are no gaps in it",
        counting: "there is no server to send requests to",
        lost_answers: "the answer of the operating system cannot be lost",
        refusals: "the tests may run as root, to whom no file is refused",
        secrets: "files are not marked as secret",
        requirements: "files wait for nothing",
        admission: "a file system stores what is written",
        holding: "a file is gone when it is deleted",
        keeping: "files have no mark to stay",
    }
}

/// The suite's files are in `files`, so that they can be made unreadable while what is recorded is not.
const FILES: &str = "files";

struct Directory {
    root: tempfile::TempDir,
    held: Mutex<Option<File>>,
}

impl Directory {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), held: Mutex::default() }
    }

    fn at(&self, id: &ResourceId) -> PathBuf {
        self.root.path().join(&id.name)
    }
}

fn manifest(name: &str, spec: Value) -> Manifest {
    let mut object =
        json!({"apiVersion": "files/v1", "kind": "File", "metadata": {"name": format!("{FILES}/{name}")}});
    object["spec"] = spec;
    Manifest::new(&object, Place::file(RepoPath::new("suite.yaml").unwrap())).unwrap()
}

#[async_trait]
impl TargetHarness for Directory {
    async fn open(&self) -> Arc<dyn Target> {
        Arc::new(DirectoryTarget::new(self.root.path()))
    }

    fn manifest(&self, name: &str, value: &str) -> Manifest {
        manifest(name, json!({"content": value}))
    }

    fn value_path(&self) -> FieldPath {
        ".spec.content".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        fs::read_to_string(self.at(id)).ok()
    }

    async fn put(&self, id: &ResourceId, value: &str) {
        fs::create_dir_all(self.at(id).parent().unwrap()).unwrap();
        fs::write(self.at(id), value).unwrap();
    }

    async fn delete(&self, id: &ResourceId) {
        // A hand is slower than the clock of the file system.
        tokio::time::sleep(Duration::from_millis(20)).await;
        fs::remove_file(self.at(id)).unwrap();
    }

    async fn trouble(&self, trouble: Trouble) -> Able {
        let files = self.root.path().join(FILES);
        match trouble {
            Trouble::Unreadable => {
                fs::rename(&files, self.root.path().join("away")).unwrap();
                // Nothing is behind a link to itself, and not even root gets there.
                std::os::unix::fs::symlink(FILES, files).unwrap();
            }
            Trouble::Silence => {
                let lock = self.root.path().join(".gitops/state.lock");
                let held = File::options().write(true).open(lock).unwrap();
                held.lock().unwrap();
                *self.held.lock().unwrap() = Some(held);
            }
            other => return Err(NotApplicable::because(format!("a directory knows no {other:?}"))),
        }
        Ok(())
    }

    async fn calm(&self) {
        *self.held.lock().unwrap() = None;
        let (files, away) = (self.root.path().join(FILES), self.root.path().join("away"));
        if away.exists() {
            fs::remove_file(&files).unwrap();
            fs::rename(away, files).unwrap();
        }
    }

    fn second(&self) -> Able<&dyn SecondField> {
        Ok(self)
    }
}

#[async_trait]
impl SecondField for Directory {
    fn manifest(&self, name: &str, value: &str, second: &str) -> Manifest {
        manifest(name, json!({"content": value, "executable": second == "yes"}))
    }

    fn samples(&self) -> [&'static str; 2] {
        ["yes", "no"]
    }

    fn path(&self) -> FieldPath {
        ".spec.executable".parse().unwrap()
    }

    async fn read(&self, id: &ResourceId) -> Option<String> {
        let mode = fs::metadata(self.at(id)).ok()?.permissions().mode();
        Some(if mode & 0o111 == 0 { "no" } else { "yes" }.to_owned())
    }

    async fn put(&self, id: &ResourceId, second: &str) {
        let mode = if second == "yes" { 0o755 } else { 0o644 };
        fs::set_permissions(self.at(id), Permissions::from_mode(mode)).unwrap();
    }
}
