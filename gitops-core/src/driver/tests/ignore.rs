//! jq expressions in ignore rules, and the time they may take.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::{Clock, IgnoreRule, IgnoreRules, Timestamp};

/// A clock of which some milliseconds pass each time that it is read.
#[derive(Debug)]
struct Rushing {
    now: AtomicI64,
    step: i64,
}

impl Clock for Rushing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now.fetch_add(self.step, Ordering::Relaxed)).unwrap()
    }
}

/// Some ten thousand steps, far fewer than are allowed; it leads to the value of a `ConfigMap`.
fn slow_rules() -> IgnoreRules {
    let expression = format!("{}.data.key", "(.,.)|".repeat(12));
    IgnoreRules::new([IgnoreRule::default().with_kind("", "ConfigMap").with_jq(expression.parse().unwrap())])
}

/// What becomes of an object whose value somebody else changed, after another commit.
async fn second_sync(step: i64) -> (World, Option<String>) {
    let (source, cluster) = (MemorySource::new("config"), MemoryCluster::new());
    let clock = Rushing { now: AtomicI64::new(0), step };
    let target = MemoryTarget::new(cluster.clone());
    let mut world = World::of(
        source.clone(),
        source,
        cluster,
        target,
        |app| app.with_ignore(slow_rules()),
        |reconciler| reconciler.with_clock(clock),
    );
    world.commit("first", &[("web", Some("one"))]);
    world.reconciler.sync("shop").await.unwrap();
    world.edit("autoscaler", "web", "theirs");
    world.commit("second", &[("web", Some("two"))]);
    let _ = world.reconciler.sync("shop").await;
    let mut blocked = None;
    for kind in world.over(seconds(1)).await {
        if let EventKind::Object { outcome, .. } = kind
            && let Verdict::Blocked { cause } = outcome.verdict
        {
            blocked = Some(cause);
        }
    }
    (world, blocked)
}

#[tokio::test(start_paused = true)]
async fn an_expression_is_stopped_by_the_clock_and_its_object_left_as_it_is() {
    let (world, blocked) = second_sync(60).await;
    let cause = blocked.expect("the object is blocked");
    assert!(cause.contains("(.,.)|.data.key was stopped: it took longer than 100ms"), "{cause}");
    assert!(cause.contains("begin it with the path of the field"), "{cause}");
    assert_eq!(world.value("web").as_deref(), Some("theirs"));
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_is_in_time_leaves_its_field_to_others() {
    let (world, blocked) = second_sync(0).await;
    assert_eq!(blocked, None);
    assert_eq!(world.value("web").as_deref(), Some("theirs"));
}
