use super::*;

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_and_the_engine_goes_on() {
    let source = MemorySource::new("config");
    let cluster = MemoryCluster::new();
    let app =
        Application::builder("shop", source.clone(), MemoryTarget::new(cluster.clone())).with_path("shop");
    let reconciler =
        Reconciler::builder().with_application(app.build().unwrap()).with_event_capacity(4).build().unwrap();
    let mut events = reconciler.subscribe();
    let names: Vec<(String, String)> =
        (0..50).map(|n| (format!("shop/{n}.yaml"), config(&format!("c{n}"), "x"))).collect();
    source.commit("Ada", "many", names.iter().map(|(p, c)| (p.as_str(), Some(c.as_str())))).unwrap();
    source.commit("Ada", "ns", [("shop/ns.yaml", Some(NAMESPACE))]).unwrap();
    let report = reconciler.sync("shop").await.unwrap();
    assert_eq!(report.counts.created, 51);
    let first = events.next().await.unwrap();
    assert!(matches!(first.kind, EventKind::Lagged { missed } if missed > 40), "{first:?}");
}
