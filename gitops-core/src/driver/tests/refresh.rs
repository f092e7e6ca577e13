//! News from outside: whoever is concerned polls at once, and nobody else.

use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::{Cx, RefSpec, Revision, Snapshot};

/// A source that says what it follows, and tells nobody when something changes.
#[derive(Debug, Clone)]
struct Quiet(MemorySource);

#[async_trait]
impl Source for Quiet {
    fn identity(&self) -> String {
        self.0.identity()
    }

    fn default_ref(&self) -> RefSpec {
        RefSpec::Branch("main".into())
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        self.0.resolve(cx, want).await
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        self.0.fetch(cx, revision).await
    }
}

fn app(name: &str, source: &MemorySource, cluster: &MemoryCluster) -> ApplicationBuilder {
    Application::builder(name, Quiet(source.clone()), MemoryTarget::new(cluster.clone())).with_path(name)
}

/// Commits a namespace of the application's own name.
fn commit(source: &MemorySource, app: &str, value: &str) -> Revision {
    let text =
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {app}, labels: {{v: {value}}}}}\n");
    source.commit("Ada", value, [(&*format!("{app}/ns.yaml"), Some(&*text))]).unwrap()
}

fn names(ids: &[crate::AppId]) -> Vec<&str> {
    ids.iter().map(crate::AppId::as_str).collect()
}

async fn finished(events: &mut EventStream) -> (String, SyncReport) {
    loop {
        let event = events.next().await.unwrap();
        if let EventKind::SyncFinished { report } = event.kind {
            return (event.app.to_string(), report);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_is_concerned_polls_and_at_once() {
    let (config, other) = (MemorySource::new("config"), MemorySource::new("other"));
    let cluster = MemoryCluster::new();
    let reconciler = Reconciler::builder()
        .with_application(app("one", &config, &cluster).build().unwrap())
        .with_application(app("two", &other, &cluster).build().unwrap())
        .with_application(app("three", &config, &cluster).build().unwrap())
        .with_interval(seconds(3600))
        .with_seed(1)
        .build()
        .unwrap();
    for (source, name) in [(&config, "one"), (&other, "two"), (&config, "three")] {
        commit(source, name, "first");
    }
    let (handle, mut events) = (reconciler.handle(), reconciler.subscribe());
    let run = tokio::spawn(async move { reconciler.run().await });
    for _ in 0..3 {
        finished(&mut events).await;
    }

    let second = commit(&config, "three", "second");
    let polls = (config.polls(), other.polls());
    let begun = tokio::time::Instant::now();
    let asked = handle.refresh_where(|app| app.source().identity() == config.identity());
    assert_eq!(names(&asked), ["one", "three"]);
    let mut changed = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let (name, report) = finished(&mut events).await;
        assert_eq!(report.revision, Some(second.clone()));
        changed.insert(name, report.counts.changed);
    }
    assert_eq!(changed, [("one".to_owned(), 0), ("three".to_owned(), 1)].into());
    assert!(begun.elapsed() < seconds(60), "{:?}", begun.elapsed());
    // A poll of the other that is on its way would show now; its own comes within the hour.
    tokio::time::sleep(seconds(60)).await;
    assert_eq!((config.polls(), other.polls()), (polls.0 + 2, polls.1));

    assert!(handle.refresh_where(|_| false).is_empty());
    tokio::time::sleep(seconds(60)).await;
    assert_eq!((config.polls(), other.polls()), (polls.0 + 2, polls.1));
    handle.stop();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_suspended_application_polls_when_it_is_resumed() {
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let reconciler = Reconciler::builder()
        .with_application(app("one", &source, &cluster).build().unwrap())
        .with_interval(seconds(3600))
        .build()
        .unwrap();
    commit(&source, "one", "first");
    let (handle, mut events) = (reconciler.handle(), reconciler.subscribe());
    let run = tokio::spawn(async move { reconciler.run().await });
    finished(&mut events).await;
    handle.suspend("one").unwrap();
    let second = commit(&source, "one", "second");
    let polls = source.polls();
    assert_eq!(names(&handle.refresh_where(|_| true)), ["one"]);
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(source.polls(), polls);
    handle.resume("one").unwrap();
    assert_eq!(finished(&mut events).await.1.revision, Some(second));
    handle.stop();
    run.await.unwrap().unwrap();
}

#[test]
fn what_is_left_to_the_source_is_what_it_says_of_itself() {
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let reference = |builder: ApplicationBuilder| builder.build().unwrap().reference();
    assert_eq!(reference(app("one", &source, &cluster)), RefSpec::Branch("main".into()));
    let tag = RefSpec::Tag("v1".into());
    assert_eq!(reference(app("one", &source, &cluster).with_ref(tag.clone())), tag);
    let shared: Arc<dyn Source> = Arc::new(Quiet(source.clone()));
    let target = MemoryTarget::new(cluster);
    let plain = |uses: Arc<dyn Source>| reference(Application::builder("one", uses, target.clone()));
    assert_eq!(plain(shared), RefSpec::Branch("main".into()));
    assert_eq!(plain(Arc::new(source)), RefSpec::Default);
}
