//! Applications that follow the same reference of one source poll it as one.

use super::*;
use crate::{Class, RefSpec};

const APPS: usize = 300;

fn name(n: usize) -> String {
    format!("app-{n}")
}

fn commit(source: &MemorySource, apps: impl IntoIterator<Item = usize>, value: &str) {
    let files: Vec<_> = apps
        .into_iter()
        .map(|n| {
            let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAME, labels: {v: VALUE}}\n";
            (format!("{}/ns.yaml", name(n)), text.replace("NAME", &name(n)).replace("VALUE", value))
        })
        .collect();
    let files = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str())));
    source.commit("Ada", value, files).unwrap();
}

fn apps(count: usize, source: &MemorySource, want: &RefSpec) -> ReconcilerBuilder {
    let target = MemoryTarget::new(MemoryCluster::new());
    (0..count).fold(Reconciler::builder().with_seed(1).with_interval(seconds(60)), |builder, n| {
        let app = Application::builder(name(n), source.clone(), target.clone());
        builder.with_application(app.with_path(name(n)).with_ref(want.clone()).build().unwrap())
    })
}

/// How often `source` was asked while the reconciler worked for so long.
async fn polls_in(source: &MemorySource, time: Duration) -> u64 {
    let before = source.polls();
    tokio::time::sleep(time).await;
    source.polls() - before
}

#[tokio::test(start_paused = true)]
async fn many_applications_make_one_poll() {
    let source = MemorySource::new("config");
    commit(&source, 0..APPS, "first");
    let reconciler = apps(APPS, &source, &RefSpec::Default).with_event_capacity(20_000).build().unwrap();
    let (handle, mut events) = (reconciler.handle(), reconciler.subscribe());
    let run = tokio::spawn(async move { reconciler.run().await });
    assert_eq!(polls_in(&source, seconds(1)).await, 1, "at the start");
    assert!((0..APPS).all(|n| handle.status(&name(n)).unwrap().sync == SyncState::Synced));
    // The jitter makes an interval up to 5 % shorter.
    assert_eq!(polls_in(&source, seconds(180)).await, 3, "by the interval");

    assert_eq!(handle.refresh_where(|_| true).len(), APPS);
    assert_eq!(polls_in(&source, seconds(1)).await, 1, "after a push that was announced");
    // One that polls by itself takes the others along: all look again an interval later.
    tokio::time::sleep(seconds(20)).await;
    handle.refresh(&name(7)).unwrap();
    assert_eq!(polls_in(&source, seconds(120)).await, 3, "after one that asked for itself");

    while let Ok(Some(_)) = tokio::time::timeout(seconds(0), events.next()).await {}
    commit(&source, [42], "second");
    let mut synced = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(seconds(70), events.next()).await {
        if let EventKind::SyncFinished { report } = &event.kind
            && report.counts.changed > 0
        {
            synced.push(event.app.to_string());
        }
        if synced.len() == 1 && handle.status(&name(APPS - 1)).unwrap().attempted == source.head() {
            break;
        }
    }
    assert_eq!(synced, [name(42)]);
    handle.stop();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_same_is_not_shared() {
    let source = MemorySource::new("config");
    commit(&source, 0..2, "first");
    let target = MemoryTarget::new(MemoryCluster::new());
    let app = |n, want| {
        let app = Application::builder(name(n), source.clone(), target.clone());
        app.with_path(name(n)).with_ref(want).build().unwrap()
    };
    let (here, there) = (MemorySource::new("config"), MemorySource::new("config"));
    assert_ne!(here.instance(), there.instance());
    assert_eq!(here.instance(), here.clone().instance());
    let reconciler = Reconciler::builder()
        .with_application(app(0, RefSpec::Default))
        .with_application(app(1, RefSpec::Branch("main".into())))
        .with_seed(1)
        .build()
        .unwrap();
    let handle = reconciler.handle();
    let run = tokio::spawn(async move { reconciler.run().await });
    assert_eq!(polls_in(&source, seconds(1)).await, 2);
    handle.stop();
    run.await.unwrap().unwrap();
}

/// A server that is in trouble is not asked a hundred times because a hundred applications wait for it.
#[tokio::test(start_paused = true)]
async fn a_source_in_trouble_is_asked_as_by_one() {
    let asked = |count| async move {
        let source = MemorySource::new("config");
        commit(&source, 0..count, "first");
        let reconciler = apps(count, &source, &RefSpec::Default).build().unwrap();
        let handle = reconciler.handle();
        let run = tokio::spawn(async move { reconciler.run().await });
        polls_in(&source, seconds(1)).await;
        source.fail_with(Some(Fault::retry("connection refused")));
        let asked = polls_in(&source, seconds(600)).await;
        source.fail_with(None);
        tokio::time::sleep(seconds(120)).await;
        assert!((0..count).all(|n| handle.status(&name(n)).unwrap().sync == SyncState::Synced));
        handle.stop();
        run.await.unwrap().unwrap();
        asked
    };
    let (by_one, by_many) = (asked(1).await, asked(100).await);
    assert!((10..25).contains(&by_one), "{by_one}");
    assert!(by_many <= by_one + 2, "{by_many} instead of {by_one}");
}

/// Also where that is longer than the interval.
#[tokio::test(start_paused = true)]
async fn a_source_that_asks_for_a_pause_gets_it() {
    let source = MemorySource::new("config");
    commit(&source, 0..3, "first");
    let reconciler = apps(3, &source, &RefSpec::Default).build().unwrap();
    let handle = reconciler.handle();
    let run = tokio::spawn(async move { reconciler.run().await });
    polls_in(&source, seconds(1)).await;
    let busy = Class::Retry { after: Some(seconds(900)) };
    source.fail_with(Some(Fault::new(busy, "too many requests")));
    assert_eq!(polls_in(&source, seconds(61)).await, 1);
    assert_eq!(polls_in(&source, seconds(780)).await, 0);
    source.fail_with(None);
    assert!(polls_in(&source, seconds(120)).await > 0);
    handle.stop();
    run.await.unwrap().unwrap();
}
