//! Work that its caller stops, at any instant; and a second process at the same mirror.

use std::path::Path;
use std::time::{Duration, Instant};

use gitops_core::{Class, Cx, Fault, Revision, Source as _};
use gitops_git::{GitSource, GitSourceBuilder};
use tokio::sync::oneshot;

use crate::common::dice::Dice;
use crate::common::{cx, local};
use crate::mirror;
use crate::proxy::Way;
use crate::scene::Scene;
use crate::seeds;

/// How the caller stops.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Cancelled,
    Dropped,
    Deadline,
}

/// Has the newer state fetched, and stops that after some time.
async fn stop_after(source: &GitSource, id: &str, stop: Stop, after: Duration) -> Option<Result<(), Fault>> {
    let cx = if matches!(stop, Stop::Deadline) { Cx::with_timeout(after) } else { cx() };
    let (tell, told) = oneshot::channel();
    // The runtime's clock counts in milliseconds, which is too coarse.
    std::thread::spawn(move || {
        std::thread::sleep(after);
        tell.send(())
    });
    let revision = Revision::new(id);
    let fetching = source.fetch(&cx, &revision);
    tokio::pin!(fetching);
    if !matches!(stop, Stop::Deadline) {
        tokio::select! {
            done = &mut fetching => return Some(done.map(drop)),
            _ = told => {}
        }
        if matches!(stop, Stop::Dropped) {
            return None;
        }
        cx.cancel.cancel();
    }
    Some(fetching.await.map(drop))
}

/// How mirrors are filled: from where, and whether there are so many packs that they are made one first.
fn builder(scene: &Scene, mirrors: &Path, is_local: bool, repacks: bool) -> GitSourceBuilder {
    let builder = if is_local {
        local(&scene.repo.bare(), mirrors).with_branch("main")
    } else {
        scene.builder(mirrors)
    };
    builder.with_max_packs(if repacks { 1 } else { 50 })
}

async fn at_any_instant(is_local: bool, seeds: std::ops::Range<u64>) {
    // So much that packs take some time to be sent, and to be made one.
    let scene = Scene::http_with(100_000);
    let old = scene.mirrors();
    scene.fill(&builder(&scene, &old, is_local, false).build().unwrap()).await;
    let mut stopped = 0;
    let mut whole = [Duration::ZERO; 4];
    for (n, whole) in whole.iter_mut().enumerate() {
        let (is_clone, repacks) = (n / 2 == 1, n % 2 == 1);
        let mirrors = scene.mirrors();
        if !is_clone {
            mirror::copy(&old, &mirrors);
        }
        let source = builder(&scene, &mirrors, is_local, repacks).build().unwrap();
        let started = Instant::now();
        source.fetch(&cx(), &Revision::new(&*scene.new)).await.unwrap();
        *whole = started.elapsed();
    }
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let stop = *dice.pick(&[Stop::Cancelled, Stop::Dropped, Stop::Deadline]);
        let (is_clone, repacks) = (dice.chance(4), dice.chance(2));
        let whole = whole[usize::from(is_clone) * 2 + usize::from(repacks)];
        let after = whole * u32::try_from(dice.below(110)).unwrap() / 100;
        let case = format!(
            "GITOPS_FAULT_SEED={seed}: {stop:?} after {after:?}, clone {is_clone}, repacks {repacks}"
        );
        let mirrors = scene.mirrors();
        if !is_clone {
            mirror::copy(&old, &mirrors);
        }
        scene.proxy.be(Way::default());
        let source = builder(&scene, &mirrors, is_local, repacks).build().unwrap();
        match stop_after(&source, &scene.new, stop, after).await {
            Some(Ok(())) => {}
            Some(Err(fault)) => {
                let wanted = if matches!(stop, Stop::Deadline) { Class::RETRY } else { Class::Cancelled };
                assert_eq!(fault.class, wanted, "{case}: {fault}");
                stopped += 1;
            }
            None => stopped += 1,
        }
        // The same source goes on, and so does another, without the server.
        let source = if is_clone {
            source
        } else {
            let away = scene.repo.root().join("away.git");
            std::fs::rename(scene.repo.bare(), &away).unwrap();
            let another = builder(&scene, &mirrors, is_local, false);
            scene.assert_serves_old(&source, &case).await;
            drop(source);
            let source = another.build().unwrap();
            scene.assert_serves_old(&source, &case).await;
            std::fs::rename(&away, scene.repo.bare()).unwrap();
            source
        };
        scene.assert_recovers(&source, &mirrors, &case).await;
        std::fs::remove_dir_all(&mirrors).unwrap();
    }
    println!("{stopped} of {count} were stopped before their end, which was after {whole:?} else");
    assert!(count < 3 || stopped * 3 >= count, "{stopped} of {count}");
}

#[tokio::test]
async fn over_http() {
    at_any_instant(false, seeds(3)).await;
}

/// The server is a program here, which is ended in the middle of what it says.
#[tokio::test]
async fn of_a_local_repository() {
    at_any_instant(true, seeds(3)).await;
}

/// Who holds the mirror for a moment only (a program that this process has just started, say) has nobody make another.
#[tokio::test]
async fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    let scene = Scene::http();
    let mirrors = scene.with_old().await;
    let lock = mirror::repository(&mirrors).with_file_name("lock");
    let held = std::fs::File::options().write(true).open(lock).unwrap();
    held.lock().unwrap();
    let holding = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        drop(held);
    });
    scene.assert_recovers(&scene.source(&mirrors), &mirrors, "a lock for a moment").await;
    holding.join().unwrap();
}
