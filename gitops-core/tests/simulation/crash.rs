//! A crash at each request of one sync: before it is sent, and after it took effect with its answer lost.

use std::collections::BTreeMap;
use std::time::Duration;

use gitops_core::diff::schema::BuiltIn;
use gitops_core::diff::{DiffOptions, compare};
use gitops_core::{
    Application, Effect, FaultRule, MemoryCluster, MemorySource, MemoryTarget, Prune, Reconciler, ResourceId,
    SyncState,
};
use serde_json::{Value, json};

use crate::ledger::{LABEL, contents, member_of, uid, version};
use crate::objects::{self, Kind};

const APP: &str = "shop";

struct Shop {
    source: MemorySource,
    cluster: MemoryCluster,
    /// What is not ours, as it was made.
    foreign: Vec<(ResourceId, Value)>,
    /// What Git states in the end.
    stated: BTreeMap<ResourceId, Value>,
}

/// So many objects of each sort: those that stay, change, go and come, beside two namespaces and a kind that is new.
const STAY: usize = 6;
const CHANGE: usize = 10;
const GO: usize = 9;
const COME: usize = 9;

fn object(sort: &str, n: usize, variant: usize) -> Value {
    let kind = objects::USUAL[n % objects::USUAL.len()];
    kind.object(APP, APP, &format!("{sort}-{n}"), variant)
}

fn several(sort: &str, count: usize, variant: usize) -> impl Iterator<Item = Value> {
    (0..count).map(move |n| object(sort, n, variant + n))
}

impl Shop {
    /// A shop that was deployed once, and has a commit that waits.
    async fn new() -> Self {
        let shop = Self {
            source: MemorySource::new("config"),
            cluster: MemoryCluster::new(),
            foreign: Vec::new(),
            stated: BTreeMap::new(),
        };
        let first: Vec<Value> = [objects::namespace(APP)]
            .into_iter()
            .chain(several("stay", STAY, 0))
            .chain(several("change", CHANGE, 0))
            .chain(several("go", GO, 0))
            .collect();
        shop.source
            .commit("Ada", "first", [("shop/all.yaml", Some(objects::file(&first).as_str()))])
            .unwrap();
        shop.reconciler().sync(APP).await.unwrap();
        let widgets = (0..3).map(|n| Kind::Widget.object(APP, "shop-new", &format!("w{n}"), n));
        let second: Vec<Value> =
            [objects::namespace(APP), objects::namespace("shop-new"), objects::definition(APP)]
                .into_iter()
                .chain(widgets)
                .chain(several("stay", STAY, 0))
                .chain(several("change", CHANGE, 1))
                .chain(several("come", COME, 0))
                .collect();
        assert_eq!(second.len() + GO, 40);
        shop.source
            .commit("Ada", "second", [("shop/all.yaml", Some(objects::file(&second).as_str()))])
            .unwrap();
        let stated = second.into_iter().map(|object| (objects::id_of(&object), object)).collect();
        let mut shop = Self { stated, ..shop };
        shop.others();
        shop
    }

    /// Objects of others beside ours: plain, with our mark forged, and copied from one of ours.
    fn others(&mut self) {
        let plain = Kind::ConfigMap.object(APP, APP, "plain", 1);
        let mut forged = Kind::ConfigMap.object(APP, APP, "forged", 1);
        forged["metadata"]["labels"] = json!({LABEL: APP});
        let mut copied = Kind::Service.object(APP, APP, "copied", 1);
        copied["metadata"]["labels"] = json!({LABEL: APP});
        for object in [plain, forged, copied] {
            let made = self.cluster.create("kubectl", &object).unwrap();
            self.foreign.push((objects::id_of(&made), made));
        }
    }

    /// A process that knows nothing.
    fn reconciler(&self) -> Reconciler {
        let target = MemoryTarget::new(self.cluster.clone());
        let app = Application::builder(APP, self.source.clone(), target)
            .with_path("shop")
            .with_prune(Prune::GUARDED)
            .build()
            .unwrap();
        Reconciler::builder().with_application(app).with_seed(1).build().unwrap()
    }

    /// Lets a new process work for a time and then kills it. Answers whether all was well by then.
    async fn work(&self, time: Duration) -> bool {
        let reconciler = self.reconciler();
        let _ = tokio::time::timeout(time, reconciler.run()).await;
        let status = reconciler.status(APP).unwrap();
        status.sync == SyncState::Synced && status.applied == self.source.head()
    }

    fn uids(&self) -> BTreeMap<ResourceId, String> {
        contents(&self.cluster).into_iter().map(|(id, object)| (id, uid(&object))).collect()
    }

    fn check(&self, what: &str, before: &BTreeMap<ResourceId, String>) {
        let live = contents(&self.cluster);
        for (id, object) in &self.foreign {
            assert_eq!(live.get(id).map(version), Some(version(object)), "{what}: {id} is not ours");
        }
        for (id, desired) in &self.stated {
            let object = live.get(id).unwrap_or_else(|| panic!("{what}: {id} is not there"));
            assert_eq!(member_of(object), Some(APP), "{what}: {id}");
            let differences = compare(desired, object, &BuiltIn, &DiffOptions::default());
            assert!(differences.is_empty(), "{what}: {id}: {differences:?}");
            if let Some(uid_before) = before.get(id) {
                assert_eq!(*uid_before, uid(object), "{what}: {id} was deleted although Git states it");
            }
        }
        for (id, object) in &live {
            let is_orphan = member_of(object).is_some() && !self.stated.contains_key(id);
            assert!(!is_orphan, "{what}: {id} is left over");
        }
    }
}

const A_WHILE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(900);

fn at(effect: Effect, request: u32) -> FaultRule {
    FaultRule::new(effect).after(request).times(1)
}

/// Crashes at a request of the sync, and perhaps once more in the next process. Answers whether there was such a request.
async fn crashes(effect: Effect, request: u32, again: Option<u32>) -> bool {
    let what = format!("{effect:?} at request {request}, then {again:?}");
    let shop = Shop::new().await;
    let mut before = shop.uids();
    shop.cluster.faults().inject(at(effect, request));
    if shop.work(A_WHILE).await {
        shop.check(&what, &before);
        return false;
    }
    before.extend(shop.uids());
    shop.cluster.faults().clear();
    if let Some(again) = again {
        shop.cluster.faults().inject(at(effect, again));
        shop.work(A_WHILE).await;
        shop.cluster.faults().clear();
        before.extend(shop.uids());
    }
    assert!(shop.work(LONG).await, "{what}: it did not come right");
    shop.check(&what, &before);
    true
}

#[test]
fn a_crash_at_any_request_of_a_sync_loses_nothing() {
    let _others_may_run = crate::MEMORY.read();
    crate::run::paused(async |_| {
        for effect in [Effect::CrashBefore, Effect::CrashAfter] {
            let mut request = 0;
            while crashes(effect, request, None).await {
                request += 1;
            }
            // Reading, beginning, 31 steps, ending.
            println!("{effect:?}: {request} requests");
            assert!(request > 35, "only {request} requests");
            // And some that crash once more while they clean up.
            for (first, second) in (0..request).step_by(4).map(|request| (request, request * 7 % 40)) {
                crashes(effect, first, Some(second)).await;
            }
        }
    });
}
