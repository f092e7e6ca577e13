//! Damage on the mirror's disk, of kinds that `tests/mirror.rs` does not have; with the server, and without.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gitops_core::{Revision, Source as _};

use crate::common::dice::Dice;
use crate::common::{cx, sync};
use crate::mirror;
use crate::proxy::Way;
use crate::scene::Scene;
use crate::seeds;

fn packs(mirrors: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = mirror::files(&mirror::repository(mirrors).join("objects/pack"));
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

/// A byte that is another, anywhere in a pack or in its index: nothing wrong is ever read, and it is repaired.
#[tokio::test]
async fn a_flipped_byte_on_the_disk_is_noticed_and_repaired() {
    let scene = Scene::http();
    let old = scene.with_old().await;
    for seed in seeds(3) {
        let mut dice = Dice::new(seed);
        let mirrors = scene.mirrors();
        mirror::copy(&old, &mirrors);
        let extension = *dice.pick(&["pack", "pack", "idx"]);
        let file = dice.pick(&packs(&mirrors, extension)).clone();
        let mut bytes = fs::read(&file).unwrap();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, bytes).unwrap();
        let case = format!("GITOPS_FAULT_SEED={seed}: byte {at} of a file .{extension}");

        scene.proxy.be(Way::default());
        let source = scene.source(&mirrors);
        for id in [&scene.old, &scene.new, &scene.old] {
            let snapshot = source.fetch(&cx(), &Revision::new(&**id)).await;
            let snapshot = snapshot.unwrap_or_else(|fault| panic!("{case}: {fault}"));
            for file in ["v", "big", "apps/a/b/c"] {
                // Not each is read in each attempt; what is read is right, and a file that cannot be has it repaired.
                if snapshot.read(&crate::common::path(file), 1 << 20).is_err() {
                    let again = source.fetch(&cx(), &Revision::new(&**id)).await;
                    scene.assert_right(&*again.unwrap_or_else(|fault| panic!("{case}: {fault}")), &case);
                }
            }
            let again = source.fetch(&cx(), &Revision::new(&**id)).await;
            scene.assert_right(&*again.unwrap_or_else(|fault| panic!("{case}: {fault}")), &case);
        }
        drop(source);
        mirror::assert_clean(&mirrors, &case);
        fs::remove_dir_all(&mirrors).unwrap();
    }
}

/// Locks, halves and temporary files of a process that died, wherever Git and we make some.
#[tokio::test]
async fn what_a_process_left_stands_in_nobodys_way() {
    let scene = Scene::http();
    let mirrors = scene.with_old().await;
    let repository = mirror::repository(&mirrors);
    let tips = mirror::files(&repository.join("refs/gitops/tips"));
    let mut left = vec![tips[0].with_extension("lock")];
    left.extend(
        ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"].map(|name| repository.join(name)),
    );
    for name in [".tmpAbCdEf", "repack.tmp", "pack-0123.keep", "pack-0123.pack"] {
        left.push(repository.join("objects/pack").join(name));
    }
    left.push(repository.with_file_name("repo-7.git").join("HEAD"));
    for path in &left {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    for name in ["current.new", "notes.new"] {
        fs::write(repository.with_file_name(name), "half").unwrap();
    }
    scene.assert_old_is_served(&mirrors, "leftovers").await;
    for path in &left {
        assert!(!path.exists(), "{}", path.display());
    }
    let source = scene.source(&mirrors);
    scene.proxy.be(Way::default());
    sync(&source).await.unwrap();
    drop(source);
    for name in ["current.new", "notes.new"] {
        let _ = fs::remove_file(repository.with_file_name(name));
    }
    scene.assert_recovers(&scene.source(&mirrors), &mirrors, "leftovers").await;
}

/// What is the same in every mirror needs no server to be made again.
#[tokio::test]
async fn lost_settings_are_written_again_without_the_server() {
    let scene = Scene::http();
    let old = scene.with_old().await;
    for name in ["HEAD", "config"] {
        for content in [None, Some(""), Some("ref: nonsense\n[core")] {
            let mirrors = scene.mirrors();
            mirror::copy(&old, &mirrors);
            let file = mirror::repository(&mirrors).join(name);
            match content {
                None => fs::remove_file(&file).unwrap(),
                Some(content) => fs::write(&file, content).unwrap(),
            }
            let case = format!("{name} with {content:?}");
            scene.assert_old_is_served(&mirrors, &case).await;
            scene.assert_recovers(&scene.source(&mirrors), &mirrors, &case).await;
        }
    }
}
