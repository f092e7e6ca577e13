//! Settings at the ends of what their types hold.

use super::*;

#[tokio::test(start_paused = true)]
async fn no_setting_makes_it_panic() {
    let (mut world, _) = World::hooked(
        |builder| {
            builder
                .with_interval(Duration::MAX)
                .with_timeout(Duration::MAX)
                .with_resync(Duration::MAX)
                .with_grace(Duration::MAX)
                .with_jitter(f64::NAN)
                .with_backoff(Backoff { base: Duration::MAX, max: Duration::MAX, ..Backoff::default() })
                .with_concurrency(usize::MAX)
                .with_parallel_applications(usize::MAX)
                .with_event_capacity(usize::MAX)
        },
        |_| (),
    );
    world.commit("first", &[("web", Some("one"))]);
    world.cluster.faults().inject(FaultRule::new(Effect::Throttle(Duration::MAX)).named("web").times(1));
    beside!(world, {
        assert_eq!(world.finished().await.counts.failed, 1);
        world.until("a retry", |kind| matches!(kind, EventKind::RetryScheduled { .. }).then_some(())).await;
    });
    let health = world.reconciler.wait_healthy("shop", Duration::MAX).await;
    assert_eq!(health.unwrap_err().class, Class::NotFound);
}
