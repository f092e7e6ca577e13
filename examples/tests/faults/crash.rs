//! A crash at each request of a sync, and at random.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use tokio::sync::OnceCell;

use crate::faulty::audit;
use crate::faulty::life::{DOOMED, Death, ENGINE, Life};
use crate::faulty::proxy::{Point, Sent};
use crate::faulty::scenario::{CHANGED, CREATED, Neighbour, PRUNED, UNCHANGED};
use crate::support::{Cluster, PART_OF, builder};

/// Lives at once: most of a life is waiting.
const AT_ONCE: usize = 12;
pub(crate) async fn cluster() -> Cluster<'static> {
    static PLANE: OnceCell<gitops_kube::testing::ControlPlane> = OnceCell::const_new();
    let start = || {
        let users = [DOOMED, ENGINE];
        let with_users = users.iter().fold(builder().api_only(), |builder, user| {
            builder.with_user(format!("token-of-{user}"), *user, ["system:masters"])
        });
        with_users.start()
    };
    Cluster::of(PLANE.get_or_try_init(start).await.unwrap()).await
}

/// Deploys an application of this name.
pub(crate) async fn neighbour(cluster: &Cluster<'static>, name: &str) -> Neighbour {
    Life::new(cluster, name).deploy().await;
    let namespace = cluster.get(&format!("/api/v1/namespaces/{name}")).await.unwrap();
    let label = namespace["metadata"]["labels"][PART_OF].as_str().unwrap().to_owned();
    Neighbour { name: name.to_owned(), label }
}

/// The requests of a sync that nothing disturbs.
async fn undisturbed(cluster: &Cluster<'static>, neighbour: &Neighbour) -> Vec<Sent> {
    let life = Life::new(cluster, "crash-whole");
    life.deploy().await;
    let before = life.stage.note(neighbour).await;
    let death = life.die(None).await;
    let counts = death.survived.unwrap().counts;
    assert_eq!(
        (counts.created, counts.changed, counts.pruned, counts.unchanged),
        (CREATED, CHANGED, PRUNED, UNCHANGED)
    );
    assert!(counts.all_good() && CREATED + CHANGED + PRUNED + UNCHANGED == 40);
    life.restart().await;
    life.stage.check(&before, life.head()).await;
    life.stage.leave().await;
    death.sent
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_crash_at_each_request_of_a_sync_leaves_no_orphan() {
    let begun = Instant::now();
    let cluster = cluster().await;
    let neighbour = neighbour(&cluster, "crash-neighbour").await;
    let whole = undisturbed(&cluster, &neighbour).await;
    let writes: Vec<&Sent> = whole.iter().filter(|sent| sent.is_write()).collect();
    println!("a sync of {} writes in {} requests, after {:?}", writes.len(), whole.len(), begun.elapsed());
    // The record before and after, and one request for each object.
    assert_eq!(writes.len(), CREATED + CHANGED + PRUNED + 2, "{writes:#?}");

    // One write more than there are: nobody dies there. How often a sync reads depends on how soon the new kind is
    // served, so that it ends where an engine lives.
    let points = (1..=writes.len() + 1).flat_map(|n| [Point::BeforeWrite(n), Point::AfterWrite(n)]);
    let survivor = AtomicBool::new(false);
    let reads = (1..).map(Point::Read).take_while(|_| !survivor.load(Ordering::Relaxed));
    let (cluster, neighbour, survivor) = (&cluster, &neighbour, &survivor);
    let all = points.chain(reads).map(|point| async move {
        let life = Life::new(cluster, named(point));
        life.deploy().await;
        let before = life.stage.note(neighbour).await;
        let death = life.die(Some(point)).await;
        if matches!(point, Point::Read(_)) && death.survived.is_some() {
            survivor.store(true, Ordering::Relaxed);
        }
        life.restart().await;
        let there = life.stage.check(&before, life.head()).await;
        life.stage.leave().await;
        (point, death, (life.stage.scenario, there))
    });
    let ended: Vec<_> = stream::iter(all).buffer_unordered(AT_ONCE).collect().await;
    println!("{} crashes, after {:?}", ended.len(), begun.elapsed());

    let (mut deaths, mut lives) = (BTreeMap::new(), Vec::new());
    for (point, death, life) in ended {
        deaths.insert(point, death);
        lives.push(life);
    }
    each_write_was_the_last(&writes, &deaths);
    let reads = (1..=deaths.len()).take_while(|&n| deaths[&Point::Read(n)].survived.is_none()).count();
    println!("died at each of {} writes, twice, and at each of {reads} reads", writes.len());
    assert!(reads >= whole.len() / 4, "a sync reads more than that");
    audit::check(cluster, &lives);
    println!("checked, after {:?}", begun.elapsed());
}

fn named(point: Point) -> String {
    match point {
        Point::BeforeWrite(n) => format!("crash-before-{n}"),
        Point::AfterWrite(n) => format!("crash-after-{n}"),
        Point::Read(n) => format!("crash-read-{n}"),
    }
}

/// Each write of a sync was the last of one engine that died before it was sent, and of one that died after it.
fn each_write_was_the_last(writes: &[&Sent], deaths: &BTreeMap<Point, Death>) {
    // Lives differ in their names.
    let unnamed = |sent: &Sent, name: &str| (sent.method.clone(), sent.path().replace(name, "NAME"));
    let expected: Vec<_> = writes.iter().map(|sent| unnamed(sent, "crash-whole")).collect();
    for point in [Point::BeforeWrite as fn(usize) -> Point, Point::AfterWrite] {
        for n in 1..=writes.len() {
            let (death, name) = (&deaths[&point(n)], named(point(n)));
            assert!(death.survived.is_none(), "{name}: nobody died");
            let sent = death.sent.iter().filter(|sent| sent.is_write()).map(|sent| unnamed(sent, &name));
            let sent: Vec<_> = sent.take(n).collect();
            assert_eq!(sent, expected[..n], "{name}");
        }
        let none = &deaths[&point(writes.len() + 1)];
        assert!(none.survived.is_some(), "a sync writes more than it did");
    }
}
