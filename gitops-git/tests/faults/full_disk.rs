//! A disk that is full: a small file system of the test's own.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use gitops_core::{Class, Fault};
use gitops_git::GitSource;

use crate::common::{fault, sync};
use crate::mirror;
use crate::proxy::Way;
use crate::scene::{Scene, noise};

/// A file system in memory; it is gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", dir.to_str().unwrap()]);
        Self(dir)
    }

    fn mirrors(&self) -> PathBuf {
        self.0.join("mirrors")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        let _ = fs::remove_file(self.0.join("filler"));
        mount(&["-o", "remount,size=64m", self.0.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(args: &[&str]) {
    let done = Command::new("mount").args(args).output().unwrap();
    assert!(done.status.success(), "only root may: {}", String::from_utf8_lossy(&done.stderr));
}

/// Commits more than the disk has room for, which does not compress.
fn commit_much(scene: &Scene) -> String {
    for n in 0..8 {
        fs::write(scene.repo.work().join(format!("much-{n}")), noise(n, 1 << 20)).unwrap();
    }
    scene.repo.commit_all("much")
}

/// With more patience: Git takes its time to pack so much.
fn patient(scene: &Scene, disk: &Disk) -> GitSource {
    scene.builder(&disk.mirrors()).with_timeout(Duration::from_secs(30)).build().unwrap()
}

/// It says that the disk is full, and that it may pass.
fn assert_full(fault: &Fault) {
    assert_eq!(fault.class, Class::RETRY, "{fault}");
    assert!(fault.to_string().contains("No space left on device"), "{fault}");
}

#[tokio::test]
#[ignore = "needs root, for a file system of its own: see CONTRIBUTING.md"]
async fn a_clone_that_finds_no_room_leaves_none_of_it() {
    let scene = Scene::http();
    let disk = Disk::new(scene.repo.root().join("disk"));
    let source = patient(&scene, &disk);
    let id = commit_much(&scene);
    for _ in 0..3 {
        assert_full(&fault(sync(&source).await));
        assert!(mirror::size(&disk.0) < 1000, "{:?}", mirror::files(&disk.0));
    }
    drop(source);
    let source = patient(&scene, &disk);
    assert_full(&fault(sync(&source).await));
    disk.make_room();
    assert_eq!(sync(&source).await.unwrap().revision().id, id);
    mirror::assert_sound(&disk.mirrors());
    mirror::assert_clean(&disk.mirrors(), "a clone");
}

#[tokio::test]
#[ignore = "needs root, for a file system of its own: see CONTRIBUTING.md"]
async fn a_fetch_that_finds_no_room_costs_nothing_that_is_there() {
    let scene = Scene::http();
    let disk = Disk::new(scene.repo.root().join("disk"));
    let source = patient(&scene, &disk);
    scene.fill(&source).await;
    scene.assert_serves_old(&source, "a full disk").await;
    let (before, id) = (mirror::size(&disk.0), commit_much(&scene));
    for _ in 0..3 {
        assert_full(&fault(sync(&source).await));
        assert_eq!(mirror::size(&disk.0), before, "{:?}", mirror::files(&disk.0));
        scene.assert_serves_old(&source, "a full disk").await;
    }
    drop(source);
    // Not one byte is left, and a process starts.
    disk.fill();
    scene.assert_old_is_served(&disk.mirrors(), "a full disk").await;
    let source = patient(&scene, &disk);
    scene.proxy.be(Way::default());
    assert_full(&fault(sync(&source).await));
    disk.make_room();
    assert_eq!(sync(&source).await.unwrap().revision().id, id);
    scene.point_to(&scene.new);
    scene.assert_recovers(&source, &disk.mirrors(), "a fetch").await;
}

/// Making one pack of many needs room for both.
#[tokio::test]
#[ignore = "needs root, for a file system of its own: see CONTRIBUTING.md"]
async fn packs_that_cannot_be_made_one_are_read_as_they_are() {
    let scene = Scene::http();
    let disk = Disk::new(scene.repo.root().join("disk"));
    scene.fill(&patient(&scene, &disk)).await;
    disk.fill();
    let full = scene.builder(&disk.mirrors()).with_max_packs(1).build().unwrap();
    for _ in 0..2 {
        scene.assert_serves_old(&full, "a full disk").await;
        assert_full(&fault(sync(&full).await));
    }
    drop(full);
    scene.assert_old_is_served(&disk.mirrors(), "a full disk").await;
    disk.make_room();
    let source = scene.builder(&disk.mirrors()).with_max_packs(1).build().unwrap();
    scene.assert_recovers(&source, &disk.mirrors(), "repacking").await;
    let packs = mirror::files(&mirror::repository(&disk.mirrors()).join("objects/pack"));
    assert_eq!(packs.len(), 4, "what was there as one, and what is new: {packs:?}");
}
