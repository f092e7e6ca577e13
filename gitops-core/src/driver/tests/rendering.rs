//! What is rendered when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{Cx, Digest, Manifest, PlainManifests, Render, RepoPath, Snapshot};

/// Plain manifests, and how often they were rendered.
#[derive(Debug, Clone)]
struct Counting {
    times: Arc<AtomicU32>,
    plain: PlainManifests,
    also: Option<RepoPath>,
}

impl Counting {
    fn new(also: Option<&str>) -> Self {
        let also = also.map(|path| RepoPath::new(path).unwrap());
        Self { times: Arc::default(), plain: PlainManifests::new(), also }
    }

    fn times(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }
}

impl Render for Counting {
    fn key(&self) -> Digest {
        self.plain.key()
    }

    fn render(&self, cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        self.times.fetch_add(1, Ordering::Relaxed);
        if let Some(also) = &self.also {
            // A file that may not be there yet is read too.
            if tree.id(also)?.is_some() {
                tree.read(also, 1000)?;
            }
        }
        self.plain.render(cx, tree, path)
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_elsewhere_renders_nothing_and_costs_the_target_nothing() {
    let render = Counting::new(None);
    let counting = render.clone();
    let mut world = World::new(|app| app.with_render(counting));
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        world.finished().await;
        let requests = world.cluster.requests();
        let other = world.source.commit("Ben", "elsewhere", [("blog/web.yaml", Some("a: ["))]).unwrap();
        let report = world.finished().await;
        assert_eq!((report.requests, report.counts.unchanged), (0, 2));
        assert_eq!((render.times(), world.cluster.requests()), (1, requests));
        let status = handle.status("shop").unwrap();
        assert_eq!((status.sync, status.applied.as_ref()), (SyncState::Synced, Some(&other)));
        // Drift is healed towards it, and a sync that is asked for compares and records it.
        world.edit("x", "web", "by hand");
        assert_eq!(world.finished().await.revision, Some(other.clone()));
        handle.sync("shop").unwrap();
        assert_eq!(world.finished().await.counts.unchanged, 2);
    });
    let record = world.reconciler.recall("shop").await.unwrap().unwrap();
    assert_eq!(record.applied.map(|r| r.id), world.source.head().map(|r| r.id));
}

#[tokio::test(start_paused = true)]
async fn a_commit_elsewhere_does_not_end_the_trouble_of_an_object() {
    let mut world = World::new(|app| app);
    world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply).named("web").times(1));
    world.commit("first", &[("web", Some("one"))]);
    let handle = world.reconciler.handle();
    beside!(world, {
        assert_eq!(world.finished().await.counts.failed, 1);
        world.source.commit("Ben", "elsewhere", [("blog/web.yaml", Some("a: ["))]).unwrap();
        assert_eq!(world.finished().await.counts.created, 1);
        world.over(seconds(1)).await;
        assert_eq!(handle.status("shop").unwrap().sync, SyncState::Synced);
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_read_outside_of_the_path_counts() {
    let render = Counting::new(Some("base/values"));
    let counting = render.clone();
    let mut world = World::new(|app| app.with_render(counting));
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
        for (file, times) in [("base/values", 2), ("base/other", 2), ("base/values", 3), ("blog/x", 3)] {
            let content = format!("for {times} {file}");
            world.source.commit("Ben", "change", [(file, Some(content.as_str()))]).unwrap();
            world.finished().await;
            assert_eq!(render.times(), times, "{file}");
        }
    });
}

/// Panics with what it read.
#[derive(Debug)]
struct Panics;

impl Render for Panics {
    fn key(&self) -> Digest {
        Digest::of(b"panics")
    }

    fn render(&self, _cx: &Cx, tree: &dyn Snapshot, path: &RepoPath) -> Result<Vec<Manifest>, Fault> {
        let file = path.join("web.yaml").unwrap();
        let text = tree.read(&file, 10_000)?;
        panic!("{}", String::from_utf8_lossy(&text))
    }
}

#[tokio::test(start_paused = true)]
async fn a_renderer_that_panics_is_a_fault_that_says_nothing_of_the_content() {
    let world = World::new(|app| app.with_render(Panics));
    world.commit("first", &[("web", Some("hunter2"))]);
    let error = world.reconciler.sync("shop").await.unwrap_err();
    assert!(matches!(&error, SyncError::Fault(fault) if fault.class == Class::Bug), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}
