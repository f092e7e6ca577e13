//! People who change the cluster by hand all the time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::objects::{Object, Objects};
use crate::support::{Cluster, PART_OF};

/// Between two changes. One object after the other, each comes twice in a minute: more often would be a fight, which the
/// engine leaves alone for a while.
const PAUSE: Duration = Duration::from_millis(500);

/// How often what was done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) edited: u32,
    pub(crate) deleted: u32,
    pub(crate) stripped: u32,
    /// The object was not there (yet).
    pub(crate) missed: u32,
}

/// Changes objects by hand until a time.
pub(crate) async fn drift_until(end: Instant, cluster: &Cluster<'_>, objects: &Mutex<Objects>) -> Done {
    let (mut done, mut tick) = (Done::default(), interval(PAUSE));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    while tick.tick().await < end {
        // Held until it is done, so that it is still in Git then.
        let objects = objects.lock().await;
        let later = objects.present().iter().find(|&&object| last.is_none_or(|last| object > last));
        let object = *later.unwrap_or_else(|| objects.present().first().unwrap());
        last = Some(object);
        let (count, done_so) = match objects.roll(3) {
            0 => (&mut done.edited, change(cluster, object, &object.edit()).await),
            1 => (&mut done.deleted, delete(cluster, object).await),
            _ => (
                &mut done.stripped,
                change(cluster, object, &json!({"metadata": {"labels": {PART_OF: null}}})).await,
            ),
        };
        *(if done_so { count } else { &mut done.missed }) += 1;
    }
    done
}

async fn change(cluster: &Cluster<'_>, object: Object, change: &Value) -> bool {
    let uri = format!("{}?fieldManager=kubectl-edit", object.uri());
    is_done(cluster.try_request("PATCH", &uri, "application/merge-patch+json", change).await)
}

async fn delete(cluster: &Cluster<'_>, object: Object) -> bool {
    is_done(cluster.try_request("DELETE", &object.uri(), "application/json", &json!({})).await)
}

fn is_done(answer: kube::Result<Value>) -> bool {
    match answer {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(error) => panic!("{error}"),
    }
}
